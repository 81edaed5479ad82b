/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The derivation tree: which capability was made from which, so that revoking one reaches all that
 * came from it. The tree is one list in preorder (slot.prev, slot.next); who is whose parent
 * follows from the capabilities themselves and the two flags of a slot.
 *
 * Invariants
 *  I1  A slot that holds no capability is in no list; each other slot is in exactly one.
 *  I2  a.next == b exactly when b.prev == a.
 *  I3  The descendants of a slot follow it without gap.
 * Locking: all cores' locks.
 */
#ifndef KERNEL_OBJECT_DERIVATION_H
#define KERNEL_OBJECT_DERIVATION_H

#include "kernel/object/cap.h"

static inline struct slot *slot_next(const struct slot *slot)
{
    return (struct slot *)(uintptr_t)(slot->next & ~(u64)31);
}

static inline struct slot *slot_prev(const struct slot *slot)
{
    return (struct slot *)(uintptr_t)slot->prev;
}

static inline bool slot_is_empty(const struct slot *slot)
{
    return slot->cap.type == CAP_NULL;
}

/* Puts a capability derived from src's (by derive and mask) into the empty slot dest, after src. */
void slot_insert(struct cap cap, struct slot *src, struct slot *dest);
/* Puts the capability of a new object into dest, as a child of the untyped or control in parent. */
void slot_insert_new(struct slot *parent, struct slot *dest, struct cap cap);
/* Puts a capability without parent into dest (boot, and bootinfo's). */
void slot_insert_root(struct slot *dest, struct cap cap);
/* Moves; dest takes src's place in the tree, with the capability given. src becomes empty. */
void slot_move(struct cap cap, struct slot *src, struct slot *dest);
/* Exchanges two slots, each capability replaced by the one given. */
void slot_swap(struct cap cap1, struct slot *slot1, struct cap cap2, struct slot *slot2);

bool slot_has_children(const struct slot *slot);
/* No other capability names the object (for an untyped: the region). */
bool slot_is_final(const struct slot *slot);

/* Preemptible. After STATUS_OK the slot is empty / the slot has no descendants. */
enum status slot_delete(struct slot *slot) MUST_CHECK;
enum status slot_revoke(struct slot *slot) MUST_CHECK;
/*
 * Deletes a capability whose end takes bounded time: not one to a CNode, TCB, endpoint or
 * notification, an IRQ handler, or a zombie.
 */
void slot_delete_simple(struct slot *slot);

#endif
