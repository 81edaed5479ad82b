/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel needs of a processor, and what it makes use of where it is there.
 * Needs are one list; what is merely useful has a fall-back that is said at boot where users
 * notice.
 */
#include "kernel/x86/cpu.h"

#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "lib/string.h"

struct cpu cpu;

enum cpuid_register { EAX, EBX, ECX, EDX };

struct cpu_feature {
    const char *name;
    u32 leaf;
    enum cpuid_register in;
    unsigned bit;
};

static const struct cpu_feature needed[] = {
    { "time-stamp counter (TSC)", 1, EDX, 4 },
    { "model-specific registers (MSR)", 1, EDX, 5 },
    { "local APIC (APIC)", 1, EDX, 9 },
    { "global pages (PGE)", 1, EDX, 13 },
    { "page attribute table (PAT)", 1, EDX, 16 },
    { "FXSAVE (FXSR)", 1, EDX, 24 },
    { "SSE2", 1, EDX, 26 },
    { "SYSCALL", 0x80000001, EDX, 11 },
};

static bool has(u32 leaf, enum cpuid_register in, unsigned bit)
{
    if (cpuid(leaf & 0x80000000u, 0).eax < leaf)
        return false;

    struct cpuid c = cpuid(leaf, 0);
    u32 value = in == EAX ? c.eax : in == EBX ? c.ebx : in == ECX ? c.ecx : c.edx;

    return value >> bit & 1;
}

static enum cpu_vendor vendor(void)
{
    struct cpuid c = cpuid(0, 0);
    u32 name[3] = { c.ebx, c.edx, c.ecx };

    if (memcmp(name, "GenuineIntel", sizeof(name)) == 0)
        return CPU_INTEL;
    if (memcmp(name, "AuthenticAMD", sizeof(name)) == 0 ||
        memcmp(name, "HygonGenuine", sizeof(name)) == 0)
        return CPU_AMD;
    return CPU_OTHER;
}

static unsigned physical_bits(void)
{
    if (cpuid(0x80000000u, 0).eax < 0x80000008u)
        return 36;
    return cpuid(0x80000008u, 0).eax & 0xff;
}

static NORETURN void halt_without(const char *name)
{
    print("Bulkhead cannot run on this processor: it lacks %s\n", name);
    for (;;)
        __asm__ volatile("cli; hlt");
}

void cpu_detect(void)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(needed); i++)
        if (!has(needed[i].leaf, needed[i].in, needed[i].bit))
            halt_without(needed[i].name);

    cpu.vendor = vendor();
    cpu.physical_bits = physical_bits();
    cpu.vmx = has(1, ECX, 5);
    cpu.x2apic = has(1, ECX, 21);
    cpu.tsc_deadline = has(1, ECX, 24);
    cpu.xsave = has(1, ECX, 26);
    cpu.fsgsbase = has(7, EBX, 0);
    cpu.smep = has(7, EBX, 7);
    cpu.smap = has(7, EBX, 20);
    cpu.svm = has(0x80000001u, ECX, 2);
    cpu.nx = has(0x80000001u, EDX, 20);
    cpu.pages_1g = has(0x80000001u, EDX, 26);
    cpu.rdtscp = has(0x80000001u, EDX, 27);
    cpu.fxsave_leaks = cpu.vendor != CPU_INTEL && !has(0x80000008u, EBX, 2);

    if (!cpu.xsave)
        print("no XSAVE: threads have x87 and SSE state by FXSAVE\n");
    if (!cpu.fsgsbase)
        print("no FSGSBASE: user programs cannot use RDFSBASE and WRFSBASE\n");
    if (!cpu.nx)
        print("no execute-never pages (NX)\n");
}

/*
 * Entries 0 to 3 and 5 to 7 as after reset; entry 4 write-combining, which the API's attribute
 * value 4 selects (ABI section 3).
 */
#define PAT_VALUE 0x0007040100070406ull

void cpu_init_core(void)
{
    u64 cr4 = CR4_DE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

    cr4 |= cpu.fsgsbase ? CR4_FSGSBASE : 0;
    cr4 |= cpu.xsave ? CR4_OSXSAVE : 0;
    cr4 |= cpu.smep ? CR4_SMEP : 0;
    cr4 |= cpu.smap ? CR4_SMAP : 0;
    wrmsr(MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | (cpu.nx ? EFER_NXE : 0));
    wrmsr(MSR_PAT, PAT_VALUE);
    write_cr4(cr4);
    write_cr0(CR0_PE | CR0_MP | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    if (cpu.xsave)
        write_xcr0(3);
    write_dr7(0x400);
}
