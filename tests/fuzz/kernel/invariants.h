/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must hold of the kernel's data whenever no system call is at work, looked at from outside.
 * The capabilities are found by walking the derivation lists from the root CNode; everything else
 * is compared with them. A violation ends the program with a message.
 *
 *  - derivation: derivation.h I1 to I3, for every slot that can be reached
 *  - memory: objects do not overlap, lie in the used part of their untyped and, in it, among its
 *    descendants; unused RAM of an untyped is zero
 *  - address spaces: every present entry of every assigned space, frame or table, has its
 * capability
 *  - threads: queues of endpoints, notifications and the scheduler; bindings are mutual
 *  - scheduling contexts: refills sum to the budget, in order, within the ring
 */
#ifndef TESTS_FUZZ_KERNEL_INVARIANTS_H
#define TESTS_FUZZ_KERNEL_INVARIANTS_H

#include "kernel/object/cap.h"

#define MAX_LIVE_SLOTS 4096

/* The slots found by the last look. */
struct live_slots {
    unsigned count;
    struct slot *slot[MAX_LIVE_SLOTS];
    unsigned
        list[MAX_LIVE_SLOTS]; /* number of its list; the slots of one lie side by side, in order */
};

extern struct live_slots live;

/*
 * The initial thread's scheduling context. Its capabilities may end in a CNode that nobody holds
 * but itself, where no look finds them; it is used all the same.
 */
extern const struct sched_context *initial_context;

/* root: the root CNode's slots, of which nr_slots are in use. Fills `live`. */
void invariants_collect(struct slot *root, u64 nr_slots);
/* All of the above. thorough: also reads unused memory. */
void invariants_check(struct slot *root, u64 nr_slots, bool thorough);

#endif
