/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long system calls keep interrupts waiting. The kernel is compiled so that each basic block it
 * enters is counted (-fsanitize-coverage=trace-pc); what counts is the largest number between two
 * looks for an interrupt, from the entry of a system call to its end. It must not depend on how
 * much there is to do: 100 000 capabilities, thousands of waiting threads, gigabytes. What memset
 * does is not counted in blocks: clearing takes 256 bytes for each unit of work, so 25 600 bytes
 * between two looks.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "abi/bootinfo.h"
#include "abi/gen/labels.h"
#include "abi/syscalls.h"
#include "kernel/api/syscall.h"
#include "kernel/core/boot.h"
#include "kernel/core/core.h"
#include "kernel/core/memory.h"
#include "kernel/object/derivation.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/tcb.h"
#include "kernel/object/untyped.h"
#include "kernel/sched/sched.h"
#include "kernel/vspace/asid.h"
#include "tests/unit/kernel/elf64.h"
#include "tests/unit/kernel/fakes.h"

#define MIB        BIT(20)
#define RAM_END    (160 * MIB)
#define IMAGE_AT   0x400000ULL
#define NR_CAPS    100000u
#define NR_THREADS 5000u

/* Real memory behind gigabytes: 2 MiB that appear again and again. */
#define BIG_AT      BIT(32)
#define BIG_BITS    31
#define ALIAS_BYTES (2 * MIB)

/* --- counting -------------------------------------------------------------------------------- */

static u64 blocks, longest;
static bool counting;

void __sanitizer_cov_trace_pc(void);
__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void)
{
    blocks++;
}

static void look(void)
{
    if (counting && blocks > longest)
        longest = blocks;
    blocks = 0;
}

/* --- the machine ----------------------------------------------------------------------------- */

static const struct elf64_file image = ELF64_FILE(IMAGE_AT, IMAGE_AT);

static struct tcb *thread;
static struct slot *slots;
static u64 free_slot, big_slot, ram_slot;

static void alias_big_memory(void)
{
    int file = memfd_create("big", 0);

    assert_true(file >= 0 && ftruncate(file, ALIAS_BYTES) == 0);
    for (u64 at = 0; at < BIT(BIG_BITS); at += ALIAS_BYTES)
        assert_true(mmap(hpa_to_ptr(hpa(BIG_AT + at)), ALIAS_BYTES, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_FIXED, file, 0) != MAP_FAILED);
    close(file);
}

static u64 largest_untyped(const seL4_BootInfo *bootinfo)
{
    u64 best = 0;

    for (u64 i = 0; i < bootinfo->untyped.end - bootinfo->untyped.start; i++) {
        if (!bootinfo->untypedList[i].isDevice &&
            bootinfo->untypedList[i].sizeBits > bootinfo->untypedList[best].sizeBits)
            best = i;
        if (bootinfo->untypedList[best].isDevice)
            best = i;
    }
    return bootinfo->untyped.start + best;
}

static int set_up(void **state)
{
    struct boot_machine machine = {
        .ram = { 1, { { MIB, RAM_END } } },
        .free = { 2, { { MIB, 2 * MIB }, { 2 * MIB + PAGE_SIZE, RAM_END } } },
        .module = { 2 * MIB, 2 * MIB + sizeof image },
    };
    const seL4_BootInfo *bootinfo;

    (void)state;
    if (slots)
        asid_pool_finalise(slots[seL4_CapInitThreadASIDPool].cap);
    fakes_reset(BIG_AT + BIT(BIG_BITS));
    fakes.quiet = true;
    fakes.on_interrupt_look = look;
    memcpy(hpa_to_ptr(hpa(2 * MIB)), &image, sizeof image);
    thread = boot_initial_task(&machine);
    sched_start(thread);
    slots = cnode_slots(thread->slots[TCB_CSPACE].cap);
    bootinfo = cap_object(slots[seL4_CapBootInfoFrame].cap);
    ram_slot = largest_untyped(bootinfo);
    big_slot = bootinfo->empty.start;
    free_slot = big_slot + 1;
    counting = false;
    longest = 0;
    return 0;
}

/* A system call of the initial thread; one extra capability. Returns the answer's error. */
static u64 invoke_words(u64 cptr, u64 label, u64 extra, unsigned length, const u64 *words)
{
    struct user_context *c = &thread->context;
    u64 *buffer = tcb_buffer_for_send(thread);

    assert_ptr_equal(cores[0].current, thread);
    c->rdi = cptr;
    c->rsi = label << 12 | (u64)(extra != 0) << 7 | length;
    for (unsigned i = 0; i < length; i++)
        buffer[1 + i] = words[i];
    c->r10 = buffer[1];
    c->r8 = buffer[2];
    c->r9 = buffer[3];
    c->r15 = buffer[4];
    buffer[122] = extra;
    c->rip = IMAGE_AT + 2;
    c->by_syscall = 1;
    blocks = 0;
    syscall_entry(seL4_SysCall);
    look();
    return c->rsi >> 12;
}

#define invoke(cptr, label, extra, ...)                                                            \
    invoke_words(cptr, label, extra, sizeof((u64[]){ __VA_ARGS__ }) / sizeof(u64),                 \
                 (u64[]){ __VA_ARGS__ })

#define ROOT seL4_CapInitThreadCNode

static void make(u64 untyped, u64 type, u64 size, u64 dest, u64 count)
{
    while (count > 0) {
        u64 now = count < 256 ? count : 256;

        assert_int_equal(invoke(untyped, UntypedRetype, ROOT, type, size, 0, 0, dest, now), 0);
        dest += now;
        count -= now;
    }
}

/* The most that may happen between two looks, in basic blocks: about ten to each of which 100
 * units. */
#define MOST_BLOCKS 20000u

static void report(const char *what)
{
    printf("%-52s at most %6llu blocks between two looks\n", what, (unsigned long long)longest);
    assert_true(longest < MOST_BLOCKS);
}

static void begin(void)
{
    counting = true;
    longest = 0;
}

/* --- operations ------------------------------------------------------------------------------ */

static void revoke_many_copies(void **state)
{
    (void)state;
    make(ram_slot, seL4_EndpointObject, 0, free_slot, 1);
    for (u64 i = 1; i <= NR_CAPS; i++)
        assert_int_equal(invoke(ROOT, CNodeMint, ROOT, free_slot + i, 64, free_slot, 64, 15, i), 0);
    begin();
    assert_int_equal(invoke(ROOT, CNodeRevoke, 0, free_slot, 64), 0);
    assert_true(slot_is_empty(&slots[free_slot + NR_CAPS]));
    report("revoking 100 000 badged capabilities");
}

static void revoke_many_objects(void **state)
{
    (void)state;
    make(ram_slot, seL4_EndpointObject, 0, free_slot, NR_CAPS);
    begin();
    assert_int_equal(invoke(ROOT, CNodeRevoke, 0, ram_slot, 64), 0);
    report("revoking an untyped of 100 000 objects");
    begin();
    make(ram_slot, seL4_EndpointObject, 0, free_slot, 1);
    report("clearing what they used");
}

static void revoke_many_threads(void **state)
{
    (void)state;
    make(ram_slot, seL4_TCBObject, 0, free_slot, 10000);
    begin();
    assert_int_equal(invoke(ROOT, CNodeRevoke, 0, ram_slot, 64), 0);
    report("revoking an untyped of 10 000 threads");
}

static void delete_big_cnode(void **state)
{
    struct slot *inner;

    (void)state;
    make(ram_slot, seL4_CapTableObject, 16, free_slot, 1);
    make(ram_slot, seL4_EndpointObject, 0, free_slot + 1, 1);
    inner = cnode_slots(slots[free_slot].cap);
    for (unsigned i = 0; i < BIT(16); i++)
        slot_insert(slots[free_slot + 1].cap, &slots[free_slot + 1], &inner[i]);
    begin();
    assert_int_equal(invoke(ROOT, CNodeDelete, 0, free_slot, 64), 0);
    assert_false(slot_has_children(&slots[free_slot + 1]));
    report("deleting a CNode of 65 536 capabilities");
}

static void clear_gigabytes(void **state)
{
    u8 *memory = hpa_to_ptr(hpa(BIG_AT));

    (void)state;
    alias_big_memory();
    memset(memory, 0xff, ALIAS_BYTES);
    slot_insert_root(&slots[big_slot], untyped_cap(hpa(BIG_AT), BIG_BITS, false, BIT(BIG_BITS)));
    begin();
    make(big_slot, seL4_X64_HugePageObject, 0, free_slot, 2);
    report("clearing 2 GiB");
    assert_true(memory[0] == 0 && memcmp(memory, memory + 1, ALIAS_BYTES - 1) == 0);
}

static void make_many_of_each(void **state)
{
    static const struct {
        u64 type, size;
        const char *name;
    } types[] = {
        { seL4_UntypedObject, 4, "256 untypeds" },
        { seL4_TCBObject, 0, "256 threads" },
        { seL4_CapTableObject, 8, "256 CNodes" },
        { seL4_X64_PML4Object, 0, "256 PML4s" },
        { seL4_X86_4K, 0, "256 frames" },
        { seL4_X86_VCPUObject, 0, "256 VCPUs" },
        { seL4_SchedContextObject, 8, "256 scheduling contexts" },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(types); i++) {
        char what[64];

        make(ram_slot, seL4_EndpointObject, 0, free_slot, 1); /* so that nothing is cleared */
        begin();
        make(ram_slot, types[i].type, types[i].size, free_slot + 1, 256);
        snprintf(what, sizeof what, "making %s", types[i].name);
        report(what);
        assert_int_equal(invoke(ROOT, CNodeRevoke, 0, ram_slot, 64), 0);
    }
}

/* Threads of all priorities wait to send. */
static void make_waiting_threads(u64 endpoint)
{
    make(ram_slot, seL4_TCBObject, 0, free_slot + 10, NR_THREADS);
    for (u64 i = 0; i < NR_THREADS; i++) {
        struct tcb *tcb = cap_tcb(slots[free_slot + 10 + i].cap);
        struct cap cap = slots[endpoint].cap;

        tcb->priority = (u8)(i * 7);
        cap.data = 1 + i % 2;
        endpoint_send(cap, tcb, (struct send_kind){ .is_blocking = true });
    }
}

static void delete_endpoint_with_waiting_threads(void **state)
{
    (void)state;
    make(ram_slot, seL4_EndpointObject, 0, free_slot, 1);
    make_waiting_threads(free_slot);
    begin();
    assert_int_equal(invoke(ROOT, CNodeDelete, 0, free_slot, 64), 0);
    report("deleting an endpoint at which 5 000 threads wait");
    for (u64 i = 0; i < NR_THREADS; i++)
        assert_int_equal(cap_tcb(slots[free_slot + 10 + i].cap)->state, THREAD_RESTART);
}

static void cancel_badged_sends(void **state)
{
    (void)state;
    make(ram_slot, seL4_EndpointObject, 0, free_slot, 1);
    make_waiting_threads(free_slot);
    assert_int_equal(invoke(ROOT, CNodeMint, ROOT, free_slot + 1, 64, free_slot, 64, 15, 1), 0);
    begin();
    assert_int_equal(invoke(ROOT, CNodeCancelBadgedSends, 0, free_slot + 1, 64), 0);
    report("cancelling the sends of 2 500 of 5 000 threads");
}

static void issue_and_delete_all_ports(void **state)
{
    (void)state;
    begin();
    assert_int_equal(
        invoke(seL4_CapIOPortControl, X86IOPortControlIssue, ROOT, 0, 0xffff, free_slot, 64), 0);
    report("issuing all I/O ports");
    begin();
    assert_int_equal(invoke(ROOT, CNodeDelete, 0, free_slot, 64), 0);
    report("deleting all I/O ports");
}

static void delete_asid_pool_with_spaces(void **state)
{
    (void)state;
    make(ram_slot, seL4_UntypedObject, 12, free_slot, 1);
    make(ram_slot, seL4_X64_PML4Object, 0, free_slot + 2, 512);
    assert_int_equal(
        invoke(seL4_CapASIDControl, X86ASIDControlMakePool, free_slot, free_slot + 1, 64),
        seL4_TruncatedMessage); /* two capabilities are needed: below */
    for (u64 i = 0; i < 510; i++)
        assert_int_equal(
            invoke(seL4_CapInitThreadASIDPool, X86ASIDPoolAssign, free_slot + 2 + i, 0), 0);
    begin();
    /* The initial task's own pool: its space goes, too, but nothing looks at it on the host. */
    assert_int_equal(invoke(ROOT, CNodeDelete, 0, seL4_CapInitThreadASIDPool, 64), 0);
    report("deleting an ASID pool of 511 spaces");
    slots = NULL;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(revoke_many_copies),
        TEST(revoke_many_objects),
        TEST(revoke_many_threads),
        TEST(delete_big_cnode),
        TEST(clear_gigabytes),
        TEST(make_many_of_each),
        TEST(delete_endpoint_with_waiting_threads),
        TEST(cancel_badged_sends),
        TEST(issue_and_delete_all_ports),
        TEST(delete_asid_pool_with_spaces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
