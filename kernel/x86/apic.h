/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC (xAPIC through its page, or x2APIC through MSRs) and its timer; the I/O APIC's
 * functions are in kernel/object/irq.h.
 *
 * Vectors: 0-31 exceptions, 32-47 what a disabled 8259 may still deliver, 48-155 devices (API irq +
 * 48), 156 timer, 157 from another core, 158 and 159 unused, 160-254 unknown system calls, 255
 * spurious. Sources: Intel SDM volume 3, chapter "Advanced Programmable Interrupt Controller".
 */
#ifndef KERNEL_X86_APIC_H
#define KERNEL_X86_APIC_H

#include "kernel/core/types.h"

#define VECTOR_DEVICES         48
#define VECTOR_TIMER           156
#define VECTOR_CORE            157
#define VECTOR_UNKNOWN_SYSCALL 160
#define VECTOR_SPURIOUS        255

/* Boot: finds the local APIC's registers, masks the 8259s. */
void apic_init(u64 address);
/* Each core: its timer, too, which nothing has set yet; cores[].apic_id. */
void apic_init_core(void);
void apic_end_of_interrupt(void);

/* Starting another processor (SDM volume 3, "MP Initialization Protocol"): INIT, then twice a
 * start-up message with the page number of the code that it begins with in real mode. */
void apic_send_init(u32 apic_id);
void apic_send_startup(u32 apic_id, u8 page);
/* Stops what all others do, whatever that is. */
void apic_send_nmi_to_others(void);

/*
 * Delivers what the APIC holds although the processor was never told: QEMU loses an interrupt that
 * comes in the moment of an entry into a guest with a virtual interrupt pending (docs/emulators.md,
 * section 3). For what follows such an entry: the exit at the interrupt window, or idleness, from
 * which nothing else leads. A guest that goes on is interrupted by the timer at last.
 */
void apic_look_again(void);

/*
 * The timer's register level, for timer.c. The countdown begins anew at its end, so that an
 * interrupt that was lost comes again after as long.
 */
void apic_timer_use(bool deadline);
void apic_timer_count(u32 ticks);
u32 apic_timer_remaining(void);

void ioapic_init(u64 address);

#endif
