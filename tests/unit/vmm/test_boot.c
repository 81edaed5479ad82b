/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory, page walks, the kernel image's header, what is laid into memory for Linux. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "tests/unit/vmm/fake_host.h"
#include "user/vmm/acpi.h"
#include "user/vmm/bzimage.h"
#include "user/vmm/guest_walk.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* --- guest RAM --- */

static void test_ram_ranges(void **state)
{
    struct guest_ram ram;
    /* Address space only: the pages that are touched become memory. */
    uint8_t *base = mmap(NULL, 6 * GIB, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t byte = 7;

    (void)state;
    assert_ptr_not_equal(base, MAP_FAILED);
    guest_ram_init(&ram, base, 5 * GIB);
    assert_int_equal(ram.low_bytes, 3 * GIB);
    assert_int_equal(ram.high_bytes, 2 * GIB);
    assert_ptr_equal(guest_ram_at(&ram, gpa(0), 3 * GIB), base);
    assert_null(guest_ram_at(&ram, gpa(0), 3 * GIB + 1));
    assert_null(guest_ram_at(&ram, gpa(3 * GIB), 1));
    assert_null(guest_ram_at(&ram, gpa(4 * GIB - 1), 2));
    assert_ptr_equal(guest_ram_at(&ram, gpa(4 * GIB), 2 * GIB), base + 4 * GIB);
    assert_null(guest_ram_at(&ram, gpa(4 * GIB), 2 * GIB + 1));
    assert_null(guest_ram_at(&ram, gpa(6 * GIB), 1));
    assert_null(guest_ram_at(&ram, gpa(~0ull), 1));
    assert_null(guest_ram_at(&ram, gpa(~0ull), 2));
    assert_null(guest_ram_at(&ram, gpa(4096), ~0ull));
    assert_true(guest_ram_write(&ram, gpa(6 * GIB - 1), &byte, 1));
    assert_false(guest_ram_write(&ram, gpa(6 * GIB - 1), &byte, 2));
    assert_true(guest_ram_fill(&ram, gpa(3 * GIB - 4), 9, 4));
    assert_true(guest_ram_read(&ram, gpa(3 * GIB - 1), &byte, 1));
    assert_int_equal(byte, 9);
    munmap(base, 6 * GIB);
}

/* --- page walks --- */

#define FRAME(n) ((n)*4096ull)

static void put64(struct guest_ram *ram, uint64_t at, uint64_t value)
{
    assert_true(guest_ram_write(ram, gpa(at), &value, 8));
}

static void put32(struct guest_ram *ram, uint64_t at, uint32_t value)
{
    assert_true(guest_ram_write(ram, gpa(at), &value, 4));
}

static uint64_t get64(struct guest_ram *ram, uint64_t at)
{
    uint64_t value;

    assert_true(guest_ram_read(ram, gpa(at), &value, 8));
    return value;
}

struct walk_world {
    struct guest_ram ram;
    struct guest_paging paging;
};

static void walk_world_make(struct walk_world *world)
{
    guest_ram_init(&world->ram, calloc(1, 16 * MIB), 16 * MIB);
    world->paging = (struct guest_paging){ .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = FRAME(1) };
}

static uint32_t fault_of(struct walk_world *world, uint64_t address, enum walk_access access)
{
    uint32_t code = 0xffff;
    gpa_t result;

    assert_int_equal(guest_walk(&world->ram, &world->paging, gva(address), access, &result, &code),
                     WALK_FAULT);
    return code;
}

static uint64_t walked(struct walk_world *world, uint64_t address, enum walk_access access)
{
    uint32_t code;
    gpa_t result = gpa(0);

    assert_int_equal(guest_walk(&world->ram, &world->paging, gva(address), access, &result, &code),
                     WALK_OK);
    return result.raw;
}

static void test_walk_four_levels(void **state)
{
    const uint64_t high = 0xffff800000000000ull;
    struct walk_world world;
    struct guest_ram *ram = &world.ram;
    uint32_t code;
    gpa_t result;

    (void)state;
    walk_world_make(&world);
    world.paging.cr4 = CR4_PAE;
    world.paging.efer = EFER_LME | EFER_LMA | EFER_NXE;
    put64(ram, FRAME(1) + 256 * 8, FRAME(2) | 7);
    put64(ram, FRAME(2), FRAME(3) | 7);
    put64(ram, FRAME(2) + 8, 0x40000000 | 0x80 | 7); /* 1 GiB page */
    put64(ram, FRAME(3), FRAME(4) | 7);
    put64(ram, FRAME(3) + 8, 0x400000 | 0x80 | 3); /* 2 MiB page, supervisor */
    put64(ram, FRAME(4), 0x5000 | 3);
    put64(ram, FRAME(4) + 8, 0x6000 | 1);               /* read-only */
    put64(ram, FRAME(4) + 16, 0x7000 | 7 | 1ull << 63); /* no execute */
    put64(ram, FRAME(4) + 24, 0x8000 | 7);              /* user */

    assert_int_equal(walked(&world, high + 0x123, WALK_READ), 0x5123);
    assert_int_equal(get64(ram, FRAME(4)), 0x5000 | 3 | 0x20); /* accessed, not dirty */
    assert_int_equal(get64(ram, FRAME(2)) & 0x20, 0x20);
    assert_int_equal(walked(&world, high + 0x123, WALK_WRITE), 0x5123);
    assert_int_equal(get64(ram, FRAME(4)) & 0x60, 0x60);
    assert_int_equal(walked(&world, high + 0x234567, WALK_FETCH), 0x434567);
    assert_int_equal(walked(&world, high + 0x41234567, WALK_READ), 0x41234567);
    assert_int_equal(fault_of(&world, high + 0x1000, WALK_WRITE), 3);
    assert_int_equal(get64(ram, FRAME(4) + 8) & 0x40, 0); /* a fault marks nothing dirty */
    world.paging.cr0 &= ~CR0_WP;
    assert_int_equal(walked(&world, high + 0x1000, WALK_WRITE), 0x6000);
    world.paging.cr0 |= CR0_WP;
    assert_int_equal(fault_of(&world, high + 0x2000, WALK_FETCH), 0x11);
    assert_int_equal(fault_of(&world, high + 0x9000, WALK_READ), 0);
    assert_int_equal(fault_of(&world, 0, WALK_WRITE), 2);
    /* User and supervisor. */
    world.paging.user = true;
    assert_int_equal(fault_of(&world, high, WALK_READ), 5);
    assert_int_equal(fault_of(&world, high + 0x1000, WALK_WRITE), 7);
    assert_int_equal(walked(&world, high + 0x3000, WALK_WRITE), 0x8000);
    world.paging.user = false;
    world.paging.cr4 |= CR4_SMEP | CR4_SMAP;
    assert_int_equal(fault_of(&world, high + 0x3000, WALK_FETCH), 0x11);
    assert_int_equal(fault_of(&world, high + 0x3000, WALK_READ), 1);
    world.paging.rflags = RFLAGS_AC;
    assert_int_equal(walked(&world, high + 0x3000, WALK_READ), 0x8000);
    /* Without NXE the bit is reserved. */
    world.paging.efer &= ~EFER_NXE;
    assert_int_equal(fault_of(&world, high + 0x2000, WALK_READ), 9);
    /* Tables outside RAM. */
    put64(ram, FRAME(3) + 16, 0x7000000000 | 7);
    assert_int_equal(
        guest_walk(ram, &world.paging, gva(high + 0x400000), WALK_READ, &result, &code),
        WALK_NOWHERE);
    free(ram->base);
}

static void test_walk_pae(void **state)
{
    struct walk_world world;
    struct guest_ram *ram = &world.ram;

    (void)state;
    walk_world_make(&world);
    world.paging.cr4 = CR4_PAE;
    world.paging.cr3 = FRAME(1) + 0x20;                /* 32-byte aligned */
    put64(ram, FRAME(1) + 0x20 + 3 * 8, FRAME(2) | 1); /* no rights at this level */
    put64(ram, FRAME(2), FRAME(3) | 7);
    put64(ram, FRAME(2) + 8, 0x600000 | 0x80 | 7);
    put64(ram, FRAME(3) + 8, 0x9000 | 7);
    assert_int_equal(walked(&world, 0xc0001234, WALK_WRITE), 0x9234);
    assert_int_equal(get64(ram, FRAME(1) + 0x38), FRAME(2) | 1); /* and no accessed bit */
    assert_int_equal(walked(&world, 0xc0212345, WALK_FETCH), 0x612345);
    assert_int_equal(fault_of(&world, 0x00001000, WALK_READ), 0);
    free(ram->base);
}

static void test_walk_32_bit(void **state)
{
    struct walk_world world;
    struct guest_ram *ram = &world.ram;

    (void)state;
    walk_world_make(&world);
    put32(ram, FRAME(1) + 0x300 * 4, (uint32_t)FRAME(2) | 7);
    put32(ram, FRAME(1) + 0x301 * 4, 0x00800000 | 0x80 | 7 | 0x3 << 13);
    put32(ram, FRAME(2) + 4, 0xa000 | 7);
    assert_int_equal(walked(&world, 0xc0001234, WALK_READ), 0xa234);
    world.paging.cr4 = CR4_PSE;
    assert_int_equal(walked(&world, 0xc0412345, WALK_READ), 0x300812345); /* PSE-36 */
    world.paging.cr4 = 0; /* without PSE the entry names a table */
    assert_int_equal(fault_of(&world, 0xc0400000, WALK_READ), 0);
    world.paging.cr0 = CR0_PE;
    assert_int_equal(walked(&world, 0x1ffffffff, WALK_READ), 0xffffffff);
    free(ram->base);
}

/* --- the kernel image --- */

#define IMAGE_BYTES (64u * 1024)

static void image_put(uint8_t *image, unsigned at, uint64_t value, unsigned bytes)
{
    memcpy(image + at, &value, bytes);
}

static uint8_t *make_image(void)
{
    uint8_t *image = calloc(1, IMAGE_BYTES);

    image[0x1f1] = 7; /* 8 sectors before the payload */
    image_put(image, 0x1f4, (IMAGE_BYTES - 8 * 512) / 16, 4);
    image_put(image, 0x1fe, 0xaa55, 2);
    image_put(image, 0x200, 0x66eb, 2);
    image_put(image, 0x202, 0x53726448, 4);
    image_put(image, 0x206, 0x20f, 2);
    image[0x211] = 0x21; /* loaded high; quiet */
    image_put(image, 0x22c, 0x7fffffff, 4);
    image_put(image, 0x230, 0x200000, 4);
    image[0x234] = 1;
    image_put(image, 0x236, 0x7f, 2);
    image_put(image, 0x238, 2047, 4);
    image_put(image, 0x258, 0x1000000, 8);
    image_put(image, 0x260, 0x300000, 4);
    memset(image + 8 * 512, 0xcc, IMAGE_BYTES - 8 * 512);
    return image;
}

static enum bzimage_answer parse_with(unsigned at, uint64_t value, unsigned bytes)
{
    uint8_t *image = make_image();
    struct bzimage parsed;
    enum bzimage_answer answer;

    image_put(image, at, value, bytes);
    answer = bzimage_parse(image, IMAGE_BYTES, &parsed);
    assert_non_null(bzimage_explain(answer));
    free(image);
    return answer;
}

static void test_image_header(void **state)
{
    uint8_t *image = make_image();
    struct bzimage parsed;

    (void)state;
    assert_int_equal(bzimage_parse(image, IMAGE_BYTES, &parsed), BZIMAGE_OK);
    assert_int_equal(parsed.payload_offset, 8 * 512);
    assert_int_equal(parsed.payload_bytes, IMAGE_BYTES - 8 * 512);
    assert_int_equal(parsed.header_end, 0x268);
    for (uint64_t length = 0; length < IMAGE_BYTES; length += 511) {
        uint8_t *cut = malloc(length == 0 ? 1 : length);

        memcpy(cut, image, length);
        assert_int_not_equal(bzimage_parse(cut, length, &parsed), BZIMAGE_OK);
        free(cut);
    }
    free(image);
    assert_int_equal(parse_with(0x1fe, 0, 2), BZIMAGE_NOT_LINUX);
    assert_int_equal(parse_with(0x202, 0, 4), BZIMAGE_NOT_LINUX);
    assert_int_equal(parse_with(0x201, 0x10, 1), BZIMAGE_NOT_LINUX);
    assert_int_equal(parse_with(0x206, 0x20b, 2), BZIMAGE_TOO_OLD);
    assert_int_equal(parse_with(0x236, 0x7e, 2), BZIMAGE_NOT_64);
    assert_int_equal(parse_with(0x211, 0, 1), BZIMAGE_NOT_64);
    assert_int_equal(parse_with(0x1f1, 0xff, 1), BZIMAGE_TRUNCATED);
    assert_int_equal(parse_with(0x1f4, 0xffffffff, 4), BZIMAGE_TRUNCATED);
    assert_int_equal(parse_with(0x1f4, 0x10, 4), BZIMAGE_BAD_SIZE);
    assert_int_equal(parse_with(0x260, 0x1000, 4), BZIMAGE_BAD_SIZE);
    assert_int_equal(parse_with(0x260, 0xffffffff, 4), BZIMAGE_BAD_SIZE);
    assert_int_equal(parse_with(0x230, 0, 4), BZIMAGE_BAD_ALIGNMENT);
    assert_int_equal(parse_with(0x230, 0x300000, 4), BZIMAGE_BAD_ALIGNMENT);
    assert_int_equal(parse_with(0x258, 0x1000001, 8), BZIMAGE_BAD_ALIGNMENT);
    assert_int_equal(parse_with(0x258, ~0ull << 21, 8), BZIMAGE_OK); /* does not fit: see below */
}

/* --- the whole --- */

static void test_linux_load(void **state)
{
    uint8_t *image = make_image();
    uint8_t initrd[5000];
    struct linux_images images = {
        .kernel = image,
        .kernel_bytes = IMAGE_BYTES,
        .initrd = initrd,
        .initrd_bytes = sizeof(initrd),
        .command_line = "console=ttyS0",
    };
    struct guest_ram ram;
    struct linux_entry entry;
    const uint8_t *zero_page;
    uint32_t initrd_at;
    /* fec10000, 4 KiB, ACPI NVS */
    static const uint8_t mailbox_entry[20] = {
        [2] = 0xc1,
        [3] = 0xfe,
        [9] = 0x10,
        [16] = 4,
    };
    struct guest_paging paging = { .cr0 = CR0_PE | CR0_PG, .cr4 = CR4_PAE, .efer = EFER_LMA };
    uint32_t code;
    gpa_t result;

    (void)state;
    memset(initrd, 0x77, sizeof(initrd));
    guest_ram_init(&ram, calloc(1, 64 * MIB), 64 * MIB);
    assert_null(linux_boot_load(&ram, &images, false, &entry));
    assert_int_equal(entry.rip, 0x1000200);
    assert_int_equal(entry.rsi, LINUX_ZERO_PAGE);
    zero_page = guest_ram_at(&ram, gpa(LINUX_ZERO_PAGE), 4096);
    assert_memory_equal(zero_page + 0x202, "HdrS", 4);
    assert_int_equal(zero_page[0x210], 0xff);
    assert_int_equal(zero_page[0x211], 0x01);
    memcpy(&initrd_at, zero_page + 0x218, 4);
    assert_int_equal(initrd_at, (64 * MIB - 5000) & ~4095ull);
    assert_memory_equal(ram.base + initrd_at, initrd, sizeof(initrd));
    assert_string_equal((char *)ram.base + LINUX_CMDLINE, "console=ttyS0");
    assert_int_equal(ram.base[0x1000000], 0xcc);
    assert_int_equal(zero_page[0x1e8], 4); /* RAM, tables, RAM, ECAM */
    /* The wake-up mailbox is the firmware's, as ACPI asks, if there is one. */
    assert_null(linux_boot_load(&ram, &images, true, &entry));
    assert_int_equal(zero_page[0x1e8], 5);
    assert_memory_equal(zero_page + 0x2d0 + 4 * 20, mailbox_entry, sizeof(mailbox_entry));
    /* The page tables map the first 4 GiB onto themselves. */
    paging.cr3 = entry.cr3;
    for (uint64_t at = 0x1234; at < 4 * GIB; at += 123456789) {
        assert_int_equal(guest_walk(&ram, &paging, gva(at), WALK_WRITE, &result, &code), WALK_OK);
        assert_int_equal(result.raw, at);
    }
    /* What does not fit. */
    image_put(image, 0x260, 60 * MIB, 4);
    image[0x234] = 0; /* not relocatable, and 16 + 60 MiB are too much */
    assert_non_null(linux_boot_load(&ram, &images, false, &entry));
    image[0x234] = 1; /* relocatable: at 2 MiB */
    assert_null(linux_boot_load(&ram, &images, false, &entry));
    assert_int_equal(entry.rip, 0x200200);
    image_put(image, 0x258, ~0ull << 21, 8);
    assert_null(linux_boot_load(&ram, &images, false, &entry));
    images.initrd_bytes = 3 * MIB;
    assert_non_null(linux_boot_load(&ram, &images, false, &entry));
    images.initrd_bytes = ~0ull;
    assert_non_null(linux_boot_load(&ram, &images, false, &entry));
    images.initrd_bytes = 0;
    assert_null(linux_boot_load(&ram, &images, false, &entry));
    image_put(image, 0x238, 5, 4);
    assert_non_null(linux_boot_load(&ram, &images, false, &entry));
    free(image);
    free(ram.base);
}

static uint8_t sum(const uint8_t *bytes, uint32_t length)
{
    uint8_t total = 0;

    while (length-- > 0) {
        total = (uint8_t)(total + *bytes++);
    }
    return total;
}

static uint64_t read_number(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

static void test_acpi_tables(void **state)
{
    struct guest_ram ram;
    const uint8_t *rsdp, *xsdt;

    (void)state;
    guest_ram_init(&ram, calloc(1, 4 * MIB), 4 * MIB);
    assert_true(acpi_write_tables(&ram, acpi_dsdt, acpi_dsdt_bytes, 4, false));
    rsdp = ram.base + ACPI_BASE;
    assert_memory_equal(rsdp, "RSD PTR ", 8);
    assert_int_equal(sum(rsdp, 20), 0);
    assert_int_equal(sum(rsdp, 36), 0);
    xsdt = ram.base + read_number(rsdp + 24, 8);
    assert_memory_equal(xsdt, "XSDT", 4);
    assert_int_equal(sum(xsdt, (uint32_t)read_number(xsdt + 4, 4)), 0);
    static const char *const names[] = { "FACP", "APIC", "MCFG" };
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t *table = ram.base + read_number(xsdt + 36 + 8 * i, 8);

        assert_memory_equal(table, names[i], 4);
        assert_int_equal(sum(table, (uint32_t)read_number(table + 4, 4)), 0);
    }
    const uint8_t *fadt = ram.base + read_number(xsdt + 36, 8);
    const uint8_t *dsdt = ram.base + read_number(fadt + 140, 8);
    assert_memory_equal(dsdt, "DSDT", 4);
    assert_non_null(memmem(dsdt, acpi_dsdt_bytes, "QEMU0001", 8));
    assert_int_equal(sum(dsdt, (uint32_t)read_number(dsdt + 4, 4)), 0);
    assert_memory_equal(ram.base + read_number(fadt + 36, 4), "FACS", 4);
    assert_int_equal(read_number(fadt + 36, 4) % 64, 0);
    assert_int_equal(read_number(fadt + 120, 8), RESET_PORT);
    assert_int_equal(fadt[128], RESET_VALUE);
    const uint8_t *madt = ram.base + read_number(xsdt + 44, 8);
    const uint32_t madt_bytes = 44 + 12 + 10 + 6 + 4 * 8;
    assert_int_equal(read_number(madt + 4, 4), madt_bytes);
    assert_true(acpi_write_tables(&ram, acpi_dsdt, acpi_dsdt_bytes, 4, true));
    assert_int_equal(read_number(madt + 4, 4), madt_bytes + 16);
    assert_int_equal(sum(madt, madt_bytes + 16), 0);
    assert_memory_equal(madt + madt_bytes, "\x10\x10\0\0\0\0\0", 8);
    assert_int_equal(read_number(madt + madt_bytes + 8, 8), MAILBOX_BASE);
    assert_false(acpi_write_tables(&ram, acpi_dsdt, ACPI_BYTES, 1, false));
    free(ram.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ram_ranges),   cmocka_unit_test(test_walk_four_levels),
        cmocka_unit_test(test_walk_pae),     cmocka_unit_test(test_walk_32_bit),
        cmocka_unit_test(test_image_header), cmocka_unit_test(test_linux_load),
        cmocka_unit_test(test_acpi_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
