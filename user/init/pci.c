/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/init/pci.h"

#define NR_BUSES     256u
#define NR_DEVICES   32u
#define NR_FUNCTIONS 8u
#define PAGE_BYTES   4096u

/* 6.1, by dwords */
#define CONFIG_ID          0x00u
#define CONFIG_COMMAND     0x04u
#define COMMAND_MEMORY     (1u << 1)
#define COMMAND_MASTER     (1u << 2)
#define COMMAND_NO_PIN     (1u << 10)
#define COMMAND_MASK       0xffffu /* the status above it: ones written would clear it */
#define STATUS_CAPABLE     (1u << 20)
#define CONFIG_CLASS       0x08u
#define CONFIG_HEADER      0x0cu
#define HEADER_MANY        (1u << 23)
#define HEADER_TYPE(value) ((value) >> 16 & 0x7f)
#define CONFIG_BAR         0x10u
#define CONFIG_CAPABLE     0x34u

/* 6.2.5.1 */
#define BAR_PORTS     1u
#define BAR_TYPE_MASK 6u
#define BAR_TYPE_32   0u
#define BAR_TYPE_64   4u
#define BAR_FLAGS     0xfu
#define BAR_MIN_BYTES 256u

/* 6.8.1 */
#define CAPABILITY_MSI    5u
#define MSI_ENABLE        (1u << 16)
#define MSI_MANY_MASK     (7u << 20)
#define MSI_ADDRESS_64    (1u << 23)
#define NR_CAPABILITIES   48u
#define CAPABILITY_OFFSET 0xfcu

/* Calls visit for each function there is, until it returns true; whether it did. */
static bool for_each(bool (*visit)(struct pci_function function, void *context), void *context)
{
    for (unsigned i = 0; i < NR_BUSES * NR_DEVICES; i++) {
        struct pci_function at = { (uint8_t)(i / NR_DEVICES), (uint8_t)(i % NR_DEVICES), 0 };
        bool many;

        if (pci_read(at, CONFIG_ID) == UINT32_MAX) {
            continue;
        }
        many = (pci_read(at, CONFIG_HEADER) & HEADER_MANY) != 0;
        for (unsigned function = 0; function < (many ? NR_FUNCTIONS : 1); function++) {
            at.function = (uint8_t)function;
            if (pci_read(at, CONFIG_ID) != UINT32_MAX && visit(at, context)) {
                return true;
            }
        }
    }
    return false;
}

/* --- by class --- */

struct wanted {
    uint32_t class_code, number;
    struct pci_function *found;
};

static bool is_wanted(struct pci_function function, void *context)
{
    struct wanted *wanted = context;

    if (pci_read(function, CONFIG_CLASS) >> 8 != wanted->class_code) {
        return false;
    }
    *wanted->found = function;
    return wanted->number-- == 0;
}

bool pci_find(uint32_t class_code, uint32_t number, struct pci_function *found)
{
    struct wanted wanted = { class_code, number, found };

    return for_each(is_wanted, &wanted);
}

/* --- BARs --- */

static uint32_t bar_offset(unsigned bar)
{
    return CONFIG_BAR + bar * 4;
}

static void set_command(struct pci_function function, uint32_t set, uint32_t clear)
{
    uint32_t command = pci_read(function, CONFIG_COMMAND) & COMMAND_MASK;

    pci_write(function, CONFIG_COMMAND, (command & ~clear) | set);
}

static bool is_memory(uint32_t value, unsigned bar)
{
    uint32_t type = value & BAR_TYPE_MASK;

    return (value & BAR_PORTS) == 0 && (type == BAR_TYPE_32 || (type == BAR_TYPE_64 && bar < 5));
}

static uint64_t bar_address(struct pci_function function, unsigned bar, uint32_t low)
{
    uint64_t high =
        (low & BAR_TYPE_MASK) == BAR_TYPE_64 ? pci_read(function, bar_offset(bar + 1)) : 0;

    return (low & ~BAR_FLAGS) | high << 32;
}

/* 6.2.5.1: what stays 0 of ones is what the function decodes. Larger than 4 GiB reads as 0. */
static uint64_t bar_bytes(struct pci_function function, unsigned bar, uint32_t low)
{
    uint32_t mask;

    pci_write(function, bar_offset(bar), UINT32_MAX);
    mask = pci_read(function, bar_offset(bar)) & ~BAR_FLAGS;
    pci_write(function, bar_offset(bar), low);
    return mask == 0 ? 0 : (uint64_t)(~mask) + 1;
}

bool pci_memory(struct pci_function function, unsigned bar, uint64_t *address, uint64_t *bytes)
{
    uint32_t low = pci_read(function, bar_offset(bar));

    set_command(function, 0, COMMAND_MEMORY | COMMAND_MASTER);
    if (!is_memory(low, bar)) {
        return false;
    }
    *address = bar_address(function, bar, low);
    *bytes = bar_bytes(function, bar, low);
    return *address != 0 && *address % PAGE_BYTES == 0 && *bytes >= BAR_MIN_BYTES;
}

struct pages {
    struct pci_function owner;
    unsigned bar;
    uint64_t start, end;
};

static bool is_same(struct pci_function a, struct pci_function b)
{
    return a.bus == b.bus && a.device == b.device && a.function == b.function;
}

/* A bridge has two BARs; what lies behind it has its own. */
static unsigned nr_bars(struct pci_function function)
{
    uint32_t type = HEADER_TYPE(pci_read(function, CONFIG_HEADER));

    return type == 0 ? 6 : type == 1 ? 2 : 0;
}

static bool intrudes(struct pci_function function, void *context)
{
    const struct pages *pages = context;
    unsigned count = nr_bars(function);

    for (unsigned bar = 0; bar < count; bar++) {
        uint32_t low = pci_read(function, bar_offset(bar));
        uint64_t address;

        if (!is_memory(low, bar)) {
            continue;
        }
        address = bar_address(function, bar, low);
        if (address >= pages->start && address < pages->end &&
            !(bar == pages->bar && is_same(function, pages->owner))) {
            return true;
        }
        bar += (low & BAR_TYPE_MASK) == BAR_TYPE_64;
    }
    return false;
}

bool pci_is_alone(struct pci_function function, unsigned bar, uint64_t address, uint64_t bytes)
{
    uint64_t rounded = (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
    struct pages pages = { function, bar, address, address + rounded };

    return !for_each(intrudes, &pages);
}

/* --- messages --- */

/* Where it is in configuration space, or 0. */
static uint32_t find_msi(struct pci_function function)
{
    uint32_t at;

    if ((pci_read(function, CONFIG_COMMAND) & STATUS_CAPABLE) == 0) {
        return 0;
    }
    at = pci_read(function, CONFIG_CAPABLE) & CAPABILITY_OFFSET;
    for (unsigned i = 0; i < NR_CAPABILITIES && at != 0; i++) {
        uint32_t header = pci_read(function, at);

        if ((header & 0xff) == CAPABILITY_MSI) {
            return at;
        }
        at = header >> 8 & CAPABILITY_OFFSET;
    }
    return 0;
}

bool pci_can_send(struct pci_function function)
{
    return find_msi(function) != 0;
}

void pci_set_message(struct pci_function function, uint64_t address, uint16_t data)
{
    uint32_t at = find_msi(function);
    uint32_t control = pci_read(function, at);

    if (at == 0 || at > 0xf0) {
        return;
    }
    pci_write(function, at + 4, (uint32_t)address);
    if ((control & MSI_ADDRESS_64) != 0) {
        pci_write(function, at + 8, (uint32_t)(address >> 32));
        pci_write(function, at + 12, data);
    } else {
        pci_write(function, at + 8, data);
    }
    pci_write(function, at, (control & ~MSI_MANY_MASK) | MSI_ENABLE);
}

void pci_switch_on(struct pci_function function)
{
    set_command(function, COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_PIN, 0);
}
