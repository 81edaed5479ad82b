/* SPDX-License-Identifier: BSD-2-Clause */
/* VCPUs whose local APIC is in the processor (BULKHEAD_EXT_VIRTUAL_APIC). */
#include "tests/kernel/smp.h"
#include "tests/kernel/vm.h"

extern const char guest_apic[], guest_apic_end[], guest_apic_open[], guest_apic_closed[],
    guest_apic_rdmsr[], guest_apic_after_rdmsr[], guest_apic_wrmsr[], guest_apic_after_wrmsr[],
    guest_apic_cr8[], guest_apic_halt[], guest_apic_after_halt[], guest_apic_spin[],
    guest_apic_handler_20[], guest_apic_after_eoi[], guest_apic_handler_30[],
    guest_apic_handler_31[], guest_apic_handler_50[];

#define PLACE(label) (VM_CODE + (seL4_Word)(guest_apic_##label - guest_apic))
#define RFLAGS_IF    0x200
#define MSR_TPR      0x808
#define MSR_PPR      0x80a
#define MSR_EOI      0x80b
#define MSR_ISR      0x810
#define MSR_IRR      0x820
#define MSR_SELF_IPI 0x83f

static struct vm vm;
static struct vmenter_message m;

static void set_gate(struct vm *guest, unsigned vector, seL4_Word rip)
{
    *vm_word(guest, VM_IDT + 16 * vector) =
        (rip & 0xffff) | 8 << 16 | 0x8e00ul << 32 | (rip & 0xffff0000) << 32;
    *vm_word(guest, VM_IDT + 16 * vector + 8) = 0;
}

static void make(struct vm *guest, unsigned n)
{
    vm_create(guest, n);
    if (!(extensions & BULKHEAD_EXT_VIRTUAL_APIC))
        group_skip("the processor has no virtual APICs");
    vm_set_mode(guest, VM_LONG);
    vm_load(guest, guest_apic, guest_apic_end);
    set_gate(guest, 0x20, PLACE(handler_20));
    set_gate(guest, 0x30, PLACE(handler_30));
    set_gate(guest, 0x31, PLACE(handler_31));
    set_gate(guest, 0x50, PLACE(handler_50));
    vm_write(guest, VMCS_GUEST_IDTR_LIMIT, 0x7ff);
    vm_write(guest, VCPU_FIELD_VIRTUAL_APIC, 1);
}

static void begin(void)
{
    make(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
}

/* The message with one vector posted (0: none), as an entry of that length. */
static seL4_Word enter(seL4_Word rip, seL4_Word activity, unsigned vector, seL4_Word length)
{
    seL4_Word badge;

    m.word[0] = rip;
    m.word[1] = vm.primary;
    m.word[2] = 0;
    seL4_SetMR(VMENTER_MR_ACTIVITY, activity);
    seL4_SetMR(VMENTER_MR_DEADLINE, ticks_now() + 5000 * tsc_mhz);
    for (unsigned i = 0; i < VMENTER_POSTED_WORDS; i++)
        seL4_SetMR((int)(VMENTER_MR_POSTED + i),
                   vector && vector / 64 == i ? 1ul << (vector % 64) : 0);
    if (bulkhead_vmenter(&m, &badge, length) == SEL4_VMENTER_RESULT_NOTIF)
        return VM_NOTIFIED;
    return m.word[VMENTER_MR_REASON];
}

static seL4_Word post(seL4_Word rip, unsigned vector)
{
    return enter(rip, VCPU_ACTIVITY_ACTIVE, vector, VMENTER_POSTING_LENGTH);
}

static void set_registers(seL4_Word rcx, seL4_Word rax)
{
    seL4_SetMR(VMENTER_MR_RCX, rcx);
    seL4_SetMR(VMENTER_MR_RAX, (uint32_t)rax);
    seL4_SetMR(VMENTER_MR_RDX, rax >> 32);
}

/* The guest's WRMSR; its interrupts are closed. */
static seL4_Word write_msr(seL4_Word msr, seL4_Word value)
{
    vm_write(&vm, VMCS_GUEST_RFLAGS, 2);
    set_registers(msr, value);
    return enter(PLACE(wrmsr), VCPU_ACTIVITY_ACTIVE, 0, VMENTER_EXTENDED_LENGTH);
}

static seL4_Word read_msr(seL4_Word msr, seL4_Word *value)
{
    seL4_Word reason;

    vm_write(&vm, VMCS_GUEST_RFLAGS, 2);
    set_registers(msr, 0x5555555555555555);
    reason = enter(PLACE(rdmsr), VCPU_ACTIVITY_ACTIVE, 0, VMENTER_EXTENDED_LENGTH);
    *value = (uint32_t)exit_word(VMENTER_MR_RAX) | exit_word(VMENTER_MR_RDX) << 32;
    return reason;
}

static seL4_Word handled(struct vm *guest, unsigned vector)
{
    return *vm_word(guest, VM_DATA + 8 * vector);
}

static void check_port(seL4_Word port)
{
    CHECK_EQ(exit_word(VMENTER_MR_QUALIFICATION) >> VMX_IO_PORT_SHIFT, port);
}

static void check_empty(struct vm *guest)
{
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(vm_read(guest, VCPU_FIELD_APIC_ISR(i)), 0);
        CHECK_EQ(vm_read(guest, VCPU_FIELD_APIC_IRR(i)), 0);
    }
    CHECK_EQ(vm_read(guest, VCPU_FIELD_APIC_TPR), 0);
}

/* --- delivery -------------------------------------------------------------------------------- */

/* What is posted comes when the guest opens its interrupts, and ends, without an exit. */
static void delivery(void)
{
    begin();
    CHECK_EQ(post(VM_CODE, 0x20), VMX_EXIT_IO);
    check_port(0x80);
    CHECK_EQ(handled(&vm, 0x20), 1);
    check_empty(&vm);
    /* Closed: it waits. */
    vm_write(&vm, VMCS_GUEST_RFLAGS, 2);
    CHECK_EQ(post(PLACE(closed), 0x30), VMX_EXIT_IO);
    check_port(0x81);
    CHECK_EQ(handled(&vm, 0x30), 0);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_IRR(0)), 1ul << 0x30);
    CHECK_EQ(enter(VM_CODE, 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_IO);
    check_port(0x80);
    CHECK_EQ(handled(&vm, 0x30), 1);
    /* The other word of a set, and several at once. */
    vm_write(&vm, VCPU_FIELD_APIC_IRR(0), 1ul << 0x20 | 1ul << 0x30);
    CHECK_EQ(post(VM_CODE, 0x50), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x20), 2);
    CHECK_EQ(handled(&vm, 0x30), 2);
    CHECK_EQ(handled(&vm, 0x50), 1);
    check_empty(&vm);
    /* An event that the monitor injects has no part in it. */
    vm_write(&vm, VMCS_GUEST_RFLAGS, 2 | RFLAGS_IF);
    CHECK_EQ(vm_run_inject(&vm, &m, PLACE(open), VMX_EVENT_VALID | VMX_EVENT_EXTERNAL | 0x31),
             VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x31), 1);
    check_empty(&vm);
    /* A window keeps them out, and tells when they could come. */
    vm.primary |= VMX_PRIMARY_INTERRUPT_WINDOW;
    CHECK_EQ(post(VM_CODE, 0x20), VMX_EXIT_INTERRUPT_WINDOW);
    CHECK_EQ(handled(&vm, 0x20), 2);
    vm.primary &= ~(seL4_Word)VMX_PRIMARY_INTERRUPT_WINDOW;
    CHECK_EQ(enter(m.word[0], 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x20), 3);
}

/* TPR and what is in service hold off what is not above them. */
static void priorities(void)
{
    seL4_Word value;

    begin();
    CHECK_EQ(write_msr(MSR_TPR, 0x45), VMX_EXIT_IO);
    check_port(0x83);
    vm_write(&vm, VCPU_FIELD_APIC_IRR(0), 1ul << 0x30);
    CHECK_EQ(post(VM_CODE, 0x50), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x50), 1);
    CHECK_EQ(handled(&vm, 0x30), 0);
    CHECK_EQ(read_msr(MSR_TPR, &value), VMX_EXIT_IO);
    CHECK_EQ(value, 0x45);
    CHECK_EQ(read_msr(MSR_PPR, &value), VMX_EXIT_IO);
    CHECK_EQ(value, 0x45);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_TPR), 0x45);
    /* By CR8, too. */
    seL4_SetMR(VMENTER_MR_RAX, 3);
    CHECK_EQ(enter(PLACE(cr8), 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_IO);
    CHECK_EQ(exit_word(VMENTER_MR_RBX), 3);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_TPR), 0x30);
    CHECK_EQ(handled(&vm, 0x30), 0);
    CHECK_EQ(write_msr(MSR_TPR, 0x2f), VMX_EXIT_IO);
    CHECK_EQ(enter(VM_CODE, 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x30), 1);
    /* 31 forgets its end: 30 waits for it, 50 does not. */
    vm_write(&vm, VCPU_FIELD_APIC_TPR, 0x1ff);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_TPR), 0xff);
    vm_write(&vm, VCPU_FIELD_APIC_TPR, 0);
    CHECK_EQ(post(VM_CODE, 0x31), VMX_EXIT_IO);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_ISR(0)), 1ul << 0x31);
    CHECK_EQ(post(VM_CODE, 0x30), VMX_EXIT_IO);
    CHECK_EQ(post(VM_CODE, 0x50), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x30), 1);
    CHECK_EQ(handled(&vm, 0x50), 2);
    CHECK_EQ(read_msr(MSR_ISR + 1, &value), VMX_EXIT_IO);
    CHECK_EQ(value, 1ul << 0x11);
    CHECK_EQ(read_msr(MSR_IRR + 1, &value), VMX_EXIT_IO);
    CHECK_EQ(value, 1ul << 0x10);
    CHECK_EQ(write_msr(MSR_EOI, 0), VMX_EXIT_IO);
    CHECK_EQ(enter(VM_CODE, 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x30), 2);
    /* What the monitor says is in service counts the same. */
    vm_write(&vm, VCPU_FIELD_APIC_ISR(1), 1ul << (0x60 - 64));
    CHECK_EQ(post(VM_CODE, 0x50), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x50), 2);
    vm_write(&vm, VCPU_FIELD_APIC_ISR(1), 0);
    CHECK_EQ(enter(VM_CODE, 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x50), 3);
}

/* Of the vectors that the monitor names, and of no other. */
static void ends_that_exit(void)
{
    begin();
    vm_write(&vm, VMCS_EOI_EXIT_BITMAP(0), 1ul << 0x20);
    CHECK_EQ(vm_read(&vm, VMCS_EOI_EXIT_BITMAP(0)), 1ul << 0x20);
    CHECK_EQ(post(VM_CODE, 0x20), VMX_EXIT_VIRTUALIZED_EOI);
    CHECK_EQ(exit_word(VMENTER_MR_QUALIFICATION), 0x20);
    CHECK_EQ(m.word[VMENTER_MR_RIP], PLACE(after_eoi));
    check_empty(&vm);
    CHECK_EQ(enter(PLACE(after_eoi), 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_IO);
    check_port(0x80);
    CHECK_EQ(post(VM_CODE, 0x30), VMX_EXIT_IO);
    vm_write(&vm, VMCS_EOI_EXIT_BITMAP(0), 0);
    CHECK_EQ(post(VM_CODE, 0x20), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x20), 2);
}

static void self_ipi(void)
{
    begin();
    CHECK_EQ(write_msr(MSR_SELF_IPI, 0x50), VMX_EXIT_IO);
    check_port(0x83);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_IRR(1)), 1ul << 0x10);
    CHECK_EQ(enter(VM_CODE, 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x50), 1);
    check_empty(&vm);
    CHECK_EQ(write_msr(MSR_SELF_IPI, 5), VMX_EXIT_APIC_WRITE);
    CHECK_EQ(exit_word(VMENTER_MR_QUALIFICATION), 0x3f0);
    CHECK_EQ(m.word[VMENTER_MR_RIP], PLACE(after_wrmsr));
    check_empty(&vm);
}

/* Which registers are the processor's, and that the machine's own are nobody's. */
static void registers(void)
{
    begin();
    for (seL4_Word msr = 0x800; msr < 0x900; msr++) {
        bool tpr = msr == MSR_TPR, set = (msr & ~7ul) == MSR_ISR || (msr & ~7ul) == MSR_IRR;
        seL4_Word value;

        if (tpr || msr == MSR_PPR || set) {
            CHECK_EQ(read_msr(msr, &value), VMX_EXIT_IO);
            CHECK_EQ(value, 0);
        } else if (!CHECK_EQ(read_msr(msr, &value), VMX_EXIT_RDMSR)) {
            print("     register 0x%lx\n", msr);
        }
        if (!tpr && msr != MSR_EOI && msr != MSR_SELF_IPI)
            CHECK_EQ(write_msr(msr, 0), VMX_EXIT_WRMSR);
    }
    /* Turned off, all are the monitor's, and nothing is left. */
    CHECK_EQ(write_msr(MSR_TPR, 0x70), VMX_EXIT_IO);
    CHECK_EQ(post(VM_CODE, 0x20), VMX_EXIT_IO);
    vm_write(&vm, VCPU_FIELD_VIRTUAL_APIC, 0);
    check_empty(&vm);
    for (seL4_Word msr = 0x800; msr < 0x900; msr++) {
        seL4_Word value;

        CHECK_EQ(read_msr(msr, &value), VMX_EXIT_RDMSR);
        CHECK_EQ(write_msr(msr, 0), VMX_EXIT_WRMSR);
    }
    CHECK_EQ(enter(PLACE(cr8), 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_CR_ACCESS);
    CHECK_EQ(enter(VM_CODE, 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x20), 0);
}

/* --- HLT ------------------------------------------------------------------------------------- */

static seL4_Word sleep_with(unsigned vector)
{
    return enter(PLACE(after_halt), VCPU_ACTIVITY_HLT, vector, VMENTER_POSTING_LENGTH);
}

/* The kernel knows what wakes a guest that sleeps, and says whether it still does. */
static void sleeping(void)
{
    begin();
    CHECK_EQ(enter(PLACE(halt), 0, 0, VMENTER_EXTENDED_LENGTH), VMX_EXIT_HLT);
    CHECK_EQ(exit_word(VMENTER_MR_ACTIVITY), VCPU_ACTIVITY_ACTIVE);
    CHECK_EQ(sleep_with(0), VMX_EXIT_PREEMPTION_TIMER);
    CHECK_EQ(exit_word(VMENTER_MR_ACTIVITY), VCPU_ACTIVITY_HLT);
    CHECK_EQ(sleep_with(0x20), VMX_EXIT_IO);
    CHECK_EQ(exit_word(VMENTER_MR_ACTIVITY), VCPU_ACTIVITY_ACTIVE);
    check_port(0x85);
    CHECK_EQ(handled(&vm, 0x20), 1);
    /* What came before the HLT, as well: STI holds it off for that one instruction. */
    vm_write(&vm, VMCS_GUEST_RFLAGS, 2);
    CHECK_EQ(post(PLACE(halt), 0x30), VMX_EXIT_HLT);
    CHECK_EQ(sleep_with(0), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x30), 1);
    /* Not what the guest holds off, by its priority, by what is in service, by RFLAGS.IF. */
    vm_write(&vm, VCPU_FIELD_APIC_TPR, 0x20);
    CHECK_EQ(sleep_with(0x20), VMX_EXIT_PREEMPTION_TIMER);
    CHECK_EQ(exit_word(VMENTER_MR_ACTIVITY), VCPU_ACTIVITY_HLT);
    vm_write(&vm, VCPU_FIELD_APIC_TPR, 0);
    vm_write(&vm, VCPU_FIELD_APIC_ISR(0), 1ul << 0x2f);
    CHECK_EQ(sleep_with(0), VMX_EXIT_PREEMPTION_TIMER);
    vm_write(&vm, VCPU_FIELD_APIC_ISR(0), 0);
    vm_write(&vm, VMCS_GUEST_RFLAGS, 2);
    CHECK_EQ(sleep_with(0), VMX_EXIT_PREEMPTION_TIMER);
    CHECK_EQ(handled(&vm, 0x20), 1);
    vm_write(&vm, VMCS_GUEST_RFLAGS, 2 | RFLAGS_IF);
    CHECK_EQ(sleep_with(0), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x20), 2);
}

/* A notification that comes first does not keep a vector from being posted, nor wakes the guest. */
static void notified(void)
{
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0);

    begin();
    REQUIRE_OK(seL4_TCB_BindNotification(seL4_CapInitThreadTCB, notification));
    vm_write(&vm, VMCS_GUEST_RFLAGS, 2 | RFLAGS_IF);
    seL4_Signal(notification);
    CHECK_EQ(sleep_with(0x20), VM_NOTIFIED);
    CHECK_EQ(exit_word(VMENTER_MR_ACTIVITY), VCPU_ACTIVITY_HLT);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_IRR(0)), 1ul << 0x20);
    CHECK_EQ(enter(PLACE(after_halt), exit_word(VMENTER_MR_ACTIVITY), 0, VMENTER_EXTENDED_LENGTH),
             VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x20), 1);
    REQUIRE_OK(seL4_TCB_UnbindNotification(seL4_CapInitThreadTCB));
}

/* --- monitors that do it wrong --------------------------------------------------------------- */

static void hostile(void)
{
    static const seL4_Word values[] = { ~0ul, 0x8000000000000001, 0xffff, 1 };

    begin();
    for (unsigned v = 0; v < ARRAY_LENGTH(values); v++) {
        for (seL4_Word field = VCPU_FIELD_APIC_TPR; field <= VCPU_FIELD_APIC_IRR3 + 6; field++) {
            bool exists = !(field & 1) && field <= VCPU_FIELD_APIC_IRR3;
            seL4_X86_VCPU_WriteVMCS_t written = seL4_X86_VCPU_WriteVMCS(vm.vcpu, field, values[v]);

            CHECK_EQ(written.error, exists ? seL4_NoError : seL4_IllegalOperation);
            if (exists)
                CHECK_EQ(vm_read(&vm, field), written.written);
        }
        for (unsigned i = 0; i < 4; i++)
            vm_write(&vm, VMCS_EOI_EXIT_BITMAP(i), values[v]);
        seL4_Word reason = post(VM_CODE, 0xff);

        CHECK(reason <= 64);
        vm_set_mode(&vm, VM_LONG);
        vm_write(&vm, VMCS_GUEST_IDTR_LIMIT, 0x7ff);
    }
    /* Only the lowest bit counts, and it begins with nothing. */
    CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vm.vcpu, VCPU_FIELD_VIRTUAL_APIC, 0xff).written, 1);
    check_empty(&vm);
    CHECK_EQ(vm_read(&vm, VMCS_EOI_EXIT_BITMAP(3)), 0);
    /* Vectors that there are not are in nobody's way. */
    CHECK_EQ(post(VM_CODE, 7), VMX_EXIT_IO);
    CHECK_EQ(post(VM_CODE, 0x20), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x20), 1);
    /* Of a VCPU without, that length is a plain entry, and nothing is posted. */
    vm_write(&vm, VCPU_FIELD_VIRTUAL_APIC, 0);
    CHECK_EQ(post(VM_CODE, 0x20), VMX_EXIT_IO);
    CHECK_EQ(handled(&vm, 0x20), 1);
    check_empty(&vm);
}

/* --- where the registers are ----------------------------------------------------------------- */

/* Two guests on a core, and a third that has no virtual APIC: each has its own. */
static void several(void)
{
    static struct vm guests[3];

    for (unsigned n = 0; n < 3; n++)
        make(&guests[n], n);
    vm_write(&guests[2], VCPU_FIELD_VIRTUAL_APIC, 0);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned n = 0; n < 2; n++) {
            vm = guests[n];
            vm_bind(&vm, seL4_CapInitThreadTCB);
            CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_IRR(0)), round ? 1ul << (0x20 + n) : 0);
            CHECK_EQ(post(PLACE(closed), 0x20 + n), VMX_EXIT_IO);
            CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_IRR(0)), 1ul << (0x20 + n));
            CHECK_EQ(write_msr(MSR_TPR, 0x60 + n), VMX_EXIT_IO);
        }
        vm = guests[2];
        vm_bind(&vm, seL4_CapInitThreadTCB);
        CHECK_EQ(post(PLACE(closed), 0x20), VMX_EXIT_IO);
        for (unsigned n = 0; n < 2; n++)
            CHECK_EQ(vm_read(&guests[n], VCPU_FIELD_APIC_TPR), 0x60 + n);
    }
}

/* A monitor that posts one vector and spins in its guest, again and again. */
static void post_main(struct thread *self, seL4_Word argument)
{
    struct sel4_registers r = { 0, VMENTER_POSTING_LENGTH, PLACE(spin), vm.primary, 0, 0 };

    (void)argument;
    self->ipc->msg[VMENTER_MR_ACTIVITY] = VCPU_ACTIVITY_ACTIVE;
    self->ipc->msg[VMENTER_MR_DEADLINE] = VCPU_DEADLINE_OFF;
    for (unsigned i = 0; i < VMENTER_POSTED_WORDS; i++)
        self->ipc->msg[VMENTER_MR_POSTED + i] = 0;
    self->ipc->msg[VMENTER_MR_POSTED] = 1ul << 0x20;
    sel4_syscall(seL4_SysVMEnter, &r, 0, 0);
    self->done = 1;
}

static bool counts(seL4_Word before)
{
    return *vm_word(&vm, VM_DATA) > before + 1;
}

/* From core to core, stopped and resumed: what is requested moves with the VCPU, and once. */
static void migration(void)
{
    unsigned nr_cores = cores_required();
    struct thread *t;

    make(&vm, 0);
    t = thread_on_core(0, 1, post_main, 0, 0);
    vm_bind(&vm, t->tcb);
    vm_write(&vm, VCPU_FIELD_APIC_TPR, 0x20);
    thread_start(t);
    for (unsigned round = 0; round < 6; round++) {
        CHECK(comes_true(counts, *vm_word(&vm, VM_DATA)));
        CHECK_EQ(handled(&vm, 0x20), 0);
        /* Reading takes the guest out of its core. */
        CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_IRR(0)), 1ul << 0x20);
        REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
        if (round != 3)
            REQUIRE_OK(sc_on_core(t, 1 + round % (nr_cores - 1)));
        REQUIRE_OK(seL4_TCB_Resume(t->tcb));
    }
    vm_write(&vm, VCPU_FIELD_APIC_TPR, 0);
    CHECK(comes_true(counts, *vm_word(&vm, VM_DATA)));
    CHECK(comes_true(counts, *vm_word(&vm, VM_DATA)));
    CHECK_EQ(handled(&vm, 0x20), 1);
    REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_APIC_IRR(0)), 0);
    REQUIRE_OK(seL4_TCB_Resume(t->tcb));
    CHECK(comes_true(counts, *vm_word(&vm, VM_DATA)));
    CHECK_EQ(handled(&vm, 0x20), 1);
    CHECK(!t->done);
    /* Its object goes while the page of its core has its registers. */
    CHECK_OK(cap_delete(vm.vcpu));
    CHECK_OK(cap_delete(t->tcb));
}

TEST_SUITE(virtual_apic, { "delivery", delivery }, { "priorities", priorities },
           { "ends that exit", ends_that_exit }, { "self-IPI", self_ipi },
           { "registers", registers }, { "sleeping", sleeping }, { "notified", notified },
           { "hostile", hostile }, { "several", several }, { "migration", migration });
