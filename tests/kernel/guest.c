/* SPDX-License-Identifier: BSD-2-Clause */
/* Guests in each mode of the processor, and events that a monitor injects. */
#include "tests/kernel/calls.h"
#include "tests/kernel/vm.h"

#define DECLARE_MODE_GUEST(name)                                                                   \
    extern const char guest_##name[], guest_##name##_out[], guest_##name##_cpuid[],                \
        guest_##name##_hlt[], guest_##name##_rdmsr[], guest_##name##_violation[],                  \
        guest_##name##_after_violation[], guest_##name##_in[], guest_##name##_call[],              \
        guest_##name##_fault[], guest_##name##_end[]
DECLARE_MODE_GUEST(long);
DECLARE_MODE_GUEST(protected);
DECLARE_MODE_GUEST(real);

/* Addresses of its labels in the guest. */
struct mode_guest {
    const char *begin, *end;
    seL4_Word out, cpuid, hlt, rdmsr, violation, after_violation, in, call, fault;
};
#define OFFSET(name, label) (VM_CODE + (seL4_Word)(guest_##name##_##label - guest_##name))
#define MODE_GUEST(name)                                                                           \
    (struct mode_guest)                                                                            \
    {                                                                                              \
        guest_##name, guest_##name##_end, OFFSET(name, out), OFFSET(name, cpuid),                  \
            OFFSET(name, hlt), OFFSET(name, rdmsr), OFFSET(name, violation),                       \
            OFFSET(name, after_violation), OFFSET(name, in), OFFSET(name, call),                   \
            OFFSET(name, fault)                                                                    \
    }

static seL4_VCPUContext guest_registers_from_exit(void)
{
    seL4_VCPUContext regs;

    for (unsigned i = 0; i < seL4_VCPUContextWords; i++)
        ((seL4_Word *)&regs)[i] = exit_word(VMENTER_MR_RAX + i);
    return regs;
}

/* The length is given, or the processor does not know it. */
static void check_length(seL4_Word expected)
{
    seL4_Word length = exit_word(VMENTER_MR_INSTRUCTION_LENGTH);

    if (length)
        CHECK_EQ(length, expected);
}

static void run_mode(enum vm_mode mode, struct mode_guest g)
{
    struct vm vm;
    struct vmenter_message m;
    seL4_VCPUContext regs;

    if (!vm_mode_exists(mode))
        group_skip("the processor runs no such guest");
    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, mode);
    vm_load(&vm, g.begin, g.end);
    if (!cpu_is_amd())
        vm.memory[g.call + 2] = 0xc1;

    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_IO);
    CHECK_EQ(m.word[VMENTER_MR_RIP], g.out);
    CHECK_EQ(exit_word(VMENTER_MR_QUALIFICATION) & ~(seL4_Word)VMX_IO_IMMEDIATE,
             0x80 << VMX_IO_PORT_SHIFT);
    CHECK_EQ(exit_word(VMENTER_MR_RAX) & 0xff, 0x42);
    check_length(2);

    CHECK_EQ(vm_run(&vm, &m, g.out + 2), VMX_EXIT_CPUID);
    CHECK_EQ(m.word[VMENTER_MR_RIP], g.cpuid);
    CHECK_EQ(exit_word(VMENTER_MR_RAX) & 0xffffffff, 0x1234);
    CHECK_EQ(exit_word(VMENTER_MR_QUALIFICATION), 0);
    check_length(2);
    regs = guest_registers_from_exit();
    regs.rbx = 0x600d600d;
    REQUIRE_OK(seL4_X86_VCPU_WriteRegisters(vm.vcpu, &regs));

    CHECK_EQ(vm_run(&vm, &m, g.cpuid + 2), VMX_EXIT_HLT);
    CHECK_EQ(m.word[VMENTER_MR_RIP], g.hlt);
    CHECK_EQ(*vm_word32(&vm, VM_DATA), 0x600d600d);
    CHECK_EQ(exit_word(VMENTER_MR_RFLAGS) & 0x202, 2);
    CHECK_EQ(exit_word(VMENTER_MR_CR3), vm_read(&vm, VMCS_GUEST_CR3));
    check_length(1);

    CHECK_EQ(vm_run(&vm, &m, g.hlt + 1), VMX_EXIT_RDMSR);
    CHECK_EQ(m.word[VMENTER_MR_RIP], g.rdmsr);
    CHECK_EQ(exit_word(VMENTER_MR_RCX) & 0xffffffff, 0x8b);
    check_length(2);
    regs = guest_registers_from_exit();
    regs.rdx = 0xd0d0;
    REQUIRE_OK(seL4_X86_VCPU_WriteRegisters(vm.vcpu, &regs));

    if (mode == VM_REAL) {
        /* The hole is above what real mode reaches; jump over it. */
        CHECK_EQ(vm_run(&vm, &m, g.after_violation), VMX_EXIT_IO);
    } else {
        CHECK_EQ(vm_run(&vm, &m, g.rdmsr + 2), VMX_EXIT_EPT_VIOLATION);
        CHECK_EQ(m.word[VMENTER_MR_RIP], g.violation);
        CHECK_EQ(exit_word(VMENTER_MR_GUEST_PHYSICAL), VM_HOLE);
        CHECK_EQ(exit_word(VMENTER_MR_QUALIFICATION) & 0x3f, VMX_EPT_WRITE);
        CHECK_EQ(*vm_word32(&vm, VM_DATA + 4), 0xd0d0);
        CHECK_EQ(vm_run(&vm, &m, g.after_violation), VMX_EXIT_IO);
    }
    CHECK_EQ(m.word[VMENTER_MR_RIP], g.in);
    CHECK_EQ(exit_word(VMENTER_MR_QUALIFICATION), 0x1f4 << VMX_IO_PORT_SHIFT | VMX_IO_IN | 3);
    regs = guest_registers_from_exit();
    regs.rax = 0x1badcafe;
    REQUIRE_OK(seL4_X86_VCPU_WriteRegisters(vm.vcpu, &regs));

    /* One byte, in real mode behind an operand-size prefix. */
    CHECK_EQ(vm_run(&vm, &m, g.in + (mode == VM_REAL ? 2 : 1)), VMX_EXIT_VMCALL);
    CHECK_EQ(m.word[VMENTER_MR_RIP], g.call);
    CHECK_EQ(*vm_word32(&vm, VM_DATA + 8), 0x1badcafe);
    check_length(3);

    /* UD2 without an interrupt table: three faults in a row. */
    CHECK_EQ(vm_run(&vm, &m, g.call + 3), VMX_EXIT_TRIPLE_FAULT);
    /* Afterwards it can be started again. */
    vm_set_mode(&vm, mode);
    CHECK_EQ(vm_run(&vm, &m, g.hlt), VMX_EXIT_HLT);
}

static void mode_long(void)
{
    run_mode(VM_LONG, MODE_GUEST(long));
}

static void mode_compatibility(void)
{
    run_mode(VM_COMPATIBILITY, MODE_GUEST(protected));
}

static void mode_paged(void)
{
    run_mode(VM_PAGED, MODE_GUEST(protected));
}

static void mode_pae(void)
{
    run_mode(VM_PAE, MODE_GUEST(protected));
}

static void mode_protected(void)
{
    run_mode(VM_PROTECTED, MODE_GUEST(protected));
}

static void mode_real(void)
{
    run_mode(VM_REAL, MODE_GUEST(real));
}

/* --- general registers ----------------------------------------------------------------------- */

extern const char guest_registers[], guest_registers_end[];

static void registers(void)
{
    struct vm vm;
    struct vmenter_message m;
    seL4_VCPUContext regs;

    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, VM_LONG);
    vm_load(&vm, guest_registers, guest_registers_end);
    for (unsigned i = 0; i < seL4_VCPUContextWords; i++)
        ((seL4_Word *)&regs)[i] = 0x1111111100000000ul * (i + 1) + i;
    REQUIRE_OK(seL4_X86_VCPU_WriteRegisters(vm.vcpu, &regs));
    for (seL4_Word round = 1; round < 5; round++) {
        CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_IO);
        for (unsigned i = 0; i < seL4_VCPUContextWords; i++)
            CHECK_EQ(exit_word(VMENTER_MR_RAX + i), ((seL4_Word *)&regs)[i] + round);
    }
    CHECK_EQ(vm_read(&vm, VMCS_GUEST_RSP), VM_STACK);
}

/* --- events ---------------------------------------------------------------------------------- */

extern const char guest_interrupts[], guest_interrupts_end[], guest_interrupts_handler[],
    guest_interrupts_window[];
extern const char guest_events[], guest_events_end[], guest_events_gp[], guest_events_nmi[],
    guest_events_soft[];

static void set_gate(struct vm *vm, unsigned vector, seL4_Word rip)
{
    *vm_word(vm, VM_IDT + 16 * vector) =
        (rip & 0xffff) | 8 << 16 | 0x8e00ul << 32 | (rip & 0xffff0000) << 32;
    *vm_word(vm, VM_IDT + 16 * vector + 8) = 0;
    vm_write(vm, VMCS_GUEST_IDTR_LIMIT, 0x7ff);
}

#define INJECT(type, vector) (VMX_EVENT_VALID | (type) | (vector))

static void interrupts(void)
{
    struct vm vm;
    struct vmenter_message m;
    seL4_Word window = VM_CODE + (seL4_Word)(guest_interrupts_window - guest_interrupts);

    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, VM_LONG);
    vm_load(&vm, guest_interrupts, guest_interrupts_end);
    set_gate(&vm, 0x20, VM_CODE + (seL4_Word)(guest_interrupts_handler - guest_interrupts));

    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_HLT);
    CHECK_EQ(m.word[VMENTER_MR_RIP], window);
    CHECK_EQ(exit_word(VMENTER_MR_RFLAGS) & 0x200, 0x200);
    /* Injected behind the HLT: the handler runs, then what follows. */
    CHECK_EQ(vm_run_inject(&vm, &m, window + 1, INJECT(VMX_EVENT_EXTERNAL, 0x20)), VMX_EXIT_IO);
    CHECK_EQ(*vm_word(&vm, VM_DATA + 8), 1);
    CHECK_EQ(*vm_word(&vm, VM_DATA), 1);
    /* Injected once. */
    CHECK_EQ(m.word[VMENTER_MR_ENTRY_INFO] & VMX_EVENT_VALID, 0);

    /* Interrupts closed: asked to, it tells when they are open. */
    vm_write(&vm, VMCS_GUEST_RFLAGS, 2);
    vm.primary |= VMX_PRIMARY_INTERRUPT_WINDOW;
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_INTERRUPT_WINDOW);
    CHECK(m.word[VMENTER_MR_RIP] > VM_CODE && m.word[VMENTER_MR_RIP] <= window);
    CHECK_EQ(exit_word(VMENTER_MR_RFLAGS) & 0x200, 0x200);
    vm.primary &= ~(seL4_Word)VMX_PRIMARY_INTERRUPT_WINDOW;
    CHECK_EQ(vm_run_inject(&vm, &m, m.word[VMENTER_MR_RIP], INJECT(VMX_EVENT_EXTERNAL, 0x20)),
             VMX_EXIT_HLT);
    CHECK_EQ(*vm_word(&vm, VM_DATA + 8), 2);
}

static void events(void)
{
    struct vm vm;
    struct vmenter_message m;

    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, VM_LONG);
    vm_load(&vm, guest_events, guest_events_end);
    set_gate(&vm, 13, VM_CODE + (seL4_Word)(guest_events_gp - guest_events));
    set_gate(&vm, 2, VM_CODE + (seL4_Word)(guest_events_nmi - guest_events));
    set_gate(&vm, 0x40, VM_CODE + (seL4_Word)(guest_events_soft - guest_events));

    vm_write(&vm, VMCS_ENTRY_EXCEPTION_ERROR, 0x1238);
    CHECK_EQ(
        vm_run_inject(&vm, &m, VM_CODE, INJECT(VMX_EVENT_EXCEPTION | VMX_EVENT_ERROR_CODE, 13)),
        VMX_EXIT_IO);
    CHECK_EQ(*vm_word(&vm, VM_DATA + 8), 1);
    CHECK_EQ(*vm_word(&vm, VM_DATA + 16), 0x1238);
    CHECK_EQ(vm_run_inject(&vm, &m, VM_CODE, INJECT(VMX_EVENT_NMI, 2)), VMX_EXIT_IO);
    CHECK_EQ(*vm_word(&vm, VM_DATA + 24), 1);
    if (!(extensions & BULKHEAD_EXT_VCPU_STATE))
        return;
    /* A software interrupt whose instruction has two bytes: it returns behind them. */
    vm_write(&vm, VMCS_ENTRY_INSTRUCTION_LENGTH, 2);
    CHECK_EQ(vm_run_inject(&vm, &m, VM_CODE - 2, INJECT(VMX_EVENT_SOFTWARE_INTERRUPT, 0x40)),
             VMX_EXIT_IO);
    CHECK_EQ(*vm_word(&vm, VM_DATA + 32), 1);
    CHECK_EQ(*vm_word(&vm, VM_DATA + 40), VM_CODE);
}

/* --- NMIs ------------------------------------------------------------------------------------ */

extern const char guest_nmi[], guest_nmi_end[], guest_nmi_handler[], guest_nmi_iret[],
    guest_nmi_gp[], guest_nmi_pf[], guest_nmi_db[], guest_nmi_interrupt[];

#define NMI_PLACE(label)  (VM_CODE + (seL4_Word)(guest_nmi_##label - guest_nmi))
#define INTERRUPTED       VM_CODE
#define OWN_STACK         0x7000 /* of the page fault's handler */
#define NO_LINEAR_ADDRESS 0x500000
#define RFLAGS_TF         0x100
#define RFLAGS_IF         0x200

static void nmi_guest(struct vm *vm)
{
    vm_create(vm, 0);
    vm_bind(vm, seL4_CapInitThreadTCB);
    vm_set_mode(vm, VM_LONG);
    vm_load(vm, guest_nmi, guest_nmi_end);
    set_gate(vm, 1, NMI_PLACE(db));
    set_gate(vm, 2, NMI_PLACE(handler));
    set_gate(vm, 13, NMI_PLACE(gp));
    set_gate(vm, 14, NMI_PLACE(pf));
    set_gate(vm, 0x40, NMI_PLACE(interrupt));
    *vm_word(vm, VM_IDT + 16 * 14) |= 1ul << 32; /* its stack is the first of the TSS's table */
    for (unsigned i = 0; i < 2; i++)
        *vm_word32(vm, 0x9000 + 0x24 + 4 * i) = i ? 0 : OWN_STACK;
    vm_write(vm, VCPU_FIELD_DR6, 0xffff0ff0);
}

static void check_blocked(struct vm *vm, bool blocked)
{
    seL4_Word expected = blocked ? VMX_INTERRUPTIBILITY_NMI : 0;

    CHECK_EQ(exit_word(VMENTER_MR_INTERRUPTIBILITY), expected);
    CHECK_EQ(vm_read(vm, VMCS_GUEST_INTERRUPTIBILITY), expected);
}

static seL4_Word out_port(void)
{
    return exit_word(VMENTER_MR_QUALIFICATION) >> VMX_IO_PORT_SHIFT;
}

/* The guest has been given an NMI and stands in front of its IRET. */
static void run_to_iret(struct vm *vm, struct vmenter_message *m)
{
    CHECK_EQ(vm_run_inject(vm, m, INTERRUPTED, INJECT(VMX_EVENT_NMI, 2)), VMX_EXIT_IO);
    CHECK_EQ(out_port(), 0x81);
    check_blocked(vm, true);
}

static seL4_Word run_with_window(struct vm *vm, struct vmenter_message *m, seL4_Word rip,
                                 seL4_Word info)
{
    seL4_Word reason;

    vm->primary |= VMX_PRIMARY_NMI_WINDOW;
    reason = vm_run_inject(vm, m, rip, info);
    vm->primary &= ~(seL4_Word)VMX_PRIMARY_NMI_WINDOW;
    return reason;
}

/* While one is handled there is no second one, and the window opens when it has been. */
static void nmi_blocking(void)
{
    struct vm vm;
    struct vmenter_message m;

    nmi_guest(&vm);
    run_to_iret(&vm, &m);
    CHECK_EQ(vm_run_inject(&vm, &m, NMI_PLACE(iret), INJECT(VMX_EVENT_NMI, 2)),
             VMX_EXIT_INVALID_GUEST_STATE);
    check_blocked(&vm, true);
    CHECK_EQ(*vm_word(&vm, VM_DATA), 1);

    CHECK_EQ(run_with_window(&vm, &m, NMI_PLACE(iret), 0), VMX_EXIT_NMI_WINDOW);
    CHECK_EQ(m.word[VMENTER_MR_RIP], INTERRUPTED);
    check_blocked(&vm, false);
    /* Nothing of how the kernel came to know is left. */
    CHECK_EQ(exit_word(VMENTER_MR_RFLAGS) & RFLAGS_TF, 0);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_DR6), 0xffff0ff0);
    CHECK_EQ(vm_read(&vm, VMCS_GUEST_RSP), VM_STACK);

    /* Nor does anybody hear of the IRET without a window. */
    run_to_iret(&vm, &m);
    CHECK_EQ(vm_run(&vm, &m, NMI_PLACE(iret)), VMX_EXIT_IO);
    CHECK_EQ(out_port(), 0x80);
    check_blocked(&vm, false);
    CHECK_EQ(*vm_word(&vm, VM_DATA), 2);

    /* What a monitor saves, it can put back. */
    vm_write(&vm, VMCS_GUEST_INTERRUPTIBILITY, VMX_INTERRUPTIBILITY_NMI);
    CHECK_EQ(vm_run_inject(&vm, &m, INTERRUPTED, INJECT(VMX_EVENT_NMI, 2)),
             VMX_EXIT_INVALID_GUEST_STATE);
    vm_write(&vm, VMCS_GUEST_INTERRUPTIBILITY, 0);
    run_to_iret(&vm, &m);
}

static void nmi_window(void)
{
    struct vm vm;
    struct vmenter_message m;

    nmi_guest(&vm);
    /* Open: at once, and as long as it is asked for. */
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(run_with_window(&vm, &m, INTERRUPTED, 0), VMX_EXIT_NMI_WINDOW);
        CHECK_EQ(m.word[VMENTER_MR_RIP], INTERRUPTED);
    }
    CHECK_EQ(vm_run(&vm, &m, INTERRUPTED), VMX_EXIT_IO);
    /* An event that goes with the entry comes first: the window opens in its handler. */
    vm_write(&vm, VMCS_GUEST_RFLAGS, RFLAGS_IF | 2);
    CHECK_EQ(run_with_window(&vm, &m, INTERRUPTED, INJECT(VMX_EVENT_EXTERNAL, 0x40)),
             VMX_EXIT_NMI_WINDOW);
    /* Bochs, the VT-x that tests run on, looks for windows at an IRET, not behind an injection. */
    if (cpu_is_amd()) {
        CHECK(m.word[VMENTER_MR_RIP] >= NMI_PLACE(interrupt) &&
              m.word[VMENTER_MR_RIP] < NMI_PLACE(end));
        CHECK_EQ(vm_read(&vm, VMCS_GUEST_RSP), VM_STACK - 40);
    }
    /* If that is an NMI, after it. */
    CHECK_EQ(run_with_window(&vm, &m, INTERRUPTED, INJECT(VMX_EVENT_NMI, 2)), VMX_EXIT_IO);
    CHECK_EQ(out_port(), 0x81);
    CHECK_EQ(run_with_window(&vm, &m, NMI_PLACE(iret), 0), VMX_EXIT_NMI_WINDOW);
    CHECK_EQ(m.word[VMENTER_MR_RIP], INTERRUPTED);
}

/* An IRET that does not come to its end. */
static void nmi_iret_fails(void)
{
    struct vm vm;
    struct vmenter_message m;

    nmi_guest(&vm);
    if (!cpu_is_amd())
        group_skip("VT-x ends the blocking at an IRET that faults, too");
    run_to_iret(&vm, &m);
    seL4_Word rsp = vm_read(&vm, VMCS_GUEST_RSP);

    /* Its stack is not there in guest memory: the monitor may mend that. */
    vm_write(&vm, VMCS_GUEST_RSP, VM_HOLE);
    CHECK_EQ(vm_run(&vm, &m, NMI_PLACE(iret)), VMX_EXIT_EPT_VIOLATION);
    CHECK_EQ(m.word[VMENTER_MR_RIP], NMI_PLACE(iret));
    CHECK_EQ(exit_word(VMENTER_MR_RFLAGS) & RFLAGS_TF, 0);
    check_blocked(&vm, true);
    /* A page fault. */
    vm_write(&vm, VMCS_GUEST_RSP, NO_LINEAR_ADDRESS);
    CHECK_EQ(vm_run(&vm, &m, NMI_PLACE(iret)), VMX_EXIT_IO);
    CHECK_EQ(out_port(), 0x83);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_CR2), NO_LINEAR_ADDRESS);
    CHECK_EQ(*vm_word(&vm, OWN_STACK - 40), NMI_PLACE(iret));
    CHECK_EQ(*vm_word(&vm, OWN_STACK - 24) & RFLAGS_TF, 0);
    check_blocked(&vm, true);
    /* A code segment that is not in the table; the handler's frame lies below what IRET read. */
    vm_write(&vm, VMCS_GUEST_RSP, rsp);
    *vm_word(&vm, rsp + 8) = 0x30;
    CHECK_EQ(vm_run(&vm, &m, NMI_PLACE(iret)), VMX_EXIT_IO);
    CHECK_EQ(out_port(), 0x82);
    CHECK_EQ(*vm_word(&vm, vm_read(&vm, VMCS_GUEST_RSP) + 24) & RFLAGS_TF, 0);
    check_blocked(&vm, true);
    /* All in order again. */
    vm_write(&vm, VMCS_GUEST_RSP, rsp);
    *vm_word(&vm, rsp + 8) = 8;
    CHECK_EQ(run_with_window(&vm, &m, NMI_PLACE(iret), 0), VMX_EXIT_NMI_WINDOW);
    CHECK_EQ(m.word[VMENTER_MR_RIP], INTERRUPTED);

    /* An NMI that has not got through to its handler blocks nothing. */
    vm_write(&vm, VMCS_GUEST_RSP, VM_HOLE + 0x1000);
    CHECK_EQ(vm_run_inject(&vm, &m, INTERRUPTED, INJECT(VMX_EVENT_NMI, 2)), VMX_EXIT_EPT_VIOLATION);
    CHECK_EQ(vm_read(&vm, VMCS_IDT_VECTORING_INFO), INJECT(VMX_EVENT_NMI, 2));
    check_blocked(&vm, false);
}

/* A guest that steps through its own NMI handler sees what it would see on a processor. */
static void nmi_single_step(void)
{
    struct vm vm;
    struct vmenter_message m;

    nmi_guest(&vm);
    run_to_iret(&vm, &m);
    vm_write(&vm, VMCS_GUEST_RFLAGS, RFLAGS_TF | 2);
    CHECK_EQ(vm_run(&vm, &m, NMI_PLACE(iret)), VMX_EXIT_IO);
    CHECK_EQ(out_port(), 0x84);
    CHECK_EQ(*vm_word(&vm, VM_STACK - 40), INTERRUPTED);
    CHECK_EQ(vm_read(&vm, VCPU_FIELD_DR6), 0xffff4ff0);
    check_blocked(&vm, false);
}

/* Exceptions that the monitor asks for come to it, others go to the guest. */
static void exception_bitmap(void)
{
    struct vm vm;
    struct vmenter_message m;
    struct mode_guest g = MODE_GUEST(long);

    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, VM_LONG);
    vm_load(&vm, g.begin, g.end);
    vm_write(&vm, VMCS_EXCEPTION_BITMAP, 1 << 6);
    CHECK_EQ(vm_run(&vm, &m, g.fault), VMX_EXIT_EXCEPTION_NMI);
    CHECK_EQ(m.word[VMENTER_MR_RIP], g.fault);
    CHECK_EQ(vm_read(&vm, VMCS_EXIT_INTERRUPTION_INFO), INJECT(VMX_EVENT_EXCEPTION, 6));
    CHECK_EQ(vm_read(&vm, VMCS_EXCEPTION_BITMAP), 1 << 6);
    vm_write(&vm, VMCS_EXCEPTION_BITMAP, 0);
    CHECK_EQ(vm_run(&vm, &m, g.fault), VMX_EXIT_TRIPLE_FAULT);
}

/* --- who else runs --------------------------------------------------------------------------- */

extern const char guest_spin[], guest_spin_end[];

/* What the guest counts in, and what it was at: another value says that the guest has run. */
static volatile seL4_Word *guest_count;
static seL4_Word guest_count_before;

static void signaller(struct thread *self, seL4_Word notification)
{
    /* Of our priority: it runs only when the guest's time is over. */
    (void)self;
    while (*guest_count == guest_count_before)
        seL4_Yield();
    sys(seL4_SysSend, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0);
}

/*
 * A signal to the bound notification ends the guest's run; an active one keeps it from beginning.
 * /
 */
static void notified(void)
{
    struct vm vm;
    struct vmenter_message m;
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0);
    seL4_CPtr badged = cap_mint(notification, seL4_AllRights, 0x10);

    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, VM_LONG);
    vm_load(&vm, guest_spin, guest_spin_end);
    REQUIRE_OK(seL4_TCB_BindNotification(seL4_CapInitThreadTCB, notification));
    seL4_Signal(badged);
    CHECK_EQ(vm_run_inject(&vm, &m, 0x1234, 0x55), VM_NOTIFIED);
    CHECK_EQ(m.word[3], 0x10);
    CHECK_EQ(m.word[0], 0x1234);
    CHECK_EQ(m.word[1], vm.primary);
    CHECK_EQ(m.word[2], 0x55);
    CHECK_EQ(*vm_word(&vm, VM_DATA), 0);

    guest_count = vm_word(&vm, VM_DATA);
    guest_count_before = 0;
    thread_run(0, signaller, badged, TEST_PRIORITY);
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VM_NOTIFIED);
    CHECK_EQ(m.word[3], 0x10);
    CHECK(*guest_count > 0);
    CHECK(m.word[0] >= VM_CODE && m.word[0] < VM_CODE + 32);
    /* It goes on where it was. */
    guest_count_before = *guest_count;
    thread_run(1, signaller, badged, TEST_PRIORITY);
    CHECK_EQ(vm_run(&vm, &m, m.word[0]), VM_NOTIFIED);
    CHECK(*guest_count > guest_count_before);
    REQUIRE_OK(seL4_TCB_UnbindNotification(seL4_CapInitThreadTCB));
}

/* A guest is a thread like another: its scheduling context is charged and bounded. */
static struct vm vm_of_thread;

static void run_forever(struct thread *self, seL4_Word argument)
{
    struct sel4_registers r = { 0, 0, argument, vm_of_thread.primary, 0, 0 };

    for (;;) {
        sel4_syscall(seL4_SysVMEnter, &r, 0, 0);
        self->result[0]++;
        self->result[1] = r.mr3;
    }
}

static void guest_budget(void)
{
    struct vm *vm = &vm_of_thread;
    struct thread *t;

    vm_create(vm, 0);
    vm_set_mode(vm, VM_LONG);
    vm_load(vm, guest_spin, guest_spin_end);
    t = thread_create(0, run_forever, VM_CODE, TEST_PRIORITY - 5, 2000, 20000, 0);
    vm_bind(vm, t->tcb);
    thread_start(t);
    sleep_us(400000);
    CHECK_OK(seL4_TCB_Suspend(t->tcb));
    CHECK(*vm_word(vm, VM_DATA) > 0);
    CHECK_EQ(t->result[0], 0);
    seL4_Word share = seL4_SchedContext_Consumed(t->sc).consumed * 1000 / 400000;

    print("     share: %lu of 1000\n", share);
    CHECK_TIME(share >= 90 && share <= 110);
    /* Deleting the VCPU under a thread that runs it. */
    CHECK_OK(seL4_TCB_Resume(t->tcb));
    sleep_us(30000);
    CHECK_OK(cap_delete(vm->vcpu));
    sleep_us(30000);
    CHECK_OK(cap_delete(t->tcb));
}

/* Taking guest memory away while the guest runs: it faults, at the next access. */
static void memory_revoked(void)
{
    struct vm vm;
    struct vmenter_message m;

    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, VM_LONG);
    vm_load(&vm, guest_registers, guest_registers_end);
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_IO);
    CHECK_OK(seL4_X86_Page_Unmap(vm.frame));
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_EPT_VIOLATION);
    CHECK(exit_word(VMENTER_MR_GUEST_PHYSICAL) < VM_MEMORY_BYTES);
    REQUIRE_OK(
        seL4_X86_Page_MapEPT(vm.frame, vm.ept, 0, seL4_CanRead, seL4_X86_EPT_Default_VMAttributes));
    /* Read only: the accessed bits of its page tables cannot be set. (AMD-V asks for the right to
     * write them in any case; Bochs' VT-x never does.) */
    if (cpu_is_amd())
        CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_EPT_VIOLATION);
    CHECK_OK(seL4_X86_Page_Unmap(vm.frame));
    REQUIRE_OK(seL4_X86_Page_MapEPT(vm.frame, vm.ept, 0, seL4_AllRights,
                                    seL4_X86_EPT_Default_VMAttributes));
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_IO);
    /* The whole address space, the thread's capability to it included. */
    CHECK_OK(cap_revoke(vm.ept));
    CHECK_OK(cap_delete(vm.ept));
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_EPT_VIOLATION);
}

/* --- I/O ports given to the guest ------------------------------------------------------------ */

static void io_ports(void)
{
    struct vm vm;
    struct vmenter_message m;
    struct mode_guest g = MODE_GUEST(long);
    seL4_CPtr port = slot_new();

    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, VM_LONG);
    vm_load(&vm, g.begin, g.end);
    REQUIRE_OK(seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, 0x7f, 0x81, ROOT, port, DEPTH));
    CHECK_ILLEGAL(seL4_X86_VCPU_EnableIOPort(vm.vcpu, ROOT, 0x80, 0x80));
    CHECK_ARGUMENT(seL4_X86_VCPU_EnableIOPort(vm.vcpu, port, 0x7e, 0x80), 0);
    CHECK_ARGUMENT(seL4_X86_VCPU_EnableIOPort(vm.vcpu, port, 0x80, 0x82), 0);
    CHECK_OK(seL4_X86_VCPU_EnableIOPort(vm.vcpu, port, 0x80, 0x80));
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_CPUID);
    CHECK_OK(seL4_X86_VCPU_DisableIOPort(vm.vcpu, 0x80, 0x80));
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_IO);
    CHECK_OK(seL4_X86_VCPU_EnableIOPort(vm.vcpu, port, 0x80, 0x80));
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_CPUID);
    /* Without the capability the port is ours again. */
    CHECK_OK(cap_delete(port));
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_IO);
}

TEST_SUITE(guest, { "64-bit", mode_long }, { "compatibility", mode_compatibility },
           { "32-bit paged", mode_paged }, { "32-bit PAE", mode_pae },
           { "protected, unpaged", mode_protected }, { "real", mode_real },
           { "registers", registers }, { "interrupts", interrupts }, { "events", events },
           { "NMI blocking", nmi_blocking }, { "NMI window", nmi_window },
           { "NMI, IRET fails", nmi_iret_fails }, { "NMI, single step", nmi_single_step },
           { "exception bitmap", exception_bitmap }, { "notified", notified },
           { "budget", guest_budget }, { "memory revoked", memory_revoked },
           { "I/O ports", io_ports });
