/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Bulkhead's kernel offers beyond seL4: the VCPU timer, sleeping in HLT, the extended
 * VMEnter. /
 */
#include "tests/kernel/calls.h"
#include "tests/kernel/vm.h"

extern const char guest_registers[], guest_registers_end[], guest_spin[], guest_spin_end[];
extern const char guest_string_out[], guest_string_out_end[];

static void begin(struct vm *vm, enum bulkhead_extension needed)
{
    vm_create(vm, 0);
    if (!(extensions & needed))
        group_skip("the kernel does not offer it");
    vm_bind(vm, seL4_CapInitThreadTCB);
    vm_set_mode(vm, VM_LONG);
}

/* The registers go in with the message and come back in it. */
static void registers_both_ways(void)
{
    struct vm vm;
    struct vmenter_message m;

    begin(&vm, BULKHEAD_EXT_VMENTER);
    vm_load(&vm, guest_registers, guest_registers_end);
    for (unsigned i = 0; i < seL4_VCPUContextWords; i++)
        seL4_SetMR((int)(VMENTER_MR_RAX + i), 0x1000 * i);
    CHECK_EQ(vm_run_extended(&vm, &m, VM_CODE, VCPU_ACTIVITY_ACTIVE, 0), VMX_EXIT_IO);
    for (unsigned i = 0; i < seL4_VCPUContextWords; i++)
        CHECK_EQ(exit_word(VMENTER_MR_RAX + i), 0x1000 * i + 1);
    CHECK_EQ(exit_word(VMENTER_MR_ACTIVITY), VCPU_ACTIVITY_ACTIVE);
    CHECK_EQ(exit_word(VMENTER_MR_DEADLINE), VCPU_DEADLINE_OFF);
    /* Sent back as it is, it goes on behind the instruction with the same registers. */
    CHECK_EQ(vm_run_extended(&vm, &m, VM_CODE, VCPU_ACTIVITY_ACTIVE, 0), VMX_EXIT_IO);
    CHECK_EQ(exit_word(VMENTER_MR_R15), 0x1000 * 14 + 2);
    /* A plain entry leaves the registers in the VCPU, whatever the buffer holds. */
    for (unsigned i = 0; i < seL4_VCPUContextWords; i++)
        seL4_SetMR((int)(VMENTER_MR_RAX + i), 0x77);
    seL4_SetMR(VMENTER_MR_CR0, 0x4444);
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_IO);
    CHECK_EQ(exit_word(VMENTER_MR_R15), 0x1000 * 14 + 3);
    CHECK_EQ(exit_word(VMENTER_MR_CR0), 0x4444);
}

/* What is told where the monitor may have to decode the instruction. */
static void processor_modes(void)
{
    struct vm vm;
    struct vmenter_message m;

    begin(&vm, BULKHEAD_EXT_VMENTER);
    vm_load(&vm, guest_string_out, guest_string_out_end);
    seL4_SetMR(VMENTER_MR_RDX, 0x80);
    seL4_SetMR(VMENTER_MR_RSI, VM_DATA);
    CHECK_EQ(vm_run_extended(&vm, &m, VM_CODE, VCPU_ACTIVITY_ACTIVE, 0), VMX_EXIT_IO);
    CHECK_EQ(exit_word(VMENTER_MR_QUALIFICATION) & VMX_IO_STRING, VMX_IO_STRING);
    CHECK_EQ(exit_word(VMENTER_MR_CR0), 0x80010031);
    CHECK_EQ(exit_word(VMENTER_MR_CR4) & 0x20, 0x20);
    CHECK_EQ(exit_word(VMENTER_MR_EFER), 0x500);
    CHECK_EQ(exit_word(VMENTER_MR_CS_ACCESS_RIGHTS), 0xa09b);
    CHECK_EQ(exit_word(VMENTER_MR_VECTORING_INFO) & VMX_EVENT_VALID, 0);
    /* A plain port access tells all by its qualification. */
    vm_load(&vm, guest_registers, guest_registers_end);
    seL4_SetMR(VMENTER_MR_CR0, 0x4444);
    CHECK_EQ(vm_run_extended(&vm, &m, VM_CODE, VCPU_ACTIVITY_ACTIVE, 0), VMX_EXIT_IO);
    CHECK_EQ(exit_word(VMENTER_MR_CR0), 0x4444);
}

#define HIGH         0xffffffff80000000
#define PDPT_PRESENT 0x2003 /* vm.h: where the tables lie */
#define PD_PRESENT   0x3003

/* Of an access to nothing, by code below 4 GiB and by the same code above. */
static void modes_of_an_access(void)
{
    struct vm vm;
    struct vmenter_message m;

    begin(&vm, BULKHEAD_EXT_VMENTER);
    vm_load(&vm, guest_spin, guest_spin_end);
    vm_write(&vm, VMCS_GUEST_BASE(VMCS_SEGMENT_GS), VM_HOLE);
    *vm_word(&vm, 0x1000 + 511 * 8) = PDPT_PRESENT;
    *vm_word(&vm, 0x2000 + 510 * 8) = PD_PRESENT;
    seL4_SetMR(VMENTER_MR_CR0, 0x4444);
    CHECK_EQ(vm_run_extended(&vm, &m, VM_CODE, VCPU_ACTIVITY_ACTIVE, 0), VMX_EXIT_EPT_VIOLATION);
    CHECK_EQ(exit_word(VMENTER_MR_GUEST_PHYSICAL), VM_HOLE);
    CHECK_EQ(exit_word(VMENTER_MR_INSTRUCTION_LENGTH), 0);
    CHECK_EQ(exit_word(VMENTER_MR_CR0), 0x80010031);
    CHECK_EQ(exit_word(VMENTER_MR_CS_ACCESS_RIGHTS), 0xa09b);
    seL4_SetMR(VMENTER_MR_CR0, 0x4444);
    seL4_SetMR(VMENTER_MR_VECTORING_INFO, 0x4444);
    CHECK_EQ(vm_run_extended(&vm, &m, HIGH + VM_CODE, VCPU_ACTIVITY_ACTIVE, 0),
             VMX_EXIT_EPT_VIOLATION);
    CHECK_EQ(exit_word(VMENTER_MR_GUEST_PHYSICAL), VM_HOLE);
    CHECK_EQ(exit_word(VMENTER_MR_INSTRUCTION_LENGTH), 0);
    CHECK_EQ(exit_word(VMENTER_MR_CR0), 0x4444);
    CHECK_EQ(exit_word(VMENTER_MR_VECTORING_INFO) & VMX_EVENT_VALID, 0);
}

/* Any other length is a plain entry. */
static void other_lengths(void)
{
    struct vm vm;
    struct vmenter_message m = { 0 };
    static const seL4_Word lengths[] = { 1, 3, 25, 26, 28, 120, 127, 27 | 1 << 12 };

    begin(&vm, BULKHEAD_EXT_VMENTER);
    vm_load(&vm, guest_registers, guest_registers_end);
    seL4_VCPUContext regs = { .rax = 1 };

    for (unsigned i = 0; i < ARRAY_LENGTH(lengths); i++) {
        seL4_Word badge;

        REQUIRE_OK(seL4_X86_VCPU_WriteRegisters(vm.vcpu, &regs));
        seL4_SetMR(VMENTER_MR_RAX, 0x1000);
        m.word[0] = VM_CODE;
        m.word[1] = vm.primary;
        m.word[2] = 0;
        CHECK_EQ(bulkhead_vmenter(&m, &badge, lengths[i]), SEL4_VMENTER_RESULT_FAULT);
        CHECK_EQ(exit_word(VMENTER_MR_RAX), 2);
    }
}

static void timer_while_running(void)
{
    struct vm vm;
    struct vmenter_message m;

    begin(&vm, BULKHEAD_EXT_VCPU_TIMER);
    vm_load(&vm, guest_spin, guest_spin_end);
    for (unsigned round = 0; round < 5; round++) {
        seL4_Word start = us_now();

        CHECK_EQ(vm_run_extended(&vm, &m, VM_CODE, VCPU_ACTIVITY_ACTIVE, 3000),
                 VMX_EXIT_PREEMPTION_TIMER);
        seL4_Word time = us_now() - start;

        CHECK(time >= 2990);
        CHECK_TIME(time < 3050);
        CHECK_EQ(exit_word(VMENTER_MR_DEADLINE), VCPU_DEADLINE_OFF);
    }
    CHECK(*vm_word(&vm, VM_DATA) > 0);
    /* One that has passed already ends it at once, one of all ones never. */
    m.word[0] = VM_CODE;
    m.word[1] = vm.primary;
    m.word[2] = 0;
    seL4_SetMR(VMENTER_MR_ACTIVITY, 0);
    seL4_SetMR(VMENTER_MR_DEADLINE, 1);
    seL4_Word badge;

    CHECK_EQ(bulkhead_VMEnterExtended(&m, &badge), SEL4_VMENTER_RESULT_FAULT);
    CHECK_EQ(m.word[VMENTER_MR_REASON], VMX_EXIT_PREEMPTION_TIMER);
    /* By field, with a plain entry. */
    CHECK_EQ(
        seL4_X86_VCPU_WriteVMCS(vm.vcpu, VCPU_FIELD_DEADLINE, ticks_now() + 2000 * tsc_mhz).error,
        0);
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_PREEMPTION_TIMER);
    CHECK_EQ(seL4_X86_VCPU_ReadVMCS(vm.vcpu, VCPU_FIELD_DEADLINE).value, VCPU_DEADLINE_OFF);
}

static volatile seL4_Word background;

static void count(struct thread *self, seL4_Word argument)
{
    (void)self;
    (void)argument;
    for (;;)
        background++;
}

/*
 * HLT sleeps in the kernel: others run meanwhile. The timer ends it, and so does the
 * notification. /
 */
static void sleeping(void)
{
    struct vm vm;
    struct vmenter_message m;
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0);
    seL4_CPtr badged = cap_mint(notification, seL4_AllRights, 0x20);

    begin(&vm, BULKHEAD_EXT_VCPU_HLT);
    vm_load(&vm, guest_registers, guest_registers_end);
    background = 0;
    thread_run(0, count, 0, TEST_PRIORITY - 5);
    seL4_Word start = us_now();

    CHECK_EQ(vm_run_extended(&vm, &m, VM_CODE, VCPU_ACTIVITY_HLT, 5000), VMX_EXIT_PREEMPTION_TIMER);
    CHECK(us_now() - start >= 4990);
    CHECK_TIME(us_now() - start < 5100);
    CHECK_TIME(background > 0);
    CHECK_EQ(m.word[0], VM_CODE);
    CHECK_EQ(exit_word(VMENTER_MR_ACTIVITY), VCPU_ACTIVITY_ACTIVE);

    /* Registers sent in are kept over the sleep. */
    REQUIRE_OK(seL4_TCB_BindNotification(seL4_CapInitThreadTCB, notification));
    struct call signal = { .number = seL4_SysSend, .rdi = badged };
    struct thread *t =
        thread_create(1, thread_call, (seL4_Word)&signal, TEST_PRIORITY - 4, 5000, 5000, 0);

    thread_start(t);
    seL4_SetMR(VMENTER_MR_R9, 0x99);
    CHECK_EQ(vm_run_extended(&vm, &m, VM_CODE, VCPU_ACTIVITY_HLT, 0), VM_NOTIFIED);
    CHECK_EQ(m.word[3], 0x20);
    CHECK_EQ(m.word[0], VM_CODE);
    CHECK_EQ(exit_word(VMENTER_MR_R9), 0x99);
    CHECK_EQ(exit_word(VMENTER_MR_ACTIVITY), VCPU_ACTIVITY_ACTIVE);
    /* Active before: no sleep. */
    seL4_Signal(badged);
    CHECK_EQ(vm_run_extended(&vm, &m, VM_CODE, VCPU_ACTIVITY_HLT, 0), VM_NOTIFIED);
    /* A deadline in the past: no sleep either. */
    seL4_SetMR(VMENTER_MR_ACTIVITY, VCPU_ACTIVITY_HLT);
    seL4_SetMR(VMENTER_MR_DEADLINE, 1);
    m.word[0] = VM_CODE;
    seL4_Word badge;

    CHECK_EQ(bulkhead_VMEnterExtended(&m, &badge), SEL4_VMENTER_RESULT_FAULT);
    CHECK_EQ(m.word[VMENTER_MR_REASON], VMX_EXIT_PREEMPTION_TIMER);
    REQUIRE_OK(seL4_TCB_UnbindNotification(seL4_CapInitThreadTCB));
    /* And it still runs. */
    CHECK_EQ(vm_run_extended(&vm, &m, VM_CODE, VCPU_ACTIVITY_ACTIVE, 0), VMX_EXIT_IO);
}

/* --- interrupt shadow ------------------------------------------------------------------------ */

extern const char guest_shadow[], guest_shadow_end[], guest_shadow_out[], guest_shadow_ss[],
    guest_shadow_ss_out[];

#define SHADOW_PLACE(label) (VM_CODE + (seL4_Word)(guest_shadow_##label - guest_shadow))
#define OUT_BYTES           2

static void check_shadow(struct vm *vm, bool expected)
{
    /* AMD-V does not tell STI's from MOV SS's. */
    CHECK_EQ((exit_word(VMENTER_MR_INTERRUPTIBILITY) & 3) != 0, expected);
    CHECK_EQ((vm_read(vm, VMCS_GUEST_INTERRUPTIBILITY) & 3) != 0, expected);
}

/*
 * To the OUT behind STI or MOV SS. STI has a shadow if interrupts were closed. QEMU forgets it if
 * an interrupt of ours ends an entry just then (docs/emulators.md): then once more.
 */
static void run_into_shadow(struct vm *vm, struct vmenter_message *m, seL4_Word from, seL4_Word out)
{
    for (unsigned tries = 0; tries < 10; tries++) {
        vm_write(vm, VMCS_GUEST_RFLAGS, 2);
        seL4_SetMR(VMENTER_MR_RAX, 16);
        CHECK_EQ(vm_run_extended(vm, m, from, VCPU_ACTIVITY_ACTIVE, 0), VMX_EXIT_IO);
        if (exit_word(VMENTER_MR_INTERRUPTIBILITY) & 3)
            break;
    }
    CHECK_EQ(m->word[VMENTER_MR_RIP], out);
    check_shadow(vm, true);
}

/*
 * STI and MOV SS hold interrupts off until the next instruction is done. If that one is the
 * monitor's to do, the shadow ends with it, and the monitor says so by nothing but rip.
 */
static void interrupt_shadow(void)
{
    struct vm vm;
    struct vmenter_message m;

    begin(&vm, BULKHEAD_EXT_VMENTER);
    vm_load(&vm, guest_shadow, guest_shadow_end);
    run_into_shadow(&vm, &m, VM_CODE, SHADOW_PLACE(out));
    /* As long as the guest stands there, whatever else ends an entry. */
    CHECK_EQ(vm_run_extended(&vm, &m, SHADOW_PLACE(out), VCPU_ACTIVITY_HLT, 100),
             VMX_EXIT_PREEMPTION_TIMER);
    check_shadow(&vm, true);
    /* Behind the instruction it is gone before the guest has done anything else. */
    CHECK_EQ(vm_run_extended(&vm, &m, SHADOW_PLACE(out) + OUT_BYTES, VCPU_ACTIVITY_HLT, 100),
             VMX_EXIT_PREEMPTION_TIMER);
    check_shadow(&vm, false);

    /* So a window that is asked for opens there, not an instruction later. */
    run_into_shadow(&vm, &m, VM_CODE, SHADOW_PLACE(out));
    vm.primary |= VMX_PRIMARY_INTERRUPT_WINDOW;
    CHECK_EQ(vm_run_extended(&vm, &m, SHADOW_PLACE(out) + OUT_BYTES, VCPU_ACTIVITY_ACTIVE, 0),
             VMX_EXIT_INTERRUPT_WINDOW);
    CHECK_EQ(m.word[VMENTER_MR_RIP], SHADOW_PLACE(out) + OUT_BYTES);
    check_shadow(&vm, false);
    CHECK_EQ(exit_word(VMENTER_MR_RFLAGS) & 0x200, 0x200);
    vm.primary &= ~(seL4_Word)VMX_PRIMARY_INTERRUPT_WINDOW;

    /* MOV SS is the same. */
    run_into_shadow(&vm, &m, SHADOW_PLACE(ss), SHADOW_PLACE(ss_out));
    CHECK_EQ(vm_run_extended(&vm, &m, SHADOW_PLACE(ss_out) + OUT_BYTES, VCPU_ACTIVITY_HLT, 100),
             VMX_EXIT_PREEMPTION_TIMER);
    check_shadow(&vm, false);
}

/* Suspended, resumed and deleted while it sleeps. */
static struct vm vm_of_thread;

static void sleep_main(struct thread *self, seL4_Word argument)
{
    struct sel4_registers r = { 0, VMENTER_EXTENDED_LENGTH, VM_CODE, vm_of_thread.primary, 0, 0 };

    (void)argument;
    self->ipc->msg[VMENTER_MR_ACTIVITY] = VCPU_ACTIVITY_HLT;
    self->ipc->msg[VMENTER_MR_DEADLINE] = VCPU_DEADLINE_OFF;
    sel4_syscall(seL4_SysVMEnter, &r, 0, 0);
    self->result[0] = r.rsi;
    self->done = 1;
}

static void sleeper_goes(void)
{
    struct vm *vm = &vm_of_thread;

    for (unsigned i = 0; i < 3; i++) {
        vm_create(vm, 0);
        if (!(extensions & BULKHEAD_EXT_VCPU_HLT))
            group_skip("the kernel does not offer it");
        vm_set_mode(vm, VM_LONG);
        struct thread *t = thread_create(i, sleep_main, 0, HELPER_PRIORITY, 5000, 5000, 0);

        vm_bind(vm, t->tcb);
        thread_start(t);
        CHECK(!t->done);
        if (i == 0) {
            CHECK_OK(seL4_TCB_Suspend(t->tcb));
            CHECK_OK(seL4_TCB_Resume(t->tcb));
        }
        CHECK_OK(cap_delete(i == 1 ? vm->vcpu : t->tcb));
        sleep_us(2000);
        /* The view of the memory is made anew each time. */
        cap_revoke(vm->frame);
    }
}

static void more_state(void)
{
    struct vm vm;
    static const struct {
        seL4_Word field, value;
    } fields[] = {
        { VMCS_TSC_OFFSET, 0x123456789 },  { VMCS_ENTRY_INSTRUCTION_LENGTH, 3 },
        { VCPU_FIELD_CR2, 0x7ffff000 },    { VCPU_FIELD_DR0, 0x1000 },
        { VCPU_FIELD_DR1, 0x2000 },        { VCPU_FIELD_DR2, 0x3000 },
        { VCPU_FIELD_DR3, 0x4000 },        { VCPU_FIELD_DR6, 0xffff0ff0 },
        { VCPU_FIELD_DEADLINE, ~0ul - 5 },
    };

    begin(&vm, BULKHEAD_EXT_VCPU_STATE);
    for (unsigned i = 0; i < ARRAY_LENGTH(fields); i++)
        vm_write(&vm, fields[i].field, fields[i].value);
    for (unsigned i = 0; i < ARRAY_LENGTH(fields); i++) {
        if (!CHECK_EQ(vm_read(&vm, fields[i].field), fields[i].value))
            print("     field 0x%lx\n", fields[i].field);
    }
    /* XCR0: x87 is a must, and nothing that the processor lacks. */
    CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vm.vcpu, VCPU_FIELD_XCR0, 0).error, seL4_IllegalOperation);
    CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vm.vcpu, VCPU_FIELD_XCR0, ~0ul).error, seL4_IllegalOperation);
    CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vm.vcpu, VCPU_FIELD_XCR0, 5).error, seL4_IllegalOperation);
    CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vm.vcpu, VCPU_FIELD_XCR0, 1).error, 0);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_XCR0), 1);
}

/* RDTSC in the guest, with an offset. */
static void tsc_offset(void)
{
    struct vm vm;
    struct vmenter_message m;
    static const unsigned char code[] = { 0x0f, 0x31, 0xe6, 0x80 }; /* rdtsc; out %al, $0x80 */

    begin(&vm, BULKHEAD_EXT_VCPU_STATE);
    for (unsigned i = 0; i < sizeof(code); i++)
        vm.memory[VM_CODE + i] = code[i];
    for (seL4_Word offset = 0; offset <= 1ul << 50; offset += 1ul << 50) {
        vm_write(&vm, VMCS_TSC_OFFSET, offset);
        vm.primary |= VMX_PRIMARY_TSC_OFFSETTING;
        seL4_Word before = ticks_now();

        CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_IO);
        seL4_Word seen =
            (exit_word(VMENTER_MR_RDX) << 32 | (uint32_t)exit_word(VMENTER_MR_RAX)) - offset;

        CHECK(seen >= before && seen <= ticks_now());
    }
}

TEST_SUITE(extension, { "registers both ways", registers_both_ways },
           { "processor modes", processor_modes }, { "modes of an access", modes_of_an_access },
           { "other lengths", other_lengths }, { "timer while running", timer_while_running },
           { "sleeping", sleeping }, { "interrupt shadow", interrupt_shadow },
           { "sleeper goes", sleeper_goes }, { "more state", more_state },
           { "TSC offset", tsc_offset });
