/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/cap.h"

#include "abi/types.h"
#include "kernel/object/object.h"

/* log2 of the object's size by capability type; 0: no memory, or see cap_size_bits. */
static const u8 fixed_size_bits[CAP_TYPE_COUNT] = {
    [CAP_ENDPOINT] = seL4_EndpointBits,
    [CAP_NOTIFICATION] = seL4_NotificationBits,
    [CAP_REPLY] = seL4_ReplyBits,
    [CAP_TCB] = seL4_TCBBits,
    [CAP_PAGE_TABLE] = seL4_PageTableBits,
    [CAP_PAGE_DIRECTORY] = seL4_PageDirBits,
    [CAP_PDPT] = seL4_PDPTBits,
    [CAP_PML4] = seL4_PML4Bits,
    [CAP_ASID_POOL] = seL4_ASIDPoolBits,
    [CAP_IO_PAGE_TABLE] = seL4_IOPageTableBits,
    [CAP_VCPU] = seL4_X86_VCPUBits,
    [CAP_EPT_PT] = seL4_X86_EPTPTBits,
    [CAP_EPT_PD] = seL4_X86_EPTPDBits,
    [CAP_EPT_PDPT] = seL4_X86_EPTPDPTBits,
    [CAP_EPT_PML4] = seL4_X86_EPTPML4Bits,
};

unsigned cap_size_bits(struct cap cap)
{
    switch (cap.type) {
    case CAP_UNTYPED:
    case CAP_SCHED_CONTEXT:
    case CAP_ZOMBIE:
        return cap_aux_get(cap, 0, 6);
    case CAP_CNODE:
        return cnode_radix(cap) + seL4_SlotBits;
    case CAP_FRAME:
        return frame_size_bits(cap);
    default:
        return fixed_size_bits[cap.type];
    }
}

/* The inner capability's object lies within the outer's. Objects without memory lie nowhere. */
static bool extent_contains(struct cap outer, struct cap inner)
{
    unsigned inner_bits = cap_size_bits(inner);
    u64 outer_start = cap_hpa(outer).raw, inner_start = cap_hpa(inner).raw;

    return inner_bits && inner_start >= outer_start &&
           inner_start - outer_start + BIT(inner_bits) <= BIT(cap_size_bits(outer));
}

bool cap_same_region(struct cap parent, struct cap child)
{
    switch (parent.type) {
    case CAP_NULL:
    case CAP_ZOMBIE:
        return false;
    case CAP_UNTYPED:
        return extent_contains(parent, child);
    case CAP_IRQ_CONTROL:
        return child.type == CAP_IRQ_CONTROL || child.type == CAP_IRQ_HANDLER;
    case CAP_IO_PORT_CONTROL:
        return child.type == CAP_IO_PORT_CONTROL || child.type == CAP_IO_PORT;
    case CAP_IRQ_HANDLER:
    case CAP_SCHED_CONTROL:
    case CAP_IO_PORT: /* above: which VCPU this one feeds */
        return child.type == parent.type && (u32)child.data == (u32)parent.data;
    default:
        return child.type == parent.type && child.base == parent.base &&
               cap_size_bits(child) == cap_size_bits(parent);
    }
}

bool cap_same_object(struct cap a, struct cap b)
{
    return a.type == b.type && a.type != CAP_UNTYPED && cap_same_region(a, b);
}

/* A frame that cannot be read cannot be used at all: the processor has no write-only pages. */
static struct cap frame_mask_rights(struct cap cap, unsigned rights)
{
    unsigned kept = frame_rights(cap) & rights;

    return cap_aux_set(cap, 3, 2, kept & RIGHT_READ ? kept : 0);
}

struct cap cap_mask_rights(struct cap cap, unsigned rights)
{
    switch (cap.type) {
    case CAP_ENDPOINT:
    case CAP_NOTIFICATION:
        return cap_aux_set(cap, 0, 4, cap_rights(cap) & rights);
    case CAP_REPLY: /* only grant can be taken away */
        return cap_aux_set(cap, 0, 4, cap_rights(cap) & (rights | (RIGHTS_ALL & ~RIGHT_GRANT)));
    case CAP_FRAME:
        return frame_mask_rights(cap, rights);
    default:
        return cap;
    }
}

struct cap cnode_set_guard(struct cap cap, u64 data)
{
    unsigned size = (unsigned)(data & MASK(6));

    if (size + cnode_radix(cap) > seL4_WordBits)
        return cap_null();
    cap = cap_aux_set(cap, 6, 6, size);
    cap.data = data >> 6 & MASK(size);
    return cap;
}

struct cap cap_update_data(struct cap cap, u64 data, bool preserve)
{
    switch (cap.type) {
    case CAP_ENDPOINT:
    case CAP_NOTIFICATION:
        if (preserve || cap_badge(cap) != 0)
            return cap_null();
        cap.data = data;
        return cap;
    case CAP_CNODE:
        return cnode_set_guard(cap, data);
    case CAP_IO_SPACE: /* no I/O space can be chosen without an IOMMU */
        return cap_null();
    default:
        return cap;
    }
}
