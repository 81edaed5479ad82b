/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a system call begins, and the short ways for what matters most: VMEnter; a Call of a
 * passive server that waits, and its ReplyRecv, which hand the caller's scheduling context over, so
 * that budgets, timer and ready queues stay as they are; and signalling, polling and waiting for
 * notifications within this core.
 *
 * Everything else is left to the general path, which gives the same results (tests/unit/kernel
 * compares the two). A short way finds out that it is not the one before it has changed anything.
 * Locking: this core's lock. All threads concerned are this core's; an endpoint or notification,
 * whose queue may hold others, is locked for the time (ipc_objects.h has what keeps two cores
 * apart).
 * Registers: the entry stub, which alone calls in here, keeps nothing in any: the build
 * tells the compiler that none has to be preserved.
 */
#include "kernel/api/syscall.h"

#include "abi/faults.h"
#include "abi/syscalls.h"
#include "kernel/api/ipc.h"
#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/reply_chain.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/vcpu.h"
#include "kernel/sched/sched.h"
#include "kernel/x86/entry.h"

/* --- conditions ------------------------------------------------------------------------------ */

#define INFO_LENGTH_AND_CAPS MASK(9) /* ipc_info() */
#define INFO_UNWRAPPED       (MASK(3) << 9)

/* No capabilities, and all words in registers. */
static inline bool is_short(u64 info)
{
    return (info & INFO_LENGTH_AND_CAPS) <= seL4_FastMessageRegisters;
}

/* False: nothing is known to have this address in the CSpace. */
static inline bool find(const struct tcb *tcb, u64 address, const struct cap **cap)
{
    u64 index = address - tcb->known.first;

    if (index >= tcb->known.count)
        return false;
    *cap = &tcb->known.slots[index].cap;
    return true;
}

/* Current stops running: this thread is the one that the scheduler would choose then. */
static inline bool would_be_chosen(const struct core *core, const struct tcb *tcb)
{
    return tcb->core == core->id && tcb->priority >= core->ready_floor;
}

/* Current runs on a context that it may hand over. (The idle thread has none, and no capability
 * either: nothing is found for it.) */
static inline bool has_own_context(const struct core *core, const struct tcb *current)
{
    return current->sched_context == core->current_sc;
}

/* --- changes --------------------------------------------------------------------------------- */

static inline void hand_over_context(struct sched_context *sc, struct tcb *from, struct tcb *to)
{
    from->sched_context = NULL;
    to->sched_context = sc;
    sc->tcb = to;
}

/* A short message. */
static inline void transfer(const struct tcb *from, struct tcb *to, u64 info, u64 badge)
{
    const struct user_context *source = &from->context;
    struct user_context *target = &to->context;
    unsigned length = (unsigned)info & 7;

    target->rdi = badge;
    target->rsi = info & ~INFO_UNWRAPPED;
    if (length == 0)
        return;
    target->r10 = source->r10;
    if (length == 1)
        return;
    target->r8 = source->r8;
    if (length == 2)
        return;
    target->r9 = source->r9;
    if (length > 3)
        target->r15 = source->r15;
}

static inline void run(struct core *core, struct tcb *tcb)
{
    tcb->state = THREAD_RUNNING;
    core->current = tcb;
    kernel_switch_and_resume(tcb, core);
}

static __attribute__((noinline, cold)) void leave_queue_and_run(struct endpoint *endpoint,
                                                                struct core *core, struct tcb *tcb)
{
    endpoint_dequeue(endpoint, tcb);
    endpoint_unlock(endpoint);
    run(core, tcb);
}

/* The locked endpoint's first receiver leaves its queue, in which mostly is no other, and runs. */
static inline void take_and_run(struct endpoint *endpoint, struct core *core, struct tcb *tcb)
{
    if (tcb->queue_next) {
        leave_queue_and_run(endpoint, core, tcb);
        return;
    }
    tcb->blocked_on = NULL;
    endpoint->tail = 0;
    __atomic_store_n(&endpoint->head_state, ENDPOINT_IDLE, __ATOMIC_RELEASE);
    run(core, tcb);
}

static __attribute__((noinline, cold)) void join_queue_and_run(struct endpoint *endpoint,
                                                               struct tcb *receiver,
                                                               struct core *core, struct tcb *next)
{
    endpoint_enqueue_receiver(endpoint, receiver);
    endpoint_unlock(endpoint);
    run(core, next);
}

/* Nobody waits at the locked endpoint. */
static inline bool is_unused(const struct endpoint *endpoint)
{
    return endpoint->head_state == (ENDPOINT_LOCKED | ENDPOINT_IDLE);
}

/* Nobody sends through the locked endpoint, and mostly nobody else waits there. */
static inline void add_and_run(struct endpoint *endpoint, struct tcb *receiver, struct core *core,
                               struct tcb *next)
{
    if (!is_unused(endpoint)) {
        join_queue_and_run(endpoint, receiver, core, next);
        return;
    }
    receiver->run_next = NULL; /* the other links are NULL (tcb.h, I3) */
    receiver->run_last = receiver;
    receiver->blocked_on = endpoint;
    endpoint->tail = (u64)(uintptr_t)receiver;
    __atomic_store_n(&endpoint->head_state, (u64)(uintptr_t)receiver | ENDPOINT_RECEIVING,
                     __ATOMIC_RELEASE);
    run(core, next);
}

/* --- Call ------------------------------------------------------------------------------------ */

/* A call would run this receiver, which may be of any core, now. */
static inline bool is_callable(const struct core *core, const struct tcb *callee)
{
    return !callee->sched_context && callee->reply && would_be_chosen(core, callee);
}

/* caller waits for reply, the newest of its context's chain. */
static inline void push(struct reply *reply, struct sched_context *sc, struct tcb *caller)
{
    reply_chain_push(reply, sc);
    reply->tcb = caller;
    caller->reply = reply;
    caller->state = THREAD_BLOCKED_ON_REPLY;
}

static inline bool may_call(u64 word)
{
    return (word & CAP_WORD(CAP_TYPE_MASK, RIGHT_WRITE)) == CAP_WORD(CAP_ENDPOINT, RIGHT_WRITE) &&
           (word & (RIGHT_GRANT | RIGHT_GRANT_REPLY));
}

/* False: there is nobody to call, and the endpoint is not locked. */
static inline bool lock_to_call(const struct core *core, struct endpoint *endpoint,
                                struct tcb **callee)
{
    u64 address;

    if (!endpoint_try_lock(endpoint))
        return false;
    address = endpoint->head_state - (ENDPOINT_LOCKED | ENDPOINT_RECEIVING);
    *callee = (struct tcb *)(uintptr_t)address;
    if ((address & ENDPOINT_FLAGS) == 0 && is_callable(core, *callee))
        return true;
    endpoint_unlock(endpoint);
    return false;
}

/* False: not done. */
static inline bool try_call(struct core *core, struct tcb *caller)
{
    struct tcb *callee;
    struct sched_context *sc = core->current_sc;
    u64 info = caller->context.rsi, word;
    struct endpoint *endpoint;
    const struct cap *cap;

    if (!is_short(info) || !has_own_context(core, caller) ||
        !find(caller, caller->context.rdi, &cap))
        return false;
    word = cap_word(cap, 0);
    endpoint = cap_word_object(word);
    if (!may_call(word) || !lock_to_call(core, endpoint, &callee))
        return false;

    push(callee->reply, sc, caller);
    callee->reply = NULL;
    hand_over_context(sc, caller, callee);
    transfer(caller, callee, info, cap_badge(*cap));
    take_and_run(endpoint, core, callee);
    return true;
}

/* --- ReplyRecv ------------------------------------------------------------------------------- */

/* Whether the caller that waits for this reply can be answered here; no other core's fast path
 * can. */
static inline bool is_answerable(const struct core *core, const struct sched_context *sc,
                                 const struct reply *reply, const struct tcb *caller)
{
    return caller && caller->core == core->id && reply->sched_context == sc &&
           !caller->sched_context && caller->fault.type == seL4_Fault_NullFault &&
           would_be_chosen(core, caller);
}

/* server waits, and the next call is to be answered through reply. */
static inline void await(struct tcb *server, struct reply *reply)
{
    reply->tcb = server;
    server->reply = reply;
    server->state = THREAD_BLOCKED_ON_RECEIVE;
}

static inline bool may_receive(u64 word)
{
    return (word & CAP_WORD(CAP_TYPE_MASK, RIGHT_READ)) == CAP_WORD(CAP_ENDPOINT, RIGHT_READ);
}

static inline bool is_reply(u64 word)
{
    return (word & CAP_WORD(CAP_TYPE_MASK, 0)) == CAP_WORD(CAP_REPLY, 0);
}

static inline bool is_signalled(const struct tcb *tcb)
{
    return tcb->notification && tcb->notification->state == NOTIFICATION_ACTIVE;
}

/* False: it is another's, or there are senders. */
static inline bool lock_to_receive(struct endpoint *endpoint)
{
    if (!endpoint_try_lock(endpoint))
        return false;
    if (is_unused(endpoint) || endpoint_state(endpoint) != ENDPOINT_SENDING)
        return true;
    endpoint_unlock(endpoint);
    return false;
}

/* Word 0 of both capabilities that a ReplyRecv names. */
static inline bool find_both(const struct tcb *server, u64 *endpoint, u64 *reply)
{
    const struct cap *first, *second;

    if (!find(server, server->context.rdi, &first) || !find(server, server->context.r12, &second))
        return false;
    *endpoint = cap_word(first, 0);
    *reply = cap_word(second, 0);
    return may_receive(*endpoint) && is_reply(*reply);
}

static inline bool try_reply_recv(struct core *core, struct tcb *server)
{
    struct tcb *caller;
    struct sched_context *sc = core->current_sc;
    u64 info = server->context.rsi, endpoint_word, reply_word;
    struct endpoint *endpoint;
    struct reply *reply;

    if (!is_short(info) || !has_own_context(core, server) ||
        !find_both(server, &endpoint_word, &reply_word) || is_signalled(server))
        return false;
    endpoint = cap_word_object(endpoint_word);
    reply = cap_word_object(reply_word);
    caller = __atomic_load_n(&reply->tcb, __ATOMIC_RELAXED);
    if (!is_answerable(core, sc, reply, caller) || !lock_to_receive(endpoint))
        return false;

    reply_chain_pop(reply, sc);
    caller->reply = NULL;
    hand_over_context(sc, server, caller);
    transfer(server, caller, info, 0);
    await(server, reply);
    add_and_run(endpoint, server, core, caller);
    return true;
}

/* --- signals --------------------------------------------------------------------------------- */

/* The current thread's notification at an address, with that right; or NULL. */
static inline struct notification *find_notification(const struct core *core, unsigned right,
                                                     u64 *badge)
{
    const struct user_context *context = &core->current->context;
    const struct cap *cap;

    if (!find(core->current, context->rdi, &cap) || ipc_info_extra_caps(context->rsi) ||
        cap->type != CAP_NOTIFICATION || !(cap_rights(*cap) & right))
        return NULL;
    *badge = cap_badge(*cap);
    return cap_object(*cap);
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
        return notification->queue.head;
    return bound && (thread_is_blocked(bound) || bound->state == THREAD_RUNNING_VM) ? bound : NULL;
}

/* False: not done. Chooses who runs next. */
static bool try_signal(struct core *core)
{
    struct notification *notification;
    const struct tcb *woken;
    bool is_done;
    u64 badge;

    if (!has_own_context(core, core->current))
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

static bool try_wait(struct core *core, bool blocking)
{
    struct notification *notification;
    struct tcb *thread = core->current;
    u64 badge;

    if (!has_own_context(core, core->current))
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

/* --- entry ----------------------------------------------------------------------------------- */

static __attribute__((noinline, cold)) void learn_and_go_on(struct tcb *tcb, s64 number)
{
    known_learn(tcb);
    handle_syscall(tcb, this_core(), number);
}

static inline void call(struct core *core, struct tcb *current)
{
    if (!tcb_is_known(current))
        learn_and_go_on(current, seL4_SysCall);
    else if (!try_call(core, current))
        handle_syscall_general(seL4_SysCall);
}

static inline void reply_recv(struct core *core, struct tcb *current)
{
    if (!tcb_is_known(current))
        learn_and_go_on(current, seL4_SysReplyRecv);
    else if (!try_reply_recv(core, current))
        handle_syscall_general(seL4_SysReplyRecv);
}

/* Of the others those that may have a short way. */
static bool try_other(struct core *core, s64 number)
{
    switch (number) {
    case seL4_SysSend:
    case seL4_SysNBSend:
        return try_signal(core);
    case seL4_SysWait:
    case seL4_SysNBWait:
        return try_wait(core, number == seL4_SysWait);
    default:
        return false;
    }
}

static __attribute__((noinline)) void other(struct core *core, s64 number)
{
    if (!tcb_is_known(core->current))
        learn_and_go_on(core->current, number);
    else if (!try_other(core, number))
        handle_syscall_general(number);
}

static __attribute__((noinline)) void enter_guest(void)
{
    if (!vcpu_enter())
        handle_syscall_general(seL4_SysVMEnter);
}

void handle_syscall(struct tcb *current, struct core *core, s64 number)
{
    if (number == seL4_SysCall)
        call(core, current);
    else if (number == seL4_SysReplyRecv)
        reply_recv(core, current);
    else if (number == seL4_SysVMEnter)
        enter_guest();
    else
        other(core, number);
}
