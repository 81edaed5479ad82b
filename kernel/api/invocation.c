/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/api/invocation.h"

#include "abi/faults.h"
#include "kernel/api/fault_send.h"
#include "kernel/api/ipc.h"
#include "kernel/api/request.h"
#include "kernel/core/core.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/sched/sched.h"

/* --- answers --------------------------------------------------------------------------------- */

static void put(struct request *request, u64 value)
{
    u64 *buffer = tcb_buffer_for_receive(request->caller);

    request->reply_length = ipc_set_word(request->caller, buffer, request->reply_length, value);
}

static void put_lookup_failure(struct request *request, const struct lookup_failure *lookup)
{
    put(request, lookup->type);
    if (lookup->type == seL4_InvalidRoot)
        return;
    put(request, lookup->bits_left);
    if (lookup->type == seL4_GuardMismatch)
        put(request, lookup->guard_found);
    if (lookup->type != seL4_MissingCapability)
        put(request, lookup->bits_found);
}

static void answer_error(struct request *request)
{
    const struct api_error *error = &request->error;

    request->reply_length = 0;
    switch (error->code) {
    case seL4_InvalidArgument:
    case seL4_InvalidCapability:
    case seL4_NotEnoughMemory:
        put(request, error->word[0]);
        break;
    case seL4_RangeError:
        put(request, error->word[0]);
        put(request, error->word[1]);
        break;
    case seL4_FailedLookup:
        put(request, error->word[0]);
        put_lookup_failure(request, &error->lookup);
        break;
    default:
        break;
    }
    request->caller->context.rsi = ipc_info(error->code, 0, 0, request->reply_length);
    request->caller->context.rdi = 0;
}

static void answer_success(struct request *request)
{
    for (unsigned i = 0; i < request->reply_length && i < seL4_FastMessageRegisters; i++)
        *ipc_register(request->caller, i) = request->reply[i];
    request->caller->context.rsi = ipc_info(0, 0, 0, request->reply_length);
    request->caller->context.rdi = 0;
}

/* --- objects that pass messages on ----------------------------------------------------------- */

static enum status invoke_endpoint(struct request *request, struct invocation_kind kind)
{
    unsigned rights = cap_rights(request->cap);

    if (!(rights & RIGHT_WRITE))
        return error_capability(request, 0);
    endpoint_send(cap_object(request->cap), request->caller,
                  (struct send_options){
                      .badge = cap_badge(request->cap),
                      .blocking = kind.is_blocking,
                      .is_call = kind.is_call,
                      .can_grant = rights & RIGHT_GRANT,
                      .can_grant_reply = rights & RIGHT_GRANT_REPLY,
                      .can_donate = kind.can_donate,
                  });
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
 * will begin again. It is answered if it still is there afterwards.
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
    if (request->is_call && status == STATUS_OK)
        answer_success(request);
    return status;
}

/* Nobody answers a Call of a notification or reply object: the kernel does, with nothing. */
static enum status answered(struct request *request, enum status status)
{
    if (status == STATUS_OK && request->is_call && request->caller->state == THREAD_RUNNING)
        answer_success(request);
    return status;
}

static enum status invoke(struct request *request, struct invocation_kind kind)
{
    switch (request->cap.type) {
    case CAP_ENDPOINT:
        return invoke_endpoint(request, kind);
    case CAP_NOTIFICATION:
        return answered(request, invoke_notification(request));
    case CAP_REPLY:
        return answered(request, invoke_reply(request));
    default:
        return invoke_object(request);
    }
}

/* --- the system call ------------------------------------------------------------------------- */

static void capability_fault(struct tcb *thread, u64 cptr, struct lookup_failure failure)
{
    thread->fault =
        (struct fault){ .type = seL4_Fault_CapFault, .word = { cptr, false }, .lookup = failure };
    fault_send(thread);
}

/* Looks up what the request is about. A capability that is not found is a fault, if the call may
 * block. */
static bool find_capabilities(struct request *request, u64 cptr, u64 info)
{
    struct tcb *caller = request->caller;
    struct slot_lookup lookup = cspace_lookup(caller, cptr);
    struct ipc_caps caps;
    struct lookup_failure failure;

    if (!lookup.slot) {
        if (request->is_blocking)
            capability_fault(caller, cptr, lookup.failure);
        return false;
    }
    request->slot = lookup.slot;
    request->cap = lookup.slot->cap;
    if (!ipc_lookup_caps(caller, request->buffer, info, &caps, &failure)) {
        if (request->is_blocking)
            capability_fault(caller, caps.failed_address, failure);
        return false;
    }
    request->nr_extra = caps.count;
    for (unsigned i = 0; i < caps.count; i++)
        request->extra[i] = caps.slot[i];
    return true;
}

enum status handle_invocation(u64 cptr, struct invocation_kind kind)
{
    struct tcb *caller = this_core()->current;
    u64 info = caller->context.rsi;
    struct request request = {
        .caller = caller,
        .label = ipc_info_label(info),
        .length = ipc_info_length(info),
        .buffer = tcb_buffer_for_send(caller),
        .is_call = kind.is_call,
        .is_blocking = kind.is_blocking,
        .is_combined_send = kind.is_combined_send,
    };
    enum status status;

    if (!request.buffer && request.length > seL4_FastMessageRegisters)
        request.length = seL4_FastMessageRegisters;
    if (!find_capabilities(&request, cptr, info))
        return STATUS_OK;
    status = invoke(&request, kind);
    if (status == STATUS_PREEMPTED)
        return status;
    if (status == STATUS_ERROR && kind.is_call)
        answer_error(&request);
    return STATUS_OK;
}
