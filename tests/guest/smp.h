/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second processor for a small guest (guest.h), and interprocessor interrupts in x2APIC mode. The
 * first processor has APIC ID 0 and takes SMP_VECTOR_FIRST, the second 1 and SMP_VECTOR_SECOND.
 */
#ifndef TESTS_GUEST_SMP_H
#define TESTS_GUEST_SMP_H

#define SMP_TRAMPOLINE 0x8000

#define SMP_VECTOR_FIRST  0x41
#define SMP_VECTOR_SECOND 0x42

#ifndef __ASSEMBLER__
#include <stdint.h>

/* Interrupts that the first and the second processor have taken. */
extern volatile uint32_t smp_interrupts[2];

/* Starts the second processor; both take interrupts from then on, where they enable them. */
void smp_start(void);
/* The second processor's own part, given by the guest. */
void smp_second(void);
/* Sends the vector to the processor with this APIC ID. */
void smp_send(uint32_t vector, uint32_t apic_id);
#endif

#endif
