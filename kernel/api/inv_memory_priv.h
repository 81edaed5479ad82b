/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the invocations of frames and paging structures have in common. The dispatcher has checked
 * the message's length and the number of extra capabilities (abi/invocations.def).
 * Sources: ABI sections 5.1 ("Page Map", "Table Map", "Missing-table level") and 11.1.
 */
#ifndef KERNEL_API_INV_MEMORY_PRIV_H
#define KERNEL_API_INV_MEMORY_PRIV_H

#include "kernel/api/request.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/map.h"

/* The number of the extra capability that names the address space, in InvalidCapability. */
#define SPACE_CAPABILITY 1

/* A native (CAP_PML4) or nested (CAP_EPT_PML4) root that has an ASID. */
static inline bool cap_is_space(struct cap cap, enum cap_type type)
{
    return cap.type == type && table_is_mapped(cap);
}

/*
 * The root table of a space capability. The ASID may have gone with its pool, even to another
 * space.
 */
static inline enum status request_space_root(struct request *request, struct cap space, u64 **root)
{
    enum asid_kind kind = space.type == CAP_PML4 ? ASID_NATIVE : ASID_NESTED;

    *root = asid_root(map_asid(space), kind);
    if (!*root)
        return error_lookup(request, false, (struct lookup_failure){ .type = seL4_InvalidRoot });
    if (*root != cap_object(space))
        return error_capability(request, SPACE_CAPABILITY);
    return STATUS_OK;
}

/* The API's answer to a mapping that was tried. */
static inline enum status request_map_result(struct request *request, struct pt_result result)
{
    switch (result.status) {
    case PT_MISSING:
        return error_lookup(request, false,
                            (struct lookup_failure){ .type = seL4_MissingCapability,
                                                     .bits_left = result.missing_bits });
    case PT_BUSY:
        return error_code(request, seL4_DeleteFirst);
    default:
        return STATUS_OK;
    }
}

/* The data word of a capability that is mapped there. */
static inline u64 mapped_data(struct cap space, u64 address)
{
    return map_asid(space) | (address & ~MASK(PAGE_BITS));
}

static inline void frame_set_mapped(struct slot *slot, enum frame_map where, u64 data)
{
    slot->cap = cap_aux_set(slot->cap, 5, 2, where);
    slot->cap.data = data;
}

static inline void table_set_mapped(struct slot *slot, bool mapped, u64 data)
{
    slot->cap = cap_aux_set(slot->cap, 0, 1, mapped);
    slot->cap.data = data;
}

#endif
