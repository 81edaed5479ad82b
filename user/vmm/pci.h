/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI functions as the guest sees them: configuration space of 256 bytes, one memory BAR, a list of
 * capabilities; and the one bus that they are on, one function in each slot. The guest may move the
 * BAR anywhere, but is heard only inside the bus's window below 4 GiB, where there is never RAM.
 *
 * Objects     a device makes its function once and puts it on the bus before the guest runs
 * Invariants  I1  window is the BAR's address when memory decoding is on, otherwise PCI_NO_WINDOW
 * Locking     [c] constant while the guest runs; [a] atomic; the rest: the slot's lock, held by
 *             whoever calls, of which the device's callbacks are told nothing
 * Units       offsets in bytes; sizes of accesses 1, 2, 4 or 8
 * Errors      none: what is absent reads as all ones, what is read-only ignores writes
 * Sources     PCI local bus specification 3.0 ch. 6 "Configuration Space"; PCI Express base
 *             specification 7.2.2 "Enhanced configuration access mechanism"
 */
#ifndef USER_VMM_PCI_H
#define USER_VMM_PCI_H

#include "user/vmm/interrupt.h"

/* Where BARs may lie; dsdt.asl says the same. A power of two, aligned to itself. */
#define PCI_WINDOW_BASE  0x00c0000000ull
#define PCI_WINDOW_BYTES 0x0020000000ull

#define PCI_SLOTS        10u /* in use; the bus has 32 */
#define PCI_CONFIG_BYTES 256u
#define PCI_NO_WINDOW    (~0ull)
#define PCI_NEVER        (~0ull)

/* Offsets in configuration space. */
enum pci_register {
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08, /* and the class code above it */
    PCI_BAR_0 = 0x10,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_SUBSYSTEM = 0x2e,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
};

#define PCI_COMMAND_MEMORY      0x0002u
#define PCI_STATUS_CAPABILITIES 0x0010u
#define PCI_CAPABILITY_VENDOR   0x09u
#define PCI_CAPABILITY_MSIX     0x11u

struct pci_function;

/* What a device does about its function. Without a BAR ops may be null. */
struct pci_ops {
    /* Into the state at power-on, configuration space included; nothing is outstanding. */
    void (*power_on)(struct pci_function *function);
    /* What has come from outside, or was left: more than one access is to take is left for later.
     */
    void (*serve)(struct pci_function *function, struct interrupt_messages *out);
    bool (*has_work)(struct pci_function *function);
    /* The BAR's registers; the access lies inside of them. */
    uint64_t (*read)(struct pci_function *function, uint32_t offset, unsigned size);
    void (*write)(struct pci_function *function, uint32_t offset, unsigned size, uint64_t value,
                  struct interrupt_messages *out);
    /* Before configuration space is read there, and after it was written. */
    void (*config_read)(struct pci_function *function, uint32_t offset, unsigned size);
    void (*config_written)(struct pci_function *function, uint32_t offset, unsigned size,
                           struct interrupt_messages *out);
};

struct pci_function {
    const struct pci_ops *ops; /* [c] */
    uint32_t bar_bytes;        /* [c] a power of two, at least 16; 0: no BAR */
    uint64_t window;           /* [a] I1 */
    uint64_t serve_at; /* by the host's TSC: to be served then without being asked; or PCI_NEVER */
    uint8_t writable[PCI_CONFIG_BYTES];    /* [c] */
    uint8_t config[PCI_CONFIG_BYTES];      /* at present */
    uint8_t at_power_on[PCI_CONFIG_BYTES]; /* [c] */
    uint8_t next_capability;               /* [c] */
};

struct pci_identity {
    uint16_t vendor, device;
    uint16_t subsystem_vendor, subsystem;
    uint32_t class_code; /* 24 bits */
    uint8_t revision;
};

/* --- making a function: all of it is put into at_power_on --- */

void pci_function_init(struct pci_function *function, const struct pci_ops *ops,
                       const struct pci_identity *identity);
/* BAR 0; address: where firmware would have put it. */
void pci_function_set_bar(struct pci_function *function, uint32_t address, uint32_t bytes);
/*
 * A capability, whose second byte (the link) is filled in here, and which bits of it the guest may
 * write (null: none). Its offset. There is room for 192 bytes together.
 */
uint8_t pci_function_add_capability(struct pci_function *function, uint8_t *capability,
                                    const uint8_t *writable, uint8_t bytes);
void pci_function_power_on(struct pci_function *function);

/* --- configuration space --- */

uint16_t pci_config_word(const struct pci_function *function, uint32_t offset);
uint64_t pci_config_read(struct pci_function *function, uint32_t offset, unsigned size);
void pci_config_write(struct pci_function *function, uint32_t offset, unsigned size, uint64_t value,
                      struct interrupt_messages *out);

/* --- the bus --- */

struct pci_bus {
    struct pci_function *slots[PCI_SLOTS]; /* [c] null: empty */
    uint32_t with_bar;                     /* [c] a bit for each slot whose function has a BAR */
    struct pci_function host_bridge;       /* in slot 0 */
};

/* Makes the bus with the host bridge alone. */
void pci_bus_init(struct pci_bus *bus);
/* Before the VM runs; the function stays its owner's. */
void pci_bus_add(struct pci_bus *bus, unsigned slot, struct pci_function *function);
void pci_bus_power_on(struct pci_bus *bus);

/* A place among the slots: address is bus, device and function in 16 bits. False: nobody there. */
bool pci_bus_find(const struct pci_bus *bus, uint32_t address, unsigned *slot);
/* Whose BAR this guest physical address belongs to; no lock is needed. */
bool pci_bus_find_window(const struct pci_bus *bus, uint64_t address, unsigned *slot);
/* An access to a BAR, with the slot's lock: the BAR may have been moved away in between. */
uint64_t pci_bar_read(struct pci_function *function, uint64_t address, unsigned size);
void pci_bar_write(struct pci_function *function, uint64_t address, unsigned size, uint64_t value,
                   struct interrupt_messages *out);

#endif
