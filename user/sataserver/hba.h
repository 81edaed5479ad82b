/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AHCI driver: one controller, its ports, the drives at them. Nothing here waits or calls the
 * kernel: the caller tells of interrupts (hba_interrupt) and of time (hba_tick), and gets back
 * transfers that are done. So it runs on the host against a model of a controller.
 *
 * Objects     struct hba for each controller, with its ports; never freed. struct transfer is the
 *             caller's; it is the driver's from port_submit() until its done() is called.
 * A port      waits for its turn, is reset, waits for the link, for the drive, identifies it, and
 *             is ready. From there, errors lead through "stopping" to the error log or to a reset,
 *             and back. Optical drives and empty ports are left alone.
 *
 *             UNUSED -> RESETTING -> LINKING -> SPINNING -> IDENTIFYING -> READY <-> LOGGING
 *                           ^            |          |            |           |        |
 *                           |            +-> ABSENT +-> FOREIGN  |           v        |
 *                           +------------------------------------+------- STOPPING <--+
 *             FAILED: for good. What is submitted then is answered at once, with an error.
 *
 * Queuing     a drive with native command queuing gets up to 32 reads and writes at a time; every
 *             other command runs alone. Transfers start in the order of their submission, so one
 *             that runs alone waits for what came before it and holds up what comes after.
 * Errors      An error of the drive ends the transfer that it concerns, found by the NCQ error
 *             log; where the drive does not tell, each of the others is tried again alone. After
 *             time-outs and interface errors the port is reset and what was outstanding is issued
 *             again, at most TRANSFER_MAX_ATTEMPTS times. A drive that has gone, comes back as
 *             another one, or does not recover fails for good: its cache may have lost what had
 *             been acknowledged.
 * Invariants  I1  a transfer is in exactly one place: waiting, a slot, or the caller's
 *             I2  no DMA to a transfer's memory after its done(): a slot is given back when the
 *                 drive has completed it or the port has stopped (PxCMD.CR = 0)
 *             I3  a port's transfers end: each state but UNUSED, ABSENT, FOREIGN, READY without
 *                 outstanding commands, and FAILED has a deadline
 * Locking     none: one thread
 * Units       time in microseconds of any clock that only goes forward; sectors are logical
 * Sources     Serial ATA AHCI 1.3.1, chapters 3, 4, 5, 6 and 10
 */
#ifndef USER_SATASERVER_HBA_H
#define USER_SATASERVER_HBA_H

#include <stdbool.h>
#include <stdint.h>

#include "user/sataserver/ahci_regs.h"
#include "user/sataserver/ata.h"

#define TRANSFER_MAX_ATTEMPTS 3u
#define TRANSFER_MAX_SEGMENTS TABLE_NR_PRDS

struct hba;

enum transfer_kind {
    TRANSFER_READ,
    TRANSFER_WRITE,
    TRANSFER_FLUSH,
    TRANSFER_TRIM,
};

enum transfer_result {
    TRANSFER_OK,
    TRANSFER_INVALID,   /* the driver was asked for something it cannot do; nothing was done */
    TRANSFER_MEDIA,     /* the drive says error */
    TRANSFER_TRANSPORT, /* did not get through, however often it was tried */
    TRANSFER_GONE,      /* there is no drive (any more) */
};

/* A piece of memory in bus addresses; address and length are even. */
struct dma_segment {
    uint64_t address;
    uint64_t bytes;
};

struct transfer {
    enum transfer_kind kind;
    bool fua; /* of a write; only if the drive has it */
    uint64_t sector;
    uint64_t count;                     /* sectors; reads and writes: at most ATA_MAX_SECTORS */
    const struct dma_segment *segments; /* of reads and writes; together count sectors long */
    uint32_t nr_segments;
    void (*done)(struct transfer *transfer);
    enum transfer_result result;
    uint8_t error; /* the drive's error register, with TRANSFER_MEDIA */
    /* The driver's: */
    struct transfer *next;
    uint64_t sequence;
    uint64_t trimmed; /* sectors that TRIM commands are done with */
    unsigned attempts;
    bool alone; /* not to be queued */
};

enum port_state {
    PORT_UNUSED,
    PORT_RESETTING,
    PORT_LINKING,
    PORT_SPINNING,
    PORT_IDENTIFYING,
    PORT_READY,
    PORT_STOPPING,
    PORT_LOGGING,
    PORT_ABSENT,
    PORT_FOREIGN,
    PORT_FAILED,
};

/* Why the port was stopped, and so what follows. */
enum port_stop {
    PORT_STOP_RESET,
    PORT_STOP_DRIVE_ERROR, /* of a command by itself */
    PORT_STOP_QUEUE_ERROR, /* among queued commands */
    PORT_STOP_LOG_ERROR,   /* of reading the log */
    PORT_STOP_FAIL,
};

struct port_counters {
    uint64_t commands, queued, errors, resets, reissued;
};

struct port {
    struct hba *hba;
    unsigned index;
    enum port_state state;
    enum port_stop stop;
    uint64_t deadline;   /* of the state */
    uint64_t turn;       /* with staggered spin-up: until then the others wait for it */
    const char *failure; /* why it is not ready, for states after SPINNING */
    /* Memory that the controller reads and writes: see port_priv.h. */
    uint8_t *memory;
    uint64_t memory_address;
    bool known; /* identity holds what the drive said the first time */
    struct ata_identity identity;
    unsigned nr_slots; /* in use at a time: 1 without queuing */
    uint32_t issued;   /* slots with a command outstanding */
    uint32_t queued;   /* those of them with a queued command */
    uint32_t stopped;  /* slots whose commands ended with an error, their own or another's */
    uint8_t error;     /* error register of the command that stopped the port */
    unsigned resets;   /* since a transfer was completed */
    struct transfer *slots[AHCI_NR_SLOTS];
    uint64_t deadlines[AHCI_NR_SLOTS];
    struct transfer *waiting; /* by sequence */
    struct port_counters counters;
};

enum hba_state {
    HBA_OFF,
    HBA_HANDOFF,
    HBA_RESETTING,
    HBA_RUNNING,
    HBA_FAILED,
};

/* Memory for the controller's structures, contiguous in bus addresses. */
struct dma_memory {
    uint8_t *base;
    uint64_t address;
    uint64_t bytes;
};

struct hba {
    /* Set by the caller. ready() is told each time that a port gets one of its final states. */
    volatile uint32_t *registers;
    uint32_t register_bytes; /* ports that do not lie in there are left alone */
    struct dma_memory memory;
    void (*ready)(struct port *port);
    /* The driver's: */
    enum hba_state state;
    uint64_t deadline, now;
    const char *failure;
    uint32_t implemented;
    unsigned nr_slots;
    bool can_queue, address64, staggered;
    uint64_t sequence;
    struct port ports[AHCI_NR_PORTS];
};

/* Begins; everything else follows from hba_tick() and hba_interrupt(). */
void hba_start(struct hba *hba, uint64_t now);
/* To be called at least every HBA_TICK_US while hba_is_busy(). */
#define HBA_TICK_US 10000u
void hba_tick(struct hba *hba, uint64_t now);
void hba_interrupt(struct hba *hba, uint64_t now);
/* Is there anything that a tick could move on? */
bool hba_is_busy(const struct hba *hba);
/* Have all ports got as far as they can? Or did the controller fail (hba->failure)? */
bool hba_is_settled(const struct hba *hba);

/* To be told before transfers are submitted: their time-outs count from there. */
static inline void hba_set_time(struct hba *hba, uint64_t now)
{
    hba->now = now;
}

/* Gives the driver a transfer. done() may be called before this returns. */
void port_submit(struct port *port, struct transfer *transfer);
/* Takes back a transfer that has not been issued. False: it has. done() is not called. */
bool port_withdraw(struct port *port, struct transfer *transfer);

/* --- the registers: registers.c; a model in host tests --- */

uint32_t hba_read(const struct hba *hba, uint32_t offset);
void hba_write(struct hba *hba, uint32_t offset, uint32_t value);
/* What was written to memory before is seen by the controller after. */
void hba_publish(void);

#endif
