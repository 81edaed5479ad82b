/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's locks; docs/concurrency.md has their order and every access without one.
 *
 * Each core has one. lock_this_core is enough for a path that touches only objects of this core;
 * everything else takes every core's lock, in ascending order. A core that waits serves the
 * requests of the one that holds them all (kernel/core/remote.h): when it has got its lock, its
 * current thread may have been stopped, and current is then the idle thread. The kernel is entered
 * with interrupts off and no lock held, and leaves so. lock_all_cores may be called while this
 * core's own lock is held: it gives that up first, so the caller must look again at whatever it
 * read before. tests/model/locks.pml is the model of this and of remote.h: change both together.
 */
#ifndef KERNEL_CORE_LOCK_H
#define KERNEL_CORE_LOCK_H

#include "kernel/core/core.h"
#include "kernel/core/panic.h"
#include "kernel/core/types.h"

enum held_locks { HOLDS_NONE, HOLDS_THIS_CORE, HOLDS_ALL_CORES };

/* Waits until it is this ticket's turn; serves other cores' requests meanwhile. */
void ticket_wait(const struct ticket_lock *lock, u32 ticket);

static inline void ticket_take(struct ticket_lock *lock)
{
    u32 ticket = __atomic_fetch_add(&lock->next_ticket, 1, __ATOMIC_RELAXED);

    if (__atomic_load_n(&lock->now_serving, __ATOMIC_ACQUIRE) != ticket)
        ticket_wait(lock, ticket);
}

static inline void ticket_release(struct ticket_lock *lock)
{
    __atomic_store_n(&lock->now_serving, lock->now_serving + 1, __ATOMIC_RELEASE);
}

static inline void lock_this_core(void)
{
    struct core *core = this_core();

    kernel_assert(core->held_locks == HOLDS_NONE);
    ticket_take(&core->lock);
    core->held_locks = HOLDS_THIS_CORE;
}

/* The same where it is plain that none is held: after entry, since the way out leaves none, and
 * when a guest was left. */
static inline void lock_on_entry(struct core *core)
{
    ticket_take(&core->lock);
    core->held_locks = HOLDS_THIS_CORE;
}

void lock_all_cores(void);
/*
 * Releases whatever this core holds. After all cores' locks, those cores that have something new to
 * choose from or to time are interrupted.
 */
void unlock(void);
/* Another core waits for a lock that this one holds. */
bool lock_is_wanted(void);

/* Releases this core's own lock, which is what it holds. */
static inline void unlock_this_core(void)
{
    struct core *core = this_core();

    kernel_assert(core->held_locks == HOLDS_THIS_CORE);
    core->held_locks = HOLDS_NONE;
    ticket_release(&core->lock);
}

/* For assertions. */
bool lock_holds_this_core(void);
bool lock_holds_all_cores(void);

#endif
