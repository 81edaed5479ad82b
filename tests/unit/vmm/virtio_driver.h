/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a virtqueue, for tests: a model of its own of both ring formats, that puts
 * chains in and collects what was used. It lays its rings into memory that a struct guest_ram
 * describes, and keeps to the rules; tests that break them write to the memory themselves.
 */
#ifndef TESTS_UNIT_VMM_VIRTIO_DRIVER_H
#define TESTS_UNIT_VMM_VIRTIO_DRIVER_H

#include "user/vmm/guest_ram.h"

#define DRIVER_MAX_SIZE 256u

/* Flags of a descriptor, as in the specification. */
#define DRIVER_NEXT     1u
#define DRIVER_WRITE    2u
#define DRIVER_INDIRECT 4u

struct driver_buffer {
    uint64_t address;
    uint32_t bytes;
    bool writable;
};

struct driver_used {
    uint16_t id;
    uint32_t written;
};

struct driver_queue {
    const struct guest_ram *ram;
    uint64_t descriptors, driver, device; /* guest physical */
    uint64_t tables;                      /* for indirect ones: one page for each chain */
    uint16_t size;
    bool packed, event_index;
    uint16_t next, used, free;
    bool wrap, used_wrap;
    uint16_t fresh; /* put since the last question whether to kick: entries or places */
    uint16_t first_free;
    uint16_t links[DRIVER_MAX_SIZE];  /* split: free list */
    uint16_t places[DRIVER_MAX_SIZE]; /* of the chain with this name */
};

/* Rings from base on; size a power of two for split rings. Indirect tables follow at +64 KiB. */
void driver_init(struct driver_queue *queue, const struct guest_ram *ram, uint64_t base,
                 uint16_t size, bool packed, bool event_index);
/* The chain's name, or -1 if there is no room. */
int driver_put(struct driver_queue *queue, const struct driver_buffer *buffers, unsigned nr,
               bool indirect);
/* Whether a kick is wanted for what was put since the last question. */
bool driver_must_kick(struct driver_queue *queue);
bool driver_get(struct driver_queue *queue, struct driver_used *used);
/* An interrupt for the next used chain, or for none. */
void driver_listen(struct driver_queue *queue);
void driver_quiet(struct driver_queue *queue);

void *driver_at(const struct driver_queue *queue, uint64_t address, uint64_t bytes);

#endif
