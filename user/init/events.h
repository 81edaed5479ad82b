/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a message on the supervisor's endpoint means. Pure: badge, label and words in; a line to
 * print and the components' new state out.
 *
 * Trust      The badge is the kernel's word; label and words are whatever a monitor, perhaps one
 * gone bad, wants them to be. One that sends without end is heard less and less: of its messages
 *            that do not end the VM, those numbered 1 to 8, 16, 32, 64, ... are reported.
 *            A server that stops is reported; the VMs go on.
 * Invariant  E1  a VM that has ended stays ended; what comes in its name afterwards is ignored
 */
#ifndef USER_INIT_EVENTS_H
#define USER_INIT_EVENTS_H

#include "user/init/plan.h"

#define EVENTS_MAX_COMPONENTS 1024u
#define EVENT_WORDS           5u
#define EVENT_LINE_BYTES      160u

struct event_state {
    bool ended;
    uint32_t messages; /* that did not end it */
};

struct events {
    struct event_state states[EVENTS_MAX_COMPONENTS];
    uint32_t running; /* VMs */
};

struct event_message {
    uint64_t badge;
    uint64_t label;
    uint64_t words[EVENT_WORDS]; /* 0 where the message was shorter */
};

void events_init(struct events *events, const struct plan *plan);

/* True if line is to be printed. */
bool events_take(struct events *events, const struct plan *plan,
                 const struct event_message *message, char line[EVENT_LINE_BYTES]);

#endif
