/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces and CNodes: paging structures, contents of frames, copies of capabilities,
 * mappings.
 */
#include "lib/string.h"
#include "user/init/boot.h"
#include "user/init/failure.h"

static seL4_Error map_paging(uint8_t type, seL4_CPtr structure, seL4_CPtr space, seL4_Word address)
{
    switch (type) {
    case seL4_X86_PDPTObject:
        return seL4_X86_PDPT_Map(structure, space, address, 0);
    case seL4_X86_PageDirectoryObject:
        return seL4_X86_PageDirectory_Map(structure, space, address, 0);
    case seL4_X86_PageTableObject:
        return seL4_X86_PageTable_Map(structure, space, address, 0);
    case seL4_X86_EPTPDPTObject:
        return seL4_X86_EPTPDPT_Map(structure, space, address, 0);
    case seL4_X86_EPTPDObject:
        return seL4_X86_EPTPD_Map(structure, space, address, 0);
    case seL4_X86_EPTPTObject:
        return seL4_X86_EPTPT_Map(structure, space, address, 0);
    default:
        return seL4_IllegalOperation; /* refused by plan_check */
    }
}

void spaces_make_paging(const struct boot *boot)
{
    const struct plan *plan = &boot->plan;

    for (uint32_t i = 0; i < plan->nr_paging; i++) {
        const struct plan_paging *paging = &plan->paging[i];
        struct plan_slot slot;

        if (!plan_slots_find(plan, paging->slot, paging->count, &slot)) {
            stop("the plan changed while it was carried out");
        }
        for (uint32_t n = 0; n < paging->count; n++) {
            seL4_Word span = 1ull << plan_paging_span_bits(slot.type);

            require(map_paging(slot.type, boot_cap(boot, paging->slot + n),
                               boot_cap(boot, paging->space), paging->address + n * span),
                    "map the paging structure", plan_name(plan, plan->objects[slot.row].name), n);
        }
    }
}

/* Attributes of a mapping of ours, as this kernel understands them. */
static seL4_X86_VMAttributes attributes_for(const struct boot *boot, uint32_t attributes)
{
    if ((boot->extensions & BULKHEAD_EXT_EXECUTE_NEVER) == 0) {
        attributes &= ~(uint32_t)PLAN_ATTRIBUTE_EXECUTE_NEVER;
    }
    return (seL4_X86_VMAttributes)attributes;
}

/* Copies bytes into one frame, at an offset within its page. */
static void fill_page(const struct boot *boot, uint32_t frame, uint64_t offset, const void *from,
                      uint64_t bytes)
{
    uint64_t scratch = boot->plan.header->scratch_address;
    const char *name = plan_slot_name(&boot->plan, frame);

    require(seL4_X86_Page_Map(boot_cap(boot, frame), seL4_CapInitThreadVSpace, scratch,
                              seL4_ReadWrite, attributes_for(boot, PLAN_ATTRIBUTE_EXECUTE_NEVER)),
            "map for filling", name, frame);
    memcpy((uint8_t *)scratch + offset, from, bytes);
    require(seL4_X86_Page_Unmap(boot_cap(boot, frame)), "unmap after filling", name, frame);
}

static void fill_frames(const struct boot *boot, const struct plan_fill *fill, const void *contents,
                        uint64_t length)
{
    const uint8_t *from = contents;
    uint64_t done = 0;

    while (done < length) {
        uint64_t at = fill->offset + done;
        uint64_t offset = at % PLAN_PAGE_BYTES;
        uint64_t bytes = PLAN_PAGE_BYTES - offset;

        bytes = bytes < length - done ? bytes : length - done;
        fill_page(boot, fill->frame + (uint32_t)(at / PLAN_PAGE_BYTES), offset, from + done, bytes);
        done += bytes;
    }
}

/* As many at a time as there is room for. */
#define ADDRESSES 512u

static void fill_addresses(const struct boot *boot, const struct plan_fill *fill)
{
    static seL4_Word addresses[ADDRESSES];
    uint64_t count = fill->length / sizeof(addresses[0]), done = 0;

    while (done < count) {
        uint64_t batch = count - done < ADDRESSES ? count - done : ADDRESSES;
        struct plan_fill part = *fill;

        for (uint64_t i = 0; i < batch; i++) {
            uint32_t slot = (uint32_t)(fill->source + done + i);
            seL4_X86_Page_GetAddress_t result = seL4_X86_Page_GetAddress(boot_cap(boot, slot));

            require((seL4_Error)result.error, "ask the address of",
                    plan_slot_name(&boot->plan, slot), done + i);
            addresses[i] = result.paddr;
        }
        part.offset += done * sizeof(addresses[0]);
        fill_frames(boot, &part, addresses, batch * sizeof(addresses[0]));
        done += batch;
    }
}

static void fill_device(const struct boot *boot, const struct plan_fill *fill)
{
    const struct boot_device *device = &boot->devices[fill->source];
    const uint32_t words[] = { device->state, device->frames };

    fill_frames(boot, fill, words, sizeof(words));
}

void spaces_fill_frames(const struct boot *boot)
{
    const struct plan *plan = &boot->plan;

    for (uint32_t i = 0; i < plan->nr_fills; i++) {
        const struct plan_fill *fill = &plan->fills[i];

        switch (fill->kind) {
        case PLAN_FILL_TSC_MHZ:
            fill_frames(boot, fill, &boot->tsc_mhz, sizeof(boot->tsc_mhz));
            break;
        case PLAN_FILL_BOOT_TIME:
            fill_frames(boot, fill, &boot->boot_time, sizeof(boot->boot_time));
            break;
        case PLAN_FILL_ADDRESSES:
            fill_addresses(boot, fill);
            break;
        case PLAN_FILL_DEVICE:
            fill_device(boot, fill);
            break;
        default:
            fill_frames(boot, fill, plan->bytes + fill->source, fill->length);
        }
    }
}

/* A badge of 0 leaves a capability as it is; Mint with 0 would say something else for CNodes. */
static seL4_Error copy_cap(seL4_CPtr cnode, seL4_Word index, seL4_Uint8 depth, seL4_CPtr source,
                           const struct plan_cap *cap)
{
    seL4_CapRights_t rights = { { cap->rights } };

    if (cap->badge == 0) {
        return seL4_CNode_Copy(cnode, index, depth, seL4_CapInitThreadCNode, source, seL4_WordBits,
                               rights);
    }
    return seL4_CNode_Mint(cnode, index, depth, seL4_CapInitThreadCNode, source, seL4_WordBits,
                           rights, cap->badge);
}

static void copy_caps(const struct boot *boot, const struct plan_cap *cap)
{
    seL4_CPtr cnode = seL4_CapInitThreadCNode;
    seL4_Word index = boot_cap(boot, cap->index);
    seL4_Uint8 depth = seL4_WordBits;
    struct plan_slot slot, source;

    if (!plan_slots_find(&boot->plan, cap->source, cap->count, &source)) {
        stop("the plan changed while it was carried out");
    }
    if (cap->cnode != PLAN_NO_SLOT) {
        if (!plan_slots_find(&boot->plan, cap->cnode, 1, &slot)) {
            stop("the plan changed while it was carried out");
        }
        cnode = boot_cap(boot, cap->cnode);
        index = cap->index;
        depth = (seL4_Uint8)(slot.size_bits - seL4_SlotBits);
    }
    for (uint32_t n = 0; n < cap->count && boot_has(boot, &source, n); n++) {
        require(copy_cap(cnode, index + n, depth, boot_cap(boot, cap->source + n), cap), "copy",
                plan_slot_name(&boot->plan, cap->source), n);
    }
}

void spaces_copy_caps(const struct boot *boot)
{
    for (uint32_t i = 0; i < boot->plan.nr_caps; i++) {
        copy_caps(boot, &boot->plan.caps[i]);
    }
}

static void map_frames(const struct boot *boot, const struct plan_mapping *mapping,
                       const struct plan_slot *frames, bool nested)
{
    unsigned page_bits = plan_frame_bits(frames->type);
    seL4_CPtr space = boot_cap(boot, mapping->space);
    seL4_CapRights_t rights = { { mapping->rights } };

    for (uint32_t n = 0; n < mapping->count && boot_has(boot, frames, n); n++) {
        seL4_CPtr frame = boot_cap(boot, mapping->frame + n);
        seL4_Word address = mapping->address + ((seL4_Word)n << page_bits);
        seL4_Error error =
            nested ? seL4_X86_Page_MapEPT(frame, space, address, rights,
                                          (seL4_X86_EPT_VMAttributes)mapping->attributes)
                   : seL4_X86_Page_Map(frame, space, address, rights,
                                       attributes_for(boot, mapping->attributes));

        require(error, nested ? "map into the guest" : "map",
                plan_slot_name(&boot->plan, mapping->frame), n);
    }
}

void spaces_map_frames(const struct boot *boot)
{
    for (uint32_t i = 0; i < boot->plan.nr_mappings; i++) {
        const struct plan_mapping *mapping = &boot->plan.mappings[i];
        struct plan_slot frame, space;

        if (!plan_slots_find(&boot->plan, mapping->frame, mapping->count, &frame) ||
            !plan_slots_find(&boot->plan, mapping->space, 1, &space)) {
            stop("the plan changed while it was carried out");
        }
        map_frames(boot, mapping, &frame, space.type == seL4_X86_EPTPML4Object);
    }
}
