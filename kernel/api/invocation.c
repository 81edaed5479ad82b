/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/api/invocation.h"

#include "kernel/api/fault_send.h"
#include "kernel/api/ipc.h"
#include "kernel/api/request.h"
#include "kernel/core/core.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/sched/sched.h"

/* --- answers --------------------------------------------------------------------------------- */

/* Nobody answers a Call of a notification or reply object: the kernel does, with nothing. */
static void answer(struct tcb *caller, u64 error, unsigned length)
{
    caller->context.rsi = ipc_info(error, 0, 0, length);
    caller->context.rdi = 0;
}

static __attribute__((noinline, cold)) void answer_error(struct tcb *caller,
                                                         const struct api_error *error)
{
    struct message message = { caller, tcb_buffer_for_receive(caller), 0 };

    switch (error->code) {
    case seL4_InvalidArgument:
    case seL4_InvalidCapability:
    case seL4_NotEnoughMemory:
        message_put(&message, error->word[0]);
        break;
    case seL4_RangeError:
        message_put(&message, error->word[0]);
        message_put(&message, error->word[1]);
        break;
    case seL4_FailedLookup:
        message_put(&message, error->word[0]);
        message_put_lookup_failure(&message, &error->lookup);
        break;
    default:
        break;
    }
    answer(caller, error->code, message.length);
}

/* --- objects that pass messages on ----------------------------------------------------------- */

static enum status invoke_endpoint(struct request *request)
{
    if (!(cap_rights(request->cap) & RIGHT_WRITE))
        return error_capability(request, 0);
    endpoint_send(request->cap, request->caller, request->kind);
    return STATUS_OK;
}

static enum status invoke_notification(struct request *request)
{
    if (!(cap_rights(request->cap) & RIGHT_WRITE))
        return error_capability(request, 0);
    notification_signal(cap_object(request->cap), cap_badge(request->cap));
    return STATUS_OK;
}

static enum status invoke_reply(struct request *request)
{
    reply_send(cap_object(request->cap), request->caller, cap_rights(request->cap) & RIGHT_GRANT);
    return STATUS_OK;
}

/* --- kernel objects -------------------------------------------------------------------------- */

/*
 * Meanwhile the caller is in THREAD_RESTART: if it is stopped by what it does, or preempted, it
 * will begin again.
 */
static enum status invoke_object(struct request *request)
{
    struct tcb *caller = request->caller;
    enum status status;

    /* All methods of a thread want what it has in memory. */
    if (request->cap.type == CAP_TCB)
        sched_stop_remote(cap_tcb(request->cap));
    caller->state = THREAD_RESTART;
    status = invocation_dispatch(request);
    if (status == STATUS_PREEMPTED || caller->state != THREAD_RESTART)
        return status;
    caller->state = THREAD_RUNNING;
    return status;
}

static enum status invoke(struct request *request)
{
    switch (request->cap.type) {
    case CAP_ENDPOINT:
        return invoke_endpoint(request);
    case CAP_NOTIFICATION:
        return invoke_notification(request);
    case CAP_REPLY:
        return invoke_reply(request);
    default:
        return invoke_object(request);
    }
}

/* --- the system call ------------------------------------------------------------------------- */

/* Looks up what the request is about. A capability that is not found is a fault, if the call may
 * block. */
static bool find_capabilities(struct request *request, u64 cptr, u64 info)
{
    struct tcb *caller = request->caller;
    struct slot_lookup lookup = cspace_lookup(caller, cptr);
    struct ipc_caps caps;

    if (!lookup.slot) {
        if (request->kind.is_blocking)
            fault_send_capability(caller, cptr, false, lookup.failure);
        return false;
    }
    request->slot = lookup.slot;
    request->cap = lookup.slot->cap;
    if (!ipc_lookup_caps(caller, request->buffer, info, &caps)) {
        if (request->kind.is_blocking)
            fault_send_capability(caller, caps.failed_address, false, caps.failure);
        return false;
    }
    request->nr_extra = caps.count;
    for (unsigned i = 0; i < caps.count; i++)
        request->extra[i] = caps.slot[i];
    return true;
}

enum status handle_invocation(u64 cptr, struct send_kind kind)
{
    struct tcb *caller = this_core()->current;
    u64 info = caller->context.rsi;
    struct request request = {
        .caller = caller,
        .label = ipc_info_label(info),
        .length = ipc_info_length(info),
        .buffer = tcb_buffer_for_send(caller),
        .kind = kind,
    };
    enum status status;

    if (!request.buffer && request.length > seL4_FastMessageRegisters)
        request.length = seL4_FastMessageRegisters;
    if (!find_capabilities(&request, cptr, info))
        return STATUS_OK;
    status = invoke(&request);
    if (status == STATUS_PREEMPTED)
        return status;
    if (!kind.is_call || caller->state != THREAD_RUNNING)
        return STATUS_OK;
    if (status == STATUS_ERROR)
        answer_error(caller, &request.error);
    else
        answer(caller, seL4_NoError, request.reply_length);
    return STATUS_OK;
}
