/* SPDX-License-Identifier: BSD-2-Clause */
/* Untyped_Retype. The checks come in the published order (ABI section 4). */
#include "abi/types.h"
#include "kernel/api/request.h"
#include "kernel/core/config.h"
#include "kernel/object/derivation.h"
#include "kernel/object/object.h"
#include "kernel/object/untyped.h"

struct retype {
    u64 type;
    u64 user_size;
    unsigned size_bits; /* of one object */
    struct slot *slots; /* the first of count empty ones */
    u64 count;
    bool reset; /* the untyped has no children: allocation starts again at 0 */
};

static enum status retype_check_type(struct request *request, struct retype *retype)
{
    retype->type = request_word(request, 0);
    retype->user_size = request_word(request, 1);
    if (retype->type >= seL4_ObjectTypeCount)
        return error_argument(request, 0);
    if (retype->user_size >= seL4_WordBits)
        return error_range(request, 0, seL4_MaxUntypedBits);
    retype->size_bits = object_size_bits(retype->type, retype->user_size);
    if (retype->size_bits > seL4_MaxUntypedBits)
        return error_range(request, 0, seL4_MaxUntypedBits);
    if ((retype->type == seL4_CapTableObject && retype->user_size == 0) ||
        (retype->type == seL4_UntypedObject && retype->user_size < seL4_MinUntypedBits) ||
        (retype->type == seL4_SchedContextObject && retype->user_size < seL4_MinSchedContextBits))
        return error_argument(request, 1);
    return STATUS_OK;
}

/* The CNode that takes the new capabilities; depth 0 means the root itself. */
static enum status retype_find_cnode(struct request *request, struct cap *cnode)
{
    u64 depth = request_word(request, 3);

    *cnode = request->extra[0]->cap;
    if (depth != 0) {
        struct slot *slot = request_slot(request, *cnode, 2, false);

        if (!slot)
            return STATUS_ERROR;
        *cnode = slot->cap;
    }
    return cnode->type == CAP_CNODE ? STATUS_OK : error_missing(request, false, depth);
}

static enum status retype_check_slots(struct request *request, struct cap cnode,
                                      struct retype *retype)
{
    u64 nr_slots = BIT(cnode_radix(cnode));
    u64 offset = request_word(request, 4);

    retype->count = request_word(request, 5);
    if (offset > nr_slots - 1)
        return error_range(request, 0, nr_slots - 1);
    if (retype->count < 1 || retype->count > CONFIG_RETYPE_FAN_OUT)
        return error_range(request, 1, CONFIG_RETYPE_FAN_OUT);
    if (retype->count > nr_slots - offset)
        return error_range(request, 1, nr_slots - offset);
    retype->slots = cnode_slots(cnode) + offset;
    for (u64 i = 0; i < retype->count; i++) {
        if (!slot_is_empty(&retype->slots[i]))
            return error_code(request, seL4_DeleteFirst);
    }
    return STATUS_OK;
}

static enum status retype_check_memory(struct request *request, struct retype *retype)
{
    struct cap untyped = request->slot->cap;
    u64 offset;

    retype->reset = !slot_has_children(request->slot);
    offset = retype->reset ? 0 : untyped_free_offset(untyped);
    if (!untyped_has_room(untyped, offset, retype->size_bits, retype->count)) {
        request->error.word[0] = untyped_bytes(untyped) - offset;
        return error_code(request, seL4_NotEnoughMemory);
    }
    if (untyped_is_device(untyped) && !object_may_be_device(retype->type))
        return error_argument(request, 1);
    return STATUS_OK;
}

static void retype_create(struct slot *untyped, const struct retype *retype)
{
    u64 offset = untyped_align(untyped_free_offset(untyped->cap), retype->size_bits);
    bool is_device = untyped_is_device(untyped->cap);

    for (u64 i = 0; i < retype->count; i++, offset += BIT(retype->size_bits)) {
        hpa_t base = hpa(cap_hpa(untyped->cap).raw + offset);

        slot_insert_new(untyped, &retype->slots[i],
                        object_create(retype->type, base, retype->user_size, is_device));
    }
    untyped->cap.data = offset;
}

enum status invoke_untyped_retype(struct request *request)
{
    struct retype retype = { 0 };
    struct cap cnode;

    if (retype_check_type(request, &retype) != STATUS_OK ||
        retype_find_cnode(request, &cnode) != STATUS_OK ||
        retype_check_slots(request, cnode, &retype) != STATUS_OK ||
        retype_check_memory(request, &retype) != STATUS_OK)
        return STATUS_ERROR;
    if (retype.reset && untyped_reset(request->slot) != STATUS_OK)
        return STATUS_PREEMPTED;
    retype_create(request->slot, &retype);
    return STATUS_OK;
}
