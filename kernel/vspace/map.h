/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the invocations of frames and paging structures (kernel/api) want of an address space. They
 * have checked the capabilities, alignment and range; these functions find the place, fill it and
 * have the processors forget what was there. The caller then records the mapping in the capability.
 * Locking: all cores' locks.
 */
#ifndef KERNEL_VSPACE_MAP_H
#define KERNEL_VSPACE_MAP_H

#include "kernel/vspace/asid.h"
#include "kernel/vspace/pt.h"
#include "kernel/vspace/vspace.h"

#define NESTED_ADDRESS_BITS 48

/* log2 of what a paging structure of this type (native or nested) spans, and which it is. */
unsigned table_span_bits(enum cap_type type);
enum asid_kind table_space(enum cap_type type);

/*
 * rights: what of the frame capability's own rights the mapping is to have. A native one may take
 * another's place. A nested one, on a machine that has them, is always readable and executable,
 * unless the capability itself gives no right to read: then nothing can reach it.
 */
struct pt_result space_map_frame(enum asid_kind kind, u64 *root, u64 address, struct cap frame,
                                 unsigned rights, u64 attributes);
struct pt_result space_map_table(u64 *root, u64 address, struct cap table);

/* Takes the frame or the table out of where its capability says it is mapped, if it still is. */
void frame_unmap(struct cap frame);
void table_unmap(struct cap table);

#endif
