/* SPDX-License-Identifier: BSD-2-Clause */
/* Invocations of VCPU objects: fields, registers, binding; and VMEnter's smallest cases. */
#include "tests/kernel/calls.h"
#include "tests/kernel/vm.h"

static seL4_CPtr vcpu_new(void)
{
    if (!have_virtualisation())
        group_skip("the processor has neither SVM nor VMX");
    return object_new(seL4_X86_VCPUObject, 0);
}

/*
 * On a machine without virtualisation everything about it is refused; the rest of the system
 * works. /
 */
static void without_virtualisation(void)
{
    if (have_virtualisation())
        group_skip("the processor has virtualisation");
    seL4_CPtr slot = slot_new();

    if (retype(group_untyped, seL4_X86_VCPUObject, 0, slot, 1))
        return;
    CHECK_ILLEGAL(seL4_X86_VCPU_ReadVMCS(slot, VMCS_GUEST_RIP).error);
    CHECK_ILLEGAL(seL4_X86_VCPU_WriteVMCS(slot, VMCS_GUEST_RIP, 0).error);
    CHECK_ILLEGAL(seL4_X86_VCPU_SetTCB(slot, seL4_CapInitThreadTCB));
}

static void short_messages(void)
{
    seL4_CPtr vcpu = vcpu_new();
    seL4_Word words[15] = { VMCS_GUEST_RIP };
    static const seL4_CPtr caps[1] = { ROOT };

    CHECK_EQ(invoke(vcpu, X86VCPUReadVMCS, 0, NULL, 0, words), seL4_IllegalOperation);
    CHECK_EQ(invoke(vcpu, X86VCPUWriteVMCS, 0, NULL, 1, words), seL4_IllegalOperation);
    words[0] = VCPU_MSR_STAR;
    CHECK_EQ(invoke(vcpu, X86VCPUReadMSR, 0, NULL, 0, words), seL4_IllegalOperation);
    CHECK_EQ(invoke(vcpu, X86VCPUWriteMSR, 0, NULL, 1, words), seL4_IllegalOperation);
    CHECK_EQ(invoke(vcpu, X86VCPUWriteRegisters, 0, NULL, 14, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(vcpu, X86VCPUEnableIOPort, 1, caps, 1, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(vcpu, X86VCPUEnableIOPort, 0, NULL, 2, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(vcpu, X86VCPUSetTCB, 0, NULL, 0, words), seL4_TruncatedMessage);
}

static void binding(void)
{
    seL4_CPtr vcpu = vcpu_new(), other = vcpu_new();
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0), tcb2 = object_new(seL4_TCBObject, 0);

    CHECK_ILLEGAL(seL4_X86_VCPU_SetTCB(vcpu, ROOT));
    CHECK_OK(seL4_X86_VCPU_SetTCB(vcpu, tcb));
    CHECK_OK(seL4_X86_VCPU_SetTCB(vcpu, tcb));
    CHECK_OK(seL4_X86_VCPU_SetTCB(other, tcb));
    CHECK_OK(seL4_X86_VCPU_SetTCB(vcpu, tcb2));
    CHECK_OK(seL4_X86_VCPU_SetTCB(vcpu, tcb));
    CHECK_OK(cap_delete(tcb));
    CHECK_OK(seL4_X86_VCPU_SetTCB(vcpu, tcb2));
    CHECK_OK(cap_delete(vcpu));
    CHECK_OK(seL4_X86_VCPU_SetTCB(other, tcb2));

    CHECK_ILLEGAL(seL4_TCB_SetEPTRoot(tcb2, ROOT));
    seL4_CPtr ept = object_new(seL4_X86_EPTPML4Object, 0);

    CHECK_ILLEGAL(seL4_TCB_SetEPTRoot(tcb2, ept));
    CHECK_ILLEGAL(seL4_TCB_SetEPTRoot(tcb2, seL4_CapInitThreadVSpace));
    REQUIRE_OK(seL4_X86_ASIDPool_Assign(seL4_CapInitThreadASIDPool, ept));
    CHECK_OK(seL4_TCB_SetEPTRoot(tcb2, ept));
}

/* --- fields ---------------------------------------------------------------------------------- */

/* What comes back as written. */
static const struct {
    seL4_Word field, value;
} plain[] = {
    { VMCS_GUEST_ES_SELECTOR, 0x1234 },
    { VMCS_GUEST_CS_SELECTOR, 0xfff8 },
    { VMCS_GUEST_TR_SELECTOR, 0x18 },
    { VMCS_GUEST_LDTR_SELECTOR, 0x20 },
    { VMCS_GUEST_PAT, 0x0007040600070406 },
    { VMCS_GUEST_EFER, 0xd01 },
    { VMCS_GUEST_DEBUGCTL, 1 },
    { VMCS_GUEST_PERF_GLOBAL_CTRL, 3 },
    { VMCS_GUEST_PDPTE0, 0x3001 },
    { VMCS_GUEST_PDPTE3, 0x4001 },
    { VMCS_GUEST_SMBASE, 0x30000 },
    { VMCS_PREEMPTION_TIMER, 0x12345678 },
    { VMCS_GUEST_PENDING_DEBUG, 0 },
    { VMCS_GUEST_ES_LIMIT, 0xffffffff },
    { VMCS_GUEST_GS_LIMIT, 0x12345678 },
    { VMCS_GUEST_GDTR_LIMIT, 0x1234 },
    { VMCS_GUEST_IDTR_LIMIT, 0xffff },
    { VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b },
    { VMCS_GUEST_DS_ACCESS_RIGHTS, 0xc0f3 },
    { VMCS_GUEST_LDTR_ACCESS_RIGHTS, VMX_AR_UNUSABLE },
    { VMCS_GUEST_TR_ACCESS_RIGHTS, 0x8b },
    { VMCS_GUEST_ACTIVITY, 0 },
    { VMCS_GUEST_SYSENTER_CS, 0x12345678 },
    { VMCS_GUEST_CR3, 0x12345000 },
    { VMCS_GUEST_ES_BASE, 0x123456789 },
    { VMCS_GUEST_FS_BASE, 0xffff800000001234 },
    { VMCS_GUEST_GDTR_BASE, 0xffff800000001234 },
    { VMCS_GUEST_IDTR_BASE, 0x7fffffffffff },
    { VMCS_GUEST_DR7, 0x400 },
    { VMCS_GUEST_RSP, 0x123456789abcdef0 },
    { VMCS_GUEST_RIP, 0x123456789abcdef1 },
    { VMCS_GUEST_RFLAGS, 0x202 },
    { VMCS_GUEST_SYSENTER_ESP, 0x7fff12345678 },
    { VMCS_GUEST_SYSENTER_EIP, 0x7fff12345679 },
    { VMCS_EXCEPTION_BITMAP, 0x4040 },
    { VMCS_ENTRY_INTERRUPTION_INFO, 0x80000b0d },
};

static void plain_fields(void)
{
    seL4_CPtr vcpu = vcpu_new();

    for (unsigned i = 0; i < ARRAY_LENGTH(plain); i++) {
        seL4_X86_VCPU_WriteVMCS_t w = seL4_X86_VCPU_WriteVMCS(vcpu, plain[i].field, plain[i].value);

        bool good = CHECK_EQ(w.error, 0) && CHECK_EQ(w.written, plain[i].value);

        if (!good)
            print("     field 0x%lx\n", plain[i].field);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(plain); i++) {
        seL4_X86_VCPU_ReadVMCS_t r = seL4_X86_VCPU_ReadVMCS(vcpu, plain[i].field);
        bool good = CHECK_EQ(r.error, 0) && CHECK_EQ(r.value, plain[i].value);

        if (!good)
            print("     field 0x%lx\n", plain[i].field);
    }
}

/* Controls come back with what the kernel forces and without what there is not. */
static void filtered_fields(void)
{
    static const struct {
        seL4_Word field, forced;
    } controls[] = {
        { VMCS_PIN_CONTROLS, VMX_PIN_EXTERNAL_INTERRUPT | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMI },
        { VMCS_PRIMARY_CONTROLS,
          VMX_PRIMARY_IO_BITMAPS | VMX_PRIMARY_MSR_BITMAPS | VMX_PRIMARY_SECONDARY },
        { VMCS_SECONDARY_CONTROLS, VMX_SECONDARY_EPT },
        { VMCS_EXIT_CONTROLS, VMX_EXIT_CTL_HOST_64 | VMX_EXIT_CTL_SAVE_PAT | VMX_EXIT_CTL_LOAD_PAT |
                                  VMX_EXIT_CTL_SAVE_EFER | VMX_EXIT_CTL_LOAD_EFER },
        { VMCS_ENTRY_CONTROLS, 0 },
    };
    seL4_CPtr vcpu = vcpu_new();

    for (unsigned i = 0; i < ARRAY_LENGTH(controls); i++) {
        seL4_X86_VCPU_WriteVMCS_t none = seL4_X86_VCPU_WriteVMCS(vcpu, controls[i].field, 0);
        seL4_X86_VCPU_WriteVMCS_t all = seL4_X86_VCPU_WriteVMCS(vcpu, controls[i].field, ~0ul);

        CHECK_EQ(none.error, 0);
        CHECK_EQ(all.error, 0);
        CHECK_EQ(none.written & controls[i].forced, controls[i].forced);
        CHECK_EQ(all.written & none.written, none.written);
        CHECK_EQ(all.written >> 32, 0);
        CHECK_EQ(seL4_X86_VCPU_ReadVMCS(vcpu, controls[i].field).value, all.written);
    }
    /* HLT and interrupt-window exiting can be chosen on both vendors. */
    seL4_Word all = seL4_X86_VCPU_WriteVMCS(vcpu, VMCS_PRIMARY_CONTROLS, ~0ul).written;

    CHECK_EQ(all & (VMX_PRIMARY_HLT | VMX_PRIMARY_INTERRUPT_WINDOW),
             VMX_PRIMARY_HLT | VMX_PRIMARY_INTERRUPT_WINDOW);
    /* ET of CR0 is always there. */
    CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vcpu, VMCS_GUEST_CR0, 0x80010021).written & 0x10, 0x10);
}

static void refused_fields(void)
{
    static const seL4_Word neither[] = {
        0,
        VMCS_VPID,
        VMCS_HOST_CS_SELECTOR,
        VMCS_IO_BITMAP_A,
        VMCS_MSR_BITMAP,
        VMCS_EXIT_MSR_STORE,
        VMCS_VIRTUAL_APIC,
        VMCS_APIC_ACCESS,
        VMCS_EPT_POINTER,
        VMCS_LINK_POINTER,
        VMCS_HOST_PAT,
        VMCS_HOST_EFER,
        VMCS_PAGE_FAULT_ERROR_MASK,
        VMCS_CR3_TARGET_COUNT,
        VMCS_EXIT_MSR_LOAD_COUNT,
        VMCS_TPR_THRESHOLD,
        VMCS_EXIT_REASON,
        VMCS_EXIT_QUALIFICATION,
        VMCS_HOST_SYSENTER_CS,
        VMCS_HOST_CR0,
        VMCS_HOST_CR3,
        VMCS_HOST_CR4,
        VMCS_HOST_RSP,
        VMCS_HOST_RIP,
        VMCS_HOST_GS_BASE,
        VMCS_HOST_GDTR_BASE,
        0xffff,
        0x6828,
        0x80000001,
        0x80000024,
        0x100000000,
        ~0ul,
    };
    static const seL4_Word read_only[] = {
        VMCS_EXIT_INTERRUPTION_INFO,
        VMCS_EXIT_INTERRUPTION_ERROR,
        VMCS_IDT_VECTORING_INFO,
        VMCS_IDT_VECTORING_ERROR,
        VMCS_EXIT_INSTRUCTION_LENGTH,
        VMCS_GUEST_PHYSICAL_ADDRESS,
        VMCS_INSTRUCTION_ERROR,
        VMCS_IO_RCX,
        VMCS_IO_RIP,
        VMCS_GUEST_LINEAR_ADDRESS,
    };
    seL4_CPtr vcpu = vcpu_new();

    for (unsigned i = 0; i < ARRAY_LENGTH(neither); i++) {
        bool good =
            CHECK_EQ(seL4_X86_VCPU_ReadVMCS(vcpu, neither[i]).error, seL4_IllegalOperation) &&
            CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vcpu, neither[i], 0).error, seL4_IllegalOperation);

        if (!good)
            print("     field 0x%lx\n", neither[i]);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(read_only); i++) {
        CHECK_EQ(seL4_X86_VCPU_ReadVMCS(vcpu, read_only[i]).error, 0);
        CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vcpu, read_only[i], 0).error, seL4_IllegalOperation);
    }
    CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vcpu, VMCS_ENTRY_EXCEPTION_ERROR, 5).error, 0);
    CHECK_EQ(seL4_X86_VCPU_ReadVMCS(vcpu, VMCS_ENTRY_EXCEPTION_ERROR).error, seL4_IllegalOperation);
    /* What one vendor has and the other lacks. */
    for (seL4_Word field = VMCS_CR0_MASK; field <= VMCS_CR4_SHADOW; field += 2)
        CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vcpu, field, 0).error,
                 cpu_is_amd() ? seL4_IllegalOperation : 0);
    CHECK_EQ(seL4_X86_VCPU_ReadVMCS(vcpu, VMCS_EXIT_INSTRUCTION_INFO).error,
             cpu_is_amd() ? seL4_IllegalOperation : 0);
    CHECK_EQ(seL4_X86_VCPU_WriteVMCS(vcpu, VMCS_GUEST_PENDING_DEBUG, 0x4000).error,
             cpu_is_amd() ? seL4_IllegalOperation : 0);
}

/* A monitor that stops and later goes on saves what it can write, and writes it back: also what the
 * guest's run does not use. */
static void kept_fields(void)
{
    static const struct {
        seL4_Word field, value;
    } kept[] = {
        { VMCS_GUEST_PDPTE0, 0x3001 },      { VMCS_GUEST_PDPTE3, 0x5001 },
        { VMCS_GUEST_SMBASE, 0x30000 },     { VMCS_PREEMPTION_TIMER, 0xfffffffe },
        { VMCS_GUEST_PERF_GLOBAL_CTRL, 0 }, { VMCS_GUEST_DEBUGCTL, 0 },
        { VMCS_GUEST_PENDING_DEBUG, 0 },
    };
    struct vm vm;
    struct vmenter_message m;

    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, VM_LONG);
    vm.memory[VM_CODE] = 0xf4;
    for (unsigned i = 0; i < ARRAY_LENGTH(kept); i++)
        vm_write(&vm, kept[i].field, kept[i].value);
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_HLT);
    for (unsigned i = 0; i < ARRAY_LENGTH(kept); i++)
        CHECK_EQ(vm_read(&vm, kept[i].field), kept[i].value);
    /* An entry with controls that the processor refuses says which kind of refusal it was. */
    CHECK_EQ(vm_run_inject(&vm, &m, VM_CODE, VMX_EVENT_VALID | VMX_EVENT_EXCEPTION | 0x80),
             VMX_EXIT_ENTRY_REFUSED);
    CHECK_EQ(vm_read(&vm, VMCS_INSTRUCTION_ERROR), VMX_ERROR_INVALID_CONTROL);
}

/* Whether it was the first entry or a later one that the processor refused, for the controls or for
 * the guest's state: when the cause is gone, the guest runs. */
static void refused_entries(void)
{
    const seL4_Word cr4_pae = 1ul << 5;
    const seL4_Word bad_event = VMX_EVENT_VALID | VMX_EVENT_EXCEPTION | 0x80;
    const seL4_Word unknown_event = VMX_EVENT_VALID | VMX_EVENT_OTHER;
    struct vm vm;
    struct vmenter_message m;
    seL4_Word cr4;

    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, VM_LONG);
    vm.memory[VM_CODE] = 0xf4;
    CHECK_EQ(vm_run_inject(&vm, &m, VM_CODE, unknown_event), VMX_EXIT_ENTRY_REFUSED);
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_HLT);
    cr4 = vm_read(&vm, VMCS_GUEST_CR4);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(vm_run_inject(&vm, &m, VM_CODE, bad_event), VMX_EXIT_ENTRY_REFUSED);
        vm_write(&vm, VMCS_GUEST_CR4, cr4 & ~cr4_pae);
        CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_INVALID_GUEST_STATE);
        CHECK_EQ(m.word[VMENTER_MR_RIP], VM_CODE);
        vm_write(&vm, VMCS_GUEST_CR4, cr4);
        CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_HLT);
        CHECK_EQ(m.word[VMENTER_MR_RIP], VM_CODE);
    }
}

/* --- MSRs ------------------------------------------------------------------------------------ */

static void msrs(void)
{
    static const seL4_Word known[] = { VCPU_MSR_STAR, VCPU_MSR_LSTAR, VCPU_MSR_CSTAR,
                                       VCPU_MSR_SFMASK };
    static const seL4_Word unknown[] = { 0,          0x10,        0x1b,       0x174,
                                         0x277,      0xc0000080,  0xc0000100, 0xc0000101,
                                         0xc0010114, 0x1c0000081, ~0ul };
    seL4_CPtr vcpu = vcpu_new();

    for (unsigned i = 0; i < ARRAY_LENGTH(known); i++) {
        seL4_X86_VCPU_WriteMSR_t w = seL4_X86_VCPU_WriteMSR(vcpu, known[i], 0x7ff000001000 + i);

        CHECK_EQ(w.error, 0);
        CHECK_EQ(w.written, 0x7ff000001000 + i);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(known); i++) {
        seL4_X86_VCPU_ReadMSR_t r = seL4_X86_VCPU_ReadMSR(vcpu, known[i]);

        CHECK_EQ(r.error, 0);
        CHECK_EQ(r.value, 0x7ff000001000 + i);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(unknown); i++) {
        CHECK_EQ(seL4_X86_VCPU_ReadMSR(vcpu, unknown[i]).error, seL4_IllegalOperation);
        CHECK_EQ(seL4_X86_VCPU_WriteMSR(vcpu, unknown[i], 0).error, seL4_IllegalOperation);
    }
    CHECK_EQ(seL4_X86_VCPU_WriteMSR(vcpu, VCPU_MSR_VMX_MISC, 0).error, seL4_IllegalOperation);
    bool more = extensions & BULKHEAD_EXT_VCPU_STATE;

    CHECK_EQ(seL4_X86_VCPU_WriteMSR(vcpu, VCPU_MSR_KERNEL_GS_BASE, 0x1234).error,
             more ? 0 : seL4_IllegalOperation);
    if (more)
        CHECK_EQ(seL4_X86_VCPU_ReadMSR(vcpu, VCPU_MSR_KERNEL_GS_BASE).value, 0x1234);
    /* The answer to a write has no length, but its word. */
    struct message m =
        sys(seL4_SysCall, vcpu, INFO(X86VCPUWriteMSR, 2), VCPU_MSR_STAR, 77, 0, 0, 0, 0);

    CHECK_EQ(m.info.words[0], 0);
    CHECK_EQ(m.word[0], 77);
}

/* Addresses that are not canonical must hurt nobody: neither now nor when the guest is entered. */
static void hostile_msrs(void)
{
    struct vm vm;
    struct vmenter_message m;
    static const seL4_Word msr[] = { VCPU_MSR_STAR, VCPU_MSR_LSTAR, VCPU_MSR_CSTAR, VCPU_MSR_SFMASK,
                                     VCPU_MSR_KERNEL_GS_BASE };

    vm_create(&vm, 0);
    vm_bind(&vm, seL4_CapInitThreadTCB);
    vm_set_mode(&vm, VM_LONG);
    vm.memory[VM_CODE] = 0xf4;
    for (unsigned i = 0; i < ARRAY_LENGTH(msr); i++) {
        seL4_X86_VCPU_WriteMSR(vm.vcpu, msr[i], 0x8000000000000000);
        vm_run(&vm, &m, VM_CODE);
        seL4_X86_VCPU_WriteMSR(vm.vcpu, msr[i], ~0ul);
        vm_run(&vm, &m, VM_CODE);
        CHECK_EQ(seL4_X86_VCPU_WriteMSR(vm.vcpu, msr[i], 0).error == 0 || i == 4, true);
        CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_HLT);
    }
}

/* --- VMEnter --------------------------------------------------------------------------------- */

/* A thread without VCPU: an unknown system call. */
static void enter_without_vcpu(void)
{
    seL4_CPtr faults = object_new(seL4_EndpointObject, 0);
    struct call call = { .number = seL4_SysVMEnter };
    struct thread *t =
        thread_create(0, thread_call, (seL4_Word)&call, HELPER_PRIORITY, 5000, 5000, faults);

    thread_start(t);
    struct message m = sys(seL4_SysNBWait, faults, INFO(0, 0), 0, 0, 0, 0, 0, 0);

    CHECK_EQ(LABEL(m), seL4_Fault_UnknownSyscall);
    CHECK_EQ(seL4_GetMR(seL4_UnknownSyscall_Syscall), -32l);
}

/* Without an EPT root the guest finds no memory. */
static void enter_without_memory(void)
{
    struct vm vm;
    struct vmenter_message m;

    vm_create(&vm, 0);
    REQUIRE_OK(seL4_X86_VCPU_SetTCB(vm.vcpu, seL4_CapInitThreadTCB));
    vm_set_mode(&vm, VM_LONG);
    CHECK_EQ(vm_run(&vm, &m, VM_CODE), VMX_EXIT_EPT_VIOLATION);
    CHECK_EQ(exit_word(VMENTER_MR_GUEST_PHYSICAL) & ~0xffful, 0x1000);
}

/* A fresh VCPU: entering it is refused, or it runs what it finds; the timer ends that. */
static void enter_fresh(void)
{
    struct vm vm;
    struct vmenter_message m;

    vm_create(&vm, 0);
    if (!(extensions & BULKHEAD_EXT_VCPU_TIMER))
        group_skip("no timer to end what runs for ever");
    vm_bind(&vm, seL4_CapInitThreadTCB);
    seL4_Word reason = vm_run_extended(&vm, &m, 0, VCPU_ACTIVITY_ACTIVE, 1000);

    CHECK(reason != VM_NOTIFIED);
    CHECK(reason <= 64 || reason == VMX_EXIT_ENTRY_REFUSED);
}

/* Without an IPC buffer the guest runs all the same, but where it was: the message is not read. */
static struct vm vm_of_thread;

static void enter_main(struct thread *self, seL4_Word rip)
{
    struct message m = sys(seL4_SysVMEnter, 0, INFO(0, 0), rip, vm_of_thread.primary, 0, 0, 0, 0);

    self->result[0] = m.info.words[0];
    self->result[1] = m.word[0];
    self->result[2] = m.word[3];
    self->done = 1;
}

static void enter_without_buffer(void)
{
    struct vm *vm = &vm_of_thread;
    struct thread *t;

    vm_create(vm, 0);
    vm_set_mode(vm, VM_LONG);
    vm->memory[VM_CODE] = 0xf4;
    vm_write(vm, VMCS_GUEST_RIP, VM_CODE);
    vm_write(vm, VMCS_PRIMARY_CONTROLS, vm->primary);
    t = thread_create(0, enter_main, 0x1234, HELPER_PRIORITY, 5000, 5000, 0);
    REQUIRE_OK(seL4_TCB_SetIPCBuffer(t->tcb, 0, 0));
    vm_bind(vm, t->tcb);
    thread_start(t);
    CHECK(t->done);
    CHECK_EQ(vm_read(vm, VMCS_GUEST_RIP), VM_CODE);
}

/* Two threads, one after the other, run the same VCPU. */
static void moved_vcpu(void)
{
    struct vm *vm = &vm_of_thread;
    struct thread *t;

    vm_create(vm, 0);
    vm_set_mode(vm, VM_LONG);
    vm->memory[VM_CODE] = 0xf4;
    for (unsigned i = 0; i < 2; i++) {
        t = thread_create(i, enter_main, VM_CODE, HELPER_PRIORITY, 5000, 5000, 0);
        vm_bind(vm, t->tcb);
        thread_start(t);
        CHECK(t->done);
        CHECK_EQ(t->result[0], SEL4_VMENTER_RESULT_FAULT);
        CHECK_EQ(t->result[1], VM_CODE);
        CHECK_EQ(t->result[2], VMX_EXIT_HLT);
    }
}

TEST_SUITE(vcpu, { "without virtualisation", without_virtualisation },
           { "short messages", short_messages }, { "binding", binding },
           { "plain fields", plain_fields }, { "filtered fields", filtered_fields },
           { "refused fields", refused_fields }, { "kept fields", kept_fields },
           { "refused entries", refused_entries }, { "MSRs", msrs },
           { "hostile MSRs", hostile_msrs }, { "enter without VCPU", enter_without_vcpu },
           { "enter without memory", enter_without_memory }, { "enter fresh", enter_fresh },
           { "enter without buffer", enter_without_buffer }, { "moved VCPU", moved_vcpu });
