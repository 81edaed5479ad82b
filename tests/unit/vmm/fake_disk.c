/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/vmm/fake_disk.h"

#include <stdlib.h>
#include <string.h>

void fake_disk_make(struct fake_disk *disk, const struct guest_ram *ram, uint32_t sector_bytes,
                    uint32_t flags)
{
    struct disk_channel *channel = aligned_alloc(4096, sizeof(*channel));

    memset(channel, 0, sizeof(*channel));
    *disk = (struct fake_disk){ .channel = channel, .ram = ram };
    disk->bytes = calloc(1, FAKE_DISK_BYTES);
    ring_init(&disk->requests, RING_CONSUMER, &channel->requests, channel->request_entries,
              sizeof(struct disk_request), DISK_MAX_REQUESTS);
    ring_init(&disk->segments, RING_CONSUMER, &channel->segments, channel->segment_entries,
              sizeof(struct disk_segment), DISK_SEGMENT_RING);
    ring_init(&disk->completions, RING_PRODUCER, &channel->completions, channel->completion_entries,
              sizeof(struct disk_completion), DISK_MAX_REQUESTS);
    channel->facts = (struct disk_facts){
        .flags = flags,
        .nr_sectors = FAKE_DISK_BYTES / sector_bytes,
        .sector_bytes = sector_bytes,
        .physical_bytes = 4096,
        .max_sectors = 65536 * 512 / sector_bytes,
        .serial = "0123456789abcdefghij",
    };
    fake_disk_set_state(disk, DISK_READY);
}

void fake_disk_free(struct fake_disk *disk)
{
    free(disk->channel);
    free(disk->bytes);
}

void fake_disk_set_state(struct fake_disk *disk, enum disk_state state)
{
    __atomic_store_n(&disk->channel->facts.state, state, __ATOMIC_RELEASE);
}

unsigned fake_disk_take(struct fake_disk *disk)
{
    while (disk->nr_held < DISK_MAX_REQUESTS) {
        struct fake_disk_request *held = &disk->held[disk->nr_held];

        if (ring_get(&disk->requests, &held->request, 1) == 0) {
            break;
        }
        if (held->request.nr_segments > DISK_MAX_SEGMENTS ||
            ring_get(&disk->segments, held->segments, held->request.nr_segments) !=
                held->request.nr_segments) {
            abort(); /* the client broke the contract */
        }
        disk->nr_held++;
    }
    if (disk->nr_held == 0) {
        ring_may_sleep(&disk->requests, 1);
    }
    return disk->nr_held;
}

static enum disk_status transfer(struct fake_disk *disk, const struct fake_disk_request *held,
                                 uint64_t at, uint64_t bytes)
{
    for (unsigned i = 0; i < held->request.nr_segments; i++) {
        const struct disk_segment *segment = &held->segments[i];
        uint8_t *memory = guest_ram_at(disk->ram, gpa(segment->address), segment->bytes);

        if (memory == NULL || segment->bytes > bytes || segment->bytes % 2 != 0 ||
            segment->address % 2 != 0) {
            abort();
        }
        if (held->request.kind == DISK_READ) {
            memcpy(memory, disk->bytes + at, segment->bytes);
        } else {
            memcpy(disk->bytes + at, memory, segment->bytes);
        }
        at += segment->bytes;
        bytes -= segment->bytes;
    }
    return bytes == 0 ? DISK_OK : DISK_UNSUPPORTED;
}

static enum disk_status execute(struct fake_disk *disk, const struct fake_disk_request *held)
{
    const struct disk_request *request = &held->request;
    const struct disk_facts *facts = &disk->channel->facts;
    uint64_t nr_sectors = FAKE_DISK_BYTES / facts->sector_bytes;
    uint64_t at = request->sector * facts->sector_bytes;
    uint64_t bytes = request->count * facts->sector_bytes;

    if (request->sector > nr_sectors || request->count > nr_sectors - request->sector) {
        return DISK_RANGE;
    }
    switch (request->kind) {
    case DISK_WRITE:
        disk->fua_writes += request->flags & DISK_FLAG_FUA;
        return transfer(disk, held, at, bytes);
    case DISK_READ:
        return transfer(disk, held, at, bytes);
    case DISK_FLUSH:
        disk->flushes++;
        return DISK_OK;
    case DISK_DISCARD:
        disk->discards++;
        return DISK_OK;
    case DISK_WRITE_ZEROES:
        disk->zeroings++;
        memset(disk->bytes + at, 0, bytes);
        return DISK_OK;
    default:
        abort();
    }
}

void fake_disk_complete_with(struct fake_disk *disk, unsigned which, enum disk_status status)
{
    const struct disk_completion completion = { disk->held[which].request.tag, status };

    if (ring_put(&disk->completions, &completion, 1) != 1) {
        abort();
    }
    disk->held[which] = disk->held[--disk->nr_held];
    ring_must_signal(&disk->completions);
}

void fake_disk_complete(struct fake_disk *disk, unsigned which)
{
    fake_disk_complete_with(disk, which, execute(disk, &disk->held[which]));
}

void fake_disk_run(struct fake_disk *disk)
{
    while (fake_disk_take(disk) != 0) {
        fake_disk_complete(disk, 0);
    }
}
