/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods of ASID control and ASID pools (ABI section 5.1). */
#include "kernel/api/inv_memory_priv.h"
#include "kernel/object/derivation.h"
#include "lib/string.h"

static bool cap_is_pool_memory(struct cap cap)
{
    return cap.type == CAP_UNTYPED && untyped_size_bits(cap) == ASID_POOL_SIZE_BITS &&
           !untyped_is_device(cap);
}

enum status invoke_asid_control_make_pool(struct request *request)
{
    struct slot *untyped = request->extra[0];
    unsigned index = asid_free_pool();
    struct slot *dest;

    if (index == ASID_POOLS)
        return error_code(request, seL4_DeleteFirst);
    if (!cap_is_pool_memory(untyped->cap))
        return error_capability(request, 1);
    if (slot_has_children(untyped))
        return error_code(request, seL4_RevokeFirst);
    dest = request_empty_slot(request, request->extra[1]->cap, 0);
    if (!dest)
        return STATUS_ERROR;

    hpa_t pool = cap_hpa(untyped->cap);

    memset(hpa_to_ptr(pool), 0, BIT(ASID_POOL_SIZE_BITS));
    untyped->cap.data = BIT(ASID_POOL_SIZE_BITS); /* nothing of it is free any more */
    asid_pool_install(index, hpa_to_ptr(pool));
    slot_insert_new(untyped, dest, cap_make(CAP_ASID_POOL, pool, index, 0));
    return STATUS_OK;
}

enum status invoke_asid_pool_assign(struct request *request)
{
    struct slot *space = request->extra[0];
    unsigned index = cap_aux_get(request->cap, 0, 3);
    bool is_native = space->cap.type == CAP_PML4;

    if ((!is_native && space->cap.type != CAP_EPT_PML4) || table_is_mapped(space->cap))
        return error_capability(request, SPACE_CAPABILITY);
    if (!asid_pool_is_installed(index, cap_object(request->cap)))
        return error_lookup(request, false, (struct lookup_failure){ .type = seL4_InvalidRoot });

    unsigned asid = asid_find_free(index);

    if (asid == ASID_NONE)
        return error_code(request, seL4_DeleteFirst);
    asid_assign(asid, is_native ? ASID_NATIVE : ASID_NESTED, cap_object(space->cap));
    table_set_mapped(space, true, asid);
    return STATUS_OK;
}
