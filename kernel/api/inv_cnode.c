/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CNode invocations (ABI section 5.1). All begin by looking up the target slot in message words 0
 * and 1, below the invoked CNode; the copying ones then check the target empty and look up a source
 * in words 2 and 3, below the first extra capability.
 */
#include "abi/gen/labels.h"
#include "abi/types.h"
#include "kernel/api/request.h"
#include "kernel/object/derivation.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/object.h"

static struct slot *target_slot(struct request *request)
{
    return request_slot(request, request->cap, 0, false);
}

/* --- one slot -------------------------------------------------------------------------------- */

enum status invoke_cnode_revoke(struct request *request)
{
    struct slot *target = target_slot(request);

    return target ? slot_revoke(target) : STATUS_ERROR;
}

enum status invoke_cnode_delete(struct request *request)
{
    struct slot *target = target_slot(request);

    return target ? slot_delete(target) : STATUS_ERROR;
}

enum status invoke_cnode_cancel_badged_sends(struct request *request)
{
    struct slot *target = target_slot(request);

    if (!target)
        return STATUS_ERROR;
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
    slots->target = target_slot(request);
    if (!slots->target)
        return STATUS_ERROR;
    if (request->length < 4 || request->nr_extra < 1)
        return error_code(request, seL4_TruncatedMessage);
    if (!slot_is_empty(slots->target))
        return error_code(request, seL4_DeleteFirst);
    slots->source = request_slot(request, request->extra[0]->cap, 2, true);
    if (!slots->source)
        return STATUS_ERROR;
    if (slot_is_empty(slots->source))
        return error_missing(request, true, request_word(request, 3));
    return request->length < length ? error_code(request, seL4_TruncatedMessage) : STATUS_OK;
}

/* Copy, and Mint, which has new data, too. */
enum status invoke_cnode_copy(struct request *request)
{
    bool is_mint = request->label == CNodeMint;
    struct transfer slots;
    struct cap cap;
    u64 error;

    if (transfer_slots(request, is_mint ? 6 : 5, &slots) != STATUS_OK)
        return STATUS_ERROR;
    cap = cap_mask_rights(slots.source->cap, request_word(request, 4) & RIGHTS_ALL);
    if (is_mint)
        cap = cap_update_data(cap, request_word(request, 5), false);
    error = cap_derive(slots.source, &cap);
    if (error != seL4_NoError)
        return error_code(request, error);
    slot_insert(cap, slots.source, slots.target);
    return STATUS_OK;
}

/* Move, and Mutate, which has new data, too. */
enum status invoke_cnode_move(struct request *request)
{
    bool is_mutate = request->label == CNodeMutate;
    struct transfer slots;
    struct cap cap;

    if (transfer_slots(request, is_mutate ? 5 : 4, &slots) != STATUS_OK)
        return STATUS_ERROR;
    cap = slots.source->cap;
    if (is_mutate)
        cap = cap_update_data(cap, request_word(request, 4), true);
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
    slots->target = target_slot(request);
    if (!slots->target)
        return STATUS_ERROR;
    if (request->length < 8 || request->nr_extra < 2)
        return error_code(request, seL4_TruncatedMessage);
    slots->source = request_slot(request, request->extra[1]->cap, 6, true);
    if (!slots->source)
        return STATUS_ERROR;
    slots->pivot = request_slot(request, request->extra[0]->cap, 3, true);
    return slots->pivot ? STATUS_OK : STATUS_ERROR;
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

    if (rotation_slots(request, &slots) != STATUS_OK ||
        rotation_check(request, &slots) != STATUS_OK)
        return STATUS_ERROR;
    if (slots.source == slots.target) {
        slot_swap(slots.source_cap, slots.source, slots.pivot_cap, slots.pivot);
    } else {
        slot_move(slots.pivot_cap, slots.pivot, slots.target);
        slot_move(slots.source_cap, slots.source, slots.pivot);
    }
    return STATUS_OK;
}
