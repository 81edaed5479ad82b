/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A model of an AHCI controller with drives, honest about what the specification asks of software:
 * a driver that breaks a rule fails the test (model.violation). It moves only when it is told
 * to, does DMA only inside its arena, keeps what has been written in a volatile cache until it is
 * flushed, and goes wrong in the ways that a test asks for.
 */
#ifndef TESTS_UNIT_SATASERVER_AHCI_MODEL_H
#define TESTS_UNIT_SATASERVER_AHCI_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "user/sataserver/hba.h"

#define MODEL_PORTS         32u
#define MODEL_ARENA_ADDRESS 0x280000000ull /* above 4 GiB, so that upper halves matter */
#ifndef MODEL_ARENA_BYTES                  /* a fuzzer has smaller ones */
#define MODEL_ARENA_BYTES (16u << 20)
#define MODEL_DISK_BYTES  (4u << 20)
#endif

struct model_drive {
    bool present, atapi;
    uint32_t sector_bytes;
    unsigned queue_depth; /* 0: no native command queuing */
    bool fua, trim, no_log, no_lba48, no_flush, write_cache;
    uint64_t claimed;    /* sectors that it says it has, if not those that it has */
    char serial;         /* first letter of the serial number */
    unsigned spin_steps; /* busy for so many steps after a reset */
    uint8_t *medium, *cache;
    uint8_t *dirty; /* one byte for each sector */
    /* What is to go wrong. */
    uint64_t bad_sector; /* an error that only this sector has; UINT64_MAX: none */
    uint8_t bad_error;
    unsigned hang;         /* so many commands get no answer */
    unsigned garble;       /* so many commands end in an interface error */
    unsigned garbage_log;  /* so many logs name a tag that nobody used */
    bool busy_after_error; /* until the link is reset */
    bool refuse_identify;
    /* What has happened. */
    unsigned commands, flushes, trims, queued_commands, fua_writes, log_reads, resets, max_queued;
    uint64_t trimmed; /* sectors */
};

struct model_port {
    uint32_t clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
    uint32_t accepted; /* queued commands that the drive works on */
    bool halted;       /* after an error, until ST is cleared */
    bool sent_signature;
    unsigned spin_left, stop_reads;
    struct model_drive drive;
    uint8_t log[512];
};

struct model {
    uint32_t cap, cap2, bohc, pi, ghc, is;
    unsigned reset_reads, reset_left; /* GHC.HR reads as 1 for so long */
    unsigned bios_reads, stop_reads;
    bool stuck;            /* PxCMD.CR does not clear */
    bool reverse;          /* queued commands end last first */
    unsigned max_spinning; /* most drives that spun up at once */
    const char *violation;
    uint8_t *arena;
    uint8_t *allowed; /* if not null: one byte for each page of the arena that DMA may touch */
    struct model_port ports[MODEL_PORTS];
};

extern struct model model;

/* ports: bit map of implemented ones, none of them with a drive. */
void model_init(uint32_t ports);
void model_add_drive(unsigned port, uint32_t sector_bytes, unsigned queue_depth);
void model_free(void);
/* Lets every running port do what it can. */
void model_step(void);
bool model_has_interrupt(void);
/* The drive is pulled out. */
void model_unplug(unsigned port);
/* What was not flushed is lost. */
void model_power_cut(unsigned port);

static inline uint8_t *model_memory(uint64_t address)
{
    return model.arena + (address - MODEL_ARENA_ADDRESS);
}

#endif
