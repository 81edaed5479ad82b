/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls, exceptions and interrupts of user code (ABI section 2). Each entry reads the time,
 * and, unless the budget is spent, does its work; then the thread to run is chosen.
 */
#include "kernel/api/syscall.h"

#include "abi/errors.h"
#include "abi/faults.h"
#include "abi/syscalls.h"
#include "kernel/api/debug_syscall.h"
#include "kernel/api/fault_send.h"
#include "kernel/api/invocation.h"
#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/remote.h"
#include "kernel/object/cnode.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/irq.h"
#include "kernel/object/tcb.h"
#include "kernel/object/vcpu.h"
#include "kernel/sched/sched.h"

/* --- entry and exit -------------------------------------------------------------------------- */

/*
 * False: while this core waited for its lock, another one stopped the thread that entered, which
 * will do so again. (current is then the idle thread, which enters the kernel by interrupts only.)
 */
static bool enter_kernel(void)
{
    const struct core *core = this_core();

    lock_all_cores();
    time_update();
    return core->current != core->idle;
}

/* A thread enters the kernel by doing what it cannot. */
static void enter_by_fault(struct fault fault)
{
    if (enter_kernel() && budget_check_restart())
        fault_send(this_core()->current, fault);
    sched_choose();
}

/* --- the receive phase ----------------------------------------------------------------------- */

static const struct lookup_failure missing = { .type = seL4_MissingCapability };

/* Receives on an endpoint. A reply capability is asked for where the system call has one. */
static void receive_endpoint(struct tcb *thread, struct endpoint *endpoint, bool takes_reply,
                             bool blocking)
{
    struct reply *reply = NULL;

    if (takes_reply) {
        u64 reply_cptr = thread->context.r12;
        struct slot_lookup lookup = cspace_lookup(thread, reply_cptr);

        if (!lookup.slot || lookup.slot->cap.type != CAP_REPLY) {
            fault_send_capability(thread, reply_cptr, true, lookup.slot ? missing : lookup.failure);
            return;
        }
        reply = cap_object(lookup.slot->cap);
    }
    endpoint_receive(endpoint, thread, reply, blocking);
}

/* It is a notification with the right, and bound to nobody else. */
static bool may_wait(const struct tcb *thread, struct cap cap)
{
    const struct notification *notification = cap_object(cap);

    return cap.type == CAP_NOTIFICATION && (cap_rights(cap) & RIGHT_READ) &&
           (!notification->bound || notification->bound == thread);
}

static void handle_receive(bool takes_reply, bool blocking)
{
    struct tcb *thread = this_core()->current;
    u64 cptr = thread->context.rdi;
    struct slot_lookup lookup = cspace_lookup(thread, cptr);
    struct cap cap;

    if (!lookup.slot) {
        fault_send_capability(thread, cptr, true, lookup.failure);
        return;
    }
    cap = lookup.slot->cap;
    if (cap.type == CAP_ENDPOINT && (cap_rights(cap) & RIGHT_READ))
        receive_endpoint(thread, cap_object(cap), takes_reply, blocking);
    else if (may_wait(thread, cap))
        notification_receive(cap_object(cap), thread, blocking);
    else
        fault_send_capability(thread, cptr, true, missing);
}

/* --- system calls ---------------------------------------------------------------------------- */

/* Sends, does not block, and then receives. A preempted first half is repeated with the second. */
static enum status send_and_receive(u64 send_cptr, bool takes_reply)
{
    enum status status = handle_invocation(
        send_cptr, (struct send_kind){ .can_donate = true, .is_combined_send = true });

    if (status == STATUS_OK)
        handle_receive(takes_reply, true);
    return status;
}

/* Out of the way of those that are known. */
static __attribute__((noinline, cold)) void unknown_syscall(s64 number)
{
    fault_send(this_core()->current,
               (struct fault){ .type = seL4_Fault_UnknownSyscall, .word = { (u64)number } });
}

static enum status dispatch(s64 number, struct user_context *context)
{
    switch (number) {
    case seL4_SysCall:
        return handle_invocation(
            context->rdi,
            (struct send_kind){ .is_call = true, .is_blocking = true, .can_donate = true });
    case seL4_SysReplyRecv:
        return send_and_receive(context->r12, true);
    case seL4_SysNBSendRecv:
        return send_and_receive(context->r13, true);
    case seL4_SysNBSendWait:
        return send_and_receive(context->r12, false);
    case seL4_SysSend:
        return handle_invocation(context->rdi, (struct send_kind){ .is_blocking = true });
    case seL4_SysNBSend:
        return handle_invocation(context->rdi, (struct send_kind){ 0 });
    case seL4_SysRecv:
        handle_receive(true, true);
        return STATUS_OK;
    case seL4_SysNBRecv:
        handle_receive(true, false);
        return STATUS_OK;
    case seL4_SysWait:
        handle_receive(false, true);
        return STATUS_OK;
    case seL4_SysNBWait:
        handle_receive(false, false);
        return STATUS_OK;
    case seL4_SysYield:
        budget_yield();
        return STATUS_OK;
    default:
        unknown_syscall(number);
        return STATUS_OK;
    }
}

/* The thread repeats the call when it runs next; until then interrupts come, and others may run. */
static void restart_after_preemption(struct tcb *thread)
{
    if (!thread_is_runnable(thread))
        return;
    thread->state = THREAD_RESTART;
    time_update();
    (void)budget_check();
}

void handle_syscall_general(s64 number)
{
    bool goes_on = enter_kernel();
    struct tcb *caller = this_core()->current;

    if (goes_on && debug_syscall(number))
        return;
    if (goes_on && budget_check_restart() && dispatch(number, &caller->context) == STATUS_PREEMPTED)
        restart_after_preemption(caller);
    sched_choose();
}

/* --- exceptions ------------------------------------------------------------------------------ */

void handle_unknown_syscall(s64 number)
{
    if (enter_kernel() && budget_check_restart())
        unknown_syscall(number);
    sched_choose();
}

void handle_user_exception(unsigned vector, u64 error_code)
{
    enter_by_fault(
        (struct fault){ .type = seL4_Fault_UserException, .word = { vector, error_code } });
}

#define PAGE_FAULT_FETCH 16

void handle_page_fault(u64 address, u64 error_code)
{
    bool is_fetch = error_code & PAGE_FAULT_FETCH;

    enter_by_fault(
        (struct fault){ .type = seL4_Fault_VMFault, .word = { address, is_fetch, error_code } });
}

/* --- interrupts ------------------------------------------------------------------------------ */

void handle_interrupt(unsigned irq)
{
    (void)enter_kernel();
    (void)budget_check();
    irq_deliver(irq);
    sched_choose();
}

/* A thread that wants to be told of the end of its budget calls somebody who may be anywhere. */
void handle_timer(void)
{
    struct core *core = this_core();

    lock_this_core();
    time_update();
    if (budget_end_is_told())
        lock_all_cores();
    core->reprogram = true;
    (void)budget_check();
    vcpu_timers_expire(core->now);
    sched_choose();
}

void handle_other_core(void)
{
    remote_serve();
    lock_this_core();
    time_update();
    sched_choose();
}
