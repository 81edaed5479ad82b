/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model of an I/O APIC with 24 pins. Lines go in, interrupt messages come out through an array the
 * caller hands in; nothing is called.
 *
 * Invariants  I1  remote IRR is set only in level-triggered entries
 * Locking     none in this version: all callers are one thread
 * Units       register offsets in bytes from the base; the window is indexed by the select register
 * Sources     Intel 82093AA data sheet, ch. 3
 */
#ifndef USER_VMM_IOAPIC_H
#define USER_VMM_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "user/vmm/interrupt.h"

#define IOAPIC_BASE    0xfec00000ull
#define IOAPIC_BYTES   0x1000ull
#define IOAPIC_PINS    24u
#define IOAPIC_VERSION 0x11u

_Static_assert(IOAPIC_PINS <= INTERRUPT_MESSAGES, "one from each pin");

struct ioapic {
    uint32_t select;
    uint32_t id;
    uint32_t lines; /* level of each pin's input, 1 = asserted, before polarity */
    uint64_t redirection[IOAPIC_PINS];
};

void ioapic_reset(struct ioapic *ioapic);
uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t offset);
/* Messages that result are appended to out (which has room for one from each pin). */
void ioapic_write(struct ioapic *ioapic, uint32_t offset, uint32_t value,
                  struct interrupt_messages *out);
void ioapic_set_line(struct ioapic *ioapic, unsigned pin, bool asserted,
                     struct interrupt_messages *out);
void ioapic_end_of_interrupt(struct ioapic *ioapic, uint8_t vector, struct interrupt_messages *out);

#endif
