/* SPDX-License-Identifier: BSD-2-Clause */
/* What gpt.c, mbr.c and partition.c share. */
#ifndef LIB_PARTITION_PRIV_H
#define LIB_PARTITION_PRIV_H

#include "lib/partition.h"

/* Little-endian numbers at any address. */
static inline uint32_t le16(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t le32(const uint8_t *at)
{
    return le16(at) | le16(at + 2) << 16;
}

static inline uint64_t le64(const uint8_t *at)
{
    return le32(at) | (uint64_t)le32(at + 4) << 32;
}

/* One sector into disk->buffer; a sector that the disk does not have is unreadable. */
bool partition_read_sector(const struct partition_disk *disk, uint64_t sector,
                           struct partition_fault *fault);

/* Always false: sets the fault. */
bool partition_fail(struct partition_fault *fault, enum partition_problem problem, uint64_t sector);

/* A cleared entry at the end of the list, or null if the list is full. */
struct partition *partition_append(struct partition_table *table, uint32_t number);

/* Marks partitions without a problem that contain this sector. */
void partition_keep_out(struct partition_table *table, uint64_t sector);

/* gpt.c: both copies into the table. */
bool gpt_read(struct partition_table *table, const struct partition_disk *disk);

/* mbr.c */
enum mbr_kind {
    MBR_NONE,
    MBR_PROTECTIVE, /* a GPT is to be expected */
    MBR_PARTITIONS,
};
/* Sector 0 is in disk->buffer; fault says why it is none. */
enum mbr_kind mbr_classify(const uint8_t *sector, struct partition_fault *fault);
void mbr_read(struct partition_table *table, const struct partition_disk *disk);

#endif
