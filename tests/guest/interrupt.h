/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of a small guest (guest.h), its local APIC being in x2APIC mode. */
#ifndef TESTS_GUEST_INTERRUPT_H
#define TESTS_GUEST_INTERRUPT_H

#define MSR_X2APIC_TPR       0x808
#define MSR_X2APIC_EOI       0x80b
#define MSR_X2APIC_SVR       0x80f
#define MSR_X2APIC_ICR       0x830
#define MSR_X2APIC_LVT_TIMER 0x832
#define MSR_X2APIC_SELF_IPI  0x83f

#ifndef __ASSEMBLER__
/* What the vector calls; it ends in IRET. */
void interrupt_set(unsigned vector, void (*handler)(void));
/* This processor takes them from now on, where it enables them. */
void interrupt_begin(void);
#endif

#endif
