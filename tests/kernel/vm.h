/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small virtual machine for tests: 2 MiB of memory at guest-physical 0, which we see at
 * vm->memory, and one VCPU, bound to the testing thread or another.
 *
 * Guest memory
 *      0x1000  64-bit page tables: 0x1000 PML4, 0x2000 PDPT, 0x3000 PD. Linear [0, 4 MiB) to
 * itself; the upper half of that is not there in guest-physical memory 0x4000  32-bit page
 * directory (4 MiB pages), same mapping 0x5000  PAE directory pointers, with the directory at
 * 0x3000 0x6000  interrupt descriptors, 0x6800 global descriptors 0x7ff0  stack, downwards 0x8000
 * code 0x10000 data, gs base; fs base is at 0x300000, where nothing is
 */
#ifndef TESTS_KERNEL_VM_H
#define TESTS_KERNEL_VM_H

#include <bulkhead/vcpu.h>

#include "abi/vmcs.h"
#include "tests/kernel/harness.h"

#define VM_MEMORY_BYTES (1ul << 21)
#define VM_GDT          0x6800
#define VM_IDT          0x6000
#define VM_STACK        0x7ff0
#define VM_CODE         0x8000
#define VM_DATA         0x10000
#define VM_HOLE         0x300000

enum vm_mode { VM_LONG, VM_COMPATIBILITY, VM_PAGED, VM_PAE, VM_PROTECTED, VM_REAL, VM_MODES };

struct vm {
    seL4_CPtr vcpu, ept, frame;
    volatile unsigned char *memory;
    seL4_Word primary; /* controls that every entry asks for */
};

/* Number n (0 .. 3) of the group; skips the group on a machine without virtualisation. */
void vm_create(struct vm *vm, unsigned n);
/* The thread runs this VM from now on. */
void vm_bind(struct vm *vm, seL4_CPtr tcb);
/* Guest state as after a loader: registers of the mode, rip at VM_CODE. */
void vm_set_mode(struct vm *vm, enum vm_mode mode);
/* Copies code to VM_CODE. */
void vm_load(struct vm *vm, const char *code, const char *end);
/* Present in every mode? Real and unpaged modes need help from the processor on VT-x. */
bool vm_mode_exists(enum vm_mode mode);

void vm_write(struct vm *vm, seL4_Word field, seL4_Word value);
seL4_Word vm_read(struct vm *vm, seL4_Word field);

static inline volatile seL4_Word *vm_word(struct vm *vm, seL4_Word address)
{
    return (volatile seL4_Word *)(vm->memory + address);
}

static inline volatile uint32_t *vm_word32(struct vm *vm, seL4_Word address)
{
    return (volatile uint32_t *)(vm->memory + address);
}

/*
 * Runs it by the calling thread, which it is bound to, from rip on. Returns the exit reason, or
 * VM_NOTIFIED. Further words are in *m and in our IPC buffer.
 */
#define VM_NOTIFIED 0x10000
seL4_Word vm_run(struct vm *vm, struct vmenter_message *m, seL4_Word rip);
/* The same with interruption information to inject. */
seL4_Word vm_run_inject(struct vm *vm, struct vmenter_message *m, seL4_Word rip, seL4_Word info);
/* The extended call; registers from our IPC buffer, deadline in ticks from now (0: none). */
seL4_Word vm_run_extended(struct vm *vm, struct vmenter_message *m, seL4_Word rip,
                          seL4_Word activity, seL4_Word deadline_us);

/* A word of the last exit, from 4 on. */
static inline seL4_Word exit_word(unsigned i)
{
    return seL4_GetMR((int)i);
}

#endif
