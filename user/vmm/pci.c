/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/pci.h"

#include "lib/bits.h"
#include "lib/string.h"

#define FIRST_CAPABILITY 0x40u
/* Parity and SERR are remembered, memory and bus master used; there are no I/O BARs, no INTx. */
#define COMMAND_WRITABLE 0x0146u
#define BAR_FLAGS        0x0fu /* 32 bits, not prefetchable */

static void put(uint8_t *space, uint32_t offset, uint32_t value, unsigned bytes)
{
    memcpy(space + offset, &value, bytes);
}

static uint32_t get_u32(const uint8_t *space, uint32_t offset)
{
    uint32_t value;

    memcpy(&value, space + offset, sizeof(value));
    return value;
}

uint16_t pci_config_word(const struct pci_function *function, uint32_t offset)
{
    uint16_t value;

    memcpy(&value, function->config + offset, sizeof(value));
    return value;
}

/* --- making a function --- */

void pci_function_init(struct pci_function *function, const struct pci_ops *ops,
                       const struct pci_identity *identity)
{
    uint8_t *config = function->at_power_on;

    *function = (struct pci_function){ .ops = ops, .next_capability = FIRST_CAPABILITY };
    put(config, PCI_VENDOR, identity->vendor, 2);
    put(config, PCI_DEVICE, identity->device, 2);
    put(config, PCI_REVISION, identity->revision | identity->class_code << 8, 4);
    put(config, PCI_SUBSYSTEM_VENDOR, identity->subsystem_vendor, 2);
    put(config, PCI_SUBSYSTEM, identity->subsystem, 2);
    pci_function_power_on(function);
}

void pci_function_set_bar(struct pci_function *function, uint32_t address, uint32_t bytes)
{
    function->bar_bytes = bytes;
    put(function->at_power_on, PCI_BAR_0, address, 4);
    put(function->writable, PCI_BAR_0, ~(bytes - 1) & ~BAR_FLAGS, 4);
    put(function->writable, PCI_COMMAND, COMMAND_WRITABLE, 2);
    put(function->writable, PCI_INTERRUPT_LINE, 0xff, 1);
}

uint8_t pci_function_add_capability(struct pci_function *function, uint8_t *capability,
                                    const uint8_t *writable, uint8_t bytes)
{
    uint8_t *config = function->at_power_on;
    uint8_t at = function->next_capability;

    capability[1] = config[PCI_CAPABILITIES]; /* the newest comes first */
    config[PCI_CAPABILITIES] = at;
    config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    memcpy(config + at, capability, bytes);
    if (writable != NULL) {
        memcpy(function->writable + at, writable, bytes);
    }
    function->next_capability = (uint8_t)round_up_bits(at + bytes, 2);
    return at;
}

void pci_function_power_on(struct pci_function *function)
{
    memcpy(function->config, function->at_power_on, sizeof(function->config));
    __atomic_store_n(&function->window, PCI_NO_WINDOW, __ATOMIC_RELAXED);
    function->serve_at = PCI_NEVER;
}

/* --- configuration space --- */

/* I1 */
static void update_window(struct pci_function *function)
{
    bool on = function->bar_bytes != 0 &&
              (pci_config_word(function, PCI_COMMAND) & PCI_COMMAND_MEMORY) != 0;
    uint64_t window = on ? get_u32(function->config, PCI_BAR_0) & ~BAR_FLAGS : PCI_NO_WINDOW;

    __atomic_store_n(&function->window, window, __ATOMIC_RELAXED);
}

uint64_t pci_config_read(struct pci_function *function, uint32_t offset, unsigned size)
{
    uint64_t value = 0;

    if (function->ops != NULL) {
        function->ops->config_read(function, offset, size);
    }
    for (unsigned i = 0; i < size && offset + i < PCI_CONFIG_BYTES; i++) {
        value |= (uint64_t)function->config[offset + i] << (8 * i);
    }
    return value;
}

void pci_config_write(struct pci_function *function, uint32_t offset, unsigned size, uint64_t value,
                      struct interrupt_messages *out)
{
    for (unsigned i = 0; i < size && offset + i < PCI_CONFIG_BYTES; i++) {
        uint8_t mask = function->writable[offset + i];
        uint8_t *byte = &function->config[offset + i];

        *byte = (uint8_t)((*byte & ~mask) | (value >> (8 * i) & mask));
    }
    update_window(function);
    if (function->ops != NULL) {
        function->ops->config_written(function, offset, size, out);
    }
}

/* --- the bus --- */

void pci_bus_init(struct pci_bus *bus)
{
    /* The identity of the generic PCIe host bridge that emulators use. */
    static const struct pci_identity identity = {
        .vendor = 0x1b36,
        .device = 0x0008,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .class_code = 0x060000,
    };

    *bus = (struct pci_bus){ .slots = { &bus->host_bridge } };
    pci_function_init(&bus->host_bridge, NULL, &identity);
}

void pci_bus_add(struct pci_bus *bus, unsigned slot, struct pci_function *function)
{
    bus->slots[slot] = function;
    if (function->bar_bytes != 0) {
        bus->with_bar |= 1u << slot;
    }
}

void pci_bus_power_on(struct pci_bus *bus)
{
    for (unsigned i = 0; i < PCI_SLOTS; i++) {
        struct pci_function *function = bus->slots[i];

        if (function != NULL && function->ops != NULL) {
            function->ops->power_on(function);
        }
    }
}

bool pci_bus_find(const struct pci_bus *bus, uint32_t address, unsigned *slot)
{
    *slot = address >> 3; /* functions above 0, and buses, follow: they are not there */
    return (address & 7) == 0 && *slot < PCI_SLOTS && bus->slots[*slot] != NULL;
}

static uint64_t offset_in_window(const struct pci_function *function, uint64_t address)
{
    return address - __atomic_load_n(&function->window, __ATOMIC_RELAXED);
}

bool pci_bus_find_window(const struct pci_bus *bus, uint64_t address, unsigned *slot)
{
    for (uint32_t left = bus->with_bar; left != 0; left &= left - 1) {
        const struct pci_function *function = bus->slots[__builtin_ctz(left)];

        if (offset_in_window(function, address) < function->bar_bytes) {
            *slot = (unsigned)__builtin_ctz(left);
            return true;
        }
    }
    return false;
}

static bool is_inside(const struct pci_function *function, uint64_t offset, unsigned size)
{
    return offset < function->bar_bytes && size <= function->bar_bytes - offset;
}

uint64_t pci_bar_read(struct pci_function *function, uint64_t address, unsigned size)
{
    uint64_t offset = offset_in_window(function, address);

    return is_inside(function, offset, size) ? function->ops->read(function, (uint32_t)offset, size)
                                             : bits_mask(8 * size);
}

void pci_bar_write(struct pci_function *function, uint64_t address, unsigned size, uint64_t value,
                   struct interrupt_messages *out)
{
    uint64_t offset = offset_in_window(function, address);

    if (is_inside(function, offset, size)) {
        function->ops->write(function, (uint32_t)offset, size, value, out);
    }
}
