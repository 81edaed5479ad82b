/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/harness.h"

#include <bulkhead/bootinfo.h>

#include "lib/format.h"
#include "lib/string.h"

/* Linker script: where the image begins. */
extern char __image_start[];

seL4_BootInfo *boot;
seL4_Word tsc_mhz;
seL4_Word extensions;
seL4_CPtr group_untyped;

static seL4_CPtr first_slot; /* of a group's */
static seL4_CPtr next_slot;

static const char *group_name;
static bool group_failed;
static const char *group_skipped;
static void *group_exit[5]; /* __builtin_setjmp */
static unsigned nr_passed, nr_failed, nr_skipped;

static struct thread threads[MAX_THREADS];
static struct {
    char stack[3 * PAGE_BYTES];
    seL4_IPCBuffer ipc __attribute__((aligned(PAGE_BYTES)));
} __attribute__((aligned(PAGE_BYTES))) thread_memory[MAX_THREADS + 2]; /* last: clock, supervisor */

/* --- checks ---------------------------------------------------------------------------------- */

static void report(const char *what, seL4_Word expected, seL4_Word got, const char *part,
                   const char *file, int line)
{
    group_failed = true;
    print("FAIL %s: %s%s: expected 0x%lx got 0x%lx at %s:%d\n", group_name, what, part, expected,
          got, file, line);
}

bool check_equal(seL4_Word got, seL4_Word expected, const char *what, const char *file, int line)
{
    if (got != expected)
        report(what, expected, got, "", file, line);
    return got == expected;
}

void check_error(seL4_Word got, seL4_Word error, unsigned nr_words, const seL4_Word *words,
                 const char *what, const char *file, int line)
{
    /* Reporting uses no system call that touches the buffer's message. */
    if (got != error) {
        report(what, error, got, " (error)", file, line);
        return;
    }
    for (unsigned i = 0; i < nr_words; i++) {
        char part[] = " (word 0)";

        part[7] = (char)('0' + i);
        if (seL4_GetMR((int)i) != words[i])
            report(what, words[i], seL4_GetMR((int)i), part, file, line);
    }
}

_Noreturn void group_abort(void)
{
    __builtin_longjmp(group_exit, 1);
}

_Noreturn void group_skip(const char *why)
{
    group_skipped = why;
    group_abort();
}

/* --- the machine ----------------------------------------------------------------------------- */

void busy_wait(seL4_Word us)
{
    seL4_Word end = ticks_now() + us * tsc_mhz;

    while (ticks_now() < end)
        __asm__ volatile("pause");
}

struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

bool cpu_is_amd(void)
{
    struct cpuid vendor = cpuid(0, 0);

    return vendor.ebx == 0x68747541 || vendor.ebx == 0x6f677948; /* "Auth", "Hygo" */
}

bool have_virtualisation(void)
{
    if (cpu_is_amd())
        return cpuid(0x80000001, 0).ecx & (1 << 2);
    return cpuid(1, 0).ecx & (1 << 5);
}

/* --- objects --------------------------------------------------------------------------------- */

seL4_CPtr slots_new(unsigned count)
{
    seL4_CPtr slot = next_slot;

    if (slot + count > boot->empty.end) {
        print("out of slots\n");
        group_abort();
    }
    next_slot += count;
    return slot;
}

seL4_CPtr slot_new(void)
{
    return slots_new(1);
}

seL4_Error retype(seL4_CPtr untyped, seL4_Word type, seL4_Word size_bits, seL4_CPtr slot,
                  seL4_Word count)
{
    return seL4_Untyped_Retype(untyped, type, size_bits, ROOT, 0, 0, slot, count);
}

seL4_CPtr object_new(seL4_Word type, seL4_Word size_bits)
{
    seL4_CPtr slot = slot_new();
    seL4_Error error = retype(group_untyped, type, size_bits, slot, 1);

    if (error) {
        print("FAIL %s: object of type %lu, size %lu: error %d\n", group_name, type, size_bits,
              error);
        group_failed = true;
        group_abort();
    }
    return slot;
}

seL4_CPtr cap_copy(seL4_CPtr cap, seL4_CapRights_t rights)
{
    seL4_CPtr slot = slot_new();

    REQUIRE_OK(seL4_CNode_Copy(ROOT, slot, DEPTH, ROOT, cap, DEPTH, rights));
    return slot;
}

seL4_CPtr cap_mint(seL4_CPtr cap, seL4_CapRights_t rights, seL4_Word badge)
{
    seL4_CPtr slot = slot_new();

    REQUIRE_OK(seL4_CNode_Mint(ROOT, slot, DEPTH, ROOT, cap, DEPTH, rights, badge));
    return slot;
}

seL4_Error cap_delete(seL4_CPtr cap)
{
    return seL4_CNode_Delete(ROOT, cap, DEPTH);
}

seL4_Error cap_revoke(seL4_CPtr cap)
{
    return seL4_CNode_Revoke(ROOT, cap, DEPTH);
}

seL4_Word cap_tag(seL4_CPtr cap)
{
    return seL4_DebugCapIdentify(cap);
}

seL4_CPtr boot_untyped_find(bool device, seL4_Word min_bits, seL4_UntypedDesc *desc)
{
    for (seL4_Word i = 0; i < boot->untyped.end - boot->untyped.start; i++) {
        const seL4_UntypedDesc *d = &boot->untypedList[i];

        if (d->isDevice == device && d->sizeBits >= min_bits) {
            if (desc)
                *desc = *d;
            return boot->untyped.start + i;
        }
    }
    return 0;
}

seL4_Word invoke(seL4_CPtr object, seL4_Word label, unsigned nr_caps, const seL4_CPtr *caps,
                 unsigned length, const seL4_Word *words)
{
    for (unsigned i = 0; i < nr_caps; i++)
        seL4_SetCap((int)i, caps ? caps[i] : 0);
    for (unsigned i = 0; i < length; i++)
        seL4_SetMR((int)i, words ? words[i] : 0);
    return seL4_MessageInfo_get_label(
        seL4_Call(object, seL4_MessageInfo_new(label, 0, nr_caps, length)));
}

/* --- memory ---------------------------------------------------------------------------------- */

seL4_CPtr image_frame(const void *address)
{
    return boot->userImageFrames.start +
           (seL4_Word)((const char *)address - __image_start) / PAGE_BYTES;
}

/* Maps the structure that is missing, as the error's words name it. */
static seL4_Error map_missing(seL4_CPtr vspace, seL4_Word vaddr)
{
    switch (seL4_GetMR(SEL4_MAPPING_LOOKUP_LEVEL)) {
    case SEL4_MAPPING_LOOKUP_NO_PT:
        return seL4_X86_PageTable_Map(object_new(seL4_X86_PageTableObject, 0), vspace, vaddr, 0);
    case SEL4_MAPPING_LOOKUP_NO_PD:
        return seL4_X86_PageDirectory_Map(object_new(seL4_X86_PageDirectoryObject, 0), vspace,
                                          vaddr, 0);
    case SEL4_MAPPING_LOOKUP_NO_PDPT:
        return seL4_X86_PDPT_Map(object_new(seL4_X86_PDPTObject, 0), vspace, vaddr, 0);
    default:
        return seL4_FailedLookup;
    }
}

seL4_Error frame_map(seL4_CPtr frame, seL4_CPtr vspace, seL4_Word vaddr, seL4_CapRights_t rights,
                     seL4_Word attributes)
{
    for (int level = 0;; level++) {
        seL4_Error error =
            seL4_X86_Page_Map(frame, vspace, vaddr, rights, (seL4_X86_VMAttributes)attributes);

        if (error != seL4_FailedLookup || level == 3)
            return error;
        error = map_missing(vspace, vaddr);
        if (error)
            return error;
    }
}

seL4_CPtr vspace_new(void)
{
    seL4_CPtr vspace = object_new(seL4_X64_PML4Object, 0);

    REQUIRE_OK(seL4_X86_ASIDPool_Assign(seL4_CapInitThreadASIDPool, vspace));
    return vspace;
}

/* --- threads --------------------------------------------------------------------------------- */

seL4_Error sc_configure(seL4_CPtr sc, seL4_Word budget, seL4_Word period, seL4_Word extra_refills,
                        seL4_Word badge, seL4_Word flags)
{
    return seL4_SchedControl_ConfigureFlags(boot->schedcontrol.start, sc, budget, period,
                                            extra_refills, badge, flags);
}

static void thread_main(struct thread *self, thread_function function, seL4_Word argument)
{
    function(self, argument);
    sys(seL4_SysCall, self->tcb, INFO(TCBSuspend, 0), 0, 0, 0, 0, 0, 0);
}

static void thread_set_up(struct thread *thread, unsigned n, unsigned priority, seL4_CPtr fault_ep,
                          seL4_CPtr authority)
{
    thread->ipc = &thread_memory[n].ipc;
    thread->ipc_frame = image_frame(thread->ipc);
    thread->stack_top = thread_memory[n].stack + sizeof(thread_memory[n].stack);
    REQUIRE_OK(seL4_TCB_Configure(thread->tcb, ROOT, 0, seL4_CapInitThreadVSpace, 0,
                                  (seL4_Word)thread->ipc, thread->ipc_frame));
    REQUIRE_OK(
        seL4_TCB_SetSchedParams(thread->tcb, authority, 255, priority, thread->sc, fault_ep));
}

void thread_set_entry(struct thread *thread, thread_function function, seL4_Word argument)
{
    seL4_UserContext regs = {
        .rip = (seL4_Word)thread_main,
        .rsp = (seL4_Word)thread->stack_top - 8, /* as after a call */
        .rflags = 0x202,
        .rdi = (seL4_Word)thread,
        .rsi = (seL4_Word)function,
        .rdx = argument,
    };

    REQUIRE_OK(seL4_TCB_WriteRegisters(thread->tcb, 0, 0, seL4_UserContextWords, &regs));
}

struct thread *thread_create(unsigned n, thread_function function, seL4_Word argument,
                             unsigned priority, seL4_Word budget, seL4_Word period,
                             seL4_CPtr fault_ep)
{
    struct thread *thread = &threads[n];

    memset(thread, 0, sizeof(*thread));
    thread->tcb = object_new(seL4_TCBObject, 0);
    if (budget) {
        thread->sc = object_new(seL4_SchedContextObject, 8);
        REQUIRE_OK(sc_configure(thread->sc, budget, period, 0, n, 0));
    }
    thread_set_up(thread, n, priority, fault_ep, seL4_CapInitThreadTCB);
    thread_set_entry(thread, function, argument);
    return thread;
}

void thread_start(struct thread *thread)
{
    REQUIRE_OK(seL4_TCB_Resume(thread->tcb));
}

struct thread *thread_run(unsigned n, thread_function function, seL4_Word argument,
                          unsigned priority)
{
    struct thread *thread = thread_create(n, function, argument, priority, 5000, 5000, 0);

    thread_start(thread);
    return thread;
}

/*
 * There is no call that sleeps. The clock thread has a scheduling context whose period is the time
 * to sleep: giving up its budget, it goes on one period later and signals.
 */
static struct thread clock;
static seL4_CPtr clock_notification;

static void clock_main(struct thread *self, seL4_Word argument)
{
    (void)self;
    seL4_Yield();
    sys(seL4_SysSend, argument, INFO(0, 0), 0, 0, 0, 0, 0, 0);
}

void sleep_us(seL4_Word us)
{
    REQUIRE_OK(seL4_TCB_Suspend(clock.tcb));
    REQUIRE_OK(sc_configure(clock.sc, us < 2000 ? us / 2 : 1000, us, 0, 0, 0));
    thread_set_entry(&clock, clock_main, clock_notification);
    thread_start(&clock);
    sys(seL4_SysWait, clock_notification, INFO(0, 0), 0, 0, 0, 0, 0, 0);
}

bool thread_wait(struct thread *thread, seL4_Word timeout_us)
{
    seL4_Word end = us_now() + timeout_us;

    while (!thread->done && us_now() < end)
        sleep_us(1000);
    return thread->done;
}

/* --- groups ---------------------------------------------------------------------------------- */

static struct thread supervisor;
static seL4_CPtr supervisor_ep, supervisor_reply;
static seL4_CPtr exit_port; /* 0xf4 and 0x8900 */
static seL4_CPtr bochs_port;
static char recovery_stack[PAGE_BYTES] __attribute__((aligned(16)));

static void group_recover(void)
{
    __builtin_longjmp(group_exit, 1);
}

static void report_fault(const struct message *m)
{
    print("FAIL %s: the testing thread faulted: type %lu, words 0x%lx 0x%lx 0x%lx 0x%lx at %s:%d\n",
          group_name, (seL4_Word)LABEL(*m), m->word[0], m->word[1], m->word[2], m->word[3],
          __FILE__, __LINE__);
    group_failed = true;
}

/* Above all others: takes the testing thread's faults and makes it leave its group. */
static void supervisor_main(struct thread *self, seL4_Word argument)
{
    (void)argument;
    for (;;) {
        struct message m =
            sys(seL4_SysRecv, supervisor_ep, INFO(0, 0), 0, 0, 0, 0, supervisor_reply, 0);
        seL4_UserContext regs = {
            .rip = (seL4_Word)group_recover,
            .rsp = (seL4_Word)recovery_stack + sizeof(recovery_stack) - 8,
            .rflags = 0x202,
        };

        report_fault(&m);
        seL4_SetIPCBuffer(self->ipc);
        if (seL4_TCB_Suspend(seL4_CapInitThreadTCB) ||
            seL4_TCB_WriteRegisters(seL4_CapInitThreadTCB, 1, 0, seL4_UserContextWords, &regs))
            panic("cannot go on after the fault\n");
        seL4_SetIPCBuffer(boot->ipcBuffer);
    }
}

static void permanent_thread(struct thread *thread, unsigned n, unsigned priority)
{
    thread->tcb = slot_new();
    thread->sc = slot_new();
    REQUIRE_OK(retype(group_untyped, seL4_TCBObject, 0, thread->tcb, 1));
    REQUIRE_OK(retype(group_untyped, seL4_SchedContextObject, 7, thread->sc, 1));
    REQUIRE_OK(sc_configure(thread->sc, 5000, 5000, 0, 0, 0));
    thread_set_up(thread, n, priority, 0, seL4_CapInitThreadTCB);
}

static void supervision_begin(void)
{
    supervisor_ep = object_new(seL4_EndpointObject, 0);
    supervisor_reply = object_new(seL4_ReplyObject, 0);
    clock_notification = object_new(seL4_NotificationObject, 0);
    permanent_thread(&clock, MAX_THREADS, 254);
    permanent_thread(&supervisor, MAX_THREADS + 1, 255);
    thread_set_entry(&supervisor, supervisor_main, 0);
    thread_start(&supervisor);
    REQUIRE_OK(seL4_TCB_SetSpace(seL4_CapInitThreadTCB, supervisor_ep, ROOT, 0,
                                 seL4_CapInitThreadVSpace, 0));
    REQUIRE_OK(seL4_TCB_SetPriority(seL4_CapInitThreadTCB, seL4_CapInitThreadTCB, TEST_PRIORITY));
}

void harness_begin(seL4_BootInfo *info)
{
    boot = info;
    tsc_mhz = bootinfo_tsc_mhz(info);
    extensions = bootinfo_extensions(info);
    first_slot = next_slot = info->empty.start;
    group_name = "harness";
    if (__builtin_setjmp(group_exit))
        panic("cannot prepare the tests\n");

    seL4_CPtr parent = boot_untyped_find(false, GROUP_UNTYPED_BITS + 1, NULL);

    REQUIRE(parent);
    exit_port = slot_new();
    bochs_port = slot_new();
    REQUIRE_OK(
        seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, 0xf4, 0xf7, ROOT, exit_port, DEPTH));
    REQUIRE_OK(seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, 0x8900, 0x8900, ROOT, bochs_port,
                                            DEPTH));

    /* What stays comes from an untyped of its own; it is called the group's while that is made. */
    group_untyped = slot_new();
    REQUIRE_OK(retype(parent, seL4_UntypedObject, 16, group_untyped, 1));
    supervision_begin();
    group_untyped = slot_new();
    REQUIRE_OK(retype(parent, seL4_UntypedObject, GROUP_UNTYPED_BITS, group_untyped, 1));
    first_slot = next_slot;
}

/* Everything that the group made goes. */
static void group_clean_up(void)
{
    seL4_Error error = cap_revoke(group_untyped);

    for (seL4_CPtr slot = first_slot; slot < next_slot && !error; slot++)
        error = cap_delete(slot);
    if (error)
        panic("cannot clean up after %s: error %d\n", group_name, error);
    next_slot = first_slot;
}

static void group_run(const char *name, void (*run)(void))
{
    group_name = name;
    group_failed = false;
    group_skipped = NULL;
    if (!__builtin_setjmp(group_exit))
        run();
    if (group_failed) {
        nr_failed++;
    } else if (group_skipped) {
        print("skip %s: %s\n", group_name, group_skipped);
        nr_skipped++;
    } else {
        print("ok %s\n", group_name);
        nr_passed++;
    }
    group_clean_up();
}

void harness_run(const struct test_suite *suite)
{
    static char name[80];

    for (unsigned i = 0; i < suite->nr_groups; i++) {
        format_text(name, sizeof(name), "%s/%s", suite->name, suite->groups[i].name);
        group_run(name, suite->groups[i].run);
    }
}

/* Bochs ends at once, and what its serial port has not sent by then is lost. */
#define LAST_CHARACTER_US 1000

/* QEMU's isa-debug-exit ends with (value << 1) | 1; Bochs ends, too, but says nothing. */
_Noreturn void harness_end(void)
{
    print("%u skipped\n%u passed, %u failed\n", nr_skipped, nr_passed, nr_failed);
    busy_wait(LAST_CHARACTER_US);
    for (const char *c = "Shutdown"; *c; c++)
        seL4_X86_IOPort_Out8(bochs_port, 0x8900, (seL4_Word)*c);
    seL4_X86_IOPort_Out32(exit_port, 0xf4, nr_failed ? 1 : 0);
    for (;;)
        seL4_Yield();
}
