/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nested spaces. Each operation exists once for each entry format, from the same source; which one
 * runs is decided by one branch on the machine's format. AMD-V's tables have the host's.
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

/* One of the two entries, which mean the same. */
static struct pt_result map(u64 *pml4, u64 gpa, unsigned level, u64 ept_entry, u64 npt_entry)
{
    if (nested_format == NESTED_EPT)
        return pt_map(&pt_ept, pml4, gpa, level, ept_entry, false);
    return pt_map(&pt_host, pml4, gpa, level, npt_entry, false);
}

struct pt_result nested_map_frame(u64 *pml4, u64 gpa, struct cap frame, unsigned rights, u64 memory)
{
    struct pt_access access = nested_access(frame, rights, memory);
    unsigned level = frame_size(frame);
    hpa_t hpa = cap_hpa(frame);

    return map(pml4, gpa, level, pt_ept_leaf(level, hpa, access), pt_npt_leaf(level, hpa, access));
}

struct pt_result nested_map_table(u64 *pml4, u64 gpa, struct cap table)
{
    hpa_t hpa = cap_hpa(table);

    return map(pml4, gpa, table_level(table.type), pt_ept_table(hpa), pt_host_table(hpa));
}

bool nested_unmap(u64 *pml4, u64 gpa, unsigned level, bool is_leaf, hpa_t object)
{
    if (nested_format == NESTED_EPT)
        return pt_unmap(&pt_ept, pml4, gpa, level, is_leaf, object);
    return pt_unmap(&pt_host, pml4, gpa, level, is_leaf, object);
}

hpa_t nested_empty_root(void)
{
    return kernel_object_hpa(empty_space);
}
