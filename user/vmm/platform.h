/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small rest of the PC platform: the two interrupt controllers of the 8259 kind (present so
 * that systems find them, never delivering), ACPI's PM1 block, the reset ports, port 0x61, the
 * panic device, and the address register of PCI's configuration mechanism 1.
 *
 * Locking  LOCK_PLATFORM of vm.h, held by the caller
 * Errors   none: every access is answered; what is absent reads as all ones
 * Sources  Intel 8259A data sheet; ACPI 6.4 section 4.8 "ACPI hardware register model"; PCI local
 *          bus specification 3.0 section 3.2.2.3.2 "Configuration mechanism 1"; QEMU, docs/specs/
 *          pvpanic
 */
#ifndef USER_VMM_PLATFORM_H
#define USER_VMM_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

/* What an access asks of the whole VM. */
enum platform_request {
    PLATFORM_NONE,
    PLATFORM_POWEROFF,
    PLATFORM_RESET,
};

/* Where it is. The ACPI tables (acpi.c, dsdt.asl) say the same. */
#define PM1_EVENT_PORT   0x600u /* status, enable: two bytes each */
#define PM1_CONTROL_PORT 0x604u
#define PM1_PORTS        6u
#define SCI_PIN          9u
#define PANIC_PORT       0x505u
#define RESET_PORT       0xcf9u
#define RESET_VALUE      0x06u
#define SLEEP_TYPE_S5    5u

struct pic {
    uint8_t mask, vector_base, init_step;
    bool read_service;
};

struct platform {
    struct pic pics[2];
    uint16_t pm1_status, pm1_enable, pm1_control;
    uint8_t port_61, reset_control;
    uint32_t pci_address;
};

void platform_reset(struct platform *platform);

/* index 0 or 1; port 0 (command) or 1 (mask) */
uint8_t pic_read(const struct platform *platform, unsigned index, unsigned port);
void pic_write(struct platform *platform, unsigned index, unsigned port, uint8_t value);

/* The events of the panic device, which a read says that it knows of. */
#define PANIC_PANICKED 1u
#define PANIC_CRASHED  2u /* a kernel for crashes takes over: the VM goes on */

/* offset < PM1_PORTS, size 1, 2 or 4 */
uint32_t pm1_read(const struct platform *platform, unsigned offset, unsigned size);
enum platform_request pm1_write(struct platform *platform, unsigned offset, unsigned size,
                                uint32_t value);

/* What ports 0xcfc - 0xcff are about; false: nothing. */
struct pci_target {
    uint32_t function; /* bus, device, function in 16 bits */
    uint32_t offset;
};
bool pci_port_target(const struct platform *platform, struct pci_target *target);

/* Ports 0xcf8 - 0xcfb. */
uint32_t pci_port_read(const struct platform *platform, unsigned offset, unsigned size);
enum platform_request pci_port_write(struct platform *platform, unsigned offset, unsigned size,
                                     uint32_t value);

/* Ports 0x60, 0x61, 0x64 and 0x92. */
uint8_t board_read(const struct platform *platform, unsigned port);
enum platform_request board_write(struct platform *platform, unsigned port, uint8_t value);

#endif
