/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's reset, at any moment: its channel is as it was at first, nothing of it is at the drive
 * any more, and the others have noticed nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sataserver/service_world.h"

/* --- steps of a reset --- */

static void want_reset(unsigned client)
{
    service_reset(&service, client);
    awake = true;
}

static void wait_for_reset(unsigned client)
{
    uint32_t done = 0;

    for (unsigned i = 0; i < 10 * LONG_TIME && done == 0; i++) {
        step();
        done = service_take_resets(&service);
    }
    assert_int_equal(done, 1u << client);
    assert_int_equal(service.clients[client].outstanding, 0);
    assert_false(service.clients[client].resetting);
}

static bool is_zero(const void *at, size_t bytes)
{
    return all_are(at, 0, bytes);
}

/* All but the facts is zero; the server's wish to be signalled is that of the first day. */
static void expect_fresh(unsigned client)
{
    struct disk_channel *channel = &channels[client];

    assert_true(
        is_zero(channel->reserved, sizeof *channel - offsetof(struct disk_channel, reserved)));
    assert_true(is_zero(&channel->requests.producer, sizeof(struct ring_words)));
    assert_int_equal(channel->requests.consumer.index, 0);
    assert_true(is_zero(&channel->segments.producer, sizeof(struct ring_words)));
    assert_int_equal(channel->segments.consumer.index, 0);
    assert_true(is_zero(&channel->completions, sizeof(struct ring_shared)));
}

static void reset(unsigned client)
{
    want_reset(client);
    wait_for_reset(client);
    expect_fresh(client);
    open_rings(client);
}

/* Its next life begins, and it has its disk. */
static void expect_served(unsigned client)
{
    assert_int_equal(state_of(client), DISK_READY);
    assert_int_equal(ask(client, DISK_WRITE, 0, 8, 0), DISK_OK);
    assert_int_equal(ask(client, DISK_READ, 0, 8, HIGH), DISK_OK);
}

/* --- tests --- */

static void test_idle(void **state)
{
    struct disk_facts facts;

    (void)state;
    start_usual();
    facts = channels[0].facts;
    assert_int_equal(ask(0, DISK_READ, 0, 8, 0), DISK_OK);
    memset(&channels[0].facts, 0x5a, sizeof facts); /* whoever was there had scribbled on them */
    want_reset(0);
    want_reset(0);
    wait_for_reset(0);
    expect_fresh(0);
    assert_memory_equal(&channels[0].facts, &facts, sizeof facts);
    open_rings(0);
    expect_served(0);
    reset(0);
    reset(0);
    expect_served(0);
    assert_int_equal(service_take_resets(&service), 0);
}

/* What is at the drive ends before the reset does; what is only in the ring never goes there. */
static void test_outstanding(void **state)
{
    uint32_t tag;

    (void)state;
    for (unsigned delay = 0; delay < 2; delay++) {
        start_usual();
        for (uint32_t i = 0; i < DISK_MAX_REQUESTS; i++) {
            put(0, i, DISK_READ, i, 8, 0);
        }
        put(1, 1, DISK_READ, 0, 8, 0);
        steps(delay);
        reset(0);
        assert_true(service.clients[0].counters.reads < DISK_MAX_REQUESTS);
        expect_served(0);
        assert_int_equal(wait_for(1, &tag), DISK_OK);
        assert_int_equal(tag, 1);
        expect_served(1);
        teardown(NULL);
    }
    begin_usual(); /* for the teardown that follows */
}

/* After its reset is done the drive touches nothing of the client's. */
static void test_memory_is_left_alone(void **state)
{
    (void)state;
    start_usual();
    memset(model.ports[0].drive.cache + 64 * 512, 0x11, 1000 * 512);
    for (uint32_t i = 0; i < 30; i++) {
        put(0, i, DISK_READ, i, 8, i * 8192);
    }
    steps(1);
    reset(0);
    memset(ram(0, 0), 0x77, MIB);
    steps(1000);
    assert_true(all_are(ram(0, 0), 0x77, MIB));
}

static void test_long_request(void **state)
{
    (void)state;
    for (unsigned delay = 0; delay < 8; delay++) {
        start_usual();
        put(0, 1, DISK_WRITE_ZEROES, 0, 1000, 0);
        put(0, 2, DISK_WRITE_ZEROES, 0, 1000, 0);
        steps(delay);
        reset(0);
        expect_served(0);
        assert_int_equal(ask(0, DISK_WRITE_ZEROES, 0, 1000, 0), DISK_OK);
        teardown(NULL);
    }
    begin_usual(); /* for the teardown that follows */
}

/* Whoever was cut off for breaking rules is served again, whether he has ended or is ending. */
static void test_broken_rules(void **state)
{
    (void)state;
    for (unsigned delay = 0; delay < 4; delay++) {
        start_usual();
        put(0, 9, DISK_READ, 0, 8, 0);
        put(0, 9, DISK_READ, 0, 8, 0); /* the same tag */
        steps(delay);
        reset(0);
        expect_served(0);
        teardown(NULL);
    }
    start_usual();
    put(0, 9, DISK_READ, 0, 8, 0);
    __atomic_store_n(&channels[0].requests.producer.index, 5000, __ATOMIC_RELEASE);
    awake = true;
    steps(100);
    assert_int_equal(state_of(0), DISK_GONE);
    reset(0);
    expect_served(0);
    expect_served(1);
}

/* It may take as long as the drive does, while the other one waits for the same drive. */
static void test_silent_drive(void **state)
{
    uint32_t tag;

    (void)state;
    start_usual();
    model.ports[0].drive.hang = 2;
    put(0, 1, DISK_WRITE, 0, 8, 0);
    put(0, 2, DISK_READ, 0, 8, 0);
    put(1, 1, DISK_READ, 0, 8, 0);
    steps(5);
    want_reset(0);
    steps(1000);
    assert_int_equal(service_take_resets(&service), 0);
    assert_int_not_equal(service.clients[0].outstanding, 0);
    want_reset(0);
    wait_for_reset(0);
    expect_fresh(0);
    open_rings(0);
    assert_int_equal(wait_for(1, &tag), DISK_OK);
    expect_served(0);
}

/* A drive that has gone is gone in the next life, too. */
static void test_vanished_drive(void **state)
{
    (void)state;
    for (unsigned before = 0; before < 2; before++) {
        start_usual();
        put(0, 1, DISK_READ, 0, 8, 0);
        steps(before);
        model_unplug(0);
        for (unsigned i = 0; i < 10 * LONG_TIME && before && state_of(1) == DISK_READY; i++) {
            step();
        }
        reset(0);
        for (unsigned i = 0; i < 10 * LONG_TIME && state_of(0) == DISK_READY; i++) {
            step();
        }
        assert_int_equal(state_of(0), DISK_GONE);
        assert_int_equal(channels[0].facts.nr_sectors, 1000);
        teardown(NULL);
    }
    begin_usual(); /* for the teardown that follows */
}

static void test_refused(void **state)
{
    struct disk_facts facts;

    (void)state;
    begin_usual();
    add_client("one", SATA_SELECT_LABEL, "none", 0, 0);
    start();
    facts = channels[0].facts;
    assert_int_equal(facts.state, DISK_REFUSED);
    memset(&channels[0].facts, 0x5a, sizeof facts);
    reset(0);
    assert_memory_equal(&channels[0].facts, &facts, sizeof facts);
    teardown(NULL);

    begin(1);
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    service_start(&service, "there is no AHCI controller");
    service_run(&service, now);
    reset(0);
    assert_int_equal(state_of(0), DISK_REFUSED);
    assert_string_equal(channels[0].facts.reason, "there is no AHCI controller");
}

/* While disks are looked for: at any moment of that. */
static void test_starting(void **state)
{
    (void)state;
    for (unsigned delay = 0;; delay += 7) {
        bool was_decided;

        begin_usual();
        add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
        add_client("two", SATA_SELECT_LABEL, "two", 0, 0);
        allow_dma();
        service_start(&service, NULL);
        hba_start(&hba, now);
        steps(delay);
        was_decided = service.decided;
        reset(0);
        run_until_decided();
        steps(10);
        expect_served(0);
        expect_served(1);
        if (was_decided) {
            return;
        }
        teardown(NULL);
    }
}

/* Starting anew pays nothing off. */
static void test_limit_stays(void **state)
{
    unsigned served = 0;
    uint64_t end;

    (void)state;
    begin_usual();
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    configs[0].iops = 10;
    start();
    end = now + 3000000;
    while (now < end) {
        struct disk_completion completion;

        put(0, 1, DISK_READ, 0, 8, 0);
        for (unsigned i = 0; i < 200; i++) {
            step();
            served += ring_get(&peers[0].completions, &completion, 1);
        }
        reset(0);
    }
    assert_in_range(served, 25, 33);
}

/* A long request that waits for its limit does not hold the reset up. */
static void test_paused(void **state)
{
    (void)state;
    begin_usual();
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    configs[0].bandwidth = MIB / 16;
    start();
    put(0, 5, DISK_WRITE_ZEROES, 0, 1000, 0);
    for (unsigned i = 0; i < 1000 && service.clients[0].paused == NULL; i++) {
        step();
    }
    assert_non_null(service.clients[0].paused);
    want_reset(0);
    steps(2);
    assert_int_equal(service_take_resets(&service), 1);
}

/* Hostile to the end, and reset again and again; the other one is served all the time. */
static void random_round(void)
{
    struct disk_request request = {
        .tag = (uint32_t)rand() % 66,
        .kind = (uint32_t)rand() % 7,
        .nr_segments = (uint32_t)rand() % 2,
        .sector = (uint64_t)rand() % 1100,
        .count = (uint64_t)rand() % 64,
    };
    struct disk_segment segment = { (uint64_t)rand() % CLIENT_RAM & ~1ull, request.count * 512 };

    if (rand() % 8 == 0) {
        ((uint8_t *)&channels[0])[(size_t)rand() % 1024] = (uint8_t)rand();
    }
    if (ring_put(&peers[0].segments, &segment, request.nr_segments) == request.nr_segments) {
        ring_put(&peers[0].requests, &request, 1);
    }
    awake = true;
}

static void test_random(void **state)
{
    (void)state;
    srand(5);
    start_usual();
    for (unsigned life = 0; life < 500; life++) {
        unsigned rounds = (unsigned)rand() % 40;

        for (unsigned i = 0; i < rounds; i++) {
            random_round();
            steps((unsigned)rand() % 3);
        }
        model.ports[0].drive.hang = rand() % 50 == 0;
        reset(0);
        model.ports[0].drive.hang = 0;
        said[0] = '\0';
        expect_served(0);
        expect_served(1);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_idle),           TEST(test_outstanding),  TEST(test_memory_is_left_alone),
        TEST(test_long_request),   TEST(test_broken_rules), TEST(test_silent_drive),
        TEST(test_vanished_drive), TEST(test_refused),      TEST(test_starting),
        TEST(test_limit_stays),    TEST(test_paused),       TEST(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
