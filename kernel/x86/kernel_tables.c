/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/kernel_tables.h"

#include "kernel/core/core.h"
#include "kernel/core/memory.h"
#include "kernel/core/panic.h"
#include "kernel/core/regions.h"
#include "kernel/vspace/tlb.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/image.h"

#define PTE_PRESENT       BIT(0)
#define PTE_WRITABLE      BIT(1)
#define PTE_WRITE_THROUGH BIT(3)
#define PTE_CACHE_DISABLE BIT(4)
#define PTE_LARGE         BIT(7)
#define PTE_GLOBAL        BIT(8)
#define PTE_NO_EXECUTE    BIT(63)
#define PTE_UNCACHED      (PTE_WRITE_THROUGH | PTE_CACHE_DISABLE)

#define ENTRIES     512
#define LARGE_BITS  21
#define HUGE_BITS   30
#define DEVICES_END BIT(32)
#define KERNEL_SLOT 511
#define IMAGE_SLOT  510 /* in the PDPT: the two last GiB belong to the image */

static u64 kernel_pml4[ENTRIES] __attribute__((aligned(4096)));
static u64 kernel_pdpt[ENTRIES] __attribute__((aligned(4096)));
static u64 image_directory[ENTRIES] __attribute__((aligned(4096)));

static const struct boot_regions *cached_memory;

static struct boot_regions *free_memory;

/* Its memory has any contents. */
static u64 *new_table(void)
{
    u64 address = regions_take(free_memory, PAGE_SIZE, PAGE_BITS, DEVICES_END);

    if (!address)
        panic("no memory for the kernel's page tables");
    return hpa_to_ptr(hpa(address));
}

static u64 no_execute(void)
{
    return cpu.nx ? PTE_NO_EXECUTE : 0;
}

static u64 table_entry(const u64 *table)
{
    return ptr_to_hpa(table).raw | PTE_PRESENT | PTE_WRITABLE;
}

/*
 * The kernel's code and constants, large pages both, cannot be written through the window either.
 */
static bool meets_constants(u64 address, u64 end)
{
    return address < kernel_to_hpa(kernel_data_start).raw &&
           end > kernel_to_hpa(kernel_code_start).raw;
}

/*
 * The entry for the block of 2^bits bytes at address: one page if its memory type is the same
 * everywhere, else a table of smaller blocks; 0 if there is nothing.
 */
static u64 window_entry(u64 address, unsigned bits)
{
    u64 end = address + BIT(bits);
    u64 attributes = PTE_PRESENT | PTE_GLOBAL | no_execute();
    bool is_page = bits < HUGE_BITS || (cpu.pages_1g && !meets_constants(address, end));

    if (!meets_constants(address, end))
        attributes |= PTE_WRITABLE;
    if (bits > PAGE_BITS)
        attributes |= PTE_LARGE;
    if (is_page && regions_contain(cached_memory, address, end))
        return address | attributes;
    if (!regions_overlap(cached_memory, address, end)) {
        if (address >= DEVICES_END)
            return 0;
        if (is_page)
            return address | attributes | PTE_UNCACHED;
    }

    /* Regions are whole pages: a page is never of two kinds. */
    kernel_assert(bits > PAGE_BITS);

    u64 *table = new_table();

    for (unsigned i = 0; i < ENTRIES; i++)
        table[i] = window_entry(address + ((u64)i << (bits - 9)), bits - 9);
    return table_entry(table);
}

static void map_image_part(const u8 *start, const u8 *end, u64 attributes)
{
    u64 first = kernel_to_hpa(start).raw >> LARGE_BITS;
    u64 last = (kernel_to_hpa(end).raw - 1) >> LARGE_BITS;

    for (u64 i = first; i <= last; i++)
        image_directory[i] = i << LARGE_BITS | PTE_PRESENT | PTE_LARGE | PTE_GLOBAL | attributes;
}

void kernel_tables_init(const struct boot_regions *cached, struct boot_regions *free)
{
    cached_memory = cached;
    free_memory = free;
    for (unsigned i = 0; i < IMAGE_SLOT; i++)
        kernel_pdpt[i] = window_entry((u64)i << HUGE_BITS, HUGE_BITS);

    map_image_part(kernel_code_start, kernel_code_end, 0);
    map_image_part(kernel_constants_start, kernel_constants_end, no_execute());
    map_image_part(kernel_data_start, kernel_end, PTE_WRITABLE | no_execute());
    kernel_pdpt[IMAGE_SLOT] = table_entry(kernel_to_window(image_directory));
    kernel_pml4[KERNEL_SLOT] = table_entry(kernel_to_window(kernel_pdpt));

    this_core()->root = kernel_to_hpa(kernel_pml4).raw;
    write_cr3(this_core()->root);
}

static bool is_shown(u64 address, u64 bytes)
{
    u64 end;

    if (bytes == 0 || __builtin_add_overflow(address, bytes, &end))
        return false;
    return end <= DEVICES_END || regions_contain(cached_memory, address, end);
}

const void *kernel_window(u64 address, u64 bytes)
{
    return is_shown(address, bytes) ? hpa_to_ptr(hpa(address)) : NULL;
}

volatile void *kernel_window_device(u64 address, u64 bytes)
{
    return is_shown(address, bytes) && !regions_overlap(cached_memory, address, address + bytes)
               ? hpa_to_ptr(hpa(address))
               : NULL;
}

u64 *paging_kernel_root(void)
{
    return kernel_to_window(kernel_pml4);
}

bool paging_has_1g(void)
{
    return cpu.pages_1g;
}

bool paging_has_nx(void)
{
    return cpu.nx;
}
