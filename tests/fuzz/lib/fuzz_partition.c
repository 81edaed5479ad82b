/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a disk: refused, or read as partitions that are inside the disk, disjoint and clear
 * of the sectors that the table came from. The first input byte chooses how much of a real table
 * is laid under the rest; the disk ends where the input does, and what lies between is zero.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/crc32.h"
#include "lib/partition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NR_SECTORS   128u
#define SECTOR_BYTES 512u
#define NR_ENTRIES   8u
#define ARRAY_BYTES  (NR_ENTRIES * 128u)

static uint8_t disk_bytes[NR_SECTORS * SECTOR_BYTES];
static bool was_read[NR_SECTORS];

static bool read_sector(void *context, uint64_t sector, void *buffer)
{
    (void)context;
    if (sector >= NR_SECTORS) {
        abort();
    }
    was_read[sector] = true;
    memcpy(buffer, disk_bytes + sector * SECTOR_BYTES, SECTOR_BYTES);
    return true;
}

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
    memcpy(at, &value, bytes);
}

/* Checksums are not to be guessed: they are made to fit whatever the input has put there. */
static void seal(uint64_t sector, uint64_t array)
{
    uint8_t *header = disk_bytes + sector * SECTOR_BYTES;

    put(header + 88, crc32(0, disk_bytes + array * SECTOR_BYTES, ARRAY_BYTES), 4);
    put(header + 16, 0, 4);
    put(header + 16, crc32(0, header, 92), 4);
}

static void make_header(uint64_t sector, uint64_t alternate, uint64_t array)
{
    uint8_t *header = disk_bytes + sector * SECTOR_BYTES;

    memcpy(header, "EFI PART\0\0\1\0\x5c\0\0\0", 16);
    put(header + 24, sector, 8);
    put(header + 32, alternate, 8);
    put(header + 40, 8, 8);
    put(header + 48, 119, 8);
    put(header + 72, array, 8);
    put(header + 80, NR_ENTRIES, 4);
    put(header + 84, 128, 4);
}

/* The input changes headers and entries byte by byte: position, value. */
static void mutate(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 2 < size; i += 3) {
        size_t at = (data[i] | (size_t)data[i + 1] << 8) % sizeof disk_bytes;

        disk_bytes[at] = data[i + 2];
    }
}

/* Most numbers of a random entry would be far outside: three in four are made small. */
static void tame_entries(uint8_t *array)
{
    for (unsigned i = 0; i < NR_ENTRIES; i++) {
        uint8_t *entry = array + i * 128;

        if (entry[127] % 4 != 0) {
            memset(entry + 33, 0, 7);
            memset(entry + 41, 0, 7);
        }
    }
}

#define NR_LINKS 24u

/* Tables of small numbers, four input bytes for each entry, in the first sectors of the disk. */
static void make_mbr(const uint8_t *data, size_t size)
{
    static const uint8_t types[8] = { 0x83, 0x83, 0x83, 5, 0xf, 0x85, 0, 0x83 };

    for (unsigned i = 0; i < NR_LINKS * 4 && i * 4 + 3 < size; i++) {
        const uint8_t *from = data + (size_t)i * 4;
        uint8_t *sector = disk_bytes + (size_t)(i / 4) * SECTOR_BYTES;
        uint8_t *entry = sector + 446 + (size_t)(i % 4) * 16;

        entry[0] = from[3] & 0x80;
        entry[4] = types[from[0] % 8];
        put(entry + 8, from[1] % 32, 1);
        put(entry + 12, from[2] % 64, 1);
        if (from[3] != 0x7f) {
            put(sector + 510, 0xaa55, 2);
        }
    }
}

static void make_disk(const uint8_t *data, size_t size)
{
    memset(disk_bytes, 0, sizeof disk_bytes);
    if (size == 0) {
        return;
    }
    switch (data[0] % 4) {
    case 0: /* raw */
        memcpy(disk_bytes, data + 1, size - 1 < sizeof disk_bytes ? size - 1 : sizeof disk_bytes);
        break;
    case 1: /* entries as the input says, under right checksums */
        make_header(1, 127, 2);
        make_header(127, 1, 120);
        memcpy(disk_bytes + 2 * SECTOR_BYTES, data + 1,
               size - 1 < ARRAY_BYTES ? size - 1 : ARRAY_BYTES);
        tame_entries(disk_bytes + 2 * SECTOR_BYTES);
        memcpy(disk_bytes + 120 * SECTOR_BYTES, disk_bytes + 2 * SECTOR_BYTES, ARRAY_BYTES);
        disk_bytes[450] = 0xee;
        break;
    case 2: /* headers in order but for some bytes */
        make_header(1, 127, 2);
        make_header(127, 1, 120);
        disk_bytes[450] = 0xee;
        mutate(data + 1, size - 1);
        break;
    default:
        make_mbr(data + 1, size - 1);
        break;
    }
    disk_bytes[510] = 0x55;
    disk_bytes[511] = 0xaa;
    if (data[0] % 4 == 1 || data[0] % 8 == 2) {
        seal(1, 2);
        seal(127, 120);
    }
}

static void check_entry(const struct partition_table *table, uint32_t index)
{
    struct extent extent = table->entries[index].extent;

    if (!extent_valid(extent, NR_SECTORS)) {
        abort();
    }
    for (uint64_t sector = extent.first; sector < extent.first + extent.count; sector++) {
        if (was_read[sector]) {
            abort();
        }
    }
    for (uint32_t i = 0; i < index; i++) {
        if (table->entries[i].problem == PARTITION_OK &&
            extent_overlaps(table->entries[i].extent, extent)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct partition_table table;
    uint8_t buffer[SECTOR_BYTES];
    struct partition_disk disk = { NULL, read_sector, NR_SECTORS, SECTOR_BYTES, buffer };
    char line[PARTITION_LINE_BYTES];

    make_disk(data, size);
    memset(was_read, 0, sizeof was_read);
    if (partition_table_read(&table, &disk)) {
        for (uint32_t i = 0; i < table.nr_entries; i++) {
            if (table.entries[i].problem == PARTITION_OK) {
                check_entry(&table, i);
            }
        }
    }
    for (uint32_t n = 0; partition_table_message(&table, n, line); n++) {
        if (strlen(line) >= sizeof line) {
            abort();
        }
    }
    return 0;
}
