/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/baseline.h"

#include "lib/format.h"
#include "lib/string.h"
#include "user/vmm/config.h"

#define BIT(n) (1u << (n))
#define ALL    0xffffffffu

enum register_name { EBX, ECX, EDX };

struct feature {
    const char *name;
    uint32_t leaf;
    enum register_name in;
    unsigned bit;
    unsigned level;
};

/* OSFXSR and OSXSAVE of the source are CR4's bits: FXSR and XSAVE here. */
static const struct feature features[] = {
    { "FPU", 1, EDX, 0, 1 },
    { "CX8", 1, EDX, 8, 1 },
    { "CMOV", 1, EDX, 15, 1 },
    { "MMX", 1, EDX, 23, 1 },
    { "FXSR", 1, EDX, 24, 1 },
    { "SSE", 1, EDX, 25, 1 },
    { "SSE2", 1, EDX, 26, 1 },
    { "SYSCALL", 0x80000001, EDX, 11, 1 },
    { "SSE3", 1, ECX, 0, 2 },
    { "SSSE3", 1, ECX, 9, 2 },
    { "CMPXCHG16B", 1, ECX, 13, 2 },
    { "SSE4.1", 1, ECX, 19, 2 },
    { "SSE4.2", 1, ECX, 20, 2 },
    { "POPCNT", 1, ECX, 23, 2 },
    { "LAHF-SAHF", 0x80000001, ECX, 0, 2 },
    { "FMA", 1, ECX, 12, 3 },
    { "MOVBE", 1, ECX, 22, 3 },
    { "XSAVE", 1, ECX, 26, 3 },
    { "AVX", 1, ECX, 28, 3 },
    { "F16C", 1, ECX, 29, 3 },
    { "BMI1", 7, EBX, 3, 3 },
    { "AVX2", 7, EBX, 5, 3 },
    { "BMI2", 7, EBX, 8, 3 },
    { "LZCNT", 0x80000001, ECX, 5, 3 },
};

/* Leaf 1, EDX, and its copies in leaf 0x80000001: VME DE PSE TSC MSR PAE MCE APIC MTRR PGE MCA PAT
 * PSE36; of leaf 1 SEP and CLFSH, too; of the other one NX, LM and the copies of FPU to FXSR. */
#define KERNEL_COMMON   (0x000372feu)
#define KERNEL_BASIC    (KERNEL_COMMON | BIT(11) | BIT(19))
#define COPIES          (BIT(0) | BIT(8) | BIT(15) | BIT(23) | BIT(24))
#define KERNEL_EXTENDED (KERNEL_COMMON | COPIES | BIT(20) | BIT(29))
#define MD_CLEAR        BIT(10) /* leaf 7, EDX */

/* What has nothing to do with the level. */
static struct cpuid_registers kernel_mask(unsigned level, uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 1:
        return (struct cpuid_registers){ ALL, ALL, 0, KERNEL_BASIC };
    case 7:
        return (struct cpuid_registers){ 0, 0, 0, MD_CLEAR };
    case 0xd: /* there if XSAVE is; its further forms (subleaf 1) are in no level */
        return level < 3 || subleaf == 1 ? (struct cpuid_registers){ 0 }
                                         : (struct cpuid_registers){ ALL, ALL, ALL, ALL };
    case 0x80000001:
        return (struct cpuid_registers){ ALL, 0, 0, KERNEL_EXTENDED };
    case 0x80000008:
        return (struct cpuid_registers){ ALL, 0, ALL, ALL };
    default:
        return (struct cpuid_registers){ ALL, ALL, ALL, ALL };
    }
}

static uint32_t *register_of(struct cpuid_registers *value, enum register_name in)
{
    return in == EBX ? &value->ebx : in == ECX ? &value->ecx : &value->edx;
}

void baseline_limit(unsigned level, uint32_t leaf, uint32_t subleaf, struct cpuid_registers *value)
{
    struct cpuid_registers mask = kernel_mask(level, leaf, subleaf);

    if (level == VMM_BASELINE_HOST) {
        return;
    }
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        if (features[i].leaf == leaf && features[i].level <= level) {
            *register_of(&mask, features[i].in) |= BIT(features[i].bit);
        }
    }
    value->eax &= mask.eax;
    value->ebx &= mask.ebx;
    value->ecx &= mask.ecx;
    value->edx &= mask.edx;
}

static bool has(cpuid_source *source, const struct feature *feature)
{
    struct cpuid_registers value;

    source(feature->leaf & 0x80000000, 0, &value);
    if (value.eax < feature->leaf) {
        return false;
    }
    source(feature->leaf, 0, &value);
    return (*register_of(&value, feature->in) & BIT(feature->bit)) != 0;
}

bool baseline_is_there(unsigned level, cpuid_source *source, char *text, size_t bytes)
{
    bool there = true;

    format_text(text, bytes, "the processor is no x86-64-v%u; it lacks", level);
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        if (features[i].level <= level && !has(source, &features[i])) {
            size_t length = strlen(text);

            format_text(text + length, bytes - length, "%s %s", there ? "" : ",", features[i].name);
            there = false;
        }
    }
    return there;
}
