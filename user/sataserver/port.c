/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands: from a transfer to the structures that the controller reads, and back. */
#include "lib/bits.h"
#include "lib/string.h"
#include "user/sataserver/port_priv.h"

#define ADDRESS_32_END (1ull << 32)

void port_finish(struct transfer *transfer, enum transfer_result result, uint8_t error)
{
    transfer->result = result;
    transfer->error = error;
    transfer->done(transfer);
}

/* --- checking --- */

static bool segments_are_valid(const struct port *port, const struct transfer *transfer)
{
    uint64_t total = 0, end;

    if (transfer->nr_segments == 0 || transfer->nr_segments > TRANSFER_MAX_SEGMENTS) {
        return false;
    }
    for (uint32_t i = 0; i < transfer->nr_segments; i++) {
        const struct dma_segment *segment = &transfer->segments[i];

        if (((segment->address | segment->bytes) & 1) != 0 || segment->bytes == 0 ||
            segment->bytes > PRD_MAX_LENGTH ||
            __builtin_add_overflow(segment->address, segment->bytes, &end) ||
            (!port->hba->address64 && end > ADDRESS_32_END)) {
            return false;
        }
        total += segment->bytes;
    }
    return total == transfer->count * port->identity.sector_bytes;
}

/* The last check before the drive, whoever asks. */
static bool transfer_is_valid(const struct port *port, const struct transfer *transfer)
{
    if (transfer->kind == TRANSFER_FLUSH) {
        return true;
    }
    if (transfer->count == 0 ||
        !range_fits(transfer->sector, transfer->count, port->identity.nr_sectors)) {
        return false;
    }
    if (transfer->kind == TRANSFER_TRIM) {
        return port->identity.trim;
    }
    return transfer->count <= ATA_MAX_SECTORS && (!transfer->fua || port->identity.fua) &&
           segments_are_valid(port, transfer);
}

/* --- structures in memory --- */

static void put32(uint8_t *at, uint32_t value)
{
    __builtin_memcpy(at, &value, 4);
}

static void put_address(uint8_t *at, uint64_t address)
{
    put32(at, (uint32_t)address);
    put32(at + 4, (uint32_t)(address >> 32));
}

static uint8_t *table_of(const struct port *port, unsigned slot)
{
    return port->memory + PORT_MEMORY_TABLES + (size_t)slot * TABLE_BYTES;
}

/* AHCI 4.2.3.3 */
static void put_prd(uint8_t *table, unsigned index, uint64_t address, uint64_t bytes)
{
    uint8_t *prd = table + TABLE_PRDT + (size_t)index * PRD_BYTES;

    put_address(prd, address);
    put32(prd + 8, 0);
    put32(prd + 12, (uint32_t)bytes - 1);
}

static void put_header(const struct port *port, unsigned slot, uint32_t nr_prds, bool write)
{
    uint8_t *header = port->memory + PORT_MEMORY_LIST + (size_t)slot * HEADER_BYTES;
    uint64_t table = port->memory_address + PORT_MEMORY_TABLES + (uint64_t)slot * TABLE_BYTES;

    memset(header, 0, HEADER_BYTES);
    put32(header, HEADER_FIS_DWORDS | (write ? HEADER_WRITE : 0) | HEADER_PRDTL(nr_prds));
    put_address(header + 8, table);
}

/* AHCI 5.5.1: queued commands announce themselves in PxSACT first. */
static void start_slot(struct port *port, unsigned slot, bool queued)
{
    hba_publish();
    port->issued |= 1u << slot;
    port->counters.commands++;
    if (queued) {
        port->queued |= 1u << slot;
        port->counters.queued++;
        port_write(port, PORT_SACT, 1u << slot);
    }
    port_write(port, PORT_CI, 1u << slot);
}

void port_issue_own(struct port *port, const struct ata_registers *registers)
{
    uint8_t *table = table_of(port, 0);

    ata_make_fis(table, registers);
    put_prd(table, 0, port->memory_address + PORT_MEMORY_BLOCK, ATA_BLOCK_BYTES);
    put_header(port, 0, 1, false);
    start_slot(port, 0, false);
}

bool port_own_is_done(struct port *port)
{
    if ((port_read(port, PORT_CI) & 1) != 0) {
        return false;
    }
    port->issued = 0;
    return true;
}

/* --- issuing --- */

static bool is_queued(const struct port *port, const struct transfer *transfer)
{
    return port->nr_slots > 1 && !transfer->alone &&
           (transfer->kind == TRANSFER_READ || transfer->kind == TRANSFER_WRITE);
}

static void issue_data(struct port *port, unsigned slot, const struct transfer *transfer,
                       bool queued)
{
    bool write = transfer->kind == TRANSFER_WRITE;
    uint32_t count = (uint32_t)transfer->count;
    struct ata_registers registers =
        queued ? ata_queued_registers(write, transfer->fua, transfer->sector, count, slot)
               : ata_transfer_registers(write, transfer->fua, transfer->sector, count);

    ata_make_fis(table_of(port, slot), &registers);
    for (uint32_t i = 0; i < transfer->nr_segments; i++) {
        put_prd(table_of(port, slot), i, transfer->segments[i].address,
                transfer->segments[i].bytes);
    }
    put_header(port, slot, transfer->nr_segments, write);
}

static void issue_flush(struct port *port, unsigned slot)
{
    struct ata_registers registers = { .command = ATA_FLUSH_CACHE_EXT, .device = 0x40 };

    ata_make_fis(table_of(port, slot), &registers);
    put_header(port, slot, 0, false);
}

static void issue_trim(struct port *port, unsigned slot, const struct transfer *transfer)
{
    /* Features 1: TRIM; count 1: one block of ranges. */
    struct ata_registers registers = {
        .command = ATA_DATA_SET_MANAGEMENT, .device = 0x40, .features = 1, .count = 1
    };

    ata_make_trim(port->memory + PORT_MEMORY_TRIM, transfer->sector + transfer->trimmed,
                  transfer->count - transfer->trimmed);
    ata_make_fis(table_of(port, slot), &registers);
    put_prd(table_of(port, slot), 0, port->memory_address + PORT_MEMORY_TRIM, ATA_BLOCK_BYTES);
    put_header(port, slot, 1, true);
}

static void issue(struct port *port, unsigned slot, struct transfer *transfer, bool queued)
{
    switch (transfer->kind) {
    case TRANSFER_READ:
    case TRANSFER_WRITE:
        issue_data(port, slot, transfer, queued);
        break;
    case TRANSFER_FLUSH:
        issue_flush(port, slot);
        break;
    case TRANSFER_TRIM:
        issue_trim(port, slot, transfer);
        break;
    }
    port->slots[slot] = transfer;
    port->deadlines[slot] =
        port->hba->now + (transfer->kind == TRANSFER_FLUSH ? FLUSH_US : COMMAND_US);
    start_slot(port, slot, queued);
}

/* The slot for a transfer, or nr_slots if it has to wait. */
static unsigned slot_for(const struct port *port, bool queued)
{
    uint32_t free;

    if (port->issued == 0) {
        return 0;
    }
    /* Beside outstanding commands there is only room among queued ones, for a queued one. */
    free = ~port->issued & (uint32_t)bits_mask(port->nr_slots);
    return queued && port->queued != 0 && free != 0 ? bits_lowest(free) : port->nr_slots;
}

void port_run(struct port *port)
{
    while (port->state == PORT_READY && port->waiting != NULL) {
        struct transfer *transfer = port->waiting;
        bool queued = is_queued(port, transfer);
        unsigned slot = slot_for(port, queued);

        if (slot >= port->nr_slots) {
            return;
        }
        port->waiting = transfer->next;
        issue(port, slot, transfer, queued);
    }
}

void port_put_back(struct port *port, struct transfer *transfer)
{
    struct transfer **at = &port->waiting;

    while (*at != NULL && (*at)->sequence < transfer->sequence) {
        at = &(*at)->next;
    }
    transfer->next = *at;
    *at = transfer;
}

static bool is_at_end(const struct port *port)
{
    return port->state == PORT_UNUSED || port->state == PORT_ABSENT ||
           port->state == PORT_FOREIGN || port->state == PORT_FAILED;
}

void port_submit(struct port *port, struct transfer *transfer)
{
    if (is_at_end(port) || !port->known) {
        port_finish(transfer, TRANSFER_GONE, 0);
        return;
    }
    if (!transfer_is_valid(port, transfer)) {
        port_finish(transfer, TRANSFER_INVALID, 0);
        return;
    }
    transfer->sequence = port->hba->sequence++;
    transfer->trimmed = 0;
    transfer->attempts = 0;
    transfer->alone = false;
    port_put_back(port, transfer);
    port_run(port);
}

bool port_withdraw(struct port *port, struct transfer *transfer)
{
    for (struct transfer **at = &port->waiting; *at != NULL; at = &(*at)->next) {
        if (*at == transfer) {
            *at = transfer->next;
            return true;
        }
    }
    return false;
}

/* --- completing --- */

/* True if the transfer needs a further command: a long TRIM. */
static bool goes_on(struct transfer *transfer)
{
    uint8_t block[ATA_BLOCK_BYTES];

    if (transfer->kind != TRANSFER_TRIM) {
        return false;
    }
    transfer->trimmed += ata_make_trim(block, transfer->sector + transfer->trimmed,
                                       transfer->count - transfer->trimmed);
    return transfer->trimmed < transfer->count;
}

void port_complete(struct port *port)
{
    uint32_t done = port->issued & ~(port_read(port, PORT_SACT) | port_read(port, PORT_CI));

    /* A slot is given back just before its done(), which may submit the next transfer. */
    while (done != 0) {
        unsigned slot = bits_lowest(done);
        struct transfer *transfer = port->slots[slot];

        done &= done - 1;
        port->issued &= ~(1u << slot);
        port->queued &= ~(1u << slot);
        port->slots[slot] = NULL;
        port->resets = 0;
        if (goes_on(transfer)) {
            port_put_back(port, transfer);
        } else {
            port_finish(transfer, TRANSFER_OK, 0);
        }
    }
}

bool port_command_is_late(const struct port *port)
{
    for (uint32_t left = port->issued; left != 0; left &= left - 1) {
        if (port->hba->now >= port->deadlines[bits_lowest(left)]) {
            return true;
        }
    }
    return false;
}
