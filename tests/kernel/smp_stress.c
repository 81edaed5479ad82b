/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several cores under load: what is unmapped, revoked or deleted under a thread or a guest that
 * runs elsewhere is out of its reach when the call returns, and signals to running guests arrive.
 */
#include "tests/kernel/calls.h"
#include "tests/kernel/smp.h"
#include "tests/kernel/vm.h"

extern const char guest_spin[], guest_spin_end[], guest_isolation[], guest_isolation_end[];

#define ROUNDS    300
#define VIEW      (TEST_VADDR + 0x400000) /* where we see the frame that the others use */
#define ELSEWHERE (TEST_VADDR + 0x200000) /* where they do */

/* --- frames of a thread ---------------------------------------------------------------------- */

static void touch_main(struct thread *self, seL4_Word address)
{
    for (;;) {
        *(volatile seL4_Word *)address += 1;
        self->result[0]++;
    }
}

/*
 * The frame goes while a thread writes to it. Afterwards it is still, and the thread has faulted;
 * with the frame it goes on.
 */
static void unmap_under_load(void)
{
    unsigned nr_cores = cores_required();
    seL4_CPtr ep = object_new(seL4_EndpointObject, 0), reply = object_new(seL4_ReplyObject, 0);
    seL4_CPtr frame = object_new(seL4_X86_4K, 0), view = cap_copy(frame, seL4_AllRights);
    volatile seL4_Word *word = (volatile seL4_Word *)VIEW;
    struct thread *t;

    REQUIRE_OK(frame_map(view, seL4_CapInitThreadVSpace, VIEW, seL4_ReadWrite, 0));
    REQUIRE_OK(frame_map(frame, seL4_CapInitThreadVSpace, ELSEWHERE, seL4_ReadWrite, 0));
    t = thread_on_core(0, nr_cores - 1, touch_main, ELSEWHERE, ep);
    thread_start(t);
    for (unsigned i = 0; i < ROUNDS; i++) {
        seL4_Word count;
        struct message m;

        REQUIRE(CHECK(differs(word, *word)));
        if (i % 2)
            REQUIRE_OK(seL4_X86_Page_Unmap(frame));
        else
            REQUIRE_OK(seL4_X86_Page_Map(frame, seL4_CapInitThreadVSpace, ELSEWHERE, seL4_CanRead,
                                         seL4_X86_Default_VMAttributes));
        count = *word;
        busy_wait(10);
        REQUIRE(CHECK_EQ(*word, count));
        m = sys(seL4_SysRecv, ep, INFO(0, 0), 0, 0, 0, 0, reply, 0);
        REQUIRE(CHECK_EQ(LABEL(m), seL4_Fault_VMFault));
        REQUIRE(CHECK_EQ(m.word[1], ELSEWHERE));
        REQUIRE_OK(seL4_X86_Page_Map(frame, seL4_CapInitThreadVSpace, ELSEWHERE, seL4_ReadWrite,
                                     seL4_X86_Default_VMAttributes));
        sys(seL4_SysSend, reply, INFO(0, 0), 0, 0, 0, 0, 0, 0);
    }
}

/* --- guests ---------------------------------------------------------------------------------- */

/* A monitor that says what happened, and goes on when it is told to. */
struct monitor {
    struct vm vm;
    struct thread *thread;
    seL4_CPtr notification;
    volatile bool pause_at_exit; /* wait for `go` then */
    volatile seL4_Word go;
    volatile seL4_Word exits, reason, qualification;
    volatile seL4_Word badges, nr_notifications;
};

static struct monitor monitors[2];

static void monitor_main(struct thread *self, seL4_Word n)
{
    struct monitor *monitor = &monitors[n];
    seL4_Word rip = VM_CODE;

    for (;;) {
        struct sel4_registers r = { 0, 0, rip, monitor->vm.primary, 0, 0 };

        sel4_syscall(seL4_SysVMEnter, &r, 0, 0);
        rip = r.mr0;
        if (r.rsi == SEL4_VMENTER_RESULT_NOTIF) {
            monitor->badges |= r.rdi;
            monitor->nr_notifications++;
            continue;
        }
        monitor->reason = r.mr3;
        monitor->qualification = self->ipc->msg[VMENTER_MR_QUALIFICATION];
        monitor->go = 0;
        monitor->exits++;
        while (monitor->pause_at_exit && !monitor->go)
            __asm__ volatile("pause");
    }
}

static struct monitor *monitor_create(unsigned n, unsigned core, const char *code, const char *end)
{
    struct monitor *monitor = &monitors[n];

    *monitor = (struct monitor){ .pause_at_exit = true };
    vm_create(&monitor->vm, n);
    vm_set_mode(&monitor->vm, VM_LONG);
    vm_load(&monitor->vm, code, end);
    monitor->thread = thread_on_core(n, core, monitor_main, n, 0);
    monitor->notification = object_new(seL4_NotificationObject, 0);
    REQUIRE_OK(seL4_TCB_BindNotification(monitor->thread->tcb, monitor->notification));
    vm_bind(&monitor->vm, monitor->thread->tcb);
    return monitor;
}

static volatile seL4_Word *guest_count(struct monitor *monitor)
{
    return vm_word(&monitor->vm, VM_DATA);
}

/* Each signal ends the run of a guest that never exits by itself. */
static void signal_guest(void)
{
    unsigned nr_cores = cores_required();
    struct monitor *monitor = monitor_create(0, nr_cores - 1, guest_spin, guest_spin_end);

    thread_start(monitor->thread);
    for (unsigned i = 0; i < 2000; i++) {
        seL4_Word before = monitor->nr_notifications;

        if (i % 5 == 0)
            REQUIRE(CHECK(differs(guest_count(monitor), *guest_count(monitor))));
        seL4_Signal(cap_mint(monitor->notification, seL4_AllRights, 1ul << i % 7));
        REQUIRE(CHECK(differs(&monitor->nr_notifications, before)));
    }
    CHECK_EQ(monitor->badges, 0x7f);
    CHECK_EQ(monitor->exits, 0);
}

/* The guest's memory goes while it writes: it stands still, and its monitor hears why. */
static void unmap_guest(void)
{
    unsigned nr_cores = cores_required();
    struct monitor *monitor = monitor_create(0, nr_cores - 1, guest_spin, guest_spin_end);
    volatile seL4_Word *count = guest_count(monitor);

    thread_start(monitor->thread);
    for (unsigned i = 0; i < ROUNDS; i++) {
        seL4_Word before, exits = monitor->exits;

        REQUIRE(CHECK(differs(count, *count)));
        REQUIRE_OK(seL4_X86_Page_Unmap(monitor->vm.frame));
        before = *count;
        busy_wait(10);
        REQUIRE(CHECK_EQ(*count, before));
        REQUIRE(CHECK(differs(&monitor->exits, exits)));
        REQUIRE(CHECK_EQ(monitor->reason, VMX_EXIT_EPT_VIOLATION));
        REQUIRE_OK(seL4_X86_Page_MapEPT(monitor->vm.frame, monitor->vm.ept, 0, seL4_AllRights,
                                        seL4_X86_EPT_Default_VMAttributes));
        monitor->go = 1;
    }
}

/* The VCPU of a running guest can be read and written from here: it shows a state of that guest. */
static void look_at_guest(void)
{
    unsigned nr_cores = cores_required();
    struct monitor *monitor = monitor_create(0, nr_cores - 1, guest_spin, guest_spin_end);

    thread_start(monitor->thread);
    for (unsigned i = 0; i < ROUNDS; i++) {
        seL4_Word rip;

        REQUIRE(CHECK(differs(guest_count(monitor), *guest_count(monitor))));
        rip = vm_read(&monitor->vm, VMCS_GUEST_RIP);
        REQUIRE(CHECK(rip >= VM_CODE && rip < VM_CODE + 32));
        vm_write(&monitor->vm, VMCS_GUEST_SYSENTER_ESP, i);
        CHECK_EQ(vm_read(&monitor->vm, VMCS_GUEST_SYSENTER_ESP), i);
    }
    CHECK_EQ(monitor->exits, 0);
}

/* Two guests with values of their own in all registers go from core to core. */
static void migrate_guests(void)
{
    unsigned nr_cores = cores_required();
    bool goes_on = true;

    for (unsigned n = 0; n < 2; n++) {
        seL4_VCPUContext regs = { .rdi = 0x100000 * (n + 1), .rsi = 30000 };
        struct monitor *monitor =
            monitor_create(n, n % nr_cores, guest_isolation, guest_isolation_end);

        REQUIRE_OK(seL4_X86_VCPU_WriteRegisters(monitor->vm.vcpu, &regs));
        REQUIRE_OK(
            seL4_TCB_SetPriority(monitor->thread->tcb, seL4_CapInitThreadTCB, TEST_PRIORITY));
    }
    for (unsigned n = 0; n < 2; n++)
        thread_start(monitors[n].thread);
    for (unsigned i = 0; goes_on; i++) {
        goes_on = false;
        for (unsigned n = 0; n < 2; n++) {
            if (monitors[n].exits)
                continue;
            goes_on = true;
            REQUIRE_OK(sc_on_core(monitors[n].thread, (i + n * i / 3) % nr_cores));
        }
        sleep_us(300);
    }
    for (unsigned n = 0; n < 2; n++) {
        CHECK_EQ(monitors[n].reason, VMX_EXIT_IO);
        CHECK_EQ(monitors[n].qualification >> VMX_IO_PORT_SHIFT, 0x80);
    }
}

/* --- everything at once ---------------------------------------------------------------------- */

/* Uses what can be used: its FPU, its budget, memory. */
static void busy_main(struct thread *self, seL4_Word address)
{
    for (;;) {
        __asm__ volatile("movq %0, %%xmm1" : : "r"(address));
        *(volatile seL4_Word *)address += 1;
        self->result[0]++;
        if (self->result[0] % 50000 == 0)
            seL4_Yield();
    }
}

#define SCRATCH_BITS 23

/*
 * Threads, guests and memory on all cores are revoked while they run. What they were made of is
 * then ours: nobody writes to it any more.
 */
static void revoke_under_load(void)
{
    unsigned nr_cores = cores_required();
    seL4_CPtr all = group_untyped, scratch = object_new(seL4_UntypedObject, SCRATCH_BITS);
    bool virtual = have_virtualisation();

    for (unsigned round = 0; round < 10; round++) {
        seL4_CPtr frame;
        volatile seL4_Word *words = (volatile seL4_Word *)(ELSEWHERE + 0x200000);

        group_untyped = scratch;
        frame = object_new(seL4_X86_4K, 0);
        REQUIRE_OK(frame_map(frame, seL4_CapInitThreadVSpace, ELSEWHERE, seL4_ReadWrite, 0));
        if (virtual)
            thread_start(monitor_create(0, round % nr_cores, guest_spin, guest_spin_end)->thread);
        for (unsigned n = 1; n < 6; n++)
            thread_start(thread_on_core(n, n % nr_cores, busy_main, ELSEWHERE, 0));
        busy_wait(500 + round * 40);
        group_untyped = all;
        REQUIRE_OK(cap_revoke(scratch));

        /* The same memory, as frames. */
        frame = slot_new();
        REQUIRE_OK(retype(scratch, seL4_X86_LargePageObject, 0, frame, 1));
        REQUIRE_OK(frame_map(frame, seL4_CapInitThreadVSpace, (seL4_Word)words, seL4_ReadWrite, 0));
        busy_wait(100);
        for (unsigned i = 0; i < (1u << 21) / 8; i += 1)
            if (words[i] != 0) {
                CHECK_EQ(words[i], 0);
                print("     at byte 0x%x in round %u\n", 8 * i, round);
                group_abort();
            }
        REQUIRE_OK(cap_revoke(scratch));
    }
}

TEST_SUITE(smp_stress, { "unmap under load", unmap_under_load }, { "signal a guest", signal_guest },
           { "unmap under a guest", unmap_guest }, { "look at a running guest", look_at_guest },
           { "migrating guests", migrate_guests }, { "revoke under load", revoke_under_load });
