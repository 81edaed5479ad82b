/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/lock.h"

#define WAITERS 0xffffu

void lock_take_slowly(struct lock *lock, unsigned me)
{
    uint32_t state = __atomic_load_n(&lock->state, __ATOMIC_RELAXED);

    for (;;) {
        bool held = (state & LOCK_HELD) != 0;
        uint32_t wanted = held ? state | 1u << me : state | LOCK_HELD;

        if (!__atomic_compare_exchange_n(&lock->state, &state, wanted, false, __ATOMIC_ACQUIRE,
                                         __ATOMIC_RELAXED)) {
            continue;
        }
        if (!held) {
            return;
        }
        lock_turn_wait(me);
        state = __atomic_load_n(&lock->state, __ATOMIC_RELAXED);
    }
}

/* The waiter that comes after this vCPU, going around. waiters is not 0. */
static unsigned next_waiter(uint32_t waiters, unsigned me)
{
    uint32_t behind = waiters & ~((2u << me) - 1);

    return (unsigned)__builtin_ctz(behind != 0 ? behind : waiters);
}

void lock_release_slowly(struct lock *lock, unsigned me)
{
    uint32_t state = __atomic_load_n(&lock->state, __ATOMIC_RELAXED);

    for (;;) {
        uint32_t waiters = state & WAITERS;
        unsigned next = waiters != 0 ? next_waiter(waiters, me) : 0;
        uint32_t wanted = waiters != 0 ? waiters & ~(1u << next) : 0;

        if (!__atomic_compare_exchange_n(&lock->state, &state, wanted, false, __ATOMIC_RELEASE,
                                         __ATOMIC_RELAXED)) {
            continue;
        }
        if (waiters != 0) {
            lock_turn_give(next);
        }
        return;
    }
}
