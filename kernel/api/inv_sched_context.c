/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods of scheduling contexts (ABI sections 5 and 10). */
#include "kernel/api/request.h"
#include "kernel/core/core.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/sched_context.h"
#include "kernel/sched/refill.h"
#include "kernel/sched/sched.h"

static struct sched_context *invoked(const struct request *request)
{
    return cap_object(request->cap);
}

enum status invoke_sched_context_bind(struct request *request)
{
    struct sched_context *sc = invoked(request);
    struct cap cap = request->extra[0]->cap;
    struct notification *notification;

    if (sc->tcb || sc->notification)
        return error_code(request, seL4_IllegalOperation);
    switch (cap.type) {
    case CAP_TCB:
        if (!sched_context_may_bind(sc, cap_tcb(cap)))
            return error_code(request, seL4_IllegalOperation);
        sched_context_bind_tcb(sc, cap_tcb(cap));
        return STATUS_OK;
    case CAP_NOTIFICATION:
        notification = cap_object(cap);
        if (notification->sched_context)
            return error_code(request, seL4_IllegalOperation);
        sched_context_bind_notification(sc, notification);
        return STATUS_OK;
    default:
        return error_capability(request, 1);
    }
}

enum status invoke_sched_context_unbind(struct request *request)
{
    if (invoked(request)->tcb == request->caller)
        return error_code(request, seL4_IllegalOperation);
    sched_context_unbind_all(invoked(request));
    return STATUS_OK;
}

enum status invoke_sched_context_unbind_object(struct request *request)
{
    struct sched_context *sc = invoked(request);
    struct cap cap = request->extra[0]->cap;

    switch (cap.type) {
    case CAP_TCB:
        if (sc->tcb != cap_object(cap) || sc->tcb == request->caller)
            return error_code(request, seL4_IllegalOperation);
        sched_context_unbind_tcb(sc);
        return STATUS_OK;
    case CAP_NOTIFICATION:
        if (sc->notification != cap_object(cap))
            return error_code(request, seL4_IllegalOperation);
        sched_context_unbind_notification(sc);
        return STATUS_OK;
    default:
        return error_capability(request, 1);
    }
}

enum status invoke_sched_context_consumed(struct request *request)
{
    reply_word(request, sched_context_take_consumed(invoked(request)));
    return STATUS_OK;
}

/* The target runs before the caller: it and then the caller are first of their priorities. */
static void yield_to(struct tcb *caller, struct sched_context *sc)
{
    caller->yield_to = sc;
    sc->yield_from = caller;
    ready_queue_remove(sc->tcb);
    ready_queue_prepend(caller);
    ready_queue_prepend(sc->tcb);
    reschedule_required();
}

enum status invoke_sched_context_yield_to(struct request *request)
{
    struct sched_context *sc = invoked(request);
    struct tcb *caller = request->caller, *target = sc->tcb;

    if (!target || target == caller || target->priority > caller->max_priority)
        return error_code(request, seL4_IllegalOperation);

    sched_context_complete_yield(sc->yield_from);
    sched_resume(target);
    if (!thread_runs_elsewhere(target) && thread_is_schedulable(target)) {
        refill_unblock(sc, this_core()->now);
        if (target->core == caller->core && target->priority >= caller->priority &&
            caller->sched_context) {
            yield_to(caller, sc);
            reply_word(request,
                       0); /* known when the caller runs again: sched_context_complete_yield */
            return STATUS_OK;
        }
        ready_queue_remove(target);
        ready_queue_prepend(target);
    }
    reply_word(request, sched_context_take_consumed(sc));
    return STATUS_OK;
}
