/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt messages: what an I/O APIC or a device with MSI-X sends to the local APICs. Device
 * models append theirs to a list; the vCPU's thread that called delivers them (vm_deliver_all).
 */
#ifndef USER_VMM_INTERRUPT_H
#define USER_VMM_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

struct interrupt_message {
    uint32_t destination;
    bool logical;
    bool level;
    uint8_t mode; /* delivery mode: 0 fixed, 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 7 ExtINT */
    uint8_t vector;
};

/* More than any device sends at once. */
#define INTERRUPT_MESSAGES 24u

struct interrupt_messages {
    unsigned nr;
    struct interrupt_message list[INTERRUPT_MESSAGES];
};

#endif
