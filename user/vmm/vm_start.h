/* SPDX-License-Identifier: BSD-2-Clause */
/* Making a VM and putting it into its power-on state. For main.c and tests. */
#ifndef USER_VMM_VM_START_H
#define USER_VMM_VM_START_H

#include "user/vmm/linux_boot.h"
#include "user/vmm/vm.h"

/* The compiled dsdt.asl. */
extern const uint8_t *const acpi_dsdt;
extern const uint32_t acpi_dsdt_bytes;

/* What is wrong with the configuration, or null. */
const char *vm_check_config(const struct vmm_config *config);
/* vm is zeroed; its vCPUs' message and slots are the caller's to set. */
void vm_init(struct vm *vm, const struct vmm_config *config, void *ram, cpuid_source *cpuid);
/* Images and tables into memory, which is clear. What is wrong, or null. */
const char *vm_load(struct vm *vm, const struct linux_images *images, struct linux_entry *entry);
/* Devices and vCPUs into their state at power-on. False if the kernel refuses a part of it. */
bool vm_power_on(struct vm *vm, const struct linux_entry *entry);

#endif
