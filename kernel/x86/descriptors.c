/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/descriptors.h"

#include "kernel/core/core.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/context.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/traps.h"

/* --- stacks ---------------------------------------------------------------------------------- */

#define EMERGENCY_STACK_BYTES 4096
#define NR_EMERGENCY_STACKS   3

/* First in the kernel's data (link.ld), so that below the first one lie constants. */
u8 kernel_stacks[CONFIG_MAX_CORES][CONFIG_KERNEL_STACK_BYTES]
    __attribute__((aligned(16), section(".stacks")));

/* For what may come at any instruction, the entry stubs' first ones too. */
static u8 emergency_stacks[CONFIG_MAX_CORES][NR_EMERGENCY_STACKS][EMERGENCY_STACK_BYTES]
    __attribute__((aligned(16)));

/* --- segments -------------------------------------------------------------------------------- */

#define SEGMENT_KERNEL_CODE 0x00af9b000000ffffull
#define SEGMENT_DATA        0x00cf93000000ffffull
#define SEGMENT_USER_DATA   0x00cff3000000ffffull
#define SEGMENT_USER_CODE   0x00affb000000ffffull
#define SEGMENT_TSS         0x0000890000000000ull

struct task_state {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3;
    u16 io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct task_state) == 104, "SDM volume 3, section 8.7");

struct segments {
    u64 null, unused_8, kernel_code, kernel_data, unused_20, user_data, user_code;
    u64 tss_low, tss_high;
};
_Static_assert(offsetof(struct segments, tss_low) == SELECTOR_TSS, "context.h");
_Static_assert(offsetof(struct segments, user_code) == (SELECTOR_USER_CS & ~3), "context.h");

static struct task_state task_states[CONFIG_MAX_CORES];
static struct segments segments[CONFIG_MAX_CORES];

struct table_pointer {
    u16 limit;
    const void *base;
} __attribute__((packed));

static u64 tss_low(const struct task_state *tss)
{
    u64 base = (u64)(uintptr_t)tss;

    return SEGMENT_TSS | (sizeof(*tss) - 1) | (base & MASK(24)) << 16 | (base >> 24 & 0xff) << 56;
}

static void segments_init(unsigned core)
{
    struct task_state *tss = &task_states[core];

    /* No I/O map: user code has no ports at all. */
    tss->io_map = sizeof(*tss);
    tss->rsp[0] = cores[core].kernel_stack;
    for (unsigned i = 0; i < NR_EMERGENCY_STACKS; i++)
        tss->ist[i] = (u64)(uintptr_t)emergency_stacks[core][i] + EMERGENCY_STACK_BYTES;

    segments[core] = (struct segments){
        .kernel_code = SEGMENT_KERNEL_CODE,
        .kernel_data = SEGMENT_DATA,
        .user_data = SEGMENT_USER_DATA,
        .user_code = SEGMENT_USER_CODE,
        .tss_low = tss_low(tss),
        .tss_high = (u64)(uintptr_t)tss >> 32,
    };

    struct table_pointer gdt = { sizeof(segments[core]) - 1, &segments[core] };

    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %2, %%ss\n\t"
                     "xorl %%eax, %%eax\n\t"
                     "movl %%eax, %%ds\n\t"
                     "movl %%eax, %%es\n\t"
                     "movl %%eax, %%fs\n\t"
                     "movl %%eax, %%gs\n\t"
                     "lldt %%ax\n\t"
                     "ltr %3"
                     :
                     : "m"(gdt), "i"(SELECTOR_KERNEL_CS), "r"(SELECTOR_KERNEL_DS),
                       "r"((u16)SELECTOR_TSS)
                     : "rax", "memory");
    wrmsr(MSR_GS_BASE, (u64)(uintptr_t)&cores[core]);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}

/* --- interrupt descriptors ------------------------------------------------------------------- */

#define GATE_INTERRUPT 0x8e00ull /* present, interrupts off */
#define GATE_USER      0x6000ull /* privilege level 3 may call it */

enum vector {
    VECTOR_NMI = 2,
    VECTOR_BREAKPOINT = 3,
    VECTOR_DOUBLE_FAULT = 8,
    VECTOR_MACHINE_CHECK = 18,
};

struct gate {
    u64 low, high;
};

static struct gate gates[256];

static unsigned emergency_stack_of(unsigned vector)
{
    return vector == VECTOR_DOUBLE_FAULT    ? 1
           : vector == VECTOR_NMI           ? 2
           : vector == VECTOR_MACHINE_CHECK ? 3
                                            : 0;
}

static bool user_may_call(unsigned vector)
{
    return vector == VECTOR_BREAKPOINT || vector >= VECTOR_UNKNOWN_SYSCALL;
}

static void gates_init(void)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        u64 stub = (u64)(uintptr_t)(trap_stubs + vector * TRAP_STUB_BYTES);

        gates[vector].low = (stub & 0xffff) | (u64)SELECTOR_KERNEL_CS << 16 |
                            (u64)emergency_stack_of(vector) << 32 | GATE_INTERRUPT << 32 |
                            (user_may_call(vector) ? GATE_USER << 32 : 0) |
                            (stub & 0xffff0000) << 32;
        gates[vector].high = stub >> 32;
    }
}

/* --- system calls ---------------------------------------------------------------------------- */

/* SYSRET makes CS and SS from this by adding 16 and 8. */
#define STAR_SYSRET_BASE (SELECTOR_USER_CS - 16)
/*
 * Every flag that a user thread can set; bit for bit what Linux 6.1 has there, for the same reason
 * as the selectors' order.
 */
#define SYSCALL_FLAGS_OFF 0x257fd5ull
_Static_assert(STAR_SYSRET_BASE + 8 == SELECTOR_USER_DS, "SYSRET's order of segments");
_Static_assert(SELECTOR_KERNEL_CS + 8 == SELECTOR_KERNEL_DS, "SYSCALL's order of segments");

static void syscall_init(void)
{
    wrmsr(MSR_STAR, (u64)SELECTOR_KERNEL_CS << 32 | (u64)STAR_SYSRET_BASE << 48);
    wrmsr(MSR_LSTAR, (u64)(uintptr_t)syscall_entry);
    wrmsr(MSR_CSTAR, (u64)(uintptr_t)syscall_entry_32);
    wrmsr(MSR_SFMASK, SYSCALL_FLAGS_OFF);
    if (cpu.vendor == CPU_INTEL)
        wrmsr(MSR_SYSENTER_CS, 0); /* SYSENTER faults */
}

void descriptors_init_core(unsigned core)
{
    cores[core].kernel_stack = (u64)(uintptr_t)kernel_stacks[core] + CONFIG_KERNEL_STACK_BYTES;
    segments_init(core);
    if (core == 0)
        gates_init();

    struct table_pointer idt = { sizeof(gates) - 1, gates };

    __asm__ volatile("lidt %0" : : "m"(idt) : "memory");
    syscall_init();
}
