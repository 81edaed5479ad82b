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
#include "user/init/pci.h"
#include "user/init/plan.h"

struct boot_device {
    uint32_t state; /* enum plan_device_state */
    uint32_t frames;
    struct pci_function function;
};

struct boot {
    const seL4_BootInfo *bootinfo;
    struct plan plan; /* opened and checked */
    struct memory memory;
    seL4_CPtr plan_frames; /* capability of the image frame where the plan begins */
    seL4_Word extensions;  /* enum bulkhead_extension */
    uint32_t tsc_mhz;
    uint64_t boot_time; /* seconds since 1970 at which the TSC was 0; 0: not known */
    struct boot_device devices[PLAN_MAX_DEVICES];
};

/* The capability that a plan slot names. */
static inline seL4_CPtr boot_cap(const struct boot *boot, uint32_t slot)
{
    if (slot == PLAN_SLOT_INIT_VSPACE) {
        return seL4_CapInitThreadVSpace;
    }
    return slot == PLAN_NO_SLOT ? seL4_CapNull : boot->bootinfo->empty.start + slot;
}

/* Capability n of those found is there: not so what belongs to a device that the machine lacks. */
static inline bool boot_has(const struct boot *boot, const struct plan_slot *found, uint32_t n)
{
    if (found->source == PLAN_SOURCE_DEVICE) {
        return found->first + n < boot->devices[found->row].frames;
    }
    if (found->source == PLAN_SOURCE_IRQ) {
        const struct plan_irq *irq = &boot->plan.irqs[found->row];

        return irq->kind != PLAN_IRQ_MESSAGE ||
               boot->devices[irq->device].state == PLAN_DEVICE_FOUND;
    }
    return true;
}

/* create.c */
void create_objects(struct boot *boot);
void create_images(const struct boot *boot);

/* devices.c */
void create_devices(struct boot *boot);

/* spaces.c */
void spaces_make_paging(const struct boot *boot);
void spaces_fill_frames(const struct boot *boot);
void spaces_copy_caps(const struct boot *boot);
void spaces_map_frames(const struct boot *boot);

/* threads.c */
void threads_bind_interrupts(const struct boot *boot);
void threads_configure(const struct boot *boot);
void threads_start(const struct boot *boot);

/* end.c: gives up all authority and ends; left_bytes: memory of which nothing was made */
_Noreturn void give_up(const struct boot *boot, uint64_t left_bytes);

#endif
