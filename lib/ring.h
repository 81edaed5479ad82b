/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A queue in memory that two components share: one puts entries in, the other takes them out, in
 * order, and neither trusts the other. Entries have one size, from a byte to a request. Carries no
 * notification of its own: it says when the peer is to be signalled and when one may sleep.
 *
 * Objects    struct ring_shared lies in shared memory, with the entries beside it; it begins as
 *            zeros. Each end keeps a struct ring, which is private.
 * Invariants I1  an end's own index is what its struct ring says; the shared copy is only told
 *            I2  whatever the peer writes, no more than `capacity` entries are available, and no
 *                access leaves the entries
 *            I3  an entry is copied once and then used: what the peer does to it later is not seen
 * Trust      The peer's index is read once for each look. One that claims more than the capacity
 *            breaks the ring for good: nothing is available from then on, ring_is_broken() says so.
 *            The contents of entries are as hostile as the peer; its wish to be signalled only
 *            decides about signals to itself.
 * Wake-up    Each end tells the index of its peer after which it wants a signal. To sleep: say so
 *            (ring_may_sleep), which looks again afterwards; to have moved: ask whether that index
 *            was passed (ring_must_signal) and signal. A peer that is busy has not moved its wish
 *            on and costs no signals; one that sleeps is signalled once. Signals may come without
 *            need (after 2^32 entries, or from a hostile peer), never too few.
 * Locking    none: one thread on each end
 * Units      indices and counts are entries; indices run freely and wrap at 2^32
 * Order      index: stored with release after the entries, loaded with acquire before them. Index
 *            and wish: each end stores one, fences, loads the other's (seq_cst), so at least one of
 *            them sees what the other wrote.
 */
#ifndef LIB_RING_H
#define LIB_RING_H

#include <stdbool.h>
#include <stdint.h>

/* What one end tells: a cache line that only this end writes. */
struct ring_words {
    uint32_t index;   /* entries put, or taken, so far */
    uint32_t wake_at; /* signal me when your index passes this one */
    uint8_t reserved[56];
};

struct ring_shared {
    struct ring_words producer;
    struct ring_words consumer;
};

_Static_assert(sizeof(struct ring_shared) == 128, "two cache lines");

enum ring_role {
    RING_PRODUCER,
    RING_CONSUMER,
};

struct ring {
    struct ring_words *own;
    const struct ring_words *peer;
    uint8_t *entries;
    uint32_t entry_bytes;
    uint32_t capacity; /* a power of two, at most 2^31 */
    uint32_t index;
    uint32_t taken; /* copied out, but not given back: the consumer's position is index + taken */
    uint32_t signalled; /* the index when ring_must_signal was last asked */
    enum ring_role role;
    bool broken;
};

/* shared and entries: in shared memory; entries has capacity * entry_bytes. */
void ring_init(struct ring *ring, enum ring_role role, struct ring_shared *shared, void *entries,
               uint32_t entry_bytes, uint32_t capacity);

static inline bool ring_is_broken(const struct ring *ring)
{
    return ring->broken;
}

/* How many entries can now be put, or taken. */
uint32_t ring_available(struct ring *ring);

/* Copy up to count entries in, or out, and tell the peer; the number that were copied. */
uint32_t ring_put(struct ring *ring, const void *entries, uint32_t count);
uint32_t ring_get(struct ring *ring, void *entries, uint32_t count);

/*
 * The two halves of ring_get: the entries are copied, and their places given back to the producer
 * later, in order, by as many releases as one likes. A producer that sees all places free knows
 * that its peer is done with what it sent.
 */
uint32_t ring_take(struct ring *ring, void *entries, uint32_t count);
void ring_release(struct ring *ring, uint32_t count);

/* After puts, gets or releases: whether the peer waits for a signal. */
bool ring_must_signal(struct ring *ring);

/*
 * Asks the peer for a signal when `wanted` entries (1 .. capacity) are available. True: they are
 * not yet, and the signal will come. False: they are.
 */
bool ring_may_sleep(struct ring *ring, uint32_t wanted);

#endif
