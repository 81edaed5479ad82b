/* SPDX-License-Identifier: BSD-2-Clause */
/* The release queue against a naive one, on random insertions and removals. */
#include "tests/unit/kernel/thread_world.h"

#include "kernel/sched/queues.h"

#define THREADS 300

static struct {
    struct tcb tcb;
    _Alignas(64) u8 context[BIT(seL4_MinSchedContextBits)];
} nodes[THREADS];

static struct sched_context *context_of(unsigned i)
{
    return (struct sched_context *)nodes[i].context;
}

static void begin(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        memset(&nodes[i], 0, sizeof(nodes[i]));
        nodes[i].tcb.state = THREAD_RUNNING;
        nodes[i].tcb.sched_context = context_of(i);
        context_of(i)->tcb = &nodes[i].tcb;
    }
}

/* The naive queue: looks at all. */
static ticks_t earliest(void)
{
    ticks_t time = ~0ull;

    for (unsigned i = 0; i < THREADS; i++)
        if (nodes[i].tcb.in_release_queue && release_time(&nodes[i].tcb) < time)
            time = release_time(&nodes[i].tcb);
    return time;
}

static void insert(unsigned i, ticks_t time)
{
    refill_new(context_of(i), REFILLS_MIN, 1000000, 0, time);
    release_queue_insert(&nodes[i].tcb);
}

static void check(void)
{
    const struct core *core = this_core();

    check_threads();
    if (core->release_head)
        assert_int_equal(release_time(core->release_head), earliest());
    else
        assert_int_equal(earliest(), ~0ull);
}

static void test_random(void **state)
{
    (void)state;
    srandom(1);
    begin();
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)random() % THREADS;

        this_core()->reprogram = false;
        if (nodes[i].tcb.in_release_queue) {
            bool first = this_core()->release_head == &nodes[i].tcb;

            release_queue_remove(&nodes[i].tcb);
            assert_int_equal(this_core()->reprogram, first);
        } else {
            insert(i, (u64)random() % 1000);
            assert_int_equal(this_core()->reprogram, this_core()->release_head == &nodes[i].tcb);
        }
        check();
    }
}

static void test_comes_out_in_order(void **state)
{
    ticks_t last = 0;

    (void)state;
    srandom(2);
    begin();
    for (unsigned i = 0; i < THREADS; i++)
        insert(i, (u64)random() % 100);
    while (this_core()->release_head) {
        struct tcb *first = this_core()->release_head;

        assert_true(release_time(first) >= last);
        last = release_time(first);
        release_queue_remove(first);
        check();
    }
    assert_int_equal(this_core()->release_count, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, thread_world_set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random),
        TEST(test_comes_out_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
