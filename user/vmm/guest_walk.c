/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/guest_walk.h"

#include "user/vmm/x86.h"

/* Page table entry bits; the same in all three formats. */
#define ENTRY_PRESENT  (1ull << 0)
#define ENTRY_WRITE    (1ull << 1)
#define ENTRY_USER     (1ull << 2)
#define ENTRY_ACCESSED (1ull << 5)
#define ENTRY_DIRTY    (1ull << 6)
#define ENTRY_LARGE    (1ull << 7)
#define ENTRY_NX       (1ull << 63)
#define ENTRY_ADDRESS  0x000ffffffffff000ull

/* The form of translation in force: how many levels, and how wide an entry is. */
struct walk_form {
    uint8_t levels;     /* 0 = paging is off */
    uint8_t index_bits; /* 9, or 10 with 4-byte entries */
    uint8_t entry_bytes;
    bool large_allowed; /* at level 2: PSE needs CR4.PSE in the 32-bit form */
    bool has_nx;
};

static struct walk_form walk_form(const struct guest_paging *paging)
{
    bool nx = (paging->efer & EFER_NXE) != 0;

    if ((paging->cr0 & CR0_PG) == 0) {
        return (struct walk_form){ 0 };
    }
    if ((paging->efer & EFER_LMA) != 0) {
        return (struct walk_form){ 4, 9, 8, true, nx };
    }
    if ((paging->cr4 & CR4_PAE) != 0) {
        return (struct walk_form){ 3, 9, 8, true, nx };
    }
    return (struct walk_form){ 2, 10, 4, (paging->cr4 & CR4_PSE) != 0, false };
}

static uint64_t entry_read(const void *slot, uint8_t bytes)
{
    /* Once: the guest may be changing it. */
    return bytes == 8 ? __atomic_load_n((const uint64_t *)slot, __ATOMIC_RELAXED)
                      : __atomic_load_n((const uint32_t *)slot, __ATOMIC_RELAXED);
}

/*
 * Sets the marks in an entry that is still *entry. If another vCPU or its processor has changed it,
 * false and what it is now: marks set in it would be marks of an access that it may not allow, or
 * bits of their own in an entry that is none any more.
 */
static bool entry_mark(void *slot, uint8_t bytes, uint64_t *entry, uint64_t marks)
{
    uint32_t narrow = (uint32_t)*entry;
    bool done;

    if (bytes == 8) {
        return __atomic_compare_exchange_n((uint64_t *)slot, entry, *entry | marks, false,
                                           __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    done = __atomic_compare_exchange_n((uint32_t *)slot, &narrow, narrow | (uint32_t)marks, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    *entry = narrow;
    return done;
}

static uint32_t access_code(const struct guest_paging *paging, const struct walk_form *form,
                            enum walk_access access)
{
    uint32_t code = paging->user ? PAGE_FAULT_USER : 0;

    if (access == WALK_WRITE) {
        code |= PAGE_FAULT_WRITE;
    }
    if (access == WALK_FETCH && (form->has_nx || (paging->cr4 & CR4_SMEP) != 0)) {
        code |= PAGE_FAULT_FETCH;
    }
    return code;
}

/* rights: the AND of the writable and user bits of all levels; nx: the OR of their NX bits. */
static bool access_allowed(const struct guest_paging *paging, enum walk_access access,
                           uint64_t rights, bool nx)
{
    bool user_page = (rights & ENTRY_USER) != 0;
    bool writable = (rights & ENTRY_WRITE) != 0;

    if (paging->user && !user_page) {
        return false;
    }
    if (access == WALK_FETCH) {
        bool smep = !paging->user && user_page && (paging->cr4 & CR4_SMEP) != 0;

        return !nx && !smep;
    }
    if (!paging->user && user_page && (paging->cr4 & CR4_SMAP) != 0 &&
        (paging->rflags & RFLAGS_AC) == 0) {
        return false;
    }
    if (access == WALK_WRITE && !writable) {
        return !paging->user && (paging->cr0 & CR0_WP) == 0;
    }
    return true;
}

/* The page's base that a leaf entry of the 32-bit format names: PSE-36 puts bits 32-39 in 13-20. */
static uint64_t leaf_base(const struct walk_form *form, uint64_t entry, uint64_t page_bytes)
{
    if (form->entry_bytes == 4 && page_bytes > 4096) {
        return (entry & 0xffc00000u) | ((entry >> 13 & 0xff) << 32);
    }
    return entry & ENTRY_ADDRESS & ~(page_bytes - 1);
}

static bool entry_reserved(const struct walk_form *form, uint64_t entry, uint8_t level)
{
    if (form->entry_bytes == 8 && !form->has_nx && (entry & ENTRY_NX) != 0) {
        return true;
    }
    return level == 4 && (entry & ENTRY_LARGE) != 0;
}

static void trace_add(struct walk_trace *trace, const struct walk_form *form, const void *slot,
                      uint64_t entry)
{
    if (form->entry_bytes == 8) {
        trace->slots[trace->nr] = slot;
        trace->entries[trace->nr++] = entry;
    }
}

/* What the levels down to some entry allow together, what that entry is, and what is to be marked.
 */
struct walk_view {
    uint64_t rights; /* the AND of the writable and user bits */
    bool nx;         /* the OR of the execute-disable bits */
    bool leaf;
    uint64_t marks;
};

/* Adds an entry to what the levels above it allow; false, and *error_code, if that is a fault. */
static bool view_add(struct walk_view *view, const struct guest_paging *paging,
                     const struct walk_form *form, enum walk_access access, uint8_t level,
                     uint64_t entry, uint32_t *error_code)
{
    bool pdpte = form->levels == 3 && level == 3; /* has neither rights nor accessed bit */

    if ((entry & ENTRY_PRESENT) == 0) {
        return false;
    }
    if (entry_reserved(form, entry, level)) {
        *error_code |= PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED;
        return false;
    }
    view->leaf = level == 1 || (!pdpte && form->large_allowed && (entry & ENTRY_LARGE) != 0);
    view->marks = pdpte ? 0 : ENTRY_ACCESSED;
    if (!pdpte) {
        view->rights &= entry;
        view->nx |= form->entry_bytes == 8 && (entry & ENTRY_NX) != 0;
    }
    if (!view->leaf) {
        return true;
    }
    if (!access_allowed(paging, access, view->rights, view->nx)) {
        *error_code |= PAGE_FAULT_PRESENT;
        return false;
    }
    view->marks |= access == WALK_WRITE ? ENTRY_DIRTY : 0;
    return true;
}

/*
 * Reads one entry and marks it; the two as one step, as a processor does it. An entry that changes
 * in between is looked at anew, which ends when the guest stops changing it.
 */
static bool walk_entry(struct walk_view *view, const struct guest_paging *paging,
                       const struct walk_form *form, enum walk_access access, uint8_t level,
                       void *slot, uint64_t *entry, uint32_t *error_code)
{
    const struct walk_view above = *view;

    *entry = entry_read(slot, form->entry_bytes);
    do {
        *view = above;
        if (!view_add(view, paging, form, access, level, *entry, error_code)) {
            return false;
        }
    } while ((*entry & view->marks) != view->marks &&
             !entry_mark(slot, form->entry_bytes, entry, view->marks));
    *entry |= view->marks;
    return true;
}

enum walk_result guest_walk_traced(const struct guest_ram *ram, const struct guest_paging *paging,
                                   gva_t address, enum walk_access access, gpa_t *result,
                                   uint32_t *error_code, struct walk_trace *trace)
{
    const struct walk_form form = walk_form(paging);
    uint64_t linear = form.levels == 4 ? address.raw : (uint32_t)address.raw;
    uint64_t table = form.levels == 3 ? paging->cr3 & 0xffffffe0u : paging->cr3 & ENTRY_ADDRESS;
    struct walk_view view = { .rights = ENTRY_WRITE | ENTRY_USER };

    trace->nr = 0;
    if (form.levels == 0) {
        *result = gpa(linear);
        return WALK_OK;
    }
    *error_code = access_code(paging, &form, access);
    for (uint8_t level = form.levels; level >= 1; level--) {
        unsigned shift = 12u + form.index_bits * (level - 1u);
        uint64_t index = linear >> shift & ((1u << form.index_bits) - 1);
        void *slot = guest_ram_at(ram, gpa(table + index * form.entry_bytes), form.entry_bytes);
        uint64_t entry;

        if (slot == NULL) {
            return WALK_NOWHERE;
        }
        if (!walk_entry(&view, paging, &form, access, level, slot, &entry, error_code)) {
            return WALK_FAULT;
        }
        trace_add(trace, &form, slot, entry);
        if (view.leaf) {
            uint64_t page_bytes = 1ull << shift;

            *result = gpa(leaf_base(&form, entry, page_bytes) | (linear & (page_bytes - 1)));
            return WALK_OK;
        }
        table = entry & ENTRY_ADDRESS;
    }
    return WALK_NOWHERE;
}

enum walk_result guest_walk(const struct guest_ram *ram, const struct guest_paging *paging,
                            gva_t address, enum walk_access access, gpa_t *result,
                            uint32_t *error_code)
{
    struct walk_trace trace;

    return guest_walk_traced(ram, paging, address, access, result, error_code, &trace);
}
