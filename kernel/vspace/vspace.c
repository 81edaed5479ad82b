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
    return table.type == CAP_PAGE_TABLE || table.type == CAP_PAGE_DIRECTORY ||
           table.type == CAP_PDPT;
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
    struct pt_result result = pt_map_leaf(&pt_host, pml4, vaddr, level, leaf, true);

    if (result.status == PT_REPLACED)
        tlb_flush_page(ptr_to_hpa(pml4), vaddr);
    return result;
}

struct pt_result vspace_map_table(u64 *pml4, u64 vaddr, struct cap table)
{
    return pt_map_table(&pt_host, pml4, vaddr, table_level(table.type), cap_hpa(table));
}

/* --- unmapping ------------------------------------------------------------------------------- */

static void unmap_native_frame(struct cap frame)
{
    u64 *pml4 = asid_root(map_asid(frame), ASID_NATIVE);
    u64 vaddr = map_address(frame);

    if (pml4 && pt_unmap_leaf(&pt_host, pml4, vaddr, frame_size(frame), cap_hpa(frame)))
        tlb_flush_page(ptr_to_hpa(pml4), vaddr);
}

static void unmap_nested_frame(struct cap frame)
{
    u64 *pml4 = asid_root(map_asid(frame), ASID_NESTED);

    if (pml4 && nested_unmap_frame(pml4, map_address(frame), frame_size(frame), cap_hpa(frame)))
        tlb_flush_nested(ptr_to_hpa(pml4));
}

void frame_unmap(struct cap frame)
{
    switch (frame_map(frame)) {
    case FRAME_IN_VSPACE:
        unmap_native_frame(frame);
        break;
    case FRAME_IN_EPT:
        unmap_nested_frame(frame);
        break;
    case FRAME_UNMAPPED:
    case FRAME_IN_IO_SPACE:
        break;
    }
}

static void unmap_native_table(struct cap table)
{
    u64 *pml4 = asid_root(map_asid(table), ASID_NATIVE);
    unsigned level = table_level(table.type);

    if (pml4 && pt_unmap_table(&pt_host, pml4, map_address(table), level, cap_hpa(table)))
        tlb_flush_space(ptr_to_hpa(pml4));
}

static void unmap_nested_table(struct cap table)
{
    u64 *pml4 = asid_root(map_asid(table), ASID_NESTED);
    unsigned level = table_level(table.type);

    if (pml4 && nested_unmap_table(pml4, map_address(table), level, cap_hpa(table)))
        tlb_flush_nested(ptr_to_hpa(pml4));
}

void table_unmap(struct cap table)
{
    if (!table_is_mapped(table))
        return;
    if (table_is_native(table))
        unmap_native_table(table);
    else
        unmap_nested_table(table);
}

void vspace_finalise(struct cap cap)
{
    if (table_is_mapped(cap))
        asid_release(map_asid(cap), cap.type == CAP_PML4 ? ASID_NATIVE : ASID_NESTED,
                     cap_object(cap));
}

/* --- roots ----------------------------------------------------------------------------------- */

hpa_t vspace_root_for(const struct tcb *tcb)
{
    struct cap cap = tcb->slots[TCB_VSPACE].cap;

    if (cap.type == CAP_PML4 && asid_root(map_asid(cap), ASID_NATIVE) == cap_object(cap))
        return cap_hpa(cap);
    return kernel_object_hpa(paging_kernel_root());
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
