/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/irq.h"

#include "kernel/core/core.h"
#include "kernel/core/panic.h"
#include "kernel/object/derivation.h"
#include "kernel/object/ipc_objects.h"

struct irq irqs[IRQ_COUNT];

static void irq_mask(const struct irq *irq, bool masked)
{
    if (irq->state == IRQ_IO_APIC && irq->routed)
        ioapic_mask(irq->pin, masked);
}

/* A pin can lead to one vector only. */
static void pin_take_over(unsigned pin)
{
    for (unsigned i = 0; i < IRQ_COUNT; i++) {
        struct irq *irq = &irqs[i];

        if (irq->state == IRQ_IO_APIC && irq->pin == pin)
            irq->routed = false;
    }
}

void irq_issue_io_apic(unsigned irq, unsigned pin, bool level, bool active_low)
{
    pin_take_over(pin);
    irqs[irq].state = IRQ_IO_APIC;
    irqs[irq].pin = (u8)pin;
    irqs[irq].routed = true;
    ioapic_configure(pin, irq + IRQ_FIRST_VECTOR, level, active_low, this_core()->apic_id);
}

void irq_issue_msi(unsigned irq)
{
    irqs[irq].state = IRQ_MSI;
}

void irq_finalise(unsigned irq)
{
    kernel_assert(slot_is_empty(&irqs[irq].notification));
    irq_mask(&irqs[irq], true);
    irqs[irq].state = IRQ_FREE;
    irqs[irq].routed = false;
}

enum status irq_clear_notification(unsigned irq)
{
    return slot_delete(&irqs[irq].notification);
}

void irq_deliver(unsigned irq)
{
    struct cap cap = irqs[irq].notification.cap;

    irq_mask(&irqs[irq], true);
    if (cap.type == CAP_NOTIFICATION)
        notification_signal(cap_object(cap), cap_badge(cap));
}

void irq_acknowledge(unsigned irq)
{
    irq_mask(&irqs[irq], false);
}
