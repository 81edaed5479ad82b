/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deleting a CNode or a TCB means deleting the capabilities in it, which may name further CNodes
 * and TCBs, in circles, too. It must be preemptible, use a bounded stack, and leave nothing that
 * can be used half. So the last capability of such an object first becomes a zombie, in its slot:
 * it names the object and how many of its slots are still to be emptied (the last one first). An
 * endpoint or notification at which threads wait becomes a zombie without slots.
 *
 * Two kinds of deletion:
 *  - exposed: somebody asked for this very slot. A zombie in it is worked off to the end.
 *  - inner: the slot belongs to an object that a zombie is working off. If it comes to hold a
 * zombie itself, then that one changes places with what is in the first slot of its own object: the
 *    object now is held by nobody but itself, and what was in its first slot is deleted in its
 *    stead. Depth never exceeds one, whatever the shape. Such a self-held object keeps its memory
 *    until the untyped it was made from is revoked, which finds the zombie as an exposed slot.
 */
#include "kernel/object/derivation.h"

#include "kernel/core/panic.h"
#include "kernel/core/preempt.h"
#include "kernel/object/cnode.h"
#include "kernel/object/known.h"
#include "kernel/object/object.h"

#define SLOT_FLAGS 31ULL

struct known_epoch known_epoch = { 1 };

/* --- links ----------------------------------------------------------------------------------- */

static u64 slot_address(const struct slot *slot)
{
    return (u64)(uintptr_t)slot;
}

static void slot_set_next(struct slot *slot, const struct slot *next)
{
    slot->next = (slot->next & SLOT_FLAGS) | slot_address(next);
}

/* Makes both neighbours point at the slot that now holds the links. */
static void slot_relink(struct slot *slot)
{
    if (slot_prev(slot))
        slot_set_next(slot_prev(slot), slot);
    if (slot_next(slot))
        slot_next(slot)->prev = slot_address(slot);
}

/* The capability comes into the empty slot, after prev. */
static void slot_fill_after(struct slot *slot, struct cap cap, struct slot *prev, u64 flags)
{
    kernel_assert(slot_is_empty(slot) && slot->prev == 0 && slot->next == 0);
    slot->cap = cap;
    slot->prev = slot_address(prev);
    slot->next = (prev->next & ~SLOT_FLAGS) | flags;
    slot_relink(slot);
}

static void slot_clear(struct slot *slot)
{
    *slot = (struct slot){ 0 };
}

/* --- building the tree ----------------------------------------------------------------------- */

/*
 * A new capability starts a subtree of its own if it is more special than its source: a first
 * badge, or the first capability to what a control stands for. Untypeds always do.
 */
static bool starts_subtree(struct cap cap, struct cap src)
{
    switch (cap.type) {
    case CAP_ENDPOINT:
    case CAP_NOTIFICATION:
        return cap_badge(cap) != cap_badge(src);
    case CAP_IRQ_HANDLER:
        return src.type == CAP_IRQ_CONTROL;
    case CAP_IO_PORT:
        return src.type == CAP_IO_PORT_CONTROL;
    case CAP_UNTYPED:
        return true;
    default:
        return false;
    }
}

void slot_insert(struct cap cap, struct slot *src, struct slot *dest)
{
    bool subtree = starts_subtree(cap, src->cap);

    /* The copy of an untyped owns all of its memory: the source has none left to give. */
    if (cap.type == CAP_UNTYPED && src->cap.type == CAP_UNTYPED && cap.base == src->cap.base)
        src->cap.data = BIT(untyped_size_bits(src->cap));
    slot_fill_after(dest, cap, src, subtree ? SLOT_REVOCABLE | SLOT_FIRST_BADGED : 0);
}

void slot_insert_new(struct slot *parent, struct slot *dest, struct cap cap)
{
    slot_fill_after(dest, cap, parent, SLOT_REVOCABLE | SLOT_FIRST_BADGED);
}

void slot_insert_root(struct slot *dest, struct cap cap)
{
    kernel_assert(slot_is_empty(dest));
    dest->cap = cap;
    dest->prev = 0;
    dest->next = SLOT_REVOCABLE | SLOT_FIRST_BADGED;
}

void slot_move(struct cap cap, struct slot *src, struct slot *dest)
{
    kernel_assert(slot_is_empty(dest) && src != dest);
    *dest = *src;
    dest->cap = cap;
    slot_relink(dest);
    slot_clear(src);
}

/* The link with the roles of two slots exchanged. */
static u64 link_swapped(u64 link, const struct slot *a, const struct slot *b)
{
    u64 flags = link & SLOT_FLAGS, address = link & ~SLOT_FLAGS;

    if (address == slot_address(a))
        address = slot_address(b);
    else if (address == slot_address(b))
        address = slot_address(a);
    return address | flags;
}

void slot_swap(struct cap cap1, struct slot *slot1, struct cap cap2, struct slot *slot2)
{
    struct slot old1 = *slot1, old2 = *slot2;

    if (slot1 == slot2)
        return;
    /* The two may be neighbours. */
    slot1->cap = cap2;
    slot1->prev = link_swapped(old2.prev, slot1, slot2);
    slot1->next = link_swapped(old2.next, slot1, slot2);
    slot2->cap = cap1;
    slot2->prev = link_swapped(old1.prev, slot1, slot2);
    slot2->next = link_swapped(old1.next, slot1, slot2);
    slot_relink(slot1);
    slot_relink(slot2);
}

/* --- asking the tree ------------------------------------------------------------------------- */

/* For two neighbours in the list: is the second a descendant of the first? */
static bool slot_is_parent_of(const struct slot *parent, const struct slot *child)
{
    if (!(parent->next & SLOT_REVOCABLE) || !cap_same_region(parent->cap, child->cap))
        return false;
    if (parent->cap.type != CAP_ENDPOINT && parent->cap.type != CAP_NOTIFICATION)
        return true;
    /* An unbadged original is above all; a badge's first capability above the others with it. */
    return cap_badge(parent->cap) == 0 ||
           (cap_badge(child->cap) == cap_badge(parent->cap) && !(child->next & SLOT_FIRST_BADGED));
}

bool slot_has_children(const struct slot *slot)
{
    return slot_next(slot) && slot_is_parent_of(slot, slot_next(slot));
}

/* All capabilities to an object lie side by side: they are one subtree, or what is left of it. */
bool slot_is_final(const struct slot *slot)
{
    const struct slot *prev = slot_prev(slot), *next = slot_next(slot);

    return !(prev && cap_same_object(prev->cap, slot->cap)) &&
           !(next && cap_same_object(slot->cap, next->cap));
}

/* --- deletion -------------------------------------------------------------------------------- */

static struct slot *zombie_slots(struct cap zombie)
{
    return cap_object(zombie);
}

/* Nothing is left but, perhaps, the slot that holds the zombie itself. */
static bool zombie_is_spent(struct cap zombie, const struct slot *slot)
{
    return zombie.data == 0 || (zombie.data == 1 && zombie_slots(zombie) == slot);
}

static void slot_unlink(struct slot *slot)
{
    struct slot *prev = slot_prev(slot), *next = slot_next(slot);

    if (next) {
        /* The next with this badge takes over as its first. */
        next->next |= slot->next & SLOT_FIRST_BADGED;
        next->prev = slot->prev;
    }
    if (prev)
        slot_set_next(prev, next);
    known_lose(slot->cap);
    slot_clear(slot);
}

static enum status slot_finalise(struct slot *slot, bool exposed, bool *removable) MUST_CHECK;

/* An inner slot: afterwards it is empty, or holds a zombie whose first slot it is. */
static enum status slot_delete_inner(struct slot *slot)
{
    bool removable;
    enum status status = slot_finalise(slot, false, &removable);

    if (status == STATUS_OK && removable)
        slot_unlink(slot);
    return status;
}

/* Empties the zombie's last slot. */
static enum status zombie_reduce(struct slot *slot)
{
    struct cap zombie = slot->cap;
    struct slot *last = zombie_slots(zombie) + (zombie.data - 1);
    enum status status = slot_delete_inner(last);

    if (status != STATUS_OK)
        return status;
    /*
     * Meanwhile this zombie may have changed places with another's, if this slot was that one's
     * first; then there is nothing to count here.
     */
    if (slot->cap.type == CAP_ZOMBIE && slot->cap.base == zombie.base &&
        slot->cap.data == zombie.data) {
        kernel_assert(slot_is_empty(last));
        slot->cap.data--;
    }
    return STATUS_OK;
}

/*
 * Takes the slot's object out of use until the slot can be cleared (*removable), or cannot, because
 * it is an inner one in which an object holds itself. Each turn is one unit of work.
 */
static enum status slot_finalise(struct slot *slot, bool exposed, bool *removable)
{
    enum status status;

    *removable = true;
    while (!slot_is_empty(slot)) {
        bool is_final = slot_is_final(slot);
        struct cap rest;

        status = is_final ? object_prepare_end(slot->cap) : STATUS_OK;
        if (status != STATUS_OK)
            return status;
        rest = object_finalise(slot->cap, is_final);
        if (rest.type == CAP_NULL)
            return STATUS_OK;
        known_lose(slot->cap);
        slot->cap = rest;
        status = object_drain(rest);
        if (status != STATUS_OK || zombie_is_spent(rest, slot))
            return status;
        if (exposed) {
            status = zombie_reduce(slot);
            if (status != STATUS_OK)
                return status;
        } else if (zombie_slots(rest) == slot) {
            *removable = false;
            return STATUS_OK;
        } else {
            struct slot *first = zombie_slots(rest);

            slot_swap(first->cap, first, rest, slot);
        }
        status = preemption_point();
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status slot_delete(struct slot *slot)
{
    bool removable;
    enum status status = slot_finalise(slot, true, &removable);

    if (status == STATUS_OK)
        slot_unlink(slot);
    return status;
}

enum status slot_revoke(struct slot *slot)
{
    /* If the slot itself goes, because it lies in what is deleted, it has no children any more. */
    while (slot_has_children(slot)) {
        enum status status = slot_delete(slot_next(slot));

        if (status == STATUS_OK)
            status = preemption_point();
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

void slot_delete_simple(struct slot *slot)
{
    if (slot_is_empty(slot))
        return;

    struct cap rest = object_finalise(slot->cap, slot_is_final(slot));

    kernel_assert(rest.type == CAP_NULL);
    slot_unlink(slot);
}
