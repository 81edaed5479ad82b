/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/virtqueue.h"

#include "lib/bits.h"
#include "lib/string.h"

#define DESCRIPTOR_BYTES 16u

#define DESCRIPTOR_NEXT     0x0001u
#define DESCRIPTOR_WRITE    0x0002u
#define DESCRIPTOR_INDIRECT 0x0004u
#define DESCRIPTOR_AVAIL    0x0080u /* packed */
#define DESCRIPTOR_USED     0x8000u /* packed */

/* 2.7.6 and 2.7.8: flags, index, entries, event index. */
#define SPLIT_INDEX        2u
#define SPLIT_ENTRIES      4u
#define SPLIT_NO_INTERRUPT 1u
#define SPLIT_NO_NOTIFY    1u
#define SPLIT_USED_BYTES   8u

/* 2.8.14 "Event Suppression Structure Format" */
#define PACKED_EVENT_BYTES   4u
#define PACKED_EVENT_FLAGS   2u
#define PACKED_EVENT_ENABLE  0u
#define PACKED_EVENT_DISABLE 1u
#define PACKED_EVENT_INDEX   2u
#define PACKED_WRAP          0x8000u

struct split_descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

struct packed_descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t id, flags;
};

_Static_assert(sizeof(struct split_descriptor) == DESCRIPTOR_BYTES, "2.7.5");
_Static_assert(sizeof(struct packed_descriptor) == DESCRIPTOR_BYTES, "2.8.13");

/* --- memory that the driver may write --- */

static uint16_t load(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)at, __ATOMIC_RELAXED);
}

static uint16_t load_acquire(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE);
}

static void store(uint8_t *at, uint16_t value)
{
    __atomic_store_n((uint16_t *)at, value, __ATOMIC_RELAXED);
}

static void store_release(uint8_t *at, uint16_t value)
{
    __atomic_store_n((uint16_t *)at, value, __ATOMIC_RELEASE);
}

/* The compiler may not look at the source again in place of the copy. */
static void copy_once(void *to, const uint8_t *from, uint64_t bytes)
{
    memcpy(to, from, bytes);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* --- setting up --- */

void virtqueue_reset(struct virtqueue *queue, uint16_t size)
{
    *queue = (struct virtqueue){ .size = size, .avail_wrap = true, .used_wrap = true };
}

static uint8_t *area_at(const struct guest_ram *ram, uint64_t address, uint64_t bytes,
                        uint64_t alignment)
{
    return address % alignment == 0 ? guest_ram_at(ram, gpa(address), bytes) : NULL;
}

bool virtqueue_enable(struct virtqueue *queue, const struct guest_ram *ram,
                      struct virtqueue_format format)
{
    uint64_t size = queue->size;
    uint64_t driver_bytes = format.packed ? PACKED_EVENT_BYTES : 6 + 2 * size;
    uint64_t device_bytes = format.packed ? PACKED_EVENT_BYTES : 6 + SPLIT_USED_BYTES * size;

    queue->ram = ram;
    queue->format = format;
    queue->descriptors =
        area_at(ram, queue->descriptor_area, size * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES);
    queue->driver = area_at(ram, queue->driver_area, driver_bytes, format.packed ? 4 : 2);
    queue->device = area_at(ram, queue->device_area, device_bytes, 4);
    queue->enabled = queue->descriptors != NULL && queue->driver != NULL && queue->device != NULL;
    return queue->enabled;
}

/* --- chains --- */

/* I4; false: the driver broke the rules. */
static bool chain_add(const struct virtqueue *queue, struct virtqueue_chain *chain,
                      uint64_t address, uint32_t bytes, bool writable)
{
    if (bytes == 0 || chain->nr_segments == queue->size ||
        guest_ram_at(queue->ram, gpa(address), bytes) == NULL ||
        (!writable && chain->nr_segments != chain->nr_readable)) {
        return false;
    }
    chain->segments[chain->nr_segments++] = (struct virtqueue_segment){ address, bytes };
    if (writable) {
        chain->writable_bytes += bytes;
    } else {
        chain->nr_readable++;
        chain->readable_bytes += bytes;
    }
    return true;
}

/* A table of descriptors: where it is, and how many there are. */
struct table {
    const uint8_t *at;
    uint32_t entries;
};

static bool indirect_table(const struct virtqueue *queue, uint64_t address, uint32_t bytes,
                           uint16_t flags, struct table *table)
{
    table->at = guest_ram_at(queue->ram, gpa(address), bytes);
    table->entries = bytes / DESCRIPTOR_BYTES;
    return queue->format.indirect && (flags & DESCRIPTOR_NEXT) == 0 &&
           bytes % DESCRIPTOR_BYTES == 0 && bytes != 0 && table->at != NULL;
}

/* Follows the links from entry `at` on; an indirect descriptor ends the ring's own part. */
static bool split_walk(const struct virtqueue *queue, struct virtqueue_chain *chain,
                       struct table table, uint32_t at)
{
    struct split_descriptor descriptor;
    bool in_ring = true;

    for (;;) {
        if (at >= table.entries) {
            return false;
        }
        copy_once(&descriptor, table.at + (uint64_t)at * DESCRIPTOR_BYTES, sizeof(descriptor));
        if ((descriptor.flags & DESCRIPTOR_INDIRECT) != 0) {
            if (!in_ring || !indirect_table(queue, descriptor.address, descriptor.bytes,
                                            descriptor.flags, &table)) {
                return false;
            }
            in_ring = false;
            at = 0;
            continue;
        }
        if (!chain_add(queue, chain, descriptor.address, descriptor.bytes,
                       (descriptor.flags & DESCRIPTOR_WRITE) != 0)) {
            return false; /* a loop ends here, too: the chain is too long */
        }
        if ((descriptor.flags & DESCRIPTOR_NEXT) == 0) {
            return true;
        }
        at = descriptor.next;
    }
}

static void chain_begin(struct virtqueue_chain *chain)
{
    chain->places = 1;
    chain->nr_readable = 0;
    chain->nr_segments = 0;
    chain->readable_bytes = 0;
    chain->writable_bytes = 0;
}

static enum virtqueue_result broken(struct virtqueue *queue)
{
    queue->broken = true;
    return VIRTQUEUE_BROKEN;
}

static enum virtqueue_result split_take(struct virtqueue *queue, struct virtqueue_chain *chain)
{
    const struct table ring = { queue->descriptors, queue->size };
    uint16_t waiting = (uint16_t)(load_acquire(queue->driver + SPLIT_INDEX) - queue->next_avail);

    if (waiting == 0) {
        return VIRTQUEUE_EMPTY;
    }
    /* Each chain needs a descriptor of its own. */
    if (waiting > queue->size - queue->in_flight) {
        return broken(queue);
    }
    chain_begin(chain);
    chain->id = load(queue->driver + SPLIT_ENTRIES + 2 * (queue->next_avail % queue->size));
    if (!split_walk(queue, chain, ring, chain->id)) {
        return broken(queue);
    }
    queue->next_avail++;
    queue->in_flight++;
    return VIRTQUEUE_TAKEN;
}

/* The entries of an indirect table follow each other; only their write flag counts (2.8.7). */
static bool packed_walk_table(const struct virtqueue *queue, struct virtqueue_chain *chain,
                              struct table table)
{
    for (uint32_t i = 0; i < table.entries; i++) {
        struct packed_descriptor descriptor;

        copy_once(&descriptor, table.at + (uint64_t)i * DESCRIPTOR_BYTES, sizeof(descriptor));
        if (!chain_add(queue, chain, descriptor.address, descriptor.bytes,
                       (descriptor.flags & DESCRIPTOR_WRITE) != 0)) {
            return false;
        }
    }
    return true;
}

static bool packed_add(const struct virtqueue *queue, struct virtqueue_chain *chain,
                       const struct packed_descriptor *descriptor)
{
    struct table table;

    if ((descriptor->flags & DESCRIPTOR_INDIRECT) == 0) {
        return chain_add(queue, chain, descriptor->address, descriptor->bytes,
                         (descriptor->flags & DESCRIPTOR_WRITE) != 0);
    }
    return indirect_table(queue, descriptor->address, descriptor->bytes, descriptor->flags,
                          &table) &&
           packed_walk_table(queue, chain, table);
}

/* From next_avail on, around the end of the ring; the last descriptor has the chain's name. */
static bool packed_walk(const struct virtqueue *queue, struct virtqueue_chain *chain)
{
    unsigned room = queue->size - queue->in_flight;
    struct packed_descriptor descriptor;

    for (chain->places = 1; chain->places <= room; chain->places++) {
        unsigned at = (queue->next_avail + chain->places - 1u) % queue->size;

        copy_once(&descriptor, queue->descriptors + at * DESCRIPTOR_BYTES, sizeof(descriptor));
        if (!packed_add(queue, chain, &descriptor)) {
            return false;
        }
        if ((descriptor.flags & DESCRIPTOR_NEXT) == 0) {
            chain->id = descriptor.id;
            return true;
        }
    }
    return false;
}

static bool packed_is_available(const struct virtqueue *queue)
{
    uint16_t flags = load_acquire(queue->descriptors + queue->next_avail * DESCRIPTOR_BYTES +
                                  offsetof(struct packed_descriptor, flags));
    bool avail = (flags & DESCRIPTOR_AVAIL) != 0, used = (flags & DESCRIPTOR_USED) != 0;

    return avail == queue->avail_wrap && used != queue->avail_wrap;
}

/* Moves a position of a packed ring on; its wrap counter turns at the end. */
static void packed_advance(const struct virtqueue *queue, uint16_t *position, bool *wrap,
                           uint16_t places)
{
    *position = (uint16_t)(*position + places);
    if (*position >= queue->size) {
        *position = (uint16_t)(*position - queue->size);
        *wrap = !*wrap;
    }
}

static enum virtqueue_result packed_take(struct virtqueue *queue, struct virtqueue_chain *chain)
{
    if (!packed_is_available(queue)) {
        return VIRTQUEUE_EMPTY;
    }
    chain_begin(chain);
    if (!packed_walk(queue, chain)) {
        return broken(queue);
    }
    packed_advance(queue, &queue->next_avail, &queue->avail_wrap, chain->places);
    queue->in_flight = (uint16_t)(queue->in_flight + chain->places);
    return VIRTQUEUE_TAKEN;
}

enum virtqueue_result virtqueue_take(struct virtqueue *queue, struct virtqueue_chain *chain)
{
    if (queue->broken) {
        return VIRTQUEUE_BROKEN;
    }
    if (!queue->enabled) {
        return VIRTQUEUE_EMPTY;
    }
    return queue->format.packed ? packed_take(queue, chain) : split_take(queue, chain);
}

/* The way back of packed_advance(). */
static void packed_retreat(const struct virtqueue *queue, uint16_t *position, bool *wrap,
                           uint16_t places)
{
    if (*position < places) {
        *position = (uint16_t)(*position + queue->size);
        *wrap = !*wrap;
    }
    *position = (uint16_t)(*position - places);
}

void virtqueue_untake(struct virtqueue *queue, const struct virtqueue_chain *chain)
{
    if (queue->format.packed) {
        packed_retreat(queue, &queue->next_avail, &queue->avail_wrap, chain->places);
    } else {
        queue->next_avail--;
    }
    queue->in_flight = (uint16_t)(queue->in_flight - chain->places);
}

/* --- used --- */

static void split_put(struct virtqueue *queue, uint16_t id, uint32_t written)
{
    const uint32_t entry[2] = { id, written };

    memcpy(queue->device + SPLIT_ENTRIES + SPLIT_USED_BYTES * (queue->next_used % queue->size),
           entry, sizeof(entry));
    queue->next_used++;
    store_release(queue->device + SPLIT_INDEX, queue->next_used);
}

static void packed_put(struct virtqueue *queue, struct virtqueue_ticket ticket, uint32_t written)
{
    uint8_t *at = queue->descriptors + queue->next_used * DESCRIPTOR_BYTES;
    uint16_t flags = queue->used_wrap ? DESCRIPTOR_AVAIL | DESCRIPTOR_USED : 0;

    if (written != 0) {
        flags |= DESCRIPTOR_WRITE;
    }
    memcpy(at + offsetof(struct packed_descriptor, bytes), &written, sizeof(written));
    memcpy(at + offsetof(struct packed_descriptor, id), &ticket.id, sizeof(ticket.id));
    store_release(at + offsetof(struct packed_descriptor, flags), flags);
    packed_advance(queue, &queue->next_used, &queue->used_wrap, ticket.places);
}

void virtqueue_put(struct virtqueue *queue, struct virtqueue_ticket ticket, uint32_t written)
{
    if (queue->format.packed) {
        packed_put(queue, ticket, written);
    } else {
        split_put(queue, ticket.id, written);
    }
    queue->in_flight = (uint16_t)(queue->in_flight - ticket.places);
    queue->fresh = (uint16_t)(queue->fresh + ticket.places);
}

/* --- wishes --- */

/* Whether the index passed event on its way from old to new (2.7.7.2). */
static bool has_passed(uint16_t event, uint16_t new, uint16_t old)
{
    return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

static bool split_wants_interrupt(const struct virtqueue *queue, uint16_t fresh)
{
    if (queue->format.event_index) {
        return has_passed(load(queue->driver + SPLIT_ENTRIES + 2 * queue->size), queue->next_used,
                          (uint16_t)(queue->next_used - fresh));
    }
    return (load(queue->driver) & SPLIT_NO_INTERRUPT) == 0;
}

static bool packed_wants_interrupt(const struct virtqueue *queue, uint16_t fresh)
{
    uint16_t flags = load_acquire(queue->driver + PACKED_EVENT_FLAGS);
    uint16_t where = load(queue->driver);
    uint16_t event = where & (uint16_t)~PACKED_WRAP;

    if (flags != PACKED_EVENT_INDEX || !queue->format.event_index) {
        return flags != PACKED_EVENT_DISABLE;
    }
    if (((where & PACKED_WRAP) != 0) != queue->used_wrap) {
        event = (uint16_t)(event - queue->size); /* it was before the ring's end */
    }
    return has_passed(event, queue->next_used, (uint16_t)(queue->next_used - fresh));
}

bool virtqueue_wants_interrupt(struct virtqueue *queue)
{
    uint16_t fresh = queue->fresh;

    if (fresh == 0) {
        return false;
    }
    queue->fresh = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* see Order */
    return queue->format.packed ? packed_wants_interrupt(queue, fresh)
                                : split_wants_interrupt(queue, fresh);
}

void virtqueue_quiet(struct virtqueue *queue)
{
    if (!queue->enabled) {
        return;
    }
    if (queue->format.packed) {
        store(queue->device + PACKED_EVENT_FLAGS, PACKED_EVENT_DISABLE);
    } else if (!queue->format.event_index) {
        store(queue->device, SPLIT_NO_NOTIFY);
    } /* an event index that is passed already says the same */
}

static bool split_listen(struct virtqueue *queue)
{
    if (queue->format.event_index) {
        store(queue->device + SPLIT_ENTRIES + SPLIT_USED_BYTES * queue->size, queue->next_avail);
    } else {
        store(queue->device, 0);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* see Order */
    return load_acquire(queue->driver + SPLIT_INDEX) != queue->next_avail;
}

static bool packed_listen(struct virtqueue *queue)
{
    if (queue->format.event_index) {
        store(queue->device, (uint16_t)(queue->next_avail | (queue->avail_wrap ? PACKED_WRAP : 0)));
        store_release(queue->device + PACKED_EVENT_FLAGS, PACKED_EVENT_INDEX);
    } else {
        store(queue->device + PACKED_EVENT_FLAGS, PACKED_EVENT_ENABLE);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* see Order */
    return packed_is_available(queue);
}

bool virtqueue_listen(struct virtqueue *queue)
{
    if (!queue->enabled || queue->broken) {
        return false;
    }
    return queue->format.packed ? packed_listen(queue) : split_listen(queue);
}

/* --- segments --- */

unsigned virtqueue_slice(const struct virtqueue_segment *segments, unsigned nr, uint64_t skip,
                         uint64_t bytes, struct virtqueue_segment *slice)
{
    unsigned count = 0;

    for (unsigned i = 0; i < nr && bytes != 0; i++) {
        struct virtqueue_segment segment = segments[i];

        if (skip >= segment.bytes) {
            skip -= segment.bytes;
            continue;
        }
        segment.address += skip;
        segment.bytes -= skip;
        skip = 0;
        if (segment.bytes > bytes) {
            segment.bytes = bytes;
        }
        bytes -= segment.bytes;
        slice[count++] = segment;
    }
    return count;
}

void virtqueue_copy_in(const struct virtqueue *queue, const struct virtqueue_segment *segments,
                       unsigned nr, void *buffer, uint64_t bytes)
{
    uint8_t *to = buffer;

    for (unsigned i = 0; i < nr && bytes != 0; i++) {
        uint64_t piece = segments[i].bytes < bytes ? segments[i].bytes : bytes;

        guest_ram_read(queue->ram, gpa(segments[i].address), to, piece);
        to += piece;
        bytes -= piece;
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* as in copy_once() */
}

uint64_t virtqueue_copy_out(const struct virtqueue *queue, const struct virtqueue_segment *segments,
                            unsigned nr, const void *buffer, uint64_t bytes)
{
    const uint8_t *from = buffer;
    uint64_t done = 0;

    for (unsigned i = 0; i < nr && done != bytes; i++) {
        uint64_t piece = segments[i].bytes < bytes - done ? segments[i].bytes : bytes - done;

        guest_ram_write(queue->ram, gpa(segments[i].address), from + done, piece);
        done += piece;
    }
    return done;
}
