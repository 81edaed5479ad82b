/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host for the monitor's code in tests: VCPU fields in an array, a console that swallows and
 * says what it is told, a TSC that the test sets, a processor for CPUID, and a VM with RAM.
 */
#ifndef TESTS_UNIT_VMM_FAKE_HOST_H
#define TESTS_UNIT_VMM_FAKE_HOST_H

#include "user/vmm/vm_start.h"

#define FAKE_RAM_BYTES (64ull << 20)
#define FAKE_BOOT_TIME 2000000000ull
#define FAKE_MAX_SENT  65536u

struct fake_host {
    uint64_t tsc;
    uint8_t sent[FAKE_MAX_SENT]; /* what came to the console */
    unsigned nr_sent;
    const char *input;      /* what is typed there */
    bool console_busy;      /* takes nothing */
    bool console_waits;     /* a signal came that it has not seen */
    uint64_t refused_field; /* writes to it fail */
    unsigned nr_field_reads;
    bool virtual_apic; /* the processor can have the local APIC */
    unsigned kicks[VMM_MAX_VCPUS], yields[VMM_MAX_VCPUS];
    unsigned disk_signals[VMM_MAX_DISKS];
};

extern struct fake_host fake_host;

/* A processor like the emulators' EPYC. */
void fake_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *value);
/* A fresh VM with FAKE_RAM_BYTES, in power-on state without a kernel loaded. */
struct vm *fake_vm_make(void);
/* Those that take turns on a core, from the next power-on of the VM's only on. */
void fake_vm_set_yielding(uint32_t vcpus);
/* At once. */
void fake_vm_set_watchdog(uint32_t milliseconds);
/* VMM_FLAG_..., until the next fake_vm_make. */
void fake_vm_set_flags(uint32_t flags);
struct vm *fake_vm_make_vcpus(unsigned nr_vcpus);
/* Again into power-on state. */
void fake_vm_power_on(struct vm *vm);
void fake_vm_free(struct vm *vm);
/* The console's turn: takes output, gives input as far as there is room. */
void fake_console(void);
/* It takes so much, though it is busy. */
void fake_console_take(unsigned bytes);
/* Somebody there wants to see counters. */
void fake_console_ask(void);
/* Field of vCPU 0 as last written. */
uint64_t fake_field(uint64_t field);
void fake_set_field(uint64_t field, uint64_t value);

#endif
