/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding, measuring and programming functions of a PCI bus that is made up, and device memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "user/init/device_memory.h"
#include "user/init/pci.h"

struct model_function {
    struct pci_function at;
    uint32_t words[64];
    uint32_t bar_bits[6]; /* those that can be written */
};

static struct model_function functions[8];
static unsigned nr_functions;
static unsigned reads;

static struct model_function *find(struct pci_function at)
{
    for (unsigned i = 0; i < nr_functions; i++) {
        if (memcmp(&functions[i].at, &at, sizeof at) == 0) {
            return &functions[i];
        }
    }
    return NULL;
}

uint32_t pci_read(struct pci_function at, uint32_t offset)
{
    const struct model_function *function = find(at);

    assert_true(offset % 4 == 0 && offset < 256);
    reads++;
    return function == NULL ? UINT32_MAX : function->words[offset / 4];
}

void pci_write(struct pci_function at, uint32_t offset, uint32_t value)
{
    struct model_function *function = find(at);

    assert_non_null(function);
    assert_true(offset % 4 == 0 && offset < 256);
    if (offset >= 0x10 && offset < 0x28) {
        uint32_t bits = function->bar_bits[(offset - 0x10) / 4];

        assert_int_equal(function->words[1] & 2, 0); /* it decodes nothing meanwhile */
        function->words[offset / 4] = (value & bits) | (function->words[offset / 4] & ~bits);
    } else {
        function->words[offset / 4] = value;
    }
}

static struct model_function *add(uint8_t bus, uint8_t device, uint8_t number, uint32_t class_code)
{
    struct model_function *function = &functions[nr_functions++];

    *function = (struct model_function){ .at = { bus, device, number } };
    function->words[0] = 0x12348086;
    function->words[1] = 0x00100407; /* on, with capabilities */
    function->words[2] = class_code << 8 | 2;
    function->words[13] = 0x40;
    function->words[16] = 0x00800005; /* 40h: MSI, 64 bits, the last */
    return function;
}

/* A memory BAR of so many bytes. */
static void set_bar(struct model_function *function, unsigned bar, uint32_t address, uint32_t bytes)
{
    function->words[4 + bar] = address;
    function->bar_bits[bar] = ~(bytes - 1);
}

static int setup(void **state)
{
    (void)state;
    nr_functions = 0;
    reads = 0;
    return 0;
}

static void test_find(void **state)
{
    struct pci_function found;

    (void)state;
    add(0, 0, 0, 0x060000);
    add(0, 31, 0, 0x060100)->words[3] = 1u << 23;
    add(0, 31, 2, 0x010601);
    add(0, 4, 3, 0x010601); /* not there: function 0 is missing */
    add(7, 5, 0, 0x010601);
    add(7, 5, 1, 0x010601); /* not there: the device has one function */
    assert_true(pci_find(0x010601, 0, &found));
    assert_memory_equal(&found, &((struct pci_function){ 0, 31, 2 }), sizeof found);
    assert_true(pci_find(0x010601, 1, &found));
    assert_memory_equal(&found, &((struct pci_function){ 7, 5, 0 }), sizeof found);
    assert_false(pci_find(0x010601, 2, &found));
    assert_false(pci_find(0x010600, 0, &found));
    assert_true(reads < 5 * 9000);
}

static void test_memory(void **state)
{
    struct model_function *function = add(0, 0, 0, 0x010601);
    uint64_t address, bytes;

    (void)state;
    set_bar(function, 5, 0xfebf2000, 0x2000);
    assert_true(pci_memory(function->at, 5, &address, &bytes));
    assert_int_equal(address, 0xfebf2000);
    assert_int_equal(bytes, 0x2000);
    assert_int_equal(function->words[9], 0xfebf2000);
    assert_int_equal(function->words[1] & 0xffff, 0x401); /* neither memory nor bus mastering */
    assert_int_equal(function->words[1] >> 16, 0);        /* no ones into the status */

    set_bar(function, 5, 0xfebf1800, 0x800);
    assert_false(pci_memory(function->at, 5, &address, &bytes));
    set_bar(function, 5, 0xfebf1000, 0x80);
    assert_false(pci_memory(function->at, 5, &address, &bytes));
    set_bar(function, 5, 0, 0x1000);
    assert_false(pci_memory(function->at, 5, &address, &bytes));
    set_bar(function, 5, 0xc001, 0x100); /* ports */
    assert_false(pci_memory(function->at, 5, &address, &bytes));
    set_bar(function, 5, 0xfebf1004, 0x1000); /* 64 bits, and no sixth BAR for the upper half */
    assert_false(pci_memory(function->at, 5, &address, &bytes));
    function->words[4] = 0xfe000004;
    function->words[5] = 0x8;
    function->bar_bits[0] = 0xfff00000;
    assert_true(pci_memory(function->at, 0, &address, &bytes));
    assert_int_equal(address, 0x8fe000000ull);
    assert_int_equal(bytes, 0x100000);
}

static void test_alone(void **state)
{
    struct model_function *function = add(0, 0, 0, 0x010601), *other = add(3, 0, 0, 0x020000);

    (void)state;
    set_bar(function, 5, 0xfebf1000, 0x800);
    set_bar(other, 1, 0xfebf2000, 0x1000);
    assert_true(pci_is_alone(function->at, 5, 0xfebf1000, 0x800));
    set_bar(other, 1, 0xfebf1800, 0x100);
    assert_false(pci_is_alone(function->at, 5, 0xfebf1000, 0x800));
    set_bar(other, 1, 0, 0x100);
    set_bar(function, 2, 0xfebf1c00, 0x100); /* its own other one */
    assert_false(pci_is_alone(function->at, 5, 0xfebf1000, 0x800));
    set_bar(function, 2, 0, 0x100);
    other->words[4] = 0xfebf1004; /* the same below 4 GiB only: its upper half is 1 */
    other->words[5] = 1;
    assert_true(pci_is_alone(function->at, 5, 0xfebf1000, 0x800));
}

static void test_messages(void **state)
{
    struct model_function *function = add(0, 0, 0, 0x010601);

    (void)state;
    assert_true(pci_can_send(function->at));
    function->words[16] |= 0x00200000; /* more than one message was on */
    pci_set_message(function->at, 0xfee01000, 0x48);
    assert_int_equal(function->words[17], 0xfee01000);
    assert_int_equal(function->words[18], 0);
    assert_int_equal(function->words[19], 0x48);
    assert_int_equal(function->words[16], 0x00810005);
    function->words[16] = 0x00005001; /* 40h: something else, then 50h: MSI, 32 bits */
    function->words[20] = 0x00000005;
    pci_set_message(function->at, 0xfee00000, 0x49);
    assert_int_equal(function->words[21], 0xfee00000);
    assert_int_equal(function->words[22], 0x49);
    assert_int_equal(function->words[20], 0x00010005);
    function->words[16] = 0x00004001; /* a list that goes round */
    assert_false(pci_can_send(function->at));
    function->words[16] = 0x00000001;
    assert_false(pci_can_send(function->at));
    function->words[16] = 0x00000005;
    function->words[1] = 7; /* no list */
    assert_false(pci_can_send(function->at));
}

static void test_switch_on(void **state)
{
    struct model_function *function = add(0, 0, 0, 0x010601);

    (void)state;
    function->words[1] = 0xf9000001;
    pci_switch_on(function->at);
    assert_int_equal(function->words[1], 0x407);
}

static void test_config_address(void **state)
{
    (void)state;
    assert_int_equal(pci_config_address((struct pci_function){ 2, 31, 5 }, 0x3c), 0x8002fd3c);
}

/* --- device memory --- */

static seL4_BootInfo bootinfo;

static void test_halving(void **state)
{
    static struct device_memory memory;
    struct device_untyped *row;
    seL4_CPtr slot = 1000;

    (void)state;
    bootinfo.untyped = (seL4_SlotRegion){ 10, 13 };
    bootinfo.untypedList[0] =
        (seL4_UntypedDesc){ .paddr = 0xf0000000, .sizeBits = 28, .isDevice = 1 };
    bootinfo.untypedList[1] = (seL4_UntypedDesc){ .paddr = 0x10000000, .sizeBits = 28 };
    bootinfo.untypedList[2] =
        (seL4_UntypedDesc){ .paddr = 0xe0000800, .sizeBits = 11, .isDevice = 1 };
    device_memory_init(&memory, &bootinfo);
    assert_int_equal(memory.count, 1);
    assert_null(device_memory_find(&memory, 0x10000000));
    assert_null(device_memory_find(&memory, 0xe0000000));
    row = device_memory_find(&memory, 0xfebf1000);
    assert_int_equal(row->slot, 10);
    while (row->size_bits > 12) {
        assert_true(device_memory_halve(&memory, row, slot, slot + 1));
        slot += 2;
        row = device_memory_find(&memory, 0xfebf1000);
    }
    assert_int_equal(row->address, 0xfebf1000);
    device_memory_remove(&memory, row);
    assert_null(device_memory_find(&memory, 0xfebf1000));
    /* Its neighbours are all there, each once. */
    assert_int_equal(memory.count, 16);
    assert_int_equal(device_memory_find(&memory, 0xfebf0000)->size_bits, 12);
    assert_int_equal(device_memory_find(&memory, 0xfebf2000)->size_bits, 13);
    assert_int_equal(device_memory_find(&memory, 0xf0000000)->size_bits, 27);
    memory.count = DEVICE_MEMORY_ROWS;
    assert_false(device_memory_halve(&memory, &memory.rows[0], slot, slot + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_find, setup),
        cmocka_unit_test_setup(test_memory, setup),
        cmocka_unit_test_setup(test_alone, setup),
        cmocka_unit_test_setup(test_messages, setup),
        cmocka_unit_test_setup(test_switch_on, setup),
        cmocka_unit_test(test_config_address),
        cmocka_unit_test(test_halving),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
