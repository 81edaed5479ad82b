/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both ends of a ring and somebody who writes into the shared words between their steps. The first
 * byte says whether that somebody is there; without one, the ring behaves as a queue of bytes and
 * stays whole. Input: steps of three bytes, an operation and two of argument.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ring.h"

#define CAPACITY   16u
#define STEP_BYTES 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct ring_shared shared;
    struct ring producer, consumer;
    uint8_t *entries;
    bool hostile;
    uint8_t put, got; /* the bytes are numbers: next to put, next expected */
    uint32_t held;    /* taken, not released */
};

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void step_put(struct world *world, uint32_t count)
{
    uint8_t bytes[2 * CAPACITY];

    count %= sizeof(bytes) + 1;
    for (uint32_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)(world->put + i);
    }
    count = ring_put(&world->producer, bytes, count);
    expect(count <= CAPACITY);
    world->put = (uint8_t)(world->put + count);
}

static void step_get(struct world *world, uint32_t count)
{
    uint8_t bytes[2 * CAPACITY];

    ring_release(&world->consumer, world->held);
    world->held = 0;
    count = ring_get(&world->consumer, bytes, count % (sizeof(bytes) + 1));
    expect(count <= CAPACITY);
    for (uint32_t i = 0; i < count; i++) {
        expect(world->hostile || bytes[i] == world->got);
        world->got++;
    }
}

/* Takes now, gives back some of it later. */
static void step_take(struct world *world, uint32_t count, uint32_t release)
{
    uint8_t bytes[CAPACITY];

    count = ring_take(&world->consumer, bytes, count % (sizeof(bytes) + 1));
    for (uint32_t i = 0; i < count; i++) {
        expect(world->hostile || bytes[i] == world->got);
        world->got++;
    }
    world->held += count;
    expect(world->held <= CAPACITY);
    release %= world->held + 1;
    ring_release(&world->consumer, release);
    world->held -= release;
}

/* Any byte of the four shared words. */
static void step_write(struct world *world, uint8_t where, uint8_t what)
{
    uint8_t *shared = (uint8_t *)&world->shared;

    shared[where % 8 + ((where & 8) != 0 ? sizeof(struct ring_words) : 0)] = what;
}

static void step(struct world *world, const uint8_t *data)
{
    switch (data[0] % 7) {
    case 0:
        step_put(world, data[1]);
        break;
    case 1:
        step_get(world, data[1]);
        break;
    case 2:
        ring_must_signal(data[1] & 1 ? &world->producer : &world->consumer);
        break;
    case 3:
        ring_may_sleep(data[1] & 1 ? &world->producer : &world->consumer, 1 + data[2] % CAPACITY);
        break;
    case 4:
        step_take(world, data[1], data[2]);
        break;
    default:
        if (world->hostile) {
            step_write(world, data[1], data[2]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = { .hostile = size > 0 && (data[0] & 1) != 0 };

    world.entries = calloc(1, CAPACITY);
    ring_init(&world.producer, RING_PRODUCER, &world.shared, world.entries, 1, CAPACITY);
    ring_init(&world.consumer, RING_CONSUMER, &world.shared, world.entries, 1, CAPACITY);
    for (size_t at = 1; at + STEP_BYTES <= size; at += STEP_BYTES) {
        step(&world, data + at);
    }
    expect(world.hostile || (!ring_is_broken(&world.producer) && !ring_is_broken(&world.consumer)));
    free(world.entries);
    return 0;
}
