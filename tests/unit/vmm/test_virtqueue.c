/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtqueues of both formats, between our side and a model of a driver; and hostile drivers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vmm/virtio_driver.h"
#include "user/vmm/virtqueue.h"

#define RAM_BYTES (4ull << 20)
#define RINGS     0x10000ull
#define DATA      0x200000ull

struct world {
    struct guest_ram ram;
    struct driver_queue driver;
    struct virtqueue queue;
    struct virtqueue_chain chain;
};

/* Ways of using a queue; all tests that hold for every one of them run with each. */
struct way {
    bool packed, event_index;
    uint16_t size;
};

static const struct way ways[] = {
    { false, false, 8 }, { false, true, 8 }, { false, true, 256 }, { false, true, 1 },
    { true, false, 8 },  { true, true, 7 },  { true, true, 256 },  { true, true, 1 },
};

#define NR_WAYS (sizeof(ways) / sizeof(ways[0]))

static void start(struct world *world, const struct way *way)
{
    const struct virtqueue_format format = { way->packed, true, way->event_index };

    driver_init(&world->driver, &world->ram, RINGS, way->size, way->packed, way->event_index);
    virtqueue_reset(&world->queue, VIRTQUEUE_MAX_SIZE);
    world->queue.size = way->size;
    world->queue.descriptor_area = world->driver.descriptors;
    world->queue.driver_area = world->driver.driver;
    world->queue.device_area = world->driver.device;
    assert_true(virtqueue_enable(&world->queue, &world->ram, format));
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    guest_ram_init(&world->ram, aligned_alloc(4096, RAM_BYTES), RAM_BYTES);
    memset(world->ram.base, 0, RAM_BYTES);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    free(world->ram.base);
    free(world);
    return 0;
}

static enum virtqueue_result take(struct world *world)
{
    return virtqueue_take(&world->queue, &world->chain);
}

static struct virtqueue_ticket ticket_of(const struct world *world)
{
    return (struct virtqueue_ticket){ world->chain.id, world->chain.places };
}

/* --- in order --- */

static void test_chain(void **state)
{
    static const struct driver_buffer buffers[] = { { DATA, 16, false },
                                                    { DATA + 0x1000, 512, false },
                                                    { DATA + 0x2000, 1, true } };
    struct world *world = *state;

    for (unsigned i = 0; i < NR_WAYS; i++) {
        struct driver_used used;

        if (ways[i].size < 3) {
            continue; /* a chain is not longer than its queue */
        }
        start(world, &ways[i]);
        assert_int_equal(take(world), VIRTQUEUE_EMPTY);
        int id = driver_put(&world->driver, buffers, 3, false);
        assert_int_equal(take(world), VIRTQUEUE_TAKEN);
        assert_int_equal(world->chain.id, id);
        assert_int_equal(world->chain.places, ways[i].packed ? 3 : 1);
        assert_int_equal(world->chain.nr_segments, 3);
        assert_int_equal(world->chain.nr_readable, 2);
        assert_int_equal(world->chain.readable_bytes, 528);
        assert_int_equal(world->chain.writable_bytes, 1);
        assert_int_equal(world->chain.segments[1].address, DATA + 0x1000);
        assert_int_equal(world->chain.segments[1].bytes, 512);
        assert_int_equal(take(world), VIRTQUEUE_EMPTY);
        assert_false(driver_get(&world->driver, &used));
        virtqueue_put(&world->queue, ticket_of(world), 1);
        assert_true(driver_get(&world->driver, &used));
        assert_int_equal(used.id, id);
        assert_int_equal(used.written, 1);
        assert_false(driver_get(&world->driver, &used));
    }
}

static void test_indirect(void **state)
{
    static const struct driver_buffer buffers[] = { { DATA, 16, false },
                                                    { DATA + 0x1000, 4096, true },
                                                    { DATA + 0x3000, 1, true } };
    struct world *world = *state;

    for (unsigned i = 0; i < NR_WAYS; i++) {
        struct driver_used used;

        start(world, &ways[i]);
        if (ways[i].size < 3) {
            continue;
        }
        assert_true(driver_put(&world->driver, buffers, 3, true) >= 0);
        assert_int_equal(take(world), VIRTQUEUE_TAKEN);
        assert_int_equal(world->chain.places, 1);
        assert_int_equal(world->chain.nr_segments, 3);
        assert_int_equal(world->chain.nr_readable, 1);
        assert_int_equal(world->chain.writable_bytes, 4097);
        virtqueue_put(&world->queue, ticket_of(world), 4097);
        assert_true(driver_get(&world->driver, &used));
        assert_int_equal(used.written, 4097);
    }
}

/* What the driver wants to be told, and whether it must kick, through many laps of random steps. */
struct random_run {
    struct world *world;
    struct virtqueue_ticket taken[DRIVER_MAX_SIZE];
    uint64_t expected[DRIVER_MAX_SIZE]; /* the address of the first buffer, by name */
    unsigned nr_taken, nr_waiting;      /* available, not taken */
    bool device_sleeps, driver_sleeps;
};

static void random_put(struct random_run *run, unsigned number)
{
    struct driver_queue *driver = &run->world->driver;
    unsigned most = driver->size < 4 ? driver->size : 4, nr = 1 + (unsigned)rand() % most;
    struct driver_buffer buffers[4];
    int id;

    for (unsigned i = 0; i < nr; i++) {
        buffers[i] = (struct driver_buffer){ DATA + 16 * number + 4 * i, 4, i >= nr / 2 };
    }
    id = driver_put(driver, buffers, nr, rand() % 2 == 0);
    if (id >= 0) {
        run->expected[id] = DATA + 16 * number;
        run->nr_waiting++;
        if (driver_must_kick(driver)) {
            run->device_sleeps = false;
        } else {
            assert_false(run->device_sleeps); /* it would never wake */
        }
    }
}

static void random_take(struct random_run *run)
{
    struct world *world = run->world;

    if (run->nr_waiting == 0) {
        assert_int_equal(take(world), VIRTQUEUE_EMPTY);
        run->device_sleeps = !virtqueue_listen(&world->queue);
        assert_true(run->device_sleeps);
        return;
    }
    run->device_sleeps = false;
    virtqueue_quiet(&world->queue);
    assert_int_equal(take(world), VIRTQUEUE_TAKEN);
    assert_int_equal(world->chain.segments[0].address, run->expected[world->chain.id]);
    if (rand() % 4 == 0) {
        virtqueue_untake(&world->queue, &world->chain);
        return;
    }
    run->taken[run->nr_taken++] = ticket_of(world);
    run->nr_waiting--;
}

static void random_finish(struct random_run *run)
{
    unsigned which;

    if (run->nr_taken == 0) {
        return;
    }
    which = (unsigned)rand() % run->nr_taken; /* in any order */
    virtqueue_put(&run->world->queue, run->taken[which], (uint32_t)run->taken[which].id + 1);
    run->taken[which] = run->taken[--run->nr_taken];
    if (virtqueue_wants_interrupt(&run->world->queue)) {
        run->driver_sleeps = false;
    } else {
        assert_false(run->driver_sleeps);
    }
}

static void random_collect(struct random_run *run)
{
    struct driver_queue *driver = &run->world->driver;
    struct driver_used used;

    run->driver_sleeps = false;
    while (driver_get(driver, &used)) {
        assert_int_equal(used.written, used.id + 1);
    }
    if (rand() % 2 == 0) {
        driver_listen(driver);
        run->driver_sleeps = true;
    } else {
        driver_quiet(driver);
        virtqueue_wants_interrupt(&run->world->queue);
    }
}

static void test_random(void **state)
{
    srand(1);
    for (unsigned i = 0; i < NR_WAYS; i++) {
        struct random_run run = { .world = *state };

        start(run.world, &ways[i]);
        for (unsigned step = 0; step < 40000; step++) {
            switch (rand() % 4) {
            case 0:
                random_put(&run, step);
                break;
            case 1:
                random_take(&run);
                break;
            case 2:
                random_finish(&run);
                break;
            default:
                random_collect(&run);
                break;
            }
        }
        assert_false(run.world->queue.broken);
    }
}

/* Indices run over 65536, and nobody is woken who did not ask. */
static void test_quiet_driver(void **state)
{
    static const struct driver_buffer buffer = { DATA, 4, true };
    struct world *world = *state;

    for (unsigned i = 0; i < NR_WAYS; i++) {
        struct driver_used used;
        unsigned interrupts = 0;

        start(world, &ways[i]);
        for (unsigned n = 0; n < 70000; n++) {
            driver_quiet(&world->driver);
            assert_true(driver_put(&world->driver, &buffer, 1, false) >= 0);
            assert_int_equal(take(world), VIRTQUEUE_TAKEN);
            virtqueue_put(&world->queue, ticket_of(world), 4);
            interrupts += virtqueue_wants_interrupt(&world->queue);
            assert_true(driver_get(&world->driver, &used));
        }
        assert_int_equal(interrupts, 0);
        assert_false(virtqueue_wants_interrupt(&world->queue)); /* nothing was put since */
    }
}

static void test_enable(void **state)
{
    const struct virtqueue_format format = { 0 };
    struct world *world = *state;
    struct virtqueue *queue = &world->queue;

    for (unsigned i = 0; i < 3; i++) {
        start(world, &ways[0]);
        uint64_t *area = i == 0   ? &queue->descriptor_area
                         : i == 1 ? &queue->driver_area
                                  : &queue->device_area;
        uint64_t good = *area;
        const uint64_t bad[] = { good + 1, RAM_BYTES, RAM_BYTES - 16, ~0ull, ~0xfull, 0xfee00000 };

        for (unsigned n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
            *area = bad[n];
            assert_false(virtqueue_enable(queue, &world->ram, format));
            assert_int_equal(take(world), VIRTQUEUE_EMPTY);
            assert_false(virtqueue_listen(queue));
        }
        *area = good;
        assert_true(virtqueue_enable(queue, &world->ram, format));
    }
}

/* --- hostile drivers --- */

struct descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t third, fourth;
};

static struct descriptor *ring_entry(struct world *world, unsigned i)
{
    return driver_at(&world->driver, world->driver.descriptors + 16 * i, 16);
}

/* The ring breaks and stays broken, whatever comes. */
static void assert_breaks(struct world *world)
{
    assert_int_equal(take(world), VIRTQUEUE_BROKEN);
    assert_int_equal(take(world), VIRTQUEUE_BROKEN);
    assert_false(virtqueue_listen(&world->queue));
}

static void test_bad_buffers(void **state)
{
    static const struct driver_buffer bad[] = {
        { DATA, 0, false },                  /* empty */
        { RAM_BYTES, 1, false },             /* outside */
        { RAM_BYTES - 16, 17, true },        /* over the end */
        { 0xffffffffffffff00, 0x200, true }, /* wraps around */
        { 0xfee00000, 4, true },             /* not memory */
        { DATA, 0xffffffff, false },
    };
    struct world *world = *state;

    for (unsigned i = 0; i < NR_WAYS; i++) {
        for (unsigned n = 0; n < 2 * sizeof(bad) / sizeof(bad[0]); n++) {
            start(world, &ways[i]);
            driver_put(&world->driver, &bad[n / 2], 1, n % 2 == 1);
            assert_breaks(world);
        }
    }
}

static void test_writable_first(void **state)
{
    static const struct driver_buffer buffers[] = { { DATA, 16, true }, { DATA, 16, false } };
    struct world *world = *state;

    for (unsigned i = 0; i < NR_WAYS; i++) {
        if (ways[i].size >= 2) {
            start(world, &ways[i]);
            driver_put(&world->driver, buffers, 2, i % 2 == 0);
            assert_breaks(world);
        }
    }
}

/* Longer than the queue, though each descriptor is right. */
static void test_long_chain(void **state)
{
    struct driver_buffer buffers[VIRTQUEUE_MAX_SIZE];
    struct world *world = *state;

    for (unsigned i = 0; i < VIRTQUEUE_MAX_SIZE; i++) {
        buffers[i] = (struct driver_buffer){ DATA + 16 * i, 16, false };
    }
    for (unsigned i = 0; i < NR_WAYS; i++) {
        unsigned longer = ways[i].size + 1u;

        start(world, &ways[i]);
        driver_put(&world->driver, buffers, ways[i].size, true);
        assert_int_equal(take(world), VIRTQUEUE_TAKEN);
        assert_int_equal(world->chain.nr_segments, ways[i].size);
        if (longer <= VIRTQUEUE_MAX_SIZE) {
            start(world, &ways[i]);
            driver_put(&world->driver, buffers, longer, true);
            assert_breaks(world);
        }
    }
}

static void test_split_loop(void **state)
{
    static const struct driver_buffer buffers[] = { { DATA, 16, false }, { DATA, 16, false } };
    struct world *world = *state;

    start(world, &ways[0]); /* to itself */
    int id = driver_put(&world->driver, buffers, 1, false);
    *ring_entry(world, (unsigned)id) = (struct descriptor){ DATA, 16, DRIVER_NEXT, (uint16_t)id };
    assert_breaks(world);
    start(world, &ways[0]); /* inside of an indirect table */
    id = driver_put(&world->driver, buffers, 2, true);
    struct descriptor *table =
        driver_at(&world->driver, ring_entry(world, (unsigned)id)->address, 32);
    table[1] = (struct descriptor){ DATA, 16, DRIVER_NEXT, 0 };
    assert_breaks(world);
    start(world, &ways[0]); /* out of the table */
    id = driver_put(&world->driver, buffers, 2, true);
    table = driver_at(&world->driver, ring_entry(world, (unsigned)id)->address, 32);
    table[0].fourth = 2;
    assert_breaks(world);
    start(world, &ways[0]); /* out of the ring */
    id = driver_put(&world->driver, buffers, 2, false);
    ring_entry(world, (unsigned)id)->fourth = 8;
    assert_breaks(world);
}

static void test_packed_loop(void **state)
{
    struct world *world = *state;

    start(world, &ways[5]); /* every descriptor says that another one follows */
    for (unsigned i = 0; i < 7; i++) {
        *ring_entry(world, i) = (struct descriptor){ DATA, 16, 0, 0x80 | DRIVER_NEXT };
    }
    assert_breaks(world);
}

static void test_bad_indirect(void **state)
{
    static const struct driver_buffer buffer = { DATA, 16, false };
    static const struct {
        uint64_t address;
        uint32_t bytes;
        uint16_t flags;
    } bad[] = {
        { 0x30000, 0, 0 },                          /* empty */
        { 0x30000, 24, 0 },                         /* no whole number of descriptors */
        { RAM_BYTES - 16, 32, 0 },                  /* over the end */
        { ~0xfull, 32, 0 },                         /* wraps around */
        { 0x30000, 16, DRIVER_NEXT },               /* with a follower */
        { RAM_BYTES + 0x100000000ull, 0x100000, 0 } /* nowhere */
    };
    struct world *world = *state;

    for (unsigned i = 0; i < NR_WAYS; i++) {
        for (unsigned n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
            start(world, &ways[i]);
            *(struct descriptor *)driver_at(&world->driver, 0x30000, 16) =
                (struct descriptor){ DATA, 16, 0, 0 };
            int id = driver_put(&world->driver, &buffer, 1, true);
            struct descriptor *entry = ring_entry(world, (unsigned)id);

            entry->address = bad[n].address;
            entry->bytes = bad[n].bytes;
            *(ways[i].packed ? &entry->fourth : &entry->third) |= bad[n].flags;
            assert_breaks(world);
        }
        start(world, &ways[i]); /* not agreed on */
        world->queue.format.indirect = false;
        driver_put(&world->driver, &buffer, 1, true);
        assert_breaks(world);
    }
}

/* In a split ring tables know the flag; in a packed one it means nothing inside of a table. */
static void test_indirect_in_indirect(void **state)
{
    static const struct driver_buffer buffer = { DATA, 16, false };
    struct world *world = *state;

    start(world, &ways[0]);
    int id = driver_put(&world->driver, &buffer, 1, true);
    struct descriptor *table =
        driver_at(&world->driver, ring_entry(world, (unsigned)id)->address, 16);

    *(struct descriptor *)driver_at(&world->driver, DATA, 16) =
        (struct descriptor){ DATA, 16, 0, 0 };
    table->third = DRIVER_INDIRECT;
    assert_breaks(world);
}

static void test_jumping_index(void **state)
{
    static const struct driver_buffer buffer = { DATA, 16, false };
    struct world *world = *state;
    uint16_t *index;

    for (unsigned taken = 0; taken < 2; taken++) {
        start(world, &ways[0]);
        index = driver_at(&world->driver, world->driver.driver + 2, 2);
        if (taken == 1) { /* a chain that is with us leaves one descriptor less */
            driver_put(&world->driver, &buffer, 1, false);
            assert_int_equal(take(world), VIRTQUEUE_TAKEN);
        }
        *index = 9;
        assert_breaks(world);
        start(world, &ways[0]);
        *index = 0xffff; /* backwards */
        assert_breaks(world);
    }
}

static void test_bad_head(void **state)
{
    static const struct driver_buffer buffer = { DATA, 16, false };
    struct world *world = *state;

    start(world, &ways[0]);
    driver_put(&world->driver, &buffer, 1, false);
    *(uint16_t *)driver_at(&world->driver, world->driver.driver + 4, 2) = 8;
    assert_breaks(world);
}

/* More descriptors than the ring has places, while the first ones are still with us. */
static void test_packed_overtakes(void **state)
{
    struct world *world = *state;

    start(world, &ways[5]);
    for (unsigned lap = 0; lap < 2; lap++) {
        for (unsigned i = 0; i < 7; i++) {
            *ring_entry(world, i) = (struct descriptor){ DATA, 16, 0, lap == 0 ? 0x80 : 0x8000 };
            if (lap == 0) {
                assert_int_equal(take(world), VIRTQUEUE_TAKEN);
            }
        }
    }
    assert_breaks(world);
}

/* --- segments --- */

static void test_segments(void **state)
{
    static const struct virtqueue_segment segments[] = { { DATA, 10 },
                                                         { DATA + 0x100, 20 },
                                                         { DATA + 0x200, 30 } };
    struct virtqueue_segment slice[3];
    struct world *world = *state;
    uint8_t bytes[60];

    start(world, &ways[0]);
    assert_int_equal(virtqueue_slice(segments, 3, 0, 60, slice), 3);
    assert_memory_equal(slice, segments, sizeof(segments));
    assert_int_equal(virtqueue_slice(segments, 3, 15, 20, slice), 2);
    assert_int_equal(slice[0].address, DATA + 0x105);
    assert_int_equal(slice[0].bytes, 15);
    assert_int_equal(slice[1].address, DATA + 0x200);
    assert_int_equal(slice[1].bytes, 5);
    assert_int_equal(virtqueue_slice(segments, 3, 59, 1, slice), 1);
    assert_int_equal(slice[0].address, DATA + 0x21d);
    assert_int_equal(virtqueue_slice(segments, 3, 60, 1, slice), 0);
    assert_int_equal(virtqueue_slice(segments, 3, 7, 0, slice), 0);
    for (unsigned i = 0; i < 60; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(virtqueue_copy_out(&world->queue, segments, 3, bytes, 45), 45);
    assert_int_equal(*(uint8_t *)driver_at(&world->driver, DATA + 0x20e, 1), 44);
    assert_int_equal(*(uint8_t *)driver_at(&world->driver, DATA + 0x20f, 1), 0);
    assert_int_equal(virtqueue_copy_out(&world->queue, segments, 2, bytes, 60), 30);
    memset(bytes, 0, sizeof(bytes));
    virtqueue_copy_in(&world->queue, segments, 3, bytes, 45);
    assert_int_equal(bytes[44], 44);
    assert_int_equal(bytes[45], 0);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_chain),
        WITH_WORLD(test_indirect),
        WITH_WORLD(test_random),
        WITH_WORLD(test_quiet_driver),
        WITH_WORLD(test_enable),
        WITH_WORLD(test_bad_buffers),
        WITH_WORLD(test_writable_first),
        WITH_WORLD(test_long_chain),
        WITH_WORLD(test_split_loop),
        WITH_WORLD(test_packed_loop),
        WITH_WORLD(test_bad_indirect),
        WITH_WORLD(test_indirect_in_indirect),
        WITH_WORLD(test_jumping_index),
        WITH_WORLD(test_bad_head),
        WITH_WORLD(test_packed_overtakes),
        WITH_WORLD(test_segments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
