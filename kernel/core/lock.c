/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/lock.h"

void lock_all_cores(void)
{
    struct core *core = this_core();

    if (core->held_locks == HOLDS_ALL_CORES)
        return;
    if (core->held_locks == HOLDS_THIS_CORE)
        unlock();
    ticket_take(&cores[0].lock);
    for (unsigned i = 1; i < nr_cores; i++)
        ticket_take(&cores[i].lock);
    core->held_locks = HOLDS_ALL_CORES;
}

void unlock(void)
{
    struct core *core = this_core();

    switch (core->held_locks) {
    case HOLDS_THIS_CORE:
        core->held_locks = HOLDS_NONE;
        ticket_release(&core->lock);
        break;
    case HOLDS_ALL_CORES:
        core->held_locks = HOLDS_NONE;
        for (unsigned i = nr_cores; i-- > 1;)
            ticket_release(&cores[i].lock);
        ticket_release(&cores[0].lock);
        break;
    default:
        break;
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
