/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/sataserver/ata.h"

#include "lib/bits.h"
#include "lib/string.h"

#define FIS_REGISTER_H2D 0x27u
#define FIS_COMMAND      0x80u
#define DEVICE_LBA       0x40u
#define DEVICE_FUA       0x80u

void ata_make_fis(uint8_t fis[ATA_FIS_BYTES], const struct ata_registers *registers)
{
    const uint64_t lba = registers->lba;

    memset(fis, 0, ATA_FIS_BYTES);
    fis[0] = FIS_REGISTER_H2D;
    fis[1] = FIS_COMMAND;
    fis[2] = registers->command;
    fis[3] = (uint8_t)registers->features;
    fis[4] = (uint8_t)lba;
    fis[5] = (uint8_t)(lba >> 8);
    fis[6] = (uint8_t)(lba >> 16);
    fis[7] = registers->device;
    fis[8] = (uint8_t)(lba >> 24);
    fis[9] = (uint8_t)(lba >> 32);
    fis[10] = (uint8_t)(lba >> 40);
    fis[11] = (uint8_t)(registers->features >> 8);
    fis[12] = (uint8_t)registers->count;
    fis[13] = (uint8_t)(registers->count >> 8);
}

struct ata_registers ata_transfer_registers(bool write, bool fua, uint64_t sector, uint32_t count)
{
    return (struct ata_registers){
        .command = !write ? ATA_READ_DMA_EXT
                   : fua  ? ATA_WRITE_DMA_FUA_EXT
                          : ATA_WRITE_DMA_EXT,
        .device = DEVICE_LBA,
        .count = (uint16_t)count, /* 65536 is said as 0 */
        .lba = sector,
    };
}

struct ata_registers ata_queued_registers(bool write, bool fua, uint64_t sector, uint32_t count,
                                          unsigned tag)
{
    return (struct ata_registers){
        .command = write ? ATA_WRITE_FPDMA_QUEUED : ATA_READ_FPDMA_QUEUED,
        .device = DEVICE_LBA | (fua ? DEVICE_FUA : 0),
        .features = (uint16_t)count,
        .count = (uint16_t)(tag << 3),
        .lba = sector,
    };
}

/* --- TRIM: ACS-3 7.6 DATA SET MANAGEMENT --- */

#define TRIM_NR_RANGES   (ATA_BLOCK_BYTES / 8)
#define TRIM_RANGE_COUNT 65535u

uint64_t ata_make_trim(uint8_t block[ATA_BLOCK_BYTES], uint64_t sector, uint64_t count)
{
    uint64_t done = 0;

    memset(block, 0, ATA_BLOCK_BYTES);
    for (unsigned i = 0; i < TRIM_NR_RANGES && done < count; i++) {
        uint64_t left = count - done;
        uint64_t length = left < TRIM_RANGE_COUNT ? left : TRIM_RANGE_COUNT;
        uint64_t range = length << 48 | (sector + done);

        memcpy(block + (size_t)i * 8, &range, 8);
        done += length;
    }
    return done;
}

/* --- IDENTIFY DEVICE: ACS-3 7.12, words by their numbers --- */

#define SECTORS_MAX (1ull << 48)

static uint32_t word(const uint8_t *block, unsigned number)
{
    return block[2 * number] | (uint32_t)block[2 * number + 1] << 8;
}

/* Words that say by their upper two bits (01) whether they mean anything. */
static uint32_t checked_word(const uint8_t *block, unsigned number)
{
    uint32_t value = word(block, number);

    return value >> 14 == 1 ? value : 0;
}

static bool has(uint32_t value, unsigned bit)
{
    return (value >> bit & 1) != 0;
}

/* Texts have two characters in each word, the first in the upper byte, and blanks at their end. */
static void take_text(char *to, const uint8_t *block, unsigned first, unsigned words)
{
    size_t length = (size_t)words * 2;

    for (size_t i = 0; i < length; i++) {
        uint8_t c = block[2 * first + (i ^ 1)];

        to[i] = c >= ' ' && c < 0x7f ? (char)c : ' ';
    }
    while (length > 0 && to[length - 1] == ' ') {
        length--;
    }
    to[length] = '\0';
}

static const char *take_geometry(struct ata_identity *identity, const uint8_t *block)
{
    uint32_t sizes = checked_word(block, 106);

    identity->nr_sectors = word(block, 100) | (uint64_t)word(block, 101) << 16 |
                           (uint64_t)word(block, 102) << 32 | (uint64_t)word(block, 103) << 48;
    identity->sector_bytes = 512;
    if (has(sizes, 12)) {
        uint64_t words = word(block, 117) | (uint64_t)word(block, 118) << 16;

        identity->sector_bytes = words == 256 ? 512 : words == 2048 ? 4096 : 0;
    }
    if (identity->sector_bytes == 0) {
        return "its sectors have neither 512 nor 4096 bytes";
    }
    identity->physical_bytes = identity->sector_bytes << (has(sizes, 13) ? sizes & 15 : 0);
    if (identity->nr_sectors == 0 || identity->nr_sectors > SECTORS_MAX) {
        return "its number of sectors is impossible";
    }
    return NULL;
}

const char *ata_identify(struct ata_identity *identity, const uint8_t block[ATA_BLOCK_BYTES])
{
    uint32_t commands = checked_word(block, 83), enabled = word(block, 85);

    memset(identity, 0, sizeof *identity);
    take_text(identity->serial, block, 10, 10);
    take_text(identity->firmware, block, 23, 4);
    take_text(identity->model, block, 27, 20);
    if (has(word(block, 0), 15)) {
        return "it is not an ATA drive";
    }
    if (!has(word(block, 49), 9) || !has(word(block, 49), 8) || !has(commands, 10)) {
        return "it has no 48-bit addresses or no DMA";
    }
    if (has(word(block, 76), 8)) {
        identity->queue_depth = (word(block, 75) & 31) + 1;
    }
    identity->flush = has(commands, 13);
    identity->fua = has(checked_word(block, 84), 6);
    identity->trim = has(word(block, 169), 0);
    identity->write_cache = has(enabled, 5);
    if (identity->write_cache && !identity->flush) {
        return "it has a write cache that cannot be flushed";
    }
    return take_geometry(identity, block);
}

bool ata_same_drive(const struct ata_identity *a, const struct ata_identity *b)
{
    return a->nr_sectors == b->nr_sectors && a->sector_bytes == b->sector_bytes &&
           strcmp(a->serial, b->serial) == 0 && strcmp(a->model, b->model) == 0;
}

/* --- the NCQ error log: ACS-3 9.13 --- */

#define LOG_NOT_QUEUED 0x80u
#define LOG_TAG        0x1fu

bool ata_read_error_log(const uint8_t block[ATA_BLOCK_BYTES], unsigned *tag, uint8_t *error)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < ATA_BLOCK_BYTES; i++) {
        sum = (uint8_t)(sum + block[i]);
    }
    *tag = block[0] & LOG_TAG;
    *error = block[3];
    return sum == 0 && (block[0] & LOG_NOT_QUEUED) == 0;
}
