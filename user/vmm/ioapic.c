/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/ioapic.h"

/* Redirection entry. */
#define ENTRY_LOGICAL    (1ull << 11)
#define ENTRY_REMOTE_IRR (1ull << 14)
#define ENTRY_LEVEL      (1ull << 15)
#define ENTRY_MASKED     (1ull << 16)
#define ENTRY_WRITABLE   0xff0000000001afffull /* not delivery status, not remote IRR */

/* Offsets, and registers behind the window. */
#define OFFSET_SELECT   0x00u
#define OFFSET_WINDOW   0x10u
#define REG_ID          0x00u
#define REG_VERSION     0x01u
#define REG_ARBITRATION 0x02u
#define REG_REDIRECTION 0x10u

void ioapic_reset(struct ioapic *ioapic)
{
    *ioapic = (struct ioapic){ 0 };
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        ioapic->redirection[pin] = ENTRY_MASKED;
    }
}

static void send(struct ioapic *ioapic, unsigned pin, struct interrupt_messages *out)
{
    uint64_t entry = ioapic->redirection[pin];

    if (out->nr == IOAPIC_PINS) {
        return;
    }
    out->list[out->nr++] = (struct interrupt_message){
        .destination = (uint32_t)(entry >> 56),
        .logical = (entry & ENTRY_LOGICAL) != 0,
        .level = (entry & ENTRY_LEVEL) != 0,
        .mode = entry >> 8 & 7,
        .vector = (uint8_t)entry,
    };
}

/* A level-triggered pin that is asserted and not yet being served sends its message. */
static void serve_level(struct ioapic *ioapic, unsigned pin, struct interrupt_messages *out)
{
    uint64_t *entry = &ioapic->redirection[pin];
    bool asserted = (ioapic->lines >> pin & 1) != 0;

    if (asserted && (*entry & (ENTRY_LEVEL | ENTRY_MASKED | ENTRY_REMOTE_IRR)) == ENTRY_LEVEL) {
        *entry |= ENTRY_REMOTE_IRR;
        send(ioapic, pin, out);
    }
}

void ioapic_set_line(struct ioapic *ioapic, unsigned pin, bool asserted,
                     struct interrupt_messages *out)
{
    uint32_t bit = 1u << pin;
    bool rising = asserted && (ioapic->lines & bit) == 0;

    ioapic->lines = asserted ? ioapic->lines | bit : ioapic->lines & ~bit;
    if ((ioapic->redirection[pin] & ENTRY_LEVEL) != 0) {
        serve_level(ioapic, pin, out);
    } else if (rising && (ioapic->redirection[pin] & ENTRY_MASKED) == 0) {
        send(ioapic, pin, out);
    }
}

void ioapic_end_of_interrupt(struct ioapic *ioapic, uint8_t vector, struct interrupt_messages *out)
{
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
        uint64_t *entry = &ioapic->redirection[pin];

        if ((*entry & ENTRY_REMOTE_IRR) != 0 && (uint8_t)*entry == vector) {
            *entry &= ~ENTRY_REMOTE_IRR;
            serve_level(ioapic, pin, out);
        }
    }
}

static uint32_t window_read(const struct ioapic *ioapic)
{
    uint32_t index = ioapic->select - REG_REDIRECTION;

    switch (ioapic->select) {
    case REG_ID:
    case REG_ARBITRATION:
        return ioapic->id;
    case REG_VERSION:
        return IOAPIC_VERSION | (IOAPIC_PINS - 1) << 16;
    default:
        break;
    }
    if (ioapic->select < REG_REDIRECTION || index >= 2 * IOAPIC_PINS) {
        return 0;
    }
    return (uint32_t)(ioapic->redirection[index / 2] >> (index % 2 * 32));
}

static void redirection_write(struct ioapic *ioapic, uint32_t index, uint32_t value,
                              struct interrupt_messages *out)
{
    unsigned pin = index / 2;
    unsigned shift = index % 2 * 32;
    uint64_t writable = ENTRY_WRITABLE & (0xffffffffull << shift);
    uint64_t entry = ioapic->redirection[pin];

    entry = (entry & ~writable) | ((uint64_t)value << shift & writable);
    if ((entry & ENTRY_LEVEL) == 0) {
        entry &= ~ENTRY_REMOTE_IRR;
    }
    ioapic->redirection[pin] = entry;
    serve_level(ioapic, pin, out);
}

uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t offset)
{
    switch (offset) {
    case OFFSET_SELECT:
        return ioapic->select;
    case OFFSET_WINDOW:
        return window_read(ioapic);
    default:
        return 0;
    }
}

void ioapic_write(struct ioapic *ioapic, uint32_t offset, uint32_t value,
                  struct interrupt_messages *out)
{
    if (offset == OFFSET_SELECT) {
        ioapic->select = value & 0xff;
    } else if (offset == OFFSET_WINDOW) {
        uint32_t index = ioapic->select - REG_REDIRECTION;

        if (ioapic->select == REG_ID) {
            ioapic->id = value & 0x0f000000;
        } else if (ioapic->select >= REG_REDIRECTION && index < 2 * IOAPIC_PINS) {
            redirection_write(ioapic, index, value, out);
        }
    }
}
