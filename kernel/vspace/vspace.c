/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/vspace/vspace.h"

#include "abi/types.h"
#include "kernel/core/panic.h"
#include "kernel/object/tcb.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/map.h"
#include "kernel/vspace/pt_host.h"
#include "kernel/vspace/tlb.h"
#include "kernel/vspace/vspace_priv.h"

#define KERNEL_PML4_INDEX 511

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

static bool table_is_native(struct cap table)
{
    return cap_is_one_of(table, BIT(CAP_PAGE_TABLE) | BIT(CAP_PAGE_DIRECTORY) | BIT(CAP_PDPT));
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
static struct pt_access native_access(unsigned rights, u64 attributes)
{
    bool never = (attributes & bulkhead_X86_ExecuteNever) && paging_has_nx();

    return (struct pt_access){
        .user = rights & RIGHT_READ,
        .write = (rights & RIGHT_READ) && (rights & RIGHT_WRITE),
        .execute = !never,
        .memory = attributes & (PAT_INDEX_PWT | PAT_INDEX_PCD | PAT_INDEX_PAT),
    };
}

struct pt_result vspace_map_frame(u64 *pml4, u64 vaddr, struct cap frame, unsigned rights,
                                  u64 attributes)
{
    unsigned level = frame_size(frame);
    struct pt_access access = native_access(frame_rights(frame) & rights, attributes);
    u64 leaf = pt_host_leaf(level, cap_hpa(frame), access);
    struct pt_result result = pt_map(&pt_host, pml4, vaddr, level, leaf, true);

    if (result.status == PT_REPLACED)
        tlb_flush_page(ptr_to_hpa(pml4), vaddr);
    return result;
}

struct pt_result vspace_map_table(u64 *pml4, u64 vaddr, struct cap table)
{
    u64 entry = pt_host_table(cap_hpa(table));

    return pt_map(&pt_host, pml4, vaddr, table_level(table.type), entry, false);
}

/* --- unmapping ------------------------------------------------------------------------------- */

static void unmap(struct cap cap, enum asid_kind kind, unsigned level, bool is_leaf)
{
    u64 *pml4 = asid_root(map_asid(cap), kind);
    u64 address = map_address(cap);

    if (!pml4)
        return;
    if (kind == ASID_NESTED) {
        if (nested_unmap(pml4, address, level, is_leaf, cap_hpa(cap)))
            tlb_flush_nested(ptr_to_hpa(pml4));
    } else if (pt_unmap(&pt_host, pml4, address, level, is_leaf, cap_hpa(cap))) {
        if (is_leaf)
            tlb_flush_page(ptr_to_hpa(pml4), address);
        else
            tlb_flush_space(ptr_to_hpa(pml4));
    }
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
        unmap(table, table_is_native(table) ? ASID_NATIVE : ASID_NESTED, table_level(table.type),
              false);
}

/* --- roots ----------------------------------------------------------------------------------- */

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

    if (vspace_map_table(pml4, vaddr, cap).status != PT_MAPPED)
        panic("boot: no place for a paging structure at %#lx", vaddr);
}

void vspace_boot_map(u64 *pml4, u64 vaddr, hpa_t frame, enum frame_size size, unsigned rights)
{
    struct cap cap = cap_make(CAP_FRAME, frame, size | rights << 3, 0);

    if (vspace_map_frame(pml4, vaddr, cap, RIGHTS_ALL, 0).status != PT_MAPPED)
        panic("boot: no place for a page at %#lx", vaddr);
}
