/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the invocations of frames and paging structures (kernel/api) want of an address space. They
 * have checked the capabilities, alignment and range; these functions find the place, fill it and
 * have the processors forget what was there. The caller then records the mapping in the capability.
 * Locking: all cores' locks.
 */
#ifndef KERNEL_VSPACE_MAP_H
#define KERNEL_VSPACE_MAP_H

#include "kernel/vspace/pt.h"
#include "kernel/vspace/vspace.h"

#define NESTED_ADDRESS_BITS 48

/* log2 of what a paging structure of this type (native or nested) spans. */
unsigned table_span_bits(enum cap_type type);

/* rights: what of the frame capability's own rights the mapping is to have. */
struct pt_result vspace_map_frame(u64 *pml4, u64 vaddr, struct cap frame, unsigned rights,
                                  u64 attributes);
struct pt_result vspace_map_table(u64 *pml4, u64 vaddr, struct cap table);

/*
 * The same for a nested space; the machine has nested paging. A mapping is always readable and
 * executable, unless the capability itself gives no right to read: then nothing can reach it.
 */
struct pt_result nested_map_frame(u64 *pml4, u64 gpa, struct cap frame, unsigned rights,
                                  u64 memory);
struct pt_result nested_map_table(u64 *pml4, u64 gpa, struct cap table);

/* Takes the frame or the table out of where its capability says it is mapped, if it still is. */
void frame_unmap(struct cap frame);
void table_unmap(struct cap table);

#endif
