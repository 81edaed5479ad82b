/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/cpuid.h"

#include "user/vmm/baseline.h"
#include "user/vmm/x86.h"

#define BIT(n) (1u << (n))
#define ALL    0xffffffffu

/* Leaf 1, ECX: SSE3 PCLMUL SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C
 * RDRAND. Not: DTES64 MONITOR DS-CPL VMX SMX EST TM2 CNXT-ID SDBG xTPR PDCM DCA. */
#define F1C_PASS                                                                                   \
    (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(17) | BIT(19) | BIT(20) | BIT(22) |        \
     BIT(23) | BIT(25) | BIT(26) | BIT(28) | BIT(29) | BIT(30))
#define F1C_X2APIC       BIT(21)
#define F1C_TSC_DEADLINE BIT(24)
#define F1C_OSXSAVE      BIT(27)
#define F1C_HYPERVISOR   BIT(31)
/* Leaf 1, EDX: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX
 * FXSR SSE SSE2. Not: PSN DS ACPI SS TM PBE; HTT only with several vCPUs. */
#define F1D_PASS (0x078bfbffu)
#define F1D_HTT  BIT(28)

/* Leaf 7, EBX: FSGSBASE BMI1 AVX2 FDP-only SMEP BMI2 ERMS INVPCID no-FPU-CS/DS RDSEED ADX SMAP
 * CLFLUSHOPT CLWB SHA. Not: SGX HLE RTM PQM PQE MPX AVX-512 PT. */
#define F7B_PASS                                                                                   \
    (BIT(0) | BIT(3) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(9) | BIT(10) | BIT(13) | BIT(18) |  \
     BIT(19) | BIT(20) | BIT(23) | BIT(24) | BIT(29))
#define F7B_TSC_ADJUST BIT(1)
/* Leaf 7, ECX: UMIP GFNI VAES VPCLMULQDQ RDPID. Not: PKU WAITPKG CET LA57 KL ENQCMD PKS. */
#define F7C_PASS (BIT(2) | BIT(8) | BIT(9) | BIT(10) | BIT(22))
/* Leaf 7, EDX: FSRM MD_CLEAR SERIALIZE. Not: everything that comes with a speculation MSR. */
#define F7D_PASS (BIT(4) | BIT(10) | BIT(14))

/* Leaf 0xd, subleaf 1: XSAVEOPT XSAVEC XGETBV(1). Not XSAVES: IA32_XSS is not the guest's. */
#define FD1A_PASS (BIT(0) | BIT(1) | BIT(2))

/* Leaf 0x80000001, ECX: LAHF CR8-alias ABM SSE4A misaligned-SSE 3DNowPrefetch XOP FMA4 TBM.
 * Not: CMP_LEGACY SVM EXTAPIC OSVW IBS SKINIT WDT TCE NODEID TOPOEXT PERFCTR* DBX MWAITX. */
#define E1C_PASS (BIT(0) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(16) | BIT(21))
/* EDX: the copies of leaf 1, SYSCALL NX MMXEXT FXSR_OPT 1G RDTSCP LM 3DNowExt 3DNow. */
#define E1D_PASS                                                                                   \
    (0x0183f3ffu | BIT(11) | BIT(20) | BIT(22) | BIT(25) | BIT(26) | BIT(27) | BIT(29) | BIT(30) | \
     BIT(31))

/* What has to be filled in when the table is made. */
enum fill {
    FILL_NONE,
    FILL_MAX_BASIC,
    FILL_FEATURES, /* APIC ID, number of vCPUs; OSXSAVE for each query */
    FILL_TOPOLOGY, /* leaf 0xb */
    FILL_XSTATE,   /* size of the area for the present XCR0, for each query */
    FILL_XSTATE_1,
    FILL_FREQUENCY, /* leaf 0x40000010 */
    FILL_MAX_EXTENDED,
    FILL_SIZES, /* leaf 0x80000008 */
};

#define ANY 0xffffffffu

struct rule {
    uint32_t leaf, subleaf;
    enum fill fill;
    struct cpuid_registers pass; /* of the processor's answer */
    struct cpuid_registers set;  /* added */
};

#define MAX_BASIC    0xdu
#define MAX_EXTENDED 0x80000021u

#define KVM_CLOCKSOURCE        BIT(0)
#define KVM_NOP_IO_DELAY       BIT(1)
#define KVM_CLOCKSOURCE2       BIT(3)
#define KVM_PV_EOI             BIT(6)
#define KVM_PV_UNHALT          BIT(7)
#define KVM_PV_SEND_IPI        BIT(11)
#define KVM_CLOCKSOURCE_STABLE BIT(24)

/* A table: its columns say more than the usual layout. */
/* clang-format off */
static const struct rule rules[] = {
    /* leaf      subleaf  fill              pass: eax ebx ecx edx                       set */
    /* vendor; highest leaf: beyond 0xd are topology, trace, SGX, frequencies: none of it ours */
    { 0x00000000, ANY, FILL_MAX_BASIC,    { ALL, ALL, ALL, ALL },                   { 0 } },
    /* family, features */
    { 0x00000001, ANY, FILL_FEATURES,     { ALL, 0x0000ffff, F1C_PASS, F1D_PASS },
      { 0, 0, F1C_X2APIC | F1C_TSC_DEADLINE | F1C_HYPERVISOR, 0 } },
    /* caches and TLBs by descriptor (Intel) */
    { 0x00000002, ANY, FILL_NONE,         { ALL, ALL, ALL, ALL },                   { 0 } },
    /* caches (Intel): sizes; sharing between cores is not told */
    { 0x00000004, 0,   FILL_NONE,         { 0x000003ff, ALL, ALL, 0x7 },            { 0 } },
    { 0x00000004, 1,   FILL_NONE,         { 0x000003ff, ALL, ALL, 0x7 },            { 0 } },
    { 0x00000004, 2,   FILL_NONE,         { 0x000003ff, ALL, ALL, 0x7 },            { 0 } },
    { 0x00000004, 3,   FILL_NONE,         { 0x000003ff, ALL, ALL, 0x7 },            { 0 } },
    /* 5: MONITOR, absent. 6: the APIC timer never stops (ARAT); no thermal sensors, no APERF */
    { 0x00000006, ANY, FILL_NONE,         { 0 },                            { BIT(2), 0, 0, 0 } },
    /* structured features; subleaf 0 only */
    { 0x00000007, 0,   FILL_NONE,         { 0, F7B_PASS, F7C_PASS, F7D_PASS },
      { 0, F7B_TSC_ADJUST, 0, 0 } },
    /* a: performance counters, absent. b: topology, ours */
    { 0x0000000b, 0,   FILL_TOPOLOGY,     { 0 },                                    { 0 } },
    { 0x0000000b, 1,   FILL_TOPOLOGY,     { 0 },                                    { 0 } },
    /* extended state: x87, SSE, AVX */
    { 0x0000000d, 0,   FILL_NONE,         { 0x7, 0, 0, 0 },                         { 0 } },
    { 0x0000000d, 1,   FILL_NONE,         { FD1A_PASS, 0, 0, 0 },                   { 0 } },
    { 0x0000000d, 2,   FILL_NONE,         { ALL, ALL, ALL, 0 },                     { 0 } },

    /* "KVMKVMKVM": the paravirtual clock and what paravirt.c does */
    { 0x40000000, ANY, FILL_NONE,         { 0 },
      { 0x40000010, 0x4b4d564b, 0x564b4d56, 0x4d } },
    { 0x40000001, ANY, FILL_NONE,         { 0 },
      { KVM_CLOCKSOURCE | KVM_NOP_IO_DELAY | KVM_CLOCKSOURCE2 | KVM_CLOCKSOURCE_STABLE |
            KVM_PV_EOI | KVM_PV_UNHALT | KVM_PV_SEND_IPI, 0, 0, 0 } },
    /* frequencies of the TSC and of the APIC timer in kHz */
    { 0x40000010, ANY, FILL_FREQUENCY,    { 0 },                                    { 0 } },

    { 0x80000000, ANY, FILL_MAX_EXTENDED, { ALL, ALL, ALL, ALL },                   { 0 } },
    { 0x80000001, ANY, FILL_NONE,         { ALL, 0, E1C_PASS, E1D_PASS },           { 0 } },
    /* name */
    { 0x80000002, ANY, FILL_NONE,         { ALL, ALL, ALL, ALL },                   { 0 } },
    { 0x80000003, ANY, FILL_NONE,         { ALL, ALL, ALL, ALL },                   { 0 } },
    { 0x80000004, ANY, FILL_NONE,         { ALL, ALL, ALL, ALL },                   { 0 } },
    /* caches and TLBs (AMD) */
    { 0x80000005, ANY, FILL_NONE,         { ALL, ALL, ALL, ALL },                   { 0 } },
    { 0x80000006, ANY, FILL_NONE,         { ALL, ALL, ALL, ALL },                   { 0 } },
    /* the TSC is invariant: said even of an emulated processor that is so, but does not say it */
    { 0x80000007, ANY, FILL_NONE,         { 0 },                            { 0, 0, 0, BIT(8) } },
    /* address widths (48-bit linear: we walk four levels); CLZERO, XSAVEERPTR, WBNOINVD */
    { 0x80000008, ANY, FILL_SIZES,        { 0x000000ff, BIT(0) | BIT(2) | BIT(9), 0, 0 },
      { 48 << 8, 0, 0, 0 } },
    /* a: SVM, absent. 19: TLBs for 1G pages, 1a: optimisation hints */
    { 0x80000019, ANY, FILL_NONE,         { ALL, ALL, 0, 0 },                       { 0 } },
    { 0x8000001a, ANY, FILL_NONE,         { 0x7, 0, 0, 0 },                         { 0 } },
    /* LFENCE serialises, null selector clears the base */
    { 0x80000021, ANY, FILL_NONE,         { BIT(2) | BIT(6), 0, 0, 0 },             { 0 } },
};
/* clang-format on */

_Static_assert(sizeof(rules) / sizeof(rules[0]) <= CPUID_MAX_ENTRIES, "the table holds all rules");

static void fill_topology(struct cpuid_entry *entry, const struct cpuid_parameters *parameters)
{
    uint32_t shift = 0;

    while (1u << shift < parameters->nr_vcpus) {
        shift++;
    }
    /* One thread in each core, all cores in one package. */
    entry->value.eax = entry->subleaf == 0 ? 0 : shift;
    entry->value.ebx = entry->subleaf == 0 ? 1 : parameters->nr_vcpus;
    entry->value.ecx = entry->subleaf | (entry->subleaf + 1) << 8;
    entry->value.edx = parameters->apic_id;
}

static void fill(struct cpuid_entry *entry, enum fill how, const struct cpuid_registers *host,
                 const struct cpuid_parameters *parameters)
{
    switch (how) {
    case FILL_MAX_BASIC:
        entry->value.eax = host->eax < MAX_BASIC ? host->eax : MAX_BASIC;
        break;
    case FILL_MAX_EXTENDED:
        entry->value.eax = host->eax < MAX_EXTENDED ? host->eax : MAX_EXTENDED;
        break;
    case FILL_FEATURES:
        entry->value.ebx |= parameters->apic_id << 24 | (parameters->nr_vcpus & 0xff) << 16;
        if (parameters->nr_vcpus > 1) {
            entry->value.edx |= F1D_HTT;
        }
        break;
    case FILL_TOPOLOGY:
        fill_topology(entry, parameters);
        break;
    case FILL_FREQUENCY:
        entry->value.eax = parameters->tsc_khz;
        entry->value.ebx = parameters->tsc_khz; /* the APIC timer counts TSC ticks */
        break;
    case FILL_SIZES:
        entry->value.ecx = parameters->nr_vcpus - 1;
        break;
    default:
        break;
    }
}

static struct cpuid_entry *entry_of(const struct cpuid_table *table, uint32_t leaf,
                                    uint32_t subleaf)
{
    struct cpuid_table *all = (struct cpuid_table *)table;
    uint32_t place = cpuid_place(leaf);

    if (place >= CPUID_PLACES || all->first[place] == 0) {
        return NULL;
    }
    for (unsigned i = all->first[place] - 1u; i < all->nr && all->entries[i].leaf == leaf; i++) {
        if (!all->entries[i].by_subleaf || all->entries[i].subleaf == subleaf) {
            return &all->entries[i];
        }
    }
    return NULL;
}

const struct cpuid_registers *cpuid_query(const struct cpuid_table *table, uint32_t leaf,
                                          uint32_t subleaf)
{
    static const struct cpuid_registers absent;
    const struct cpuid_entry *entry = entry_of(table, leaf, subleaf);

    if (entry != NULL) {
        return &entry->value;
    }
    if (leaf == 0xb && table->first[cpuid_place(0xb)] != 0) {
        struct cpuid_registers *beyond = &((struct cpuid_table *)table)->beyond_topology;

        beyond->ecx = subleaf & 0xff; /* named even past the levels, like the APIC */
        return beyond;
    }
    return &absent;
}

static struct cpuid_registers result(const struct cpuid_table *table, uint32_t leaf)
{
    const struct cpuid_entry *entry = entry_of(table, leaf, 0);

    return entry == NULL ? (struct cpuid_registers){ 0 } : entry->value;
}

/* A bit of CR4 (or EFER) may be set if the guest has been told of the feature behind it. */
static void derive_limits(struct cpuid_table *table)
{
    struct cpuid_registers one = result(table, 1);
    struct cpuid_registers seven = result(table, 7);
    struct cpuid_registers extended = result(table, 0x80000001);
    const struct {
        bool offered;
        uint64_t bits;
    } cr4[] = {
        { true, CR4_TSD | CR4_PCE },
        { (one.edx & BIT(1)) != 0, CR4_VME | CR4_PVI },
        { (one.edx & BIT(2)) != 0, CR4_DE },
        { (one.edx & BIT(3)) != 0, CR4_PSE },
        { (one.edx & BIT(6)) != 0, CR4_PAE },
        { (one.edx & BIT(7)) != 0, CR4_MCE },
        { (one.edx & BIT(13)) != 0, CR4_PGE },
        { (one.edx & BIT(24)) != 0, CR4_OSFXSR },
        { (one.edx & BIT(25)) != 0, CR4_OSXMMEXCPT },
        { (one.ecx & BIT(17)) != 0, CR4_PCIDE },
        { (one.ecx & BIT(26)) != 0, CR4_OSXSAVE },
        { (seven.ebx & BIT(0)) != 0, CR4_FSGSBASE },
        { (seven.ebx & BIT(7)) != 0, CR4_SMEP },
        { (seven.ebx & BIT(20)) != 0, CR4_SMAP },
        { (seven.ecx & BIT(2)) != 0, CR4_UMIP },
    };

    table->cr4_allowed = 0;
    for (size_t i = 0; i < sizeof(cr4) / sizeof(cr4[0]); i++) {
        table->cr4_allowed |= cr4[i].offered ? cr4[i].bits : 0;
    }
    table->efer_allowed = EFER_SCE | EFER_LME | EFER_LMA |
                          ((extended.edx & BIT(20)) != 0 ? EFER_NXE : 0) |
                          ((extended.edx & BIT(25)) != 0 ? EFER_FFXSR : 0);
    table->xcr0_allowed = (one.ecx & BIT(26)) != 0 ? result(table, 0xd).eax : 0;
    table->phys_bits = (uint8_t)result(table, 0x80000008).eax;
    if (table->phys_bits < 32 || table->phys_bits > 52) {
        table->phys_bits = 36;
    }
}

void cpuid_init(struct cpuid_table *table, cpuid_source *source,
                const struct cpuid_parameters *parameters)
{
    struct cpuid_registers host;
    uint32_t max_basic, max_extended;

    *table = (struct cpuid_table){ 0 };
    source(0, 0, &host);
    max_basic = host.eax;
    source(0x80000000, 0, &host);
    max_extended = host.eax;
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
        struct cpuid_entry *entry = &table->entries[table->nr];
        uint32_t place = cpuid_place(rule->leaf);
        bool absent = rule->leaf >= 0x80000000u  ? rule->leaf > max_extended
                      : rule->leaf < 0x40000000u ? rule->leaf > max_basic
                                                 : false;

        if (absent || place >= CPUID_PLACES) {
            continue;
        }
        host = (struct cpuid_registers){ 0 };
        if (rule->leaf < 0x40000000u || rule->leaf >= 0x80000000u) {
            source(rule->leaf, rule->subleaf == ANY ? 0 : rule->subleaf, &host);
            baseline_limit(parameters->baseline, rule->leaf, rule->subleaf, &host);
        }
        entry->leaf = rule->leaf;
        entry->subleaf = rule->subleaf == ANY ? 0 : rule->subleaf;
        entry->by_subleaf = rule->subleaf != ANY;
        entry->value.eax = (host.eax & rule->pass.eax) | rule->set.eax;
        entry->value.ebx = (host.ebx & rule->pass.ebx) | rule->set.ebx;
        entry->value.ecx = (host.ecx & rule->pass.ecx) | rule->set.ecx;
        entry->value.edx = (host.edx & rule->pass.edx) | rule->set.edx;
        fill(entry, rule->fill, &host, parameters);
        table->nr++;
        if (table->first[place] == 0) {
            table->first[place] = (uint8_t)table->nr;
        }
        if (!entry->by_subleaf) {
            table->plain[place] = (uint8_t)table->nr;
        }
    }
    table->beyond_topology.edx = parameters->apic_id;
    derive_limits(table);
    cpuid_set_xcr0(table, XCR0_X87);
}

void cpuid_set_cr4(struct cpuid_table *table, uint64_t cr4)
{
    struct cpuid_entry *features = entry_of(table, 1, 0);

    if (features != NULL) {
        features->value.ecx &= ~F1C_OSXSAVE;
        features->value.ecx |= (cr4 & CR4_OSXSAVE) != 0 ? F1C_OSXSAVE : 0;
    }
}

/* Bytes of the XSAVE area (standard form) for the components in xcr0. */
static uint32_t xsave_bytes(const struct cpuid_table *table, uint64_t xcr0)
{
    const struct cpuid_entry *avx = entry_of(table, CPUID_LEAF_XSTATE, 2);

    return (xcr0 & XCR0_AVX) != 0 && avx != NULL ? avx->value.eax + avx->value.ebx : 576;
}

void cpuid_set_xcr0(struct cpuid_table *table, uint64_t xcr0)
{
    struct cpuid_entry *sizes = entry_of(table, CPUID_LEAF_XSTATE, 0);
    struct cpuid_entry *forms = entry_of(table, CPUID_LEAF_XSTATE, 1);

    if (table->xcr0_allowed == 0 || sizes == NULL || forms == NULL) {
        return;
    }
    sizes->value.ebx = xsave_bytes(table, xcr0);
    sizes->value.ecx = xsave_bytes(table, table->xcr0_allowed);
    /* Compacted, which is the same with these components; told only if XSAVEC is. */
    forms->value.ebx = (forms->value.eax & BIT(1)) != 0 ? sizes->value.ebx : 0;
}
