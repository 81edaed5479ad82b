/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/mailbox.h"

#include "lib/bits.h"
#include "lib/string.h"

#define COMMAND      0u /* 16 bits */
#define APIC_ID      4u
#define WAKE_ADDRESS 8u

#define COMMAND_WAKE 1u

void mailbox_reset(struct mailbox *mailbox)
{
    memset(mailbox, 0, sizeof(*mailbox));
}

uint64_t mailbox_read(const struct mailbox *mailbox, uint32_t offset, unsigned size)
{
    uint64_t value = 0;

    if (offset > MAILBOX_BYTES - size) {
        return bits_mask(8 * size);
    }
    memcpy(&value, mailbox->bytes + offset, size);
    return value;
}

bool mailbox_write(struct mailbox *mailbox, uint32_t offset, unsigned size, uint64_t value,
                   struct mailbox_wake *wake)
{
    if (offset > MAILBOX_BYTES - size) {
        return false;
    }
    memcpy(mailbox->bytes + offset, &value, size);
    if (mailbox_read(mailbox, COMMAND, 2) != COMMAND_WAKE) {
        return false;
    }
    memset(mailbox->bytes + COMMAND, 0, 2);
    wake->apic_id = (uint32_t)mailbox_read(mailbox, APIC_ID, 4);
    wake->address = mailbox_read(mailbox, WAKE_ADDRESS, 8);
    return true;
}
