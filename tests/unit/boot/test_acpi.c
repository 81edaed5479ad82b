/* SPDX-License-Identifier: BSD-2-Clause */
/* Firmware's tables: good ones are understood, bad ones count as absent. */
#include "tests/unit/boot/machine.h"

#include <string.h>

#include "kernel/x86/acpi.h"
#include "kernel/x86/kernel_tables.h"

#define RSDT 0x100000u
#define MADT 0x101000u
#define FADT 0x102000u
#define HPET 0x103000u
#define XSDT 0x104000u

const void *kernel_window(u64 address, u64 bytes)
{
    return bytes <= BIT(32) && address <= BIT(32) - bytes ? machine_at(address) : NULL;
}

static void put32(u32 address, u32 value)
{
    machine_put(address, &value, sizeof(value));
}

static u8 minus_sum(u32 address, u32 bytes)
{
    u8 sum = 0;

    for (u32 i = 0; i < bytes; i++)
        sum = (u8)(sum + *(u8 *)machine_at(address + i));
    return (u8)-sum;
}

static void finish_table(u32 address, const char *signature, u32 length)
{
    machine_put(address, signature, 4);
    put32(address + 4, length);
    *(u8 *)machine_at(address + 9) = 0;
    *(u8 *)machine_at(address + 9) = minus_sum(address, length);
}

static void put_entry(u32 *at, const u8 *entry)
{
    machine_put(*at, entry, entry[1]);
    *at += entry[1];
}

static void put_madt(void)
{
    u32 at = MADT + 44;

    put32(MADT + 36, 0xfee00000);
    put_entry(&at, (const u8[]){ 0, 8, 0, 0, 1, 0, 0, 0 });
    put_entry(&at, (const u8[]){ 0, 8, 1, 3, 1, 0, 0, 0 });
    put_entry(&at, (const u8[]){ 0, 8, 2, 4, 0, 0, 0, 0 }); /* disabled */
    put_entry(&at, (const u8[]){ 1, 12, 2, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0 });
    put_entry(&at, (const u8[]){ 1, 12, 3, 0, 0, 16, 0xc0, 0xfe, 24, 0, 0, 0 }); /* not the first */
    put_entry(&at, (const u8[]){ 2, 10, 0, 0, 2, 0, 0, 0, 0, 0 });
    put_entry(&at, (const u8[]){ 9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 });
    finish_table(MADT, "APIC", at - MADT);
}

static void put_tables(void)
{
    put_madt();
    put32(FADT + 76, 0x608);
    *(u8 *)machine_at(FADT + 91) = 4;
    finish_table(FADT, "FACP", 116);
    put32(HPET + 44, 0xfed00000);
    finish_table(HPET, "HPET", 56);
    put32(RSDT + 36, FADT);
    put32(RSDT + 40, HPET);
    put32(RSDT + 44, MADT);
    finish_table(RSDT, "RSDT", 48);
}

static void put_rsdp(u32 address)
{
    machine_put(address, "RSD PTR ", 8);
    put32(address + 16, RSDT);
    *(u8 *)machine_at(address + 8) = 0;
    *(u8 *)machine_at(address + 8) = minus_sum(address, 20);
}

static int set_up(void **state)
{
    (void)state;
    machine_reset();
    memset(&acpi, 0, sizeof(acpi));
    put_tables();
    put_rsdp(0xf5a30);
    return 0;
}

static void test_searched(void **state)
{
    (void)state;
    assert_false(PANICS(acpi_init(NULL, 0, true)));
    assert_memory_equal(acpi.rsdp, "RSD PTR ", 8);
    assert_int_equal(acpi.local_apic, 0xfee00000);
    assert_int_equal(acpi.nr_processors, 3);
    assert_int_equal(acpi.apic_ids[1], 3);
    assert_int_equal(acpi.apic_ids[2], 256);
    assert_int_equal(acpi.io_apic, 0xfec00000);
    assert_int_equal(acpi.pm_timer_port, 0x608);
    assert_int_equal(acpi.hpet, 0xfed00000);
}

static void test_not_searched(void **state)
{
    (void)state;
    assert_true(PANICS(acpi_init(NULL, 0, false)));
}

static void test_extended(void **state)
{
    u8 rsdp[36];
    u64 tables[2] = { MADT, 0x123456789abull };

    (void)state;
    machine_put(XSDT + 36, tables, sizeof(tables));
    finish_table(XSDT, "XSDT", 52);
    put_rsdp(0xf5a30);
    *(u8 *)machine_at(0xf5a30 + 15) = 2;
    put32(0xf5a30 + 20, 36);
    put32(0xf5a30 + 24, XSDT);
    *(u8 *)machine_at(0xf5a30 + 8) = 0;
    *(u8 *)machine_at(0xf5a30 + 8) = minus_sum(0xf5a30, 20);
    *(u8 *)machine_at(0xf5a30 + 32) = minus_sum(0xf5a30, 36);
    memcpy(rsdp, machine_at(0xf5a30), 36);
    assert_false(PANICS(acpi_init(rsdp, 36, false)));
    assert_int_equal(acpi.nr_processors, 3);
    assert_int_equal(acpi.hpet, 0); /* only the RSDT lists it */
}

static void test_bad_checksums(void **state)
{
    (void)state;
    *(u8 *)machine_at(HPET + 50) ^= 1;
    assert_false(PANICS(acpi_init(NULL, 0, true)));
    assert_int_equal(acpi.hpet, 0);
    *(u8 *)machine_at(MADT + 50) ^= 1;
    assert_true(PANICS(acpi_init(NULL, 0, true)));
}

static void test_random(void **state)
{
    static volatile unsigned understood;

    (void)state;
    for (volatile unsigned i = 0; i < 20000; i++) {
        u32 tables[] = { RSDT, MADT, FADT, HPET };
        u32 lengths[] = { 48, 44 + 74, 116, 56 };
        const char *names[] = { "RSDT", "APIC", "FACP", "HPET" };

        put_tables();
        for (unsigned n = (unsigned)machine_random() % 6; n-- > 0;) {
            unsigned t = (unsigned)machine_random() % 4;
            u32 length = machine_random() % 8 ? lengths[t] : (u32)machine_random() % 8192;

            *(u8 *)machine_at(tables[t] + 36 + machine_random() % 80) = (u8)machine_random();
            finish_table(tables[t], names[t], length);
        }
        memset(&acpi, 0, sizeof(acpi));
        if (!PANICS(acpi_init(NULL, 0, true)))
            understood++;
        assert_true(acpi.nr_processors <= CONFIG_MAX_CORES);
    }
    assert_true(understood > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_searched, set_up),
        cmocka_unit_test_setup(test_not_searched, set_up),
        cmocka_unit_test_setup(test_extended, set_up),
        cmocka_unit_test_setup(test_bad_checksums, set_up),
        cmocka_unit_test_setup(test_random, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
