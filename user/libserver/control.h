/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channel between the supervisor (user/supervisor) and a server: one page, zero at first, and a
 * signal each way. Each field has one side that writes it; counters run freely and wrap.
 *
 * Reset      Before the supervisor starts a VM anew, and when one has ended, its channels are made
 *            as they were at first. It stops the VM's threads, then adds one to `reset_wanted` of
 *            each of the server's clients that are the VM's, and signals. The server ends what the
 *            client has outstanding (nothing touches the client's memory any more), makes its
 *            channel zero but for facts, forgets that it broke a rule, sets `reset_done` to what is
 *            wanted (release), and signals. From the moment it sees that the two differ until then,
 *            it takes nothing from the channel.
 * VMs        Of the console server's page only. The supervisor writes `vms`, in the order of the
 *            console's clients; what is not a VM has state CONTROL_NONE. State and time may be read
 *            while they change: they are for people.
 * Commands   Of the console server's page only: per VM a number and an enum control_command below
 *            it. What follows before the supervisor has looked replaces what was there.
 * Trust      The supervisor takes servers' words for what they are in charge of, and bounds them. A
 *            server that never sets `reset_done` keeps its own clients from starting again.
 */
#ifndef USER_LIBSERVER_CONTROL_H
#define USER_LIBSERVER_CONTROL_H

#include <stdint.h>

#include "user/libserver/server.h"

enum control_state {
    CONTROL_NONE = 0,
    CONTROL_RUNNING = 1,
    CONTROL_PAUSED = 2,
    CONTROL_WAITING = 3, /* it failed, or rebooted, and will be started again */
    CONTROL_ENDED = 4,   /* it powered itself off */
    CONTROL_STOPPED = 5, /* by command */
    CONTROL_FAILED = 6,  /* and will not be started again but by command */
    CONTROL_ENDING = 7,  /* its threads are stopped, its servers finish with it */
    CONTROL_NR_STATES,
};

enum control_command {
    CONTROL_PAUSE = 1,
    CONTROL_RESUME = 2,
    CONTROL_RESTART = 3, /* or start, if it has ended */
    CONTROL_STOP = 4,
};

#define CONTROL_COMMAND_BITS 8u

struct control_vm {
    uint32_t state; /* enum control_state */
    uint32_t runs;  /* how often it was started */
    uint64_t since; /* the time stamp counter when the state began */
    uint64_t begun; /* and when the present, or last, run did */
};

struct control_channel {
    uint32_t reset_wanted[SERVER_MAX_CLIENTS]; /* the supervisor's */
    uint32_t reset_done[SERVER_MAX_CLIENTS];   /* the server's */
    uint32_t commands[SERVER_MAX_CLIENTS];     /* the console server's */
    struct control_vm vms[SERVER_MAX_CLIENTS]; /* the supervisor's */
    uint8_t reserved[4096 - SERVER_MAX_CLIENTS * (3 * 4 + sizeof(struct control_vm))];
};

_Static_assert(sizeof(struct control_vm) == 24, "control_vm has no padding");
_Static_assert(sizeof(struct control_channel) == 4096, "one page");

#endif
