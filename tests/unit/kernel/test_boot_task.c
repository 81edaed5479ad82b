/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The initial task on made-up machines: what is where, that every byte of memory is in exactly one
 * place, and what becomes of images that are damaged or do not fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/bootinfo.h"
#include "kernel/core/boot.h"
#include "kernel/core/config.h"
#include "kernel/core/core.h"
#include "kernel/core/elf.h"
#include "kernel/core/memory.h"
#include "kernel/core/regions.h"
#include "kernel/core/time.h"
#include "kernel/object/derivation.h"
#include "kernel/object/object.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/object/untyped.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/vspace.h"
#include "kernel/x86/virt/virt.h"
#include "lib/bits.h"
#include "tests/unit/kernel/elf64.h"
#include "tests/unit/kernel/fakes.h"

#define MIB       BIT(20)
#define MODULE_AT (20 * MIB)
#define RAM_END   (64 * MIB)
#define IMAGE_AT  0x400000ULL

/* A file of three segments: two pages of code, a gap of a page, data that ends within a page. */
struct file {
    struct elf64_header header;
    struct elf64_segment segment[3];
    u8 contents[0x3000];
};

static struct file file;
static struct boot_machine machine;
static const struct boot_regions in_use = { 2,
                                            { { MIB, 2 * MIB }, { 30 * MIB, 30 * MIB + 0x5000 } } };
static struct tcb *tcb;
static struct slot *slots;
static seL4_BootInfo *bootinfo;

static void make_file(void)
{
    memset(&file, 0, sizeof file);
    memcpy(file.header.ident, "\177ELF\2\1\1", 7);
    file.header.type = 2;
    file.header.machine = 62;
    file.header.entry = IMAGE_AT + 0x123;
    file.header.phoff = offsetof(struct file, segment);
    file.header.phentsize = sizeof(struct elf64_segment);
    file.header.phnum = 3;
    file.segment[0] = (struct elf64_segment){ .type = 1,
                                              .vaddr = IMAGE_AT,
                                              .filesz = 0x1800,
                                              .memsz = 0x1800,
                                              .offset = offsetof(struct file, contents) };
    file.segment[1] = (struct elf64_segment){ .type = 4, .vaddr = 123, .memsz = ~0ULL };
    file.segment[2] = (struct elf64_segment){ .type = 1,
                                              .vaddr = IMAGE_AT + 0x3000,
                                              .filesz = 0x100,
                                              .memsz = 0x1234,
                                              .offset = offsetof(struct file, contents) + 0x2000 };
    for (unsigned i = 0; i < sizeof file.contents; i++)
        file.contents[i] = (u8)(i * 7 + (i >> 8) + 1);
}

static void put_module(const void *data, u64 size)
{
    memcpy(hpa_to_ptr(hpa(MODULE_AT)), data, size);
    machine.module = (struct boot_region){ MODULE_AT, MODULE_AT + size };
    machine.free = machine.ram;
    regions_remove_all(&machine.free, &in_use);
    regions_remove(&machine.free, MODULE_AT, round_up_bits(MODULE_AT + size, PAGE_BITS));
}

static void forget_asids(void)
{
    for (unsigned i = 0; i < ASID_POOLS; i++) {
        struct cap cap = cap_make(CAP_ASID_POOL, hpa(0), i, 0);

        if (slots && asid_pool_is_installed(i, cap_object(slots[seL4_CapInitThreadASIDPool].cap))) {
            cap.base = slots[seL4_CapInitThreadASIDPool].cap.base;
            asid_pool_finalise(cap);
        }
    }
    slots = NULL;
}

/* Contents of the block of that kind: bytes that are used, entries. */
static struct {
    u32 bytes;
    u8 entries[1200];
} memory_map;

static int set_up(void **state)
{
    (void)state;
    forget_asids();
    fakes_reset(RAM_END);
    fakes.quiet = true;
    memset(hpa_to_ptr(hpa(0)), 0xa5, RAM_END); /* memory is never clean at boot */
    make_file();
    machine = (struct boot_machine){
        .ram = { 2, { { MIB, 16 * MIB }, { 16 * MIB + 0x3000, RAM_END } } },
        .reserved = { 2, { { 0xfec00000, 0xfec01000 }, { 0xfee00000, 0xfee01000 } } },
        .memory_map = &memory_map,
    };
    nr_cores = 3;
    put_module(&file, sizeof file);
    return 0;
}

static void boot(void)
{
    tcb = boot_initial_task(&machine);
    slots = cnode_slots(tcb->slots[TCB_CSPACE].cap);
    bootinfo = cap_object(slots[seL4_CapBootInfoFrame].cap);
}

static struct cap cap_in(u64 slot)
{
    return slots[slot].cap;
}

/* --- what the thread finds ------------------------------------------------------------------- */

static void thread_is_ready(void **state)
{
    struct sched_context *sc;

    (void)state;
    boot();
    sc = tcb->sched_context;
    assert_int_equal(tcb->state, THREAD_RUNNING);
    assert_int_equal(tcb->priority, 255);
    assert_int_equal(tcb->max_priority, 255);
    assert_int_equal(tcb->core, 0);
    assert_int_equal(tcb->context.rip, IMAGE_AT + 0x123);
    assert_int_equal(tcb->context.rflags, 0x202);
    assert_int_equal(tcb->context.rsp, 0);
    /* The image ends in its fifth page. */
    assert_int_equal(tcb->ipc_buffer, IMAGE_AT + 0x5000);
    assert_int_equal(tcb->context.rdi, IMAGE_AT + 0x6000);
    assert_ptr_equal(sc->tcb, tcb);
    assert_int_equal(sc->budget, us_to_ticks(5000));
    assert_int_equal(sc->core, 0);
    assert_ptr_equal(cap_object(cap_in(seL4_CapInitThreadTCB)), tcb);
    assert_ptr_equal(cap_object(cap_in(seL4_CapInitThreadSC)), sc);
    assert_ptr_equal(cspace_lookup(tcb, 5).slot, &slots[5]);
    assert_int_equal(cspace_lookup(tcb, 5).bits_left, 0);
    assert_non_null(tcb_buffer_for_receive(tcb));
    assert_int_equal(vspace_root_for(tcb).raw, cap_hpa(cap_in(seL4_CapInitThreadVSpace)).raw);
}

static void fixed_slots(void **state)
{
    static const enum cap_type expected[seL4_NumInitialCaps] = {
        CAP_NULL,        CAP_TCB,          CAP_CNODE,         CAP_PML4,
        CAP_IRQ_CONTROL, CAP_ASID_CONTROL, CAP_ASID_POOL,     CAP_IO_PORT_CONTROL,
        CAP_NULL,        CAP_FRAME,        CAP_FRAME,         CAP_DOMAIN,
        CAP_NULL,        CAP_NULL,         CAP_SCHED_CONTEXT, CAP_NULL,
    };

    (void)state;
    boot();
    for (unsigned i = 0; i < seL4_NumInitialCaps; i++)
        assert_int_equal(cap_in(i).type, expected[i]);
    assert_int_equal(sched_context_size_bits(cap_in(seL4_CapInitThreadSC)), 7);
    assert_int_equal(cnode_guard_size(cap_in(seL4_CapInitThreadCNode)), 47);
}

static void assert_region(seL4_SlotRegion region, u64 start, u64 count, enum cap_type type)
{
    assert_int_equal(region.start, start);
    assert_int_equal(region.end, start + count);
    for (u64 i = region.start; i < region.end; i++)
        assert_int_equal(cap_in(i).type, type);
}

/* Behind the fixed slots there is a SchedControl for each core that could be. */
#define FIRST_TABLE (16 + CONFIG_MAX_CORES)

static void slots_come_in_order(void **state)
{
    (void)state;
    boot();
    assert_region(bootinfo->schedcontrol, 16, CONFIG_MAX_CORES, CAP_SCHED_CONTROL);
    assert_int_equal(sched_control_core(cap_in(16 + 5)), 5);
    assert_int_equal(bootinfo->userImagePaging.start, FIRST_TABLE);
    assert_int_equal(bootinfo->userImagePaging.end, FIRST_TABLE + 3);
    assert_int_equal(cap_in(FIRST_TABLE).type, CAP_PDPT);
    assert_int_equal(cap_in(FIRST_TABLE + 1).type, CAP_PAGE_DIRECTORY);
    assert_int_equal(cap_in(FIRST_TABLE + 2).type, CAP_PAGE_TABLE);
    assert_region(bootinfo->extraBIPages, FIRST_TABLE + 3, 1, CAP_FRAME);
    assert_region(bootinfo->userImageFrames, FIRST_TABLE + 4, 5, CAP_FRAME);
    assert_region(bootinfo->untyped, FIRST_TABLE + 9, bootinfo->untyped.end - (FIRST_TABLE + 9),
                  CAP_UNTYPED);
    assert_int_equal(bootinfo->empty.start, bootinfo->untyped.end);
    assert_int_equal(bootinfo->empty.end, BIT(17));
    assert_true(slot_is_empty(&slots[bootinfo->empty.start]));
    assert_int_equal(bootinfo->numNodes, 3);
    assert_int_equal(bootinfo->initThreadCNodeSizeBits, 17);
    assert_int_equal((u64)(uintptr_t)bootinfo->ipcBuffer, IMAGE_AT + 0x5000);
    assert_int_equal(bootinfo->numIOPTLevels, 0);
}

/* Bytes as the thread sees them, through the capabilities. */
static const u8 *image_byte(u64 address)
{
    struct cap frame = cap_in(bootinfo->userImageFrames.start + (address - IMAGE_AT) / PAGE_SIZE);

    assert_int_equal(map_address(frame), address & ~MASK(12));
    assert_int_equal(map_asid(frame), 1);
    assert_int_equal(frame_map(frame), FRAME_IN_VSPACE);
    return (const u8 *)cap_object(frame) + address % PAGE_SIZE;
}

static void image_is_laid_out(void **state)
{
    (void)state;
    boot();
    for (u64 i = 0; i < 0x5000; i++) {
        u8 expected = 0;

        if (i < 0x1800)
            expected = file.contents[i];
        else if (i >= 0x3000 && i < 0x3100)
            expected = file.contents[i - 0x1000];
        assert_int_equal(*image_byte(IMAGE_AT + i), expected);
    }
}

static u64 table_entry(hpa_t table, u64 address, unsigned shift)
{
    return ((u64 *)hpa_to_ptr(table))[address >> shift & 511];
}

static void assert_mapped(u64 address, struct cap frame)
{
    hpa_t table = cap_hpa(cap_in(seL4_CapInitThreadVSpace));

    for (unsigned shift = 39; shift > 12; shift -= 9) {
        u64 entry = table_entry(table, address, shift);

        assert_true(entry & 1);
        table = hpa(entry & 0x000ffffffffff000);
    }
    assert_int_equal(table_entry(table, address, 12) & 0x000ffffffffff000, cap_hpa(frame).raw);
    assert_int_equal(table_entry(table, address, 12) & 7, 7); /* present, writable, user */
    assert_false(table_entry(table, address, 12) & BIT(63));
}

static void mappings_exist(void **state)
{
    (void)state;
    boot();
    for (u64 i = 0; i < 5; i++)
        assert_mapped(IMAGE_AT + i * PAGE_SIZE, cap_in(bootinfo->userImageFrames.start + i));
    assert_mapped(IMAGE_AT + 0x5000, cap_in(seL4_CapInitThreadIPCBuffer));
    assert_mapped(IMAGE_AT + 0x6000, cap_in(seL4_CapBootInfoFrame));
    assert_mapped(IMAGE_AT + 0x7000, cap_in(bootinfo->extraBIPages.start));
}

/* --- extra bootinfo -------------------------------------------------------------------------- */

static const u8 *block(u64 *offset, u64 id, u64 bytes)
{
    const u8 *extra = cap_object(cap_in(bootinfo->extraBIPages.start));
    seL4_BootInfoHeader header;
    u64 at = *offset;

    memcpy(&header, extra + at, sizeof header);
    assert_int_equal(header.id, id);
    assert_int_equal(header.len, bytes);
    *offset += bytes;
    return extra + at + sizeof header;
}

static void extra_blocks_come_in_order(void **state)
{
    static u8 vbe[784], rsdp[36], framebuffer[22];
    u64 offset = 0, mask;
    u32 word;

    (void)state;
    memset(vbe, 0x11, sizeof vbe);
    memset(&memory_map, 0x22, sizeof memory_map);
    memset(rsdp, 0x33, sizeof rsdp);
    memset(framebuffer, 0x44, sizeof framebuffer);
    machine.vbe = vbe;
    machine.rsdp = rsdp;
    machine.framebuffer = framebuffer;
    boot();
    assert_memory_equal(block(&offset, 1, 800), vbe, 784);
    assert_memory_equal(block(&offset, 3, 52), rsdp, 36);
    assert_memory_equal(block(&offset, 4, 38), framebuffer, 22);
    assert_memory_equal(block(&offset, 2, 1220), &memory_map, 1204);
    memcpy(&word, block(&offset, 5, 20), 4);
    assert_int_equal(word, tsc_mhz);
    memcpy(&mask, block(&offset, 0xb0000001, 24), 8);
    assert_true(mask & BULKHEAD_EXT_VCPU_TIMER);
    assert_true(mask & BULKHEAD_EXT_EXECUTE_NEVER);
    assert_true(mask & BULKHEAD_EXT_VIRTUAL_APIC);
    assert_int_equal(bootinfo->extraLen, offset);
}

static void missing_blocks_leave_no_gap(void **state)
{
    u64 offset = 0;
    u32 word;

    (void)state;
    memset(&memory_map, 0, sizeof memory_map);
    fakes.has_nx = false;
    virt_has_virtual_apic = false;
    boot();
    memcpy(&word, block(&offset, 2, 1220), 4);
    assert_int_equal(word, 0);
    block(&offset, 5, 20);
    u64 mask;
    memcpy(&mask, block(&offset, 0xb0000001, 24), 8);
    assert_false(mask & BULKHEAD_EXT_EXECUTE_NEVER);
    assert_false(mask & BULKHEAD_EXT_VIRTUAL_APIC);
    virt_has_virtual_apic = true;
    assert_int_equal(bootinfo->extraLen, offset);
}

/* --- memory ---------------------------------------------------------------------------------- */

struct extent {
    u64 start, end;
};

static int compare_extents(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;

    return x->start < y->start ? -1 : x->start > y->start;
}

static bool in_regions(const struct boot_regions *regions, u64 address)
{
    for (unsigned i = 0; i < regions->count; i++) {
        if (regions->at[i].start <= address && address < regions->at[i].end)
            return true;
    }
    return false;
}

/* No two capabilities' memory overlaps: objects, and untypeds, device or not. */
static unsigned collect(struct extent *extents)
{
    unsigned count = 0;

    for (u64 i = 1; i < bootinfo->untyped.end; i++) {
        unsigned bits = cap_size_bits(cap_in(i));
        u64 start = cap_hpa(cap_in(i)).raw;

        if (!bits)
            continue;
        assert_int_equal(start & MASK(bits), 0);
        extents[count++] = (struct extent){ start, start + BIT(bits) };
    }
    qsort(extents, count, sizeof *extents, compare_extents);
    for (unsigned i = 1; i < count; i++)
        assert_true(extents[i - 1].end <= extents[i].start);
    return count;
}

static void memory_is_all_there_once(void **state)
{
    static struct extent extents[4096];
    u64 ram = 0, expected = 0;
    unsigned count;

    (void)state;
    boot();
    count = collect(extents);
    for (unsigned i = 0; i < count; i++) {
        bool is_ram = in_regions(&machine.ram, extents[i].start);

        assert_false(in_regions(&in_use, extents[i].start));
        assert_false(in_regions(&machine.reserved, extents[i].start));
        assert_false(extents[i].start < 0x100000000 && extents[i].end > 0xfffffff8);
        if (is_ram)
            ram += extents[i].end - extents[i].start;
    }
    for (unsigned i = 0; i < machine.ram.count; i++)
        expected += machine.ram.at[i].end - machine.ram.at[i].start;
    for (unsigned i = 0; i < in_use.count; i++)
        expected -= in_use.at[i].end - in_use.at[i].start;
    assert_int_equal(ram, expected);
}

static void untypeds_are_described(void **state)
{
    bool seen_ram = false;
    u64 end = 0;

    (void)state;
    boot();
    assert_int_equal(bootinfo->untypedList[0].paddr, 0);
    assert_int_equal(bootinfo->untypedList[0].sizeBits, 20);
    assert_true(bootinfo->untypedList[0].isDevice);
    for (u64 i = 0; i < bootinfo->untyped.end - bootinfo->untyped.start; i++) {
        seL4_UntypedDesc desc = bootinfo->untypedList[i];
        struct cap cap = cap_in(bootinfo->untyped.start + i);

        assert_int_equal(desc.paddr, cap_hpa(cap).raw);
        assert_int_equal(desc.sizeBits, untyped_size_bits(cap));
        assert_int_equal(desc.isDevice, untyped_is_device(cap));
        /* Used up, so that the first Retype clears it. */
        assert_int_equal(untyped_free_offset(cap), BIT(desc.sizeBits));
        assert_int_equal(desc.isDevice, !in_regions(&machine.ram, desc.paddr));
        if (!desc.isDevice && !seen_ram)
            end = 0;
        assert_true(desc.paddr >= end); /* either kind ascends */
        end = desc.paddr + BIT(desc.sizeBits);
        seen_ram |= !desc.isDevice;
        assert_true(desc.isDevice != seen_ram); /* device memory first */
    }
    assert_true(seen_ram);
}

/* A machine whose memory is in very many pieces: what does not fit is dropped, nothing else. */
static void too_many_pieces(void **state)
{
    (void)state;
    machine.ram.count = 2;
    machine.reserved.count = 0;
    for (unsigned i = 0; i < 20; i++) {
        u64 at = 0x80000000 + i * 0x1000000 + 0x12350;

        machine.reserved.at[machine.reserved.count++] = (struct boot_region){ at, at + 0x110 };
    }
    boot();
    assert_int_equal(bootinfo->untyped.end - bootinfo->untyped.start, 230);
    assert_int_equal(bootinfo->empty.start, bootinfo->untyped.end);
}

/* Of a module that lies in RAM but for a page in between, and one behind it. */
static void returned_module(void **state)
{
    u64 hole = MODULE_AT + PAGE_SIZE, end;

    (void)state;
    machine.ram = (struct boot_regions){ 2, { { MIB, hole }, { hole + PAGE_SIZE, RAM_END } } };
    put_module(&file, sizeof file);
    end = round_up_bits(machine.module.end, PAGE_BITS);
    boot();
    assert_true(regions_contain(&machine.free, MODULE_AT, hole));
    assert_false(regions_overlap(&machine.free, hole, hole + PAGE_SIZE));
    assert_true(regions_contain(&machine.free, hole + PAGE_SIZE, end));
}

/* --- big images ------------------------------------------------------------------------------ */

static void big_image(void **state)
{
    u64 bytes = 300 * MIB;

    (void)state;
    forget_asids();
    fakes_reset(512 * MIB);
    fakes.quiet = true;
    machine.ram = (struct boot_regions){ 1, { { MIB, 512 * MIB } } };
    file.segment[2].memsz = bytes;
    put_module(&file, sizeof file);
    boot();
    assert_int_equal(bootinfo->userImageFrames.end - bootinfo->userImageFrames.start,
                     (bytes + 0x3000) / PAGE_SIZE);
    assert_int_equal(bootinfo->userImagePaging.end - bootinfo->userImagePaging.start,
                     2 + (bytes + 2 * MIB) / (2 * MIB));
    assert_mapped(IMAGE_AT + bytes, cap_in(bootinfo->userImageFrames.start + bytes / PAGE_SIZE));
}

/* --- hostile images -------------------------------------------------------------------------- */

static void assert_refused(const char *why)
{
    put_module(&file, sizeof file);
    assert_true(panics(boot()));
    assert_non_null(strstr(fakes.panic_message, why));
    make_file();
}

static void damaged_images_are_refused(void **state)
{
    (void)state;
    put_module(&file, 63);
    assert_true(panics(boot()));
    file.header.ident[4] = 1;
    assert_refused("not an ELF64");
    file.header.type = 3;
    assert_refused("executable");
    file.header.machine = 3;
    assert_refused("executable");
    file.header.phentsize = 32;
    assert_refused("headers");
    file.header.phoff = ~0ULL - 8;
    assert_refused("headers");
    file.header.phnum = 0xffff;
    assert_refused("headers");
    file.header.phnum = 0;
    assert_refused("nothing to load");
    file.segment[0].offset = ~0ULL;
    assert_refused("damaged");
    file.segment[0].filesz = ~0ULL;
    assert_refused("damaged");
    file.segment[0].offset = sizeof file - 0x17ff;
    assert_refused("cut off");
    file.segment[0].memsz = 0x17ff;
    assert_refused("damaged");
    file.segment[2].memsz = ~0ULL;
    assert_refused("user addresses");
    file.segment[2].vaddr = 0xffffffff80000000;
    assert_refused("user addresses");
    file.segment[2].vaddr = 0x7ffffffff000;
    file.segment[2].memsz = 0x100;
    assert_refused("room"); /* or memory: the image would span everything */
    file.segment[0].vaddr = IMAGE_AT + 1;
    assert_refused("page boundary");
    file.header.entry = IMAGE_AT - 1;
    assert_refused("entry point");
    file.header.entry = IMAGE_AT + 0x3000 + 0x1234;
    assert_refused("entry point");
    file.segment[2].memsz = 500 * MIB;
    assert_refused("slots");
    file.segment[2].memsz = 100 * MIB;
    assert_refused("memory");
}

/* Whatever is in the headers: refused, or loaded within bounds (the sanitizer looks on). */
static void random_damage(void **state)
{
    u64 seed = 1;
    unsigned loaded = 0;

    (void)state;
    for (unsigned run = 0; run < 20000; run++) {
        struct elf_image image;
        struct file *copy = malloc(sizeof *copy);

        make_file();
        memcpy(copy, &file, sizeof file);
        for (unsigned i = 0; i < 1 + run % 4; i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            ((u8 *)copy)[(seed >> 40) % offsetof(struct file, contents)] = (u8)(seed >> 32);
        }
        if (!elf_check((u8 *)copy, sizeof *copy, &image) && image.end - image.start < 16 * MIB) {
            u8 *memory = calloc(1, image.end - image.start);

            elf_load(&image, memory);
            free(memory);
            loaded++;
        }
        free(copy);
    }
    assert_true(loaded > 1000 && loaded < 19000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(thread_is_ready),
        TEST(fixed_slots),
        TEST(slots_come_in_order),
        TEST(image_is_laid_out),
        TEST(mappings_exist),
        TEST(extra_blocks_come_in_order),
        TEST(missing_blocks_leave_no_gap),
        TEST(memory_is_all_there_once),
        TEST(untypeds_are_described),
        TEST(too_many_pieces),
        TEST(returned_module),
        TEST(big_image),
        TEST(damaged_images_are_refused),
        TEST(random_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
