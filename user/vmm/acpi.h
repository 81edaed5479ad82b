/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables without firmware: RSDP, XSDT, FADT, FACS, MADT, MCFG and the DSDT of dsdt.asl,
 * written into guest RAM at ACPI_BASE. Full fixed hardware (not hardware-reduced): PM1 for
 * switching off, the reset register, no PM timer, no GPEs, no SMI.
 *
 *      ACPI_BASE         RSDP          found by its address in the zero page, or by scanning
 *      + 0x40            FACS          64-byte aligned
 *      + 0x80 ...        the others, each 16-byte aligned
 *
 * mailbox: the MADT announces mailbox.h.
 *
 * Errors   false if the tables do not fit in ACPI_BYTES or RAM
 * Sources  ACPI specification 6.4 ch. 5; PCI firmware specification 3.0 ch. 4 (MCFG)
 */
#ifndef USER_VMM_ACPI_H
#define USER_VMM_ACPI_H

#include "user/vmm/guest_ram.h"

#define ACPI_BASE  0xe0000ull
#define ACPI_BYTES 0x18000ull

/* PCI configuration space in memory: bus 0 only. */
#define ECAM_BASE  0xe0000000ull
#define ECAM_BYTES 0x00100000ull

bool acpi_write_tables(const struct guest_ram *ram, const uint8_t *dsdt, uint32_t dsdt_bytes,
                       unsigned nr_vcpus, bool mailbox);

#endif
