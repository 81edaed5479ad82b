/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMEnter as a monitor's main loop wants it: the message lies in the thread's IPC buffer and its
 * first four words in a structure beside it, so that nothing is copied twice. See abi/vcpu.h for
 * the words.
 *
 *      struct vmenter_message m = { .word = { rip, controls, 0 } };
 *
 *      for (;;) {
 *          seL4_Word badge;
 *
 *          if (bulkhead_VMEnterExtended(&m, &badge) == SEL4_VMENTER_RESULT_FAULT)
 *              handle(m.word[VMENTER_MR_REASON], buffer->msg[VMENTER_MR_RAX], ...);
 *      }
 */
#ifndef BULKHEAD_VCPU_H
#define BULKHEAD_VCPU_H

#include "abi/vcpu.h"

#include <sel4/syscalls.h>

/* Message words 0 to 3; the others are in the IPC buffer, msg[4] and up. */
struct vmenter_message {
    seL4_Word word[4];
};

static inline seL4_Word bulkhead_vmenter(struct vmenter_message *message, seL4_Word *badge,
                                         seL4_Word length)
{
    struct sel4_registers registers = {
        0, length, message->word[0], message->word[1], message->word[2], message->word[3]
    };

    sel4_syscall(seL4_SysVMEnter, &registers, 0, 0);
    message->word[0] = registers.mr0;
    message->word[1] = registers.mr1;
    message->word[2] = registers.mr2;
    message->word[3] = registers.mr3;
    *badge = registers.rdi;
    return registers.rsi;
}

/* seL4's VMEnter: words 0 to 2 go in, the guest's registers stay as they are. */
static inline seL4_Word bulkhead_VMEnter(struct vmenter_message *message, seL4_Word *badge)
{
    return bulkhead_vmenter(message, badge, 0);
}

/* Extended: the whole message goes in, words 10 to 26 from the IPC buffer. */
static inline seL4_Word bulkhead_VMEnterExtended(struct vmenter_message *message, seL4_Word *badge)
{
    return bulkhead_vmenter(message, badge, VMENTER_EXTENDED_LENGTH);
}

#endif
