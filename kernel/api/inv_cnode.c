/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CNode invocations (ABI section 5.1). All begin by looking up the target slot in message words 0
 * and 1, below the invoked CNode; the copying ones then check the target empty and look up a source
 * in words 2 and 3, below the first extra capability.
 */
#include "abi/types.h"
#include "kernel/api/request.h"
#include "kernel/object/derivation.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/object.h"

static enum status target_slot(struct request *request, struct slot **target)
{
    return request_slot(request, request->cap, request_word(request, 0), request_word(request, 1),
                        false, target);
}

static enum status error_missing(struct request *request, bool source, u64 depth)
{
    return error_lookup(
        request, source,
        (struct lookup_failure){ .type = seL4_MissingCapability, .bits_left = depth });
}

/* --- one slot -------------------------------------------------------------------------------- */

enum status invoke_cnode_revoke(struct request *request)
{
    struct slot *target;
    enum status status = target_slot(request, &target);

    return status == STATUS_OK ? slot_revoke(target) : status;
}

enum status invoke_cnode_delete(struct request *request)
{
    struct slot *target;
    enum status status = target_slot(request, &target);

    return status == STATUS_OK ? slot_delete(target) : status;
}

enum status invoke_cnode_cancel_badged_sends(struct request *request)
{
    struct slot *target;
    enum status status = target_slot(request, &target);

    if (status != STATUS_OK)
        return status;
    if (target->cap.type != CAP_ENDPOINT || cap_rights(target->cap) != RIGHTS_ALL)
        return error_code(request, seL4_IllegalOperation);
    if (cap_badge(target->cap) == 0)
        return STATUS_OK;
    return endpoint_cancel_badged_sends(cap_object(target->cap), cap_badge(target->cap),
                                        request->caller);
}

/* --- from a source to the target ------------------------------------------------------------- */

struct transfer {
    struct slot *source, *target;
};

/* The checks that Copy, Mint, Move and Mutate share; length: the words that the method needs. */
static enum status transfer_slots(struct request *request, u64 length, struct transfer *slots)
{
    enum status status = target_slot(request, &slots->target);

    if (status != STATUS_OK)
        return status;
    if (request->length < 4 || request->nr_extra < 1)
        return error_code(request, seL4_TruncatedMessage);
    if (!slot_is_empty(slots->target))
        return error_code(request, seL4_DeleteFirst);
    status = request_slot(request, request->extra[0]->cap, request_word(request, 2),
                          request_word(request, 3), true, &slots->source);
    if (status != STATUS_OK)
        return status;
    if (slot_is_empty(slots->source))
        return error_missing(request, true, request_word(request, 3));
    return request->length < length ? error_code(request, seL4_TruncatedMessage) : STATUS_OK;
}

static enum status insert_derived(struct request *request, struct transfer slots, struct cap cap)
{
    struct cap derived;
    u64 error;

    if (cap_derive(slots.source, cap, &derived, &error) != STATUS_OK)
        return error_code(request, error);
    if (derived.type == CAP_NULL)
        return error_code(request, seL4_IllegalOperation);
    slot_insert(derived, slots.source, slots.target);
    return STATUS_OK;
}

enum status invoke_cnode_copy(struct request *request)
{
    struct transfer slots;
    enum status status = transfer_slots(request, 5, &slots);

    if (status != STATUS_OK)
        return status;
    return insert_derived(
        request, slots, cap_mask_rights(slots.source->cap, request_word(request, 4) & RIGHTS_ALL));
}

enum status invoke_cnode_mint(struct request *request)
{
    struct transfer slots;
    struct cap cap;
    enum status status = transfer_slots(request, 6, &slots);

    if (status != STATUS_OK)
        return status;
    cap = cap_mask_rights(slots.source->cap, request_word(request, 4) & RIGHTS_ALL);
    return insert_derived(request, slots, cap_update_data(cap, request_word(request, 5), false));
}

enum status invoke_cnode_move(struct request *request)
{
    struct transfer slots;
    enum status status = transfer_slots(request, 4, &slots);

    if (status != STATUS_OK)
        return status;
    slot_move(slots.source->cap, slots.source, slots.target);
    return STATUS_OK;
}

enum status invoke_cnode_mutate(struct request *request)
{
    struct transfer slots;
    struct cap cap;
    enum status status = transfer_slots(request, 5, &slots);

    if (status != STATUS_OK)
        return status;
    cap = cap_update_data(slots.source->cap, request_word(request, 4), true);
    if (cap.type == CAP_NULL)
        return error_code(request, seL4_IllegalOperation);
    slot_move(cap, slots.source, slots.target);
    return STATUS_OK;
}

/* --- rotate ---------------------------------------------------------------------------------- */

struct rotation {
    struct slot *target, *pivot, *source;
    struct cap pivot_cap, source_cap; /* with their new data */
};

static enum status rotation_slots(struct request *request, struct rotation *slots)
{
    enum status status = target_slot(request, &slots->target);

    if (status != STATUS_OK)
        return status;
    if (request->length < 8 || request->nr_extra < 2)
        return error_code(request, seL4_TruncatedMessage);
    status = request_slot(request, request->extra[1]->cap, request_word(request, 6),
                          request_word(request, 7), true, &slots->source);
    if (status != STATUS_OK)
        return status;
    return request_slot(request, request->extra[0]->cap, request_word(request, 3),
                        request_word(request, 4), true, &slots->pivot);
}

static enum status rotation_check(struct request *request, struct rotation *slots)
{
    if (slots->pivot == slots->source || slots->pivot == slots->target)
        return error_code(request, seL4_IllegalOperation);
    if (slots->source != slots->target && !slot_is_empty(slots->target))
        return error_code(request, seL4_DeleteFirst);
    if (slot_is_empty(slots->source))
        return error_missing(request, true, request_word(request, 7));
    if (slot_is_empty(slots->pivot))
        return error_missing(request, false, request_word(request, 4));
    slots->source_cap = cap_update_data(slots->source->cap, request_word(request, 5), true);
    slots->pivot_cap = cap_update_data(slots->pivot->cap, request_word(request, 2), true);
    if (slots->source_cap.type == CAP_NULL || slots->pivot_cap.type == CAP_NULL)
        return error_code(request, seL4_IllegalOperation);
    return STATUS_OK;
}

enum status invoke_cnode_rotate(struct request *request)
{
    struct rotation slots;
    enum status status = rotation_slots(request, &slots);

    if (status == STATUS_OK)
        status = rotation_check(request, &slots);
    if (status != STATUS_OK)
        return status;
    if (slots.source == slots.target) {
        slot_swap(slots.source_cap, slots.source, slots.pivot_cap, slots.pivot);
    } else {
        slot_move(slots.pivot_cap, slots.pivot, slots.target);
        slot_move(slots.source_cap, slots.source, slots.pivot);
    }
    return STATUS_OK;
}
