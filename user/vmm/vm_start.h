/* SPDX-License-Identifier: BSD-2-Clause */
/* Making a VM and putting it into its power-on state. For main.c and tests. */
#ifndef USER_VMM_VM_START_H
#define USER_VMM_VM_START_H

#include "user/vmm/vm.h"

/* The compiled dsdt.asl. */
extern const uint8_t *const acpi_dsdt;
extern const uint32_t acpi_dsdt_bytes;

/* What is wrong with the configuration, or null. */
const char *vm_check_config(const struct vmm_config *config);
/* vm is zeroed; its vCPUs' message and slots are the caller's to set. */
void vm_init(struct vm *vm, const struct vmm_config *config, void *ram, cpuid_source *cpuid);
/*
 * Disk n of the configuration, before the guest runs: on the bus once it is ready. Not ready yet:
 * to be asked again after the server's signal. Refused: vm->disks[n].client.facts.reason says why.
 */
void vm_init_disk(struct vm *vm, unsigned n, struct disk_channel *channel);
enum disk_state vm_start_disk(struct vm *vm, unsigned n);
/* Images and tables into memory, which is clear. What is wrong, or null. */
const char *vm_load(struct vm *vm, const struct linux_images *images);
/*
 * Devices and vCPUs into their state at power-on, as far as it is ours; no vCPU runs. Each thread
 * completes its own by vcpu_power_on().
 */
void vm_reset(struct vm *vm);

#endif
