/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reply objects and the chains of calls they form. When a caller lends its scheduling context to
 * the callee, the reply object becomes the newest of the context's chain:
 *
 *      context.reply --> newest --prev--> older --prev--> oldest
 *      context <--sched_context-- newest <--next-- older <--next-- oldest
 *
 * Answering the newest takes the context back to its caller, and the next older one becomes newest.
 * A reply object that is taken out of the middle breaks the chain: the context stays where it gets
 * to.
 */
#include "abi/faults.h"
#include "kernel/api/fault_send.h"
#include "kernel/api/ipc.h"
#include "kernel/core/core.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/reply_chain.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/sched/refill.h"
#include "kernel/sched/sched.h"

void reply_await(struct reply *reply, struct tcb *tcb)
{
    reply->tcb = tcb;
    tcb->reply = reply;
}

void reply_unlink(struct reply *reply)
{
    struct tcb *tcb = reply->tcb;

    tcb->reply = NULL;
    reply->tcb = NULL;
    thread_set_state(tcb, THREAD_INACTIVE);
}

void reply_push(struct reply *reply, struct tcb *caller, struct tcb *callee, bool may_donate)
{
    struct sched_context *sc = caller->sched_context;

    thread_set_state(caller, THREAD_BLOCKED_ON_REPLY);
    reply_await(reply, caller);
    if (!may_donate || !sc || callee->sched_context)
        return;
    reply_chain_push(reply, sc);
    sched_context_donate(sc, callee);
}

/* Takes the reply out of wherever it is in a chain; what is older is cut off from what is newer. */
static void chain_break(struct reply *reply)
{
    if (reply->sched_context)
        reply->sched_context->reply = NULL;
    if (reply->next)
        reply->next->prev = NULL;
    if (reply->prev)
        reply->prev->next = NULL;
    reply->sched_context = NULL;
    reply->next = reply->prev = NULL;
}

void reply_take(struct reply *reply)
{
    struct sched_context *sc = reply->sched_context;
    struct tcb *caller = reply->tcb;

    if (sc)
        reply_chain_pop(reply, sc);
    else
        chain_break(reply);
    reply_unlink(reply);
    if (sc && !caller->sched_context)
        sched_context_donate(sc, caller);
}

void reply_cancel(struct reply *reply)
{
    chain_break(reply);
    reply_unlink(reply);
}

void reply_finalise(struct reply *reply)
{
    struct tcb *tcb = reply->tcb;

    if (!tcb)
        return;
    if (tcb->state == THREAD_BLOCKED_ON_REPLY) {
        tcb->fault.type = seL4_Fault_NullFault;
        reply_take(reply);
    } else {
        tcb_cancel_ipc(tcb);
    }
}

/* What the answer says goes to the caller. Afterwards it is runnable or, by a fault's answer, not.
 */
static void deliver(struct tcb *caller, struct tcb *replier, bool can_grant)
{
    bool restart;

    if (caller->fault.type == seL4_Fault_NullFault) {
        ipc_transfer(replier, NULL, 0, can_grant, caller);
        thread_set_state(caller, THREAD_RUNNING);
        return;
    }
    restart = fault_reply(caller, replier, ipc_info_label(replier->context.rsi),
                          ipc_info_length(replier->context.rsi));
    caller->fault.type = seL4_Fault_NullFault;
    thread_set_state(caller, restart ? THREAD_RESTART : THREAD_INACTIVE);
}

/* Its context has no time, and it wants to know: the timeout handler is called in its name. */
static bool answer_by_timeout(struct tcb *caller)
{
    struct sched_context *sc = caller->sched_context;

    if (thread_is_schedulable(caller) || !sched_context_is_active(sc) ||
        sched_context_is_round_robin(sc) || !tcb_has_timeout_handler(caller))
        return false;
    /* A finished system call must not be repeated after the handler's answer. */
    if (caller->state == THREAD_RUNNING)
        tcb_set_ip(caller, caller->context.rip);
    return timeout_fault_send(caller);
}

void reply_send(struct reply *reply, struct tcb *replier, bool can_grant)
{
    struct tcb *caller = reply->tcb;
    bool was_timeout;

    if (!caller || caller->state != THREAD_BLOCKED_ON_REPLY)
        return;
    was_timeout = caller->fault.type == seL4_Fault_Timeout;
    reply_take(reply);
    deliver(caller, replier, can_grant);
    if (!thread_is_runnable(caller) || !caller->sched_context)
        return;
    sched_context_wake(caller->sched_context);
    if (was_timeout || !answer_by_timeout(caller))
        possible_switch_to(caller);
}
