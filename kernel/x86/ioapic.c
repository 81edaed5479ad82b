/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O APIC: the first one that the firmware names (the published configuration has one).
 * Source: Intel 82093AA I/O APIC data sheet, section 3.
 */
#include "kernel/core/panic.h"
#include "kernel/object/irq.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/io.h"
#include "kernel/x86/kernel_tables.h"

#define SELECT               0x00
#define WINDOW               0x10
#define REGISTER_VERSION     1
#define REGISTER_REDIRECTION 0x10 /* two for each pin */

#define REDIRECTION_ACTIVE_LOW        BIT(13)
#define REDIRECTION_LEVEL             BIT(15)
#define REDIRECTION_MASKED            BIT(16)
#define REDIRECTION_DESTINATION_SHIFT 24 /* in the upper register: xAPIC id */

static volatile u8 *registers;
static unsigned nr_pins;

static u32 io_apic_read(unsigned index)
{
    mmio_write32(registers + SELECT, index);
    return mmio_read32(registers + WINDOW);
}

static void io_apic_write(unsigned index, u32 value)
{
    mmio_write32(registers + SELECT, index);
    mmio_write32(registers + WINDOW, value);
}

void ioapic_init(u64 address)
{
    registers = kernel_window_device(address, PAGE_SIZE);
    if (!registers)
        panic("I/O APIC registers at 0x%lx are not device memory", address);
    nr_pins = ((io_apic_read(REGISTER_VERSION) >> 16) & 0xff) + 1;
    for (unsigned pin = 0; pin < nr_pins; pin++)
        ioapic_mask(pin, true);
}

unsigned ioapic_pins(void)
{
    return nr_pins;
}

void ioapic_configure(unsigned pin, unsigned vector, bool level, bool active_low, u32 apic_id)
{
    u32 low = vector | REDIRECTION_MASKED;

    kernel_assert(pin < nr_pins && apic_id < 0xff);
    low |= level ? (u32)REDIRECTION_LEVEL : 0;
    low |= active_low ? (u32)REDIRECTION_ACTIVE_LOW : 0;
    io_apic_write(REGISTER_REDIRECTION + 2 * pin, low);
    io_apic_write(REGISTER_REDIRECTION + 2 * pin + 1, apic_id << REDIRECTION_DESTINATION_SHIFT);
}

void ioapic_mask(unsigned pin, bool masked)
{
    kernel_assert(pin < nr_pins);

    u32 low = io_apic_read(REGISTER_REDIRECTION + 2 * pin);

    low = masked ? low | (u32)REDIRECTION_MASKED : low & ~(u32)REDIRECTION_MASKED;
    io_apic_write(REGISTER_REDIRECTION + 2 * pin, low);
}
