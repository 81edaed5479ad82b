/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods that shape a guest's physical address space: EPT paging structures, frames in it, and
 * whose it is. On AMD-V the same objects hold nested page tables. Without either there is nothing
 * they could be used for: IllegalOperation.
 *
 * A guest-physical address has 48 bits (four levels); more is InvalidArgument 0.
 */
#include "kernel/api/inv_memory_priv.h"
#include "kernel/object/derivation.h"
#include "kernel/vspace/tlb.h"

/* What Map asks of a nested space, whatever it is to hold: in the order of its answers. */
static enum status check_nested(struct request *request, struct cap space, u64 gpa, u64 **root)
{
    if (!cap_is_space(space, CAP_EPT_PML4))
        return error_capability(request, SPACE_CAPABILITY);
    if (gpa >> NESTED_ADDRESS_BITS)
        return error_argument(request, 0);
    return request_space_root(request, space, root);
}

enum status invoke_page_map_ept(struct request *request)
{
    struct cap frame = request->cap;
    struct cap space = request->extra[0]->cap;
    u64 gpa = request_word(request, 0) & ~MASK(PAGE_BITS);
    unsigned rights = request_word(request, 1) & RIGHTS_ALL;
    u64 memory = request_word(request, 2);
    u64 *root;

    if (nested_format == NESTED_NONE)
        return error_code(request, seL4_IllegalOperation);
    if ((frame_size(frame) == FRAME_1G && !nested_has_1g) || frame_map(frame) != FRAME_UNMAPPED)
        return error_capability(request, 0);
    if (check_nested(request, space, gpa, &root) != STATUS_OK)
        return STATUS_ERROR;
    if (gpa & MASK(frame_size_bits(frame)))
        return error_code(request, seL4_AlignmentError);

    if (request_map_result(request, nested_map_frame(root, gpa, frame, rights, memory)) !=
        STATUS_OK)
        return STATUS_ERROR;
    frame_set_mapped(request->slot, FRAME_IN_EPT, mapped_data(space, gpa));
    return STATUS_OK;
}

enum status invoke_ept_paging_map(struct request *request)
{
    struct cap space = request->extra[0]->cap;
    u64 gpa = request_word(request, 0) & ~MASK(table_span_bits(request->cap.type));
    u64 *root;

    if (nested_format == NESTED_NONE)
        return error_code(request, seL4_IllegalOperation);
    if (table_is_mapped(request->cap))
        return error_capability(request, 0);
    if (check_nested(request, space, gpa, &root) != STATUS_OK ||
        request_map_result(request, nested_map_table(root, gpa, request->cap)) != STATUS_OK)
        return STATUS_ERROR;
    table_set_mapped(request->slot, true, mapped_data(space, gpa));
    return STATUS_OK;
}

/* A guest that runs meanwhile on another core leaves the old space before this returns. */
enum status invoke_tcb_set_ept_root(struct request *request)
{
    struct tcb *tcb = cap_tcb(request->cap);
    struct slot *root = &tcb->slots[TCB_EPT_ROOT];
    struct slot *source = request->extra[0];

    if (!cap_is_space(source->cap, CAP_EPT_PML4))
        return error_code(request, seL4_IllegalOperation);
    if (!slot_is_empty(root)) {
        tlb_flush_nested(cap_hpa(root->cap));
        slot_delete_simple(root);
    }
    slot_insert(source->cap, source, root);
    known_advance();
    return STATUS_OK;
}
