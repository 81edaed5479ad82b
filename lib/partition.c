/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/bits.h"
#include "lib/format.h"
#include "lib/partition_priv.h"
#include "lib/string.h"

static const char *const problem_texts[PARTITION_NR_PROBLEMS] = {
    [PARTITION_OK] = "in order",
    [PARTITION_DISK_SHAPE] = "the disk's sector size or number of sectors is not supported",
    [PARTITION_UNREADABLE] = "the sector cannot be read",
    [PARTITION_NO_TABLE] = "there is no partition table (no signature 55 AA)",
    [PARTITION_NOT_A_TABLE] = "what is there is a boot sector, not a partition table",
    [PARTITION_GPT_SIGNATURE] = "the GPT header is not there (no signature \"EFI PART\")",
    [PARTITION_GPT_REVISION] = "the GPT header's revision is unknown",
    [PARTITION_GPT_HEADER_BYTES] = "the GPT header's size is impossible",
    [PARTITION_GPT_HEADER_CRC] = "the GPT header's checksum is wrong",
    [PARTITION_GPT_LOCATION] = "the GPT header says that it belongs into another sector",
    [PARTITION_GPT_ALTERNATE] = "the GPT header's pointer to the other copy is impossible",
    [PARTITION_GPT_USABLE] = "the GPT header's range of usable sectors is impossible",
    [PARTITION_GPT_ENTRY_BYTES] = "the GPT header's size of an entry is not supported",
    [PARTITION_GPT_ENTRY_COUNT] = "the GPT header's number of entries is not supported",
    [PARTITION_GPT_ARRAY_PLACE] = "the GPT entries lie where partitions may be, or off the disk",
    [PARTITION_GPT_ARRAY_CRC] = "the checksum of the GPT entries is wrong",
    [PARTITION_GPT_DIFFERS] = "this copy of the GPT differs from the primary one",
    [PARTITION_TOO_MANY] = "there are more partitions than are supported",
    [PARTITION_CHAIN_SIGNATURE] = "the chain of logical partitions is broken (no signature 55 AA)",
    [PARTITION_CHAIN_OUTSIDE] = "the chain of logical partitions leaves the extended partition",
    [PARTITION_CHAIN_LOOP] = "the chain of logical partitions runs in a circle",
    [PARTITION_CHAIN_SECOND] = "there is a second extended partition, which is not used",
    [PARTITION_BACKWARDS] = "it ends before it begins",
    [PARTITION_OUTSIDE] = "it reaches outside of where it may be",
    [PARTITION_OVERLAPS] = "it overlaps another partition",
    [PARTITION_HOLDS_TABLE] = "a part of the partition table lies inside it",
    [PARTITION_IS_EXTENDED] = "it is the container of the logical partitions",
    [PARTITION_NOT_FOUND] = "there is no such partition",
    [PARTITION_AMBIGUOUS] = "several partitions have that name",
};

const char *partition_problem_text(enum partition_problem problem)
{
    return (unsigned)problem < PARTITION_NR_PROBLEMS ? problem_texts[problem] : "?";
}

bool partition_fail(struct partition_fault *fault, enum partition_problem problem, uint64_t sector)
{
    *fault = (struct partition_fault){ problem, sector };
    return false;
}

bool partition_read_sector(const struct partition_disk *disk, uint64_t sector,
                           struct partition_fault *fault)
{
    if (sector >= disk->nr_sectors || !disk->read(disk->context, sector, disk->buffer)) {
        return partition_fail(fault, PARTITION_UNREADABLE, sector);
    }
    return true;
}

struct partition *partition_append(struct partition_table *table, uint32_t number)
{
    struct partition *entry;

    if (table->nr_entries == PARTITION_MAX) {
        return NULL;
    }
    entry = &table->entries[table->nr_entries];
    table->nr_entries++;
    memset(entry, 0, sizeof *entry);
    entry->number = number;
    return entry;
}

void partition_keep_out(struct partition_table *table, uint64_t sector)
{
    for (uint32_t i = 0; i < table->nr_entries; i++) {
        struct partition *entry = &table->entries[i];

        if (entry->problem == PARTITION_OK && sector >= entry->extent.first &&
            sector - entry->extent.first < entry->extent.count) {
            entry->problem = PARTITION_HOLDS_TABLE;
        }
    }
}

static bool is_placed(const struct partition *entry)
{
    return entry->problem == PARTITION_OK || entry->problem == PARTITION_OVERLAPS;
}

/* Both partitions of an overlap are out: nobody can tell whose sectors those are. */
static void mark_overlaps(struct partition_table *table)
{
    for (uint32_t i = 0; i < table->nr_entries; i++) {
        for (uint32_t j = i + 1; j < table->nr_entries; j++) {
            struct partition *a = &table->entries[i], *b = &table->entries[j];

            if (is_placed(a) && is_placed(b) && extent_overlaps(a->extent, b->extent)) {
                a->problem = PARTITION_OVERLAPS;
                a->other = b->number;
                b->problem = PARTITION_OVERLAPS;
                b->other = a->number;
            }
        }
    }
}

static bool disk_has_shape(const struct partition_disk *disk)
{
    return disk->sector_bytes >= 512 && disk->sector_bytes <= PARTITION_SECTOR_BYTES_MAX &&
           is_power_of_two(disk->sector_bytes) && disk->nr_sectors >= 2;
}

bool partition_table_read(struct partition_table *table, const struct partition_disk *disk)
{
    memset(table, 0, sizeof *table);
    if (!disk_has_shape(disk)) {
        return partition_fail(&table->primary, PARTITION_DISK_SHAPE, 0);
    }
    if (!partition_read_sector(disk, 0, &table->primary)) {
        return false;
    }
    switch (mbr_classify(disk->buffer, &table->primary)) {
    case MBR_NONE:
        return false;
    case MBR_PROTECTIVE:
        if (!gpt_read(table, disk)) {
            return false;
        }
        table->scheme = PARTITION_SCHEME_GPT;
        break;
    case MBR_PARTITIONS:
        mbr_read(table, disk);
        table->scheme = PARTITION_SCHEME_MBR;
        break;
    }
    mark_overlaps(table);
    return true;
}

/* --- messages --- */

static void fault_line(char *line, const char *what, const struct partition_fault *fault,
                       const char *consequence)
{
    format_text(line, PARTITION_LINE_BYTES, "%s, sector %lu: %s%s", what,
                (unsigned long)fault->sector, partition_problem_text(fault->problem), consequence);
}

static void entry_line(char *line, const struct partition *entry)
{
    if (entry->problem == PARTITION_OVERLAPS) {
        format_text(line, PARTITION_LINE_BYTES,
                    "partition %u cannot be used: it overlaps partition %u", entry->number,
                    entry->other);
    } else {
        format_text(line, PARTITION_LINE_BYTES, "partition %u cannot be used: %s", entry->number,
                    partition_problem_text(entry->problem));
    }
}

bool partition_table_message(const struct partition_table *table, uint32_t n,
                             char line[PARTITION_LINE_BYTES])
{
    bool usable = table->scheme != PARTITION_SCHEME_NONE;

    if (table->primary.problem != PARTITION_OK && n-- == 0) {
        fault_line(line, "partition table", &table->primary, usable ? "; the backup is used" : "");
        return true;
    }
    if (table->backup.problem != PARTITION_OK && n-- == 0) {
        fault_line(line, "backup partition table", &table->backup,
                   usable ? "; the primary is used" : "");
        return true;
    }
    if (table->chain.problem != PARTITION_OK && n-- == 0) {
        fault_line(line, "partition table", &table->chain, "; what came before it is used");
        return true;
    }
    for (uint32_t i = 0; i < table->nr_entries; i++) {
        const struct partition *entry = &table->entries[i];

        if (entry->problem != PARTITION_OK && entry->problem != PARTITION_IS_EXTENDED && n-- == 0) {
            entry_line(line, entry);
            return true;
        }
    }
    return false;
}

/* --- looking up --- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_uuid(const char *stored, const char *asked)
{
    while (*stored != '\0' && *stored == lower(*asked)) {
        stored++;
        asked++;
    }
    return *stored == '\0' && *asked == '\0';
}

/* Takes the candidate unless it is the second one. */
static void consider(const struct partition *candidate, const struct partition **match,
                     enum partition_problem *result)
{
    *result = *match == NULL ? candidate->problem : PARTITION_AMBIGUOUS;
    *match = candidate;
}

static enum partition_problem conclude(const struct partition *match, enum partition_problem result,
                                       struct extent *found)
{
    if (result == PARTITION_OK) {
        *found = match->extent;
    }
    return result;
}

enum partition_problem partition_find_uuid(const struct partition_table *table, const char *uuid,
                                           struct extent *found)
{
    enum partition_problem result = PARTITION_NOT_FOUND;
    const struct partition *match = NULL;

    for (uint32_t i = 0; i < table->nr_entries; i++) {
        if (same_uuid(table->entries[i].uuid, uuid)) {
            consider(&table->entries[i], &match, &result);
        }
    }
    return conclude(match, result, found);
}

enum partition_problem partition_find_label(const struct partition_table *table, const char *label,
                                            struct extent *found)
{
    enum partition_problem result = PARTITION_NOT_FOUND;
    const struct partition *match = NULL;

    for (uint32_t i = 0; i < table->nr_entries && label[0] != '\0'; i++) {
        if (strcmp(table->entries[i].label, label) == 0) {
            consider(&table->entries[i], &match, &result);
        }
    }
    return conclude(match, result, found);
}

enum partition_problem partition_find_number(const struct partition_table *table, uint32_t number,
                                             struct extent *found)
{
    for (uint32_t i = 0; i < table->nr_entries; i++) {
        if (table->entries[i].number == number) {
            return conclude(&table->entries[i], table->entries[i].problem, found);
        }
    }
    return PARTITION_NOT_FOUND;
}
