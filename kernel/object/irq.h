/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device interrupts and their handlers. An irq here is the API's `vector` argument (0..107); the
 * processor's vector is irq + IRQ_FIRST_VECTOR. MSI cannot be masked; I/O APIC pins are masked from
 * delivery until acknowledged (ABI section 5.1).
 *
 * Invariants
 *  I1  At most one irq is routed from a pin. An irq that is not routed never masks or unmasks.
 *  I2  A free irq has no notification, and nothing is routed to it.
 * Locking: all cores' locks.
 */
#ifndef KERNEL_OBJECT_IRQ_H
#define KERNEL_OBJECT_IRQ_H

#include "kernel/object/cap.h"

#define IRQ_COUNT        108
#define IRQ_FIRST_VECTOR 0x30

enum irq_state { IRQ_FREE, IRQ_IO_APIC, IRQ_MSI };

struct irq {
    enum irq_state state;
    u8 pin;      /* of the I/O APIC */
    bool routed; /* the pin still leads here: no later handler has taken it over */
    /* The capability to signal. Slots are aligned to their size. */
    _Alignas(32) struct slot notification;
};

extern struct irq irqs[IRQ_COUNT];

/*
 * Gives a free irq to a new handler. A pin starts masked; it leaves any earlier handler that had
 * it.
 */
void irq_issue_io_apic(unsigned irq, unsigned pin, bool level, bool active_low);
void irq_issue_msi(unsigned irq);
/* The last handler capability goes: the irq, which signals nothing any more, becomes free. */
void irq_finalise(unsigned irq);

/*
 * Preemptible, since it may be the notification's last capability: the irq signals nothing any
 * more.
 */
enum status irq_clear_notification(unsigned irq) MUST_CHECK;

/* Masks if it can be and signals the handler. */
void irq_deliver(unsigned irq);
/* The handler is done: the next interrupt may come. */
void irq_acknowledge(unsigned irq);

/* kernel/x86/ioapic.c; host tests fake them. */
unsigned ioapic_pins(void);
/* The pin stays masked. */
void ioapic_configure(unsigned pin, unsigned vector, bool level, bool active_low, u32 apic_id);
void ioapic_mask(unsigned pin, bool masked);

#endif
