/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/msix.h"

#include "lib/bits.h"

enum { ENTRY_ADDRESS, ENTRY_UPPER, ENTRY_DATA, ENTRY_CONTROL };

#define ENTRY_MASKED 1u

/* Fields of a message's address and data. */
#define ADDRESS_BASE(address)        ((address) >> 20)
#define ADDRESS_LOCAL_APIC           0xfeeu
#define ADDRESS_DESTINATION(address) ((address) >> 12 & 0xff)
#define ADDRESS_REDIRECT             0x8u
#define ADDRESS_LOGICAL              0x4u
#define DATA_MODE(data)              ((data) >> 8 & 7)
#define MODE_FIXED                   0u
#define MODE_LOWEST                  1u

void msix_reset(struct msix *msix, unsigned nr)
{
    *msix = (struct msix){ .nr = nr };
    for (unsigned i = 0; i < nr; i++) {
        msix->entries[4 * i + ENTRY_CONTROL] = ENTRY_MASKED;
    }
}

static uint64_t cut(uint64_t value, uint32_t offset, unsigned size)
{
    return bits_get(value, 8 * (offset % 8), 8 * size);
}

uint64_t msix_read_table(const struct msix *msix, uint32_t offset, unsigned size)
{
    uint32_t first = offset / 8 * 2;

    if (offset >= msix->nr * MSIX_ENTRY_BYTES) {
        return 0;
    }
    return cut(msix->entries[first] | (uint64_t)msix->entries[first + 1] << 32, offset, size);
}

uint64_t msix_read_pending(const struct msix *msix, uint32_t offset, unsigned size)
{
    return offset < 8 ? cut(msix->pending, offset, size) : 0;
}

/* A write anywhere else than to the local APICs is dropped. */
static void send(const struct msix *msix, unsigned vector, struct interrupt_messages *out)
{
    const uint32_t *entry = &msix->entries[4 * vector];
    uint32_t address = entry[ENTRY_ADDRESS], data = entry[ENTRY_DATA];
    uint8_t mode = DATA_MODE(data);

    if (entry[ENTRY_UPPER] != 0 || ADDRESS_BASE(address) != ADDRESS_LOCAL_APIC) {
        return;
    }
    if (mode == MODE_FIXED && (address & ADDRESS_REDIRECT) != 0) {
        mode = MODE_LOWEST;
    }
    out->list[out->nr++] = (struct interrupt_message){
        .destination = ADDRESS_DESTINATION(address),
        .logical = (address & ADDRESS_LOGICAL) != 0,
        .level = false, /* nothing would ever take a level back */
        .mode = mode,
        .vector = (uint8_t)data,
    };
}

static bool is_masked(const struct msix *msix, unsigned vector)
{
    return msix->masked || (msix->entries[4 * vector + ENTRY_CONTROL] & ENTRY_MASKED) != 0;
}

/* I1 after masks have changed. */
static void send_pending(struct msix *msix, struct interrupt_messages *out)
{
    if (!msix->enabled) {
        return;
    }
    for (unsigned i = 0; i < msix->nr; i++) {
        if ((msix->pending >> i & 1) != 0 && !is_masked(msix, i)) {
            msix->pending &= ~(1u << i);
            send(msix, i, out);
        }
    }
}

static void write_word(struct msix *msix, uint32_t index, uint32_t value)
{
    if (index % 4 == ENTRY_CONTROL) {
        value &= ENTRY_MASKED;
    }
    msix->entries[index] = value;
}

void msix_write_table(struct msix *msix, uint32_t offset, unsigned size, uint64_t value,
                      struct interrupt_messages *out)
{
    if (size < 4 || offset % size != 0 || offset >= msix->nr * MSIX_ENTRY_BYTES) {
        return;
    }
    write_word(msix, offset / 4, (uint32_t)value);
    if (size == 8) {
        write_word(msix, offset / 4 + 1, (uint32_t)(value >> 32));
    }
    send_pending(msix, out);
}

void msix_control(struct msix *msix, uint16_t control, struct interrupt_messages *out)
{
    msix->enabled = (control & MSIX_CONTROL_ENABLE) != 0;
    msix->masked = (control & MSIX_CONTROL_MASK) != 0;
    if (!msix->enabled) {
        msix->pending = 0;
    }
    send_pending(msix, out);
}

void msix_raise(struct msix *msix, uint16_t vector, struct interrupt_messages *out)
{
    if (!msix->enabled || vector >= msix->nr) {
        return;
    }
    if (is_masked(msix, vector)) {
        msix->pending |= 1u << vector;
    } else {
        send(msix, vector, out);
    }
}
