/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a drive's partition table through the driver, while everything else goes on.
 * lib/partition.h asks for sectors one by one and wants each at once: so it is run on what has been
 * read so far, and run again when the first piece that it missed has come. Pieces are kept until
 * the end; each sector is read from the drive once.
 *
 * Trust       the disk is hostile: lib/partition.h checks what it holds, the number of pieces
 *             bounds how much of it is asked for
 * Invariants  R1  pieces[0 .. nr_pieces) are answered for good: what was read, or that it is bad
 * Errors      a sector that the drive does not give is unreadable for lib/partition.h; so is what
 *             no piece is left for
 * Locking     none: one thread
 */
#ifndef USER_SATASERVER_TABLE_H
#define USER_SATASERVER_TABLE_H

#include "lib/partition.h"
#include "user/sataserver/hba.h"

#define TABLE_PIECE_BYTES  4096u
#define TABLE_MAX_PIECES   56u
#define TABLE_MEMORY_BYTES (TABLE_MAX_PIECES * TABLE_PIECE_BYTES)

struct table_piece {
    uint64_t first, count; /* sectors */
    bool bad;
};

enum table_state {
    TABLE_READING,
    TABLE_WAITING, /* for the drive */
    TABLE_READ,
};

struct table_reader {
    struct transfer transfer; /* first: the driver gives it back */
    struct dma_segment segment;
    struct port *port;
    uint8_t *memory; /* TABLE_MEMORY_BYTES for the drive to write to */
    uint64_t memory_address;
    enum table_state state;
    struct table_piece pieces[TABLE_MAX_PIECES];
    uint32_t nr_pieces;
    bool missing;
    uint64_t missing_sector;
    uint8_t sector[PARTITION_SECTOR_BYTES_MAX];
};

/* The port is ready. */
void table_begin(struct table_reader *reader, struct port *port, uint8_t *memory,
                 uint64_t memory_address);
/* As far as it goes now. True: the table is read; false: a transfer is on its way, ask again. */
bool table_step(struct table_reader *reader, struct partition_table *table);

#endif
