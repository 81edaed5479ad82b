/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/sataserver/ahci_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_READY 0x50u
#define STATUS_ERROR 0x51u
#define DIAG_X       (1u << 26)

struct model model;

static void violate(const char *what)
{
    if (model.violation == NULL) {
        model.violation = what;
    }
}

/* --- memory --- */

/* DMA memory, or null, which is a violation. */
static uint8_t *dma(uint64_t address, uint64_t bytes)
{
    uint64_t offset = address - MODEL_ARENA_ADDRESS;

    if (offset > MODEL_ARENA_BYTES || bytes > MODEL_ARENA_BYTES - offset) {
        violate("DMA outside of memory");
        return NULL;
    }
    for (uint64_t page = offset >> 12; model.allowed != NULL && page <= (offset + bytes - 1) >> 12;
         page++) {
        if (!model.allowed[page]) {
            violate("DMA to memory that was not allowed");
            return NULL;
        }
    }
    return model.arena + offset;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, 4);
    return value;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, 8);
    return value;
}

/* --- setting up --- */

static void port_power_on(struct model_port *port)
{
    struct model_drive drive = port->drive;

    memset(port, 0, sizeof *port);
    port->drive = drive;
    port->tfd = 0x7f;
    port->sig = 0xffffffff;
}

void model_init(uint32_t ports)
{
    memset(&model, 0, sizeof model);
    model.cap = 31u << 8 | HBA_CAP_SNCQ | HBA_CAP_S64A | (MODEL_PORTS - 1);
    model.pi = ports;
    model.reset_reads = 3;
    model.stop_reads = 2;
    model.arena = aligned_alloc(4096, MODEL_ARENA_BYTES);
    memset(model.arena, 0, MODEL_ARENA_BYTES);
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        port_power_on(&model.ports[i]);
    }
}

void model_add_drive(unsigned port, uint32_t sector_bytes, unsigned queue_depth)
{
    model.ports[port].drive = (struct model_drive){
        .present = true,
        .sector_bytes = sector_bytes,
        .queue_depth = queue_depth,
        .trim = true,
        .write_cache = true,
        .serial = 'A',
        .spin_steps = 2,
        .medium = calloc(1, MODEL_DISK_BYTES),
        .cache = calloc(1, MODEL_DISK_BYTES),
        .dirty = calloc(1, MODEL_DISK_BYTES / sector_bytes),
        .bad_sector = UINT64_MAX,
    };
}

void model_free(void)
{
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        free(model.ports[i].drive.medium);
        free(model.ports[i].drive.cache);
        free(model.ports[i].drive.dirty);
    }
    free(model.arena);
    free(model.allowed);
}

void model_unplug(unsigned index)
{
    struct model_port *port = &model.ports[index];

    port->drive.present = false;
    port->ssts = 0;
    port->serr |= DIAG_X;
    port->is |= PORT_INT_PC | PORT_INT_PRC;
    port->halted = true;
}

static uint64_t nr_sectors(const struct model_drive *drive)
{
    return MODEL_DISK_BYTES / drive->sector_bytes;
}

void model_power_cut(unsigned index)
{
    struct model_drive *drive = &model.ports[index].drive;

    memset(drive->dirty, 0, nr_sectors(drive));
    memcpy(drive->cache, drive->medium, MODEL_DISK_BYTES);
}

/* --- the drive --- */

static void set_word(uint8_t *block, unsigned number, uint32_t value)
{
    block[2 * number] = (uint8_t)value;
    block[2 * number + 1] = (uint8_t)(value >> 8);
}

static void make_identity(const struct model_drive *drive, uint8_t *block)
{
    uint64_t sectors = drive->claimed != 0 ? drive->claimed : nr_sectors(drive);

    memset(block, 0, 512);
    set_word(block, 10, (uint32_t)drive->serial << 8 | '1');
    for (unsigned i = 27; i < 47; i++) {
        set_word(block, i, i == 27 ? 'M' << 8 | 'o' : ' ' << 8 | ' ');
    }
    set_word(block, 49, 3 << 8);
    set_word(block, 75, drive->queue_depth == 0 ? 0 : drive->queue_depth - 1);
    set_word(block, 76, drive->queue_depth == 0 ? 0 : 1 << 8);
    set_word(block, 83,
             1 << 14 | (drive->no_lba48 ? 0 : 1 << 10) | (drive->no_flush ? 0 : 1 << 13));
    set_word(block, 84, 1 << 14 | (drive->fua ? 1 << 6 : 0));
    set_word(block, 85, drive->write_cache ? 1 << 5 : 0);
    for (unsigned i = 0; i < 4; i++) {
        set_word(block, 100 + i, (uint32_t)(sectors >> (16 * i)) & 0xffff);
    }
    if (drive->sector_bytes != 512) {
        set_word(block, 106, 1 << 14 | 1 << 12);
        set_word(block, 117, drive->sector_bytes / 2);
    }
    set_word(block, 169, drive->trim ? 1 : 0);
}

struct command {
    uint8_t code, device;
    uint32_t features, count;
    uint64_t lba;
    const uint8_t *table;
    uint32_t nr_prds;
    bool writes;
};

static bool fetch(struct model_port *port, unsigned slot, struct command *command)
{
    uint64_t list = port->clb | (uint64_t)port->clbu << 32;
    const uint8_t *header = dma(list + slot * 32, 32), *fis;
    uint32_t flags;

    if (header == NULL) {
        return false;
    }
    flags = get32(header);
    fis = dma(get64(header + 8), 0x80 + (uint64_t)(flags >> 16) * 16);
    if (fis == NULL || (flags & 0x1f) != 5 || fis[0] != 0x27 || fis[1] != 0x80) {
        violate("a malformed command");
        return false;
    }
    *command = (struct command){
        .code = fis[2],
        .device = fis[7],
        .features = fis[3] | (uint32_t)fis[11] << 8,
        .count = fis[12] | (uint32_t)fis[13] << 8,
        .lba = fis[4] | (uint64_t)fis[5] << 8 | (uint64_t)fis[6] << 16 | (uint64_t)fis[8] << 24 |
               (uint64_t)fis[9] << 32 | (uint64_t)fis[10] << 40,
        .table = fis,
        .nr_prds = flags >> 16,
        .writes = (flags & HEADER_WRITE) != 0,
    };
    return true;
}

/* Moves bytes between a buffer and the regions of the PRDT, which must be as long. */
static void move(const struct command *command, uint8_t *buffer, uint64_t bytes, bool to_drive)
{
    uint64_t done = 0;

    if (command->writes != to_drive) {
        violate("the header's direction is wrong");
    }
    for (uint32_t i = 0; i < command->nr_prds; i++) {
        const uint8_t *prd = command->table + 0x80 + (size_t)i * 16;
        uint64_t length = (get32(prd + 12) & 0x3fffff) + 1;
        uint8_t *memory = dma(get64(prd), length);

        if ((get64(prd) & 1) != 0 || (length & 1) != 0) {
            violate("an odd region");
        }
        if (memory == NULL || done + length > bytes) {
            violate("regions and sectors do not fit each other");
            return;
        }
        if (to_drive) {
            memcpy(buffer + done, memory, length);
        } else {
            memcpy(memory, buffer + done, length);
        }
        done += length;
    }
    if (done != bytes) {
        violate("regions and sectors do not fit each other");
    }
}

static void flush(struct model_drive *drive)
{
    for (uint64_t i = 0; i < nr_sectors(drive); i++) {
        if (drive->dirty[i]) {
            memcpy(drive->medium + i * drive->sector_bytes, drive->cache + i * drive->sector_bytes,
                   drive->sector_bytes);
            drive->dirty[i] = 0;
        }
    }
}

/* The error register; 0: none. */
static uint8_t check_sectors(const struct model_drive *drive, uint64_t lba, uint64_t count)
{
    if (lba + count > nr_sectors(drive)) {
        violate("sectors that the drive does not have");
        return ATA_ERROR_IDNF;
    }
    if (drive->bad_sector >= lba && drive->bad_sector - lba < count) {
        return drive->bad_error;
    }
    return 0;
}

static uint8_t transfer(struct model_drive *drive, const struct command *command, uint64_t count,
                        bool writes, bool fua)
{
    uint64_t bytes = count * drive->sector_bytes;
    uint8_t *at = drive->cache + command->lba * drive->sector_bytes;
    uint8_t error = check_sectors(drive, command->lba, count);

    if (error != 0) {
        return error;
    }
    move(command, at, bytes, writes);
    if (writes && (fua || !drive->write_cache)) {
        memcpy(drive->medium + (at - drive->cache), at, bytes);
    } else if (writes) {
        memset(drive->dirty + command->lba, 1, count);
    }
    drive->fua_writes += fua;
    return 0;
}

static uint8_t trim(struct model_drive *drive, const struct command *command)
{
    uint8_t block[512];

    if (!drive->trim || command->features != 1 || command->count != 1) {
        return ATA_ERROR_ABRT;
    }
    move(command, block, sizeof block, true);
    for (unsigned i = 0; i < 64; i++) {
        uint64_t range = get64(block + (size_t)i * 8), lba = range & 0xffffffffffff,
                 count = range >> 48;

        drive->trimmed += count;
        if (count != 0 && drive->claimed == 0 && check_sectors(drive, lba, count) == 0) {
            memset(drive->cache + lba * drive->sector_bytes, 0, count * drive->sector_bytes);
            memset(drive->dirty + lba, 1, count);
        }
    }
    drive->trims++;
    return 0;
}

static uint8_t read_log(struct model_port *port, const struct command *command)
{
    if (port->drive.no_log || command->lba != 0x10 || command->count != 1) {
        return ATA_ERROR_ABRT;
    }
    port->drive.log_reads++;
    move(command, port->log, 512, false);
    return 0;
}

static uint8_t execute(struct model_port *port, const struct command *command)
{
    struct model_drive *drive = &port->drive;
    uint64_t count = command->count == 0 ? 65536 : command->count;
    uint8_t block[512];

    switch (command->code) {
    case ATA_IDENTIFY_DEVICE:
        if (drive->refuse_identify) {
            return ATA_ERROR_ABRT;
        }
        make_identity(drive, block);
        move(command, block, sizeof block, false);
        return 0;
    case ATA_READ_DMA_EXT:
        return transfer(drive, command, count, false, false);
    case ATA_WRITE_DMA_EXT:
        return transfer(drive, command, count, true, false);
    case ATA_WRITE_DMA_FUA_EXT:
        return drive->fua ? transfer(drive, command, count, true, true) : ATA_ERROR_ABRT;
    case ATA_FLUSH_CACHE_EXT:
        drive->flushes++;
        flush(drive);
        return 0;
    case ATA_DATA_SET_MANAGEMENT:
        return trim(drive, command);
    case ATA_READ_LOG_EXT:
        return read_log(port, command);
    default:
        violate("an unknown command");
        return ATA_ERROR_ABRT;
    }
}

static uint8_t execute_queued(struct model_port *port, const struct command *command)
{
    struct model_drive *drive = &port->drive;
    bool writes = command->code == ATA_WRITE_FPDMA_QUEUED;
    bool fua = (command->device & 0x80) != 0;

    if (fua && !drive->fua) {
        violate("FUA for a drive that has none");
    }
    return transfer(drive, command, command->features == 0 ? 65536 : command->features, writes,
                    fua);
}

/* --- the port --- */

static void stop_with_error(struct model_port *port, uint8_t error)
{
    port->halted = true;
    port->tfd =
        (uint32_t)error << 8 | STATUS_ERROR | (port->drive.busy_after_error ? PORT_TFD_BSY : 0);
    port->is |= PORT_INT_TFE;
}

static void note_error(struct model_port *port, unsigned tag, uint8_t error)
{
    uint8_t sum = 0;

    memset(port->log, 0, sizeof port->log);
    port->log[0] = (uint8_t)(port->drive.garbage_log != 0 ? 29 : tag);
    if (port->drive.garbage_log != 0) {
        port->drive.garbage_log--;
    }
    port->log[2] = STATUS_ERROR;
    port->log[3] = error;
    for (unsigned i = 0; i < 511; i++) {
        sum = (uint8_t)(sum + port->log[i]);
    }
    port->log[511] = (uint8_t)-sum;
}

static bool goes_wrong(struct model_port *port)
{
    struct model_drive *drive = &port->drive;

    if (drive->hang != 0) {
        drive->hang--;
        port->halted = true; /* silence, until a reset */
        return true;
    }
    if (drive->garble != 0) {
        drive->garble--;
        port->halted = true;
        port->is |= PORT_INT_IF;
        return true;
    }
    return false;
}

static void accept(struct model_port *port, unsigned slot)
{
    struct command command;
    uint8_t error;

    if (!fetch(port, slot, &command)) {
        port->halted = true;
        return;
    }
    port->drive.commands++;
    if (command.code == ATA_READ_FPDMA_QUEUED || command.code == ATA_WRITE_FPDMA_QUEUED) {
        if ((port->sact >> slot & 1) == 0 || command.count != slot << 3 ||
            slot >= port->drive.queue_depth) {
            violate("a queued command without its tag");
        }
        port->drive.queued_commands++;
        port->accepted |= 1u << slot;
        port->ci &= ~(1u << slot);
        return;
    }
    if (port->accepted != 0 || (port->sact >> slot & 1) != 0) {
        violate("a command that is not queued among queued ones");
    }
    if (goes_wrong(port)) {
        return;
    }
    error = execute(port, &command);
    if (error != 0) {
        stop_with_error(port, error);
        return;
    }
    port->ci &= ~(1u << slot);
    port->tfd = STATUS_READY;
    port->is |= PORT_INT_DHR;
}

static void finish(struct model_port *port, unsigned tag)
{
    struct command command;
    uint8_t error;

    if (!fetch(port, tag, &command) || goes_wrong(port)) {
        return;
    }
    error = execute_queued(port, &command);
    if (error != 0) {
        note_error(port, tag, error);
        stop_with_error(port, error);
        return;
    }
    port->accepted &= ~(1u << tag);
    port->sact &= ~(1u << tag);
    port->is |= PORT_INT_SDB;
}

static void come_up(struct model_port *port)
{
    if (port->spin_left > 0) {
        port->spin_left--;
        return;
    }
    port->sent_signature = true;
    port->tfd = STATUS_READY;
    port->sig = port->drive.atapi ? PORT_SIG_ATAPI : PORT_SIG_ATA;
}

static void step_port(struct model_port *port)
{
    if (port->ssts == 0 || (port->cmd & PORT_CMD_FRE) == 0) {
        return;
    }
    if (!port->sent_signature) {
        come_up(port);
        return;
    }
    if ((port->cmd & PORT_CMD_ST) == 0) {
        return;
    }
    for (unsigned slot = 0; slot < 32 && !port->halted; slot++) {
        if ((port->ci >> slot & 1) != 0) {
            accept(port, slot);
        }
    }
    if ((unsigned)__builtin_popcount(port->accepted) > port->drive.max_queued) {
        port->drive.max_queued = (unsigned)__builtin_popcount(port->accepted);
    }
    for (unsigned i = 0; i < 32 && !port->halted; i++) {
        unsigned tag = model.reverse ? 31 - i : i;

        if ((port->accepted >> tag & 1) != 0) {
            finish(port, tag);
        }
    }
}

void model_step(void)
{
    unsigned spinning = 0;

    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        struct model_port *port = &model.ports[i];

        step_port(port);
        spinning += port->ssts != 0 && !port->sent_signature;
        if ((port->is & port->ie) != 0) {
            model.is |= 1u << i;
        }
    }
    if (spinning > model.max_spinning) {
        model.max_spinning = spinning;
    }
}

bool model_has_interrupt(void)
{
    return model.is != 0 && (model.ghc & HBA_GHC_IE) != 0;
}

/* --- registers --- */

static void write_cmd(struct model_port *port, uint32_t value)
{
    bool was_running = (port->cmd & PORT_CMD_ST) != 0, runs = (value & PORT_CMD_ST) != 0;
    uint32_t kept = port->cmd & (PORT_CMD_CR | PORT_CMD_FR);

    if (!was_running && runs) {
        if ((port->cmd & PORT_CMD_CR) != 0 || (value & PORT_CMD_FRE) == 0 ||
            (port->tfd & PORT_TFD_BUSY) != 0 || (port->ssts & 15) != 3) {
            violate("ST is set too early");
        }
        kept |= PORT_CMD_CR;
        port->halted = !port->drive.present;
    }
    if (was_running && !runs) {
        port->ci = 0;
        port->sact = 0;
        port->accepted = 0;
        port->stop_reads = model.stop_reads;
    }
    if (was_running != runs && (value & PORT_CMD_FRE) == 0 && runs) {
        violate("FRE is cleared while ST is set");
    }
    if ((value & PORT_CMD_FRE) != 0) {
        if ((port->clb | port->clbu) == 0 || (port->fb | port->fbu) == 0) {
            violate("FRE without memory");
        }
        kept |= PORT_CMD_FR;
    }
    port->cmd = (value & ~(PORT_CMD_CR | PORT_CMD_FR | PORT_CMD_ICC_MASK)) | kept;
}

static void write_sctl(struct model_port *port, uint32_t value)
{
    uint32_t before = port->sctl & 15, now = value & 15;

    port->sctl = value;
    if (now == 1) {
        if ((port->cmd & PORT_CMD_ST) != 0 || (port->cmd & PORT_CMD_CR) != 0) {
            violate("the link is reset while commands run");
        }
        port->ssts = 0;
        port->sent_signature = false;
        port->tfd = 0x7f;
        port->sig = 0xffffffff;
    }
    if (before == 1 && now == 0 && (port->cmd & PORT_CMD_SUD) != 0 && port->drive.present) {
        port->ssts = 0x123;
        port->serr |= DIAG_X;
        port->spin_left = port->drive.spin_steps;
        port->drive.resets++;
    }
}

static uint32_t read_cmd(struct model_port *port)
{
    if ((port->cmd & PORT_CMD_ST) == 0 && (port->cmd & PORT_CMD_CR) != 0 && !model.stuck) {
        if (port->stop_reads == 0) {
            port->cmd &= ~PORT_CMD_CR;
        } else {
            port->stop_reads--;
        }
    }
    return port->cmd;
}

static uint32_t read_port(struct model_port *port, uint32_t offset)
{
    switch (offset) {
    case PORT_IS:
        return (port->is & ~PORT_INT_PC) | ((port->serr & DIAG_X) != 0 ? PORT_INT_PC : 0);
    case PORT_IE:
        return port->ie;
    case PORT_CMD:
        return read_cmd(port);
    case PORT_TFD:
        return port->tfd;
    case PORT_SIG:
        return port->sig;
    case PORT_SSTS:
        return port->ssts;
    case PORT_SCTL:
        return port->sctl;
    case PORT_SERR:
        return port->serr;
    case PORT_SACT:
        return port->sact;
    case PORT_CI:
        return port->ci;
    default:
        violate("a register that is not read");
        return 0;
    }
}

static void write_issue(struct model_port *port, uint32_t *mask, uint32_t value)
{
    if ((port->cmd & PORT_CMD_ST) == 0 || (port->cmd & PORT_CMD_CR) == 0) {
        violate("a command for a port that does not run");
    }
    if ((*mask & value) != 0 || value >> (HBA_CAP_NCS(model.cap) - 1) >> 1 != 0) {
        violate("a slot that is in use or not there");
    }
    *mask |= value;
}

static void write_port(struct model_port *port, uint32_t offset, uint32_t value)
{
    bool running = (port->cmd & (PORT_CMD_ST | PORT_CMD_FRE)) != 0;

    switch (offset) {
    case PORT_CLB:
    case PORT_CLBU:
    case PORT_FB:
    case PORT_FBU:
        if (running) {
            violate("memory is exchanged while the port runs");
        }
        *(&port->clb + offset / 4) = value;
        break;
    case PORT_IS:
        port->is &= ~value;
        break;
    case PORT_IE:
        port->ie = value;
        break;
    case PORT_CMD:
        write_cmd(port, value);
        break;
    case PORT_SCTL:
        write_sctl(port, value);
        break;
    case PORT_SERR:
        port->serr &= ~value;
        break;
    case PORT_SACT:
        write_issue(port, &port->sact, value);
        break;
    case PORT_CI:
        write_issue(port, &port->ci, value);
        break;
    default:
        violate("a register that is not written");
        break;
    }
}

uint32_t hba_read(const struct hba *hba, uint32_t offset)
{
    (void)hba;
    if (offset >= HBA_PORT_BASE) {
        return read_port(&model.ports[(offset - HBA_PORT_BASE) / HBA_PORT_STRIDE],
                         (offset - HBA_PORT_BASE) % HBA_PORT_STRIDE);
    }
    switch (offset) {
    case HBA_CAP:
        return model.cap;
    case HBA_CAP2:
        return model.cap2;
    case HBA_PI:
        return model.pi;
    case HBA_IS:
        return model.is;
    case HBA_GHC:
        if ((model.ghc & HBA_GHC_HR) != 0 && model.reset_left-- == 0) {
            model.ghc = 0;
        }
        return model.ghc;
    case HBA_BOHC:
        if ((model.bohc & HBA_BOHC_OOS) != 0 && model.bios_reads-- == 0) {
            model.bohc &= ~(HBA_BOHC_BOS | HBA_BOHC_BB);
        }
        return model.bohc;
    default:
        violate("a register that is not read");
        return 0;
    }
}

static void reset_controller(void)
{
    if ((model.ghc & HBA_GHC_AE) == 0) {
        violate("reset outside of AHCI mode");
    }
    model.reset_left = model.reset_reads;
    model.is = 0;
    for (unsigned i = 0; i < MODEL_PORTS; i++) {
        port_power_on(&model.ports[i]);
    }
}

void hba_write(struct hba *hba, uint32_t offset, uint32_t value)
{
    (void)hba;
    if (offset >= HBA_PORT_BASE) {
        write_port(&model.ports[(offset - HBA_PORT_BASE) / HBA_PORT_STRIDE],
                   (offset - HBA_PORT_BASE) % HBA_PORT_STRIDE, value);
        return;
    }
    switch (offset) {
    case HBA_GHC:
        if ((value & HBA_GHC_HR) != 0) {
            reset_controller();
        }
        model.ghc = value;
        break;
    case HBA_IS:
        model.is &= ~value;
        break;
    case HBA_BOHC:
        model.bohc = value;
        break;
    default:
        violate("a register that is not written");
        break;
    }
}

void hba_publish(void)
{
}
