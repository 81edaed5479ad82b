/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio block device whose disk is behind a channel to the disk server. Data stays where it is:
 * the guest's own addresses go to the server; only headers and status bytes are touched here.
 *
 *      kick -> chains become requests of the channel, or are answered at once (wrong ones, GET_ID)
 *      completion -> status byte, used ring, interrupt; then what had found no room
 *
 * Invariants  I1  pending[tag] is valid for each tag that is outstanding in the channel
 * Trust       A request that is not possible (alignment, range, length) is an error to the driver.
 *             A chain without a whole header or a place for the status is needs-reset.
 * Durability  With a write cache a write is completed from the cache, unless the driver cannot
 *             flush or has chosen write-through: then each write is FUA. Without one there is
 *             nothing to flush, and the guest is told so.
 * Locking     that of virtio_pci.h
 * Units       virtio's sectors have 512 bytes, the disk's facts.sector_bytes
 * Sources     Virtio 1.2 section 5.2 "Block Device"
 */
#ifndef USER_VMM_VIRTIO_BLK_H
#define USER_VMM_VIRTIO_BLK_H

#include "user/vmm/disk_client.h"
#include "user/vmm/virtio_pci.h"

/* What a request's completion needs. */
struct virtio_blk_pending {
    struct virtqueue_ticket ticket;
    uint8_t queue;
    uint32_t written; /* into the driver's data when all went well */
    uint64_t status_address;
};

struct virtio_blk {
    struct virtio_device virtio; /* first: the operations' argument is converted back */
    struct disk_client client;
    unsigned index;                    /* [c] which of the VM's disks it is */
    uint32_t max_segment, nr_segments; /* [c] what the driver is told */
    bool write_back;                   /* the driver's choice */
    struct virtio_blk_pending pending[DISK_MAX_REQUESTS];
    struct disk_segment segments[DISK_MAX_SEGMENTS];
};

/* Tells the server of disk n that there are requests (main.c; faked in host tests). */
void disk_signal(unsigned index);

/* blk->client's disk is ready. In the power-on state afterwards. */
void virtio_blk_init(struct virtio_blk *blk, const struct guest_ram *ram, unsigned index,
                     unsigned nr_queues, uint32_t bar);

#endif
