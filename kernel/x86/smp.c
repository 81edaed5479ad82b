/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/smp.h"

#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/memory.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/core/regions.h"
#include "kernel/core/time.h"
#include "kernel/sched/sched.h"
#include "kernel/vspace/tlb.h"
#include "kernel/x86/acpi.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/descriptors.h"
#include "kernel/x86/entry.h"
#include "kernel/x86/virt/virt.h"
#include "lib/string.h"

/* Above may lie data of the firmware that no map tells of. */
#define LOW_MEMORY_END 0x80000ull

#define INIT_WAIT_US     10000
#define STARTUP_WAIT_US  200
#define ARRIVAL_LIMIT_US 1000000 /* emulators may let it wait for its turn */

/*
 * The first instructions (boot.S), copied to a page below 1 MiB: a start-up message names a page.
 * Physical addresses.
 */
extern const u8 ap_start[], ap_start_end[];

/* What boot.S hands to the processor that is being started. */
extern u64 ap_stack;
u64 ap_stack;

/* Release by the one that arrives, acquire by the one that waits; the other way round for go_on. */
static bool arrived;
static bool go_on;

NORETURN void ap_main(void);

/* --- on the one that is started -------------------------------------------------------------- */

/* The first NMI or fault needs descriptors; what the first core measured holds for all. */
void ap_main(void)
{
    unsigned id = nr_cores;

    descriptors_init_core(id);
    core_init(id);
    cpu_init_core();
    this_core()->root = ptr_to_hpa(paging_kernel_root()).raw;
    write_cr3(this_core()->root);
    apic_init_core();
    virt_init_core();
    __atomic_store_n(&arrived, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE))
        cpu_pause();
    lock_this_core();
    sched_start_core();
    kernel_leave();
}

/* --- on the first ---------------------------------------------------------------------------- */

static bool has_arrived_within(u64 us)
{
    ticks_t end = time_now() + us_to_ticks(us);

    while (!__atomic_load_n(&arrived, __ATOMIC_ACQUIRE)) {
        if (time_now() >= end)
            return false;
        cpu_pause();
    }
    return true;
}

static bool start(u32 apic_id, u8 page)
{
    arrived = false;
    ap_stack = (u64)(uintptr_t)kernel_stacks[nr_cores] + CONFIG_KERNEL_STACK_BYTES;
    apic_send_init(apic_id);
    (void)has_arrived_within(INIT_WAIT_US); /* only waits */
    apic_send_startup(apic_id, page);
    if (has_arrived_within(STARTUP_WAIT_US))
        return true;
    /* The first message may get lost; one that has been heeded makes the second without effect. */
    apic_send_startup(apic_id, page);
    return has_arrived_within(ARRIVAL_LIMIT_US);
}

void smp_start(struct boot_regions *usable)
{
    /* Not given back as it was: nobody has been promised what is in free memory. */
    u64 page = regions_take(usable, PAGE_SIZE, PAGE_BITS, LOW_MEMORY_END);

    if (acpi.nr_processors <= 1)
        return;
    if (!page) {
        print("no memory below 1 MiB: other processors are not started\n");
        return;
    }
    memcpy(hpa_to_ptr(hpa(page)), hpa_to_ptr(hpa((u64)(uintptr_t)ap_start)),
           (u64)(ap_start_end - ap_start));
    for (unsigned i = 0; i < acpi.nr_processors; i++) {
        if (acpi.apic_ids[i] == cores[0].apic_id)
            continue;
        if (start(acpi.apic_ids[i], (u8)(page >> PAGE_BITS))) {
            nr_cores++;
        } else {
            /* It must not come late. */
            apic_send_init(acpi.apic_ids[i]);
            print("the processor with APIC id %u does not start\n", acpi.apic_ids[i]);
        }
    }
    print("%u processors run\n", nr_cores);
}

void smp_release(void)
{
    __atomic_store_n(&go_on, true, __ATOMIC_RELEASE);
}
