/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Further processors for a small guest (guest.h), and interprocessor interrupts in x2APIC mode.
 * Processor n has APIC ID n; 0, the first, takes SMP_VECTOR_FIRST, and 1 SMP_VECTOR_SECOND.
 */
#ifndef TESTS_GUEST_SMP_H
#define TESTS_GUEST_SMP_H

#define SMP_TRAMPOLINE 0x8000

#define SMP_MAX_PROCESSORS 4

#define SMP_VECTOR_FIRST  0x41
#define SMP_VECTOR_SECOND 0x42

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Interrupts that the first and the second processor have taken. */
extern volatile uint32_t smp_interrupts[2];

/* Starts processors 1 .. count - 1; all take interrupts from then on, where they enable them. */
void smp_start(unsigned count);
/* The other processors' own part, given by the guest. */
void smp_other(unsigned processor);
/* Sends the vector to the processor with this APIC ID. */
void smp_send(uint32_t vector, uint32_t apic_id);
#endif

#endif
