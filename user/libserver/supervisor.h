/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The supervisor's configuration, and the addresses and capability slots that the host tool and the
 * supervisor agree on beyond those of server.h. It is laid out as a server is, without clients: it
 * is itself the console server's client, and shares a control channel with each server.
 *
 * Address space (virtual addresses)
 *
 *      0x0010100000   channel to the console server (console.h)
 *      0x0010200000   control channels (control.h), one page for each server
 *
 * Messages    The endpoint's badges are components' numbers, with PLAN_BADGE_FAULT for faults
 *             (abi/plan.h). The bound notification's are above them.
 * Layout      written by the host tool, read only
 */
#ifndef USER_LIBSERVER_SUPERVISOR_H
#define USER_LIBSERVER_SUPERVISOR_H

#include <stdint.h>

#include "user/libserver/server.h"

#define SUPERVISOR_CONSOLE_VADDR 0x0010100000ull
#define SUPERVISOR_CONTROL_VADDR 0x0010200000ull
#define SUPERVISOR_CONTROL_SPAN  0x0000001000ull

#define SUPERVISOR_MAX_VMS     16u
#define SUPERVISOR_MAX_THREADS 16u /* of one VM */

enum supervisor_server_number {
    SUPERVISOR_CONSOLE = 0,
    SUPERVISOR_SATA = 1, /* if there are disks */
    SUPERVISOR_MAX_SERVERS
};

#define SUPERVISOR_CNODE_RADIX 9u
enum supervisor_slot {
    SUPERVISOR_SLOT_ENDPOINT = SERVER_SLOT_DEVICE, /* to receive from */
    SUPERVISOR_SLOT_REPLY,
    SUPERVISOR_SLOT_DEBUG_EXIT, /* port 0xf4 of QEMU's isa-debug-exit; may be empty */
    SUPERVISOR_SLOT_SHUTDOWN,   /* port 0x8900 of Bochs; may be empty */
    SUPERVISOR_SLOT_CONSOLE,    /* signals the console server as its client */
    SUPERVISOR_SLOT_CONTROL,    /* + n: signals server n */
    SUPERVISOR_SLOT_TCB = 128,  /* + vm * SUPERVISOR_MAX_THREADS + thread */
};

#define SUPERVISOR_BADGE_CONSOLE    (1ull << 40)
#define SUPERVISOR_BADGE_CONTROL(n) (1ull << (41 + (n)))

/* When a VM is started again without being told to. A reboot by its guest is no end. */
enum supervisor_restart {
    SUPERVISOR_NEVER = 0,
    SUPERVISOR_ON_FAILURE = 1,
    SUPERVISOR_ALWAYS = 2, /* also after it has powered itself off */
};

/* What is done when the last VM has ended. */
enum supervisor_end {
    SUPERVISOR_END_HALT = 0, /* stay idle */
    SUPERVISOR_END_EXIT = 1, /* ask the emulator to end, through the two ports */
};

struct supervisor_vm {
    char name[SERVER_NAME_BYTES];
    uint32_t component;
    uint32_t nr_threads; /* 1 .. SUPERVISOR_MAX_THREADS */
    uint32_t restart;    /* enum supervisor_restart */
    uint32_t limit;      /* failures in a row before it is given up */
    uint64_t delay_us; /* from the first failure to the next start; doubled for each further one */
    uint32_t clients[SUPERVISOR_MAX_SERVERS]; /* bit n: client n of that server is this VM's */
};

struct supervisor_server {
    char name[SERVER_NAME_BYTES];
    uint32_t component;
    uint32_t reserved;
};

#define SUPERVISOR_CONFIG_MAGIC   0x6766632e76727573ull /* "surv.cfg" in memory */
#define SUPERVISOR_CONFIG_VERSION 1u

struct supervisor_config {
    uint64_t magic;
    uint32_t version;
    uint32_t nr_vms;     /* 1 .. SUPERVISOR_MAX_VMS */
    uint32_t nr_servers; /* 1 .. SUPERVISOR_MAX_SERVERS */
    uint32_t tsc_mhz;    /* filled in by init */
    uint32_t end_action; /* enum supervisor_end */
    uint32_t log;        /* enum server_log */
    uint64_t entry;      /* of the monitors' program */
    struct supervisor_server servers[SUPERVISOR_MAX_SERVERS];
    struct supervisor_vm vms[SUPERVISOR_MAX_VMS];
};

_Static_assert(sizeof(struct supervisor_vm) == 64, "supervisor_vm has no padding");
_Static_assert(sizeof(struct supervisor_config) ==
                   40 + SUPERVISOR_MAX_SERVERS * 40 + SUPERVISOR_MAX_VMS * 64,
               "supervisor_config has no padding");
_Static_assert(sizeof(struct supervisor_config) <= 4096, "supervisor_config fits one frame");

#endif
