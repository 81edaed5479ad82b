/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service against a model of a controller: who gets which disk, what becomes of requests, and
 * what hostile clients and broken drives cost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sataserver/service_world.h"

/* --- who gets what --- */

static void test_names(void **state)
{
    (void)state;
    begin_usual();
    add_client("one", SATA_SELECT_UUID, "01010101-0101-0101-0101-010101010101", 0, 0);
    add_client("two", SATA_SELECT_LABEL, "two", 0, SATA_CLIENT_READ_ONLY);
    model.ports[0].drive.serial = 'S';
    add_client("three", SATA_SELECT_LABEL, "none", 0, 0);
    start();
    assert_int_equal(state_of(0), DISK_READY);
    assert_int_equal(channels[0].facts.nr_sectors, 1000);
    assert_int_equal(channels[0].facts.sector_bytes, 512);
    assert_int_equal(channels[0].facts.max_sectors, SERVICE_REQUEST_BYTES / 512);
    assert_memory_equal(channels[0].facts.serial, "01010101010101010101", DISK_SERIAL_BYTES);
    assert_int_equal(channels[0].facts.flags & DISK_FACT_READ_ONLY, 0);
    assert_int_not_equal(channels[0].facts.flags & DISK_FACT_WRITE_ZEROES, 0);
    assert_int_equal(state_of(1), DISK_READY);
    assert_int_equal(channels[1].facts.nr_sectors, 2000);
    assert_int_not_equal(channels[1].facts.flags & DISK_FACT_READ_ONLY, 0);
    assert_int_equal(state_of(2), DISK_REFUSED);
    assert_non_null(strstr(channels[2].facts.reason, "none: there is no such partition"));
    assert_non_null(strstr(said, "three has no disk"));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(peers[i].wakes, 1);
    }
}

static void test_serial(void **state)
{
    char serial[21];

    (void)state;
    begin_usual();
    start();
    snprintf(serial, sizeof serial, "%s", hba.ports[0].identity.serial);
    teardown(NULL);
    begin_usual();
    add_client("one", SATA_SELECT_SERIAL, serial, 2, 0);
    add_client("two", SATA_SELECT_SERIAL, serial, 0, SATA_CLIENT_READ_ONLY);
    add_client("three", SATA_SELECT_SERIAL, serial, 9, 0);
    add_client("four", SATA_SELECT_SERIAL, "other", 0, 0);
    start();
    assert_int_equal(state_of(0), DISK_READY);
    assert_int_equal(channels[0].facts.nr_sectors, 2000);
    /* All of the disk, and so what the first one writes. */
    assert_int_equal(state_of(1), DISK_REFUSED);
    assert_non_null(strstr(channels[1].facts.reason, "'one' has some of the same sectors"));
    assert_int_equal(state_of(2), DISK_REFUSED);
    assert_int_equal(state_of(3), DISK_REFUSED);
}

static void test_sharing(void **state)
{
    (void)state;
    begin_usual();
    add_client("one", SATA_SELECT_LABEL, "one", 0, SATA_CLIENT_READ_ONLY);
    add_client("two", SATA_SELECT_UUID, "01010101-0101-0101-0101-010101010101", 0,
               SATA_CLIENT_READ_ONLY);
    add_client("three", SATA_SELECT_LABEL, "one", 0, 0);
    add_client("four", SATA_SELECT_LABEL, "two", 0, 0);
    start();
    assert_int_equal(state_of(0), DISK_READY);
    assert_int_equal(state_of(1), DISK_READY);
    assert_int_equal(state_of(2), DISK_REFUSED);
    assert_non_null(strstr(channels[2].facts.reason, "'one'"));
    assert_int_equal(state_of(3), DISK_READY);
    assert_int_equal(ask(0, DISK_READ, 0, 1, 0), DISK_OK);
    assert_int_equal(ask(1, DISK_READ, 0, 1, 0), DISK_OK);
    assert_int_equal(ask(3, DISK_WRITE, 0, 1, 0), DISK_OK);
}

/* The same UUID on two drives is nobody's. */
static void test_two_drives(void **state)
{
    static const struct model_part other[] = { { 64, 100, "else" } };

    (void)state;
    begin(3);
    model_add_drive(0, 512, 32);
    model_add_drive(1, 512, 0);
    model.ports[1].drive.serial = 'Z';
    model_make_table(0, parts, 3);
    model_make_table(1, other, 1);
    add_client("one", SATA_SELECT_UUID, "01010101-0101-0101-0101-010101010101", 0, 0);
    add_client("two", SATA_SELECT_LABEL, "two", 0, 0);
    add_client("three", SATA_SELECT_LABEL, "else", 0, 0);
    start();
    assert_int_equal(state_of(0), DISK_REFUSED);
    assert_non_null(strstr(channels[0].facts.reason, "several"));
    assert_int_equal(state_of(1), DISK_READY);
    assert_int_equal(state_of(2), DISK_READY);
    memset(ram(2, 0), 0x33, 512);
    assert_int_equal(ask(2, DISK_WRITE, 5, 1, 0), DISK_OK);
    assert_true(all_are(model.ports[1].drive.cache + 69 * 512, 0x33, 512));
}

/* Port 0 has a drive that is busy for so long, port 1 one that is there at once. */
static void begin_late(unsigned spin_steps)
{
    static const struct model_part other[] = { { 64, 100, "late" }, { 2048, 100, "two" } };

    begin(3);
    model_add_drive(0, 512, 32);
    model_add_drive(1, 512, 32);
    model.ports[0].drive.serial = 'Z';
    model.ports[0].drive.spin_steps = spin_steps;
    model_make_table(0, other, 2);
    model_make_table(1, parts, 3);
    add_client("one", SATA_SELECT_SERIAL, "Z1", 1, 0);
    add_client("two", SATA_SELECT_LABEL, "two", 0, 0);
    add_client("three", SATA_SELECT_LABEL, "one", 0, 0);
    allow_dma();
    service_start(&service, NULL);
    hba_start(&hba, now);
    steps((SERVICE_PATIENCE_US + 1000000) / STEP_US);
    assert_int_equal(state_of(0), DISK_STARTING);
    assert_int_equal(state_of(1), DISK_READY);
    assert_int_equal(state_of(2), DISK_READY);
    assert_int_equal(ask(1, DISK_WRITE, 0, 8, 0), DISK_OK);
}

/* What goes well can be left out; what does not is said in any case. */
static void test_problems_only(void **state)
{
    (void)state;
    begin_usual();
    service.problems_only = true;
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    add_client("two", SATA_SELECT_LABEL, "none", 0, 0);
    start();
    assert_null(strstr(said, "one has"));
    assert_null(strstr(said, "at port"));
    assert_non_null(strstr(said, "two has no disk"));
}

/* A drive that comes late, or never, costs only those whose disk is on it. */
static void test_late_drive(void **state)
{
    (void)state;
    begin_late(150000);
    assert_null(strstr(said, "disk Z1"));
    run_until_decided();
    assert_int_equal(state_of(0), DISK_READY);
    assert_non_null(strstr(said, "one has partition 1 of disk Z1"));
    assert_int_equal(ask(0, DISK_WRITE, 0, 8, 0), DISK_OK);
    assert_int_equal(ask(1, DISK_READ, 0, 8, 0), DISK_OK); /* whose label is there twice now */
    teardown(NULL);

    begin_late(10 * LONG_TIME);
    run_until_decided();
    assert_int_equal(state_of(0), DISK_REFUSED);
    assert_non_null(strstr(said, "the disk at port 0 cannot be used: it does not get ready\n"));
    assert_int_equal(ask(1, DISK_READ, 0, 8, 0), DISK_OK);
    assert_int_equal(ask(2, DISK_READ, 0, 8, 0), DISK_OK);
}

static void test_damaged_tables(void **state)
{
    (void)state;
    begin_usual();
    model.ports[0].drive.cache[512 + 60] ^= 1;
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    start();
    assert_int_equal(state_of(0), DISK_READY);
    assert_non_null(strstr(said, "the backup is used"));
    teardown(NULL);

    begin_usual(); /* the header's own sector cannot be read; those beside it can */
    model.ports[0].drive.bad_sector = 1;
    model.ports[0].drive.bad_error = ATA_ERROR_UNC;
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    start();
    assert_int_equal(state_of(0), DISK_READY);
    assert_non_null(strstr(said, "the backup is used"));
    teardown(NULL);

    begin(1); /* nothing at all */
    model_add_drive(0, 512, 32);
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    start();
    assert_int_equal(state_of(0), DISK_REFUSED);
}

static void test_large_sectors(void **state)
{
    static const struct model_part large[] = { { 16, 100, "one" }, { 200, 50, "two" } };

    (void)state;
    begin(1);
    model_add_drive(0, 4096, 32);
    model_make_table(0, large, 2);
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    add_client("two", SATA_SELECT_LABEL, "two", 0, 0);
    start();
    assert_int_equal(channels[0].facts.sector_bytes, 4096);
    memset(ram(1, 8192), 0x44, 8192);
    assert_int_equal(ask(1, DISK_WRITE, 48, 2, 8192), DISK_OK);
    assert_true(all_are(model.ports[0].drive.cache + 248 * 4096, 0x44, 8192));
    assert_int_equal(ask(1, DISK_WRITE, 49, 2, 8192), DISK_RANGE);
}

/* What stands behind a text in memory that a client reads is nothing of the server's. */
static bool rest_is_zero(const char *text, size_t bytes)
{
    for (size_t i = strlen(text); i < bytes; i++) {
        if (text[i] != 0) {
            return false;
        }
    }
    return true;
}

static void test_no_controller(void **state)
{
    (void)state;
    begin(1);
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    service_start(&service, "there is no AHCI controller");
    service_run(&service, now);
    take_signals();
    assert_int_equal(state_of(0), DISK_REFUSED);
    assert_string_equal(channels[0].facts.reason, "there is no AHCI controller");
    assert_true(rest_is_zero(channels[0].facts.reason, DISK_REASON_BYTES));
    assert_int_equal(peers[0].wakes, 1);
    assert_true(service_may_sleep(&service));
}

/* --- requests --- */

static void test_data(void **state)
{
    (void)state;
    start_usual();
    memset(ram(0, 0), 0x11, 4096);
    memset(ram(1, HIGH), 0x22, 4096);
    assert_int_equal(ask(0, DISK_WRITE, 10, 8, 0), DISK_OK);
    assert_int_equal(ask(1, DISK_WRITE, 10, 8, HIGH), DISK_OK);
    assert_true(all_are(model.ports[0].drive.cache + 74 * 512, 0x11, 4096));
    assert_true(all_are(model.ports[0].drive.cache + 2058 * 512, 0x22, 4096));
    assert_int_equal(ask(0, DISK_READ, 10, 8, HIGH + 4096), DISK_OK);
    assert_true(all_are(ram(0, HIGH + 4096), 0x11, 4096));
    assert_int_equal(service.clients[0].counters.reads, 1);
    assert_int_equal(service.clients[0].counters.bytes_written, 4096);
    service_report(&service);
    assert_non_null(strstr(said, "one: 1 reads (4 KiB), 1 writes (4 KiB), 0 flushes"));
    assert_non_null(strstr(said, "0 errors; at most 1 at once; 100 us each, at most 100"));
    assert_non_null(strstr(said, "disk A1: "));
}

/* Each is refused with its own status, nothing happens to the disk, and the client goes on. */
static void test_refused(void **state)
{
    static const struct {
        uint32_t kind;
        uint64_t sector, count, address;
        int status;
    } cases[] = {
        { DISK_WRITE, 1000, 1, 0, DISK_RANGE },
        { DISK_WRITE, 999, 2, 0, DISK_RANGE },
        { DISK_WRITE, UINT64_MAX, 1, 0, DISK_RANGE },
        { DISK_WRITE, 0, 1001, 0, DISK_RANGE },
        { DISK_READ, 1984, 8, 0, DISK_RANGE }, /* the neighbour's */
        { DISK_DISCARD, 0, 0, 0, DISK_RANGE },
        { DISK_DISCARD, 999, 2, 0, DISK_RANGE },
        { DISK_WRITE_ZEROES, 1, UINT64_MAX, 0, DISK_RANGE },
        { DISK_WRITE, 0, 8, MIB - 2048, DISK_MEMORY },
        { DISK_WRITE, 0, 8, HIGH - 4096, DISK_MEMORY },
        { DISK_WRITE, 0, 8, HIGH + MIB, DISK_MEMORY },
        { DISK_WRITE, 0, 8, 1, DISK_MEMORY },
        { DISK_WRITE, 0, 8, UINT64_MAX - 1, DISK_MEMORY },
        { 17, 0, 0, 0, DISK_UNSUPPORTED },
        { 0, 0, 0, 0, DISK_UNSUPPORTED },
    };
    uint8_t *before = malloc(MODEL_DISK_BYTES);

    (void)state;
    start_usual();
    memcpy(before, model.ports[0].drive.cache, MODEL_DISK_BYTES);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = ask(0, cases[i].kind, cases[i].sector, cases[i].count, cases[i].address);

        if (status != cases[i].status) {
            fail_msg("case %zu: %d", i, status);
        }
    }
    assert_memory_equal(before, model.ports[0].drive.cache, MODEL_DISK_BYTES);
    assert_int_equal(ask(0, DISK_WRITE, 0, 8, 0), DISK_OK);
    free(before);
}

static void test_read_only(void **state)
{
    (void)state;
    begin_usual();
    add_client("one", SATA_SELECT_LABEL, "one", 0, SATA_CLIENT_READ_ONLY);
    start();
    assert_int_equal(ask(0, DISK_READ, 0, 1, 0), DISK_OK);
    assert_int_equal(ask(0, DISK_FLUSH, 0, 0, 0), DISK_OK);
    assert_int_equal(ask(0, DISK_WRITE, 0, 1, 0), DISK_READ_ONLY);
    assert_int_equal(ask(0, DISK_WRITE_ZEROES, 0, 1, 0), DISK_READ_ONLY);
    assert_int_equal(ask(0, DISK_DISCARD, 0, 1, 0), DISK_READ_ONLY);
}

static void test_many_segments(void **state)
{
    struct disk_segment segments[DISK_MAX_SEGMENTS];
    struct disk_request request = {
        .tag = 1, .kind = DISK_WRITE, .nr_segments = DISK_MAX_SEGMENTS, .count = DISK_MAX_SEGMENTS
    };
    uint32_t tag;

    (void)state;
    start_usual();
    for (unsigned i = 0; i < DISK_MAX_SEGMENTS; i++) {
        segments[i] = (struct disk_segment){ i * 1024, 512 };
        memset(ram(0, i * 1024), (int)i, 512);
    }
    put_raw(0, &request, segments, DISK_MAX_SEGMENTS);
    assert_int_equal(wait_for(0, &tag), DISK_OK);
    for (unsigned i = 0; i < DISK_MAX_SEGMENTS; i++) {
        assert_true(all_are(model.ports[0].drive.cache + (64 + i) * 512, (uint8_t)i, 512));
    }
}

static void write_sector_9_with_fua(void)
{
    const struct disk_request request = { .tag = 1,
                                          .kind = DISK_WRITE,
                                          .flags = DISK_FLAG_FUA,
                                          .nr_segments = 1,
                                          .sector = 9,
                                          .count = 1 };
    const struct disk_segment segment = { 0, 512 };
    uint32_t tag;

    put_raw(0, &request, &segment, 1);
    assert_int_equal(wait_for(0, &tag), DISK_OK);
}

/* What was acknowledged after a flush, or with FUA, survives a power cut. */
static void test_durability(void **state)
{
    unsigned flushes;

    (void)state;
    begin_usual();
    model.ports[0].drive.write_cache = true;
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    start();
    assert_int_not_equal(channels[0].facts.flags & DISK_FACT_WRITE_CACHE, 0);
    memset(ram(0, 0), 0x55, 512);
    assert_int_equal(ask(0, DISK_WRITE, 8, 1, 0), DISK_OK);
    assert_false(all_are(model.ports[0].drive.medium + 72 * 512, 0x55, 512));
    assert_int_equal(ask(0, DISK_FLUSH, 0, 0, 0), DISK_OK);
    assert_true(all_are(model.ports[0].drive.medium + 72 * 512, 0x55, 512));
    flushes = model.ports[0].drive.flushes;
    write_sector_9_with_fua();
    assert_true(all_are(model.ports[0].drive.medium + 73 * 512, 0x55, 512));
    assert_int_equal(model.ports[0].drive.flushes, flushes + 1);
}

static void test_fua(void **state)
{
    (void)state;
    begin_usual();
    model.ports[0].drive.write_cache = true;
    model.ports[0].drive.fua = true;
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    start();
    memset(ram(0, 0), 0x55, 512);
    write_sector_9_with_fua();
    assert_true(all_are(model.ports[0].drive.medium + 73 * 512, 0x55, 512));
    assert_int_equal(model.ports[0].drive.flushes, 0);
    assert_int_equal(model.ports[0].drive.fua_writes, 1);
}

static void test_long_ones(void **state)
{
    (void)state;
    begin_usual();
    model.ports[0].drive.trim = true;
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    add_client("two", SATA_SELECT_LABEL, "two", 0, 0);
    memset(model.ports[0].drive.cache + 64 * 512, 0x66, 3000 * 512);
    start();
    assert_int_not_equal(channels[0].facts.flags & DISK_FACT_DISCARD, 0);
    /* 999 sectors take two pieces; the borders stay. */
    assert_int_equal(ask(0, DISK_WRITE_ZEROES, 1, 998, 0), DISK_OK);
    assert_true(all_are(model.ports[0].drive.cache + 64 * 512, 0x66, 512));
    assert_true(all_are(model.ports[0].drive.cache + 65 * 512, 0, 998 * 512));
    assert_true(all_are(model.ports[0].drive.cache + 1063 * 512, 0x66, 512));
    assert_int_equal(ask(1, DISK_DISCARD, 0, 2000, 0), DISK_OK);
    assert_int_equal(model.ports[0].drive.trimmed, 2000);
    /* Several at once, with others between them. */
    put(0, 1, DISK_WRITE_ZEROES, 0, 1000, 0);
    put(0, 2, DISK_DISCARD, 0, 1000, 0);
    put(0, 3, DISK_READ, 0, 1, 0);
    put(0, 4, DISK_WRITE_ZEROES, 0, 1000, 0);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t tag;

        assert_int_equal(wait_for(0, &tag), DISK_OK);
    }
}

static void test_media_error(void **state)
{
    uint32_t tag;

    (void)state;
    start_usual();
    model.ports[0].drive.bad_sector = 70;
    model.ports[0].drive.bad_error = ATA_ERROR_UNC;
    put(1, 1, DISK_READ, 0, 8, 0);
    put(0, 2, DISK_READ, 0, 8, 0);
    put(1, 3, DISK_READ, 8, 8, 8192);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(wait_for(1, &tag), DISK_OK);
    }
    assert_int_equal(wait_for(0, &tag), DISK_ERROR);
    assert_int_equal(tag, 2);
    assert_int_equal(ask(0, DISK_READ, 0, 4, 0), DISK_OK);
    assert_int_equal(service.clients[0].counters.errors, 1);
    assert_non_null(strstr(said, "disk A1: reading sectors 64 to 71 failed (one; error 40h)\n"));
}

static unsigned count_said(const char *text)
{
    unsigned count = 0;

    for (const char *at = said; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

/* A bad disk has some lines a minute, and the next one says what was left out. */
static void test_error_lines(void **state)
{
    (void)state;
    start_usual();
    model.ports[0].drive.bad_sector = 2050;
    model.ports[0].drive.bad_error = ATA_ERROR_IDNF;
    for (unsigned i = 0; i < SERVICE_ERROR_LINES + 5; i++) {
        assert_int_equal(ask(1, DISK_WRITE, 2, 1, 0), DISK_ERROR);
    }
    assert_int_equal(count_said(": writing sectors 2050 to 2050 failed (two; error 10h)\n"),
                     SERVICE_ERROR_LINES);
    model.ports[0].drive.bad_sector = 64; /* another client has its own lines */
    assert_int_equal(ask(0, DISK_READ, 0, 1, 0), DISK_ERROR);
    assert_int_equal(count_said("(one; error 10h)"), 1);
    model.ports[0].drive.bad_sector = 2050;
    now += 60000000;
    assert_int_equal(ask(1, DISK_READ, 0, 4, 0), DISK_ERROR);
    assert_int_equal(count_said("2048 to 2051 failed (two; error 10h; 5 more before)\n"), 1);
    assert_int_equal(ask(1, DISK_READ, 0, 4, 0), DISK_ERROR);
    assert_int_equal(count_said("2048 to 2051 failed (two; error 10h)\n"), 1);
}

/* Time that passed while nothing was outstanding does not count for what comes then. */
static void test_idle(void **state)
{
    uint32_t tag;

    (void)state;
    start_usual();
    now += 1000 * (uint64_t)MIB;
    put(0, 1, DISK_READ, 0, 8, 0);
    service_run(&service, now);
    hba_tick(&hba, now + HBA_TICK_US);
    assert_int_equal(hba.ports[0].state, PORT_READY);
    assert_int_equal(wait_for(0, &tag), DISK_OK);
    assert_int_equal(hba.ports[0].counters.resets, 0);
}

/* --- hostile clients, broken drives --- */

static void expect_gone(unsigned client)
{
    for (unsigned i = 0; i < LONG_TIME && state_of(client) == DISK_READY; i++) {
        step();
    }
    assert_int_equal(state_of(client), DISK_GONE);
    assert_int_equal(service.clients[client].outstanding, 0);
    assert_non_null(strstr(said, "breaks the rules"));
    /* The other one has noticed nothing. */
    assert_int_equal(ask(1, DISK_READ, 0, 8, 0), DISK_OK);
    /* And nothing is served any more. */
    assert_int_equal(service.clients[client].state, CLIENT_ENDED);
}

static void break_with(struct disk_request request, uint32_t nr_segments)
{
    struct disk_segment segments[DISK_MAX_SEGMENTS + 1];

    for (unsigned i = 0; i <= DISK_MAX_SEGMENTS; i++) {
        segments[i] = (struct disk_segment){ 0, 512 };
    }
    start_usual();
    put(0, 9, DISK_READ, 0, 8, 0); /* a good one that is outstanding */
    put_raw(0, &request, segments, nr_segments);
    expect_gone(0);
    teardown(NULL);
}

static void test_rules(void **state)
{
    (void)state;
    break_with((struct disk_request){ .tag = DISK_MAX_REQUESTS, .kind = DISK_FLUSH }, 0);
    break_with((struct disk_request){ .tag = UINT32_MAX, .kind = DISK_FLUSH }, 0);
    break_with((struct disk_request){ .tag = 9, .kind = DISK_FLUSH }, 0);
    break_with((struct disk_request){ .tag = 1, .kind = DISK_FLUSH, .nr_segments = 1 }, 1);
    break_with((struct disk_request){ .tag = 1, .kind = 99, .nr_segments = 1 }, 1);
    break_with((struct disk_request){ .tag = 1, .kind = DISK_READ, .count = 1 }, 0);
    break_with((struct disk_request){ .tag = 1, .kind = DISK_READ, .count = 1, .nr_segments = 1 },
               0);
    break_with((struct disk_request){ .tag = 1, .kind = DISK_READ, .count = 2, .nr_segments = 1 },
               1);
    break_with((struct disk_request){ .tag = 1,
                                      .kind = DISK_READ,
                                      .count = DISK_MAX_SEGMENTS + 1,
                                      .nr_segments = DISK_MAX_SEGMENTS + 1 },
               DISK_MAX_SEGMENTS + 1);
    begin_usual(); /* for the teardown that follows */
}

static void test_broken_rings(void **state)
{
    (void)state;
    start_usual();
    put(0, 9, DISK_READ, 0, 8, 0);
    __atomic_store_n(&channels[0].requests.producer.index, 5000, __ATOMIC_RELEASE);
    awake = true;
    expect_gone(0);
    teardown(NULL);

    start_usual(); /* completions that are not taken, and their tags used again */
    for (unsigned i = 0; i < DISK_MAX_REQUESTS + 1; i++) {
        put(0, i % 8, DISK_READ, 0, 1, 0);
        steps(20);
    }
    expect_gone(0);
}

static void test_vanished_drive(void **state)
{
    uint32_t tag;

    (void)state;
    start_usual();
    for (uint32_t i = 0; i < 40; i++) {
        put(i % 2, i, DISK_READ, i, 1, 0);
    }
    steps(1);
    model_unplug(0);
    for (unsigned i = 0; i < 10 * LONG_TIME && state_of(0) == DISK_READY; i++) {
        step();
    }
    steps(10);
    assert_int_equal(state_of(0), DISK_GONE);
    assert_int_equal(state_of(1), DISK_GONE);
    assert_int_equal(service.clients[0].outstanding, 0);
    assert_non_null(strstr(said, "its disk is gone"));
    assert_true(wait_for(0, &tag) > 0);
}

/* A client of the usual two has limits. */
static void start_limited(uint64_t bandwidth, uint64_t iops)
{
    begin_usual();
    model.ports[0].drive.trim = true;
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    add_client("two", SATA_SELECT_LABEL, "two", 0, 0);
    configs[0].bandwidth = bandwidth;
    configs[0].iops = iops;
    start();
}

/* Requests of a client that always has some in its ring, until so much time has passed. */
static unsigned ask_for(uint64_t microseconds, unsigned client, uint32_t kind, uint64_t count)
{
    struct disk_completion completion;
    uint64_t end = now + microseconds;
    uint32_t outstanding = 0, tag = 0;
    uint32_t status = kind > DISK_WRITE_ZEROES ? DISK_UNSUPPORTED : DISK_OK;
    unsigned served = 0;

    while (now < end || outstanding != 0) {
        for (; now < end && outstanding < 8; outstanding++) {
            put(client, tag++ % 32, kind, 0, count, 0);
        }
        step();
        while (ring_get(&peers[client].completions, &completion, 1) == 1) {
            assert_int_equal(completion.status, status);
            outstanding--;
            served += now < end;
        }
    }
    return served;
}

static void test_limits(void **state)
{
    (void)state;
    start_limited(0, 50);
    assert_non_null(strstr(said, "one has partition 1 of disk A1: 0 MiB, read-write, at most 50 "
                                 "requests/s"));
    assert_in_range(ask_for(10000000, 0, DISK_READ, 8), 490, 506);
    assert_in_range(ask_for(1000000, 0, DISK_FLUSH, 0), 45, 56);
    assert_in_range(ask_for(1000000, 0, DISK_DISCARD, 8), 45, 56);
    assert_true(ask_for(1000000, 1, DISK_READ, 8) > 500);
    teardown(NULL);

    start_limited(MIB, 0);
    assert_non_null(strstr(said, "read-write, at most 1024 KiB/s\n"));
    assert_in_range(ask_for(10000000, 0, DISK_WRITE, 256), 76, 82);         /* 128 KiB */
    assert_in_range(ask_for(10000000, 0, DISK_WRITE_ZEROES, 1000), 18, 24); /* 500 KB, in pieces */
    assert_true(ask_for(1000000, 0, DISK_FLUSH, 0) > 500);
    teardown(NULL);

    start_limited(MIB, 10);
    assert_non_null(strstr(said, "at most 1024 KiB/s, at most 10 requests/s\n"));
    assert_in_range(ask_for(2000000, 0, DISK_READ, 8), 17, 22);
    assert_in_range(ask_for(2000000, 0, 17, 0), 17, 22); /* refusing is work, too */
}

/* While one waits for its limit, the other has the drive, and nobody is awake for it. */
static void test_limit_sleeps(void **state)
{
    unsigned rounds = 0;

    (void)state;
    start_limited(0, 10);
    for (uint32_t i = 0; i < 20; i++) {
        put(0, i, DISK_READ, 0, 8, 0);
    }
    steps(1000);
    assert_true(service_waits_for_time(&service));
    assert_false(hba_is_busy(&hba));
    for (unsigned i = 0; i < 1000; i++) {
        step();
        rounds += awake;
    }
    assert_int_equal(rounds, 0);
    assert_int_equal(ask(1, DISK_READ, 0, 8, 0), DISK_OK);
    for (uint32_t i = 0, tag; i < 20; i++) {
        assert_int_equal(wait_for(0, &tag), DISK_OK);
    }
    steps(100);
    assert_false(service_waits_for_time(&service));
}

/* A client whose long request is held up ends as others do, its drive gone or its rules broken. */
static void end_limited(bool unplug)
{
    uint32_t tag;

    start_limited(MIB, 0);
    put(0, 5, DISK_WRITE_ZEROES, 0, 1000, 0);
    for (unsigned i = 0; i < 1000 && service.clients[0].paused == NULL; i++) {
        step();
    }
    assert_non_null(service.clients[0].paused);
    if (unplug) {
        model_unplug(0);
    } else {
        put(0, 99, DISK_FLUSH, 0, 0, 0);
    }
    for (unsigned i = 0; i < 10 * LONG_TIME && state_of(0) == DISK_READY; i++) {
        step();
    }
    assert_int_equal(state_of(0), DISK_GONE);
    assert_int_equal(service.clients[0].outstanding, 0);
    assert_int_equal(service.drives[0].fair.outstanding, 0);
    assert_int_equal(wait_for(0, &tag), DISK_ERROR);
    assert_int_equal(tag, 5);
}

static void test_limited_end(void **state)
{
    (void)state;
    end_limited(true);
    teardown(NULL);
    end_limited(false);
}

/* One that always asks leaves the other its share. */
static void test_fairness(void **state)
{
    uint32_t tag, flood = 0, served = 0;
    struct disk_completion completion;

    (void)state;
    start_usual();
    for (; flood < DISK_MAX_REQUESTS; flood++) {
        put(0, flood, DISK_READ, flood, 8, 0);
    }
    put(1, 1, DISK_READ, 0, 8, 0);
    assert_int_equal(wait_for(1, &tag), DISK_OK);
    while (ring_get(&peers[0].completions, &completion, 1) == 1) {
        served++;
    }
    assert_true(served < DISK_MAX_REQUESTS);
    assert_true(service.clients[0].counters.most_outstanding <=
                fair_limit(&service.drives[0].fair));
    for (; served < DISK_MAX_REQUESTS; served++) {
        assert_int_equal(wait_for(0, &tag), DISK_OK);
    }
}

/*
 * Anything at all from one client: the other's partition and memory never change, no DMA leaves
 * what is allowed (the model looks), and the other is served.
 */
static void random_request(struct disk_request *request, struct disk_segment *segments,
                           uint32_t *count)
{
    *request = (struct disk_request){
        .tag = (uint32_t)rand() % 66,
        .kind = (uint32_t)rand() % 7,
        .flags = (uint32_t)rand() % 3,
        .nr_segments = (uint32_t)rand() % 4,
        .sector = rand() % 8 == 0 ? (uint64_t)rand() << 33 : (uint64_t)rand() % 1100,
        .count = (uint64_t)rand() % 64,
    };
    *count = request->nr_segments;
    for (uint32_t i = 0; i < *count; i++) {
        segments[i].address =
            (uint64_t)rand() % (CLIENT_RAM + 8192) + (rand() % 2 == 0 ? HIGH - MIB : 0);
        segments[i].bytes = request->count * 512 / *count;
        segments[i].address &= rand() % 16 == 0 ? ~0ull : ~1ull;
    }
}

static void test_random(void **state)
{
    struct disk_completion completion;
    uint8_t *before = malloc(MODEL_DISK_BYTES);
    unsigned lives = 0;

    (void)state;
    srand(4);
    for (unsigned round = 0; round < 60; round++) {
        start_usual();
        memset(model.ports[0].drive.cache + 2048 * 512, 0x99, 2000 * 512);
        memset(ram(1, 0), 0x77, CLIENT_RAM);
        memcpy(before, model.ports[0].drive.cache, MODEL_DISK_BYTES);
        for (unsigned i = 0; i < 300 && state_of(0) == DISK_READY; i++) {
            struct disk_segment segments[4];
            struct disk_request request;
            uint32_t count;

            random_request(&request, segments, &count);
            if (ring_put(&peers[0].segments, segments, count) == count) {
                ring_put(&peers[0].requests, &request, 1);
                wake_server(0);
            }
            if (rand() % 4 == 0) {
                step();
            }
            while (rand() % 50 != 0 && ring_get(&peers[0].completions, &completion, 1) == 1) {
            }
            lives++;
        }
        steps(100);
        assert_memory_equal(before, model.ports[0].drive.cache, 64 * 512);
        assert_memory_equal(before + 1064 * 512, model.ports[0].drive.cache + 1064 * 512,
                            MODEL_DISK_BYTES - 1064 * 512);
        assert_true(all_are(ram(1, 0), 0x77, CLIENT_RAM));
        assert_int_equal(ask(1, DISK_READ, 0, 8, 0), DISK_OK);
        assert_true(all_are(ram(1, 0), 0x99, 4096));
        teardown(NULL);
    }
    assert_true(lives > 300);
    begin_usual(); /* for the teardown that follows */
    free(before);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names),          TEST(test_problems_only), TEST(test_serial),
        TEST(test_sharing),        TEST(test_two_drives),    TEST(test_late_drive),
        TEST(test_damaged_tables), TEST(test_large_sectors), TEST(test_no_controller),
        TEST(test_data),           TEST(test_refused),       TEST(test_read_only),
        TEST(test_many_segments),  TEST(test_durability),    TEST(test_fua),
        TEST(test_long_ones),      TEST(test_media_error),   TEST(test_error_lines),
        TEST(test_idle),           TEST(test_rules),         TEST(test_broken_rings),
        TEST(test_vanished_drive), TEST(test_limits),        TEST(test_limit_sleeps),
        TEST(test_limited_end),    TEST(test_fairness),      TEST(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
