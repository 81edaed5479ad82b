/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile driver of one virtqueue: any contents of the rings and tables, changed at any time. The
 * sanitizers watch the memory; the checks here are what virtqueue.h promises of chains.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/input.h"
#include "user/vmm/virtqueue.h"

#define RAM_BYTES  0x6000u
#define DRIVER     0x2000u
#define DEVICE     0x3000u
#define MAX_FLIGHT 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds) {
        abort();
    }
}

struct world {
    struct guest_ram ram;
    struct virtqueue queue;
    struct virtqueue_chain chain;
    struct virtqueue_ticket flight[MAX_FLIGHT];
    unsigned nr_flight;
};

static void check_chain(const struct world *world)
{
    const struct virtqueue_chain *chain = &world->chain;
    uint64_t bytes = 0;

    expect(chain->places >= 1 && world->queue.in_flight <= world->queue.size);
    expect(chain->nr_segments >= 1 && chain->nr_segments <= world->queue.size);
    expect(chain->nr_readable <= chain->nr_segments);
    for (unsigned i = 0; i < chain->nr_segments; i++) {
        expect(chain->segments[i].bytes != 0 &&
               guest_ram_at(&world->ram, gpa(chain->segments[i].address),
                            chain->segments[i].bytes) != NULL);
        bytes += chain->segments[i].bytes;
    }
    expect(bytes == chain->readable_bytes + chain->writable_bytes);
}

static void take_chain(struct world *world, bool keep)
{
    enum virtqueue_result result = virtqueue_take(&world->queue, &world->chain);

    expect((result == VIRTQUEUE_BROKEN) == world->queue.broken);
    if (result == VIRTQUEUE_TAKEN) {
        check_chain(world);
        if (!keep) {
            virtqueue_untake(&world->queue, &world->chain);
            return;
        }
        expect(world->nr_flight < MAX_FLIGHT);
        world->flight[world->nr_flight++] =
            (struct virtqueue_ticket){ world->chain.id, world->chain.places };
    }
}

static void put_chain(struct world *world, unsigned which, uint32_t written)
{
    if (world->nr_flight != 0 && !world->queue.broken) {
        which %= world->nr_flight;
        virtqueue_put(&world->queue, world->flight[which], written);
        world->flight[which] = world->flight[--world->nr_flight];
    }
}

/* Near the rings' beginnings, where it matters, or anywhere. */
static void write_memory(struct world *world, struct input *input)
{
    static const uint32_t bases[] = { 0, DRIVER, DEVICE, 0x1000, 0x4000, 0 };
    uint32_t at = bases[take(input, 1) % 6] + (uint32_t)take(input, 1) * 2;
    uint32_t bytes = 1 + (uint32_t)take(input, 1) % 16;

    if (take(input, 1) > 250) {
        at = take(input, 2) % RAM_BYTES;
    }
    for (uint32_t i = 0; i < bytes && at + i < RAM_BYTES; i++) {
        world->ram.base[at + i] = (uint8_t)take(input, 1);
    }
}

/* A descriptor that is more often right than wrong. */
static void write_descriptor(struct world *world, struct input *input)
{
    static const uint64_t addresses[] = {
        0x4000, 0x4000, 0x1000, RAM_BYTES - 16, RAM_BYTES, ~0xfull
    };
    static const uint32_t lengths[] = { 16, 16, 32, 1, 0, 0x1000 };
    uint32_t base = take(input, 1) % 4 == 0 ? 0x4000 : 0, index = take(input, 1) % 16;
    uint64_t address = addresses[take(input, 1) % 6];
    uint32_t bytes = lengths[take(input, 1) % 6];
    uint32_t last = (uint32_t)take(input, 4); /* flags and next, or id and flags */

    memcpy(world->ram.base + base + 16 * index, &address, 8);
    memcpy(world->ram.base + base + 16 * index + 8, &bytes, 4);
    memcpy(world->ram.base + base + 16 * index + 12, &last, 4);
}

static void step(struct world *world, struct input *input)
{
    switch (take(input, 1) % 8) {
    case 0:
    case 1:
        write_descriptor(world, input);
        break;
    case 2:
    case 3:
        write_memory(world, input);
        break;
    case 4:
    case 5:
        take_chain(world, take(input, 1) % 8 != 0);
        break;
    case 6:
        put_chain(world, (uint8_t)take(input, 1), (uint8_t)take(input, 1));
        break;
    default:
        virtqueue_quiet(&world->queue);
        virtqueue_listen(&world->queue);
        virtqueue_wants_interrupt(&world->queue);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct input input = { data, size };
    uint32_t way = (uint8_t)take(&input, 1);
    const struct virtqueue_format format = { way & 1, (way & 2) != 0, (way & 4) != 0 };
    uint8_t *memory = aligned_alloc(4096, RAM_BYTES);

    memset(memory, 0, RAM_BYTES);
    world.nr_flight = 0;
    guest_ram_init(&world.ram, memory, RAM_BYTES);
    virtqueue_reset(&world.queue, VIRTQUEUE_MAX_SIZE);
    world.queue.size =
        (way & 1) != 0 ? (uint16_t)(1 + (way >> 3)) : (uint16_t)(1u << (way >> 3) % 9);
    world.queue.driver_area = DRIVER;
    world.queue.device_area = DEVICE;
    expect(virtqueue_enable(&world.queue, &world.ram, format));
    while (input.left != 0) {
        step(&world, &input);
    }
    free(memory);
    return 0;
}
