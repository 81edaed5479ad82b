/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/kernel/object_stubs.h"

#include "kernel/core/preempt.h"
#include "kernel/object/io_port.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/irq.h"
#include "kernel/object/object.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/object/vcpu.h"
#include "kernel/sched/refill.h"
#include "kernel/vspace/map.h"
#include "kernel/x86/virt/virt.h"

struct object_stubs stubs;

const struct virt_backend *virt;
bool virt_has_virtual_apic;
enum nested_format nested_format;
bool nested_has_1g;

static void finalised(void *object)
{
    stubs.finalised++;
    stubs.last_finalised = object;
}

enum status preemption_point(void)
{
    return ++stubs.points == stubs.preempt_at ? STATUS_PREEMPTED : STATUS_OK;
}

void tcb_create(struct tcb *tcb)
{
    stubs.created++;
    tcb->context.rflags = 0x202;
}

void tcb_finalise(struct tcb *tcb)
{
    finalised(tcb);
}
bool endpoint_finalise(const struct endpoint *endpoint)
{
    if (endpoint_state(endpoint) != ENDPOINT_IDLE)
        return false;
    finalised((void *)(uintptr_t)endpoint);
    return true;
}
bool notification_finalise(struct notification *notification)
{
    finalised(notification);
    return notification->state != NOTIFICATION_WAITING;
}
void reply_finalise(struct reply *reply)
{
    finalised(reply);
}
void sched_context_finalise(struct sched_context *sc)
{
    finalised(sc);
}
void vcpu_create(void *base)
{
    (void)base;
    stubs.created++;
}
void vcpu_finalise(struct vcpu *vcpu)
{
    finalised(vcpu);
}
void vcpu_unmap_io_ports(struct cap io_port)
{
    (void)io_port;
    stubs.unmapped++;
}
void pml4_create(u64 *pml4)
{
    (void)pml4;
    stubs.created++;
}
void frame_unmap(struct cap cap)
{
    (void)cap;
    stubs.unmapped++;
}

static void table_gone(struct cap cap)
{
    stubs.unmapped++;
    finalised(cap_object(cap));
}

void table_unmap(struct cap cap)
{
    table_gone(cap);
}
void vspace_finalise(struct cap cap)
{
    table_gone(cap);
}
void asid_pool_finalise(struct cap cap)
{
    table_gone(cap);
}

void irq_finalise(unsigned irq)
{
    finalised((void *)(uintptr_t)(irq + 1));
}

void io_port_set_issued(u16 first, u16 last, bool is_issued)
{
    (void)last;
    (void)is_issued;
    finalised((void *)(uintptr_t)first);
}

enum status endpoint_cancel_badged_sends(struct endpoint *endpoint, u64 badge, struct tcb *caller)
{
    (void)endpoint;
    (void)caller;
    stubs.cancelled_badge = badge;
    return STATUS_OK;
}

enum status irq_clear_notification(unsigned irq)
{
    (void)irq;
    return preemption_point();
}

/* How many wait at an endpoint is a number in its tail; each takes a point to be sent away. */
enum status object_drain(struct cap zombie)
{
    struct endpoint *endpoint = cap_object(zombie);

    if (zombie_kind(zombie) == ZOMBIE_SLOTS)
        return STATUS_OK;
    if (zombie_kind(zombie) == ZOMBIE_NOTIFICATION)
        return preemption_point();
    while (endpoint->tail) {
        if (--endpoint->tail == 0)
            endpoint->head_state = ENDPOINT_IDLE;
        if (preemption_point() == STATUS_PREEMPTED)
            return STATUS_PREEMPTED;
    }
    finalised(endpoint);
    return STATUS_OK;
}

void refill_new(struct sched_context *sc, unsigned max_refills, ticks_t budget, ticks_t period,
                ticks_t now)
{
    sc->budget = budget;
    sc->period = period;
    sc->refill_max = (u16)max_refills;
    sc->refill_count = 1;
    sched_context_refills(sc)[0] = (struct refill){ .time = now, .amount = budget };
}
