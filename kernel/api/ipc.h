/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: their words, the capabilities in them, and how they get from one thread to another
 * (ABI sections 2.2 and 3). Words 0 to 3 are in registers, the others in the IPC buffer, which user
 * code can write at any time: each of its words is read once.
 * Locking: all cores' locks; message words also under the core's of both threads.
 */
#ifndef KERNEL_API_IPC_H
#define KERNEL_API_IPC_H

#include "abi/types.h"
#include "kernel/object/tcb.h"

struct endpoint;

/* --- message information --------------------------------------------------------------------- */

static inline u64 ipc_info(u64 label, u64 unwrapped, u64 extra_caps, u64 length)
{
    return label << 12 | unwrapped << 9 | extra_caps << 7 | length;
}

static inline u64 ipc_info_label(u64 info)
{
    return info >> 12;
}

static inline unsigned ipc_info_extra_caps(u64 info)
{
    return (unsigned)(info >> 7) & 3;
}

static inline unsigned ipc_info_length(u64 info)
{
    unsigned length = (unsigned)info & 0x7f;

    return length < seL4_MsgMaxLength ? length : seL4_MsgMaxLength;
}

/* --- words ----------------------------------------------------------------------------------- */

static inline u64 *ipc_register(struct tcb *tcb, unsigned i)
{
    struct user_context *c = &tcb->context;

    switch (i) {
    case 0:
        return &c->r10;
    case 1:
        return &c->r8;
    case 2:
        return &c->r9;
    default:
        return &c->r15;
    }
}

/* Words of an IPC buffer that are not message words. */
#define IPC_BUFFER_WORD(field) (offsetof(seL4_IPCBuffer, field) / sizeof(u64))

static inline u64 ipc_buffer_read(const u64 *buffer, size_t word)
{
    return __atomic_load_n(&buffer[word], __ATOMIC_RELAXED);
}

/* Message word i of the thread's outgoing message; without a buffer there are four words. */
static inline u64 ipc_word(struct tcb *tcb, const u64 *buffer, unsigned i)
{
    return i < seL4_FastMessageRegisters ? *ipc_register(tcb, i) : ipc_buffer_read(buffer, i + 1);
}

/* A message to receiver that grows word by word; without a buffer it ends at four. */
struct message {
    struct tcb *receiver;
    u64 *buffer;
    unsigned length;
};

static inline void message_put(struct message *message, u64 value)
{
    if (message->length < seL4_FastMessageRegisters)
        *ipc_register(message->receiver, message->length++) = value;
    else if (message->buffer)
        message->buffer[++message->length] = value;
}

/* The words of the API's lookup failure. */
void message_put_lookup_failure(struct message *message, const struct lookup_failure *failure);

/* --- transfer -------------------------------------------------------------------------------- */

/* The capabilities that come with a message: their slots in the sender's CSpace. */
struct ipc_caps {
    unsigned count;
    struct slot *slot[seL4_MsgMaxExtraCaps];
    u64 failed_address; /* of the one that was not found, and why */
    struct lookup_failure failure;
};

/* Looks up the sender's extra capabilities. Returns false when one is not found. */
bool ipc_lookup_caps(struct tcb *sender, const u64 *buffer, u64 info, struct ipc_caps *caps);

/* Sender's message, or its fault if it has one, becomes receiver's. endpoint: the one it goes
 * through, or NULL. */
void ipc_transfer(struct tcb *sender, struct endpoint *endpoint, u64 badge, bool can_grant,
                  struct tcb *receiver);

#endif
