/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Refill arithmetic on random input: against a naive model that keeps its refills in a plain array,
 * and against what a sporadic server promises: the sum of the refills is the budget, they are in
 * order, and no window of one period holds more use than the budget.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/core/panic.h"
#include "kernel/core/time.h"
#include "kernel/sched/refill.h"

u32 tsc_mhz = 1;

#define MAX_BITS 9
#define MINIMUM  20u /* two worst cases of 10 us at 1 tick each */
#define HISTORY  4096

void panic(const char *format, ...)
{
    (void)format;
    abort();
}

/* --- the model ------------------------------------------------------------------------------- */

struct model {
    unsigned max, count;
    u64 budget, period;
    struct refill at[64];
};

static void model_remove_first(struct model *m)
{
    m->count--;
    memmove(&m->at[0], &m->at[1], m->count * sizeof(m->at[0]));
}

static void model_add(struct model *m, u64 time, u64 amount)
{
    struct refill *last = m->count ? &m->at[m->count - 1] : NULL;

    if (last && last->time + last->amount >= time) {
        last->amount += amount;
    } else if (m->count < m->max) {
        m->at[m->count++] = (struct refill){ time, amount };
    } else {
        last->time = time - last->amount;
        last->amount += amount;
    }
}

static void model_join_small(struct model *m)
{
    while (m->at[0].amount < MINIMUM && m->count > 1) {
        u64 small = m->at[0].amount;

        model_remove_first(m);
        m->at[0].time -= small;
        m->at[0].amount += small;
    }
}

/* Tick by tick: each used tick comes back a period after it was there to be used. */
static void model_charge(struct model *m, u64 used)
{
    while (used > 0) {
        struct refill first = m->at[0];
        u64 now = used < first.amount ? used : first.amount;

        used -= now;
        if (now == first.amount) {
            model_remove_first(m);
        } else {
            m->at[0].time += now;
            m->at[0].amount -= now;
        }
        model_add(m, first.time + m->period, now);
    }
    model_join_small(m);
}

static void model_unblock(struct model *m, u64 now)
{
    if (m->at[0].time > now + MINIMUM / 2)
        return;
    if (m->at[0].time < now)
        m->at[0].time = now;
    while (m->count > 1 && m->at[1].time <= m->at[0].time + m->at[0].amount) {
        m->at[0].amount += m->at[1].amount;
        memmove(&m->at[1], &m->at[2], (m->count - 2) * sizeof(m->at[0]));
        m->count--;
    }
}

/* --- the real one ---------------------------------------------------------------------------- */

static _Alignas(64) u8 storage[BIT(MAX_BITS)];
static struct sched_context *const sc = (struct sched_context *)storage;

static struct refill at(unsigned i)
{
    return sched_context_refills(sc)[(sc->refill_head + i) % sc->refill_max];
}

static u64 sum(void)
{
    u64 total = 0;

    for (unsigned i = 0; i < sc->refill_count; i++)
        total += at(i).amount;
    return total;
}

static void check_invariants(void)
{
    assert_int_equal(sum(), sc->budget);
    assert_in_range(sc->refill_count, 1, sc->refill_max);
    for (unsigned i = 0; i + 1u < sc->refill_count; i++)
        assert_true(at(i).time + at(i).amount <= at(i + 1).time);
    assert_true(at(0).amount >= MINIMUM);
}

static void check_equal(const struct model *m)
{
    check_invariants();
    assert_int_equal(sc->refill_count, m->count);
    for (unsigned i = 0; i < m->count; i++) {
        assert_int_equal(at(i).time, m->at[i].time);
        assert_int_equal(at(i).amount, m->at[i].amount);
    }
}

static u64 random_below(u64 n)
{
    return ((u64)random() << 31 ^ (u64)random()) % n;
}

/* --- tests ----------------------------------------------------------------------------------- */

static void test_against_model(void **state)
{
    (void)state;
    srandom(1);
    for (unsigned round = 0; round < 2000; round++) {
        struct model m = { .max = 2 + (unsigned)random_below(refills_in_size(MAX_BITS) - 1) };
        u64 now = random_below(1000000);

        m.budget = MINIMUM + random_below(2000);
        m.period = m.budget + 1 + random_below(20000);
        m.count = 1;
        m.at[0] = (struct refill){ now, m.budget };
        refill_new(sc, m.max, m.budget, m.period, now);
        for (unsigned step = 0; step < 100; step++) {
            if (random_below(3) == 0) {
                refill_unblock(sc, now);
                model_unblock(&m, now);
            } else {
                u64 used = random_below(2 * m.budget);

                now += used;
                refill_charge(sc, used, now);
                model_charge(&m, used);
            }
            check_equal(&m);
            now += random_below(m.period);
        }
    }
}

/* What was used, and when; the newest last. */
struct use {
    u64 start, amount;
};

static void check_window(const struct use *uses, unsigned count, u64 budget, u64 period)
{
    u64 start = uses[count - 1].start + uses[count - 1].amount, total = 0;

    /* The window of one period that ends with the last use. */
    start = start > period ? start - period : 0;
    for (unsigned i = count; i-- > 0;) {
        u64 end = uses[i].start + uses[i].amount;

        if (end <= start)
            break;
        total += end - (uses[i].start > start ? uses[i].start : start);
    }
    assert_true(total <= budget);
}

/* A thread that runs whenever it likes, but never longer than its head refill allows. */
static void test_window_of_constant_bandwidth(void **state)
{
    static struct use uses[HISTORY];

    (void)state;
    srandom(2);
    for (unsigned round = 0; round < 200; round++) {
        u64 budget = MINIMUM + random_below(500), period = budget + 1 + random_below(3000), now = 5;
        unsigned count = 0;

        refill_new(sc, 2 + (unsigned)random_below(20), budget, period, now);
        while (count < HISTORY) {
            u64 used;

            now += random_below(3) ? 0 : random_below(period);
            if (refill_head(sc)->time > now)
                now = refill_head(sc)->time;
            refill_unblock(sc, now);
            used = 1 + random_below(refill_head(sc)->amount);
            uses[count++] = (struct use){ now, used };
            now += used;
            refill_charge(sc, used, now);
            check_invariants();
            check_window(uses, count, budget, period);
        }
    }
}

static void test_gross_overrun_is_paid_back(void **state)
{
    (void)state;
    refill_new(sc, 4, 100, 1000, 0);
    refill_charge(sc, 750, 750);
    check_invariants();
    assert_int_equal(refill_head(sc)->time, 8000);
    refill_charge(sc, UINT64_MAX / 2, 0);
    check_invariants();
    assert_int_equal(refill_head(sc)->time, REFILL_NEVER);
    refill_charge(sc, 150, 0);
    check_invariants();
}

static void test_round_robin(void **state)
{
    (void)state;
    srandom(3);
    refill_new(sc, 2, 1000, 0, 0);
    for (unsigned i = 0; i < 10000; i++) {
        u64 left = refill_head(sc)->amount, used = random_below(300);

        refill_charge(sc, used, i);
        assert_int_equal(sum(), 1000);
        assert_in_range(sc->refill_count, 1, 2);
        assert_true(refill_is_ready(sc, i));
        assert_int_equal(refill_head(sc)->amount, left >= used + MINIMUM ? left - used : 1000);
    }
}

static void test_update_keeps_the_sum(void **state)
{
    (void)state;
    srandom(4);
    refill_new(sc, 2, 100, 200, 0);
    for (u64 now = 0, i = 0; i < 20000; i++) {
        u64 budget = MINIMUM + random_below(500);
        u64 period = random_below(8) ? budget + 1 + random_below(5000) : 0;
        unsigned max = 2 + (unsigned)random_below(refills_in_size(MAX_BITS) - 1);
        u64 head = refill_head(sc)->amount, was_period = sc->period;

        refill_update(sc, max, budget, period, now);
        assert_int_equal(sum(), budget);
        if (period) {
            check_invariants();
            /* Nothing that was not there before comes at once. */
            if (was_period && refill_head(sc)->time <= now)
                assert_true(refill_head(sc)->amount <= (head < MINIMUM ? MINIMUM : head));
        }
        now += random_below(1000);
        refill_charge(sc, random_below(budget), now);
        assert_int_equal(sum(), budget);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_window_of_constant_bandwidth),
        cmocka_unit_test(test_gross_overrun_is_paid_back),
        cmocka_unit_test(test_round_robin),
        cmocka_unit_test(test_update_keeps_the_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
