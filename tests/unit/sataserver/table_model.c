/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/sataserver/table_model.h"

#include <string.h>

#include "lib/crc32.h"
#include "tests/unit/sataserver/ahci_model.h"

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, 4);
}

static void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, 8);
}

static void put_entry(uint8_t *entry, const struct model_part *part, unsigned number)
{
    memset(entry, 0x77, 16);
    memset(entry + 16, (int)number, 16);
    put64(entry + 32, part->first);
    put64(entry + 40, part->first + part->count - 1);
    for (size_t i = 0; part->label[i] != '\0'; i++) {
        entry[56 + 2 * i] = (uint8_t)part->label[i];
    }
}

#define ENTRIES     128u
#define ENTRY_BYTES 128u
#define ARRAY_BYTES (ENTRIES * ENTRY_BYTES)

static void put_header(uint8_t *medium, uint32_t bytes, uint64_t own, uint64_t alternate,
                       uint64_t array, uint64_t last)
{
    uint8_t *header = medium + own * bytes;

    memset(header, 0, bytes);
    put64(header, 0x5452415020494645ull); /* "EFI PART" */
    put32(header + 8, 0x10000);
    put32(header + 12, 92);
    put64(header + 24, own);
    put64(header + 32, alternate);
    put64(header + 40, 2 + ARRAY_BYTES / bytes);
    put64(header + 48, last - ARRAY_BYTES / bytes - 1);
    memset(header + 56, 0xdd, 16);
    put64(header + 72, array);
    put32(header + 80, ENTRIES);
    put32(header + 84, ENTRY_BYTES);
    put32(header + 88, crc32(0, medium + array * bytes, ARRAY_BYTES));
    put32(header + 16, crc32(0, header, 92));
}

void model_make_table(unsigned port, const struct model_part *parts, unsigned count)
{
    struct model_drive *drive = &model.ports[port].drive;
    uint32_t bytes = drive->sector_bytes;
    uint64_t last = MODEL_DISK_BYTES / bytes - 1, backup = last - ARRAY_BYTES / bytes;
    uint8_t *medium = drive->medium;

    memset(medium, 0, bytes);
    medium[446 + 4] = 0xee;
    put32(medium + 446 + 8, 1);
    put32(medium + 446 + 12, (uint32_t)last);
    medium[510] = 0x55;
    medium[511] = 0xaa;
    memset(medium + 2 * bytes, 0, ARRAY_BYTES);
    for (unsigned i = 0; i < count; i++) {
        put_entry(medium + 2 * bytes + (size_t)i * ENTRY_BYTES, &parts[i], i + 1);
    }
    memcpy(medium + backup * bytes, medium + 2 * bytes, ARRAY_BYTES);
    put_header(medium, bytes, 1, last, 2, last);
    put_header(medium, bytes, last, 1, backup, last);
    memcpy(drive->cache, medium, MODEL_DISK_BYTES);
}
