/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/vmm/virtio_driver.h"

#include <stdlib.h>
#include <string.h>

struct descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t third, fourth; /* split: flags, next; packed: id, flags */
};

void *driver_at(const struct driver_queue *queue, uint64_t address, uint64_t bytes)
{
    void *at = guest_ram_at(queue->ram, gpa(address), bytes);

    if (at == NULL) {
        abort();
    }
    return at;
}

static uint16_t *word(const struct driver_queue *queue, uint64_t address)
{
    return driver_at(queue, address, 2);
}

static struct descriptor *descriptor(const struct driver_queue *queue, uint64_t base, unsigned i)
{
    return driver_at(queue, base + 16ull * i, 16);
}

void driver_init(struct driver_queue *queue, const struct guest_ram *ram, uint64_t base,
                 uint16_t size, bool packed, bool event_index)
{
    *queue = (struct driver_queue){
        .ram = ram,
        .descriptors = base,
        .driver = base + 0x2000,
        .device = base + 0x4000,
        .tables = base + 0x10000,
        .size = size,
        .packed = packed,
        .event_index = event_index,
        .free = size,
        .wrap = true,
        .used_wrap = true,
    };
    memset(driver_at(queue, base, 0x6000), 0, 0x6000);
    for (unsigned i = 0; i < size; i++) {
        queue->links[i] = (uint16_t)(i + 1);
    }
}

/* --- putting --- */

static uint16_t flags_of(const struct driver_buffer *buffer, bool last)
{
    return (uint16_t)((buffer->writable ? DRIVER_WRITE : 0) | (last ? 0 : DRIVER_NEXT));
}

static uint64_t fill_table(struct driver_queue *queue, const struct driver_buffer *buffers,
                           unsigned nr, unsigned id)
{
    uint64_t table = queue->tables + 4096ull * id;

    for (unsigned i = 0; i < nr; i++) {
        uint16_t flags = flags_of(&buffers[i], i == nr - 1);

        *descriptor(queue, table, i) = (struct descriptor){
            buffers[i].address,
            buffers[i].bytes,
            queue->packed ? 0 : flags,
            queue->packed ? flags & DRIVER_WRITE : (uint16_t)(i + 1),
        };
    }
    return table;
}

static int put_split(struct driver_queue *queue, const struct driver_buffer *buffers, unsigned nr,
                     bool indirect)
{
    unsigned places = indirect ? 1 : nr, at = queue->first_free, id = at;

    if (places > queue->free) {
        return -1;
    }
    for (unsigned i = 0; i < places; i++) {
        struct descriptor value = { buffers[i].address, buffers[i].bytes,
                                    flags_of(&buffers[i], i == places - 1), queue->links[at] };

        if (indirect) {
            value = (struct descriptor){ fill_table(queue, buffers, nr, id), 16 * nr,
                                         DRIVER_INDIRECT, 0 };
        }
        *descriptor(queue, queue->descriptors, at) = value;
        at = queue->links[at];
    }
    queue->first_free = (uint16_t)at;
    queue->free = (uint16_t)(queue->free - places);
    queue->places[id] = (uint16_t)places;
    *word(queue, queue->driver + 4 + 2ull * (queue->next % queue->size)) = (uint16_t)id;
    queue->next++;
    queue->fresh++;
    __atomic_store_n(word(queue, queue->driver + 2), queue->next, __ATOMIC_RELEASE);
    return (int)id;
}

static uint16_t available_flags(bool wrap)
{
    return wrap ? 0x0080 : 0x8000;
}

/* Chains come back in any order, so that positions are no names. */
static unsigned free_name(const struct driver_queue *queue)
{
    unsigned id = 0;

    while (queue->places[id] != 0) {
        id++;
    }
    return id;
}

static int put_packed(struct driver_queue *queue, const struct driver_buffer *buffers, unsigned nr,
                      bool indirect)
{
    unsigned places = indirect ? 1 : nr, head = queue->next, id;
    uint16_t head_flags = 0;

    if (places > queue->free) {
        return -1;
    }
    id = free_name(queue);
    for (unsigned i = 0; i < places; i++) {
        struct descriptor *at = descriptor(queue, queue->descriptors, queue->next);
        uint16_t flags = available_flags(queue->wrap);

        *at = (struct descriptor){ buffers[i].address, buffers[i].bytes, (uint16_t)id, at->fourth };
        flags |= flags_of(&buffers[i], i == places - 1);
        if (indirect) {
            *at = (struct descriptor){ fill_table(queue, buffers, nr, id), 16 * nr, (uint16_t)id,
                                       at->fourth };
            flags = available_flags(queue->wrap) | DRIVER_INDIRECT;
        }
        if (i == 0) {
            head_flags = flags;
        } else {
            at->fourth = flags;
        }
        if (++queue->next == queue->size) {
            queue->next = 0;
            queue->wrap = !queue->wrap;
        }
    }
    queue->free = (uint16_t)(queue->free - places);
    queue->fresh = (uint16_t)(queue->fresh + places);
    queue->places[id] = (uint16_t)places;
    __atomic_store_n(&descriptor(queue, queue->descriptors, head)->fourth, head_flags,
                     __ATOMIC_RELEASE);
    return (int)id;
}

int driver_put(struct driver_queue *queue, const struct driver_buffer *buffers, unsigned nr,
               bool indirect)
{
    return queue->packed ? put_packed(queue, buffers, nr, indirect)
                         : put_split(queue, buffers, nr, indirect);
}

/* --- kicks --- */

static bool passed(uint16_t event, uint16_t new, uint16_t old)
{
    return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

static bool must_kick_packed(const struct driver_queue *queue, uint16_t fresh)
{
    uint16_t where = *word(queue, queue->device), flags = *word(queue, queue->device + 2);
    unsigned event = where & 0x7fff;

    if (flags != 2) {
        return flags == 0;
    }
    if ((where >> 15 != 0) != queue->wrap) {
        event -= queue->size; /* unfold the ring: what was before its end is below zero */
    }
    return passed((uint16_t)event, queue->next, (uint16_t)(queue->next - fresh));
}

bool driver_must_kick(struct driver_queue *queue)
{
    uint16_t fresh = queue->fresh;

    queue->fresh = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (fresh == 0) {
        return false;
    }
    if (queue->packed) {
        return must_kick_packed(queue, fresh);
    }
    if (queue->event_index) {
        return passed(*word(queue, queue->device + 4 + 8ull * queue->size), queue->next,
                      (uint16_t)(queue->next - fresh));
    }
    return (*word(queue, queue->device) & 1) == 0;
}

/* --- collecting --- */

static bool get_split(struct driver_queue *queue, struct driver_used *used)
{
    uint32_t entry[2];
    unsigned last;

    if (__atomic_load_n(word(queue, queue->device + 2), __ATOMIC_ACQUIRE) == queue->used) {
        return false;
    }
    memcpy(entry, driver_at(queue, queue->device + 4 + 8ull * (queue->used % queue->size), 8), 8);
    queue->used++;
    *used = (struct driver_used){ (uint16_t)entry[0], entry[1] };
    last = used->id;
    for (unsigned i = 1; i < queue->places[used->id]; i++) {
        last = queue->links[last];
    }
    queue->links[last] = queue->first_free;
    queue->first_free = used->id;
    return true;
}

static bool get_packed(struct driver_queue *queue, struct driver_used *used)
{
    const struct descriptor *at = descriptor(queue, queue->descriptors, queue->used);
    uint16_t flags = __atomic_load_n(&at->fourth, __ATOMIC_ACQUIRE);

    if (((flags & 0x80) != 0) != queue->used_wrap || ((flags & 0x8000) != 0) != queue->used_wrap) {
        return false;
    }
    *used = (struct driver_used){ at->third, at->bytes };
    queue->used = (uint16_t)(queue->used + queue->places[used->id]);
    if (queue->used >= queue->size) {
        queue->used = (uint16_t)(queue->used - queue->size);
        queue->used_wrap = !queue->used_wrap;
    }
    return true;
}

bool driver_get(struct driver_queue *queue, struct driver_used *used)
{
    if (!(queue->packed ? get_packed(queue, used) : get_split(queue, used))) {
        return false;
    }
    queue->free = (uint16_t)(queue->free + queue->places[used->id]);
    queue->places[used->id] = 0;
    return true;
}

void driver_listen(struct driver_queue *queue)
{
    if (queue->packed) {
        *word(queue, queue->driver) = (uint16_t)(queue->used | (queue->used_wrap ? 0x8000 : 0));
        *word(queue, queue->driver + 2) = queue->event_index ? 2 : 0;
    } else {
        *word(queue, queue->driver) = 0;
        *word(queue, queue->driver + 4 + 2ull * queue->size) = queue->used;
    }
}

void driver_quiet(struct driver_queue *queue)
{
    if (queue->packed) {
        *word(queue, queue->driver + 2) = 1;
    } else {
        *word(queue, queue->driver) = 1;
        *word(queue, queue->driver + 4 + 2ull * queue->size) = (uint16_t)(queue->used - 1);
    }
}
