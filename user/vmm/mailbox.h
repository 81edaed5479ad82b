/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI's mailbox for starting further processors, for where they cannot begin in real mode: the
 * guest writes an APIC ID, an address, then a command, and that processor begins there in 64-bit
 * mode, with the identity page tables of linux_boot.h. The page is not RAM but registers: so the
 * command is an exit, and no processor has to look for it. It counts as taken at once.
 *
 * Locking  LOCK_PLATFORM of vm.h, held by the caller
 * Sources  ACPI 6.4, 5.2.12.19 "Multiprocessor Wakeup Structure"
 */
#ifndef USER_VMM_MAILBOX_H
#define USER_VMM_MAILBOX_H

#include <stdbool.h>
#include <stdint.h>

#define MAILBOX_BASE  0xfec10000ull
#define MAILBOX_BYTES 0x1000ull

struct mailbox {
    uint8_t bytes[MAILBOX_BYTES]; /* all but the first three fields only keep what is written */
};

struct mailbox_wake {
    uint32_t apic_id;
    uint64_t address;
};

void mailbox_reset(struct mailbox *mailbox);
/* size 1, 2, 4 or 8; what lies beyond the page is not there. */
uint64_t mailbox_read(const struct mailbox *mailbox, uint32_t offset, unsigned size);
/* True: a processor is to be woken. */
bool mailbox_write(struct mailbox *mailbox, uint32_t offset, unsigned size, uint64_t value,
                   struct mailbox_wake *wake);

#endif
