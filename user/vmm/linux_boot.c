/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/linux_boot.h"

#include "lib/string.h"
#include "user/vmm/acpi.h"
#include "user/vmm/bzimage.h"
#include "user/vmm/mailbox.h"

#define PAGE 4096ull
#define MIB  (1ull << 20)
#define GIB  (1ull << 30)

/* Offsets in the zero page; the setup header lies in it at the place it has in the image. */
enum {
    ZERO_ACPI_RSDP = 0x070,
    ZERO_E820_COUNT = 0x1e8,
    ZERO_TYPE_OF_LOADER = 0x210,
    ZERO_LOADFLAGS = 0x211,
    ZERO_RAMDISK_IMAGE = 0x218,
    ZERO_RAMDISK_SIZE = 0x21c,
    ZERO_CMDLINE = 0x228,
    ZERO_E820_TABLE = 0x2d0,
};

#define LOADER_UNDEFINED 0xffu
#define LOADFLAGS_QUIET  0x20u

#define E820_RAM      1u
#define E820_RESERVED 2u
#define E820_ACPI_NVS 4u
#define E820_ENTRY    20u

#define PAGE_TABLE_ENTRY 0x07ull /* present, writable, for users, too */
#define PAGE_PDPTE       0x01ull /* of the 32-bit kind: present */
#define PAGE_LARGE       0x80ull
#define NR_DIRECTORIES   4u

static uint64_t round_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

static void put_number(uint8_t *page, unsigned offset, uint64_t value, unsigned bytes)
{
    memcpy(page + offset, &value, bytes); /* little endian, as we are */
}

/* Where the kernel goes; 0 if there is no room. Room: from there init_bytes below ram->low_bytes.
 */
static uint64_t place_kernel(const struct guest_ram *ram, const struct bzimage *kernel)
{
    uint64_t address = kernel->preferred_address;

    if (address < MIB || address > ram->low_bytes ||
        kernel->init_bytes > ram->low_bytes - address) {
        if (!kernel->relocatable) {
            return 0;
        }
        address = round_up(MIB, kernel->alignment);
    }
    if (address > ram->low_bytes || kernel->init_bytes > ram->low_bytes - address) {
        return 0;
    }
    return address;
}

/* As high as possible: the kernel unpacks itself upwards from where it is. 0 if there is no room.
 */
static uint64_t place_initrd(const struct guest_ram *ram, const struct bzimage *kernel,
                             uint64_t kernel_end, uint64_t bytes)
{
    uint64_t top = ram->low_bytes;
    uint64_t address;

    if (kernel->initrd_max < top) {
        top = kernel->initrd_max + 1;
    }
    if (bytes > top) {
        return 0;
    }
    address = (top - bytes) & ~(PAGE - 1);
    return address >= kernel_end ? address : 0;
}

struct e820 {
    uint8_t *page;
    unsigned count;
};

static void e820_add(struct e820 *map, uint64_t start, uint64_t bytes, uint32_t type)
{
    unsigned offset = ZERO_E820_TABLE + map->count * E820_ENTRY;

    if (bytes == 0) {
        return;
    }
    put_number(map->page, offset, start, 8);
    put_number(map->page, offset + 8, bytes, 8);
    put_number(map->page, offset + 16, type, 4);
    map->count++;
}

static void fill_e820(uint8_t *page, const struct guest_ram *ram, bool mailbox)
{
    struct e820 map = { .page = page };

    e820_add(&map, 0, 0xa0000, E820_RAM);
    e820_add(&map, ACPI_BASE, MIB - ACPI_BASE, E820_RESERVED);
    e820_add(&map, MIB, ram->low_bytes - MIB, E820_RAM);
    e820_add(&map, ECAM_BASE, ECAM_BYTES, E820_RESERVED);
    e820_add(&map, MAILBOX_BASE, mailbox ? MAILBOX_BYTES : 0, E820_ACPI_NVS);
    e820_add(&map, GUEST_RAM_HIGH_BASE, ram->high_bytes, E820_RAM);
    page[ZERO_E820_COUNT] = (uint8_t)map.count;
}

static bool write_gdt(const struct guest_ram *ram)
{
    const uint64_t gdt[LINUX_GDT_BYTES / 8] = {
        [LINUX_CS / 8] = 0x00af9b000000ffffull, /* 64-bit code, accessed */
        [LINUX_DS / 8] = 0x00cf93000000ffffull, /* data, accessed */
    };

    return guest_ram_write(ram, gpa(LINUX_GDT), gdt, sizeof(gdt));
}

static bool write_page_tables(const struct guest_ram *ram)
{
    uint64_t pdpt = LINUX_PAGE_TABLES + PAGE;
    uint64_t directories = pdpt + PAGE;
    uint64_t *tables = guest_ram_at(ram, gpa(LINUX_PAGE_TABLES), (2 + NR_DIRECTORIES) * PAGE);
    uint64_t pae[NR_DIRECTORIES];

    if (tables == NULL) {
        return false;
    }
    memset(tables, 0, 2 * PAGE);
    tables[0] = pdpt | PAGE_TABLE_ENTRY;
    for (unsigned i = 0; i < NR_DIRECTORIES; i++) {
        tables[512 + i] = (directories + i * PAGE) | PAGE_TABLE_ENTRY;
        pae[i] = (directories + i * PAGE) | PAGE_PDPTE;
    }
    for (uint64_t i = 0; i < NR_DIRECTORIES * 512; i++) {
        tables[1024 + i] = i * 2 * MIB | PAGE_LARGE | PAGE_TABLE_ENTRY;
    }
    return guest_ram_write(ram, gpa(LINUX_PAE_TABLE), pae, sizeof(pae));
}

static bool write_zero_page(const struct guest_ram *ram, const struct linux_images *images,
                            const struct bzimage *kernel, uint64_t initrd, bool mailbox)
{
    uint8_t *page = guest_ram_at(ram, gpa(LINUX_ZERO_PAGE), PAGE);

    if (page == NULL) {
        return false;
    }
    memset(page, 0, PAGE);
    memcpy(page + BZIMAGE_HEADER, images->kernel + BZIMAGE_HEADER,
           kernel->header_end - BZIMAGE_HEADER);
    page[ZERO_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    page[ZERO_LOADFLAGS] &= (uint8_t)~LOADFLAGS_QUIET;
    put_number(page, ZERO_RAMDISK_IMAGE, initrd, 4);
    put_number(page, ZERO_RAMDISK_SIZE, initrd == 0 ? 0 : images->initrd_bytes, 4);
    put_number(page, ZERO_CMDLINE, LINUX_CMDLINE, 4);
    put_number(page, ZERO_ACPI_RSDP, ACPI_BASE, 8);
    fill_e820(page, ram, mailbox);
    return true;
}

const char *linux_boot_load(const struct guest_ram *ram, const struct linux_images *images,
                            bool mailbox, struct linux_entry *entry)
{
    struct bzimage kernel;
    enum bzimage_answer answer = bzimage_parse(images->kernel, images->kernel_bytes, &kernel);
    uint64_t address, initrd = 0;
    uint64_t command_line_bytes = strlen(images->command_line) + 1;

    if (answer != BZIMAGE_OK) {
        return bzimage_explain(answer);
    }
    if (command_line_bytes > LINUX_CMDLINE_MAX ||
        command_line_bytes - 1 > kernel.command_line_max) {
        return "the kernel's command line is too long";
    }
    address = place_kernel(ram, &kernel);
    if (address == 0) {
        return "the kernel does not fit in the guest's memory";
    }
    if (images->initrd_bytes != 0) {
        initrd = place_initrd(ram, &kernel, address + kernel.init_bytes, images->initrd_bytes);
        if (initrd == 0) {
            return "the initial RAM disk does not fit in the guest's memory";
        }
    }
    if (!guest_ram_write(ram, gpa(address), images->kernel + kernel.payload_offset,
                         kernel.payload_bytes) ||
        !guest_ram_write(ram, gpa(initrd), images->initrd,
                         initrd == 0 ? 0 : images->initrd_bytes) ||
        !guest_ram_write(ram, gpa(LINUX_CMDLINE), images->command_line, command_line_bytes) ||
        !write_gdt(ram) || !write_page_tables(ram) ||
        !write_zero_page(ram, images, &kernel, initrd, mailbox)) {
        return "the guest has too little memory";
    }
    entry->rip = address + BZIMAGE_ENTRY_64;
    entry->rsi = LINUX_ZERO_PAGE;
    entry->cr3 = LINUX_PAGE_TABLES;
    return NULL;
}
