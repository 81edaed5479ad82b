/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What init needs of the PCI bus: finding a function by its class, where the memory of a BAR is,
 * message-signalled interrupts, and switching it on. Pure but for the two functions at the end.
 *
 * Trust    a function may claim anything: walks are bounded, what a BAR says is checked before it
 *          is used
 * Sources  PCI Local Bus Specification 3.0: 3.2.2.3 "Configuration Space Decoding", chapter 6
 */
#ifndef USER_INIT_PCI_H
#define USER_INIT_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_CONFIG_ADDRESS 0xcf8u
#define PCI_CONFIG_DATA    0xcfcu

struct pci_function {
    uint8_t bus, device, function;
};

/* Function `number` (from 0) of those with this class code. */
bool pci_find(uint32_t class_code, uint32_t number, struct pci_function *found);

/*
 * The memory of a BAR, which is not smaller than 256 bytes. False if the BAR has none, or does not
 * begin a page. The function decodes nothing while it is asked, and is left like that.
 */
bool pci_memory(struct pci_function function, unsigned bar, uint64_t *address, uint64_t *bytes);
/* Whether no other BAR of any function has an address in these pages. */
bool pci_is_alone(struct pci_function function, unsigned bar, uint64_t address, uint64_t bytes);

/* Has the function send `data` to `address` for its interrupts. False: it has no such messages. */
bool pci_can_send(struct pci_function function);
void pci_set_message(struct pci_function function, uint64_t address, uint16_t data);
/* Memory and bus mastering on, the interrupt pin off. */
void pci_switch_on(struct pci_function function);

/* --- devices.c; a model in host tests --- */

/* offset: a multiple of 4 below 256. */
uint32_t pci_read(struct pci_function function, uint32_t offset);
void pci_write(struct pci_function function, uint32_t offset, uint32_t value);

/* What goes to PCI_CONFIG_ADDRESS. */
static inline uint32_t pci_config_address(struct pci_function function, uint32_t offset)
{
    return 1u << 31 | (uint32_t)function.bus << 16 | (uint32_t)function.device << 11 |
           (uint32_t)function.function << 8 | offset;
}

#endif
