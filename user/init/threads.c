/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt bindings, scheduling contexts and threads. */
#include "lib/string.h"
#include "user/init/boot.h"
#include "user/init/failure.h"

#define RFLAGS_INTERRUPTS 0x202u

void threads_bind_interrupts(const struct boot *boot)
{
    for (uint32_t i = 0; i < boot->plan.nr_bindings; i++) {
        const struct plan_binding *binding = &boot->plan.bindings[i];
        struct plan_slot irq;

        if (!plan_slots_find(&boot->plan, binding->irq, 1, &irq)) {
            stop("the plan changed while it was carried out");
        }
        if (!boot_has(boot, &irq, 0)) {
            continue;
        }
        require(seL4_IRQHandler_SetNotification(boot_cap(boot, binding->irq),
                                                boot_cap(boot, binding->notification)),
                "bind the interrupt", plan_slot_name(&boot->plan, binding->irq), 0);
    }
}

static void configure_context(const struct boot *boot, const struct plan_context *context)
{
    const char *name = plan_slot_name(&boot->plan, context->slot);
    const seL4_SlotRegion *controls = &boot->bootinfo->schedcontrol;

    if (context->core >= boot->bootinfo->numNodes ||
        context->core >= controls->end - controls->start) {
        stop("'%s' needs core %u, and this machine has %lu core%s, numbered from 0", name,
             context->core, boot->bootinfo->numNodes, boot->bootinfo->numNodes == 1 ? "" : "s");
    }
    require(seL4_SchedControl_ConfigureFlags(controls->start + context->core,
                                             boot_cap(boot, context->slot), context->budget_us,
                                             context->period_us, context->extra_refills,
                                             context->badge, seL4_SchedContext_NoFlag),
            "give time to", name, 0);
}

/* Spaces, IPC buffer, priority, time and fault handler: what every thread has. */
static void configure_thread(const struct boot *boot, const struct plan_thread *thread)
{
    const char *name = plan_name(&boot->plan, thread->name);
    seL4_CPtr tcb = boot_cap(boot, thread->tcb);
    seL4_Word guard = seL4_CNode_CapData_new(0, seL4_WordBits - thread->cnode_bits).words[0];

    require(seL4_TCB_Configure(tcb, boot_cap(boot, thread->cnode), guard,
                               boot_cap(boot, thread->vspace), 0, thread->buffer_address,
                               boot_cap(boot, thread->buffer_frame)),
            "configure", name, 0);
    require(seL4_TCB_SetSchedParams(tcb, seL4_CapInitThreadTCB, thread->max_priority,
                                    thread->priority, boot_cap(boot, thread->context),
                                    boot_cap(boot, thread->fault_endpoint)),
            "set the priority of", name, 0);
    if (thread->notification != PLAN_NO_SLOT) {
        require(seL4_TCB_BindNotification(tcb, boot_cap(boot, thread->notification)),
                "bind the notification of", name, 0);
    }
#ifdef BULKHEAD_DEBUG
    seL4_DebugNameThread(tcb, name);
#endif
}

static void configure_guest(const struct boot *boot, const struct plan_thread *thread)
{
    const char *name = plan_name(&boot->plan, thread->name);
    seL4_CPtr tcb = boot_cap(boot, thread->tcb);

    if (thread->vcpu != PLAN_NO_SLOT) {
        require(seL4_X86_VCPU_SetTCB(boot_cap(boot, thread->vcpu), tcb), "give a VCPU to", name, 0);
    }
    if (thread->ept != PLAN_NO_SLOT) {
        require(seL4_TCB_SetEPTRoot(tcb, boot_cap(boot, thread->ept)), "give guest memory to", name,
                0);
    }
}

static void set_registers(const struct boot *boot, const struct plan_thread *thread)
{
    seL4_UserContext context;

    memset(&context, 0, sizeof(context));
    context.rip = thread->rip;
    context.rsp = thread->rsp;
    context.rflags = RFLAGS_INTERRUPTS;
    context.rdi = thread->rdi;
    context.rsi = thread->rsi;
    context.fs_base = thread->buffer_address;
    require(
        seL4_TCB_WriteRegisters(boot_cap(boot, thread->tcb), 0, 0, seL4_UserContextWords, &context),
        "set the registers of", plan_name(&boot->plan, thread->name), 0);
}

void threads_configure(const struct boot *boot)
{
    for (uint32_t i = 0; i < boot->plan.nr_contexts; i++) {
        configure_context(boot, &boot->plan.contexts[i]);
    }
    for (uint32_t i = 0; i < boot->plan.nr_threads; i++) {
        configure_thread(boot, &boot->plan.threads[i]);
        configure_guest(boot, &boot->plan.threads[i]);
        set_registers(boot, &boot->plan.threads[i]);
    }
}

void threads_start(const struct boot *boot)
{
    for (uint32_t i = 0; i < boot->plan.nr_threads; i++) {
        require(seL4_TCB_Resume(boot_cap(boot, boot->plan.threads[i].tcb)), "start",
                plan_name(&boot->plan, boot->plan.threads[i].name), 0);
    }
}
