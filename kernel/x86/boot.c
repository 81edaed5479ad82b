/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the boot loader's hands to the initial task: the order in which the kernel comes to life
 * (the contract is in kernel/core/boot.h). Runs on the first core's kernel stack.
 */
#include "kernel/core/boot.h"

#include "kernel/core/core.h"
#include "kernel/core/memory.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/core/regions.h"
#include "kernel/sched/sched.h"
#include "kernel/x86/acpi.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/descriptors.h"
#include "kernel/x86/entry.h"
#include "kernel/x86/image.h"
#include "kernel/x86/kernel_tables.h"
#include "kernel/x86/loader.h"
#include "kernel/x86/serial.h"
#include "kernel/x86/smp.h"
#include "kernel/x86/timer.h"
#include "kernel/x86/virt/virt.h"
#include "lib/string.h"

#define LOW_MEMORY_END   BIT(20)
#define IO_APIC_BYTES    4096
#define LOCAL_APIC_BYTES 4096

static struct boot_machine machine;

NORETURN void kernel_main(u32 magic, u32 info);

static void add(struct boot_regions *regions, u64 start, u64 end)
{
    if (!regions_add(regions, start, end))
        panic("too many memory regions");
}

static void console_init(u32 magic, u32 info)
{
    loader_read_command_line(magic, info);
    serial_init((u16)loader_option("console_port", serial_default_port()));
    print("\nBulkhead\n");
}

/* RAM is what lies above 1 MiB: below, firmware and devices have their say. */
static void memory_init(void)
{
    struct boot_regions free;

    machine.ram = loader.usable;
    if (!regions_remove(&machine.ram, 0, LOW_MEMORY_END))
        panic("too many memory regions");

    machine.discarded =
        (struct boot_region){ (u64)(uintptr_t)kernel_boot_start, (u64)(uintptr_t)kernel_boot_end };
    add(&machine.in_use, machine.discarded.start, machine.discarded.end);
    add(&machine.in_use, kernel_to_hpa(kernel_code_start).raw, kernel_to_hpa(kernel_end).raw);

    free = machine.ram;
    for (unsigned i = 0; i < machine.in_use.count; i++)
        if (!regions_remove(&free, machine.in_use.at[i].start, machine.in_use.at[i].end))
            panic("too many memory regions");
    for (unsigned i = 0; i < loader.in_use.count; i++)
        if (!regions_remove(&free, loader.in_use.at[i].start, loader.in_use.at[i].end))
            panic("too many memory regions");
    kernel_tables_init(&machine, &loader.cached, &free);
}

static void print_memory(void)
{
    u64 bytes = 0;

    for (unsigned i = 0; i < machine.ram.count; i++)
        bytes += machine.ram.at[i].end - machine.ram.at[i].start;
    print("%lu MiB of memory, %u processor%s, %s\n", (bytes >> 20), acpi.nr_processors,
          acpi.nr_processors == 1 ? "" : "s", loader.is_multiboot2 ? "Multiboot 2" : "Multiboot 1");
}

static void interrupts_init(void)
{
    apic_init(acpi.local_apic);
    apic_init_core();
    ioapic_init(acpi.io_apic);
    add(&machine.reserved, acpi.local_apic, acpi.local_apic + LOCAL_APIC_BYTES);
    add(&machine.reserved, acpi.io_apic, acpi.io_apic + IO_APIC_BYTES);
    timer_init();
}

static void describe_machine(void)
{
    if (loader.module.end == 0)
        panic("the boot loader brought no module: the first one is the initial task");
    machine.module = kernel_window(loader.module.start, loader.module.end - loader.module.start);
    machine.module_size = loader.module.end - loader.module.start;
    if (!machine.module)
        panic("the first boot module is not in memory");
    machine.nr_cores = nr_cores;

    memcpy(machine.rsdp, acpi.rsdp, sizeof(machine.rsdp));
    machine.has_rsdp = acpi.has_rsdp;
    machine.memory_map = loader.memory_map;
    machine.memory_map_bytes = loader.memory_map_bytes;
    memcpy(machine.framebuffer, loader.framebuffer, sizeof(machine.framebuffer));
    machine.has_framebuffer = loader.has_framebuffer;
    machine.vbe = loader.has_vbe ? loader.vbe : NULL;
}

void kernel_main(u32 magic, u32 info)
{
    u64 entered = rdtsc();

    descriptors_init_core(0);
    core_init(0);
    console_init(magic, info);
    cpu_detect();
    cpu_init_core();
    loader_read(magic, info);
    memory_init();
    acpi_init(loader.rsdp, loader.rsdp_bytes, !loader.is_multiboot2);
    print_memory();
    interrupts_init();
    virt_init();
    virt_init_core();
    smp_start(&loader.usable);
    describe_machine();

    struct tcb *initial = boot_initial_task(&machine);

    print("initial task begins when the TSC is %lu; it was %lu at the kernel's entry\n", rdtsc(),
          entered);
    smp_release();
    sched_start(initial);
    kernel_leave();
}
