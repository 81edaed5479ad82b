/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words that are spoken to an ATA drive: commands, their FIS, what IDENTIFY DEVICE and the NCQ
 * error log answer. Pure.
 *
 * Trust    what a drive answers is checked before it is used: a drive that claims the impossible is
 *          refused with the reason
 * Units    sectors are logical sectors
 * Sources  ATA/ATAPI Command Set - 3 (ACS-3), sections 7 and 9; Serial ATA 3.1, 10.3.4 "Register -
 *          Host to Device" and 13.6 "Native Command Queuing"
 */
#ifndef USER_SATASERVER_ATA_H
#define USER_SATASERVER_ATA_H

#include <stdbool.h>
#include <stdint.h>

enum ata_command {
    ATA_DATA_SET_MANAGEMENT = 0x06,
    ATA_READ_DMA_EXT = 0x25,
    ATA_READ_LOG_EXT = 0x2f,
    ATA_WRITE_DMA_EXT = 0x35,
    ATA_WRITE_DMA_FUA_EXT = 0x3d,
    ATA_READ_FPDMA_QUEUED = 0x60,
    ATA_WRITE_FPDMA_QUEUED = 0x61,
    ATA_FLUSH_CACHE_EXT = 0xea,
    ATA_IDENTIFY_DEVICE = 0xec,
};

#define ATA_BLOCK_BYTES 512u /* of IDENTIFY, logs, and TRIM's list of ranges */
#define ATA_FIS_BYTES   20u
#define ATA_MAX_SECTORS 65536u /* of one command */

/* Bits of the error register: ACS-3 6.3 */
#define ATA_ERROR_ICRC 0x80u /* the transfer was garbled on its way */
#define ATA_ERROR_UNC  0x40u
#define ATA_ERROR_IDNF 0x10u
#define ATA_ERROR_ABRT 0x04u

struct ata_registers {
    uint8_t command, device;
    uint16_t features, count;
    uint64_t lba; /* 48 bits */
};

void ata_make_fis(uint8_t fis[ATA_FIS_BYTES], const struct ata_registers *registers);

/* Reading or writing 1 .. ATA_MAX_SECTORS sectors; queued: by native command queuing, with tag. */
struct ata_registers ata_transfer_registers(bool write, bool fua, uint64_t sector, uint32_t count);
struct ata_registers ata_queued_registers(bool write, bool fua, uint64_t sector, uint32_t count,
                                          unsigned tag);

/*
 * TRIM's ranges for [sector, sector + count), as many as fit in one block. Returns how many sectors
 * they cover; the rest is for another command.
 */
uint64_t ata_make_trim(uint8_t block[ATA_BLOCK_BYTES], uint64_t sector, uint64_t count);

struct ata_identity {
    uint64_t nr_sectors;
    uint32_t sector_bytes;   /* 512 or 4096 */
    uint32_t physical_bytes; /* of what the medium writes at once */
    unsigned queue_depth;    /* 1 .. 32; 0 = no native command queuing */
    bool flush, fua, trim, write_cache;
    char serial[21], model[41], firmware[9];
};

/* What is wrong with the drive, or null. */
const char *ata_identify(struct ata_identity *identity, const uint8_t block[ATA_BLOCK_BYTES]);
bool ata_same_drive(const struct ata_identity *a, const struct ata_identity *b);

/* The NCQ error log (10h). False if the block is not a valid one for a queued command. */
bool ata_read_error_log(const uint8_t block[ATA_BLOCK_BYTES], unsigned *tag, uint8_t *error);

#endif
