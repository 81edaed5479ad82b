/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nested spaces. Each operation exists once for each entry format, from the same source; which one
 * runs is decided by one branch on the machine's format.
 */
#include "abi/types.h"
#include "kernel/object/tcb.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/map.h"
#include "kernel/vspace/pt_ept.h"
#include "kernel/vspace/pt_npt.h"
#include "kernel/vspace/vspace_priv.h"

enum nested_format nested_format = NESTED_NONE;
bool nested_has_1g;

/* What a thread without EPT root runs its guest on. Nothing is ever written here. */
static u64 empty_space[PT_ENTRIES] __attribute__((aligned(PAGE_SIZE)));

PT_INLINE struct pt_result map_frame(const struct pt_format *format, u64 *pml4, u64 address,
                                     unsigned level, hpa_t frame, struct pt_access access)
{
    return pt_map(format, pml4, address, level, format->leaf(level, frame, access), false);
}

/*
 * What the API calls write-protected is given out as write-back, like any value it does not define.
 */
static u8 nested_memory(u64 attribute)
{
    switch (attribute) {
    case seL4_X86_EPT_Uncacheable:
    case seL4_X86_EPT_WriteCombining:
    case seL4_X86_EPT_WriteThrough:
        return (u8)attribute;
    default:
        return seL4_X86_EPT_WriteBack;
    }
}

static struct pt_access nested_access(struct cap frame, unsigned rights, u64 memory)
{
    bool can_read = frame_rights(frame) & RIGHT_READ;
    unsigned both = RIGHT_READ | RIGHT_WRITE;

    return (struct pt_access){
        .user = can_read,
        .write = (frame_rights(frame) & rights & both) == both,
        .execute = can_read,
        .memory = nested_memory(memory),
    };
}

struct pt_result nested_map_frame(u64 *pml4, u64 gpa, struct cap frame, unsigned rights, u64 memory)
{
    struct pt_access access = nested_access(frame, rights, memory);
    unsigned level = frame_size(frame);

    if (nested_format == NESTED_EPT)
        return map_frame(&pt_ept, pml4, gpa, level, cap_hpa(frame), access);
    return map_frame(&pt_npt, pml4, gpa, level, cap_hpa(frame), access);
}

struct pt_result nested_map_table(u64 *pml4, u64 gpa, struct cap table)
{
    unsigned level = table_level(table.type);

    if (nested_format == NESTED_EPT)
        return pt_map(&pt_ept, pml4, gpa, level, pt_ept.table(cap_hpa(table)), false);
    return pt_map(&pt_npt, pml4, gpa, level, pt_npt.table(cap_hpa(table)), false);
}

bool nested_unmap(u64 *pml4, u64 gpa, unsigned level, bool is_leaf, hpa_t object)
{
    if (nested_format == NESTED_EPT)
        return pt_unmap(&pt_ept, pml4, gpa, level, is_leaf, object);
    return pt_unmap(&pt_npt, pml4, gpa, level, is_leaf, object);
}

hpa_t nested_empty_root(void)
{
    return kernel_object_hpa(empty_space);
}
