/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/regions.h"

#include "kernel/core/panic.h"
#include "lib/bits.h"

static void delete_at(struct boot_regions *regions, unsigned index)
{
    regions->count--;
    for (unsigned i = index; i < regions->count; i++)
        regions->at[i] = regions->at[i + 1];
}

static void insert_at(struct boot_regions *regions, unsigned index, struct boot_region region)
{
    if (regions->count == BOOT_MAX_REGIONS)
        panic("memory is in more than %u pieces", BOOT_MAX_REGIONS);
    for (unsigned i = regions->count; i > index; i--)
        regions->at[i] = regions->at[i - 1];
    regions->at[index] = region;
    regions->count++;
}

void regions_add(struct boot_regions *regions, u64 start, u64 end)
{
    unsigned i = 0;

    if (start >= end)
        return;
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
    insert_at(regions, i, (struct boot_region){ start, end });
}

void regions_remove(struct boot_regions *regions, u64 start, u64 end)
{
    for (unsigned i = 0; i < regions->count && start < end;) {
        struct boot_region met = regions->at[i];

        if (met.end <= start || met.start >= end) {
            i++;
            continue;
        }
        /* What of it lies before and behind: nothing, if the end comes first. */
        delete_at(regions, i);
        regions_add(regions, met.start, start);
        regions_add(regions, end, met.end);
    }
}

void regions_remove_all(struct boot_regions *regions, const struct boot_regions *others)
{
    for (unsigned i = 0; i < others->count; i++)
        regions_remove(regions, others->at[i].start, others->at[i].end);
}

u64 regions_take(struct boot_regions *regions, u64 bytes, unsigned align_bits, u64 limit)
{
    for (unsigned i = regions->count; i-- > 0;) {
        u64 end = regions->at[i].end < limit ? regions->at[i].end : limit;
        u64 start = end < bytes ? 0 : round_down_bits(end - bytes, align_bits);

        if (start > 0 && start >= regions->at[i].start) {
            regions_remove(regions, start, start + bytes);
            return start;
        }
    }
    return 0;
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
