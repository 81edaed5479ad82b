/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the steps of booting share, and the steps in their order. Each carries out one or two tables
 * of the plan, top to bottom; a step that is refused ends the boot (failure.h), so none returns an
 * error.
 */
#ifndef USER_INIT_BOOT_H
#define USER_INIT_BOOT_H

#include <sel4/sel4.h>

#include "user/init/memory.h"
#include "user/init/plan.h"

struct boot {
    const seL4_BootInfo *bootinfo;
    struct plan plan; /* opened and checked */
    struct memory memory;
    seL4_CPtr plan_frames; /* capability of the image frame where the plan begins */
    seL4_Word extensions;  /* enum bulkhead_extension */
    uint32_t tsc_mhz;
};

/* The capability that a plan slot names. */
static inline seL4_CPtr boot_cap(const struct boot *boot, uint32_t slot)
{
    if (slot == PLAN_SLOT_INIT_VSPACE) {
        return seL4_CapInitThreadVSpace;
    }
    return slot == PLAN_NO_SLOT ? seL4_CapNull : boot->bootinfo->empty.start + slot;
}

/* create.c */
void create_objects(struct boot *boot);
void create_images(const struct boot *boot);
void create_devices(const struct boot *boot);

/* spaces.c */
void spaces_make_paging(const struct boot *boot);
void spaces_fill_frames(const struct boot *boot);
void spaces_copy_caps(const struct boot *boot);
void spaces_map_frames(const struct boot *boot);

/* threads.c */
void threads_bind_interrupts(const struct boot *boot);
void threads_configure(const struct boot *boot);
void threads_start(const struct boot *boot);

/* supervise.c: gives up authority, then waits for messages */
_Noreturn void supervise(const struct boot *boot);

#endif
