/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/vspace/vspace.h"

#include "abi/types.h"
#include "kernel/core/panic.h"
#include "kernel/object/tcb.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/map.h"
#include "kernel/vspace/pt_ept.h"
#include "kernel/vspace/pt_host.h"
#include "kernel/vspace/pt_npt.h"
#include "kernel/vspace/tlb.h"

#define KERNEL_PML4_INDEX 511

/* Where the kernel's image is linked: at this plus its physical address (kernel/x86/link.ld). */
#define KERNEL_IMAGE_BASE 0xffffffff80000000ULL

enum nested_format nested_format = NESTED_NONE;
bool nested_has_1g;

/* What a thread without EPT root runs its guest on. Nothing is ever written here. */
static u64 empty_space[PT_ENTRIES] __attribute__((aligned(PAGE_SIZE)));

unsigned table_span_bits(enum cap_type type)
{
    switch (type) {
    case CAP_PAGE_TABLE:
    case CAP_EPT_PT:
        return pt_span_bits(1);
    case CAP_PAGE_DIRECTORY:
    case CAP_EPT_PD:
        return pt_span_bits(2);
    case CAP_PDPT:
    case CAP_EPT_PDPT:
        return pt_span_bits(3);
    default:
        panic("capability type %u is no paging structure", type);
    }
}

/* The level of the entry that holds a paging structure of this type. */
static unsigned table_level(enum cap_type type)
{
    return (table_span_bits(type) - PAGE_BITS) / PT_INDEX_BITS;
}

enum asid_kind table_space(enum cap_type type)
{
    return type == CAP_PAGE_TABLE || type == CAP_PAGE_DIRECTORY || type == CAP_PDPT ? ASID_NATIVE
                                                                                    : ASID_NESTED;
}

/* --- mapping --------------------------------------------------------------------------------- */

void pml4_create(u64 *pml4)
{
    pml4[KERNEL_PML4_INDEX] = paging_kernel_root()[KERNEL_PML4_INDEX];
}

/*
 * A mapping without the right to read is present, but only for the kernel: an access faults as one
 * that the rights forbid, not as one to nothing. (The kernel uses no user address.)
 */
static u64 native_leaf(struct cap frame, unsigned rights, u64 attributes)
{
    bool never = (attributes & bulkhead_X86_ExecuteNever) && paging_has_nx();

    return pt_host_leaf(frame_size(frame), cap_hpa(frame),
                        (struct pt_access){
                            .user = rights & RIGHT_READ,
                            .write = (rights & RIGHT_READ) && (rights & RIGHT_WRITE),
                            .execute = !never,
                            .memory = attributes & (PAT_INDEX_PWT | PAT_INDEX_PCD | PAT_INDEX_PAT),
                        });
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

static u64 nested_leaf(struct cap frame, unsigned rights, u64 memory)
{
    unsigned both = RIGHT_READ | RIGHT_WRITE;
    bool can_read = frame_rights(frame) & RIGHT_READ;
    struct pt_access access = {
        .user = can_read,
        .write = (rights & both) == both,
        .execute = can_read,
        .memory = nested_memory(memory),
    };

    if (nested_format == NESTED_EPT)
        return pt_ept_leaf(frame_size(frame), cap_hpa(frame), access);
    return pt_npt_leaf(frame_size(frame), cap_hpa(frame), access);
}

struct pt_result space_map_frame(enum asid_kind kind, u64 *root, u64 address, struct cap frame,
                                 unsigned rights, u64 attributes)
{
    unsigned both = frame_rights(frame) & rights;
    u64 leaf = kind == ASID_NATIVE ? native_leaf(frame, both, attributes)
                                   : nested_leaf(frame, both, attributes);
    struct pt_result result = pt_map(root, address, frame_size(frame), leaf, kind == ASID_NATIVE);

    if (result.status == PT_REPLACED)
        tlb_flush_page(ptr_to_hpa(root), address);
    return result;
}

struct pt_result space_map_table(u64 *root, u64 address, struct cap table)
{
    bool is_ept = table_space(table.type) == ASID_NESTED && nested_format == NESTED_EPT;
    u64 entry = is_ept ? pt_ept_table(cap_hpa(table)) : pt_host_table(cap_hpa(table));

    return pt_map(root, address, table_level(table.type), entry, false);
}

/* --- unmapping ------------------------------------------------------------------------------- */

static void unmap(struct cap cap, enum asid_kind kind, unsigned level, bool is_leaf)
{
    u64 *root = asid_root(map_asid(cap), kind);
    u64 address = map_address(cap);

    if (!root || !pt_unmap(root, address, level, is_leaf, cap_hpa(cap)))
        return;
    if (kind == ASID_NESTED)
        tlb_flush_nested(ptr_to_hpa(root));
    else if (is_leaf)
        tlb_flush_page(ptr_to_hpa(root), address);
    else
        tlb_flush_space(ptr_to_hpa(root));
}

void frame_unmap(struct cap frame)
{
    if (frame_map(frame) == FRAME_IN_VSPACE)
        unmap(frame, ASID_NATIVE, frame_size(frame), true);
    else if (frame_map(frame) == FRAME_IN_EPT)
        unmap(frame, ASID_NESTED, frame_size(frame), true);
}

void table_unmap(struct cap table)
{
    if (table_is_mapped(table))
        unmap(table, table_space(table.type), table_level(table.type), false);
}

/* --- roots ----------------------------------------------------------------------------------- */

/* The physical address of something in the kernel's image or in the physical window. */
static hpa_t kernel_object_hpa(const void *object)
{
#ifndef BULKHEAD_HOST
    if ((u64)(uintptr_t)object >= KERNEL_IMAGE_BASE)
        return hpa((u64)(uintptr_t)object - KERNEL_IMAGE_BASE);
#endif
    return ptr_to_hpa(object);
}

hpa_t nested_empty_root(void)
{
    return kernel_object_hpa(empty_space);
}

hpa_t vspace_root_for(const struct tcb *tcb)
{
    struct cap cap = tcb->slots[TCB_VSPACE].cap;

    return cap.type == CAP_PML4 && asid_names(cap) ? cap_hpa(cap)
                                                   : kernel_object_hpa(paging_kernel_root());
}

/* --- boot ------------------------------------------------------------------------------------ */

void vspace_boot_map_table(u64 *pml4, u64 vaddr, hpa_t table, enum cap_type type)
{
    struct cap cap = cap_make(type, table, 0, 0);

    if (space_map_table(pml4, vaddr, cap).status != PT_MAPPED)
        panic("boot: no place for a paging structure at %#lx", vaddr);
}

void vspace_boot_map(u64 *pml4, u64 vaddr, hpa_t frame, enum frame_size size, unsigned rights)
{
    struct cap cap = cap_make(CAP_FRAME, frame, size | rights << 3, 0);

    if (space_map_frame(ASID_NATIVE, pml4, vaddr, cap, RIGHTS_ALL, 0).status != PT_MAPPED)
        panic("boot: no place for a page at %#lx", vaddr);
}
