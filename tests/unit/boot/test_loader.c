/* SPDX-License-Identifier: BSD-2-Clause */
/* Boot loaders' information: what is well formed is understood, what is not does no harm. */
#include "tests/unit/boot/machine.h"

#include <string.h>

#include "kernel/core/regions.h"
#include "kernel/x86/loader.h"

#define INFO   0x10000u
#define AREA   0x20000u
#define MODULE 0x800000u

static int set_up(void **state)
{
    (void)state;
    machine_reset();
    memset(&loader, 0, sizeof(loader));
    return 0;
}

static void put32(u32 address, u32 value)
{
    machine_put(address, &value, sizeof(value));
}

static void put64(u32 address, u64 value)
{
    machine_put(address, &value, sizeof(value));
}

/* --- Multiboot 1 ----------------------------------------------------------------------------- */

static void put_multiboot1(void)
{
    put32(INFO, 1 | 4 | 8 | 64);
    put32(INFO + 4, 639);
    put32(INFO + 8, 0x1f000);
    put32(INFO + 16, AREA); /* command line */
    machine_put(AREA, "kernel console_port=0x2f8 x", 28);
    put32(INFO + 20, 2); /* modules */
    put32(INFO + 24, AREA + 0x100);
    put32(AREA + 0x100, MODULE);
    put32(AREA + 0x104, MODULE + 5000);
    put32(AREA + 0x110, MODULE + 0x10000);
    put32(AREA + 0x114, MODULE + 0x10010);
    put32(INFO + 44, 48); /* memory map */
    put32(INFO + 48, AREA + 0x200);
    put32(AREA + 0x200, 20);
    put64(AREA + 0x204, 0x100000);
    put64(AREA + 0x20c, 0x7f00000);
    put32(AREA + 0x214, 1);
    put32(AREA + 0x218, 20);
    put64(AREA + 0x21c, 0x5000800);
    put64(AREA + 0x224, 0x1000);
    put32(AREA + 0x22c, 3);
}

static void test_multiboot1(void **state)
{
    (void)state;
    put_multiboot1();
    assert_false(PANICS(loader_read(LOADER_MULTIBOOT1, INFO)));
    assert_int_equal(loader_option("console_port", 1), 0x2f8);
    assert_int_equal(loader_option("port", 1), 1);
    assert_int_equal(loader.module.start, MODULE);
    assert_int_equal(loader.module.end, MODULE + 5000);
    /* The ACPI tables' pages are taken out of the RAM that covers them. */
    assert_int_equal(loader.usable.count, 2);
    assert_int_equal(loader.usable.at[0].end, 0x5000000);
    assert_int_equal(loader.usable.at[1].start, 0x5002000);
    assert_int_equal(loader.memory_map.bytes, 48);
}

static void test_numbers_of_options(void **state)
{
    static const char line[] = "k a=0xFFFFffffFFFFffff b=0x10000000000000000 c=\x11 d=1\x11 e=9f";

    (void)state;
    put_multiboot1();
    machine_put(AREA, line, sizeof(line));
    put32(INFO + 20, 0); /* the modules would lie there */
    assert_false(PANICS(loader_read(LOADER_MULTIBOOT1, INFO)));
    assert_true(loader_option("a", 7) == ~0ull);
    assert_int_equal(loader_option("b", 7), 7);
    assert_int_equal(loader_option("c", 7), 7);
    assert_int_equal(loader_option("d", 7), 7);
    assert_int_equal(loader_option("e", 7), 7);
}

/* The API's block has room for 50 entries; those behind count as memory all the same. */
static void test_long_memory_map(void **state)
{
    (void)state;
    put32(INFO, 1 | BIT(6));
    put32(INFO + 44, 60 * 24);
    put32(INFO + 48, AREA);
    for (u32 i = 0; i < 60; i++) {
        put32(AREA + 24 * i, 20);
        put64(AREA + 24 * i + 4, 0x100000 * (i + 1));
        put64(AREA + 24 * i + 12, 0x10000);
        put32(AREA + 24 * i + 20, 1);
    }
    assert_false(PANICS(loader_read(LOADER_MULTIBOOT1, INFO)));
    assert_int_equal(loader.memory_map.bytes, 50 * 24);
    assert_int_equal(loader.usable.count, 60);
}

/* The API's block ends with four words of 32 bits, which loaders tell with 16 (ABI section 8.5). */
static void assert_vbe(void)
{
    const u32 words[4] = { 0xf001, 0xf002, 0xf003, 0xf004 };
    const u8 *vbe = (const u8 *)&loader.vbe;

    assert_true(loader.has_vbe);
    assert_memory_equal(vbe, "VESA", 4);
    assert_memory_equal(vbe + 512, "mode", 4);
    assert_memory_equal(vbe + 768, words, sizeof(words));
}

static void put_vbe_words(u32 at)
{
    u16 words[4] = { 0xf001, 0xf002, 0xf003, 0xf004 };

    machine_put(at, words, sizeof(words));
}

static void test_multiboot1_vbe(void **state)
{
    (void)state;
    put_multiboot1();
    put32(INFO, 1 | 64 | 0x800);
    put32(INFO + 72, AREA + 0x1000);
    put32(INFO + 76, AREA + 0x2000);
    put_vbe_words(INFO + 80);
    machine_put(AREA + 0x1000, "VESA", 4);
    machine_put(AREA + 0x2000, "mode", 4);
    assert_false(PANICS(loader_read(LOADER_MULTIBOOT1, INFO)));
    assert_vbe();
}

static void test_multiboot1_without_map(void **state)
{
    (void)state;
    put_multiboot1();
    put32(INFO, 1);
    assert_false(PANICS(loader_read(LOADER_MULTIBOOT1, INFO)));
    assert_int_equal(loader.usable.at[0].start, 0x100000);
    assert_int_equal(loader.usable.at[0].end, 0x100000 + 0x1f000 * 1024ull);
    assert_int_equal(loader.module.end, 0);
}

/* --- Multiboot 2 ----------------------------------------------------------------------------- */

static u32 next_tag;

static u32 put_tag(u32 type, u32 content_bytes)
{
    u32 content = next_tag + 8;

    put32(next_tag, type);
    put32(next_tag + 4, content_bytes + 8);
    next_tag = (content + content_bytes + 7) & ~7u;
    put32(INFO, next_tag - INFO);
    return content;
}

static void put_multiboot2(void)
{
    u32 at;

    next_tag = INFO + 8;
    at = put_tag(1, 10);
    machine_put(at, "a=12 b=0x", 10);
    at = put_tag(3, 16);
    put32(at, MODULE);
    put32(at + 4, MODULE + 100);
    at = put_tag(6, 8 + 24);
    put32(at, 24);
    put64(at + 8, 0x100000);
    put64(at + 16, 0xffffffffffffffff);
    put32(at + 24, 1);
    at = put_tag(8, 24);
    machine_put(at, "framebuffer.framebuffer", 24);
    at = put_tag(7, 8 + 512 + 256);
    put_vbe_words(at);
    machine_put(at + 8, "VESA", 4);
    machine_put(at + 8 + 512, "mode", 4);
    at = put_tag(15, 36);
    machine_put(at, "RSD PTR ....", 12);
    at = put_tag(14, 20);
    machine_put(at, "old", 3);
    put_tag(0, 0);
}

static void test_multiboot2(void **state)
{
    (void)state;
    put_multiboot2();
    assert_false(PANICS(loader_read(LOADER_MULTIBOOT2, INFO)));
    assert_int_equal(loader_option("a", 1), 12);
    assert_int_equal(loader_option("b", 7), 7);
    assert_int_equal(loader.module.start, MODULE);
    assert_int_equal(loader.usable.at[0].end, 510ull << 30); /* as far as the window goes */
    assert_true(loader.has_framebuffer);
    assert_memory_equal(loader.framebuffer, "framebuffer.framebuffer", 22);
    assert_vbe();
    assert_int_equal(loader.rsdp_bytes, 36);
    assert_memory_equal(loader.rsdp, "RSD PTR ", 8);
}

static void test_refused(void **state)
{
    (void)state;
    assert_true(PANICS(loader_read(0x1234, INFO)));
    assert_true(PANICS(loader_read(LOADER_MULTIBOOT1, 0)));
    assert_true(PANICS(loader_read(LOADER_MULTIBOOT1, 0xfffffff0u)));
    assert_true(PANICS(loader_read(LOADER_MULTIBOOT1, INFO))); /* no memory sizes */
    assert_true(PANICS(loader_read(LOADER_MULTIBOOT2, INFO))); /* no length */
    put32(INFO, 0xfffffff0u);
    assert_true(PANICS(loader_read(LOADER_MULTIBOOT2, INFO)));
}

/* --- nonsense -------------------------------------------------------------------------------- */

static void spoil(u32 start, u32 bytes)
{
    for (unsigned n = (unsigned)machine_random() % 12; n-- > 0;) {
        u32 at = start + (u32)(machine_random() % bytes);

        if (machine_random() % 2)
            put32(at & ~3u, (u32)machine_random() >> (machine_random() % 32));
        else
            *(u8 *)machine_at(at) = (u8)machine_random();
    }
}

static void assert_sane(void)
{
    for (unsigned i = 0; i < loader.usable.count; i++) {
        assert_true(loader.usable.at[i].start < loader.usable.at[i].end);
        assert_int_equal(loader.usable.at[i].start % PAGE_SIZE, 0);
        assert_int_equal(loader.usable.at[i].end % PAGE_SIZE, 0);
    }
    assert_true(loader.module.end <= BIT(32));
    assert_true(loader.memory_map.bytes <= LOADER_MEMORY_MAP_BYTES);
    assert_non_null(memchr(loader.command_line, 0, sizeof(loader.command_line)));
}

static void read_all(u32 magic)
{
    memset(&loader, 0, sizeof(loader));
    loader_read(magic, INFO);
}

static void test_random(void **state)
{
    static volatile unsigned understood;

    (void)state;
    for (volatile unsigned i = 0; i < 20000; i++) {
        memset(machine_at(INFO), 0, 4096);
        memset(machine_at(AREA), 0, 4096);
        if (i % 2)
            put_multiboot1();
        else
            put_multiboot2();
        spoil(INFO, 256);
        spoil(AREA, 0x240);
        if (!PANICS(read_all(i % 2 ? LOADER_MULTIBOOT1 : LOADER_MULTIBOOT2)))
            understood++;
        assert_sane();
    }
    assert_true(understood > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_multiboot1, set_up),
        cmocka_unit_test_setup(test_numbers_of_options, set_up),
        cmocka_unit_test_setup(test_long_memory_map, set_up),
        cmocka_unit_test_setup(test_multiboot1_vbe, set_up),
        cmocka_unit_test_setup(test_multiboot1_without_map, set_up),
        cmocka_unit_test_setup(test_multiboot2, set_up),
        cmocka_unit_test_setup(test_refused, set_up),
        cmocka_unit_test_setup(test_random, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
