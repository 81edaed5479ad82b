/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A port's way from reset to ready, and from an error back. Sources: AHCI 1.3.1, 5.5.3 and 6.2
 * "Error handling", 10.1.2 "System software specific initialization", 10.4 "Reset".
 */
#include "lib/bits.h"
#include "user/sataserver/port_priv.h"

/* --- the command engine and the link --- */

static void clear_status(const struct port *port)
{
    port_write(port, PORT_SERR, 0xffffffff);
    port_write(port, PORT_IS, 0xffffffff);
}

static void start_engine(const struct port *port)
{
    clear_status(port);
    port_write(port, PORT_CMD, port_read(port, PORT_CMD) | PORT_CMD_ST);
}

static bool drive_is_busy(const struct port *port)
{
    return (port_read(port, PORT_TFD) & PORT_TFD_BUSY) != 0;
}

static bool drive_is_present(const struct port *port)
{
    return (port_read(port, PORT_SSTS) & PORT_SSTS_DET_MASK) == PORT_SSTS_DET_PRESENT;
}

/* --- the end --- */

static void settle(struct port *port, enum port_state state)
{
    port->state = state;
    if (state != PORT_READY) {
        port_write(port, PORT_IE, 0);
    }
    if (port->hba->ready != NULL) {
        port->hba->ready(port);
    }
}

/* Ends all transfers. The engine has stopped, or was never started. */
static void fail_port(struct port *port, const char *reason)
{
    port->failure = reason;
    settle(port, PORT_FAILED);
    for (; port->stopped != 0; port->stopped &= port->stopped - 1) {
        unsigned slot = bits_lowest(port->stopped);
        struct transfer *transfer = port->slots[slot];

        port->slots[slot] = NULL;
        port_finish(transfer, TRANSFER_GONE, 0);
    }
    while (port->waiting != NULL) {
        struct transfer *transfer = port->waiting;

        port->waiting = transfer->next;
        port_finish(transfer, TRANSFER_GONE, 0);
    }
}

/* --- stopping --- */

void port_begin_stop(struct port *port, enum port_stop stop)
{
    bool had_transfers = port->state == PORT_READY;

    port->stop = stop;
    port->error = (uint8_t)(port_read(port, PORT_TFD) >> 8);
    port_enter(port, PORT_STOPPING, STOP_US);
    if (had_transfers) {
        port_complete(port); /* stopping clears PxCI and PxSACT, which say what is done */
        port->stopped = port->issued;
    }
    port->issued = 0;
    port->queued = 0;
    port_write(port, PORT_CMD, port_read(port, PORT_CMD) & ~PORT_CMD_ST);
}

/* One more try for a transfer that did not get through, or none. */
static void try_again(struct port *port, struct transfer *transfer)
{
    transfer->attempts++;
    if (transfer->attempts >= TRANSFER_MAX_ATTEMPTS) {
        port_finish(transfer, TRANSFER_TRANSPORT, port->error);
    } else {
        port->counters.reissued++;
        port_put_back(port, transfer);
    }
}

enum again {
    AGAIN_COUNTED,
    AGAIN_FREE, /* another one's error ended it */
    AGAIN_ALONE,
};

static void put_back_stopped(struct port *port, enum again again)
{
    for (; port->stopped != 0; port->stopped &= port->stopped - 1) {
        unsigned slot = bits_lowest(port->stopped);
        struct transfer *transfer = port->slots[slot];

        port->slots[slot] = NULL;
        if (again == AGAIN_COUNTED) {
            try_again(port, transfer);
        } else {
            transfer->alone = transfer->alone || again == AGAIN_ALONE;
            port->counters.reissued++;
            port_put_back(port, transfer);
        }
    }
}

/* The transfer in this slot is the one that the drive did not like. */
static void end_failed(struct port *port, unsigned slot, uint8_t error)
{
    struct transfer *transfer = port->slots[slot];

    port->slots[slot] = NULL;
    port->stopped &= ~(1u << slot);
    port->counters.errors++;
    if ((error & ATA_ERROR_ICRC) != 0) {
        try_again(port, transfer);
    } else {
        port_finish(transfer, TRANSFER_MEDIA, error);
    }
}

static void resume(struct port *port)
{
    port->state = PORT_READY;
    port_run(port);
}

static void begin_log(struct port *port)
{
    struct ata_registers registers = {
        .command = ATA_READ_LOG_EXT, .device = 0x40, .count = 1, .lba = 0x10
    };

    start_engine(port);
    port_enter(port, PORT_LOGGING, IDENTIFY_US);
    port_issue_own(port, &registers);
}

static void take_log(struct port *port)
{
    unsigned tag;
    uint8_t error;

    if (ata_read_error_log(port->memory + PORT_MEMORY_BLOCK, &tag, &error) &&
        (port->stopped >> tag & 1) != 0) {
        end_failed(port, tag, error);
        put_back_stopped(port, AGAIN_FREE);
    } else {
        put_back_stopped(port, AGAIN_ALONE);
    }
    resume(port);
}

/* The engine has stopped. */
static void continue_stopped(struct port *port)
{
    enum port_stop stop = port->stop;

    if (stop == PORT_STOP_FAIL) {
        fail_port(port, port->failure);
        return;
    }
    if (stop == PORT_STOP_DRIVE_ERROR && port->stopped != 0) {
        end_failed(port, bits_lowest(port->stopped), port->error);
    }
    if (stop == PORT_STOP_RESET || drive_is_busy(port)) {
        put_back_stopped(port, stop == PORT_STOP_RESET ? AGAIN_COUNTED : AGAIN_ALONE);
        port_begin_reset(port);
        return;
    }
    if (stop == PORT_STOP_QUEUE_ERROR) {
        begin_log(port);
        return;
    }
    put_back_stopped(port, AGAIN_ALONE);
    start_engine(port);
    resume(port);
}

/* --- bringing up --- */

void port_begin_reset(struct port *port)
{
    port->resets++;
    if (port->resets > PORT_MAX_RESETS) {
        fail_port(port, "it does not recover");
        return;
    }
    if (port->known) {
        port->counters.resets++;
    }
    port_enter(port, PORT_RESETTING, RESET_US);
    port_write(port, PORT_SCTL, PORT_SCTL_IPM_NONE | PORT_SCTL_DET_RESET);
}

static void step_resetting(struct port *port)
{
    if (port_is_late(port)) { /* the signal has been on the wire for long enough */
        port_write(port, PORT_SCTL, PORT_SCTL_IPM_NONE);
        port_enter(port, PORT_LINKING, LINK_US);
    }
}

static void step_linking(struct port *port)
{
    if (drive_is_present(port)) {
        clear_status(port);
        port_enter(port, PORT_SPINNING, SPIN_US);
    } else if (!port_is_late(port)) {
        return;
    } else if (port->known) {
        fail_port(port, "it has gone");
    } else {
        settle(port, PORT_ABSENT);
    }
}

static void step_spinning(struct port *port)
{
    struct ata_registers registers = { .command = ATA_IDENTIFY_DEVICE };

    if (drive_is_busy(port)) {
        if (port_is_late(port)) {
            fail_port(port, "it does not get ready");
        }
        return;
    }
    if (port_read(port, PORT_SIG) != PORT_SIG_ATA) {
        if (port->known) {
            fail_port(port, "it has come back as something else");
        } else {
            settle(port, PORT_FOREIGN);
        }
        return;
    }
    start_engine(port);
    port_enter(port, PORT_IDENTIFYING, IDENTIFY_US);
    port_issue_own(port, &registers);
}

static unsigned slots_for(const struct port *port, const struct ata_identity *identity)
{
    unsigned depth = port->hba->can_queue ? identity->queue_depth : 0;

    return depth == 0 ? 1 : depth < port->hba->nr_slots ? depth : port->hba->nr_slots;
}

/* Stops the engine first: it runs. */
static void reject(struct port *port, const char *reason)
{
    port->failure = reason;
    port_begin_stop(port, PORT_STOP_FAIL);
}

static void take_identity(struct port *port)
{
    struct ata_identity identity;
    const char *wrong = ata_identify(&identity, port->memory + PORT_MEMORY_BLOCK);

    if (wrong != NULL) {
        reject(port, wrong);
    } else if (port->known && !ata_same_drive(&port->identity, &identity)) {
        reject(port, "it has come back as another drive");
    } else {
        port->identity = identity;
        port->nr_slots = slots_for(port, &identity);
        port->known = true;
        if (port->waiting == NULL) { /* else they will show whether it is well again */
            port->resets = 0;
        }
        settle(port, PORT_READY);
        port_run(port);
    }
}

/* A command of the driver's own: what becomes of it. */
static void step_own(struct port *port, void (*take)(struct port *port))
{
    if (port_own_is_done(port)) {
        take(port);
    } else if (port_is_late(port)) {
        port_begin_stop(port, PORT_STOP_RESET);
    }
}

static void step_ready(struct port *port)
{
    port_complete(port);
    if (port->state == PORT_READY && port_command_is_late(port)) {
        port_begin_stop(port, PORT_STOP_RESET);
        return;
    }
    port_run(port);
}

static void step_stopping(struct port *port)
{
    if ((port_read(port, PORT_CMD) & PORT_CMD_CR) == 0) {
        continue_stopped(port);
    } else if (port_is_late(port)) {
        hba_give_up(port->hba, "a port does not stop");
    }
}

void port_step(struct port *port)
{
    switch (port->state) {
    case PORT_RESETTING:
        step_resetting(port);
        break;
    case PORT_LINKING:
        step_linking(port);
        break;
    case PORT_SPINNING:
        step_spinning(port);
        break;
    case PORT_IDENTIFYING:
        step_own(port, take_identity);
        break;
    case PORT_LOGGING:
        step_own(port, take_log);
        break;
    case PORT_READY:
        step_ready(port);
        break;
    case PORT_STOPPING:
        step_stopping(port);
        break;
    default:
        break;
    }
}

void port_abandon(struct port *port, const char *reason)
{
    port->stopped |= port->state == PORT_READY ? port->issued : 0;
    port->issued = 0;
    port->queued = 0;
    fail_port(port, reason);
}

/* --- interrupts --- */

/* What an error is to lead to, in this state. */
static enum port_stop stop_for(const struct port *port, uint32_t causes)
{
    if ((causes & (PORT_INT_TRANSPORT | PORT_INT_LINK)) != 0 || port->state == PORT_IDENTIFYING) {
        return PORT_STOP_RESET;
    }
    if (port->state == PORT_LOGGING) {
        return PORT_STOP_LOG_ERROR;
    }
    return port->queued != 0 ? PORT_STOP_QUEUE_ERROR : PORT_STOP_DRIVE_ERROR;
}

void port_handle_interrupt(struct port *port, uint32_t causes)
{
    const uint32_t errors = PORT_INT_TFE | PORT_INT_TRANSPORT | PORT_INT_LINK;
    bool runs =
        port->state == PORT_READY || port->state == PORT_IDENTIFYING || port->state == PORT_LOGGING;

    if (runs && (causes & errors) != 0) {
        port_begin_stop(port, stop_for(port, causes));
    }
    port_step(port);
}
