/* SPDX-License-Identifier: BSD-2-Clause */
/* The initial task: see README.md. */
#include <sel4/sel4.h>

#include "user/init/boot.h"
#include "user/init/failure.h"
#include "user/init/plan_check.h"
#include "user/libsel4/include/bulkhead/bootinfo.h"
#include "user/start/start.h"

/* From the linker script: this program's pages. The plan begins where they end. */
extern const uint8_t __image_start[], __image_end[];

static void find_plan(struct boot *boot)
{
    const seL4_SlotRegion *frames = &boot->bootinfo->userImageFrames;
    uint64_t own_pages = (uint64_t)(__image_end - __image_start) / PLAN_PAGE_BYTES;
    uint64_t all_pages = frames->end - frames->start;
    struct plan_problem problem;

    if (all_pages <= own_pages) {
        stop("there is no boot plan behind the program");
    }
    if (!plan_open(&boot->plan, __image_end, (all_pages - own_pages) * PLAN_PAGE_BYTES, &problem) ||
        !plan_check(&boot->plan, &problem)) {
        if (problem.row == PLAN_NO_ROW) {
            stop("boot plan refused: %s: %s", problem.where, problem.what);
        }
        stop("boot plan refused: %s %u: %s", problem.where, problem.row, problem.what);
    }
    boot->plan_frames = frames->start + own_pages;
}

static void check_machine(struct boot *boot)
{
    const seL4_SlotRegion *empty = &boot->bootinfo->empty;

    if (boot->plan.header->nr_slots > empty->end - empty->start) {
        stop("the plan needs %u capabilities, and there is room for %lu",
             boot->plan.header->nr_slots, empty->end - empty->start);
    }
    boot->extensions = bootinfo_extensions(boot->bootinfo);
    boot->tsc_mhz = bootinfo_tsc_mhz(boot->bootinfo);
    if (boot->tsc_mhz == 0) {
        stop("the kernel does not tell the frequency of the time stamp counter");
    }
    memory_init(&boot->memory, boot->bootinfo);
}

static unsigned long mebibytes(uint64_t bytes)
{
    return bytes >> 20;
}

static void make_system(struct boot *boot)
{
    create_objects(boot);
    create_images(boot);
    create_devices(boot);
    spaces_make_paging(boot);
    spaces_fill_frames(boot);
    spaces_copy_caps(boot);
    spaces_map_frames(boot);
    threads_bind_interrupts(boot);
    threads_configure(boot);
}

static const char *kind_name(uint32_t kind)
{
    return kind == PLAN_COMPONENT_VM       ? "vm"
           : kind == PLAN_COMPONENT_SERVER ? "server"
                                           : "supervisor";
}

static void announce_start(const struct boot *boot)
{
    for (uint32_t i = 0; i < boot->plan.nr_components; i++) {
        const struct plan_component *component = &boot->plan.components[i];

        print("[bulkhead] %s '%s': starting\n", kind_name(component->kind),
              plan_name(&boot->plan, component->name));
    }
}

static uint32_t count_vms(const struct plan *plan)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < plan->nr_components; i++) {
        count += plan->components[i].kind == PLAN_COMPONENT_VM;
    }
    return count;
}

#ifndef BULKHEAD_DEBUG

/* A release kernel has no call that prints, and the serial port may be a VM's. */
static void print_nothing(char c)
{
    (void)c;
}

#endif

int main(seL4_Word argument)
{
    static struct boot boot;
    uint64_t memory;
    uint32_t nr_vms;

#ifndef BULKHEAD_DEBUG
    print_to(print_nothing);
#endif
    boot.bootinfo = initial_task_begin(argument);
    find_plan(&boot);
    check_machine(&boot);
    nr_vms = count_vms(&boot.plan);
    memory = memory_free_bytes(&boot.memory);
    print("[bulkhead] system '%s': %u virtual machine%s, %lu MiB of memory, %lu core%s, %u MHz\n",
          plan_name(&boot.plan, boot.plan.header->name), nr_vms, nr_vms == 1 ? "" : "s",
          mebibytes(memory), boot.bootinfo->numNodes, boot.bootinfo->numNodes == 1 ? "" : "s",
          boot.tsc_mhz);
    make_system(&boot);
    print("[bulkhead] created: %u capabilities, %lu MiB of memory\n",
          boot.plan.header->nr_slots - 1, mebibytes(memory - memory_free_bytes(&boot.memory)));
    announce_start(&boot);
    threads_start(&boot);
    give_up(&boot, memory_free_bytes(&boot.memory));
}
