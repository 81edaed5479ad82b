/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Master boot records. A sector with a table:
 *
 *      446     four entries of 16 bytes: boot flag, CHS, type, CHS, first sector, count
 *      440     disk signature (sector 0 only)
 *      510     55 AA
 *
 * Logical partitions form a list inside the extended partition: each link is a sector with a table
 * whose first entry is the partition, relative to that sector, and whose second is the next link,
 * relative to the extended partition.
 */
#include "lib/format.h"
#include "lib/partition_priv.h"

#define MBR_SIGNATURE_AT      440u
#define MBR_ENTRIES_AT        446u
#define MBR_ENTRY_BYTES       16u
#define MBR_NR_ENTRIES        4u
#define MBR_MARK_AT           510u
#define MBR_MARK              0xaa55u
#define MBR_TYPE_EMPTY        0x00u
#define MBR_TYPE_PROTECTIVE   0xeeu
#define MBR_FIRST_LOGICAL     5u
#define MBR_MAX_LINKS         PARTITION_MAX
#define MBR_BOOT_FLAG_IGNORED 0x80u

struct mbr_entry {
    uint8_t boot_flag, type;
    struct extent extent; /* relative to what the entry is relative to */
};

static struct mbr_entry entry_at(const uint8_t *sector, unsigned index)
{
    const uint8_t *at = sector + MBR_ENTRIES_AT + index * MBR_ENTRY_BYTES;

    return (struct mbr_entry){
        .boot_flag = at[0],
        .type = at[4],
        .extent = { .first = le32(at + 8), .count = le32(at + 12) },
    };
}

static bool is_extended(const struct mbr_entry *entry)
{
    return entry->type == 0x05 || entry->type == 0x0f || entry->type == 0x85;
}

static bool is_used(const struct mbr_entry *entry)
{
    return entry->type != MBR_TYPE_EMPTY && entry->extent.count != 0;
}

enum mbr_kind mbr_classify(const uint8_t *sector, struct partition_fault *fault)
{
    enum mbr_kind kind = MBR_PARTITIONS;

    if (le16(sector + MBR_MARK_AT) != MBR_MARK) {
        partition_fail(fault, PARTITION_NO_TABLE, 0);
        return MBR_NONE;
    }
    for (unsigned i = 0; i < MBR_NR_ENTRIES; i++) {
        struct mbr_entry entry = entry_at(sector, i);

        /* A file system's boot sector ends with 55 AA, too, and has code or text here. */
        if ((entry.boot_flag & ~MBR_BOOT_FLAG_IGNORED) != 0) {
            partition_fail(fault, PARTITION_NOT_A_TABLE, 0);
            return MBR_NONE;
        }
        if (entry.type == MBR_TYPE_PROTECTIVE) {
            kind = MBR_PROTECTIVE;
        }
    }
    return kind;
}

struct mbr_reading {
    struct partition_table *table;
    const struct partition_disk *disk;
    uint32_t signature;
    struct extent extended; /* count 0: there is none */
    uint32_t nr_links;
    uint64_t links[MBR_MAX_LINKS]; /* sectors of the list, in its order */
};

static struct partition *add(struct mbr_reading *reading, uint32_t number, struct extent extent)
{
    struct partition *partition = partition_append(reading->table, number);

    if (partition == NULL) {
        partition_fail(&reading->table->chain, PARTITION_TOO_MANY, 0);
        return NULL;
    }
    partition->extent = extent;
    format_text(partition->uuid, sizeof partition->uuid, "%08x-%02x", reading->signature, number);
    return partition;
}

static void add_primary(struct mbr_reading *reading, unsigned index, const struct mbr_entry *entry)
{
    struct partition *partition = add(reading, index + 1, entry->extent);

    if (partition == NULL) {
        return;
    }
    if (!extent_valid(entry->extent, reading->disk->nr_sectors)) {
        partition->problem = PARTITION_OUTSIDE;
    } else if (is_extended(entry)) {
        partition->problem = PARTITION_IS_EXTENDED;
        if (reading->extended.count == 0) {
            reading->extended = entry->extent;
        } else {
            partition_fail(&reading->table->chain, PARTITION_CHAIN_SECOND, 0);
        }
    }
}

static void add_logical(struct mbr_reading *reading, uint32_t number, uint64_t link,
                        const struct mbr_entry *entry)
{
    struct extent absolute = { link + entry->extent.first, entry->extent.count };
    struct partition *partition = add(reading, number, absolute);
    uint64_t inside = link - reading->extended.first; /* the link is inside */
    sector_t ignored;

    if (partition != NULL && !extent_translate(reading->extended, inside + entry->extent.first,
                                               entry->extent.count, &ignored)) {
        partition->problem = PARTITION_OUTSIDE;
    }
}

/* Remembers a link of the list; false if the list must not be followed there. */
static bool visit(struct mbr_reading *reading, uint64_t offset, uint64_t *link)
{
    struct partition_fault *fault = &reading->table->chain;
    sector_t sector;

    if (!extent_translate(reading->extended, offset, 1, &sector)) {
        return partition_fail(fault, PARTITION_CHAIN_OUTSIDE, reading->extended.first + offset);
    }
    for (uint32_t i = 0; i < reading->nr_links; i++) {
        if (reading->links[i] == sector) {
            return partition_fail(fault, PARTITION_CHAIN_LOOP, sector);
        }
    }
    if (reading->nr_links == MBR_MAX_LINKS) {
        return partition_fail(fault, PARTITION_TOO_MANY, sector);
    }
    reading->links[reading->nr_links++] = sector;
    *link = sector;
    return partition_read_sector(reading->disk, sector, fault);
}

static void read_logical(struct mbr_reading *reading)
{
    const uint8_t *sector = reading->disk->buffer;
    uint32_t number = MBR_FIRST_LOGICAL;
    struct mbr_entry next = { 0 };
    uint64_t link = 0;

    do {
        struct mbr_entry partition;

        if (!visit(reading, next.extent.first, &link)) {
            return;
        }
        if (le16(sector + MBR_MARK_AT) != MBR_MARK) {
            partition_fail(&reading->table->chain, PARTITION_CHAIN_SIGNATURE, link);
            return;
        }
        partition = entry_at(sector, 0);
        next = entry_at(sector, 1);
        if (is_used(&partition) && !is_extended(&partition)) {
            add_logical(reading, number++, link, &partition);
        }
    } while (is_used(&next) && is_extended(&next));
}

/* A logical partition lies inside its container by design; any other must not touch it. */
static void mark_intruders(struct mbr_reading *reading, uint32_t nr_primaries)
{
    for (uint32_t i = 0; i < nr_primaries; i++) {
        struct partition *entry = &reading->table->entries[i];

        if (entry->problem == PARTITION_OK && extent_overlaps(entry->extent, reading->extended)) {
            entry->problem = PARTITION_HOLDS_TABLE;
        }
    }
}

void mbr_read(struct partition_table *table, const struct partition_disk *disk)
{
    struct mbr_reading reading = { .table = table, .disk = disk };
    uint32_t nr_primaries;

    reading.signature = le32(disk->buffer + MBR_SIGNATURE_AT);
    format_text(table->disk_uuid, sizeof table->disk_uuid, "%08x", reading.signature);
    for (unsigned i = 0; i < MBR_NR_ENTRIES; i++) {
        struct mbr_entry entry = entry_at(disk->buffer, i);

        if (is_used(&entry)) {
            add_primary(&reading, i, &entry);
        }
    }
    nr_primaries = table->nr_entries;
    partition_keep_out(table, 0);
    if (reading.extended.count == 0) {
        return;
    }
    mark_intruders(&reading, nr_primaries);
    read_logical(&reading);
    for (uint32_t i = 0; i < reading.nr_links; i++) {
        partition_keep_out(table, reading.links[i]);
    }
}
