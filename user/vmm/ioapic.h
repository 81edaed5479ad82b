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

#define IOAPIC_BASE    0xfec00000ull
#define IOAPIC_BYTES   0x1000ull
#define IOAPIC_PINS    24u
#define IOAPIC_VERSION 0x11u

struct ioapic {
    uint32_t select;
    uint32_t id;
    uint32_t lines; /* level of each pin's input, 1 = asserted, before polarity */
    uint64_t redirection[IOAPIC_PINS];
};

/* What an I/O APIC or an MSI sends to the local APICs. */
struct interrupt_message {
    uint32_t destination;
    bool logical;
    bool level;
    uint8_t mode; /* delivery mode: 0 fixed, 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 7 ExtINT */
    uint8_t vector;
};

struct interrupt_messages {
    unsigned nr;
    struct interrupt_message list[IOAPIC_PINS];
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
