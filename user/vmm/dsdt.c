/* SPDX-License-Identifier: BSD-2-Clause */
/* The compiled DSDT: iasl makes it from dsdt.asl when the monitor is built. */
#include "user/vmm/vm_start.h"

static const uint8_t table[] = {
#include "user/vmm/dsdt.inc"
};

const uint8_t *const acpi_dsdt = table;
const uint32_t acpi_dsdt_bytes = sizeof(table);
