/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock for what the vCPUs' threads share: one atomic operation to take it and one to give it
 * back. Who finds it held, sleeps in the kernel until it is his turn: the holder may have been
 * preempted on the same core, so that spinning would only keep it from going on.
 *
 * State       bit 31: held; bits 0 - 15: vCPUs whose threads sleep for it
 * Invariants  I1  a waiter's bit is set by itself and cleared by the release that wakes it
 *             I2  nobody sleeps for more than one lock
 * Order       taking acquires, releasing releases. Nesting: enum vm_lock in vm.h.
 * Fairness    a woken thread competes with those that come; the release wakes another one each time
 */
#ifndef USER_VMM_LOCK_H
#define USER_VMM_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#define LOCK_HELD (1u << 31)

struct lock {
    uint32_t state;
};

void lock_take_slowly(struct lock *lock, unsigned me);
void lock_release_slowly(struct lock *lock, unsigned me);

/* me: the caller's vCPU */
static inline void lock_take(struct lock *lock, unsigned me)
{
    uint32_t expected = 0;

    if (!__atomic_compare_exchange_n(&lock->state, &expected, LOCK_HELD, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        lock_take_slowly(lock, me);
    }
}

static inline void lock_release(struct lock *lock, unsigned me)
{
    uint32_t expected = LOCK_HELD;

    if (!__atomic_compare_exchange_n(&lock->state, &expected, 0, false, __ATOMIC_RELEASE,
                                     __ATOMIC_RELAXED)) {
        lock_release_slowly(lock, me);
    }
}

/* The kernel's side (main.c; threads' semaphores in host tests): a signal is never lost. */
void lock_turn_wait(unsigned me);
void lock_turn_give(unsigned to);

#endif
