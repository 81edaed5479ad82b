/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who runs: ready queues by priority, release queue by time, budgets.
 *
 * Invariants
 *  I1  current is in no ready queue while it runs.
 *  I2  A ready queue's bit in ready_words is set exactly when it is non-empty; the same for
 *      ready_top.
 *  I3  The release queue (a heap, release.c) gives the thread with the earliest head refill first.
 * Locking: the lock of the core concerned; threads of other cores need all cores' locks.
 */
#ifndef KERNEL_SCHED_SCHED_H
#define KERNEL_SCHED_SCHED_H

#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"

/* The thread could run: it is not blocked or inactive (it may lack a budget). */
bool thread_is_runnable(const struct tcb *tcb);
/* Runnable, with a configured scheduling context, and not waiting for a refill. Whether its head
 * refill may be used now is looked at when it is about to run. */
bool thread_is_queueable(const struct tcb *tcb);
/* Queueable, and its context could give time now. */
bool thread_is_schedulable(const struct tcb *tcb);
/* It is what another core runs at the moment. */
bool thread_runs_elsewhere(const struct tcb *tcb);

/* Sets the state; a runnable thread that stops being so leaves the queues, and a new choice is
 * made. */
void thread_set_state(struct tcb *tcb, enum thread_state state);
void thread_set_priority(struct tcb *tcb, u8 priority);
/* Nothing of the thread, or of its guest, stays in the old core's processor. Not queued anywhere.
 */
void thread_set_core(struct tcb *tcb, unsigned core);

void ready_queue_append(struct tcb *tcb);  /* end of its priority: its turn is over */
void ready_queue_prepend(struct tcb *tcb); /* front: it was preempted */
void ready_queue_remove(struct tcb *tcb);  /* no-op if not in one */
void release_queue_insert(struct tcb *tcb);
void release_queue_remove(struct tcb *tcb);

/* tcb has become runnable: run it now if it is schedulable and of higher priority, else queue it.
 */
void possible_switch_to(struct tcb *tcb);
/* The same for one that has waited, perhaps for long. */
static inline void thread_wake(struct tcb *tcb)
{
    if (tcb->sched_context)
        sched_context_wake(tcb->sched_context);
    possible_switch_to(tcb);
}
/* The choice of the running thread must be made again before the kernel is left. */
void reschedule_required(void);

/* At entry: reads the time and adds to what current has consumed. */
void time_update(void);
/*
 * Charges the time and says whether current's budget still allows the kernel's worst case; if not,
 * the thread waits for its refill or faults (timeout), and the system call is repeated later.
 */
bool budget_check(void);
/* budget_check would call a timeout handler: it needs all cores' locks. */
bool budget_end_is_told(void);
/* As above for the restart of a system call: sets current to THREAD_RESTART when there is no
 * budget. */
bool budget_check_restart(void);
/* Charges consumed time to current_sc and starts counting anew. */
void budget_charge(void);
/* Yield: gives up what is left of the head refill. */
void budget_yield(void);

/* Before the kernel is left: makes the choice, wakes what is due, sets the timer. After it,
 * this_core()->current is what runs. */
void schedule(void);
/* After schedule(): applies THREAD_RESTART (rip back to the SYSCALL), the pending YieldTo result,
 * and a signal that waits for a thread which would run its guest. */
void activate_current(void);
/* Both: what every way out of the kernel ends with that may have changed who runs. */
void sched_choose(void);

/* tcb's context changed hands or is about to go: it is no candidate for the next switch any more.
 */
void sched_forget(struct tcb *tcb);
/* tcb is runnable and has an active context that gives no time now: it waits for the refill. */
void sched_postpone(struct tcb *tcb);
/* tcb has a context that may give time: if it could run, it is queued, or waits for the refill. One
 * that another core runs is that core's to postpone. */
void sched_resume(struct tcb *tcb);

/* If another core runs the thread, has it stop, everything of the thread in memory; if it could go
 * on, it is queued. All cores' locks. */
void sched_stop_remote(struct tcb *tcb);
/* What has been used of the context, if some core is using it, is charged to it. All cores' locks.
 */
void sched_charge(struct sched_context *sc);

/* Boot, each core: its time begins, with nothing to run. */
void sched_start_core(void);
/* Boot: the first thread of all; this core leaves the kernel with it. */
void sched_start(struct tcb *initial);

/* Platform hooks, called when the running thread changes (kernel/x86/switch.c; host tests fake
 * them). */
void arch_switch_to_thread(struct tcb *tcb);
void arch_switch_to_idle(struct tcb *idle);

#endif
