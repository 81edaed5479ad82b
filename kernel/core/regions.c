/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/regions.h"

static void delete_at(struct boot_regions *regions, unsigned index)
{
    regions->count--;
    for (unsigned i = index; i < regions->count; i++)
        regions->at[i] = regions->at[i + 1];
}

static bool insert_at(struct boot_regions *regions, unsigned index, struct boot_region region)
{
    if (regions->count == BOOT_MAX_REGIONS)
        return false;
    for (unsigned i = regions->count; i > index; i--)
        regions->at[i] = regions->at[i - 1];
    regions->at[index] = region;
    regions->count++;
    return true;
}

bool regions_add(struct boot_regions *regions, u64 start, u64 end)
{
    unsigned i = 0;

    if (start >= end)
        return true;
    while (i < regions->count && regions->at[i].end < start)
        i++;
    /* Swallow all that meet or touch the new one. */
    while (i < regions->count && regions->at[i].start <= end) {
        if (regions->at[i].start < start)
            start = regions->at[i].start;
        if (regions->at[i].end > end)
            end = regions->at[i].end;
        delete_at(regions, i);
    }
    return insert_at(regions, i, (struct boot_region){ start, end });
}

bool regions_remove(struct boot_regions *regions, u64 start, u64 end)
{
    for (unsigned i = 0; i < regions->count && start < end;) {
        struct boot_region *region = &regions->at[i];

        if (region->end <= start || region->start >= end) {
            i++;
        } else if (region->start < start && region->end > end) {
            struct boot_region tail = { end, region->end };

            region->end = start;
            return insert_at(regions, i + 1, tail);
        } else if (region->start < start) {
            region->end = start;
            i++;
        } else if (region->end > end) {
            region->start = end;
            i++;
        } else {
            delete_at(regions, i);
        }
    }
    return true;
}

bool regions_overlap(const struct boot_regions *regions, u64 start, u64 end)
{
    for (unsigned i = 0; i < regions->count; i++)
        if (regions->at[i].start < end && start < regions->at[i].end)
            return true;
    return false;
}

bool regions_contain(const struct boot_regions *regions, u64 start, u64 end)
{
    for (unsigned i = 0; i < regions->count; i++)
        if (regions->at[i].start <= start && end <= regions->at[i].end)
            return true;
    return false;
}
