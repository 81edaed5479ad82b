/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's limits: never more than the rate and the burst, all of it for one that always asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "user/sataserver/limit.h"

#define SECOND 1000000ull
#define MIB    (1u << 20)

static void test_no_limit(void **state)
{
    struct limit limit;

    (void)state;
    limit_init(&limit, 0, 0);
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(limit_allows(&limit, 5));
        limit_charge(&limit, 5, 1, UINT32_MAX);
    }
}

/* Asks whenever the clock ticks, as often as it may; returns the bytes it got. */
static uint64_t ask_all_the_time(struct limit *limit, uint64_t from, uint64_t until, uint64_t tick,
                                 uint32_t bytes, uint64_t *requests)
{
    uint64_t got = 0;

    *requests = 0;
    for (uint64_t now = from; now < until; now += tick) {
        while (limit_allows(limit, now)) {
            limit_charge(limit, now, 1, bytes);
            got += bytes;
            ++*requests;
        }
    }
    return got;
}

/* However large its requests are beside the rate, one that always asks gets the rate. */
static void test_rate(void **state)
{
    static const uint32_t sizes[] = { 512, 4096, 65536, 4 * MIB };
    struct limit limit;
    uint64_t requests, got;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        limit_init(&limit, 2 * MIB, 0);
        got = ask_all_the_time(&limit, 9 * SECOND, 109 * SECOND, 10000, sizes[i], &requests);
        assert_in_range(got, 200ull * MIB - 4 * MIB, 200ull * MIB + MIB / 4 + sizes[i]);
    }
    limit_init(&limit, 0, 50);
    ask_all_the_time(&limit, 9 * SECOND, 109 * SECOND, 10000, 4 * MIB, &requests);
    assert_in_range(requests, 4990, 5006);
}

/* The tighter of both limits counts. */
static void test_both(void **state)
{
    struct limit limit;
    uint64_t requests, got;

    (void)state;
    limit_init(&limit, 2 * MIB, 50);
    got = ask_all_the_time(&limit, 9 * SECOND, 109 * SECOND, 10000, 512, &requests);
    assert_in_range(requests, 4990, 5006);
    limit_init(&limit, 2 * MIB, 50);
    got = ask_all_the_time(&limit, 9 * SECOND, 109 * SECOND, 10000, MIB, &requests);
    assert_in_range(got, 196ull * MIB, 202ull * MIB);
}

/* An hour without requests is worth a burst, from the machine's start on. */
static void test_burst(void **state)
{
    struct limit limit;
    uint64_t requests;

    (void)state;
    limit_init(&limit, 0, 100);
    for (uint64_t now = 0; now < 4 * 3600 * SECOND; now += 3600 * SECOND) {
        ask_all_the_time(&limit, now, now + 1, 1, 0, &requests);
        assert_in_range(requests, 1, 100 * LIMIT_BURST_US / SECOND + 1);
    }
}

#define SERVED 4000u

/* L1, for every window between two requests of a random demand. */
static void test_random(void **state)
{
    static uint64_t when[SERVED], sum[SERVED + 1];
    const uint64_t rate = 3 * MIB + 7;
    struct limit limit;
    uint64_t now = 0;

    (void)state;
    srand(3);
    limit_init(&limit, rate, 0);
    for (unsigned i = 0; i < SERVED; now += (uint64_t)rand() % (rand() % 50 == 0 ? SECOND : 9000)) {
        if (limit_allows(&limit, now)) {
            uint32_t bytes = (uint32_t)rand() % (rand() % 10 == 0 ? 4 * MIB : 9000);

            limit_charge(&limit, now, 1, bytes);
            when[i] = now;
            sum[i + 1] = sum[i] + bytes;
            i++;
        }
    }
    for (unsigned i = 0; i < SERVED; i++) {
        for (unsigned j = i; j < SERVED; j++) {
            uint64_t most = rate * (when[j] - when[i] + LIMIT_BURST_US) / SECOND + 1;

            assert_true(sum[j] - sum[i] <= most);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_limit), cmocka_unit_test(test_rate),   cmocka_unit_test(test_both),
        cmocka_unit_test(test_burst),    cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
