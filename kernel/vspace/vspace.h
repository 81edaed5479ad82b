/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces: native (PML4) and nested (EPT PML4), reached through ASIDs. One page-table walker
 * (pt.h) for three formats of entries: host (pt_host.h), EPT (pt_ept.h), NPT (pt_npt.h). AMD-V's
 * NPT and VT-x's EPT both stand behind the API's EPT objects; which format an EPT object has is
 * fixed at boot (nested_format).
 *
 * A capability of a mapped frame or table remembers ASID and address, not the entry: when the
 * space, or a table above, has gone, looking for it finds something else or nothing, and unmapping
 * is a no-op.
 *
 * Invariants
 *  I1  A present leaf entry made for a frame capability is found again from that capability's ASID
 *      and address, and maps that capability's frame.
 *  I2  After an unmap, change of rights or removal of a table returns, no core can use the old
 *      translation.
 *  I3  The kernel's own part of a PML4 (slot 511) never changes after the space was made.
 * Locking: all cores' locks.
 * Sources: AMD APM volume 2, chapters 5 (paging) and 15.25 (nested paging); Intel SDM volume 3,
 * chapters 4 and 28.3.
 */
#ifndef KERNEL_VSPACE_VSPACE_H
#define KERNEL_VSPACE_VSPACE_H

#include "kernel/object/cap.h"

struct tcb;

#define ASID_POOL_BITS 9
#define ASID_POOLS     8

enum nested_format { NESTED_NONE, NESTED_EPT, NESTED_NPT };
extern enum nested_format nested_format; /* set once at boot by kernel/x86/virt */
extern bool nested_has_1g;               /* likewise: nested tables may have 1 GiB leaves */

/* Fills the kernel's part of a new, zeroed PML4. */
void pml4_create(u64 *pml4);

/* The last capability ends. */
void vspace_finalise(struct cap cap); /* PML4, EPT PML4: frees the ASID */
void asid_pool_finalise(struct cap cap);

/* The root table that the thread runs on: its VSpace if valid, else the kernel's own. */
hpa_t vspace_root_for(const struct tcb *tcb);
/* An empty nested space: what a guest without a valid EPT root runs on. */
hpa_t nested_empty_root(void);

/*
 * Boot: hooks an empty table (CAP_PAGE_TABLE, CAP_PAGE_DIRECTORY, CAP_PDPT) into the space at the
 * address.
 */
void vspace_boot_map_table(u64 *pml4, u64 vaddr, hpa_t table, enum cap_type type);
/* Boot: maps one frame into a space whose tables exist; panics otherwise. */
void vspace_boot_map(u64 *pml4, u64 vaddr, hpa_t frame, enum frame_size size, unsigned rights);

#endif
