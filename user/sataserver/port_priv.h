/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What hba.c, port.c and recovery.c share.
 *
 * A port's memory: 0 command list, 1024 received FIS, 2048 block for IDENTIFY and logs, 3072 block
 * for TRIM's ranges, 4096 on: command tables, one for each slot.
 */
#ifndef USER_SATASERVER_PORT_PRIV_H
#define USER_SATASERVER_PORT_PRIV_H

#include "user/sataserver/hba.h"

#define PORT_MEMORY_LIST   0u
#define PORT_MEMORY_FIS    1024u
#define PORT_MEMORY_BLOCK  2048u
#define PORT_MEMORY_TRIM   3072u
#define PORT_MEMORY_TABLES 4096u
#define PORT_MEMORY_BYTES  (PORT_MEMORY_TABLES + AHCI_NR_SLOTS * TABLE_BYTES)

/* AHCI 10.1.2, 10.4.2, 10.6.3; the drive's own times are generous, as it may have to spin up. */
#define HANDOFF_US   2100000u
#define HBA_RESET_US 1000000u
#define STOP_US      500000u
#define RESET_US     1000u
#define LINK_US      1000000u
#define SPIN_US      30000000u
#define IDENTIFY_US  10000000u
#define COMMAND_US   30000000u
#define FLUSH_US     60000000u
#define TURN_US      5000000u /* by then a drive that spins up takes no more than one that has */

#define PORT_MAX_RESETS 5u

static inline uint32_t port_read(const struct port *port, uint32_t offset)
{
    return hba_read(port->hba, HBA_PORT_BASE + port->index * HBA_PORT_STRIDE + offset);
}

static inline void port_write(const struct port *port, uint32_t offset, uint32_t value)
{
    hba_write(port->hba, HBA_PORT_BASE + port->index * HBA_PORT_STRIDE + offset, value);
}

static inline void port_enter(struct port *port, enum port_state state, uint64_t microseconds)
{
    port->state = state;
    port->deadline = port->hba->now + microseconds;
}

static inline bool port_is_late(const struct port *port)
{
    return port->hba->now >= port->deadline;
}

/* --- port.c --- */

/* The driver's own command, in slot 0 of a port with nothing outstanding: one block of data. */
void port_issue_own(struct port *port, const struct ata_registers *registers);
bool port_own_is_done(struct port *port);
/* Issues what can be issued. */
void port_run(struct port *port);
/* Ends a transfer that is in no list and no slot any more. */
void port_finish(struct transfer *transfer, enum transfer_result result, uint8_t error);
/* Back among the waiting, at its place. */
void port_put_back(struct port *port, struct transfer *transfer);
/* Ends those whose commands the drive has completed. */
void port_complete(struct port *port);
bool port_command_is_late(const struct port *port);

/* --- recovery.c --- */

/* First part of bringing a port up, and of a reset: the link goes down. */
void port_begin_reset(struct port *port);
/* The command engine is to stop; then comes what `stop` says. */
void port_begin_stop(struct port *port, enum port_stop stop);
void port_step(struct port *port);
void port_handle_interrupt(struct port *port, uint32_t causes);
/* All transfers end. The controller has been reset: nothing is outstanding any more. */
void port_abandon(struct port *port, const char *reason);

/* --- hba.c --- */

/* The controller does not obey: it is reset, and all its ports fail. */
void hba_give_up(struct hba *hba, const char *reason);

#endif
