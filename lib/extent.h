/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A run of sectors on a disk, and the one function that turns a client's sector numbers into the
 * disk's. Whatever reaches a disk on behalf of a client has come through extent_translate(): the
 * whole request lies inside the client's extent, or nothing of it happens.
 *
 * Invariant  X1  first + count does not overflow (extent_valid() against the disk's size)
 * Units      sectors of the disk's logical size; ranges are first and count
 * Tests      tests/unit/lib/test_extent.c runs this very source on every combination of 8-bit
 *            numbers: no step may rely on a wider type than sector_t, hence the casts, which keep
 *            C's integer promotion from widening the narrow ones.
 */
#ifndef LIB_EXTENT_H
#define LIB_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

#ifndef EXTENT_SECTOR
#define EXTENT_SECTOR uint64_t
#endif

typedef EXTENT_SECTOR sector_t;

struct extent {
    sector_t first;
    sector_t count;
};

/* Is the extent not empty and inside a disk of this many sectors? */
static inline bool extent_valid(struct extent extent, sector_t disk_sectors)
{
    return extent.count != 0 && extent.count <= disk_sectors &&
           extent.first <= (sector_t)(disk_sectors - extent.count);
}

/*
 * Sectors [sector, sector + count) of the extent, as sectors of the disk. False, and nothing is
 * written, if count is 0 or any of them lies outside.
 */
static inline bool extent_translate(struct extent extent, sector_t sector, sector_t count,
                                    sector_t *disk_sector)
{
    if (count == 0 || count > extent.count || sector > (sector_t)(extent.count - count)) {
        return false;
    }
    *disk_sector = (sector_t)(extent.first + sector);
    return true;
}

/* Do two valid extents share a sector? */
static inline bool extent_overlaps(struct extent a, struct extent b)
{
    return a.first <= b.first ? (sector_t)(b.first - a.first) < a.count
                              : (sector_t)(a.first - b.first) < b.count;
}

#endif
