/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods of native paging structures: PageTable, PageDirectory, PDPT. The cache attributes of
 * their Map are not used: the processor reads tables write-back, as the kernel writes them; two
 * types for the same memory are undefined (AMD APM volume 2, chapter 7 "Memory System").
 */
#include "kernel/api/inv_memory_priv.h"
#include "kernel/object/derivation.h"
#include "lib/string.h"

enum status invoke_paging_map(struct request *request)
{
    struct cap space = request->extra[0]->cap;
    u64 vaddr = request_word(request, 0) & ~MASK(table_span_bits(request->cap.type));
    u64 *root;

    if (table_is_mapped(request->cap))
        return error_capability(request, 0);
    if (!cap_is_space(space, CAP_PML4))
        return error_capability(request, SPACE_CAPABILITY);
    if (vaddr > USER_TOP)
        return error_argument(request, 0);
    if (request_space_root(request, space, &root) != STATUS_OK ||
        request_map_result(request, vspace_map_table(root, vaddr, request->cap)) != STATUS_OK)
        return STATUS_ERROR;
    table_set_mapped(request->slot, true, mapped_data(space, vaddr));
    return STATUS_OK;
}

/*
 * Native or nested. What other capabilities to the structure say of its place must stay true, so
 * there may be none.
 */
enum status invoke_table_unmap(struct request *request)
{
    if (!slot_is_final(request->slot))
        return error_code(request, seL4_RevokeFirst);
    if (!table_is_mapped(request->cap))
        return STATUS_OK;
    table_unmap(request->cap);
    memset(cap_object(request->cap), 0, PAGE_SIZE);
    table_set_mapped(request->slot, false, 0);
    return STATUS_OK;
}
