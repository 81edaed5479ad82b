/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model of a function's MSI-X: the table of messages, the pending bits, the two control bits. A
 * message that is masked stays pending and is sent when it is unmasked.
 *
 * Invariants  I1  a pending bit is set only while its message is masked
 * Locking     the device's
 * Units       offsets in bytes; vectors count from 0
 * Errors      none: what is not there reads as zero and takes nothing
 * Sources     PCI local bus specification 3.0 section 6.8.2 "MSI-X Capability and Table
 *             Structure"; Intel SDM vol. 3A 10.11 "Message signalled interrupts"
 */
#ifndef USER_VMM_MSIX_H
#define USER_VMM_MSIX_H

#include "user/vmm/interrupt.h"

#define MSIX_MAX_VECTORS 8u
#define MSIX_ENTRY_BYTES 16u

/* Of the capability's message control. */
#define MSIX_CONTROL_MASK   0x4000u
#define MSIX_CONTROL_ENABLE 0x8000u

struct msix {
    unsigned nr;                            /* at most MSIX_MAX_VECTORS */
    uint32_t entries[MSIX_MAX_VECTORS * 4]; /* address, upper address, data, control */
    uint32_t pending;
    bool enabled, masked;
};

_Static_assert(MSIX_MAX_VECTORS <= INTERRUPT_MESSAGES, "all of them may be sent at once");

void msix_reset(struct msix *msix, unsigned nr);
/* size 1, 2, 4 or 8; writes of other sizes than 4 and 8, or unaligned ones, are ignored. */
uint64_t msix_read_table(const struct msix *msix, uint32_t offset, unsigned size);
void msix_write_table(struct msix *msix, uint32_t offset, unsigned size, uint64_t value,
                      struct interrupt_messages *out);
uint64_t msix_read_pending(const struct msix *msix, uint32_t offset, unsigned size);
/* The capability's message control was written. */
void msix_control(struct msix *msix, uint16_t control, struct interrupt_messages *out);
/* The device has an interrupt; vector may be one that does not exist. */
void msix_raise(struct msix *msix, uint16_t vector, struct interrupt_messages *out);

#endif
