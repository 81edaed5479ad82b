/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a message on the supervisor's endpoint says about the component that it comes from. Pure.
 *
 * Trust      The badge is the kernel's word; label and words are whatever a monitor, perhaps one
 *            gone bad, wants them to be: what is not understood is a failure of the monitor's.
 */
#ifndef USER_SUPERVISOR_MESSAGES_H
#define USER_SUPERVISOR_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_WORDS 5u
#define MESSAGE_BYTES 128u

struct message {
    uint64_t badge;
    uint64_t label;
    uint64_t words[MESSAGE_WORDS]; /* 0 where the message was shorter */
};

/* How a run of a VM ended. */
enum outcome {
    OUTCOME_POWEROFF,
    OUTCOME_REBOOT,
    OUTCOME_REFUSED, /* it cannot run at all, and could not another time */
    OUTCOME_FAILURE, /* of the guest's, or of the monitor's */
};

/* What a monitor says, in words in text. */
enum outcome message_report(const struct message *message, char text[MESSAGE_BYTES]);
/* What the kernel says about a thread, which stands still from then on. who: "its monitor" */
void message_fault(const struct message *message, const char *who, char text[MESSAGE_BYTES]);

#endif
