/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From guest virtual to guest physical: walks the guest's own page tables in the guest's RAM, as
 * the processor would for the same access, in all four forms (no paging, 32-bit, PAE, 4-level).
 * Needed where the monitor reads an instruction or a string operand on the guest's behalf.
 *
 * The rights are the processor's: user/supervisor, write protection with CR0.WP, execute disable,
 * SMEP, SMAP, reserved bits. Accessed and dirty bits are set as the processor would set them.
 * 5-level paging and protection keys do not exist for our guests (CPUID policy).
 *
 * Units    one address, no length: what lies beyond the page needs its own walk
 * Errors   the page-fault error code the guest would see; WALK_NOWHERE when a table lies outside
 * RAM Sources  Intel SDM vol. 3A ch. 4 "Paging"; AMD APM vol. 2 ch. 5 "Page translation"
 */
#ifndef USER_VMM_GUEST_WALK_H
#define USER_VMM_GUEST_WALK_H

#include "user/vmm/guest_ram.h"

/* What the walk depends on besides memory. */
struct guest_paging {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t rflags; /* AC, for SMAP */
    bool user;       /* CPL 3 */
};

enum walk_access {
    WALK_READ,
    WALK_WRITE,
    WALK_FETCH,
};

enum walk_result {
    WALK_OK,
    WALK_FAULT,   /* the guest has earned a page fault: error_code */
    WALK_NOWHERE, /* a paging structure is not in RAM */
};

#define PAGE_FAULT_PRESENT  0x01u
#define PAGE_FAULT_WRITE    0x02u
#define PAGE_FAULT_USER     0x04u
#define PAGE_FAULT_RESERVED 0x08u
#define PAGE_FAULT_FETCH    0x10u

/*
 * What a walk has read. While all these entries are still the same, and so are the registers, the
 * walk would lead to the same place: processors may keep translations for longer, so nothing is
 * wrong with keeping them that long. Only for the forms with 8-byte entries; nr is 0 otherwise.
 */
struct walk_trace {
    unsigned nr;
    const uint64_t *slots[4];
    uint64_t entries[4];
};

static inline bool walk_trace_holds(const struct walk_trace *trace)
{
    for (unsigned i = 0; i < trace->nr; i++) {
        if (__atomic_load_n(trace->slots[i], __ATOMIC_RELAXED) != trace->entries[i]) {
            return false;
        }
    }
    return trace->nr != 0;
}

/* Like guest_walk(), and says what it has read. */
enum walk_result guest_walk_traced(const struct guest_ram *ram, const struct guest_paging *paging,
                                   gva_t address, enum walk_access access, gpa_t *result,
                                   uint32_t *error_code, struct walk_trace *trace);

enum walk_result guest_walk(const struct guest_ram *ram, const struct guest_paging *paging,
                            gva_t address, enum walk_access access, gpa_t *result,
                            uint32_t *error_code);

#endif
