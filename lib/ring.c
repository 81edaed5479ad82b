/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/ring.h"

#include "lib/string.h"

void ring_init(struct ring *ring, enum ring_role role, struct ring_shared *shared, void *entries,
               uint32_t entry_bytes, uint32_t capacity)
{
    bool producer = role == RING_PRODUCER;

    *ring = (struct ring){
        .own = producer ? &shared->producer : &shared->consumer,
        .peer = producer ? &shared->consumer : &shared->producer,
        .entries = entries,
        .entry_bytes = entry_bytes,
        .capacity = capacity,
        .role = role,
    };
}

uint32_t ring_available(struct ring *ring)
{
    /* Pairs with the release in ring_publish(): entries are read, or overwritten, after this. */
    uint32_t peer = __atomic_load_n(&ring->peer->index, __ATOMIC_ACQUIRE);
    uint32_t filled = ring->role == RING_PRODUCER ? ring->index - peer : peer - ring->index;

    if (filled > ring->capacity) {
        ring->broken = true;
    }
    if (ring->broken) {
        return 0;
    }
    if (ring->role == RING_PRODUCER) {
        return ring->capacity - filled;
    }
    /* What was taken had been there; a peer that now claims less has nothing for us. */
    return filled > ring->taken ? filled - ring->taken : 0;
}

static void ring_publish(struct ring *ring, uint32_t count)
{
    ring->index += count;
    /* Pairs with the acquire in ring_available(). */
    __atomic_store_n(&ring->own->index, ring->index, __ATOMIC_RELEASE);
}

/* A run of entries that lie side by side, from own position + done on. */
struct run {
    uint8_t *at;
    uint32_t entries;
};

static struct run ring_run(const struct ring *ring, uint32_t done, uint32_t count)
{
    uint32_t first = (ring->index + ring->taken + done) & (ring->capacity - 1);
    uint32_t room = ring->capacity - first;

    return (struct run){
        .at = ring->entries + (uint64_t)first * ring->entry_bytes,
        .entries = count - done < room ? count - done : room,
    };
}

static uint32_t ring_limit(struct ring *ring, uint32_t count)
{
    uint32_t available = ring_available(ring);

    return count < available ? count : available;
}

uint32_t ring_put(struct ring *ring, const void *entries, uint32_t count)
{
    const uint8_t *from = entries;

    count = ring_limit(ring, count);
    for (uint32_t done = 0; done < count;) {
        struct run run = ring_run(ring, done, count);

        memcpy(run.at, from + (uint64_t)done * ring->entry_bytes,
               (uint64_t)run.entries * ring->entry_bytes);
        done += run.entries;
    }
    ring_publish(ring, count);
    return count;
}

uint32_t ring_take(struct ring *ring, void *entries, uint32_t count)
{
    uint8_t *into = entries;

    count = ring_limit(ring, count);
    for (uint32_t done = 0; done < count;) {
        struct run run = ring_run(ring, done, count);

        memcpy(into + (uint64_t)done * ring->entry_bytes, run.at,
               (uint64_t)run.entries * ring->entry_bytes);
        done += run.entries;
    }
    /* The compiler may not look at the shared entries again in place of the copy. */
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    ring->taken += count;
    return count;
}

void ring_release(struct ring *ring, uint32_t count)
{
    ring->taken -= count;
    ring_publish(ring, count);
}

uint32_t ring_get(struct ring *ring, void *entries, uint32_t count)
{
    count = ring_take(ring, entries, count);
    ring_release(ring, count);
    return count;
}

bool ring_must_signal(struct ring *ring)
{
    uint32_t moved = ring->index - ring->signalled;
    uint32_t wake_at;

    ring->signalled = ring->index;
    /* Pairs with the fence in ring_may_sleep(): index stored before, wish loaded after. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    wake_at = __atomic_load_n(&ring->peer->wake_at, __ATOMIC_RELAXED);
    /* Whether wake_at lies among the indices that were passed. */
    return ring->index - wake_at - 1 < moved;
}

bool ring_may_sleep(struct ring *ring, uint32_t wanted)
{
    uint32_t passed = ring->index + ring->taken + wanted - 1;

    if (ring->role == RING_PRODUCER) {
        passed -= ring->capacity;
    }
    __atomic_store_n(&ring->own->wake_at, passed, __ATOMIC_RELAXED);
    /* Pairs with the fence in ring_must_signal(): wish stored before, index loaded after. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_available(ring) < wanted;
}
