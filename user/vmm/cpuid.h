/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest learns from CPUID. The policy is one table in cpuid.c: a row for each leaf, saying
 * which bits of the processor's answer pass and which are set by us. A leaf without a row reads as
 * zero. The table is applied once, when the VM is made; an exit is then a look-up.
 *
 * The rule behind the policy: what the kernel does not switch between guests is not shown (state
 * beyond XCR0 = 7, supervisor states, performance counters, speculation controls, protection keys);
 * what would let a guest leave its box is not shown (VMX, SVM, MONITOR). With a named baseline
 * (baseline.h) less is shown: the features that it has.
 *
 * Invariants  I1  every entry's leaf is inside one of the three ranges that the look-up indexes
 * Locking     one table for each vCPU, used by its own thread
 * Sources     Intel SDM vol. 2A "CPUID"; AMD APM vol. 3 appendix E; the paravirtual leaves as Linux
 *             documents them (Documentation/virt/kvm/x86/cpuid.rst) and 0x40000010 as VMware does
 */
#ifndef USER_VMM_CPUID_H
#define USER_VMM_CPUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpuid_registers {
    uint32_t eax, ebx, ecx, edx;
};

struct cpuid_entry {
    uint32_t leaf, subleaf;
    uint32_t by_subleaf; /* the subleaf counts; entries of one leaf follow each other */
    uint32_t unused;     /* 32 bytes: an index becomes an address by a shift */
    struct cpuid_registers value;
};

_Static_assert(sizeof(struct cpuid_entry) == 32, "see above");

#define CPUID_MAX_ENTRIES 64u
#define CPUID_PLACES      256u

struct cpuid_table {
    unsigned nr;
    struct cpuid_entry entries[CPUID_MAX_ENTRIES];
    /* By cpuid_place(): 1 + index of the leaf's first entry, or 0; and of its only one. */
    uint8_t first[CPUID_PLACES], plain[CPUID_PLACES];
    struct cpuid_registers beyond_topology; /* leaf 0xb past its levels */
    /* Derived from the result: */
    uint64_t cr4_allowed;  /* bits of CR4 a guest may set */
    uint64_t efer_allowed; /* bits of EFER a guest may set */
    uint64_t xcr0_allowed;
    uint8_t phys_bits;
};

/* Where the processor's own answers come from; a test has its own. */
typedef void cpuid_source(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *value);

struct cpuid_parameters {
    uint32_t apic_id;
    uint32_t nr_vcpus;
    uint32_t tsc_khz;
    uint32_t baseline; /* baseline.h */
};

void cpuid_init(struct cpuid_table *table, cpuid_source *source,
                const struct cpuid_parameters *parameters);

/* Bits that show the guest's own state: to be called when that has changed. */
void cpuid_set_cr4(struct cpuid_table *table, uint64_t cr4);
void cpuid_set_xcr0(struct cpuid_table *table, uint64_t xcr0);

/* The first 64 leaves of 0, 4000_0000 and 8000_0000 have places below CPUID_PLACES. */
static inline uint32_t cpuid_place(uint32_t leaf)
{
    return leaf << 2 | leaf >> 30;
}

/* Any leaf, also one that is absent. */
const struct cpuid_registers *cpuid_query(const struct cpuid_table *table, uint32_t leaf,
                                          uint32_t subleaf);

/* The quick way: the answer for a leaf that is there and has no subleaves, otherwise null. */
static inline const struct cpuid_registers *cpuid_query_plain(const struct cpuid_table *table,
                                                              uint32_t leaf)
{
    uint32_t place = cpuid_place(leaf);

    if (place >= CPUID_PLACES || table->plain[place] == 0) {
        return NULL;
    }
    return &table->entries[table->plain[place] - 1u].value;
}

#define CPUID_LEAF_XSTATE 0xdu /* depends on XCR0, which guests may change unseen */

#endif
