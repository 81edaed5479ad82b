/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guest/kick.h"

#include "tests/guest/guest.h"

/* PCI configuration mechanism 1. */
#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u
#define DEVICES        32u
#define REG_IDENTITY   0x00
#define REG_COMMAND    0x04
#define COMMAND_MEMORY 0x02u
#define REG_BAR_0      0x10
#define VIRTIO_CONSOLE 0x10431af4u /* device and vendor */

/* Parts of the BAR, and registers of its first, the common configuration. */
#define PART_NOTIFY        0x1000u
#define NOTIFY_MULTIPLIER  4u
#define REG_FEATURE_SELECT 0x08
#define REG_FEATURE        0x0c
#define REG_STATUS         0x14
#define REG_QUEUE_SELECT   0x16
#define REG_QUEUE_SIZE     0x18
#define REG_QUEUE_ENABLE   0x1c
#define REG_DESCRIPTORS    0x20
#define REG_DRIVER         0x28
#define REG_DEVICE         0x30

#define HIGH_WORD   1u
#define VERSION_1   1u /* feature 32 */
#define IS_DRIVER   3u /* ACKNOWLEDGE, DRIVER */
#define FEATURES_OK 8u
#define DRIVER_OK   4u

#define QUEUE_SIZE 8u

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

volatile uint16_t *kick_register;

static struct descriptor descriptors[QUEUE_SIZE] __attribute__((aligned(16)));
static uint16_t available[2 + QUEUE_SIZE]; /* flags, index, ring */
static uint32_t used[1 + 2 * QUEUE_SIZE];

static uint32_t config_read(unsigned device, unsigned offset)
{
    guest_out32(CONFIG_ADDRESS, CONFIG_ENABLE | device << 11 | offset);
    return guest_in32(CONFIG_DATA);
}

static uint8_t *find_bar(void)
{
    for (unsigned device = 0; device < DEVICES; device++) {
        if (config_read(device, REG_IDENTITY) != VIRTIO_CONSOLE)
            continue;
        (void)config_read(device, REG_COMMAND);
        guest_out32(CONFIG_DATA, COMMAND_MEMORY);
        return (uint8_t *)(uintptr_t)(config_read(device, REG_BAR_0) & ~0xfu);
    }
    return (uint8_t *)0;
}

static void write8(uint8_t *reg, uint8_t value)
{
    *(volatile uint8_t *)reg = value;
}

static void write16(uint8_t *reg, uint16_t value)
{
    *(volatile uint16_t *)(void *)reg = value;
}

static void write32(uint8_t *reg, uint32_t value)
{
    *(volatile uint32_t *)(void *)reg = value;
}

/* All of this guest's memory is below 4 GiB, and the upper halves are zero after a reset. */
static void write_address(uint8_t *reg, const void *address)
{
    write32(reg, (uint32_t)(uintptr_t)address);
}

static void set_up_queue(uint8_t *bar)
{
    write16(bar + REG_QUEUE_SELECT, KICK_QUEUE);
    write16(bar + REG_QUEUE_SIZE, QUEUE_SIZE);
    write_address(bar + REG_DESCRIPTORS, descriptors);
    write_address(bar + REG_DRIVER, available);
    write_address(bar + REG_DEVICE, used);
    write16(bar + REG_QUEUE_ENABLE, 1);
}

bool kick_begin(void)
{
    uint8_t *bar = find_bar();

    if (!bar)
        return false;
    write8(bar + REG_STATUS, 0);
    write8(bar + REG_STATUS, IS_DRIVER);
    write32(bar + REG_FEATURE_SELECT, HIGH_WORD);
    write32(bar + REG_FEATURE, VERSION_1);
    write8(bar + REG_STATUS, IS_DRIVER | FEATURES_OK);
    set_up_queue(bar);
    write8(bar + REG_STATUS, IS_DRIVER | FEATURES_OK | DRIVER_OK);
    kick_register =
        (volatile uint16_t *)(void *)(bar + PART_NOTIFY + KICK_QUEUE * NOTIFY_MULTIPLIER);
    return *(volatile uint8_t *)(bar + REG_STATUS) == (IS_DRIVER | FEATURES_OK | DRIVER_OK);
}
