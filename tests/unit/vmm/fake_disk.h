/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk server's end of a channel, for tests: a disk in memory. It takes requests, holds them
 * until the test lets them be done, in any order, and can break every rule when told to.
 */
#ifndef TESTS_UNIT_VMM_FAKE_DISK_H
#define TESTS_UNIT_VMM_FAKE_DISK_H

#include "user/libserver/disk.h"
#include "user/vmm/guest_ram.h"

#define FAKE_DISK_BYTES (8ull << 20)

struct fake_disk_request {
    struct disk_request request;
    struct disk_segment segments[DISK_MAX_SEGMENTS];
};

struct fake_disk {
    struct disk_channel *channel;
    struct ring requests, segments, completions;
    const struct guest_ram *ram;
    uint8_t *bytes;
    struct fake_disk_request held[DISK_MAX_REQUESTS];
    unsigned nr_held;
    unsigned flushes, fua_writes, discards, zeroings;
};

/* Ready, with sectors of this size; facts may be changed until the monitor looks. */
void fake_disk_make(struct fake_disk *disk, const struct guest_ram *ram, uint32_t sector_bytes,
                    uint32_t flags);
void fake_disk_free(struct fake_disk *disk);
void fake_disk_set_state(struct fake_disk *disk, enum disk_state state);
/* Takes what is in the ring; how many requests it holds now. Asks for a signal if it holds none. */
unsigned fake_disk_take(struct fake_disk *disk);
/* Does one that it holds and completes it. */
void fake_disk_complete(struct fake_disk *disk, unsigned which);
void fake_disk_complete_with(struct fake_disk *disk, unsigned which, enum disk_status status);
/* Takes and completes everything. */
void fake_disk_run(struct fake_disk *disk);

#endif
