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
#include "lib/bits.h"

#define LOW_MEMORY_END BIT(20)

static struct boot_machine machine;

/* Code and data of boot.S: needed until all processors have started. */
static const struct boot_region boot_part = { (u64)kernel_boot_start, (u64)kernel_boot_end };

NORETURN void kernel_main(u32 magic, u32 info);

static void console_init(u32 magic, u32 info)
{
    loader_read(magic, info);
    serial_init((u16)loader_option("console_port", serial_default_port()));
    print("\nBulkhead\n");
}

/* RAM is what lies above 1 MiB: below, firmware and devices have their say. */
static void memory_init(void)
{
    machine.ram = loader.usable;
    regions_remove(&machine.ram, 0, LOW_MEMORY_END);
    machine.module = loader.module;

    machine.free = machine.ram;
    regions_remove(&machine.free, boot_part.start, boot_part.end);
    regions_remove(&machine.free, kernel_to_hpa(kernel_code_start).raw,
                   kernel_to_hpa(kernel_end).raw);
    regions_remove(&machine.free, round_down_bits(machine.module.start, PAGE_BITS),
                   round_up_bits(machine.module.end, PAGE_BITS));
    kernel_tables_init(&loader.cached, &machine.free);
}

static void print_memory(void)
{
    u64 bytes = 0;

    for (unsigned i = 0; i < machine.ram.count; i++)
        bytes += machine.ram.at[i].end - machine.ram.at[i].start;
    print("%lu MiB of memory, %u processor%s, %s\n", (bytes >> 20), acpi.nr_processors,
          acpi.nr_processors == 1 ? "" : "s", loader.is_multiboot2 ? "Multiboot 2" : "Multiboot 1");
}

/* Registers that the kernel keeps to itself, whatever the memory map says of them. */
static void reserve_page(u64 address)
{
    regions_add(&machine.reserved, address, address + PAGE_SIZE);
    regions_remove(&machine.free, address, address + PAGE_SIZE);
}

static void interrupts_init(void)
{
    apic_init(acpi.local_apic);
    apic_init_core();
    ioapic_init(acpi.io_apic);
    reserve_page(acpi.local_apic);
    reserve_page(acpi.io_apic);
    timer_init();
}

static void describe_machine(void)
{
    if (machine.module.end == 0)
        panic("the boot loader brought no module: the first one is the initial task");
    regions_add(&machine.free, boot_part.start, boot_part.end);
    machine.vbe = loader.has_vbe ? &loader.vbe : NULL;
    machine.rsdp = acpi.rsdp;
    machine.framebuffer = loader.has_framebuffer ? loader.framebuffer : NULL;
    machine.memory_map = &loader.memory_map;
}

void kernel_main(u32 magic, u32 info)
{
    u64 entered = rdtsc();

    descriptors_init_core(0);
    core_init(0);
    console_init(magic, info);
    cpu_detect();
    cpu_init_core();
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
