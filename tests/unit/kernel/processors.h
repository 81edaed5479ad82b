/* SPDX-License-Identifier: BSD-2-Clause */
/* Processors that the kernel's real code tells what to forget (processors.c). */
#ifndef TESTS_UNIT_KERNEL_PROCESSORS_H
#define TESTS_UNIT_KERNEL_PROCESSORS_H

#include "kernel/core/types.h"

/* The kernel's, kernel/x86/tlb.c under other names. */
void cores_flush_page(hpa_t root, u64 vaddr);
void cores_flush_space(hpa_t root);
void cores_flush_nested(hpa_t root);

/* The AMD-V backend begins anew, on processors with that many ASIDs. */
void processors_reset(unsigned asids);

/* The test's, on the core it plays: INVLPG, a load of CR3, VMRUN until an interrupt. */
void processor_invalidate_page(u64 vaddr);
void processor_write_cr3(u64 root);
void processor_run_guest(u32 asid, hpa_t nested_root, bool flushes_all);

#endif
