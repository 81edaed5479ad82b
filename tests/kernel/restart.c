/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that are stopped in whatever they do, guests above all: what goes on after a Resume, and
 * what is left of it after WriteRegisters. On this core and, if there is one, on another.
 */
#include "tests/kernel/calls.h"
#include "tests/kernel/smp.h"
#include "tests/kernel/vm.h"

extern const char guest_steady[], guest_steady_end[], guest_lockstep[], guest_lockstep_end[];
void spin_here(void); /* registers.S */

#define MOMENT_US   3000 /* threads below us come to where they stop */
#define BADGE       0x40
#define OUT_LENGTH  2
#define STEADY_STOP (VM_DATA + 8)

static struct vm vm;
static seL4_CPtr notification, badged;

/* One VMEnter. How often it came back, and with what. */
enum { RETURNS, RESULT, REASON, RETURNED_BADGE };

static void enter_main(struct thread *self, seL4_Word length)
{
    struct sel4_registers r = { 0, length, VM_CODE, vm.primary, 0, 0 };

    sel4_syscall(seL4_SysVMEnter, &r, 0, 0);
    self->result[RETURNS]++;
    self->result[RESULT] = r.rsi;
    self->result[REASON] = r.mr3;
    self->result[RETURNED_BADGE] = r.rdi;
    self->done = 1;
}

static struct thread *make_monitor(unsigned core, const char *code, const char *end)
{
    struct thread *t = thread_on_core(0, core, NULL, 0, 0);

    vm_create(&vm, 0);
    vm_set_mode(&vm, VM_LONG);
    vm_load(&vm, code, end);
    vm_bind(&vm, t->tcb);
    notification = object_new(seL4_NotificationObject, 0);
    badged = cap_mint(notification, seL4_AllRights, BADGE);
    REQUIRE_OK(seL4_TCB_BindNotification(t->tcb, notification));
    return t;
}

static void begin(struct thread *t, seL4_Word length)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(t->result); i++)
        t->result[i] = 0;
    t->done = 0;
    *vm_word(&vm, VM_DATA) = *vm_word(&vm, STEADY_STOP) = 0;
    thread_set_entry(t, enter_main, length);
    thread_start(t);
    sleep_us(MOMENT_US);
}

static void begin_extended(struct thread *t, seL4_Word activity, seL4_Word deadline)
{
    t->ipc->msg[VMENTER_MR_ACTIVITY] = activity;
    t->ipc->msg[VMENTER_MR_DEADLINE] = deadline;
    begin(t, VMENTER_EXTENDED_LENGTH);
}

/* The guest's count, on whatever core, however slow it is. */
static bool gets_on(seL4_Word from)
{
    seL4_Word end = us_now() + PATIENCE_US;

    while (*vm_word(&vm, VM_DATA) <= from && us_now() < end)
        sleep_us(MOMENT_US);
    return *vm_word(&vm, VM_DATA) > from;
}

static void stand_still(struct thread *t)
{
    volatile seL4_Word *count = vm_word(&vm, VM_DATA);
    seL4_Word before;

    REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
    before = *count;
    sleep_us(MOMENT_US);
    CHECK_EQ(*count, before);
    CHECK_EQ(t->result[RETURNS], 0);
}

/* --- Suspend, Resume ------------------------------------------------------------------------- */

/* The guest's counter is in a register: it would begin again if VMEnter was repeated. */
static void pause_running(struct thread *t)
{
    volatile seL4_Word *count = vm_word(&vm, VM_DATA);
    seL4_Word before = 0;

    for (unsigned i = 0; i < 10; i++) {
        REQUIRE(CHECK(gets_on(before)));
        stand_still(t);
        before = *count;
        REQUIRE_OK(seL4_TCB_Resume(t->tcb));
    }
    CHECK(gets_on(before));
    *vm_word(&vm, STEADY_STOP) = 1;
    CHECK(thread_wait(t, PATIENCE_US));
    CHECK_EQ(t->result[RETURNS], 1);
    CHECK_EQ(t->result[RESULT], SEL4_VMENTER_RESULT_FAULT);
    CHECK_EQ(t->result[REASON], VMX_EXIT_IO);
    CHECK_EQ(t->ipc->msg[VMENTER_MR_RAX], *count);
}

static void check_notified(struct thread *t)
{
    CHECK(thread_wait(t, PATIENCE_US));
    CHECK_EQ(t->result[RETURNS], 1);
    CHECK_EQ(t->result[RESULT], SEL4_VMENTER_RESULT_NOTIF);
    CHECK_EQ(t->result[RETURNED_BADGE], BADGE);
}

/* What comes for a thread that stands still, it gets when it goes on. */
static void pause_and_signal(struct thread *t)
{
    stand_still(t);
    seL4_Signal(badged);
    sleep_us(MOMENT_US);
    CHECK_EQ(t->result[RETURNS], 0);
    REQUIRE_OK(seL4_TCB_Resume(t->tcb));
    check_notified(t);
}

/*
 * A guest asleep is stopped, and its time comes while it stands still. On a slow machine the time
 * may come before the thread is stopped; then there is more of it in the next attempt.
 */
static void stop_before_deadline(struct thread *t)
{
    for (seL4_Word us = 2 * MOMENT_US; us < PATIENCE_US; us *= 2) {
        begin_extended(t, VCPU_ACTIVITY_HLT, ticks_now() + us * tsc_mhz);
        REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
        if (t->result[RETURNS] == 0) {
            sleep_us(us + MOMENT_US);
            return;
        }
    }
}

static void pause_halted(struct thread *t)
{
    begin_extended(t, VCPU_ACTIVITY_HLT, VCPU_DEADLINE_OFF);
    for (unsigned i = 0; i < 3; i++) {
        stand_still(t);
        REQUIRE_OK(seL4_TCB_Resume(t->tcb));
        sleep_us(MOMENT_US);
        CHECK_EQ(*vm_word(&vm, VM_DATA), 0);
        CHECK_EQ(t->result[RETURNS], 0);
    }
    pause_and_signal(t);

    stop_before_deadline(t);
    CHECK_EQ(t->result[RETURNS], 0);
    REQUIRE_OK(seL4_TCB_Resume(t->tcb));
    CHECK(thread_wait(t, PATIENCE_US));
    CHECK_EQ(t->result[REASON], VMX_EXIT_PREEMPTION_TIMER);

    /* Asleep by a field. */
    vm_write(&vm, VMCS_GUEST_ACTIVITY, VCPU_ACTIVITY_HLT);
    begin(t, 0);
    stand_still(t);
    REQUIRE_OK(seL4_TCB_Resume(t->tcb));
    sleep_us(MOMENT_US);
    CHECK_EQ(*vm_word(&vm, VM_DATA), 0);
    pause_and_signal(t);
}

static void pause_on(unsigned core)
{
    struct thread *t = make_monitor(core, guest_steady, guest_steady_end);

    begin(t, 0);
    pause_running(t);
    begin(t, 0);
    pause_and_signal(t);
    if (!(extensions & BULKHEAD_EXT_VMENTER) || !(extensions & BULKHEAD_EXT_VCPU_HLT))
        return;
    begin_extended(t, VCPU_ACTIVITY_ACTIVE, VCPU_DEADLINE_OFF);
    pause_running(t);
    begin_extended(t, VCPU_ACTIVITY_ACTIVE, VCPU_DEADLINE_OFF);
    pause_and_signal(t);
    pause_halted(t);
}

static void pauses(void)
{
    pause_on(0);
}

static void pauses_elsewhere(void)
{
    pause_on(cores_required() - 1);
}

/* Sends each message back behind the instruction; result[1]: registers and memory disagree. */
static void lockstep_main(struct thread *self, seL4_Word argument)
{
    struct sel4_registers r = { 0, VMENTER_EXTENDED_LENGTH, VM_CODE, vm.primary, 0, 0 };

    (void)argument;
    self->ipc->msg[VMENTER_MR_RAX] = 0;
    self->ipc->msg[VMENTER_MR_ACTIVITY] = VCPU_ACTIVITY_ACTIVE;
    self->ipc->msg[VMENTER_MR_DEADLINE] = VCPU_DEADLINE_OFF;
    for (;;) {
        sel4_syscall(seL4_SysVMEnter, &r, 0, 0);
        if (r.rsi == SEL4_VMENTER_RESULT_FAULT) {
            self->result[0]++;
            self->result[1] += self->ipc->msg[VMENTER_MR_RAX] != *vm_word(&vm, VM_DATA);
            r.mr0 += OUT_LENGTH;
        } else {
            self->result[2]++;
        }
        r.mr2 = 0;
        r.rsi = VMENTER_EXTENDED_LENGTH;
    }
}

/* Stopped in each moment that there is, between two exits and amid one. */
static void lockstep_on(unsigned core)
{
    struct thread *t = make_monitor(core, guest_lockstep, guest_lockstep_end);

    if (!(extensions & BULKHEAD_EXT_VMENTER))
        group_skip("the kernel does not offer it");
    thread_set_entry(t, lockstep_main, 0);
    *vm_word(&vm, VM_DATA) = 0;
    thread_start(t);
    for (unsigned i = 0; i < 500; i++) {
        seL4_Word exits;

        if (core == 0)
            sleep_us(100 + i % 37);
        else
            busy_wait(i % 37);
        REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
        exits = t->result[0];
        if (i % 5 == 0)
            seL4_Signal(badged);
        busy_wait(5);
        REQUIRE(CHECK_EQ(t->result[0], exits));
        REQUIRE_OK(seL4_TCB_Resume(t->tcb));
    }
    sleep_us(MOMENT_US);
    REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
    CHECK(t->result[0] > 0);
    CHECK(t->result[2] > 0);
    CHECK_EQ(t->result[1], 0);
    CHECK(*vm_word(&vm, VM_DATA) - t->result[0] <= 1);
}

static void lockstep(void)
{
    lockstep_on(0);
}

static void lockstep_elsewhere(void)
{
    lockstep_on(cores_required() - 1);
}

/* --- Suspend, WriteRegisters, Resume --------------------------------------------------------- */

/* It begins with exactly these registers; nothing that it was in writes to them any more. */
static void check_restart(struct thread *t)
{
    seL4_UserContext regs, now;

    for (unsigned i = 0; i < seL4_UserContextWords; i++)
        ((seL4_Word *)&regs)[i] = 0x123450000000 + i * 0x1010;
    regs.rip = (seL4_Word)spin_here;
    regs.rflags = 0x202;
    REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
    REQUIRE_OK(seL4_TCB_WriteRegisters(t->tcb, 0, 0, seL4_UserContextWords, &regs));
    REQUIRE_OK(seL4_TCB_Resume(t->tcb));
    sleep_us(MOMENT_US);
    REQUIRE_OK(seL4_TCB_ReadRegisters(t->tcb, 1, 0, seL4_UserContextWords, &now));
    for (unsigned i = 0; i < seL4_UserContextWords; i++)
        CHECK_EQ(((seL4_Word *)&now)[i], ((seL4_Word *)&regs)[i]);
}

static void restart_in_guest(unsigned core)
{
    struct thread *t = make_monitor(core, guest_steady, guest_steady_end);

    begin(t, 0);
    check_restart(t);
    /* Signalled while it stood still, and running again before the next VMEnter. */
    begin(t, 0);
    REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
    seL4_Signal(badged);
    check_restart(t);
    begin(t, 0);
    check_notified(t);
    begin(t, 0);
    pause_running(t);
    if (!(extensions & BULKHEAD_EXT_VCPU_HLT))
        return;
    begin_extended(t, VCPU_ACTIVITY_HLT, VCPU_DEADLINE_OFF);
    check_restart(t);
    stop_before_deadline(t);
    check_restart(t);
    begin_extended(t, VCPU_ACTIVITY_ACTIVE, VCPU_DEADLINE_OFF);
    pause_running(t);
}

/* An exit that waits to be told is none of the next VMEnter's. */
static void restart_at_exits(unsigned core)
{
    struct thread *t = make_monitor(core, guest_lockstep, guest_lockstep_end);

    if (!(extensions & BULKHEAD_EXT_VMENTER))
        group_skip("the kernel does not offer it");
    for (unsigned i = 0; i < 100; i++) {
        vm_load(&vm, guest_lockstep, guest_lockstep_end);
        thread_set_entry(t, lockstep_main, 0);
        thread_start(t);
        sleep_us(1000 + i % 37);
        REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
        vm_load(&vm, guest_steady, guest_steady_end);
        begin(t, 0);
        REQUIRE(CHECK_EQ(t->result[RETURNS], 0));
        REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
    }
}

static void restart_guest(void)
{
    restart_in_guest(0);
}

static void restart_guest_elsewhere(void)
{
    restart_in_guest(cores_required() - 1);
}

static void call_and_check(struct thread *t, struct call *call)
{
    REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
    thread_set_entry(t, thread_call, (seL4_Word)call);
    thread_start(t);
    sleep_us(MOMENT_US);
    check_restart(t);
}

/* Whatever system call it waits in. */
static void restart_waiting(unsigned core)
{
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);
    seL4_CPtr waited = object_new(seL4_NotificationObject, 0);
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);
    struct call wait = { .number = seL4_SysWait, .rdi = waited };
    struct call receive = { .number = seL4_SysRecv, .rdi = endpoint, .r12 = reply };
    struct call send = { .number = seL4_SysSend, .rdi = endpoint };
    struct call call = { .number = seL4_SysCall, .rdi = endpoint };
    struct thread *t = thread_on_core(0, core, NULL, 0, 0);
    seL4_Word badge;

    call_and_check(t, &wait);
    call_and_check(t, &receive);
    call_and_check(t, &send);
    call_and_check(t, &call);
    /* Its call has been received, and is answered too late. */
    thread_set_entry(t, thread_call, (seL4_Word)&call);
    thread_start(t);
    seL4_Recv(endpoint, &badge, reply);
    check_restart(t);
    seL4_Send(reply, seL4_MessageInfo_new(0, 0, 0, 0));
    check_restart(t);
    /* Nothing of it is left in the queues. */
    CHECK_EQ(seL4_MessageInfo_get_label(seL4_NBRecv(endpoint, &badge, reply)), 0);
    CHECK_EQ(badge, 0);
}

static void fault_main(struct thread *self, seL4_Word argument)
{
    (void)self;
    (void)argument;
    __asm__ volatile("ud2");
}

static void fault_and_check(struct thread *t, seL4_CPtr endpoint, seL4_CPtr reply)
{
    seL4_Word badge;

    thread_set_entry(t, fault_main, 0);
    thread_start(t);
    if (reply)
        CHECK_EQ(seL4_MessageInfo_get_label(seL4_Recv(endpoint, &badge, reply)),
                 seL4_Fault_UserException);
    else
        sleep_us(MOMENT_US);
    check_restart(t);
}

/* Nobody handles it; somebody might; somebody does. */
static void restart_faulted(unsigned core)
{
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);
    struct thread *without = thread_on_core(0, core, NULL, 0, 0);
    struct thread *with = thread_on_core(1, core, NULL, 0, endpoint);

    fault_and_check(without, 0, 0);
    fault_and_check(with, endpoint, 0);
    fault_and_check(with, endpoint, reply);
}

static void restart_threads(void)
{
    restart_waiting(0);
    restart_faulted(0);
}

static void restart_threads_elsewhere(void)
{
    unsigned core = cores_required() - 1;

    restart_waiting(core);
    restart_faulted(core);
}

static void restart_exits(void)
{
    restart_at_exits((unsigned)boot->numNodes - 1);
}

TEST_SUITE(restart, { "paused guest", pauses }, { "paused guest elsewhere", pauses_elsewhere },
           { "lockstep", lockstep }, { "lockstep elsewhere", lockstep_elsewhere },
           { "guest", restart_guest }, { "guest elsewhere", restart_guest_elsewhere },
           { "exits", restart_exits }, { "waiting", restart_threads },
           { "waiting elsewhere", restart_threads_elsewhere });
