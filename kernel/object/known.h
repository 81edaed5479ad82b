/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a thread's capabilities lead, looked up once: the one level that most CSpaces have, the
 * roots of its address spaces, its IPC buffer.
 *
 * Invariants
 *  I1  What is known of a thread with known.epoch == known_epoch.now is what looking it up anew
 *      gives.
 *  I2  known_epoch advances before all locks are given up whenever one of the slots TCB_CSPACE,
 *      TCB_VSPACE, TCB_IPC_BUFFER and TCB_EPT_ROOT of a thread, its buffer's address, or what an
 *      ASID names, has changed.
 *  I3  It is never 0, which is what a new thread has: nothing is known.
 * Locking: the epoch, all cores' locks to advance; what is known of a thread, its core's lock.
 */
#ifndef KERNEL_OBJECT_KNOWN_H
#define KERNEL_OBJECT_KNOWN_H

#include "kernel/object/cap.h"

struct tcb;

struct known {
    u64 epoch;
    u64 first, count; /* addresses in the CSpace; none if it has not just one level */
    const struct slot *slots;
    hpa_t root, nested_root; /* empty spaces if there are none */
    u64 *buffer;             /* the IPC buffer, if it may be read and written; else NULL */
};

/* Alone in a cache line, which each advance takes from all cores. */
struct known_epoch {
    u64 now;
} __attribute__((aligned(64)));

extern struct known_epoch known_epoch;

static inline void known_advance(void)
{
    known_epoch.now++;
}

/* A slot, perhaps a thread's, loses this capability. */
static inline void known_lose(struct cap cap)
{
    if (cap_is_one_of(cap, BIT(CAP_CNODE) | BIT(CAP_PML4) | BIT(CAP_EPT_PML4) | BIT(CAP_FRAME)))
        known_advance();
}

/* Looks it all up. */
void known_learn(struct tcb *tcb);

#endif
