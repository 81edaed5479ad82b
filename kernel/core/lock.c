/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ticket locks: cores get a lock in the order in which they asked. The holder alone writes
 * now_serving, so releasing needs no locked instruction.
 * Pairing: the release store of now_serving in ticket_release with the acquire load in ticket_take.
 */
#include "kernel/core/lock.h"

#include "kernel/core/core.h"
#include "kernel/core/panic.h"

enum held_locks { HOLDS_NONE, HOLDS_THIS_CORE, HOLDS_ALL_CORES };

struct ticket_lock {
    u32 next_ticket;
    u32 now_serving;
} __attribute__((aligned(64)));

static struct ticket_lock locks[CONFIG_MAX_CORES];

static inline void ticket_take(struct ticket_lock *lock)
{
    u32 ticket = __atomic_fetch_add(&lock->next_ticket, 1, __ATOMIC_RELAXED);

    /* Where more than one core runs, remote requests will be served here. */
    while (__atomic_load_n(&lock->now_serving, __ATOMIC_ACQUIRE) != ticket)
        __builtin_ia32_pause();
}

static inline void ticket_release(struct ticket_lock *lock)
{
    __atomic_store_n(&lock->now_serving, lock->now_serving + 1, __ATOMIC_RELEASE);
}

void lock_this_core(void)
{
    struct core *core = this_core();

    kernel_assert(core->held_locks == HOLDS_NONE);
    ticket_take(&locks[core->id]);
    core->held_locks = HOLDS_THIS_CORE;
}

void lock_all_cores(void)
{
    struct core *core = this_core();

    if (core->held_locks == HOLDS_ALL_CORES)
        return;
    if (core->held_locks == HOLDS_THIS_CORE)
        unlock();
    ticket_take(&locks[0]);
    for (unsigned i = 1; i < nr_cores; i++)
        ticket_take(&locks[i]);
    core->held_locks = HOLDS_ALL_CORES;
}

void unlock(void)
{
    struct core *core = this_core();

    switch (core->held_locks) {
    case HOLDS_THIS_CORE:
        core->held_locks = HOLDS_NONE;
        ticket_release(&locks[core->id]);
        break;
    case HOLDS_ALL_CORES:
        core->held_locks = HOLDS_NONE;
        for (unsigned i = nr_cores; i-- > 1;)
            ticket_release(&locks[i]);
        ticket_release(&locks[0]);
        break;
    default: break;
    }
}

bool lock_holds_this_core(void)
{
    return this_core()->held_locks != HOLDS_NONE;
}

bool lock_holds_all_cores(void)
{
    return this_core()->held_locks == HOLDS_ALL_CORES;
}
