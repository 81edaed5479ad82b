/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of kernel/vspace, native and nested, share. */
#ifndef KERNEL_VSPACE_VSPACE_PRIV_H
#define KERNEL_VSPACE_VSPACE_PRIV_H

#include "kernel/core/memory.h"
#include "kernel/vspace/map.h"
#include "kernel/vspace/pt.h"

/* The level of the entry that holds a paging structure of this type. */
static inline unsigned table_level(enum cap_type type)
{
    return (table_span_bits(type) - PAGE_BITS) / PT_INDEX_BITS;
}

/* Where the kernel's image is linked: at this plus its physical address (kernel/x86/link.ld). */
#define KERNEL_IMAGE_BASE 0xffffffff80000000ULL

/* The physical address of something in the kernel's image or in the physical window. */
static inline hpa_t kernel_object_hpa(const void *object)
{
#ifndef BULKHEAD_HOST
    if ((u64)(uintptr_t)object >= KERNEL_IMAGE_BASE)
        return hpa((u64)(uintptr_t)object - KERNEL_IMAGE_BASE);
#endif
    return ptr_to_hpa(object);
}

/*
 * Takes the frame (is_leaf) or table out if it is just there, and returns whether it was. Flushing
 * is the caller's.
 */
bool nested_unmap(u64 *pml4, u64 gpa, unsigned level, bool is_leaf, hpa_t object);

#endif
