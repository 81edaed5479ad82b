/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Partition tables: GPT, and MBR with extended partitions. Reads them from a disk that may hold
 * anything, says what is wrong in words, and finds partitions by UUID, label or number.
 *
 * Trust       the disk is hostile, and what it answers may change from one read to the next: each
 *             sector is read once, copied, checked, then used. A read is bounded: at most
 *             PARTITION_READS_MAX sectors for each table.
 * GPT         used if sector 0 has a protective entry (type EEh). The primary table if it is in
 *             order, else the backup; the damage is reported in either case. Header and entry CRCs
 *             must fit; both tables lie outside of what partitions may use.
 * MBR         four primary partitions, one extended partition with logical ones, numbered from 5. A
 *             chain that is damaged ends where the damage is, and that is reported.
 * Partitions  one that reaches outside, overlaps another or would hold a part of the table stays
 *             in the list with the reason, and cannot be used; the others can.
 * Invariants  T1  entries without a problem are valid extents of the disk, and disjoint
 *             T2  no entry without a problem contains a sector that the table was read from
 * Units       sectors of the disk's logical size
 * Errors      false or a problem other than PARTITION_OK
 * Locking     none: no state but the caller's
 * Sources     UEFI specification 2.10, chapter 5 "GUID Partition Table (GPT) Disk Layout"
 */
#ifndef LIB_PARTITION_H
#define LIB_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/extent.h"

#define PARTITION_MAX              128u
#define PARTITION_SECTOR_BYTES_MAX 4096u
#define PARTITION_ARRAY_BYTES_MAX  (1u << 20)
#define PARTITION_READS_MAX        5000u
#define PARTITION_UUID_BYTES       37u
#define PARTITION_LABEL_BYTES      109u /* 36 UTF-16 units in UTF-8, and the NUL */
#define PARTITION_LINE_BYTES       160u

enum partition_problem {
    PARTITION_OK,
    /* of a disk or its sector 0 */
    PARTITION_DISK_SHAPE,
    PARTITION_UNREADABLE,
    PARTITION_NO_TABLE,
    PARTITION_NOT_A_TABLE,
    /* of one copy of a GPT */
    PARTITION_GPT_SIGNATURE,
    PARTITION_GPT_REVISION,
    PARTITION_GPT_HEADER_BYTES,
    PARTITION_GPT_HEADER_CRC,
    PARTITION_GPT_LOCATION,
    PARTITION_GPT_ALTERNATE,
    PARTITION_GPT_USABLE,
    PARTITION_GPT_ENTRY_BYTES,
    PARTITION_GPT_ENTRY_COUNT,
    PARTITION_GPT_ARRAY_PLACE,
    PARTITION_GPT_ARRAY_CRC,
    PARTITION_GPT_DIFFERS,
    PARTITION_TOO_MANY,
    /* of an MBR's chain of logical partitions */
    PARTITION_CHAIN_SIGNATURE,
    PARTITION_CHAIN_OUTSIDE,
    PARTITION_CHAIN_LOOP,
    PARTITION_CHAIN_SECOND,
    /* of one partition */
    PARTITION_BACKWARDS,
    PARTITION_OUTSIDE,
    PARTITION_OVERLAPS,
    PARTITION_HOLDS_TABLE,
    PARTITION_IS_EXTENDED,
    /* of a look-up */
    PARTITION_NOT_FOUND,
    PARTITION_AMBIGUOUS,
    PARTITION_NR_PROBLEMS
};

enum partition_scheme {
    PARTITION_SCHEME_NONE,
    PARTITION_SCHEME_GPT,
    PARTITION_SCHEME_MBR,
};

/* What was found wrong, and in which sector. */
struct partition_fault {
    enum partition_problem problem;
    uint64_t sector;
};

struct partition_disk {
    void *context;
    /* One sector into the buffer; false if the disk does not give it. */
    bool (*read)(void *context, uint64_t sector, void *buffer);
    uint64_t nr_sectors;
    uint32_t sector_bytes; /* 512 to 4096, a power of two */
    uint8_t *buffer;       /* sector_bytes of scratch memory */
};

struct partition {
    struct extent extent;
    uint32_t number; /* from 1, as the disk's own order has it */
    enum partition_problem problem;
    uint32_t other;                  /* number of the partition that it overlaps */
    char uuid[PARTITION_UUID_BYTES]; /* lower case; of an MBR: disk signature "-" number */
    char label[PARTITION_LABEL_BYTES];
};

struct partition_table {
    enum partition_scheme scheme;
    bool from_backup;
    struct partition_fault primary; /* of an MBR: sector 0 */
    struct partition_fault backup;
    struct partition_fault chain;
    char disk_uuid[PARTITION_UUID_BYTES];
    uint32_t nr_entries;
    struct partition entries[PARTITION_MAX];
};

/* False if there is no table that can be used: primary and backup say why. */
bool partition_table_read(struct partition_table *table, const struct partition_disk *disk);

/* A clause in plain English, for any value. */
const char *partition_problem_text(enum partition_problem problem);

/*
 * Message number n (from 0) about the table: damage first, then the partitions that cannot be used.
 * False if there is no such message.
 */
bool partition_table_message(const struct partition_table *table, uint32_t n,
                             char line[PARTITION_LINE_BYTES]);

/*
 * The partition with this UUID (letters in either case), label or number. Unless PARTITION_OK is
 * returned, *found is not to be used.
 */
enum partition_problem partition_find_uuid(const struct partition_table *table, const char *uuid,
                                           struct extent *found);
enum partition_problem partition_find_label(const struct partition_table *table, const char *label,
                                            struct extent *found);
enum partition_problem partition_find_number(const struct partition_table *table, uint32_t number,
                                             struct extent *found);

#endif
