/* SPDX-License-Identifier: BSD-2-Clause */
/* Notifications: a word of flags that threads can wait for, alone or beside an endpoint. */
#include "kernel/core/core.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/object/vcpu.h"
#include "kernel/sched/sched.h"

/* --- the queue ------------------------------------------------------------------------------- */

static void enqueue(struct notification *notification, struct tcb *tcb)
{
    thread_queue_insert(&notification->queue, tcb);
    notification->state = NOTIFICATION_WAITING;
    tcb->blocked_on = (struct endpoint *)notification;
}

void notification_dequeue(struct notification *notification, struct tcb *tcb)
{
    thread_queue_remove(&notification->queue, tcb);
    if (!notification->queue.head)
        notification->state = NOTIFICATION_IDLE;
    tcb->blocked_on = NULL;
}

void notification_requeue(struct notification *notification, struct tcb *tcb, u8 priority)
{
    notification_dequeue(notification, tcb);
    tcb->priority = priority;
    enqueue(notification, tcb);
}

/* --- scheduling contexts --------------------------------------------------------------------- */

/* If the notification's own scheduling context is free, tcb, which has none, gets it. */
static void lend_context(struct notification *notification, struct tcb *tcb)
{
    struct sched_context *sc = notification->sched_context;

    if (tcb->sched_context || !sc || sc->tcb)
        return;
    sched_context_donate(sc, tcb);
}

void notification_return_context(struct notification *notification, struct tcb *tcb)
{
    struct sched_context *sc = notification->sched_context;

    if (sc && sc == tcb->sched_context)
        sched_context_unbind_tcb(sc);
}

/* --- signal and wait ------------------------------------------------------------------------- */

static void wake(struct notification *notification, struct tcb *tcb)
{
    lend_context(notification, tcb);
    thread_wake(tcb);
}

static void deliver(struct notification *notification, struct tcb *tcb, u64 badge)
{
    thread_set_state(tcb, THREAD_RUNNING);
    tcb->context.rdi = badge;
    wake(notification, tcb);
}

/*
 * The bound thread receives on an endpoint, or has its guest run: it takes the signal at once. If
 * another core runs it, that core is interrupted, leaves the guest, and finds the notification
 * active when it next chooses the thread (notification_take); a thread that is in user code sees it
 * when it wants to enter. An exit that the monitor has not heard of yet goes first.
 */
static bool deliver_to_bound(struct notification *notification, u64 badge)
{
    struct tcb *tcb = notification->bound;

    if (!tcb)
        return false;
    if (thread_runs_elsewhere(tcb)) {
        cores[tcb->core].choose_new |= tcb->state == THREAD_RUNNING_VM;
        return false;
    }
    switch (tcb->state) {
    case THREAD_BLOCKED_ON_RECEIVE:
        tcb_cancel_ipc(tcb);
        deliver(notification, tcb, badge);
        return true;
    case THREAD_RUNNING_VM:
    case THREAD_HALTED_VM:
        if (tcb->vcpu->exited)
            return false;
        vcpu_notify(tcb, badge);
        wake(notification, tcb);
        return true;
    default:
        return false;
    }
}

void notification_signal(struct notification *notification, u64 badge)
{
    struct tcb *first;

    switch (notification->state) {
    case NOTIFICATION_IDLE:
        if (deliver_to_bound(notification, badge))
            return;
        notification->state = NOTIFICATION_ACTIVE;
        notification->badge = badge;
        break;
    case NOTIFICATION_WAITING:
        first = notification->queue.head;
        notification_dequeue(notification, first);
        deliver(notification, first, badge);
        break;
    case NOTIFICATION_ACTIVE:
        notification->badge |= badge;
        break;
    }
}

void notification_take(struct tcb *tcb)
{
    u64 badge;

    if (tcb->notification && !tcb->vcpu->exited && notification_poll(tcb->notification, &badge))
        vcpu_notify(tcb, badge);
}

void notification_receive(struct notification *notification, struct tcb *receiver, bool blocking)
{
    if (notification_poll(notification, &receiver->context.rdi)) {
        lend_context(notification, receiver);
        if (receiver->sched_context)
            sched_context_wake(receiver->sched_context);
        sched_resume(receiver);
    } else if (blocking) {
        thread_set_state(receiver, THREAD_BLOCKED_ON_NOTIFICATION);
        notification_return_context(notification, receiver);
        enqueue(notification, receiver);
    } else {
        receiver->context.rdi = 0;
    }
}

/* --- bindings and end ------------------------------------------------------------------------ */

void notification_bind(struct notification *notification, struct tcb *tcb)
{
    notification->bound = tcb;
    tcb->notification = notification;
}

void notification_unbind(struct notification *notification)
{
    if (!notification->bound)
        return;
    notification->bound->notification = NULL;
    notification->bound = NULL;
}

bool notification_finalise(struct notification *notification)
{
    notification_unbind(notification);
    if (notification->sched_context)
        sched_context_unbind_notification(notification->sched_context);
    return !notification->queue.head;
}
