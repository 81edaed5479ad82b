/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules about what VMs' disks name: first by the names alone, then on images of the disks, as the
 * disk server will find them (user/sataserver/assign.c decides in the same way).
 *
 * Trust      an image may hold anything: lib/partition.h checks what it reads
 * Images     have sectors of 512 bytes; of 4096 if there is no table that can be used with 512
 */
#ifndef TOOLS_BULKHEAD_DISK_H
#define TOOLS_BULKHEAD_DISK_H

#include "lib/partition.h"
#include "tools/bulkhead/model.h"

struct disk_image {
    const char *path;
    const char *serial; /* null: not known */
    uint64_t nr_sectors;
    struct partition_table table;
};

/* argument: IMAGE or SERIAL=IMAGE. False with errno if the image cannot be read. */
bool disk_image_read(struct arena *arena, const char *argument, struct disk_image *image);

/* No two disks name the same sectors, unless both are only read. */
void disk_check_names(struct report *report, const struct model *model);
/* What the disks name is there, once, in order, and nobody else's. */
void disk_check_images(struct report *report, const struct model *model,
                       const struct disk_image *images, size_t nr_images);

#endif
