/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all object types have in common: creation, derivation of capabilities, and the end. Each
 * function chooses by type and leaves the work to the type's own file.
 * Locking: all cores' locks.
 */
#ifndef KERNEL_OBJECT_OBJECT_H
#define KERNEL_OBJECT_OBJECT_H

#include "kernel/object/cap.h"

/* log2 of an object's size by the API's type (below seL4_ObjectTypeCount); user_size (below 64)
 * counts for untyped, CNode and SchedContext. */
unsigned object_size_bits(u64 api_type, u64 user_size);
/* Frames and untypeds: what device memory can become. */
bool object_may_be_device(u64 api_type);
/* Makes the object in zeroed memory and returns its original capability. */
struct cap object_create(u64 api_type, hpa_t base, u64 user_size, bool is_device);

/* Could the second have been derived from, or be another name of, the first? */
bool cap_same_region(struct cap parent, struct cap child);
bool cap_same_object(struct cap a, struct cap b);

/* log2 of the memory that the capability's object occupies; 0 if it has none. */
unsigned cap_size_bits(struct cap cap);

struct cap cap_mask_rights(struct cap cap, unsigned rights);
/* The CNode capability with the guard that the API's data word names; null if it does not fit. */
struct cap cnode_set_guard(struct cap cap, u64 data);
/* The capability with new API data (badge, guard, IO space); null if the type or state forbids it.
 */
struct cap cap_update_data(struct cap cap, u64 data, bool preserve);
/*
 * Makes cap, which is the slot's or made from it, what a copy of it is. Returns the seL4_Error that
 * says why it may not be copied, or seL4_NoError.
 */
u64 cap_derive(const struct slot *slot, struct cap *cap) MUST_CHECK;

/* Preemptible: what must be done before object_finalise for a last capability. */
enum status object_prepare_end(struct cap cap) MUST_CHECK;
/*
 * Undoes what the capability itself does (a mapping) and, if it is the last one (is_final), takes
 * the object out of use. Returns what must stay in the slot: null, or a zombie that still has slots
 * to empty, or threads that wait (derivation.c).
 */
struct cap object_finalise(struct cap cap, bool is_final);
/*
 * Preemptible: sends away the threads that wait at an endpoint or notification that is a zombie
 * already, so that they cannot come back (endpoint.c); they restart their system calls. No-op for
 * others.
 */
enum status object_drain(struct cap zombie) MUST_CHECK;

#endif
