/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/lock.h"

#include "kernel/core/remote.h"

void ticket_wait(const struct ticket_lock *lock, u32 ticket)
{
    while (__atomic_load_n(&lock->now_serving, __ATOMIC_ACQUIRE) != ticket) {
        remote_serve();
        __builtin_ia32_pause();
    }
}

void lock_all_cores(void)
{
    struct core *core = this_core();

    if (core->held_locks == HOLDS_ALL_CORES)
        return;
    if (core->held_locks == HOLDS_THIS_CORE)
        unlock_this_core();
    for (unsigned i = 0; i < nr_cores; i++)
        ticket_take(&cores[i].lock);
    core->held_locks = HOLDS_ALL_CORES;
}

/* What this core, holding all locks, has left for others to do. */
static u64 cores_with_news(const struct core *self)
{
    u64 mask = 0;

    for (unsigned i = 0; i < nr_cores; i++)
        if (i != self->id && (cores[i].choose_new || cores[i].reprogram))
            mask |= BIT(i);
    return mask;
}

static void unlock_all_cores(struct core *self)
{
    u64 news = cores_with_news(self);

    self->held_locks = HOLDS_NONE;
    for (unsigned i = nr_cores; i-- > 0;)
        ticket_release(&cores[i].lock);
    for (; news; news &= news - 1)
        core_interrupt((unsigned)__builtin_ctzll(news));
}

void unlock(void)
{
    struct core *core = this_core();

    if (core->held_locks == HOLDS_THIS_CORE)
        unlock_this_core();
    else if (core->held_locks == HOLDS_ALL_CORES)
        unlock_all_cores(core);
}

bool lock_is_wanted(void)
{
    for (unsigned i = 0; i < nr_cores; i++) {
        const struct ticket_lock *lock = &cores[i].lock;

        if (__atomic_load_n(&lock->next_ticket, __ATOMIC_RELAXED) != lock->now_serving + 1)
            return true;
    }
    return false;
}

bool lock_holds_this_core(void)
{
    return this_core()->held_locks != HOLDS_NONE;
}

bool lock_holds_all_cores(void)
{
    return this_core()->held_locks == HOLDS_ALL_CORES;
}
