/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/sataserver/table.h"

#include "lib/string.h"

static const struct table_piece *find(const struct table_reader *reader, uint64_t sector,
                                      uint32_t *index)
{
    for (uint32_t i = 0; i < reader->nr_pieces; i++) {
        const struct table_piece *piece = &reader->pieces[i];

        if (sector >= piece->first && sector - piece->first < piece->count) {
            *index = i;
            return piece;
        }
    }
    return NULL;
}

/* partition_disk.read: after the first sector that is not there yet, nothing more is given. */
static bool give(void *context, uint64_t sector, void *buffer)
{
    struct table_reader *reader = context;
    uint32_t bytes = reader->port->identity.sector_bytes, index = 0;
    const struct table_piece *piece = reader->missing ? NULL : find(reader, sector, &index);

    if (piece == NULL) {
        if (!reader->missing && reader->nr_pieces < TABLE_MAX_PIECES) {
            reader->missing = true;
            reader->missing_sector = sector;
        }
        return false;
    }
    if (piece->bad) {
        return false;
    }
    memcpy(buffer,
           reader->memory + (size_t)index * TABLE_PIECE_BYTES +
               (size_t)(sector - piece->first) * bytes,
           bytes);
    return true;
}

static void submit(struct table_reader *reader)
{
    const struct table_piece *piece = &reader->pieces[reader->nr_pieces];

    reader->segment = (struct dma_segment){
        reader->memory_address + (uint64_t)reader->nr_pieces * TABLE_PIECE_BYTES,
        piece->count * reader->port->identity.sector_bytes,
    };
    reader->transfer.sector = piece->first;
    reader->transfer.count = piece->count;
    reader->state = TABLE_WAITING;
    port_submit(reader->port, &reader->transfer);
}

/* Where a whole piece has a bad sector, the one that was asked for is tried by itself. */
static void transfer_done(struct transfer *transfer)
{
    struct table_reader *reader = (struct table_reader *)transfer;
    struct table_piece *piece = &reader->pieces[reader->nr_pieces];

    reader->state = TABLE_READING;
    if (transfer->result == TRANSFER_MEDIA && piece->count > 1) {
        *piece = (struct table_piece){ .first = reader->missing_sector, .count = 1 };
        submit(reader);
        return;
    }
    piece->bad = transfer->result != TRANSFER_OK;
    reader->nr_pieces++;
}

/* The piece around the missing sector, as far as the disk goes. */
static void read_missing(struct table_reader *reader)
{
    const struct ata_identity *identity = &reader->port->identity;
    uint64_t per_piece = TABLE_PIECE_BYTES / identity->sector_bytes;
    uint64_t first = reader->missing_sector - reader->missing_sector % per_piece;
    uint64_t left = identity->nr_sectors - first;

    reader->pieces[reader->nr_pieces] =
        (struct table_piece){ .first = first, .count = left < per_piece ? left : per_piece };
    submit(reader);
}

void table_begin(struct table_reader *reader, struct port *port, uint8_t *memory,
                 uint64_t memory_address)
{
    memset(reader, 0, sizeof *reader);
    reader->port = port;
    reader->memory = memory;
    reader->memory_address = memory_address;
    reader->transfer = (struct transfer){
        .kind = TRANSFER_READ,
        .segments = &reader->segment,
        .nr_segments = 1,
        .done = transfer_done,
    };
}

bool table_step(struct table_reader *reader, struct partition_table *table)
{
    const struct partition_disk disk = {
        .context = reader,
        .read = give,
        .nr_sectors = reader->port->identity.nr_sectors,
        .sector_bytes = reader->port->identity.sector_bytes,
        .buffer = reader->sector,
    };

    while (reader->state == TABLE_READING) {
        reader->missing = false;
        partition_table_read(table, &disk);
        if (reader->missing) {
            read_missing(reader);
        } else {
            reader->state = TABLE_READ;
        }
    }
    return reader->state == TABLE_READ;
}
