/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What vCPU threads share, with real threads under the thread sanitizer: locks exclude and wake,
 * and no interrupt that one thread posts to another is lost, whether that one is busy, about to
 * sleep or asleep. A lost wake-up shows as a test that never ends.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "user/vmm/inbox.h"
#include "user/vmm/lapic.h"
#include "user/vmm/lock.h"

#define THREADS       4u
#define LOCK_ROUNDS   20000u
#define POST_ROUNDS   20000u
#define FIRST_VECTOR  0x40u
#define VECTOR_STRIDE 0x20u /* each sender's vector is in a priority class of its own */
#define SVR_ENABLED   0x1ffu

/* --- locks --- */

static sem_t turns[THREADS];
static struct lock lock;
static unsigned counter; /* not atomic: the lock protects it */

void lock_turn_wait(unsigned me)
{
    while (sem_wait(&turns[me]) != 0) {
    }
}

void lock_turn_give(unsigned to)
{
    sem_post(&turns[to]);
}

static void *count(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;

    for (unsigned i = 0; i < LOCK_ROUNDS; i++) {
        lock_take(&lock, me);
        counter++;
        if (i % 16 == 0) {
            sched_yield(); /* so that others find it held */
        }
        lock_release(&lock, me);
    }
    return NULL;
}

static void run_threads(void *(*function)(void *))
{
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, function, (void *)(uintptr_t)i), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void test_lock(void **state)
{
    (void)state;
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(sem_init(&turns[i], 0, 0), 0);
    }
    run_threads(count);
    assert_int_equal(counter, THREADS * LOCK_ROUNDS);
    assert_int_equal(lock.state, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        int left = -1;

        assert_int_equal(sem_getvalue(&turns[i], &left), 0);
        assert_int_equal(left, 0); /* each turn given was waited for */
    }
}

/* --- interrupts between threads --- */

static struct inbox inbox;
static struct lapic lapic;
static sem_t notification;        /* the kernel's: remembers that it was signalled */
static sem_t answers[THREADS];    /* a sender's interrupt has been taken */
static unsigned signals, entries; /* statistics: atomic */

static void *send(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    uint8_t vector = (uint8_t)(FIRST_VECTOR + me * VECTOR_STRIDE);

    for (unsigned i = 0; i < POST_ROUNDS; i++) {
        lapic_post(&lapic, vector, false);
        if (inbox_post(&inbox, REQUEST_INTERRUPT)) {
            __atomic_fetch_add(&signals, 1, __ATOMIC_RELAXED);
            sem_post(&notification);
        }
        while (sem_wait(&answers[me]) != 0) {
        }
    }
    return NULL;
}

/* Takes one interrupt if there is one. */
static bool take_interrupt(unsigned taken[THREADS])
{
    int vector = lapic_pending(&lapic);
    unsigned sender;

    if (vector < 0) {
        return false;
    }
    sender = ((unsigned)vector - FIRST_VECTOR) / VECTOR_STRIDE;
    lapic_accept(&lapic, (uint8_t)vector);
    lapic_end_of_interrupt(&lapic);
    taken[sender]++;
    sem_post(&answers[sender]);
    return true;
}

/* The vCPU's thread: asleep in its guest whenever there is nothing to do. */
static void *receive(void *argument)
{
    unsigned *taken = argument;
    unsigned total = 0;

    while (total < THREADS * POST_ROUNDS) {
        if (take_interrupt(taken)) {
            total++;
        } else if (inbox_enter(&inbox)) {
            entries++;
            while (sem_wait(&notification) != 0) {
            }
            inbox_leave(&inbox);
        } else if ((inbox_take(&inbox) & REQUEST_INTERRUPT) != 0) {
            lapic_note_posted(&lapic);
        }
    }
    return NULL;
}

static void test_interrupts(void **state)
{
    unsigned taken[THREADS] = { 0 };
    pthread_t receiver;

    (void)state;
    lapic_reset(&lapic, 0);
    lapic_write(&lapic, LAPIC_REG_SVR, false, 0, SVR_ENABLED);
    assert_int_equal(sem_init(&notification, 0, 0), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(sem_init(&answers[i], 0, 0), 0);
    }
    assert_int_equal(pthread_create(&receiver, NULL, receive, taken), 0);
    run_threads(send);
    assert_int_equal(pthread_join(receiver, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(taken[i], POST_ROUNDS);
    }
    /* Never more signals than interrupts, and one for each sleep that lasted. */
    assert_true(signals <= THREADS * POST_ROUNDS);
    assert_true(entries <= signals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_interrupts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
