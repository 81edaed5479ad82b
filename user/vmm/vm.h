/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One virtual machine: memory, the devices that all its vCPUs share, and the vCPUs.
 *
 * Objects     one, static in main.c; made by vm_init(), put into its power-on state by
 * vm_power_on() Invariants  I1  stop.report is 0 while the guest runs Locking     one thread in
 * this version. What several vCPU threads will share is in this structure, what they will not is in
 * struct vcpu.
 */
#ifndef USER_VMM_VM_H
#define USER_VMM_VM_H

#include "user/vmm/cmos.h"
#include "user/vmm/config.h"
#include "user/vmm/console.h"
#include "user/vmm/guest_ram.h"
#include "user/vmm/ioapic.h"
#include "user/vmm/platform.h"
#include "user/vmm/uart.h"
#include "user/vmm/vcpu.h"

#define SERIAL_PORT 0x3f8u
#define SERIAL_PIN  4u

/* Ports below this are looked up in a byte table; above it is nothing. */
#define VM_NR_PORTS 0x1000u

/* Why the VM does not go on. */
struct vm_stop {
    uint32_t report; /* enum vmm_report, 0 = it runs */
    uint64_t cause;  /* enum vmm_stop_cause or exit reason */
    uint64_t detail;
    const char *text;
};

struct vm {
    const struct vmm_config *config;
    struct guest_ram ram;
    struct ioapic ioapic;
    struct platform platform;
    struct cmos cmos;
    struct uart uart;
    struct console console;
    struct vm_stop stop;
    uint32_t tsc_khz;
    uint64_t boot_time;
    uint64_t start_tsc; /* host TSC at which guest time is zero */
    unsigned nr_vcpus;
    struct vcpu vcpus[VMM_MAX_VCPUS];
    uint8_t port_device[VM_NR_PORTS]; /* index into the table in ports.c; 0 = nothing there */
};

/* Seconds since the VM was started. */
uint64_t vm_seconds(const struct vm *vm);

/* --- interrupts.c --- */

/* Delivers what an I/O APIC, an MSI or an IPI sends. */
void vm_deliver(struct vm *vm, const struct interrupt_message *message);
void vm_deliver_all(struct vm *vm, const struct interrupt_messages *messages);
void vm_set_line(struct vm *vm, unsigned pin, bool asserted);
/* What a local APIC wanted done after a register was written. False: #GP. */
bool vm_lapic_outcome(struct vm *vm, struct vcpu *vcpu, struct lapic_outcome outcome);

/* --- ports.c, mmio.c --- */

void ports_init(struct vm *vm);
/* size 1, 2 or 4 */
uint32_t port_read(struct vm *vm, uint16_t port, unsigned size);
void port_write(struct vm *vm, uint16_t port, unsigned size, uint32_t value);

/* The device registers at this address, or null. */
struct mmio_device;
const struct mmio_device *mmio_find(const struct vcpu *vcpu, gpa_t address);
uint64_t mmio_read(struct vcpu *vcpu, const struct mmio_device *device, gpa_t address,
                   unsigned size);
void mmio_write(struct vcpu *vcpu, const struct mmio_device *device, gpa_t address, unsigned size,
                uint64_t value);

/* --- serial.c: between the guest's port and the real one --- */

void serial_sync(struct vm *vm);

/* --- stopping --- */

void vm_request(struct vm *vm, enum platform_request request);
/* The guest cannot go on. text is a constant. */
enum vcpu_stop vm_crash(struct vm *vm, uint64_t cause, uint64_t detail, const char *text);

#endif
