/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What other threads ask of a vCPU's thread, and how none of it is lost or waits. There is no lock,
 * and a sender enters the kernel only if the vCPU is in its guest or asleep.
 *
 *      sender  write what the request is about (a bit of the local APIC's IRR)
 *              -> S1 add the request -> S2 if the owner is inside: signal its notification
 *      owner   O1 say that it is inside -> O2 look for requests -> only if there is none: VMEnter
 *              (or wait) -> say that it is outside -> serve what happened, take the requests
 *
 * Order  S1 and O1 are sequentially consistent read-modify-writes, before S2 and O2: of a sender
 *        and an owner at the same time one sees the other. The owner's taking acquires what the
 *        sender wrote before S1.
 * Who finds another's request there signals all the same: the other one may have been preempted
 * between S1 and S2, for as long as its budget is spent, and nobody is to wait for that.
 * A signal may come late, when the requests have been taken: then one VMEnter returns for nothing.
 *
 * Model    tests/model/inbox.pml: change both together.
 * Threads  inbox_post...() by all; the rest by the owner
 * Memory   a cache line of its own: senders write it while the owner uses what lies beside it
 */
#ifndef USER_VMM_INBOX_H
#define USER_VMM_INBOX_H

#include <stdbool.h>
#include <stdint.h>

enum inbox_request {
    REQUEST_INTERRUPT = 1 << 0, /* look into the local APIC's IRR */
    REQUEST_ILLEGAL = 1 << 1,   /* a message with an illegal vector came */
    REQUEST_NMI = 1 << 2,
    REQUEST_INIT = 1 << 3,
    REQUEST_STARTUP = 1 << 4, /* with the vector, see inbox_startup_vector() */
    REQUEST_UNHALT = 1 << 5,  /* a paravirtual wake-up */
    REQUEST_STOP = 1 << 6,    /* the VM stops */
    REQUEST_SERVE = 1 << 7,   /* to itself: a device has left something for later */
    REQUEST_VECTOR = 0xff << 8,
    REQUEST_WAKE = 1 << 16, /* by the mailbox, at the vCPU's wake_address */
};

struct inbox {
    _Alignas(64) uint32_t requests; /* bits of enum inbox_request */
    bool inside;                    /* the owner is in VMEnter, or waits, or is about to */
};

static inline uint8_t inbox_startup_vector(uint32_t requests)
{
    return (uint8_t)(requests >> 8);
}

/* S2. True: the owner's notification is to be signalled. */
static inline bool inbox_is_to_signal(const struct inbox *inbox)
{
    return __atomic_load_n(&inbox->inside, __ATOMIC_SEQ_CST);
}

static inline bool inbox_post(struct inbox *inbox, uint32_t request)
{
    (void)__atomic_fetch_or(&inbox->requests, request, __ATOMIC_SEQ_CST);
    return inbox_is_to_signal(inbox);
}

/* INIT overtakes a start-up message that has not been served: that one came too early. */
static inline bool inbox_post_init(struct inbox *inbox)
{
    uint32_t before = __atomic_load_n(&inbox->requests, __ATOMIC_RELAXED);

    while (!__atomic_compare_exchange_n(&inbox->requests, &before,
                                        (before & ~(uint32_t)(REQUEST_STARTUP | REQUEST_VECTOR)) |
                                            REQUEST_INIT,
                                        false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    }
    return inbox_is_to_signal(inbox);
}

/* Of several start-up messages the first counts. */
static inline bool inbox_post_startup(struct inbox *inbox, uint8_t vector)
{
    uint32_t before = __atomic_load_n(&inbox->requests, __ATOMIC_RELAXED);

    do {
        if ((before & REQUEST_STARTUP) != 0) {
            return inbox_is_to_signal(inbox);
        }
    } while (!__atomic_compare_exchange_n(&inbox->requests, &before,
                                          before | REQUEST_STARTUP | (uint32_t)vector << 8, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return inbox_is_to_signal(inbox);
}

/* O1 and O2. False: there are requests, and the owner is outside. */
static inline bool inbox_enter(struct inbox *inbox)
{
    (void)__atomic_exchange_n(&inbox->inside, true, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&inbox->requests, __ATOMIC_SEQ_CST) == 0) {
        return true;
    }
    __atomic_store_n(&inbox->inside, false, __ATOMIC_RELAXED);
    return false;
}

static inline void inbox_leave(struct inbox *inbox)
{
    __atomic_store_n(&inbox->inside, false, __ATOMIC_RELAXED);
}

static inline uint32_t inbox_take(struct inbox *inbox)
{
    return __atomic_exchange_n(&inbox->requests, 0, __ATOMIC_ACQUIRE);
}

#endif
