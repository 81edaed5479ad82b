/* SPDX-License-Identifier: BSD-2-Clause */
/* The choice of the running thread. */
#include "kernel/sched/sched.h"

#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/time.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/vcpu.h"
#include "kernel/sched/queues.h"
#include "kernel/sched/refill.h"
#include "kernel/x86/fpu.h"

/* Threads released in one pass; if more are due, the timer fires again at once. */
#define RELEASES_PER_PASS 32

/* --- threads --------------------------------------------------------------------------------- */

bool thread_is_runnable(const struct tcb *tcb)
{
    return tcb->state == THREAD_RUNNING || tcb->state == THREAD_RESTART ||
           tcb->state == THREAD_RUNNING_VM;
}

bool thread_is_queueable(const struct tcb *tcb)
{
    return thread_is_runnable(tcb) && tcb->sched_context && !tcb->in_release_queue &&
           sched_context_is_active(tcb->sched_context);
}

bool thread_is_schedulable(const struct tcb *tcb)
{
    return thread_is_queueable(tcb) && sched_context_is_released(tcb->sched_context);
}

void sched_forget(struct tcb *tcb)
{
    struct core *core = &cores[tcb->core];

    ready_queue_remove(tcb);
    release_queue_remove(tcb);
    if (core->next == tcb) {
        core->next = NULL;
        core->choose_new = true;
    }
}

void thread_set_state(struct tcb *tcb, enum thread_state state)
{
    kernel_assert(!thread_runs_elsewhere(tcb));
    tcb->state = state;
    if (!thread_is_runnable(tcb))
        sched_forget(tcb);
}

void thread_set_priority(struct tcb *tcb, u8 priority)
{
    struct core *core = &cores[tcb->core];
    bool was_ready;

    switch (tcb->state) {
    case THREAD_BLOCKED_ON_SEND:
    case THREAD_BLOCKED_ON_RECEIVE:
        endpoint_requeue(tcb->blocked_on, tcb, priority);
        break;
    case THREAD_BLOCKED_ON_NOTIFICATION:
        notification_requeue((struct notification *)tcb->blocked_on, tcb, priority);
        break;
    default:
        was_ready = tcb->in_ready_queue;
        ready_queue_remove(tcb);
        tcb->priority = priority;
        if (was_ready)
            ready_queue_append(tcb);
        core->choose_new |= was_ready || tcb == core->current || tcb == core->next;
    }
}

void thread_set_core(struct tcb *tcb, unsigned core)
{
    struct core *old = &cores[tcb->core];

    if (tcb->core == core)
        return;
    sched_stop_remote(tcb);
    sched_forget(tcb);
    sched_context_complete_yield(tcb); /* both ends of a YieldTo are on one core */
    fpu_release_thread(tcb);
    if (tcb->vcpu)
        vcpu_leave_core(tcb->vcpu);
    tcb->core = (u16)core;
    if (tcb->vcpu)
        vcpu_enter_core(tcb->vcpu);
    if (old->current == tcb)
        old->choose_new = true;
}

/* --- requests for another choice ------------------------------------------------------------- */

void reschedule_required(void)
{
    struct core *core = this_core();

    if (core->next && thread_is_queueable(core->next))
        ready_queue_append(core->next);
    core->next = NULL;
    core->choose_new = true;
}

void sched_postpone(struct tcb *tcb)
{
    sched_forget(tcb);
    release_queue_insert(tcb);
    cores[tcb->core].reprogram = true;
}

/* The context whose time is being used is left alone: its budget ends where that is checked. */
void sched_resume(struct tcb *tcb)
{
    if (!thread_runs_elsewhere(tcb) && thread_is_queueable(tcb) &&
        tcb->sched_context != this_core()->current_sc &&
        !sched_context_is_released(tcb->sched_context))
        sched_postpone(tcb);
}

void possible_switch_to(struct tcb *tcb)
{
    struct core *core = this_core();

    sched_resume(tcb);
    if (!thread_is_queueable(tcb) || tcb->in_ready_queue)
        return;
    if (thread_runs_elsewhere(tcb)) {
        cores[tcb->core].choose_new = true;
    } else if (tcb->core != core->id) {
        ready_queue_append(tcb);
        cores[tcb->core].choose_new = true;
    } else if (tcb == core->next || tcb == core->current) {
        core->choose_new = true;
    } else if (core->next || core->choose_new) {
        reschedule_required();
        ready_queue_append(tcb);
    } else {
        core->next = tcb;
    }
}

/* --- schedule -------------------------------------------------------------------------------- */

static void release_due(struct core *core)
{
    for (unsigned i = 0; i < RELEASES_PER_PASS; i++) {
        struct tcb *tcb = core->release_head;

        if (!tcb || !refill_is_ready(tcb->sched_context, core->now))
            return;
        release_queue_remove(tcb);
        possible_switch_to(tcb);
    }
}

/* next may run at once: nobody who could run instead, not even current, has its priority. */
static bool next_is_best(const struct core *core, bool current_stays)
{
    if (core->choose_new || !core->next || !thread_is_queueable(core->next))
        return false;
    return core->next->priority >= ready_highest_priority(core) &&
           (!current_stays || core->next->priority > core->current->priority);
}

/* Takes the first thread that has time from the ready queues; those without wait for it. */
static struct tcb *take_first_ready(struct core *core)
{
    struct tcb *tcb;

    while ((tcb = ready_first(core))) {
        ready_queue_remove(tcb);
        if (sched_context_is_released(tcb->sched_context))
            return tcb;
        sched_postpone(tcb);
    }
    return core->idle;
}

/* The thread that runs could go on doing so, here. */
static bool current_could_stay(const struct core *core)
{
    return core->current->core == core->id && thread_is_queueable(core->current);
}

static struct tcb *choose(struct core *core)
{
    bool current_stays = current_could_stay(core);
    struct tcb *next = core->next;

    if (next_is_best(core, current_stays) && sched_context_is_released(next->sched_context)) {
        if (current_stays)
            ready_queue_prepend(core->current);
        ready_queue_remove(next);
        return next;
    }
    if (next && thread_is_queueable(next))
        ready_queue_append(next);
    if (current_stays)
        ready_queue_prepend(core->current);
    return take_first_ready(core);
}

static void switch_to(struct core *core, struct tcb *tcb)
{
    core->current = tcb;
    if (tcb == core->idle)
        arch_switch_to_idle(tcb);
    else
        arch_switch_to_thread(tcb);
}

/* From here on, time is current's own context's. */
static void switch_context(struct core *core)
{
    struct sched_context *sc = core->current->sched_context;

    if (sc == core->current_sc)
        return;
    budget_charge();
    core->current_sc = sc;
    core->reprogram = true;
    if (sc && !sc->sporadic)
        refill_unblock(sc, core->now);
}

static void program_timer(struct core *core)
{
    ticks_t deadline = vcpu_next_deadline();

    if (core->current_sc) {
        ticks_t left = refill_head(core->current_sc)->amount;
        ticks_t end = core->now + (left > core->consumed ? left - core->consumed : 0);

        if (end < deadline)
            deadline = end;
    }
    if (core->release_head && release_time(core->release_head) < deadline)
        deadline = release_time(core->release_head);
    core->timer_deadline = deadline;
    timer_set(deadline);
    core->reprogram = false;
}

static bool current_goes_on(const struct core *core)
{
    return !core->choose_new && !core->next &&
           (core->current == core->idle || current_could_stay(core));
}

void schedule(void)
{
    struct core *core = this_core();

    release_due(core);
    if (!current_goes_on(core)) {
        struct tcb *chosen = choose(core);

        core->next = NULL;
        core->choose_new = false;
        switch_to(core, chosen);
    }
    switch_context(core);
    if (core->reprogram)
        program_timer(core);
}

/* A system call is repeated from its instruction; anything else goes on where it stopped. */
static void resume_at_fault_ip(struct tcb *tcb)
{
    tcb_set_ip(tcb, tcb_fault_ip(tcb));
    tcb->state = THREAD_RUNNING;
}

void activate_current(void)
{
    struct tcb *current = this_core()->current;

    if (current->yield_to)
        sched_context_complete_yield(current);
    if (current->state == THREAD_RESTART)
        resume_at_fault_ip(current);
    if (current->state == THREAD_RUNNING_VM)
        notification_take(current);
    kernel_assert(current->state == THREAD_RUNNING || current->state == THREAD_RUNNING_VM ||
                  current->state == THREAD_IDLE);
}

void sched_choose(void)
{
    schedule();
    activate_current();
}

void sched_start_core(void)
{
    struct core *core = this_core();

    core->now = time_now();
    core->consumed = 0;
    core->current = core->idle;
    core->current_sc = NULL;
    program_timer(core);
}

void sched_start(struct tcb *initial)
{
    lock_all_cores();
    sched_start_core();
    possible_switch_to(initial);
    sched_choose();
}
