/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Endpoint, notification and reply: where threads meet. Sizes are the API's.
 *
 * Invariants
 *  I1  An endpoint's queue holds only senders or only receivers, as its state says; empty when
 *      idle. Order: by priority, first come first served within one (thread_queue.h).
 *  I2  A notification's queue is non-empty exactly when its state is WAITING; its badge counts
 *      only when ACTIVE.
 *  I3  reply->tcb->reply == reply whenever reply->tcb is set. The reply objects of one call chain
 *      form a stack under the scheduling context that travels along it: sc->reply is the newest;
 *      older ones follow by prev.
 * Locking: all cores' locks. Fast paths (kernel/api/fastpath.c) hold their own core's: an endpoint
 * is theirs with its lock bit; a notification if its bound thread is of their core; a reply object
 * if the thread it belongs to is.
 */
#ifndef KERNEL_OBJECT_IPC_OBJECTS_H
#define KERNEL_OBJECT_IPC_OBJECTS_H

#include "kernel/object/cap.h"
#include "kernel/object/thread_queue.h"

struct tcb;
struct sched_context;

enum endpoint_state { ENDPOINT_IDLE, ENDPOINT_SENDING, ENDPOINT_RECEIVING };

/*
 * The fast paths of two cores may come to one endpoint or unbound notification: each takes its
 * lock, or goes the general way, on which nobody else is in a fast path. Pairing: the acquire of
 * endpoint_try_lock with the release of endpoint_unlock, and the same for notifications.
 */
#define ENDPOINT_LOCKED 4ull
#define ENDPOINT_FLAGS  7ull /* what is not address */

struct endpoint {
    u64 head_state; /* address of the first thread, ENDPOINT_LOCKED, and enum endpoint_state in the
                     * low two bits */
    u64 tail;
};
_Static_assert(sizeof(struct endpoint) == 16, "published size");

enum notification_state { NOTIFICATION_IDLE, NOTIFICATION_WAITING, NOTIFICATION_ACTIVE };

struct notification {
    struct thread_queue queue;
    u64 badge;
    struct tcb *bound;
    struct sched_context *sched_context;
    enum notification_state state;
    u32 locked; /* by a fast path; only while no thread is bound */
    u64 spare2[2];
};
_Static_assert(sizeof(struct notification) == 64, "published size");

struct reply {
    struct tcb *tcb;                     /* waits for this reply, or receives with this object */
    struct reply *prev;                  /* older call of the chain */
    struct reply *next;                  /* newer call, or NULL */
    struct sched_context *sched_context; /* set in the newest of a chain: the donated context */
};
_Static_assert(sizeof(struct reply) == 32, "published size");

/* The last capability of the object has gone. False: threads still wait, and are to be drained. */
bool endpoint_finalise(const struct endpoint *endpoint);
bool notification_finalise(struct notification *notification);
void reply_finalise(struct reply *reply);

/*
 * Preemptible: restarts or fails the senders whose badge this is (CNode_CancelBadgedSends). caller
 * remembers how far the search has come, so that asking again goes on there.
 */
enum status endpoint_cancel_badged_sends(struct endpoint *endpoint, u64 badge,
                                         struct tcb *caller) MUST_CHECK;

/* What distinguishes Call, Send, NBSend and the first half of the combined system calls. */
struct send_kind {
    bool is_call;     /* the sender waits for an answer */
    bool is_blocking; /* Call and Send; not the non-blocking variants */
    bool can_donate;
    bool is_combined_send; /* the send phase of ReplyRecv, NBSendRecv, NBSendWait */
};

/*
 * Sends sender's message or fault, with the capability's badge and rights; receives for the current
 * thread with a reply object or NULL. A thread that must wait is queued, or, not blocking, goes on
 * without.
 */
void endpoint_send(struct cap cap, struct tcb *sender, struct send_kind kind);
void endpoint_receive(struct endpoint *endpoint, struct tcb *receiver, struct reply *reply,
                      bool blocking);
/* Takes the thread, which waits here, out of the queue. Its state is the caller's business. */
void endpoint_dequeue(struct endpoint *endpoint, struct tcb *tcb);
/* The thread begins to wait here to receive; there are no senders. */
void endpoint_enqueue_receiver(struct endpoint *endpoint, struct tcb *tcb);
/* Gives the thread, which waits here, a new priority and its place. */
void endpoint_requeue(struct endpoint *endpoint, struct tcb *tcb, u8 priority);

static inline enum endpoint_state endpoint_state(const struct endpoint *endpoint)
{
    return (enum endpoint_state)(endpoint->head_state & 3);
}

static inline struct tcb *endpoint_head(const struct endpoint *endpoint)
{
    return (struct tcb *)(uintptr_t)(endpoint->head_state & ~ENDPOINT_FLAGS);
}

static inline bool endpoint_try_lock(struct endpoint *endpoint)
{
    return !(__atomic_fetch_or(&endpoint->head_state, ENDPOINT_LOCKED, __ATOMIC_ACQUIRE) &
             ENDPOINT_LOCKED);
}

static inline void endpoint_unlock(struct endpoint *endpoint)
{
    __atomic_store_n(&endpoint->head_state, endpoint->head_state & ~ENDPOINT_LOCKED,
                     __ATOMIC_RELEASE);
}

/* tcb is about to run its guest. If it was signalled while another core could not tell it, it takes
 * the signal. */
void notification_take(struct tcb *tcb);
/* Waits for, or takes, the notification's badge. */
void notification_receive(struct notification *notification, struct tcb *receiver, bool blocking);
void notification_dequeue(struct notification *notification, struct tcb *tcb);
void notification_requeue(struct notification *notification, struct tcb *tcb, u8 priority);
void notification_bind(struct notification *notification, struct tcb *tcb);
void notification_unbind(struct notification *notification);
/* tcb, which is about to wait, gives a scheduling context lent so back. */
void notification_return_context(struct notification *notification, struct tcb *tcb);

/* tcb receives, and the next call to arrive shall be answered through reply. */
void reply_await(struct reply *reply, struct tcb *tcb);
/* Undoes reply_await, or the caller's wait; the thread becomes inactive. */
void reply_unlink(struct reply *reply);
/* caller waits for the answer of callee; its scheduling context goes along if may_donate. */
void reply_push(struct reply *reply, struct tcb *caller, struct tcb *callee, bool may_donate);
/* Takes the reply object out of its chain; a context donated along it returns to the caller, which
 * becomes inactive. */
void reply_take(struct reply *reply);
/* The caller stops waiting: the chain breaks here, and nothing is returned. */
void reply_cancel(struct reply *reply);
/* Answers whoever waits for reply with replier's message; does nothing if nobody does. */
void reply_send(struct reply *reply, struct tcb *replier, bool can_grant);

/* Signals: wakes a waiter or a bound thread (also one in its guest), or marks the notification
 * active. */
void notification_signal(struct notification *notification, u64 badge);

static inline bool notification_try_lock(struct notification *notification)
{
    return !__atomic_exchange_n(&notification->locked, 1, __ATOMIC_ACQUIRE);
}

static inline void notification_unlock(struct notification *notification)
{
    __atomic_store_n(&notification->locked, 0, __ATOMIC_RELEASE);
}

/* Takes the badge of an active notification. Returns false if it is not active. */
static inline bool notification_poll(struct notification *notification, u64 *badge)
{
    if (notification->state != NOTIFICATION_ACTIVE)
        return false;
    notification->state = NOTIFICATION_IDLE;
    *badge = notification->badge;
    return true;
}

#endif
