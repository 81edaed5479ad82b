/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GUID partition tables. The layout that is checked here:
 *
 *      0  protective MBR
 *      1  primary header --+      alternate: the backup header
 *      n  primary entries  |      before first_usable
 *         partitions       |      inside [first_usable, last_usable]
 *         backup entries   |      after last_usable, before the backup header
 *      m  backup header <--+      alternate: sector 1
 *
 * Sources  UEFI specification 2.10, section 5.3 "GUID Partition Table (GPT) Disk Layout"
 */
#include "lib/bits.h"
#include "lib/crc32.h"
#include "lib/format.h"
#include "lib/partition_priv.h"
#include "lib/string.h"

#define GPT_PRIMARY_SECTOR   1u
#define GPT_HEADER_BYTES_MIN 92u
#define GPT_CRC_AT           16u
#define GPT_MAJOR_REVISION   1u
#define GPT_ENTRY_BYTES_MIN  128u
#define GPT_GUID_BYTES       16u
#define GPT_NAME_AT          56u
#define GPT_NAME_UNITS       36u

static const uint8_t header_signature[8] = { 'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T' };

struct gpt_header {
    uint64_t own, alternate, first_usable, last_usable, array;
    uint32_t nr_entries, entry_bytes, array_crc;
    uint64_t array_sectors;
    uint8_t disk_guid[GPT_GUID_BYTES];
};

/* --- header --- */

/* The checks that hold for any header, before a field of it is believed. */
static enum partition_problem check_integrity(uint8_t *sector, uint32_t sector_bytes)
{
    uint32_t bytes = le32(sector + 12), crc = le32(sector + GPT_CRC_AT);

    if (memcmp(sector, header_signature, sizeof header_signature) != 0) {
        return PARTITION_GPT_SIGNATURE;
    }
    if (bytes < GPT_HEADER_BYTES_MIN || bytes > sector_bytes) {
        return PARTITION_GPT_HEADER_BYTES;
    }
    memset(sector + GPT_CRC_AT, 0, 4);
    if (crc32(0, sector, bytes) != crc) {
        return PARTITION_GPT_HEADER_CRC;
    }
    return le32(sector + 8) >> 16 == GPT_MAJOR_REVISION ? PARTITION_OK : PARTITION_GPT_REVISION;
}

static void take_header(struct gpt_header *header, const uint8_t *sector)
{
    header->own = le64(sector + 24);
    header->alternate = le64(sector + 32);
    header->first_usable = le64(sector + 40);
    header->last_usable = le64(sector + 48);
    memcpy(header->disk_guid, sector + 56, GPT_GUID_BYTES);
    header->array = le64(sector + 72);
    header->nr_entries = le32(sector + 80);
    header->entry_bytes = le32(sector + 84);
    header->array_crc = le32(sector + 88);
}

/* Sizes; sets array_sectors. */
static enum partition_problem check_array(struct gpt_header *header, uint32_t sector_bytes)
{
    uint64_t bytes = (uint64_t)header->nr_entries * header->entry_bytes;

    if (header->entry_bytes < GPT_ENTRY_BYTES_MIN || header->entry_bytes > sector_bytes ||
        !is_power_of_two(header->entry_bytes)) {
        return PARTITION_GPT_ENTRY_BYTES;
    }
    if (bytes == 0 || bytes > PARTITION_ARRAY_BYTES_MAX) {
        return PARTITION_GPT_ENTRY_COUNT;
    }
    header->array_sectors = (bytes + sector_bytes - 1) / sector_bytes;
    return PARTITION_OK;
}

/* Do as many sectors as the array has fit in [from, to)? */
static bool array_fits(const struct gpt_header *header, uint64_t from, uint64_t to)
{
    return from <= to && header->array_sectors <= to - from;
}

/* The primary's entries must have their room, whichever copy is looked at. */
static bool is_usable_range(const struct gpt_header *header, uint64_t nr_sectors)
{
    return array_fits(header, GPT_PRIMARY_SECTOR + 1, header->first_usable) &&
           header->first_usable <= header->last_usable && header->last_usable < nr_sectors;
}

static enum partition_problem check_primary_places(const struct gpt_header *header,
                                                   uint64_t nr_sectors)
{
    /* The backup's entries must have their room, whether or not they are in order. */
    if (header->alternate >= nr_sectors ||
        !array_fits(header, header->last_usable + 1, header->alternate)) {
        return PARTITION_GPT_ALTERNATE;
    }
    return header->array > GPT_PRIMARY_SECTOR &&
                   array_fits(header, header->array, header->first_usable)
               ? PARTITION_OK
               : PARTITION_GPT_ARRAY_PLACE;
}

static enum partition_problem check_backup_places(const struct gpt_header *header)
{
    if (header->alternate != GPT_PRIMARY_SECTOR) {
        return PARTITION_GPT_ALTERNATE;
    }
    return header->array > header->last_usable && array_fits(header, header->array, header->own)
               ? PARTITION_OK
               : PARTITION_GPT_ARRAY_PLACE;
}

static enum partition_problem check_header(struct gpt_header *header, uint64_t sector,
                                           const struct partition_disk *disk)
{
    enum partition_problem problem;

    if (header->own != sector) {
        return PARTITION_GPT_LOCATION;
    }
    problem = check_array(header, disk->sector_bytes);
    if (problem != PARTITION_OK) {
        return problem;
    }
    if (!is_usable_range(header, disk->nr_sectors)) {
        return PARTITION_GPT_USABLE;
    }
    return sector == GPT_PRIMARY_SECTOR ? check_primary_places(header, disk->nr_sectors)
                                        : check_backup_places(header);
}

static bool read_header(struct gpt_header *header, const struct partition_disk *disk,
                        uint64_t sector, struct partition_fault *fault)
{
    enum partition_problem problem;

    if (!partition_read_sector(disk, sector, fault)) {
        return false;
    }
    problem = check_integrity(disk->buffer, disk->sector_bytes);
    if (problem == PARTITION_OK) {
        take_header(header, disk->buffer);
        problem = check_header(header, sector, disk);
    }
    return problem == PARTITION_OK || partition_fail(fault, problem, sector);
}

/* --- entries --- */

/* Appendix A: the first three fields are little-endian numbers, the rest is bytes. */
static void guid_text(char text[PARTITION_UUID_BYTES], const uint8_t *guid)
{
    format_text(text, PARTITION_UUID_BYTES, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                le32(guid), le16(guid + 4), le16(guid + 6), guid[8], guid[9], guid[10], guid[11],
                guid[12], guid[13], guid[14], guid[15]);
}

static size_t put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xc0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xe0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3f));
        to[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3f));
    to[2] = (char)(0x80 | (code >> 6 & 0x3f));
    to[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

#define REPLACEMENT_CHARACTER 0xfffdu

/* The character that starts at unit *at; *at goes behind it. A lone surrogate is replaced. */
static uint32_t take_utf16(const uint8_t *units, unsigned *at)
{
    uint32_t first = le16(units + 2 * *at), second;

    *at += 1;
    if (first < 0xd800 || first > 0xdfff) {
        return first;
    }
    second = *at < GPT_NAME_UNITS ? le16(units + 2 * *at) : 0;
    if (first > 0xdbff || second < 0xdc00 || second > 0xdfff) {
        return REPLACEMENT_CHARACTER;
    }
    *at += 1;
    return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

static void label_text(char text[PARTITION_LABEL_BYTES], const uint8_t *units)
{
    size_t length = 0;
    unsigned at = 0;

    while (at < GPT_NAME_UNITS && le16(units + 2 * at) != 0) {
        length += put_utf8(text + length, take_utf16(units, &at));
    }
    text[length] = '\0';
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool take_entry(struct partition_table *table, const struct gpt_header *header,
                       uint32_t number, const uint8_t *entry)
{
    uint64_t first = le64(entry + 32), last = le64(entry + 40);
    struct partition *partition;

    if (is_zero(entry, GPT_GUID_BYTES)) { /* of the type: not used */
        return true;
    }
    partition = partition_append(table, number);
    if (partition == NULL) {
        return false;
    }
    guid_text(partition->uuid, entry + GPT_GUID_BYTES);
    label_text(partition->label, entry + GPT_NAME_AT);
    if (first > last) {
        partition->problem = PARTITION_BACKWARDS;
    } else if (first < header->first_usable || last > header->last_usable) {
        partition->problem = PARTITION_OUTSIDE;
    } else {
        partition->extent = (struct extent){ first, last - first + 1 };
    }
    return true;
}

/* What one sector of the array holds, from entry number `done` (counted from 0) on. */
static bool take_entries(struct partition_table *table, const struct gpt_header *header,
                         uint32_t done, const struct partition_disk *disk)
{
    uint32_t per_sector = disk->sector_bytes / header->entry_bytes;

    for (uint32_t i = 0; i < per_sector && done + i < header->nr_entries; i++) {
        if (!take_entry(table, header, done + i + 1, disk->buffer + i * header->entry_bytes)) {
            return false;
        }
    }
    return true;
}

/* table null: only the checksum is of interest. */
static bool read_array(struct partition_table *table, const struct gpt_header *header,
                       const struct partition_disk *disk, struct partition_fault *fault)
{
    uint64_t left = (uint64_t)header->nr_entries * header->entry_bytes;
    uint32_t crc = 0, done = 0;

    for (uint64_t i = 0; i < header->array_sectors; i++) {
        uint64_t bytes = left < disk->sector_bytes ? left : disk->sector_bytes;

        if (!partition_read_sector(disk, header->array + i, fault)) {
            return false;
        }
        crc = crc32(crc, disk->buffer, bytes);
        if (table != NULL && !take_entries(table, header, done, disk)) {
            return partition_fail(fault, PARTITION_TOO_MANY, header->array + i);
        }
        done += disk->sector_bytes / header->entry_bytes;
        left -= bytes;
    }
    return crc == header->array_crc ||
           partition_fail(fault, PARTITION_GPT_ARRAY_CRC, header->array);
}

/* --- the two copies --- */

static bool read_copy(struct partition_table *table, struct gpt_header *header,
                      const struct partition_disk *disk, struct partition_fault *fault)
{
    if (!read_array(table, header, disk, fault)) {
        table->nr_entries = 0;
        return false;
    }
    guid_text(table->disk_uuid, header->disk_guid);
    return true;
}

static bool same_contents(const struct gpt_header *a, const struct gpt_header *b)
{
    return a->first_usable == b->first_usable && a->last_usable == b->last_usable &&
           a->nr_entries == b->nr_entries && a->entry_bytes == b->entry_bytes &&
           a->array_crc == b->array_crc && memcmp(a->disk_guid, b->disk_guid, GPT_GUID_BYTES) == 0;
}

/* The primary copy is in use: is the backup fit to replace it one day? */
static void check_backup(const struct gpt_header *primary, const struct partition_disk *disk,
                         struct partition_fault *fault)
{
    struct gpt_header backup = { 0 };

    if (!read_header(&backup, disk, primary->alternate, fault)) {
        return;
    }
    if (!same_contents(primary, &backup)) {
        partition_fail(fault, PARTITION_GPT_DIFFERS, primary->alternate);
        return;
    }
    (void)read_array(NULL, &backup, disk, fault);
}

bool gpt_read(struct partition_table *table, const struct partition_disk *disk)
{
    struct gpt_header primary = { 0 }, backup = { 0 };
    uint64_t alternate = disk->nr_sectors - 1;

    if (read_header(&primary, disk, GPT_PRIMARY_SECTOR, &table->primary)) {
        alternate = primary.alternate;
        if (read_copy(table, &primary, disk, &table->primary)) {
            check_backup(&primary, disk, &table->backup);
            return true;
        }
    }
    table->from_backup = read_header(&backup, disk, alternate, &table->backup) &&
                         read_copy(table, &backup, disk, &table->backup);
    return table->from_backup;
}
