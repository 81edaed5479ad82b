/* SPDX-License-Identifier: BSD-2-Clause */
/* The AHCI driver against the model: bringing up, moving data, and everything that goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sataserver/ahci_model.h"

#define STEP_US      100u
#define DRIVER_BYTES (9u << 20)
#define DATA_ADDRESS (MODEL_ARENA_ADDRESS + DRIVER_BYTES)
#define DATA_BYTES   (MODEL_ARENA_BYTES - DRIVER_BYTES)
#define LONG_TIME    400000u /* steps: 40 seconds */

static struct hba hba;
static uint64_t now;
static uint32_t register_bytes = HBA_BYTES;
static unsigned times_ready[AHCI_NR_PORTS];

static void note_ready(struct port *port)
{
    times_ready[port->index]++;
}

/* One step of the model; interrupts are told at once, ticks as rarely as is allowed. */
static void step(void)
{
    model_step();
    now += STEP_US;
    if (model_has_interrupt()) {
        hba_interrupt(&hba, now);
    }
    if (now % HBA_TICK_US == 0) {
        hba_tick(&hba, now);
    }
    if (model.violation != NULL) {
        fail_msg("%s", model.violation);
    }
}

static void begin(void)
{
    memset(&hba, 0, sizeof hba);
    memset(times_ready, 0, sizeof times_ready);
    hba.memory = (struct dma_memory){ model.arena, MODEL_ARENA_ADDRESS, DRIVER_BYTES };
    hba.ready = note_ready;
    hba.register_bytes = register_bytes;
    now = 0;
    hba_start(&hba, now);
}

static void run_until_state(const struct port *port, enum port_state wanted)
{
    for (unsigned i = 0; i < 10 * LONG_TIME && port->state != wanted; i++) {
        step();
    }
    assert_int_equal(port->state, wanted);
}

static void start(void)
{
    begin();
    for (unsigned i = 0; i < 10 * LONG_TIME && !hba_is_settled(&hba); i++) {
        step();
    }
    assert_true(hba_is_settled(&hba));
}

/* The usual machine: one drive of 512-byte sectors with a queue, at port 1. */
static struct port *start_one(void)
{
    model_init(1 << 1);
    model_add_drive(1, 512, 32);
    start();
    assert_int_equal(hba.ports[1].state, PORT_READY);
    return &hba.ports[1];
}

static int teardown(void **state)
{
    (void)state;
    model_free();
    register_bytes = HBA_BYTES;
    return 0;
}

static struct model_drive *drive_of(const struct port *port)
{
    return &model.ports[port->index].drive;
}

/* --- transfers --- */

struct job {
    struct transfer transfer;
    struct dma_segment segment;
    bool done;
};

static void job_done(struct transfer *transfer)
{
    struct job *job = (struct job *)transfer;

    assert_false(job->done);
    job->done = true;
}

/* A transfer between sectors and memory at DATA_ADDRESS + offset. */
static void submit(struct port *port, struct job *job, enum transfer_kind kind, uint64_t sector,
                   uint64_t count, uint64_t offset)
{
    memset(job, 0, sizeof *job);
    job->segment =
        (struct dma_segment){ DATA_ADDRESS + offset, count * port->identity.sector_bytes };
    job->transfer = (struct transfer){
        .kind = kind,
        .sector = sector,
        .count = count,
        .segments = &job->segment,
        .nr_segments = 1,
        .done = job_done,
    };
    port_submit(port, &job->transfer);
}

static void run_until(const struct job *job)
{
    for (unsigned i = 0; i < 10 * LONG_TIME && !job->done; i++) {
        step();
    }
    assert_true(job->done);
}

static enum transfer_result do_one(struct port *port, enum transfer_kind kind, uint64_t sector,
                                   uint64_t count, uint64_t offset)
{
    struct job job;

    submit(port, &job, kind, sector, count, offset);
    run_until(&job);
    return job.transfer.result;
}

static void fill(uint64_t offset, uint8_t value, uint64_t bytes)
{
    memset(model_memory(DATA_ADDRESS + offset), value, bytes);
}

static void assert_memory(uint64_t offset, uint8_t value, uint64_t bytes)
{
    const uint8_t *at = model_memory(DATA_ADDRESS + offset);

    for (uint64_t i = 0; i < bytes; i++) {
        if (at[i] != value) {
            fail_msg("byte %lu is %u, not %u", (unsigned long)(offset + i), at[i], value);
        }
    }
}

/* --- bringing up --- */

static void test_bring_up(void **state)
{
    (void)state;
    model_init(1 << 0 | 1 << 2 | 1 << 3 | 1u << 31);
    model_add_drive(0, 512, 32);
    model_add_drive(2, 512, 0);
    model.ports[2].drive.atapi = true;
    model_add_drive(31, 4096, 8);
    start();
    assert_int_equal(hba.ports[0].state, PORT_READY);
    assert_int_equal(hba.ports[1].state, PORT_UNUSED);
    assert_int_equal(hba.ports[2].state, PORT_FOREIGN);
    assert_int_equal(hba.ports[3].state, PORT_ABSENT);
    assert_int_equal(hba.ports[31].state, PORT_READY);
    for (unsigned i = 0; i < AHCI_NR_PORTS; i++) {
        assert_int_equal(times_ready[i], hba.ports[i].state != PORT_UNUSED);
    }
    assert_int_equal(model.ports[2].drive.commands, 0);
    assert_int_equal(hba.ports[0].identity.nr_sectors, MODEL_DISK_BYTES / 512);
    assert_int_equal(hba.ports[0].nr_slots, 32);
    assert_string_equal(hba.ports[0].identity.model, "Mo");
    assert_string_equal(hba.ports[0].identity.serial, "A1");
    assert_int_equal(hba.ports[31].identity.sector_bytes, 4096);
    assert_int_equal(hba.ports[31].nr_slots, 8);
    assert_false(hba_is_busy(&hba));
}

/* A BAR of one page has no room for the registers of the last two ports. */
static void test_short_registers(void **state)
{
    (void)state;
    model_init(1u << 29 | 1u << 30);
    model_add_drive(29, 512, 32);
    model_add_drive(30, 512, 32);
    register_bytes = 4096;
    start();
    assert_int_equal(hba.ports[29].state, PORT_READY);
    assert_int_equal(hba.ports[30].state, PORT_UNUSED);
}

static void test_all_ports(void **state)
{
    (void)state;
    model_init(0xffffffff);
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        model_add_drive(i, 512, 32);
    }
    start();
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        assert_int_equal(hba.ports[i].state, PORT_READY);
    }
    assert_int_equal(model.max_spinning, MODEL_PORTS);
}

static void test_staggered(void **state)
{
    (void)state;
    model_init(0x3f);
    model.cap |= HBA_CAP_SSS;
    for (unsigned i = 0; i < 6; i += 2) {
        model_add_drive(i, 512, 32);
        model.ports[i].drive.spin_steps = 1000;
    }
    start();
    assert_int_equal(model.max_spinning, 1);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(hba.ports[i].state, i % 2 == 0 ? PORT_READY : PORT_ABSENT);
    }
}

/* One that never gets ready takes its turn, and no more. */
static void test_staggered_dead(void **state)
{
    (void)state;
    model_init(3);
    model.cap |= HBA_CAP_SSS;
    model_add_drive(0, 512, 32);
    model_add_drive(1, 512, 32);
    model.ports[0].drive.spin_steps = 2 * LONG_TIME;
    begin();
    run_until_state(&hba.ports[1], PORT_READY);
    assert_int_equal(hba.ports[0].state, PORT_SPINNING);
    run_until_state(&hba.ports[0], PORT_FAILED);
    assert_int_equal(hba.ports[1].state, PORT_READY);
}

static void test_handoff(void **state)
{
    (void)state;
    model_init(1);
    model_add_drive(0, 512, 32);
    model.cap2 = HBA_CAP2_BOH;
    model.bohc = HBA_BOHC_BOS;
    model.bios_reads = 3;
    start();
    assert_int_equal(hba.ports[0].state, PORT_READY);
    assert_int_equal(model.bohc, HBA_BOHC_OOS);
    assert_true(now < 1000000);
    model_free();
    model_init(1);
    model_add_drive(0, 512, 32);
    model.cap2 = HBA_CAP2_BOH;
    model.bohc = HBA_BOHC_BOS;
    model.bios_reads = 1000000; /* does not let go */
    start();
    assert_int_equal(hba.ports[0].state, PORT_READY);
    assert_true(now > 2000000);
}

static void test_controller_fails(void **state)
{
    (void)state;
    model_init(1);
    model.reset_reads = 1000000;
    start();
    assert_int_equal(hba.state, HBA_FAILED);
    assert_string_equal(hba.failure, "the controller does not reset");
    model_free();
    model_init(1);
    model.cap &= ~HBA_CAP_S64A;
    start();
    assert_int_equal(hba.state, HBA_FAILED);
    assert_string_equal(hba.failure, "the controller cannot reach its memory above 4 GiB");
}

static void expect_refused(const char *reason)
{
    start();
    assert_int_equal(hba.ports[0].state, PORT_FAILED);
    assert_string_equal(hba.ports[0].failure, reason);
    model_free();
    model_init(1);
    model_add_drive(0, 512, 32);
}

static void test_drives_that_are_refused(void **state)
{
    (void)state;
    model_init(1);
    model_add_drive(0, 512, 32);
    model.ports[0].drive.no_lba48 = true;
    expect_refused("it has no 48-bit addresses or no DMA");
    model.ports[0].drive.no_flush = true;
    expect_refused("it has a write cache that cannot be flushed");
    model.ports[0].drive.claimed = (1ull << 48) + 1;
    expect_refused("its number of sectors is impossible");
    model.ports[0].drive.refuse_identify = true;
    expect_refused("it does not recover");
    model.ports[0].drive.hang = 1000;
    expect_refused("it does not recover");
    model.ports[0].drive.spin_steps = 2 * LONG_TIME;
    expect_refused("it does not get ready");
}

static void test_identity(void **state)
{
    uint8_t block[ATA_BLOCK_BYTES] = { 0 };
    struct ata_identity identity;

    (void)state;
    model_init(0);
    block[1] = 0x85;
    assert_string_equal(ata_identify(&identity, block), "it is not an ATA drive");
    memset(block, 0xff, sizeof block);
    assert_non_null(ata_identify(&identity, block));
    memset(block, 0, sizeof block);
    block[99] = 3;
    block[167] = 0x64; /* word 83: valid, FLUSH CACHE EXT, 48-bit */
    block[202] = 1;    /* 65536 sectors */
    assert_null(ata_identify(&identity, block));
    assert_int_equal(identity.nr_sectors, 65536);
    assert_int_equal(identity.queue_depth, 0);
    block[213] = 0x70; /* word 106: valid, several in a physical one, long sectors */
    block[212] = 3;
    block[235] = 1; /* words 117, 118: 256 words */
    assert_null(ata_identify(&identity, block));
    assert_int_equal(identity.physical_bytes, 4096);
    block[234] = 4;
    assert_string_equal(ata_identify(&identity, block),
                        "its sectors have neither 512 nor 4096 bytes");
    block[167] = 0xe4; /* the words' mark is wrong: they mean nothing */
    assert_non_null(ata_identify(&identity, block));
}

/* --- data --- */

#define NR_JOBS 100u

static void test_queue(void **state)
{
    struct port *port = start_one();
    struct job jobs[NR_JOBS];

    (void)state;
    for (unsigned reverse = 0; reverse < 2; reverse++) {
        model.reverse = reverse != 0;
        for (unsigned i = 0; i < NR_JOBS; i++) {
            fill(i * 4096, (uint8_t)(i + 1), 4096);
            submit(port, &jobs[i], TRANSFER_WRITE, i * 16, 8, i * 4096);
        }
        for (unsigned i = 0; i < NR_JOBS; i++) {
            run_until(&jobs[i]);
            assert_int_equal(jobs[i].transfer.result, TRANSFER_OK);
        }
        fill(0, 0, NR_JOBS * 4096);
        for (unsigned i = 0; i < NR_JOBS; i++) {
            submit(port, &jobs[i], TRANSFER_READ, i * 16, 8, i * 4096);
        }
        for (unsigned i = 0; i < NR_JOBS; i++) {
            run_until(&jobs[i]);
            assert_int_equal(jobs[i].transfer.result, TRANSFER_OK);
            assert_memory(i * 4096, (uint8_t)(i + 1), 4096);
        }
    }
    assert_int_equal(drive_of(port)->max_queued, 32);
    assert_int_equal(drive_of(port)->queued_commands, 4 * NR_JOBS);
    assert_int_equal(port->counters.queued, 4 * NR_JOBS);
}

static void test_without_queue(void **state)
{
    struct job jobs[10];
    struct port *port;

    (void)state;
    model_init(1);
    model_add_drive(0, 4096, 0);
    start();
    port = &hba.ports[0];
    assert_int_equal(port->nr_slots, 1);
    for (unsigned i = 0; i < 10; i++) {
        fill(i * 4096, (uint8_t)(i + 1), 4096);
        submit(port, &jobs[i], TRANSFER_WRITE, 10 - i, 1, i * 4096);
    }
    run_until(&jobs[9]);
    assert_int_equal(do_one(port, TRANSFER_READ, 1, 10, 65536), TRANSFER_OK);
    for (unsigned i = 0; i < 10; i++) {
        assert_memory(65536 + (9 - i) * 4096, (uint8_t)(i + 1), 4096);
    }
    assert_int_equal(drive_of(port)->queued_commands, 0);
}

/* A controller without queuing or with few slots decides, whatever the drive can. */
static void test_few_slots(void **state)
{
    (void)state;
    model_init(1);
    model_add_drive(0, 512, 32);
    model.cap = (model.cap & ~(31u << 8)) | 3u << 8;
    start();
    assert_int_equal(hba.ports[0].nr_slots, 4);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(do_one(&hba.ports[0], TRANSFER_READ, i, 1, 0), TRANSFER_OK);
    }
    model.cap &= ~HBA_CAP_SNCQ;
    start();
    assert_int_equal(hba.ports[0].nr_slots, 1);
}

static void test_scatter_gather(void **state)
{
    struct port *port = start_one();
    struct dma_segment segments[TRANSFER_MAX_SEGMENTS];
    struct job job = { 0 };
    const uint64_t piece = 4096 + 2;
    uint64_t bytes = 0;

    (void)state;
    for (unsigned i = 0; i < TRANSFER_MAX_SEGMENTS; i++) {
        segments[i] = (struct dma_segment){ DATA_ADDRESS + i * 8192, piece };
        fill(i * 8192, (uint8_t)i, piece);
        bytes += piece;
    }
    segments[TRANSFER_MAX_SEGMENTS - 1].bytes -= bytes % 512;
    bytes -= bytes % 512;
    job.transfer = (struct transfer){ .kind = TRANSFER_WRITE,
                                      .count = bytes / 512,
                                      .segments = segments,
                                      .nr_segments = TRANSFER_MAX_SEGMENTS,
                                      .done = job_done };
    assert_true(bytes > 1000000);
    port_submit(port, &job.transfer);
    run_until(&job);
    assert_int_equal(job.transfer.result, TRANSFER_OK);
    assert_int_equal(do_one(port, TRANSFER_READ, 0, bytes / 512, 0), TRANSFER_OK);
    for (uint64_t i = 0; i < bytes; i += 512) {
        assert_memory(i, (uint8_t)(i / piece), 1);
    }
    assert_int_equal(drive_of(port)->commands, 3); /* IDENTIFY, one each */
}

static void expect_invalid(struct port *port, struct transfer transfer)
{
    struct job job = { .transfer = transfer };
    unsigned commands = drive_of(port)->commands;

    job.transfer.done = job_done;
    port_submit(port, &job.transfer);
    assert_true(job.done);
    assert_int_equal(job.transfer.result, TRANSFER_INVALID);
    step();
    assert_int_equal(drive_of(port)->commands, commands);
}

static void test_invalid(void **state)
{
    struct port *port = start_one();
    const uint64_t end = MODEL_DISK_BYTES / 512;
    struct dma_segment good[2] = { { DATA_ADDRESS, 1024 }, { DATA_ADDRESS, 1024 } };
    struct dma_segment odd = { DATA_ADDRESS + 1, 512 },
                       odd_length[] = { { DATA_ADDRESS, 511 }, { DATA_ADDRESS, 1 } };
    struct dma_segment wraps = { UINT64_MAX - 511, 1024 }, empty[] = { good[0], { 0, 0 } };
    struct transfer base = {
        .kind = TRANSFER_WRITE, .count = 2, .segments = good, .nr_segments = 1
    };
    struct transfer bad;

    (void)state;
#define EXPECT_INVALID(...)                                                                        \
    do {                                                                                           \
        bad = base;                                                                                \
        __VA_ARGS__;                                                                               \
        expect_invalid(port, bad);                                                                 \
    } while (0)
    EXPECT_INVALID(bad.sector = end - 1);
    EXPECT_INVALID(bad.sector = UINT64_MAX);
    EXPECT_INVALID(bad.sector = UINT64_MAX - 1);
    EXPECT_INVALID(bad.count = 0);
    EXPECT_INVALID(bad.count = 3);
    EXPECT_INVALID(bad.nr_segments = 2);
    EXPECT_INVALID(bad.nr_segments = 0);
    EXPECT_INVALID(bad.nr_segments = TRANSFER_MAX_SEGMENTS + 1);
    EXPECT_INVALID(bad.segments = &odd; bad.count = 1);
    EXPECT_INVALID(bad.segments = odd_length; bad.nr_segments = 2; bad.count = 1);
    EXPECT_INVALID(bad.segments = &wraps);
    EXPECT_INVALID(bad.segments = empty; bad.nr_segments = 2);
    EXPECT_INVALID(bad.fua = true);
    EXPECT_INVALID(bad.kind = TRANSFER_TRIM; bad.sector = end);
    EXPECT_INVALID(bad.kind = TRANSFER_TRIM; bad.count = end + 1);
    EXPECT_INVALID(bad.kind = TRANSFER_TRIM; bad.count = 0);
    port->hba->address64 = false;
    EXPECT_INVALID(bad.count = 2);
#undef EXPECT_INVALID
}

/* --- durability --- */

static void test_flush(void **state)
{
    struct port *port = start_one();
    struct job write, flush, after;

    (void)state;
    fill(0, 0x5a, 4096);
    assert_int_equal(do_one(port, TRANSFER_WRITE, 0, 8, 0), TRANSFER_OK);
    model_power_cut(port->index);
    assert_int_equal(do_one(port, TRANSFER_READ, 0, 8, 8192), TRANSFER_OK);
    assert_memory(8192, 0, 4096); /* the model's cache is volatile: flushing is not for nothing */
    submit(port, &write, TRANSFER_WRITE, 0, 8, 0);
    submit(port, &flush, TRANSFER_FLUSH, 0, 0, 0);
    submit(port, &after, TRANSFER_READ, 0, 8, 16384);
    run_until(&flush);
    assert_true(write.done);
    assert_false(after.done); /* neither overtakes it */
    model_power_cut(port->index);
    run_until(&after);
    assert_memory(16384, 0x5a, 4096);
    assert_int_equal(drive_of(port)->flushes, 1);
}

static void test_fua(void **state)
{
    struct job job = { 0 };
    struct port *port;

    (void)state;
    for (unsigned depth = 0; depth <= 32; depth += 32) {
        model_init(1);
        model_add_drive(0, 512, depth);
        model.ports[0].drive.fua = true;
        start();
        port = &hba.ports[0];
        fill(0, 0x77, 512);
        job = (struct job){ .segment = { DATA_ADDRESS, 512 } };
        job.transfer = (struct transfer){ .kind = TRANSFER_WRITE,
                                          .fua = true,
                                          .count = 1,
                                          .segments = &job.segment,
                                          .nr_segments = 1,
                                          .done = job_done };
        port_submit(port, &job.transfer);
        run_until(&job);
        model_power_cut(0);
        assert_int_equal(do_one(port, TRANSFER_READ, 0, 1, 4096), TRANSFER_OK);
        assert_memory(4096, 0x77, 512);
        assert_int_equal(drive_of(port)->fua_writes, 1);
        if (depth == 0) {
            model_free();
        }
    }
}

static void test_trim(void **state)
{
    struct port *port;

    (void)state;
    port = start_one();
    fill(0, 0x11, 4096);
    assert_int_equal(do_one(port, TRANSFER_WRITE, 16, 8, 0), TRANSFER_OK);
    assert_int_equal(do_one(port, TRANSFER_TRIM, 17, 6, 0), TRANSFER_OK);
    assert_int_equal(do_one(port, TRANSFER_READ, 16, 8, 8192), TRANSFER_OK);
    assert_memory(8192, 0x11, 512);
    assert_memory(8192 + 512, 0, 6 * 512);
    assert_memory(8192 + 7 * 512, 0x11, 512);
    model_free();
    model_init(1);
    model_add_drive(0, 512, 32);
    model.ports[0].drive.claimed = 1ull << 40;
    start();
    port = &hba.ports[0];
    assert_int_equal(do_one(port, TRANSFER_TRIM, 5, 64 * 65535 * 2 + 7, 0), TRANSFER_OK);
    assert_int_equal(drive_of(port)->trims, 3);
    assert_int_equal(drive_of(port)->trimmed, 64 * 65535 * 2 + 7);
}

static void test_trim_ranges(void **state)
{
    uint8_t block[ATA_BLOCK_BYTES];
    uint64_t ranges[64];

    (void)state;
    model_init(0);
    assert_int_equal(ata_make_trim(block, 0x123456789abc, 65536), 65536);
    memcpy(ranges, block, sizeof ranges);
    assert_true(ranges[0] == (0xffffull << 48 | 0x123456789abc));
    assert_true(ranges[1] == (1ull << 48 | (0x123456789abc + 0xffff)));
    assert_true(ranges[2] == 0);
    assert_int_equal(ata_make_trim(block, 0, 1ull << 40), 64 * 65535);
}

/* --- errors of the drive --- */

/* 40 reads of 4 sectors each, of which number 13 has a bad sector in it. */
static void expect_one_error(struct port *port, uint8_t error)
{
    struct job jobs[40];

    for (unsigned i = 0; i < 8192; i += 64) {
        memset(drive_of(port)->cache + i * 512, (int)(i / 64), 64 * 512);
    }
    drive_of(port)->bad_sector = 13 * 64 + 3;
    drive_of(port)->bad_error = error;
    for (unsigned i = 0; i < 40; i++) {
        submit(port, &jobs[i], TRANSFER_READ, i * 64, 4, i * 4096);
    }
    for (unsigned i = 0; i < 40; i++) {
        run_until(&jobs[i]);
        assert_int_equal(jobs[i].transfer.result, i == 13 ? TRANSFER_MEDIA : TRANSFER_OK);
        if (i != 13) {
            assert_memory(i * 4096, (uint8_t)i, 2048);
        }
    }
    assert_int_equal(jobs[13].transfer.error, error);
    assert_int_equal(port->counters.errors, 1);
    assert_int_equal(port->state, PORT_READY);
    drive_of(port)->bad_sector = UINT64_MAX;
    assert_int_equal(do_one(port, TRANSFER_READ, 13 * 64, 4, 0), TRANSFER_OK);
}

static void test_media_error(void **state)
{
    struct port *port = start_one();

    (void)state;
    model.reverse = true;
    expect_one_error(port, ATA_ERROR_UNC);
    assert_int_equal(drive_of(port)->log_reads, 1);
    assert_int_equal(drive_of(port)->resets, 1);
}

static void test_media_error_without_log(void **state)
{
    struct port *port = start_one();

    (void)state;
    drive_of(port)->no_log = true;
    expect_one_error(port, ATA_ERROR_UNC);
    assert_int_equal(drive_of(port)->resets, 1);
}

static void test_media_error_garbage_log(void **state)
{
    struct port *port = start_one();
    struct job jobs[3];

    (void)state;
    drive_of(port)->garbage_log = 1; /* names a tag that is not in use */
    drive_of(port)->bad_sector = 1;
    drive_of(port)->bad_error = ATA_ERROR_IDNF;
    for (unsigned i = 0; i < 3; i++) {
        submit(port, &jobs[i], TRANSFER_READ, i, 1, i * 4096);
    }
    for (unsigned i = 0; i < 3; i++) {
        run_until(&jobs[i]);
        assert_int_equal(jobs[i].transfer.result, i == 1 ? TRANSFER_MEDIA : TRANSFER_OK);
    }
}

static void test_media_error_without_queue(void **state)
{
    (void)state;
    model_init(1);
    model_add_drive(0, 512, 0);
    start();
    expect_one_error(&hba.ports[0], ATA_ERROR_UNC);
}

static void test_busy_after_error(void **state)
{
    struct port *port = start_one();
    struct job jobs[2];

    (void)state;
    drive_of(port)->busy_after_error = true;
    drive_of(port)->bad_sector = 0;
    drive_of(port)->bad_error = ATA_ERROR_UNC;
    submit(port, &jobs[0], TRANSFER_READ, 0, 1, 0);
    submit(port, &jobs[1], TRANSFER_READ, 1, 1, 4096);
    run_until(&jobs[0]);
    run_until(&jobs[1]);
    assert_int_equal(jobs[0].transfer.result, TRANSFER_MEDIA);
    assert_int_equal(jobs[1].transfer.result, TRANSFER_OK);
    assert_int_equal(drive_of(port)->resets, 3); /* at the start, after each error */
}

/* --- errors on the way --- */

static void test_checksum_error(void **state)
{
    struct port *port = start_one();

    (void)state;
    drive_of(port)->bad_sector = 7;
    drive_of(port)->bad_error = ATA_ERROR_ICRC | ATA_ERROR_ABRT;
    assert_int_equal(do_one(port, TRANSFER_READ, 0, 8, 0), TRANSFER_TRANSPORT);
    assert_int_equal(port->counters.errors, TRANSFER_MAX_ATTEMPTS);
    assert_int_equal(do_one(port, TRANSFER_READ, 8, 8, 0), TRANSFER_OK);
}

static void expect_recovery(struct port *port, unsigned resets)
{
    struct job jobs[20];
    unsigned before = drive_of(port)->resets;

    for (unsigned i = 0; i < 20; i++) {
        fill(i * 4096, (uint8_t)(i + 1), 512);
        submit(port, &jobs[i], TRANSFER_WRITE, i, 1, i * 4096);
    }
    for (unsigned i = 0; i < 20; i++) {
        run_until(&jobs[i]);
        assert_int_equal(jobs[i].transfer.result, TRANSFER_OK);
    }
    assert_int_equal(drive_of(port)->resets - before, resets);
    assert_int_equal(do_one(port, TRANSFER_READ, 0, 20, 1 << 20), TRANSFER_OK);
    for (unsigned i = 0; i < 20; i++) {
        assert_memory((1 << 20) + i * 512, (uint8_t)(i + 1), 512);
    }
}

static void test_interface_error(void **state)
{
    struct port *port = start_one();

    (void)state;
    drive_of(port)->garble = 1;
    expect_recovery(port, 1);
    drive_of(port)->garble = 2;
    expect_recovery(port, 2);
}

static void test_time_out(void **state)
{
    struct port *port = start_one();
    uint64_t before;

    (void)state;
    before = now;
    drive_of(port)->hang = 1;
    expect_recovery(port, 1);
    assert_true(now - before >= 30000000 && now - before < 40000000);
}

/* Errors without end: each transfer is answered after a bounded number of attempts. */
static void test_hopeless(void **state)
{
    struct port *port = start_one();
    struct job jobs[40];

    (void)state;
    drive_of(port)->garble = 1000000;
    for (unsigned i = 0; i < 40; i++) {
        submit(port, &jobs[i], TRANSFER_READ, i, 1, i * 4096);
    }
    for (unsigned i = 0; i < 40; i++) {
        run_until(&jobs[i]);
        assert_int_not_equal(jobs[i].transfer.result, TRANSFER_OK);
    }
    assert_int_equal(do_one(port, TRANSFER_READ, 0, 1, 0), TRANSFER_GONE);
    assert_int_equal(port->state, PORT_FAILED);
    assert_string_equal(port->failure, "it does not recover");
    assert_true(port->counters.resets <= 5);
}

static void test_unplug(void **state)
{
    struct port *port = start_one();
    struct job jobs[40];

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        submit(port, &jobs[i], TRANSFER_READ, i, 1, i * 4096);
    }
    model_unplug(port->index);
    for (unsigned i = 0; i < 40; i++) {
        run_until(&jobs[i]);
        assert_int_equal(jobs[i].transfer.result, TRANSFER_GONE);
    }
    assert_string_equal(port->failure, "it has gone");
    assert_int_equal(do_one(port, TRANSFER_FLUSH, 0, 0, 0), TRANSFER_GONE);
}

/* Another drive in its place must not get the old one's writes. */
static void test_exchanged(void **state)
{
    struct port *port = start_one();
    struct job job;

    (void)state;
    drive_of(port)->garble = 1;
    drive_of(port)->serial = 'B';
    submit(port, &job, TRANSFER_WRITE, 0, 1, 0);
    run_until(&job);
    assert_int_equal(job.transfer.result, TRANSFER_GONE);
    assert_string_equal(port->failure, "it has come back as another drive");
}

static void test_stuck(void **state)
{
    struct port *port = start_one();
    struct job jobs[3];

    (void)state;
    model.stuck = true;
    drive_of(port)->garble = 1;
    for (unsigned i = 0; i < 3; i++) {
        submit(port, &jobs[i], TRANSFER_READ, i, 1, 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        run_until(&jobs[i]);
        assert_int_equal(jobs[i].transfer.result, TRANSFER_GONE);
    }
    assert_int_equal(hba.state, HBA_FAILED);
    assert_string_equal(hba.failure, "a port does not stop");
}

/* A lost interrupt costs time, nothing else. */
static void test_lost_interrupt(void **state)
{
    struct port *port = start_one();
    struct job job;

    (void)state;
    model.ports[1].ie = 0;
    submit(port, &job, TRANSFER_READ, 0, 1, 0);
    for (unsigned i = 0; i < 200; i++) {
        step();
    }
    assert_true(job.done);
    assert_int_equal(job.transfer.result, TRANSFER_OK);
}

static void test_withdraw(void **state)
{
    struct port *port = start_one();
    struct job jobs[40];

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        submit(port, &jobs[i], TRANSFER_READ, i, 1, i * 4096);
    }
    assert_false(port_withdraw(port, &jobs[0].transfer));
    assert_true(port_withdraw(port, &jobs[35].transfer));
    assert_false(port_withdraw(port, &jobs[35].transfer));
    run_until(&jobs[39]);
    assert_false(jobs[35].done);
}

/* --- chance --- */

#define CHANCE_SECTORS 512u
#define CHANCE_JOBS    48u

/*
 * Random transfers while errors of all kinds happen: every transfer ends exactly once; data is what
 * the last write made it; and no page is touched that does not belong to a transfer in flight.
 */
struct chance_job {
    struct job job;
    unsigned index;
    bool active;
    uint8_t value;
    struct port *port;
};

static struct chance_job chances[CHANCE_JOBS];
static uint8_t expected[CHANCE_SECTORS]; /* value of each sector */
static bool sector_busy[CHANCE_SECTORS];

static void allow(unsigned index, bool yes)
{
    memset(model.allowed + (DRIVER_BYTES + index * 65536u) / 4096, yes, 16);
}

static void chance_done(struct transfer *transfer)
{
    struct chance_job *job = (struct chance_job *)transfer;

    assert_true(job->active);
    job->active = false;
    for (uint64_t i = 0; transfer->kind != TRANSFER_FLUSH && i < transfer->count; i++) {
        uint64_t sector = transfer->sector + i;

        if (transfer->kind == TRANSFER_READ && transfer->result == TRANSFER_OK) {
            assert_memory(job->index * 65536u + i * 512, expected[sector], 512);
        } else if (transfer->kind == TRANSFER_WRITE) {
            /* One that failed may have been written or not. */
            expected[sector] = drive_of(job->port)->cache[sector * 512];
            assert_true(transfer->result != TRANSFER_OK || expected[sector] == job->value);
        }
        sector_busy[sector] = false;
    }
    allow(job->index, false);
}

static void chance_submit(struct port *port, struct chance_job *job)
{
    uint64_t sector = (uint64_t)rand() % CHANCE_SECTORS, count = 1 + (uint64_t)rand() % 16;

    if (sector + count > CHANCE_SECTORS) {
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (sector_busy[sector + i]) {
            return;
        }
    }
    memset(&job->job, 0, sizeof job->job);
    job->job.segment = (struct dma_segment){ DATA_ADDRESS + job->index * 65536u, count * 512 };
    job->job.transfer = (struct transfer){
        .kind = rand() % 16 == 0 ? TRANSFER_FLUSH
                : rand() % 2     ? TRANSFER_READ
                                 : TRANSFER_WRITE,
        .sector = sector,
        .count = count,
        .segments = &job->job.segment,
        .nr_segments = 1,
        .done = chance_done,
    };
    if (job->job.transfer.kind != TRANSFER_FLUSH) {
        memset(sector_busy + sector, 1, count);
    }
    job->active = true;
    job->value = (uint8_t)rand();
    job->port = port;
    fill(job->index * 65536u, job->value, count * 512);
    allow(job->index, true);
    port_submit(port, &job->job.transfer);
}

/* Resets one after the other would have the drive given up, which test_hopeless looks at. */
static void chance_go_wrong(const struct port *port)
{
    struct model_drive *drive = drive_of(port);
    bool calm = port->resets == 0 && drive->hang + drive->garble == 0;

    switch (rand() % 300) {
    case 0:
        drive->garble = calm;
        break;
    case 1:
        drive->bad_sector = (uint64_t)rand() % CHANCE_SECTORS;
        drive->bad_error = rand() % 2 ? ATA_ERROR_UNC : ATA_ERROR_IDNF;
        break;
    case 2:
        drive->bad_sector = UINT64_MAX;
        break;
    case 3:
        drive->no_log = !drive->no_log;
        break;
    case 4:
        drive->hang = calm;
        break;
    case 5:
        drive->garbage_log = 1;
        break;
    case 6:
        model.reverse = !model.reverse;
        break;
    default:
        break;
    }
}

static void test_chance(void **state)
{
    struct port *port = start_one();

    (void)state;
    srand(1);
    model.stop_reads = 0; /* the jumps in time below would make it late */
    model.allowed = calloc(1, MODEL_ARENA_BYTES / 4096);
    memset(model.allowed, 1, DRIVER_BYTES / 4096);
    memset(sector_busy, 0, sizeof sector_busy);
    memset(expected, 0, sizeof expected);
    for (unsigned i = 0; i < CHANCE_JOBS; i++) {
        chances[i] = (struct chance_job){ .index = i };
    }
    for (unsigned round = 0; round < 20000; round++) {
        for (unsigned i = 0; i < CHANCE_JOBS; i++) {
            if (!chances[i].active && rand() % 3 == 0) {
                chance_submit(port, &chances[i]);
            }
        }
        chance_go_wrong(port);
        now += rand() % 4 == 0 ? 2000000 : 0; /* or silence would take up most of the rounds */
        step();
    }
    drive_of(port)->garble = 0;
    for (unsigned i = 0; i < CHANCE_JOBS; i++) {
        for (unsigned n = 0; n < 10 * LONG_TIME && chances[i].active; n++) {
            step();
        }
        assert_false(chances[i].active);
    }
    if (port->state != PORT_READY) {
        fail_msg("state %u: %s", port->state, port->failure);
    }
    print_message("%lu commands, %lu errors, %lu resets\n", port->counters.commands,
                  port->counters.errors, port->counters.resets);
    assert_true(port->counters.resets > 10 && port->counters.errors > 10);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_short_registers),
        TEST(test_bring_up),
        TEST(test_all_ports),
        TEST(test_staggered),
        TEST(test_staggered_dead),
        TEST(test_handoff),
        TEST(test_controller_fails),
        TEST(test_drives_that_are_refused),
        TEST(test_identity),
        TEST(test_queue),
        TEST(test_without_queue),
        TEST(test_few_slots),
        TEST(test_scatter_gather),
        TEST(test_invalid),
        TEST(test_flush),
        TEST(test_fua),
        TEST(test_trim),
        TEST(test_trim_ranges),
        TEST(test_media_error),
        TEST(test_media_error_without_log),
        TEST(test_media_error_garbage_log),
        TEST(test_media_error_without_queue),
        TEST(test_busy_after_error),
        TEST(test_checksum_error),
        TEST(test_interface_error),
        TEST(test_time_out),
        TEST(test_hopeless),
        TEST(test_unplug),
        TEST(test_exchanged),
        TEST(test_stuck),
        TEST(test_lost_interrupt),
        TEST(test_withdraw),
        TEST(test_chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
