/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods of frames in native address spaces, and what holds wherever a frame is mapped. */
#include "kernel/api/inv_memory_priv.h"
#include "kernel/vspace/tlb.h"

/* Does [vaddr, vaddr + size) end in user space? Its last page is never mapped (ABI section 9). */
static bool is_user_range(u64 vaddr, unsigned size_bits)
{
    return vaddr <= USER_TOP && vaddr + BIT(size_bits) <= USER_TOP;
}

/* A frame that is mapped may be mapped again just where it is, to change rights or attributes. */
static enum status check_place(struct request *request, struct cap space, u64 vaddr)
{
    struct cap frame = request->cap;

    if (frame_map(frame) == FRAME_UNMAPPED) {
        if (!is_user_range(vaddr, frame_size_bits(frame)))
            return error_argument(request, 0);
        return STATUS_OK;
    }
    if (map_asid(frame) != map_asid(space))
        return error_capability(request, SPACE_CAPABILITY);
    if (frame_map(frame) != FRAME_IN_VSPACE)
        return error_code(request, seL4_IllegalOperation);
    /* The low bits of the address are not kept, and are 0 in any address that was accepted. */
    if (map_address(frame) != vaddr)
        return error_argument(request, 0);
    return STATUS_OK;
}

enum status invoke_page_map(struct request *request)
{
    struct cap frame = request->cap;
    struct cap space = request->extra[0]->cap;
    u64 vaddr = request_word(request, 0);
    unsigned rights = request_word(request, 1) & RIGHTS_ALL;
    u64 attributes = request_word(request, 2);
    u64 *root;

    if (frame_size(frame) == FRAME_1G && !paging_has_1g())
        return error_capability(request, 0);
    if (!cap_is_space(space, CAP_PML4))
        return error_capability(request, SPACE_CAPABILITY);
    if (check_place(request, space, vaddr) != STATUS_OK ||
        request_space_root(request, space, &root) != STATUS_OK)
        return STATUS_ERROR;
    if (vaddr & MASK(frame_size_bits(frame)))
        return error_code(request, seL4_AlignmentError);

    if (request_map_result(request, vspace_map_frame(root, vaddr, frame, rights, attributes)) !=
        STATUS_OK)
        return STATUS_ERROR;
    frame_set_mapped(request->slot, FRAME_IN_VSPACE, mapped_data(space, vaddr));
    return STATUS_OK;
}

enum status invoke_page_unmap(struct request *request)
{
    frame_unmap(request->cap);
    frame_set_mapped(request->slot, FRAME_UNMAPPED, 0);
    return STATUS_OK;
}

enum status invoke_page_get_address(struct request *request)
{
    reply_word(request, cap_hpa(request->cap).raw);
    return STATUS_OK;
}
