/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capability: 16 bytes that name an object, the rights to it and, for memory, where it is
 * mapped. This file is the only one that knows the layout.
 *
 *      word 0   bits 0-14 aux   bits 15-19 type   bits 20-63 object's physical address >> 4
 *      word 1   data
 *
 *      type                  aux                                    data
 *      untyped               0-5 size_bits, 6 device                free offset in bytes
 *      endpoint, notification 0-3 rights                            badge
 *      reply                 0-3 rights (grant counts)              -
 *      cnode                 0-5 radix, 6-11 guard size             guard
 *      tcb, vcpu             -                                      -
 *      sched context         0-5 size_bits                          -
 *      sched control         -                                      core
 *      irq handler           -                                      irq (vector number of the API)
 *      io port               -                                      0-15 first, 16-31 last,
 *                                                                   32-63 VCPU handle or 0
 *      asid pool             0-2 pool index                         -
 *      frame                 0-1 size, 2 device, 3 write, 4 read,   0-11 ASID, 12-63 address
 *                            5-6 enum frame_map
 *      PT PD PDPT, EPT's     0 mapped                               0-11 ASID, 12-63 address
 *      PML4, EPT PML4        0 assigned                             0-11 ASID
 *      io space              -                                      the API's capability data
 *      io page table         0 mapped                               -
 *      zombie                0-5 size_bits, 6-7 enum zombie_kind    slots not yet emptied
 *
 * A capability without object (controls, null) has address 0. The value of the type is the tag
 * that DebugCapIdentify reports (ABI section 2.1).
 */
#ifndef KERNEL_OBJECT_CAP_H
#define KERNEL_OBJECT_CAP_H

#include "kernel/core/memory.h"
#include "kernel/core/types.h"

enum cap_type {
    CAP_NULL = 0,
    CAP_UNTYPED = 2,
    CAP_ENDPOINT = 4,
    CAP_NOTIFICATION = 6,
    CAP_REPLY = 8,
    CAP_CNODE = 10,
    CAP_TCB = 12,
    CAP_IRQ_CONTROL = 14,
    CAP_IRQ_HANDLER = 16,
    CAP_ZOMBIE = 18,
    CAP_DOMAIN = 20,
    CAP_SCHED_CONTEXT = 22,
    CAP_SCHED_CONTROL = 24,
    CAP_FRAME = 1,
    CAP_PAGE_TABLE = 3,
    CAP_PAGE_DIRECTORY = 5,
    CAP_PDPT = 7,
    CAP_PML4 = 9,
    CAP_ASID_CONTROL = 11,
    CAP_ASID_POOL = 13,
    CAP_IO_SPACE = 15,
    CAP_IO_PAGE_TABLE = 17,
    CAP_IO_PORT = 19,
    CAP_VCPU = 21,
    CAP_EPT_PT = 23,
    CAP_EPT_PD = 25,
    CAP_EPT_PDPT = 27,
    CAP_EPT_PML4 = 29,
    CAP_IO_PORT_CONTROL = 31,
    CAP_TYPE_COUNT = 32,
};

/* Rights in the API's order (CapRights). */
enum cap_rights {
    RIGHT_WRITE = 1,
    RIGHT_READ = 2,
    RIGHT_GRANT = 4,
    RIGHT_GRANT_REPLY = 8,
    RIGHTS_ALL = 15,
};

enum frame_size { FRAME_4K, FRAME_2M, FRAME_1G };
enum frame_map { FRAME_UNMAPPED, FRAME_IN_VSPACE, FRAME_IN_EPT };

/* What a zombie still has to get rid of: the slots of a CNode or thread, or threads that wait. */
enum zombie_kind { ZOMBIE_SLOTS, ZOMBIE_ENDPOINT, ZOMBIE_NOTIFICATION };

struct cap {
    u64 aux : 15;
    u64 type : 5;
    u64 base : 44;
    u64 data;
};
_Static_assert(sizeof(struct cap) == 16, "a slot has 16 bytes for its capability");

static inline struct cap cap_make(enum cap_type type, hpa_t object, unsigned aux, u64 data)
{
    return (struct cap){ .type = type & MASK(5),
                         .base = object.raw >> 4 & MASK(44),
                         .aux = aux & 0x7fff,
                         .data = data };
}

static inline struct cap cap_null(void)
{
    return (struct cap){ 0 };
}

static inline hpa_t cap_hpa(struct cap cap)
{
    return hpa((u64)cap.base << 4);
}

/* The object behind the capability, in the physical window. */
static inline void *cap_object(struct cap cap)
{
    return hpa_to_ptr(cap_hpa(cap));
}

/* One of the two words that a capability is, by one load. */
static inline u64 cap_word(const struct cap *cap, unsigned word)
{
    u64 value;

    __builtin_memcpy(&value, (const u8 *)cap + word * sizeof(value), sizeof(value));
    return value;
}

/* Word 0 but for the object: what fast paths compare type and aux with, and what then is left. */
#define CAP_TYPE_MASK       MASK(5)
#define CAP_WORD(type, aux) ((u64)(type) << 15 | (aux))

static inline void *cap_word_object(u64 word)
{
    return hpa_to_ptr(hpa(word >> 20 << 4));
}

/* types: BIT(CAP_...) | ... */
static inline bool cap_is_one_of(struct cap cap, u64 types)
{
    return types >> cap.type & 1;
}

/* Bits [shift, shift + width) of aux. */
static inline unsigned cap_aux_get(struct cap cap, unsigned shift, unsigned width)
{
    return (unsigned)(cap.aux >> shift) & (unsigned)MASK(width);
}

static inline struct cap cap_aux_set(struct cap cap, unsigned shift, unsigned width, unsigned value)
{
    unsigned mask = (unsigned)MASK(width) << shift;

    cap.aux = (((unsigned)cap.aux & ~mask) | ((value << shift) & mask)) & 0x7fff;
    return cap;
}

/* The fields by type: a table, one to a line. */
/* clang-format off */
/* zombie */
static inline enum zombie_kind zombie_kind(struct cap cap)
{
    return (enum zombie_kind)cap_aux_get(cap, 6, 2);
}
/* untyped */
#define UNTYPED_DEVICE 64u
static inline unsigned untyped_size_bits(struct cap cap) { return cap_aux_get(cap, 0, 6); }
static inline bool untyped_is_device(struct cap cap) { return cap_aux_get(cap, 6, 1); }
/* endpoint, notification, reply */
static inline unsigned cap_rights(struct cap cap) { return cap_aux_get(cap, 0, 4); }
static inline u64 cap_badge(struct cap cap) { return cap.data; }
/* cnode */
static inline unsigned cnode_radix(struct cap cap) { return cap_aux_get(cap, 0, 6); }
static inline unsigned cnode_guard_size(struct cap cap) { return cap_aux_get(cap, 6, 6); }
static inline u64 cnode_guard(struct cap cap) { return cap.data; }
/* sched context, sched control */
static inline unsigned sched_context_size_bits(struct cap cap) { return cap_aux_get(cap, 0, 6); }
static inline unsigned sched_control_core(struct cap cap) { return (unsigned)cap.data; }
/* irq handler */
static inline unsigned irq_handler_irq(struct cap cap) { return (unsigned)cap.data; }
/* io port */
static inline u16 io_port_first(struct cap cap) { return (u16)cap.data; }
static inline u16 io_port_last(struct cap cap) { return (u16)(cap.data >> 16); }
static inline u32 io_port_vcpu(struct cap cap) { return (u32)(cap.data >> 32); }
/* frame */
#define FRAME_DEVICE     4u
#define FRAME_RIGHTS_ALL ((RIGHT_WRITE | RIGHT_READ) << 3)
static inline enum frame_size frame_size(struct cap cap)
{
    return (enum frame_size)cap_aux_get(cap, 0, 2);
}
static inline unsigned frame_size_bits(struct cap cap) { return PAGE_BITS + 9 * frame_size(cap); }
static inline bool frame_is_device(struct cap cap) { return cap_aux_get(cap, 2, 1); }
/* RIGHT_WRITE and RIGHT_READ */
static inline unsigned frame_rights(struct cap cap) { return cap_aux_get(cap, 3, 2); }
static inline enum frame_map frame_map(struct cap cap)
{
    return (enum frame_map)cap_aux_get(cap, 5, 2);
}
/* frames and paging structures: where they are mapped */
static inline bool table_is_mapped(struct cap cap) { return cap_aux_get(cap, 0, 1); }
static inline unsigned map_asid(struct cap cap) { return (unsigned)(cap.data & MASK(PAGE_BITS)); }
static inline u64 map_address(struct cap cap) { return cap.data & ~MASK(PAGE_BITS); }
/* clang-format on */

/* A slot of a CNode or of a TCB: a capability and its place in the derivation tree. */
struct slot {
    struct cap cap;
    u64 prev; /* address of the previous slot in the tree's preorder, or 0 */
    u64 next; /* address of the next slot, or 0; the low five bits are flags of this slot */
};
_Static_assert(sizeof(struct slot) == 32, "slot size is published (ABI section 4)");

#define SLOT_REVOCABLE    1ULL /* an original: what is copied from it becomes its child */
#define SLOT_FIRST_BADGED 2ULL /* the first capability with this badge */

#endif
