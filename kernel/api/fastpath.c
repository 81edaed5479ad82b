/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/api/fastpath.h"

#include "abi/faults.h"
#include "kernel/api/ipc.h"
#include "kernel/core/core.h"
#include "kernel/object/cnode.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/reply_chain.h"
#include "kernel/object/sched_context.h"
#include "kernel/sched/queues.h"
#include "kernel/sched/sched.h"

/* --- conditions ------------------------------------------------------------------------------ */

/* No capabilities, and all words in registers. */
static inline bool is_short(u64 info)
{
    return ipc_info_extra_caps(info) == 0 && ipc_info_length(info) <= seL4_FastMessageRegisters;
}

/* The capability at an address of a CSpace of one level; null if it has more, or the guard differs.
 */
static inline struct cap find(const struct tcb *tcb, u64 address)
{
    struct cap root = tcb->slots[TCB_CSPACE].cap;
    unsigned radix = cnode_radix(root);

    if (root.type != CAP_CNODE || radix + cnode_guard_size(root) != 64 || radix == 0 ||
        address >> radix != cnode_guard(root))
        return cap_null();
    return cnode_slots(root)[address & MASK(radix)].cap;
}

/* Current stops running: this thread is the one that the scheduler would choose then. */
static inline bool would_be_chosen(const struct core *core, const struct tcb *tcb)
{
    return tcb->core == core->id && tcb->priority >= ready_highest_priority(core);
}

static inline bool is_available(const struct core *core)
{
    return core->current_sc && core->current->sched_context == core->current_sc;
}

/* --- changes --------------------------------------------------------------------------------- */

static inline void hand_over_context(struct tcb *from, struct tcb *to)
{
    struct sched_context *sc = from->sched_context;

    from->sched_context = NULL;
    to->sched_context = sc;
    sc->tcb = to;
}

static inline void transfer(const struct tcb *from, struct tcb *to, u64 badge)
{
    const struct user_context *source = &from->context;
    struct user_context *target = &to->context;
    u64 info = source->rsi;
    unsigned length = ipc_info_length(info);

    target->rdi = badge;
    target->rsi = ipc_info(ipc_info_label(info), 0, 0, length);
    if (length > 0)
        target->r10 = source->r10;
    if (length > 1)
        target->r8 = source->r8;
    if (length > 2)
        target->r9 = source->r9;
    if (length > 3)
        target->r15 = source->r15;
}

/* The queue's first leaves it; mostly it is the only one. */
static inline void take_receiver(struct endpoint *endpoint, struct tcb *tcb)
{
    if (tcb->queue_next) {
        endpoint_dequeue(endpoint, tcb);
        return;
    }
    endpoint->head_state = ENDPOINT_LOCKED | ENDPOINT_IDLE;
    endpoint->tail = 0;
    tcb->blocked_on = NULL;
}

static inline void add_receiver(struct endpoint *endpoint, struct tcb *tcb)
{
    if (endpoint_state(endpoint) != ENDPOINT_IDLE) {
        endpoint_enqueue_receiver(endpoint, tcb);
        return;
    }
    tcb->queue_next = tcb->queue_prev = NULL;
    tcb->run_next = NULL;
    tcb->run_last = tcb;
    tcb->blocked_on = endpoint;
    endpoint->head_state = (u64)(uintptr_t)tcb | ENDPOINT_LOCKED | ENDPOINT_RECEIVING;
    endpoint->tail = (u64)(uintptr_t)tcb;
}

static inline void run(struct core *core, struct tcb *tcb)
{
    tcb->state = THREAD_RUNNING;
    core->current = tcb;
    arch_switch_to_thread(tcb);
}

/* --- Call ------------------------------------------------------------------------------------ */

/* caller waits for reply, the newest of its context's chain. */
static inline void push(struct reply *reply, struct tcb *caller)
{
    reply_chain_push(reply, caller->sched_context);
    reply->tcb = caller;
    caller->reply = reply;
    caller->state = THREAD_BLOCKED_ON_REPLY;
}

/* The endpoint is locked. Its first receiver may be of any core. */
static inline bool call_through(struct core *core, struct tcb *caller, struct endpoint *endpoint,
                                u64 badge)
{
    struct tcb *callee;
    struct reply *reply;

    if (endpoint_state(endpoint) != ENDPOINT_RECEIVING)
        return false;
    callee = endpoint_head(endpoint);
    reply = callee->reply;
    if (callee->sched_context || !reply || !would_be_chosen(core, callee))
        return false;

    take_receiver(endpoint, callee);
    callee->reply = NULL;
    push(reply, caller);
    hand_over_context(caller, callee);
    transfer(caller, callee, badge);
    run(core, callee);
    return true;
}

bool fastpath_call(void)
{
    struct core *core = this_core();
    struct tcb *caller = core->current;
    struct endpoint *endpoint;
    struct cap cap;
    bool is_done;

    if (!is_short(caller->context.rsi) || !is_available(core))
        return false;
    cap = find(caller, caller->context.rdi);
    if (cap.type != CAP_ENDPOINT || !(cap_rights(cap) & RIGHT_WRITE) ||
        !(cap_rights(cap) & (RIGHT_GRANT | RIGHT_GRANT_REPLY)))
        return false;
    endpoint = cap_object(cap);
    if (!endpoint_try_lock(endpoint))
        return false;
    is_done = call_through(core, caller, endpoint, cap_badge(cap));
    endpoint_unlock(endpoint);
    return is_done;
}

/* --- ReplyRecv ------------------------------------------------------------------------------- */

/* The caller that waits for this reply, if it can be answered here; no other core's fast path can.
 */
static inline struct tcb *answerable(const struct core *core, const struct reply *reply)
{
    struct tcb *caller = __atomic_load_n(&reply->tcb, __ATOMIC_RELAXED);

    if (!caller || caller->core != core->id || reply->sched_context != core->current_sc ||
        caller->sched_context || caller->fault.type != seL4_Fault_NullFault ||
        !would_be_chosen(core, caller))
        return NULL;
    return caller;
}

static inline void answer(struct core *core, struct tcb *server, struct endpoint *endpoint,
                          struct reply *reply, struct tcb *caller)
{
    reply_chain_pop(reply);
    caller->reply = NULL;
    hand_over_context(server, caller);
    transfer(server, caller, 0);
    server->state = THREAD_BLOCKED_ON_RECEIVE;
    reply->tcb = server;
    server->reply = reply;
    add_receiver(endpoint, server);
    run(core, caller);
}

bool fastpath_reply_recv(void)
{
    struct core *core = this_core();
    struct tcb *server = core->current, *caller;
    struct endpoint *endpoint;
    struct reply *reply;
    struct cap cap;
    bool is_done;

    if (!is_short(server->context.rsi) || !is_available(core))
        return false;
    cap = find(server, server->context.rdi);
    if (cap.type != CAP_ENDPOINT || !(cap_rights(cap) & RIGHT_READ))
        return false;
    if (server->notification && server->notification->state == NOTIFICATION_ACTIVE)
        return false;
    endpoint = cap_object(cap);
    cap = find(server, server->context.r12);
    if (cap.type != CAP_REPLY)
        return false;
    reply = cap_object(cap);
    caller = answerable(core, reply);
    if (!caller || !endpoint_try_lock(endpoint))
        return false;
    is_done = endpoint_state(endpoint) != ENDPOINT_SENDING;
    if (is_done)
        answer(core, server, endpoint, reply, caller);
    endpoint_unlock(endpoint);
    return is_done;
}

/* --- signals --------------------------------------------------------------------------------- */

/* The current thread's notification at an address, with that right; or NULL. */
static inline struct notification *find_notification(const struct core *core, unsigned right,
                                                     u64 *badge)
{
    const struct user_context *context = &core->current->context;
    struct cap cap = find(core->current, context->rdi);

    if (ipc_info_extra_caps(context->rsi) || cap.type != CAP_NOTIFICATION ||
        !(cap_rights(cap) & right))
        return NULL;
    *badge = cap_badge(cap);
    return cap_object(cap);
}

/* What happens to this thread stays on this core: it brings its time, and is in no other queue. */
static inline bool is_local(const struct core *core, const struct tcb *tcb)
{
    return tcb->core == core->id && tcb->sched_context && tcb->state != THREAD_BLOCKED_ON_RECEIVE;
}

/*
 * A notification with a bound thread is its core's: nobody else waits for it. Any other is locked.
 * False: it cannot be used here, and is not locked.
 */
static inline bool acquire(const struct core *core, struct notification *notification)
{
    if (notification->sched_context)
        return false;
    if (notification->bound)
        return is_local(core, notification->bound);
    return notification_try_lock(notification);
}

static inline void release(struct notification *notification)
{
    if (!notification->bound)
        notification_unlock(notification);
}

/* Who, if anybody, goes on by a signal. */
static inline const struct tcb *beneficiary(const struct notification *notification)
{
    const struct tcb *bound = notification->bound;

    if (notification->state == NOTIFICATION_WAITING)
        return notification->head;
    return bound && (thread_is_blocked(bound) || bound->state == THREAD_RUNNING_VM) ? bound : NULL;
}

bool fastpath_signal(void)
{
    struct core *core = this_core();
    struct notification *notification;
    const struct tcb *woken;
    bool is_done;
    u64 badge;

    if (!is_available(core))
        return false;
    notification = find_notification(core, RIGHT_WRITE, &badge);
    if (!notification || !acquire(core, notification))
        return false;
    woken = beneficiary(notification);
    is_done = !woken || is_local(core, woken);
    if (is_done && woken)
        time_update();
    if (is_done)
        notification_signal(notification, badge);
    release(notification);
    if (is_done && woken)
        sched_choose();
    return is_done;
}

bool fastpath_wait(bool blocking)
{
    struct core *core = this_core();
    struct notification *notification;
    struct tcb *thread = core->current;
    u64 badge;

    if (!is_available(core))
        return false;
    notification = find_notification(core, RIGHT_READ, &badge);
    if (!notification || (notification->bound && notification->bound != thread) ||
        !acquire(core, notification))
        return false;
    notification_receive(notification, thread, blocking);
    release(notification);
    if (thread->state != THREAD_RUNNING) {
        time_update();
        sched_choose();
    }
    return true;
}
