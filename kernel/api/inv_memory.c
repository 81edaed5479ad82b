/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods of frames and paging structures, native and nested, and of ASIDs. Each Map has the space
 * as its first extra capability, an address in word 0 (and a frame's, rights and attributes in 1
 * and 2). The cache attributes of a native table's Map are not used: the processor reads tables
 * write-back, as the kernel writes them; two types for the same memory are undefined (AMD APM
 * volume 2, chapter 7 "Memory System").
 *
 * Nested ones shape a guest's physical address space. On AMD-V the EPT objects hold nested page
 * tables. Without either there is nothing they could be used for: IllegalOperation. A
 * guest-physical address has 48 bits (four levels); more is InvalidArgument 0.
 * Sources: ABI sections 5.1 ("Page Map", "Table Map", "Missing-table level", ASIDs) and 11.1.
 */
#include "abi/types.h"
#include "kernel/api/request.h"
#include "kernel/object/derivation.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/map.h"
#include "kernel/vspace/tlb.h"
#include "lib/string.h"

/* --- what the methods share ------------------------------------------------------------------- */

/* The number of the extra capability that names the address space, in InvalidCapability. */
#define SPACE_CAPABILITY 1

/* A root that has an ASID. */
static bool cap_is_space(struct cap cap, enum asid_kind kind)
{
    return cap.type == (kind == ASID_NATIVE ? CAP_PML4 : CAP_EPT_PML4) && table_is_mapped(cap);
}

static enum status check_space(struct request *request, enum asid_kind kind)
{
    if (!cap_is_space(request->extra[0]->cap, kind))
        return error_capability(request, SPACE_CAPABILITY);
    return STATUS_OK;
}

static enum status check_address(struct request *request, enum asid_kind kind, u64 address)
{
    if (address > (kind == ASID_NATIVE ? USER_TOP : MASK(NESTED_ADDRESS_BITS)))
        return error_argument(request, 0);
    return STATUS_OK;
}

/* The ASID of the space may have gone with its pool, even to another space. */
static enum status find_root(struct request *request, enum asid_kind kind, u64 **root)
{
    struct cap space = request->extra[0]->cap;

    *root = asid_root(map_asid(space), kind);
    if (!*root)
        return error_lookup(request, false, (struct lookup_failure){ .type = seL4_InvalidRoot });
    if (*root != cap_object(space))
        return error_capability(request, SPACE_CAPABILITY);
    return STATUS_OK;
}

static void frame_set_mapped(struct slot *slot, enum frame_map where, u64 data)
{
    slot->cap = cap_aux_set(slot->cap, 5, 2, where);
    slot->cap.data = data;
}

static void table_set_mapped(struct slot *slot, bool mapped, u64 data)
{
    slot->cap = cap_aux_set(slot->cap, 0, 1, mapped);
    slot->cap.data = data;
}

/* Answers a mapping that was tried, and notes in the capability where it is if it could be made. */
static enum status finish_map(struct request *request, enum asid_kind kind, u64 address,
                              struct pt_result result)
{
    u64 data = map_asid(request->extra[0]->cap) | address;

    switch (result.status) {
    case PT_MISSING:
        return error_missing(request, false, result.missing_bits);
    case PT_BUSY:
        return error_code(request, seL4_DeleteFirst);
    default:
        break;
    }
    if (request->cap.type != CAP_FRAME)
        table_set_mapped(request->slot, true, data);
    else
        frame_set_mapped(request->slot, kind == ASID_NATIVE ? FRAME_IN_VSPACE : FRAME_IN_EPT, data);
    return STATUS_OK;
}

/* --- frames ----------------------------------------------------------------------------------- */

static enum status map_frame(struct request *request, enum asid_kind kind, u64 address)
{
    unsigned rights = request_word(request, 1) & RIGHTS_ALL;
    u64 attributes = request_word(request, 2);
    u64 *root;

    if (find_root(request, kind, &root) != STATUS_OK)
        return STATUS_ERROR;
    if (address & MASK(frame_size_bits(request->cap)))
        return error_code(request, seL4_AlignmentError);
    return finish_map(request, kind, address,
                      space_map_frame(kind, root, address, request->cap, rights, attributes));
}

/* Does [vaddr, vaddr + size) end in user space? Its last page is never mapped (ABI section 9). */
static bool is_user_range(u64 vaddr, unsigned size_bits)
{
    return vaddr <= USER_TOP && vaddr + BIT(size_bits) <= USER_TOP;
}

/* A frame that is mapped may be mapped again just where it is, to change rights or attributes. */
static enum status check_place(struct request *request, u64 vaddr)
{
    struct cap frame = request->cap;

    if (frame_map(frame) == FRAME_UNMAPPED) {
        if (!is_user_range(vaddr, frame_size_bits(frame)))
            return error_argument(request, 0);
        return STATUS_OK;
    }
    if (map_asid(frame) != map_asid(request->extra[0]->cap))
        return error_capability(request, SPACE_CAPABILITY);
    if (frame_map(frame) != FRAME_IN_VSPACE)
        return error_code(request, seL4_IllegalOperation);
    /* The low bits of the address are not kept, and are 0 in any address that was accepted. */
    if (map_address(frame) != vaddr)
        return error_argument(request, 0);
    return STATUS_OK;
}

enum status invoke_page_map(struct request *request)
{
    u64 vaddr = request_word(request, 0);

    if (frame_size(request->cap) == FRAME_1G && !paging_has_1g())
        return error_capability(request, 0);
    if (check_space(request, ASID_NATIVE) != STATUS_OK || check_place(request, vaddr) != STATUS_OK)
        return STATUS_ERROR;
    return map_frame(request, ASID_NATIVE, vaddr);
}

enum status invoke_page_map_ept(struct request *request)
{
    u64 gpa = request_word(request, 0) & ~MASK(PAGE_BITS);

    if (nested_format == NESTED_NONE)
        return error_code(request, seL4_IllegalOperation);
    if ((frame_size(request->cap) == FRAME_1G && !nested_has_1g) ||
        frame_map(request->cap) != FRAME_UNMAPPED)
        return error_capability(request, 0);
    if (check_space(request, ASID_NESTED) != STATUS_OK ||
        check_address(request, ASID_NESTED, gpa) != STATUS_OK)
        return STATUS_ERROR;
    return map_frame(request, ASID_NESTED, gpa);
}

enum status invoke_page_unmap(struct request *request)
{
    frame_unmap(request->cap);
    frame_set_mapped(request->slot, FRAME_UNMAPPED, 0);
    return STATUS_OK;
}

enum status invoke_page_get_address(struct request *request)
{
    reply_word(request, cap_hpa(request->cap).raw);
    return STATUS_OK;
}

/* --- paging structures, native or nested ------------------------------------------------------ */

enum status invoke_table_map(struct request *request)
{
    struct cap table = request->cap;
    enum asid_kind kind = table_space(table.type);
    u64 address = request_word(request, 0) & ~MASK(table_span_bits(table.type));
    u64 *root;

    if (kind == ASID_NESTED && nested_format == NESTED_NONE)
        return error_code(request, seL4_IllegalOperation);
    if (table_is_mapped(table))
        return error_capability(request, 0);
    if (check_space(request, kind) != STATUS_OK ||
        check_address(request, kind, address) != STATUS_OK ||
        find_root(request, kind, &root) != STATUS_OK)
        return STATUS_ERROR;
    return finish_map(request, kind, address, space_map_table(root, address, table));
}

/* What other capabilities to the structure say of its place must stay true: there may be none. */
enum status invoke_table_unmap(struct request *request)
{
    if (!slot_is_final(request->slot))
        return error_code(request, seL4_RevokeFirst);
    if (!table_is_mapped(request->cap))
        return STATUS_OK;
    table_unmap(request->cap);
    memset(cap_object(request->cap), 0, PAGE_SIZE);
    table_set_mapped(request->slot, false, 0);
    return STATUS_OK;
}

/* --- spaces ----------------------------------------------------------------------------------- */

/* A guest that runs meanwhile on another core leaves the old space before this returns. */
enum status invoke_tcb_set_ept_root(struct request *request)
{
    struct slot *root = &cap_tcb(request->cap)->slots[TCB_EPT_ROOT];
    struct slot *source = request->extra[0];

    if (!cap_is_space(source->cap, ASID_NESTED))
        return error_code(request, seL4_IllegalOperation);
    if (!slot_is_empty(root)) {
        tlb_flush_nested(cap_hpa(root->cap));
        slot_delete_simple(root);
    }
    slot_insert(source->cap, source, root);
    known_advance();
    return STATUS_OK;
}

static bool cap_is_pool_memory(struct cap cap)
{
    return cap.type == CAP_UNTYPED && untyped_size_bits(cap) == ASID_POOL_SIZE_BITS &&
           !untyped_is_device(cap);
}

enum status invoke_asid_control_make_pool(struct request *request)
{
    struct slot *untyped = request->extra[0];
    unsigned index = asid_free_pool();
    struct slot *dest;

    if (index == ASID_POOLS)
        return error_code(request, seL4_DeleteFirst);
    if (!cap_is_pool_memory(untyped->cap))
        return error_capability(request, 1);
    if (slot_has_children(untyped))
        return error_code(request, seL4_RevokeFirst);
    dest = request_empty_slot(request, request->extra[1]->cap, 0);
    if (!dest)
        return STATUS_ERROR;

    hpa_t pool = cap_hpa(untyped->cap);

    memset(hpa_to_ptr(pool), 0, BIT(ASID_POOL_SIZE_BITS));
    untyped->cap.data = BIT(ASID_POOL_SIZE_BITS); /* nothing of it is free any more */
    asid_pool_install(index, hpa_to_ptr(pool));
    slot_insert_new(untyped, dest, cap_make(CAP_ASID_POOL, pool, index, 0));
    return STATUS_OK;
}

enum status invoke_asid_pool_assign(struct request *request)
{
    struct slot *space = request->extra[0];
    unsigned index = cap_aux_get(request->cap, 0, 3);
    bool is_native = space->cap.type == CAP_PML4;

    if ((!is_native && space->cap.type != CAP_EPT_PML4) || table_is_mapped(space->cap))
        return error_capability(request, SPACE_CAPABILITY);
    if (!asid_pool_is_installed(index, cap_object(request->cap)))
        return error_lookup(request, false, (struct lookup_failure){ .type = seL4_InvalidRoot });

    unsigned asid = asid_find_free(index);

    if (asid == ASID_NONE)
        return error_code(request, seL4_DeleteFirst);
    asid_assign(asid, is_native ? ASID_NATIVE : ASID_NESTED, cap_object(space->cap));
    table_set_mapped(space, true, asid);
    return STATUS_OK;
}
