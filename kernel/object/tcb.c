/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/tcb.h"

#include "abi/faults.h"
#include "abi/types.h"
#include "abi/vcpu.h"
#include "kernel/core/core.h"
#include "kernel/core/panic.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/thread_queue.h"
#include "kernel/object/vcpu.h"
#include "kernel/sched/sched.h"
#include "kernel/x86/fpu.h"

void tcb_create(struct tcb *tcb)
{
    tcb->context.rflags = context_sanitise_rflags(0);
    fpu_area_init(tcb->fpu_area);
}

void tcb_settle_registers(struct tcb *tcb)
{
    struct core *core = this_core();

    sched_stop_remote(tcb);
    if (tcb != core->current)
        return;
    arch_switch_to_idle(core->idle);
    core->choose_new = true;
}

/* --- waiting --------------------------------------------------------------------------------- */

void tcb_cancel_ipc(struct tcb *tcb)
{
    tcb->fault.type = seL4_Fault_NullFault;
    switch (tcb->state) {
    case THREAD_BLOCKED_ON_RECEIVE:
        endpoint_dequeue(tcb->blocked_on, tcb);
        if (tcb->reply)
            reply_unlink(tcb->reply);
        break;
    case THREAD_BLOCKED_ON_SEND:
        endpoint_dequeue(tcb->blocked_on, tcb);
        break;
    case THREAD_BLOCKED_ON_NOTIFICATION:
        notification_dequeue((struct notification *)tcb->blocked_on, tcb);
        break;
    case THREAD_BLOCKED_ON_REPLY:
        reply_cancel(tcb->reply);
        break;
    case THREAD_HALTED_VM: /* the guest has not run since: the call can be repeated */
        vcpu_stop(tcb);
        tcb->vcpu->activity = VCPU_ACTIVITY_HLT;
        break;
    default:
        return;
    }
    thread_set_state(tcb, THREAD_INACTIVE);
}

/*
 * A thread that runs its guest cannot repeat VMEnter: that would put the guest back to where it was
 * then. Any other that runs has finished its system call.
 */
void tcb_suspend(struct tcb *tcb)
{
    sched_stop_remote(tcb);
    tcb_cancel_ipc(tcb);
    if (tcb->state == THREAD_RUNNING_VM)
        tcb->in_guest = true;
    if (tcb->state == THREAD_RUNNING)
        tcb_set_ip(tcb, tcb->context.rip);
    thread_set_state(tcb, THREAD_INACTIVE);
    sched_context_cancel_yield(tcb);
}

void tcb_leave_guest(struct tcb *tcb)
{
    tcb->in_guest = false;
    if (tcb->state == THREAD_RUNNING_VM)
        tcb->state = THREAD_RUNNING;
}

void tcb_restart(struct tcb *tcb)
{
    if (!thread_is_stopped(tcb))
        return;
    tcb_cancel_ipc(tcb);
    thread_set_state(tcb, tcb->in_guest ? THREAD_RUNNING_VM : THREAD_RESTART);
    tcb->in_guest = false;
    thread_wake(tcb);
}

/* --- end ------------------------------------------------------------------------------------- */

void tcb_finalise(struct tcb *tcb)
{
    sched_stop_remote(tcb);
    if (tcb->vcpu)
        vcpu_unbind(tcb->vcpu);
    if (tcb->notification)
        notification_unbind(tcb->notification);
    tcb_suspend(tcb);
    if (tcb->sched_context) {
        struct sched_context *sc = tcb->sched_context;

        sched_context_unbind_tcb(sc);
        sched_context_complete_yield(sc->yield_from);
    }
    thread_queue_set_cursor(tcb, NULL);
    fpu_release_thread(tcb);
    kernel_assert(!tcb->in_ready_queue && !tcb->in_release_queue && !tcb->reply);
}
