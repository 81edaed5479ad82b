/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtqueue, the device's side: takes chains of buffers that the driver has made available, gives
 * them back as used, says when the driver wants an interrupt, and tells it when to kick. Both ring
 * formats, indirect descriptors, event suppression. What is in the buffers is the device's affair.
 *
 *      virtqueue_enable() -> virtqueue_take() ... virtqueue_put() -> virtqueue_wants_interrupt()
 *      virtqueue_quiet() while taking; virtqueue_listen() when there was nothing more
 *
 * Invariants  I1  enabled: the three areas lie in the guest's RAM, each in one piece and aligned
 *             I2  next_avail, next_used < size (packed); free-running (split)
 *             I3  in_flight <= size: ring places that were taken and not yet put back
 *             I4  a chain that was taken has segments inside of RAM only, none of them empty, the
 *                 writable ones last, and no more of them than the queue's size
 * Trust       The driver may change ring and tables at any time: each descriptor is copied once,
 *             checked, then used. No work is longer than the queue's size. A driver that breaks the
 *             rules has a broken queue, until it is reset; nothing more is read of it then.
 * Order       what the driver writes before it makes a chain available is seen after the acquire in
 *             virtqueue_take(); what the device writes before virtqueue_put() is released by it.
 *             Wishes (wants_interrupt, listen): own index stored, fence, the other's loaded.
 * Locking     the device's
 * Units       guest physical addresses; bytes; ring places
 * Sources     Virtio 1.2 sections 2.7 "Split Virtqueues", 2.8 "Packed Virtqueues"
 */
#ifndef USER_VMM_VIRTQUEUE_H
#define USER_VMM_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/vmm/guest_ram.h"

#define VIRTQUEUE_MAX_SIZE 256u

struct virtqueue_segment {
    uint64_t address;
    uint64_t bytes;
};

/* What the driver made available at once: segments for the device to read, then to write. */
struct virtqueue_chain {
    uint16_t id;
    uint16_t places; /* of the ring */
    uint16_t nr_readable;
    uint16_t nr_segments;
    uint64_t readable_bytes, writable_bytes;
    struct virtqueue_segment segments[VIRTQUEUE_MAX_SIZE];
};

/* What a used chain is named by. */
struct virtqueue_ticket {
    uint16_t id;
    uint16_t places;
};

enum virtqueue_result {
    VIRTQUEUE_EMPTY,
    VIRTQUEUE_TAKEN,
    VIRTQUEUE_BROKEN,
};

/* How driver and device agreed to use all queues. */
struct virtqueue_format {
    bool packed, indirect, event_index;
};

struct virtqueue {
    /* The driver's choice, before it enables the queue. */
    uint64_t descriptor_area, driver_area, device_area;
    uint16_t size;
    bool enabled;
    bool broken;
    struct virtqueue_format format;
    const struct guest_ram *ram;
    /* The areas: I1. */
    uint8_t *descriptors, *driver, *device;
    uint16_t next_avail, next_used;
    bool avail_wrap, used_wrap; /* packed: the ring wrap counters */
    uint16_t in_flight;
    uint16_t fresh; /* put since virtqueue_wants_interrupt() was last asked: entries or places */
};

/* size: what the driver may choose at most; a power of two, at most VIRTQUEUE_MAX_SIZE. */
void virtqueue_reset(struct virtqueue *queue, uint16_t size);
/* False: the areas are not where they may be. */
bool virtqueue_enable(struct virtqueue *queue, const struct guest_ram *ram,
                      struct virtqueue_format format);

/* The next chain, into *chain, whose contents are undefined after another answer. */
enum virtqueue_result virtqueue_take(struct virtqueue *queue, struct virtqueue_chain *chain);
/* The chain that was taken last is to be taken again, as it will be then. */
void virtqueue_untake(struct virtqueue *queue, const struct virtqueue_chain *chain);
/* The device is done with a chain and has written this many bytes from its first writable one on.
 */
void virtqueue_put(struct virtqueue *queue, struct virtqueue_ticket ticket, uint32_t written);
/* After puts. */
bool virtqueue_wants_interrupt(struct virtqueue *queue);

/* No kicks, please. */
void virtqueue_quiet(struct virtqueue *queue);
/* A kick for the next chain, please. True: it is there already, perhaps without a kick. */
bool virtqueue_listen(struct virtqueue *queue);

/*
 * The part [skip, skip + bytes) of what the segments are together; the number of segments in slice,
 * which has room for nr, and may be the same array.
 */
unsigned virtqueue_slice(const struct virtqueue_segment *segments, unsigned nr, uint64_t skip,
                         uint64_t bytes, struct virtqueue_segment *slice);
/* Copies out of, or into, as much of the guest's memory as the buffer holds and the segments are.
 */
void virtqueue_copy_in(const struct virtqueue *queue, const struct virtqueue_segment *segments,
                       unsigned nr, void *buffer, uint64_t bytes);
uint64_t virtqueue_copy_out(const struct virtqueue *queue, const struct virtqueue_segment *segments,
                            unsigned nr, const void *buffer, uint64_t bytes);

#endif
