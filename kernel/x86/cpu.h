/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processor's privileged instructions, one inline function each, its model-specific registers,
 * and what this machine's processor can do (cpu.c fills that in at boot; read-only afterwards).
 * Sources: Intel SDM volumes 2 to 4; AMD APM volumes 2 and 3, appendix "CPUID feature identifiers".
 */
#ifndef KERNEL_X86_CPU_H
#define KERNEL_X86_CPU_H

#include "kernel/core/memory.h"
#include "kernel/core/types.h"

/* --- control registers ----------------------------------------------------------------------- */

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_PG BIT(31)

#define CR4_DE         BIT(3)
#define CR4_PAE        BIT(5)
#define CR4_MCE        BIT(6)
#define CR4_PGE        BIT(7)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_VMXE       BIT(13)
#define CR4_FSGSBASE   BIT(16)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)

#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)

/* --- model-specific registers ---------------------------------------------------------------- */

#define MSR_APIC_BASE      0x1bu
#define MSR_SYSENTER_CS    0x174u
#define MSR_SYSENTER_ESP   0x175u
#define MSR_SYSENTER_EIP   0x176u
#define MSR_PAT            0x277u
#define MSR_TSC_DEADLINE   0x6e0u
#define MSR_X2APIC         0x800u /* + register offset / 16 */
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u
#define MSR_VM_CR          0xc0010114u /* AMD-V */
#define MSR_VM_HSAVE_PA    0xc0010117u

#define EFER_SCE  BIT(0)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_NXE  BIT(11)
#define EFER_SVME BIT(12)

#define VM_CR_SVM_DISABLED BIT(4)

static inline u64 rdmsr(u32 msr)
{
    u32 low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return low | (u64)high << 32;
}

static inline void wrmsr_halves(u32 msr, u32 low, u32 high)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"(low), "d"(high) : "memory");
}

static inline void wrmsr(u32 msr, u64 value)
{
    wrmsr_halves(msr, (u32)value, (u32)(value >> 32));
}

static inline u64 rdtsc(void)
{
    u32 low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (u64)high << 32;
}

/* --- CPUID ----------------------------------------------------------------------------------- */

struct cpuid {
    u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
    struct cpuid c;

    __asm__ volatile("cpuid"
                     : "=a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx)
                     : "a"(leaf), "c"(subleaf));
    return c;
}

enum cpu_vendor { CPU_OTHER, CPU_INTEL, CPU_AMD };

struct cpu {
    enum cpu_vendor vendor;
    unsigned physical_bits;
    bool nx, pages_1g, xsave, fsgsbase, smep, smap, rdtscp, x2apic, tsc_deadline, vmx, svm;
    bool fxsave_leaks; /* FXSAVE and XSAVE leave out x87 pointers unless an exception is pending */
};

extern struct cpu cpu;

/* Finds out what the processor can do; halts with one line that names what is missing. */
void cpu_detect(void);
/* Each core: control registers and MSRs that the kernel relies on, except paging's root. */
void cpu_init_core(void);

/* --- registers ------------------------------------------------------------------------------- */

#define CPU_REGISTER(name)                                                                         \
    static inline u64 read_##name(void)                                                            \
    {                                                                                              \
        u64 value;                                                                                 \
                                                                                                   \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");                        \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##name(u64 value)                                                     \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                            \
    }

CPU_REGISTER(cr0)
CPU_REGISTER(cr2)
CPU_REGISTER(cr3)
CPU_REGISTER(cr4)
CPU_REGISTER(cr8)
CPU_REGISTER(dr0)
CPU_REGISTER(dr1)
CPU_REGISTER(dr2)
CPU_REGISTER(dr3)
CPU_REGISTER(dr6)
CPU_REGISTER(dr7)

/* DR0 to DR3: breakpoint addresses. The kernel itself uses none. */
static inline void read_debug_registers(u64 dr[4])
{
    dr[0] = read_dr0();
    dr[1] = read_dr1();
    dr[2] = read_dr2();
    dr[3] = read_dr3();
}

static inline void write_debug_registers(const u64 dr[4])
{
    write_dr0(dr[0]);
    write_dr1(dr[1]);
    write_dr2(dr[2]);
    write_dr3(dr[3]);
}

static inline u64 read_xcr0(void)
{
    u32 low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low | (u64)high << 32;
}

static inline void write_xcr0(u64 value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline void clear_task_switched(void)
{
    __asm__ volatile("clts" : : : "memory");
}

static inline void invalidate_page(u64 vaddr)
{
    __asm__ volatile("invlpg (%0)" : : "r"(vaddr) : "memory");
}

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/* Makes SMAP effective: a user's AC flag suspends it, and traps do not clear that. */
static inline void forbid_user_access(void)
{
    if (cpu.smap)
        __asm__ volatile("clac" : : : "memory");
}

static inline u64 read_fs_base(void)
{
    u64 value;

    __asm__ volatile("rdfsbase %0" : "=r"(value));
    return value;
}

static inline void write_fs_base(u64 value)
{
    __asm__ volatile("wrfsbase %0" : : "r"(value) : "memory");
}

/*
 * The user's GS base waits in KERNEL_GS_BASE while the kernel runs: SWAPGS brings it out for a
 * moment.
 */
static inline u64 read_user_gs_base(void)
{
    u64 value;

    __asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(value) : : "memory");
    return value;
}

/* Returns the value before. */
static inline u64 exchange_user_gs_base(u64 value)
{
    u64 before;

    __asm__ volatile("swapgs; rdgsbase %0; wrgsbase %1; swapgs"
                     : "=&r"(before)
                     : "r"(value)
                     : "memory");
    return before;
}

static inline void write_user_gs_base(u64 value)
{
    __asm__ volatile("swapgs; wrgsbase %0; swapgs" : : "r"(value) : "memory");
}

/* --- addresses of the kernel's own image ----------------------------------------------------- */

#define KERNEL_BASE 0xffffffff80000000ULL

static inline hpa_t kernel_to_hpa(const void *pointer)
{
    return hpa((u64)(uintptr_t)pointer - KERNEL_BASE);
}

/* The same memory through the physical window. */
static inline void *kernel_to_window(const void *pointer)
{
    return hpa_to_ptr(kernel_to_hpa(pointer));
}

#endif
