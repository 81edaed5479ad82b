/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the mapping code tells the processors about translations that must be forgotten.
 * kernel/x86/tlb.c carries it out on every core that may hold them; host tests record it. Nothing
 * else in the kernel flushes.
 */
#ifndef KERNEL_VSPACE_TLB_H
#define KERNEL_VSPACE_TLB_H

#include "kernel/core/types.h"

/* One page (of any size) of the address space with this root. */
void tlb_flush_page(hpa_t root, u64 vaddr);
/* Everything of the address space with this root, paging-structure caches too; also when the root
 * itself goes: a core that runs on it is moved to the kernel's own. */
void tlb_flush_space(hpa_t root);
/* Everything derived from the nested root. */
void tlb_flush_nested(hpa_t root);

/* The processor can map 1 GiB pages. */
bool paging_has_1g(void);
/* The processor honours execute-never in native mappings. */
bool paging_has_nx(void);
/* The kernel's own PML4, whose slot 511 every space shares. */
u64 *paging_kernel_root(void);

#endif
