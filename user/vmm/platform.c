/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/platform.h"

void platform_reset(struct platform *platform)
{
    *platform = (struct platform){
        .pics = { { .mask = 0xff }, { .mask = 0xff } },
        .pm1_control = 1, /* SCI_EN: the machine is always in ACPI mode */
    };
}

/* --- 8259 --- */

uint8_t pic_read(const struct platform *platform, unsigned index, unsigned port)
{
    return port == 1 ? platform->pics[index].mask : 0;
}

void pic_write(struct platform *platform, unsigned index, unsigned port, uint8_t value)
{
    struct pic *pic = &platform->pics[index];

    if (port == 0) {
        if ((value & 0x10) != 0) { /* ICW1; bit 0: ICW4 follows, bit 1: no ICW3 */
            pic->mask = 0;
            pic->init_step =
                (uint8_t)(1 + ((value & 2) != 0 ? 8 : 0) + ((value & 1) != 0 ? 16 : 0));
        }
        return; /* EOI and read commands: nothing is ever in service */
    }
    switch (pic->init_step & 7) {
    case 1: /* ICW2 */
        pic->vector_base = value & 0xf8;
        if ((pic->init_step & 8) == 0) {
            pic->init_step += 1;
        } else {
            pic->init_step = (pic->init_step & 16) != 0 ? 3 : 0;
        }
        break;
    case 2: /* ICW3 */
        pic->init_step = (pic->init_step & 16) != 0 ? 3 : 0;
        break;
    case 3: /* ICW4 */
        pic->init_step = 0;
        break;
    default:
        pic->mask = value;
        break;
    }
}

/* --- little-endian registers of several bytes, accessed in parts --- */

static uint32_t size_mask(unsigned size)
{
    return size >= 4 ? 0xffffffffu : (1u << (8 * size)) - 1;
}

static uint64_t replace(uint64_t old, unsigned offset, unsigned size, uint32_t value)
{
    uint64_t mask = (uint64_t)size_mask(size) << (8 * offset);

    return (old & ~mask) | ((uint64_t)value << (8 * offset) & mask);
}

/* --- ACPI PM1 --- */

#define PM1_SCI_ENABLE   0x0001u
#define PM1_SLEEP_ENABLE 0x2000u
#define PM1_ENABLES      0x0720u /* RTC, sleep and power button, global lock */
#define PM1_CONTROLS     0x1c02u /* sleep type, bus-master reload */

uint32_t pm1_read(const struct platform *platform, unsigned offset, unsigned size)
{
    uint64_t block = platform->pm1_status | (uint64_t)platform->pm1_enable << 16 |
                     (uint64_t)platform->pm1_control << 32;

    return (uint32_t)(block >> (8 * offset)) & size_mask(size);
}

enum platform_request pm1_write(struct platform *platform, unsigned offset, unsigned size,
                                uint32_t value)
{
    /* What is not written of the status reads as zero, so that it clears nothing. */
    uint64_t block =
        replace((uint64_t)platform->pm1_enable << 16 | (uint64_t)platform->pm1_control << 32,
                offset, size, value);
    uint16_t control = (uint16_t)(block >> 32);

    platform->pm1_status &= (uint16_t)~block;
    platform->pm1_enable = (uint16_t)(block >> 16) & PM1_ENABLES;
    platform->pm1_control = (control & PM1_CONTROLS) | PM1_SCI_ENABLE;
    if ((control & PM1_SLEEP_ENABLE) != 0 && (control >> 10 & 7) == SLEEP_TYPE_S5) {
        return PLATFORM_POWEROFF;
    }
    return PLATFORM_NONE;
}

/* --- PCI configuration mechanism 1, and reset --- */

#define PCI_ADDRESS_ENABLE   0x80000000u
#define PCI_ADDRESS_WRITABLE 0x80fffffcu

bool pci_port_target(const struct platform *platform, struct pci_target *target)
{
    target->function = platform->pci_address >> 8 & 0xffff;
    target->offset = platform->pci_address & 0xfc;
    return (platform->pci_address & PCI_ADDRESS_ENABLE) != 0;
}

uint32_t pci_port_read(const struct platform *platform, unsigned offset, unsigned size)
{
    if (size == 4 && offset == 0) {
        return platform->pci_address;
    }
    if (size == 1 && offset == RESET_PORT - 0xcf8u) {
        return platform->reset_control;
    }
    return size_mask(size);
}

enum platform_request pci_port_write(struct platform *platform, unsigned offset, unsigned size,
                                     uint32_t value)
{
    if (offset == 0 && size == 4) {
        platform->pci_address = value & PCI_ADDRESS_WRITABLE;
    } else if (offset == RESET_PORT - 0xcf8u && size == 1) {
        platform->reset_control = value & 0x0a;
        if ((value & 4) != 0) {
            return PLATFORM_RESET;
        }
    }
    return PLATFORM_NONE;
}

/* --- ports of the board --- */

#define PORT_61_WRITABLE 0x0fu
#define PORT_92_RESET    0x01u
#define KEYBOARD_RESET   0xf0u /* "pulse output lines" with line 0 = reset: low bit clear */

uint8_t board_read(const struct platform *platform, unsigned port)
{
    switch (port) {
    case 0x61:
        return platform->port_61;
    case 0x92:
        return 0x02; /* A20 is on */
    default:
        return 0xff; /* no keyboard controller */
    }
}

enum platform_request board_write(struct platform *platform, unsigned port, uint8_t value)
{
    switch (port) {
    case 0x61:
        platform->port_61 = value & PORT_61_WRITABLE;
        break;
    case 0x64:
        if ((value & 0xf1) == KEYBOARD_RESET) {
            return PLATFORM_RESET;
        }
        break;
    case 0x92:
        if ((value & PORT_92_RESET) != 0) {
            return PLATFORM_RESET;
        }
        break;
    default:
        break;
    }
    return PLATFORM_NONE;
}
