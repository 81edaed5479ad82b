/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/api/ipc.h"

#include "abi/faults.h"
#include "kernel/api/fault_send.h"
#include "kernel/object/cnode.h"
#include "kernel/object/derivation.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/object.h"

void message_put_lookup_failure(struct message *message, const struct lookup_failure *failure)
{
    message_put(message, failure->type);
    if (failure->type == seL4_InvalidRoot)
        return;
    message_put(message, failure->bits_left);
    if (failure->type == seL4_GuardMismatch)
        message_put(message, failure->guard_found);
    if (failure->type != seL4_MissingCapability)
        message_put(message, failure->bits_found);
}

bool ipc_lookup_caps(struct tcb *sender, const u64 *buffer, u64 info, struct ipc_caps *caps)
{
    unsigned count = buffer ? ipc_info_extra_caps(info) : 0;

    caps->count = 0;
    while (caps->count < count) {
        u64 address = ipc_buffer_read(buffer, IPC_BUFFER_WORD(caps_or_badges) + caps->count);
        struct slot_lookup lookup = cspace_lookup(sender, address);

        if (!lookup.slot) {
            caps->failed_address = address;
            caps->failure = lookup.failure;
            return false;
        }
        caps->slot[caps->count++] = lookup.slot;
    }
    return true;
}

/* Where receiver wants a capability: an empty slot, or NULL. */
static struct slot *receive_slot(struct tcb *receiver, const u64 *buffer)
{
    struct slot_lookup root =
        cspace_lookup(receiver, ipc_buffer_read(buffer, IPC_BUFFER_WORD(receiveCNode)));
    struct slot_lookup target;

    if (!root.slot)
        return NULL;
    target =
        cnode_lookup_target(root.slot->cap, ipc_buffer_read(buffer, IPC_BUFFER_WORD(receiveIndex)),
                            ipc_buffer_read(buffer, IPC_BUFFER_WORD(receiveDepth)));
    return target.slot && slot_is_empty(target.slot) ? target.slot : NULL;
}

static bool copy_capability(struct slot *from, struct slot *to)
{
    struct cap cap = from->cap;

    if (cap_derive(from, &cap) != seL4_NoError)
        return false;
    slot_insert(cap, from, to);
    return true;
}

/*
 * One capability goes into the receive slot; others may be capabilities to the endpoint that the
 * message goes through: they arrive as their badges. The first that is neither ends the transfer.
 * Returns the message info's two fields in place.
 */
static u64 transfer_caps(const struct ipc_caps *caps, const struct endpoint *endpoint,
                         struct tcb *receiver, u64 *buffer)
{
    struct slot *destination = NULL;
    u64 unwrapped = 0;
    unsigned i;

    if (caps->count > 0 && buffer)
        destination = receive_slot(receiver, buffer);
    for (i = 0; buffer && i < caps->count; i++) {
        struct slot *slot = caps->slot[i];

        if (endpoint && slot->cap.type == CAP_ENDPOINT && cap_object(slot->cap) == endpoint) {
            buffer[IPC_BUFFER_WORD(caps_or_badges) + i] = cap_badge(slot->cap);
            unwrapped |= BIT(i);
        } else if (destination && copy_capability(slot, destination)) {
            destination = NULL;
        } else {
            break;
        }
    }
    return ipc_info(0, unwrapped, i, 0);
}

static unsigned transfer_words(struct tcb *sender, const u64 *from, struct tcb *receiver, u64 *to,
                               unsigned length)
{
    unsigned i;

    for (i = 0; i < length && i < seL4_FastMessageRegisters; i++)
        *ipc_register(receiver, i) = *ipc_register(sender, i);
    if (!from || !to)
        return i;
    for (; i < length; i++)
        to[i + 1] = ipc_buffer_read(from, i + 1);
    return i;
}

static u64 transfer_message(struct tcb *sender, struct endpoint *endpoint, bool can_grant,
                            struct tcb *receiver, u64 *buffer)
{
    u64 info = sender->context.rsi, *from = tcb_buffer_for_send(sender), caps_info;
    struct ipc_caps caps;
    unsigned length;

    if (!can_grant || !ipc_lookup_caps(sender, from, info, &caps))
        caps.count = 0;
    length = transfer_words(sender, from, receiver, buffer, ipc_info_length(info));
    caps_info = transfer_caps(&caps, endpoint, receiver, buffer);
    return ipc_info(ipc_info_label(info), 0, 0, length) | caps_info;
}

void ipc_transfer(struct tcb *sender, struct endpoint *endpoint, u64 badge, bool can_grant,
                  struct tcb *receiver)
{
    u64 *buffer = tcb_buffer_for_receive(receiver);
    u64 info;

    if (sender->fault.type == seL4_Fault_NullFault)
        info = transfer_message(sender, endpoint, can_grant, receiver, buffer);
    else
        info = ipc_info(sender->fault.type, 0, 0, fault_message(sender, receiver, buffer));
    receiver->context.rsi = info;
    receiver->context.rdi = badge;
}
