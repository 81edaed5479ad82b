/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints: rendezvous of senders and receivers (ABI sections 2.2, 7, 10). */
#include "abi/faults.h"
#include "kernel/api/ipc.h"
#include "kernel/core/core.h"
#include "kernel/core/preempt.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/object.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/sched/sched.h"

/* --- the queue ------------------------------------------------------------------------------- */

static struct thread_queue queue_of(const struct endpoint *endpoint)
{
    return (struct thread_queue){ endpoint_head(endpoint),
                                  (struct tcb *)(uintptr_t)endpoint->tail };
}

static void set_queue(struct endpoint *endpoint, struct thread_queue queue,
                      enum endpoint_state state)
{
    u64 lock = endpoint->head_state & ENDPOINT_LOCKED;

    endpoint->head_state = (u64)(uintptr_t)queue.head | lock | (queue.head ? state : ENDPOINT_IDLE);
    endpoint->tail = (u64)(uintptr_t)queue.tail;
}

static void enqueue(struct endpoint *endpoint, struct tcb *tcb, enum endpoint_state state)
{
    struct thread_queue queue = queue_of(endpoint);

    thread_queue_insert(&queue, tcb);
    set_queue(endpoint, queue, state);
    tcb->blocked_on = endpoint;
}

void endpoint_enqueue_receiver(struct endpoint *endpoint, struct tcb *tcb)
{
    enqueue(endpoint, tcb, ENDPOINT_RECEIVING);
}

void endpoint_dequeue(struct endpoint *endpoint, struct tcb *tcb)
{
    struct thread_queue queue = queue_of(endpoint);

    thread_queue_remove(&queue, tcb);
    set_queue(endpoint, queue, endpoint_state(endpoint));
    tcb->blocked_on = NULL;
}

/* A requeued sender may get from behind the place where a search stopped to before it: see below.
 */
static u64 nr_requeues;

void endpoint_requeue(struct endpoint *endpoint, struct tcb *tcb, u8 priority)
{
    enum endpoint_state state = endpoint_state(endpoint);

    endpoint_dequeue(endpoint, tcb);
    tcb->priority = priority;
    enqueue(endpoint, tcb, state);
    nr_requeues++;
}

/* --- send and receive ------------------------------------------------------------------------ */

static struct tcb *take_first(struct endpoint *endpoint)
{
    struct tcb *first = endpoint_head(endpoint);

    endpoint_dequeue(endpoint, first);
    return first;
}

static void wait_to_send(struct cap cap, struct tcb *sender, bool is_call)
{
    thread_set_state(sender, THREAD_BLOCKED_ON_SEND);
    sender->send_badge = cap_badge(cap);
    sender->send_rights = (u8)cap_rights(cap);
    sender->send_is_call = is_call;
    enqueue(cap_object(cap), sender, ENDPOINT_SENDING);
}

/* The sender waits for an answer, if there is a way to give one; else it has stopped for good. */
static void await_answer(struct tcb *sender, struct tcb *receiver, struct reply *reply,
                         unsigned rights, bool may_donate)
{
    if (reply && (rights & (RIGHT_GRANT | RIGHT_GRANT_REPLY)))
        reply_push(reply, sender, receiver, may_donate);
    else
        thread_set_state(sender, THREAD_INACTIVE);
}

void endpoint_send(struct cap cap, struct tcb *sender, struct send_kind kind)
{
    struct endpoint *endpoint = cap_object(cap);
    struct tcb *receiver;
    struct reply *reply;

    if (endpoint_state(endpoint) != ENDPOINT_RECEIVING) {
        if (kind.is_blocking)
            wait_to_send(cap, sender, kind.is_call);
        return;
    }
    receiver = take_first(endpoint);
    reply = receiver->reply;
    ipc_transfer(sender, endpoint, cap_badge(cap), cap_rights(cap) & RIGHT_GRANT, receiver);
    if (reply)
        reply_unlink(reply);

    if (kind.is_call || sender->fault.type != seL4_Fault_NullFault)
        await_answer(sender, receiver, reply, cap_rights(cap), kind.can_donate);
    else if (kind.can_donate && sender->sched_context && !receiver->sched_context)
        sched_context_donate(sender->sched_context, receiver);

    thread_set_state(receiver, THREAD_RUNNING);
    thread_wake(receiver);
}

static void wait_to_receive(struct endpoint *endpoint, struct tcb *receiver, struct reply *reply)
{
    thread_set_state(receiver, THREAD_BLOCKED_ON_RECEIVE);
    if (reply)
        reply_await(reply, receiver);
    endpoint_enqueue_receiver(endpoint, receiver);
}

static void receive_from(struct endpoint *endpoint, struct tcb *receiver, struct reply *reply)
{
    struct tcb *sender = take_first(endpoint);
    bool is_timeout = sender->fault.type == seL4_Fault_Timeout;

    ipc_transfer(sender, endpoint, sender->send_badge, sender->send_rights & RIGHT_GRANT, receiver);
    if (sender->sched_context)
        sched_context_wake(sender->sched_context);
    if (sender->send_is_call || sender->fault.type != seL4_Fault_NullFault) {
        await_answer(sender, receiver, reply, sender->send_rights, !is_timeout);
    } else {
        thread_set_state(sender, THREAD_RUNNING);
        possible_switch_to(sender);
    }
}

void endpoint_receive(struct endpoint *endpoint, struct tcb *receiver, struct reply *reply,
                      bool blocking)
{
    struct notification *bound = receiver->notification;

    /* One object answers one caller: whoever waits for it stops waiting. */
    if (reply && reply->tcb && reply->tcb != receiver)
        tcb_cancel_ipc(reply->tcb);

    if (bound && bound->state == NOTIFICATION_ACTIVE) {
        notification_receive(bound, receiver, blocking);
        return;
    }
    if (bound && blocking)
        notification_return_context(bound, receiver);
    if (endpoint_state(endpoint) == ENDPOINT_SENDING)
        receive_from(endpoint, receiver, reply);
    else if (blocking)
        wait_to_receive(endpoint, receiver, reply);
    else
        receiver->context.rdi = 0;
}

/* --- the end of waiting ---------------------------------------------------------------------- */

/* The thread, which waits, tries again what it did, or, if it faulted, has stopped. */
static void send_away(struct tcb *tcb)
{
    bool has_faulted = tcb->fault.type != seL4_Fault_NullFault;

    tcb_cancel_ipc(tcb);
    if (!has_faulted)
        tcb_restart(tcb);
}

/* The first thread that waits at what is a zombie now. */
static struct tcb *first_waiter(struct cap zombie)
{
    const struct notification *notification = cap_object(zombie);

    switch (zombie_kind(zombie)) {
    case ZOMBIE_ENDPOINT:
        return endpoint_head(cap_object(zombie));
    case ZOMBIE_NOTIFICATION:
        return notification->queue.head;
    default:
        return NULL;
    }
}

enum status object_drain(struct cap zombie)
{
    struct tcb *first;

    while ((first = first_waiter(zombie))) {
        enum status status;

        send_away(first);
        status = preemption_point();
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

bool endpoint_finalise(const struct endpoint *endpoint)
{
    return endpoint_state(endpoint) == ENDPOINT_IDLE;
}

/* Where the caller's search stopped, if that was in this queue of senders and it kept its order. */
static struct tcb *search_start(const struct endpoint *endpoint, struct tcb *caller)
{
    struct tcb *at = caller->cancel_cursor;

    if (at && at->blocked_on == endpoint && caller->cancel_epoch == nr_requeues)
        return at;
    caller->cancel_epoch = nr_requeues;
    return endpoint_head(endpoint);
}

enum status endpoint_cancel_badged_sends(struct endpoint *endpoint, u64 badge, struct tcb *caller)
{
    enum status status = STATUS_OK;
    struct tcb *at, *next;

    if (endpoint_state(endpoint) != ENDPOINT_SENDING)
        return STATUS_OK;
    at = search_start(endpoint, caller);
    thread_queue_set_cursor(caller, NULL);
    for (; at && status == STATUS_OK; at = next) {
        next = at->queue_next;
        if (at->send_badge == badge)
            send_away(at);
        status = preemption_point();
    }
    if (status != STATUS_OK && at)
        thread_queue_set_cursor(caller, at);
    return at ? status : STATUS_OK;
}
