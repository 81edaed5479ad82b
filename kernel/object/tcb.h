/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread control block: a thread's registers, its capabilities to what it runs in, and its
 * place in scheduling and IPC.
 *
 * Objects    2048 bytes, from an untyped. Dies when its last capability goes.
 * Invariants
 *  I1  in_ready_queue: in exactly one ready queue, of its core and priority; runnable; has an
 *      active SC.
 *  I2  in_release_queue: its SC waits for a refill in its core's release queue; not
 *      in_ready_queue.
 *  I3  queue_next/queue_prev link it in the endpoint's or notification's queue exactly while its
 *      state is BLOCKED_ON_SEND, BLOCKED_ON_RECEIVE or BLOCKED_ON_NOTIFICATION; else they are NULL.
 *  I4  sched_context->tcb == this whenever sched_context is set; the same for notification and
 *      vcpu.
 *  I5  Only the processor of its core ever holds registers, FPU state or translations of the
 *      thread.
 *  I6  in_guest: it was suspended while its guest ran, and has that VCPU still. It is INACTIVE, and
 *      its guest goes on when it is resumed, unless it is given another instruction pointer.
 * Locking: all cores' locks, or the lock of the thread's core for what a fast path names.
 */
#ifndef KERNEL_OBJECT_TCB_H
#define KERNEL_OBJECT_TCB_H

#include "kernel/object/cap.h"
#include "kernel/object/cnode.h"
#include "kernel/object/known.h"
#include "kernel/x86/context.h"

struct endpoint;
struct notification;
struct reply;
struct sched_context;
struct vcpu;

enum thread_state {
    THREAD_INACTIVE,
    THREAD_RUNNING,
    THREAD_RESTART, /* resumes by repeating the system call at rip - 2, or at rip if not in one */
    THREAD_BLOCKED_ON_RECEIVE,
    THREAD_BLOCKED_ON_SEND,
    THREAD_BLOCKED_ON_REPLY,
    THREAD_BLOCKED_ON_NOTIFICATION,
    THREAD_RUNNING_VM, /* runs its VCPU's guest */
    THREAD_HALTED_VM,  /* its guest sleeps in HLT until the VCPU timer or the bound notification */
    THREAD_IDLE,
};

/* Capability slots of the thread itself, at the start of the object. */
enum tcb_slot {
    TCB_CSPACE,
    TCB_VSPACE,
    TCB_IPC_BUFFER,
    TCB_FAULT_HANDLER,
    TCB_TIMEOUT_HANDLER,
    TCB_EPT_ROOT,
    TCB_SLOT_COUNT,
};

/* In the release queue's heap (kernel/sched/release.c). */
struct heap_place {
    struct tcb *parent, *child[2];
};

/* A fault that waits to be sent or answered. type is seL4_Fault_*. */
struct fault {
    u64 type;
    u64 word[4];                  /* by type, in the order of the API's message where it fits */
    struct lookup_failure lookup; /* of a capability fault */
};

struct tcb {
    struct slot slots[TCB_SLOT_COUNT];
    struct user_context context;

    /* The call stack: the reply object that answers this thread's call, or that it waits with. */
    struct reply *reply;
    struct sched_context *sched_context;
    struct notification *notification; /* bound */
    struct vcpu *vcpu;

    enum thread_state state;
    u8 priority;
    u8 max_priority; /* maximum controlled priority */
    bool in_ready_queue;
    bool in_release_queue;
    bool fpu_disabled;
    bool in_guest; /* I6 */
    u16 core;

    /* While BLOCKED_ON_SEND or BLOCKED_ON_RECEIVE. */
    struct endpoint *blocked_on; /* also the notification, while BLOCKED_ON_NOTIFICATION */
    u64 send_badge;
    u8 send_rights; /* of the capability that it sends by */
    bool send_is_call;

    struct tcb *queue_next, *queue_prev; /* endpoint or notification queue */
    struct tcb *run_next,
        *run_last;             /* of the first of its priority in the queue (thread_queue.h) */
    struct tcb *cancel_cursor; /* where this thread's CancelBadgedSends goes on */
    struct tcb *cancel_owner;  /* whose cancel_cursor points here */
    u64 cancel_epoch;          /* requeues seen when the search began (endpoint.c) */
    struct tcb *sched_next, *sched_prev; /* ready queue */
    struct heap_place heap;              /* release queue */

    /* The thread whose SchedContext_YieldTo this one waits for is in yield_to. */
    struct sched_context *yield_to;

    u64 ipc_buffer; /* user virtual address; 0 means none */
    struct fault fault;

    struct known known;

    char name[64]; /* debug: DebugNameThread */

    _Alignas(64) u8 fpu_area[FPU_AREA_BYTES];
};
_Static_assert(sizeof(struct tcb) <= 2048, "TCB size is published (ABI section 4)");

/* Sets up a thread in zeroed memory: inactive, standard initial registers and FPU state. */
void tcb_create(struct tcb *tcb);
/* The last capability has gone: suspends and unbinds everything but the slots, which a zombie
 * empties. */
void tcb_finalise(struct tcb *tcb);

/* Cancels whatever the thread waits for; it becomes inactive. */
void tcb_suspend(struct tcb *tcb);
/* The VMEnter that it was stopped in, or still is in, has no result: the thread is in user code. */
void tcb_leave_guest(struct tcb *tcb);
/* Ends a wait in an endpoint, notification or reply queue; the thread becomes inactive, queues
 * consistent. */
void tcb_cancel_ipc(struct tcb *tcb);
/* Makes an inactive or blocked thread repeat or go on; does nothing if it is runnable. */
void tcb_restart(struct tcb *tcb);

/* The thread waits for somebody else. */
static inline bool thread_is_blocked(const struct tcb *tcb)
{
    return (tcb->state >= THREAD_BLOCKED_ON_RECEIVE &&
            tcb->state <= THREAD_BLOCKED_ON_NOTIFICATION) ||
           tcb->state == THREAD_HALTED_VM;
}

/* It will not go on by itself. */
static inline bool thread_is_stopped(const struct tcb *tcb)
{
    return tcb->state == THREAD_INACTIVE || thread_is_blocked(tcb);
}

/* Where the thread is for others: at the system call that it has not finished, else the next
 * instruction. */
static inline u64 tcb_fault_ip(const struct tcb *tcb)
{
    const struct user_context *c = &tcb->context;

    return c->by_syscall ? c->rip - CONTEXT_SYSCALL_LENGTH : c->rip;
}

/* The thread goes on there; it has no system call to finish. */
static inline void tcb_set_ip(struct tcb *tcb, u64 rip)
{
    tcb->context.rip = rip;
    tcb->context.by_syscall = 0;
}

static inline bool tcb_has_timeout_handler(const struct tcb *tcb)
{
    return tcb->slots[TCB_TIMEOUT_HANDLER].cap.type == CAP_ENDPOINT;
}

/* The FS and GS bases of a running thread are in the CPU: brings them to its context, to be loaded
 * again before it goes on. */
void tcb_settle_registers(struct tcb *tcb);

/* The thread's IPC buffer in the physical window if it has one with the rights asked for, or NULL.
 * A device frame is never installed (TCB_SetIPCBuffer); by its alignment the buffer lies in one
 * frame. */
static inline u64 *tcb_buffer(const struct tcb *tcb, unsigned rights)
{
    struct cap frame = tcb->slots[TCB_IPC_BUFFER].cap;

    if (frame.type != CAP_FRAME || (frame_rights(frame) & rights) != rights)
        return NULL;
    return (u64 *)((u8 *)cap_object(frame) + (tcb->ipc_buffer & MASK(frame_size_bits(frame))));
}

static inline u64 *tcb_buffer_for_send(const struct tcb *tcb)
{
    return tcb_buffer(tcb, RIGHT_READ);
}

static inline u64 *tcb_buffer_for_receive(const struct tcb *tcb)
{
    return tcb_buffer(tcb, RIGHT_READ | RIGHT_WRITE);
}

static inline bool tcb_is_known(const struct tcb *tcb)
{
    return tcb->known.epoch == known_epoch.now;
}

/* Learns it if need be. */
static inline const struct known *tcb_known(struct tcb *tcb)
{
    if (__builtin_expect(!tcb_is_known(tcb), false))
        known_learn(tcb);
    return &tcb->known;
}

static inline struct tcb *cap_tcb(struct cap cap)
{
    return cap_object(cap);
}

#endif
