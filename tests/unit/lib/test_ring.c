/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/ring: order, bounds, peers that lie, and wake-ups between two threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <semaphore.h>

#include <cmocka.h>

#include "lib/ring.h"

#define CAPACITY 8u

/* Entries in a block of their own, so that the sanitizer sees every access outside. */
struct pair {
    struct ring_shared *shared;
    uint8_t *entries;
    struct ring producer;
    struct ring consumer;
};

static void pair_begin_at(struct pair *pair, uint32_t entry_bytes, uint32_t capacity,
                          uint32_t index)
{
    pair->shared = calloc(1, sizeof(*pair->shared));
    pair->entries = calloc(capacity, entry_bytes);
    pair->shared->producer.index = pair->shared->consumer.index = index;
    ring_init(&pair->producer, RING_PRODUCER, pair->shared, pair->entries, entry_bytes, capacity);
    ring_init(&pair->consumer, RING_CONSUMER, pair->shared, pair->entries, entry_bytes, capacity);
    pair->producer.index = pair->producer.signalled = index;
    pair->consumer.index = pair->consumer.signalled = index;
}

static void pair_begin(struct pair *pair)
{
    pair_begin_at(pair, 1, CAPACITY, 0);
}

static void pair_end(struct pair *pair)
{
    free(pair->shared);
    free(pair->entries);
}

static void test_order_and_bounds(void **state)
{
    struct pair pair;
    char out[CAPACITY + 1] = { 0 };

    (void)state;
    pair_begin(&pair);
    assert_int_equal(ring_available(&pair.producer), CAPACITY);
    assert_int_equal(ring_available(&pair.consumer), 0);
    assert_int_equal(ring_get(&pair.consumer, out, 1), 0);
    assert_int_equal(ring_put(&pair.producer, "abcdefghij", 10), CAPACITY);
    assert_int_equal(ring_put(&pair.producer, "x", 1), 0);
    assert_int_equal(ring_get(&pair.consumer, out, 3), 3);
    assert_memory_equal(out, "abc", 3);
    /* Around the end of the entries. */
    assert_int_equal(ring_put(&pair.producer, "klm", 3), 3);
    assert_int_equal(ring_get(&pair.consumer, out, sizeof(out)), CAPACITY);
    assert_memory_equal(out, "defghklm", CAPACITY);
    pair_end(&pair);
}

static void test_large_entries_across_the_index_wrap(void **state)
{
    struct pair pair;
    uint64_t in[8], out[8];

    (void)state;
    pair_begin_at(&pair, 64, 4, UINT32_MAX - 5);
    for (uint64_t round = 0; round < 16; round++) {
        for (unsigned i = 0; i < 8; i++) {
            in[i] = round << 8 | i;
        }
        assert_int_equal(ring_put(&pair.producer, in, 1), 1);
        assert_int_equal(ring_get(&pair.consumer, out, 4), 1);
        assert_memory_equal(in, out, sizeof(in));
    }
    assert_false(ring_is_broken(&pair.producer) || ring_is_broken(&pair.consumer));
    pair_end(&pair);
}

static void test_a_peer_that_claims_too_much(void **state)
{
    struct pair pair;
    uint8_t out[2 * CAPACITY];

    (void)state;
    pair_begin(&pair);
    pair.shared->producer.index = CAPACITY;
    assert_int_equal(ring_available(&pair.consumer), CAPACITY);
    pair.shared->producer.index = CAPACITY + 1;
    assert_int_equal(ring_get(&pair.consumer, out, sizeof(out)), 0);
    assert_true(ring_is_broken(&pair.consumer));
    /* It stays so, whatever is said later. */
    pair.shared->producer.index = 1;
    assert_int_equal(ring_available(&pair.consumer), 0);
    assert_true(ring_may_sleep(&pair.consumer, 1));

    pair.shared->producer.index = 0;
    pair.shared->consumer.index = 1; /* taken before it was put */
    assert_int_equal(ring_put(&pair.producer, "a", 1), 0);
    assert_true(ring_is_broken(&pair.producer));
    pair_end(&pair);
}

static void test_own_index_in_shared_memory_is_not_believed(void **state)
{
    struct pair pair;
    uint8_t out[4];

    (void)state;
    pair_begin(&pair);
    ring_put(&pair.producer, "abcd", 4);
    pair.shared->consumer.index = 3;
    assert_int_equal(ring_get(&pair.consumer, out, 4), 4);
    assert_memory_equal(out, "abcd", 4);
    assert_int_equal(pair.shared->consumer.index, 4);
    pair_end(&pair);
}

static void test_signals_only_who_sleeps(void **state)
{
    struct pair pair;
    uint8_t out[CAPACITY];

    (void)state;
    pair_begin(&pair);
    assert_true(ring_may_sleep(&pair.consumer, 1));
    assert_false(ring_must_signal(&pair.producer));
    ring_put(&pair.producer, "a", 1);
    assert_true(ring_must_signal(&pair.producer));
    assert_false(ring_must_signal(&pair.producer));
    /* The consumer is awake and has not asked again: it costs nothing. */
    ring_put(&pair.producer, "b", 1);
    assert_false(ring_must_signal(&pair.producer));
    assert_false(ring_may_sleep(&pair.consumer, 1));
    ring_get(&pair.consumer, out, CAPACITY);
    assert_true(ring_may_sleep(&pair.consumer, 1));
    ring_put(&pair.producer, "c", 1);
    assert_true(ring_must_signal(&pair.producer));
    pair_end(&pair);
}

static void test_sleeps_until_as_many_as_wanted(void **state)
{
    struct pair pair;
    uint8_t out[CAPACITY];

    (void)state;
    pair_begin(&pair);
    ring_put(&pair.producer, "abcdefgh", CAPACITY);
    assert_true(ring_may_sleep(&pair.producer, 4));
    ring_get(&pair.consumer, out, 3);
    assert_false(ring_must_signal(&pair.consumer));
    ring_get(&pair.consumer, out, 1);
    assert_true(ring_must_signal(&pair.consumer));
    assert_false(ring_may_sleep(&pair.producer, 4));
    assert_true(ring_may_sleep(&pair.producer, 5));
    pair_end(&pair);
}

static void test_places_are_given_back_later(void **state)
{
    struct pair pair;
    uint8_t out[CAPACITY];

    (void)state;
    pair_begin(&pair);
    ring_put(&pair.producer, "abcdefgh", CAPACITY);
    assert_int_equal(ring_take(&pair.consumer, out, 5), 5);
    assert_int_equal(ring_available(&pair.producer), 0);
    assert_int_equal(ring_available(&pair.consumer), 3);
    ring_release(&pair.consumer, 2);
    assert_int_equal(ring_available(&pair.producer), 2);
    assert_int_equal(ring_take(&pair.consumer, out, CAPACITY), 3);
    assert_memory_equal(out, "fgh", 3);
    assert_true(ring_may_sleep(&pair.consumer, 1));
    ring_put(&pair.producer, "i", 1);
    assert_true(ring_must_signal(&pair.producer));
    assert_false(ring_may_sleep(&pair.consumer, 1));
    /* A peer that takes back what was already taken gets nobody to read beyond it. */
    pair.shared->producer.index = 3;
    assert_int_equal(ring_take(&pair.consumer, out, CAPACITY), 0);
    pair_end(&pair);
}

/* --- Two threads: each sleeps when the ring lets it, and nothing but signals wakes it. ----------
 */

#define STRESS_NUMBERS 300000u

static struct pair stress;
static sem_t wake_producer, wake_consumer;

static void *stress_produce(void *argument)
{
    uint32_t numbers[5];
    uint32_t next = 0;

    while (next < STRESS_NUMBERS) {
        uint32_t count = 1 + next % 5, done;

        count = count < STRESS_NUMBERS - next ? count : STRESS_NUMBERS - next;
        for (uint32_t i = 0; i < count; i++) {
            numbers[i] = next + i;
        }
        done = ring_put(&stress.producer, numbers, count);
        next += done;
        if (ring_must_signal(&stress.producer)) {
            sem_post(&wake_consumer);
        }
        if (done == 0 && ring_may_sleep(&stress.producer, 1 + next % CAPACITY)) {
            sem_wait(&wake_producer);
        }
    }
    return argument;
}

static void test_two_threads(void **state)
{
    uint32_t numbers[3];
    uint32_t next = 0;
    pthread_t producer;

    (void)state;
    pair_begin_at(&stress, sizeof(uint32_t), CAPACITY, UINT32_MAX - STRESS_NUMBERS / 2);
    sem_init(&wake_producer, 0, 0);
    sem_init(&wake_consumer, 0, 0);
    assert_int_equal(pthread_create(&producer, NULL, stress_produce, NULL), 0);
    while (next < STRESS_NUMBERS) {
        uint32_t count = ring_get(&stress.consumer, numbers, 3);

        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(numbers[i], next++);
        }
        if (ring_must_signal(&stress.consumer)) {
            sem_post(&wake_producer);
        }
        if (count == 0 && ring_may_sleep(&stress.consumer, 1)) {
            sem_wait(&wake_consumer);
        }
    }
    pthread_join(producer, NULL);
    assert_int_equal(ring_available(&stress.consumer), 0);
    assert_false(ring_is_broken(&stress.producer) || ring_is_broken(&stress.consumer));
    pair_end(&stress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_bounds),
        cmocka_unit_test(test_large_entries_across_the_index_wrap),
        cmocka_unit_test(test_a_peer_that_claims_too_much),
        cmocka_unit_test(test_own_index_in_shared_memory_is_not_believed),
        cmocka_unit_test(test_signals_only_who_sleeps),
        cmocka_unit_test(test_sleeps_until_as_many_as_wanted),
        cmocka_unit_test(test_places_are_given_back_later),
        cmocka_unit_test(test_two_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
