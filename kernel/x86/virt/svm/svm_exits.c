/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AMD-V exit codes as VMX exit reasons and qualifications.
 * Sources: APM volume 2, appendix C and chapter 15; SDM volume 3, appendix C (basic exit reasons)
 * and 28.2 (exit qualifications).
 */
#include "abi/vmcs.h"
#include "kernel/core/panic.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/virt/svm/svm_priv.h"

/* Vectors that push an error code: 8, 10-14, 17, 21, 29, 30. */
#define VECTORS_WITH_ERROR 0x60227d00u

/* Exits that need nothing but their reason, and the length of the instruction if that is fixed. */
#define SIMPLE_FIRST SVM_EXIT_RDTSC
#define SIMPLE_LAST  SVM_EXIT_XSETBV

/* clang-format off */
static const struct {
    u8 reason, length;
} simple_exits[SIMPLE_LAST - SIMPLE_FIRST + 1] = {
#define SIMPLE(code, reason, length)                                                               \
    [SVM_EXIT_##code - SIMPLE_FIRST] = { VMX_EXIT_##reason, length }
    SIMPLE(CPUID, CPUID, 2),
    SIMPLE(HLT, HLT, 1),
    SIMPLE(VMMCALL, VMCALL, 3),
    SIMPLE(SHUTDOWN, TRIPLE_FAULT, 0),
    SIMPLE(RDTSC, RDTSC, 0), /* RDTSCP too, in QEMU: 2 or 3 bytes */
    SIMPLE(RDTSCP, RDTSCP, 3),
    SIMPLE(RDPMC, RDPMC, 2),
    SIMPLE(INVD, INVD, 2),
    SIMPLE(WBINVD, WBINVD, 2),
    SIMPLE(PAUSE, PAUSE, 2),
    SIMPLE(MONITOR, MONITOR, 3),
    SIMPLE(MWAIT, MWAIT, 3),
    SIMPLE(MWAIT_CONDITIONAL, MWAIT, 3),
    SIMPLE(XSETBV, XSETBV, 3),
    SIMPLE(RSM, RSM, 2),
#undef SIMPLE
};
/* clang-format on */

/* Of exits that no intercept of ours asks for the processor knows more than we do; the monitor
 * decides. */
static enum guest_outcome simple_exit(struct vcpu *vcpu, u64 code)
{
    if (code < SIMPLE_FIRST || code > SIMPLE_LAST || !simple_exits[code - SIMPLE_FIRST].reason) {
        vcpu->exit.reason = VMX_EXIT_INVALID_GUEST_STATE;
        return GUEST_EXIT;
    }
    vcpu->exit.reason = simple_exits[code - SIMPLE_FIRST].reason;
    vcpu->exit.instruction_length = simple_exits[code - SIMPLE_FIRST].length;
    return GUEST_EXIT;
}

static void qualified(struct vcpu *vcpu, u64 reason, u64 qualification)
{
    vcpu->exit.reason = reason;
    vcpu->exit.qualification = qualification;
    vcpu->exit.detailed = true;
}

/*
 * The guest gets an event without its monitor. It goes by way of the core's pending interrupts, so
 * that a guest whose every step raises another exception cannot keep them out, and a monitor that
 * is notified meanwhile sees the event in the message.
 */
static enum guest_outcome give_back(struct vcpu *vcpu, u64 info, u64 error)
{
    struct svm_state *state = svm_state(vcpu);

    state->entry_info = EVENT_VALID | info;
    state->entry_error = error;
    return GUEST_INTERRUPT;
}

static enum guest_outcome exception_exit(struct vcpu *vcpu, unsigned vector)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    bool has_error = VECTORS_WITH_ERROR >> vector & 1;
    u64 error = vmcb->control.exit_info1 & MASK(32);
    u64 info = VMX_EVENT_EXCEPTION | vector | (has_error ? EVENT_ERROR_VALID : 0);

    if (vector == VECTOR_MC)
        panic("machine check while a guest ran");
    if (!(svm_state(vcpu)->exception_bitmap & BIT(vector))) {
        if (vector == VECTOR_PF)
            vmcb->save.cr2 = vmcb->control.exit_info2; /* an intercepted one has not written it */
        return give_back(vcpu, info, error);
    }

    u64 qualification = vector == VECTOR_PF   ? vmcb->control.exit_info2
                        : vector == VECTOR_DB ? vmcb->save.dr6 & 0x600f
                                              : 0;

    qualified(vcpu, VMX_EXIT_EXCEPTION_NMI, qualification);
    vcpu->exit.interruption_info = EVENT_VALID | info;
    vcpu->exit.interruption_error = has_error ? error : 0;
    return GUEST_EXIT;
}

/* EXITINFO1 bit 63 says that bits 0-3 name the general register (decode assists, 15.33). */
static enum guest_outcome control_register_exit(struct vcpu *vcpu, u64 code)
{
    bool is_read = code < SVM_EXIT_CR0_WRITE;
    const struct vmcb_control *control = &svm_vmcb(vcpu)->control;
    u64 gpr = control->exit_info1 >> 63 ? control->exit_info1 & 0xf : 0;

    qualified(vcpu, VMX_EXIT_CR_ACCESS, (code & 15) | (u64)is_read << 4 | gpr << 8);
    if (control->exit_info1 >> 63 && control->next_rip)
        vcpu->exit.instruction_length = control->next_rip - svm_vmcb(vcpu)->save.rip;
    return GUEST_EXIT;
}

static enum guest_outcome debug_register_exit(struct vcpu *vcpu, u64 code)
{
    bool is_read = code < SVM_EXIT_DR0_WRITE;
    const struct vmcb_control *control = &svm_vmcb(vcpu)->control;

    if (!(svm_state(vcpu)->primary & VMX_PRIMARY_MOV_DR)) {
        virt_debug_load(vcpu); /* first use since somebody else's: the instruction runs again */
        return GUEST_RESUME;
    }
    qualified(vcpu, VMX_EXIT_MOV_DR,
              (code & 15) | (u64)is_read << 4 | (control->exit_info1 & 0xf) << 8);
    return GUEST_EXIT;
}

/* EXITINFO1 (15.10.2): bit 0 in, 2 string, 3 repeat, 4-6 size in bytes as one bit, 16-31 port. */
#define IO_STRING BIT(2)

static enum guest_outcome io_exit(struct vcpu *vcpu)
{
    const struct vmcb *vmcb = svm_vmcb(vcpu);
    u64 info = vmcb->control.exit_info1;
    u64 size = (info >> 4) & 7;

    qualified(vcpu, VMX_EXIT_IO,
              (size - 1) | (info & 1) << 3 | (info >> 2 & 3) << 4 | (info & 0xffff0000u));
    vcpu->exit.detailed = (info & IO_STRING) != 0;
    vcpu->exit.instruction_length = vmcb->control.exit_info2 - vmcb->save.rip;
    return GUEST_EXIT;
}

static enum guest_outcome msr_exit(struct vcpu *vcpu)
{
    vcpu->exit.reason = svm_vmcb(vcpu)->control.exit_info1 ? VMX_EXIT_WRMSR : VMX_EXIT_RDMSR;
    vcpu->exit.instruction_length = 2;
    return GUEST_EXIT;
}

static enum guest_outcome nested_page_fault(struct vcpu *vcpu)
{
    const struct vmcb_control *control = &svm_vmcb(vcpu)->control;
    u64 info = control->exit_info1;
    u64 access = info & NPF_FETCH ? 4 : info & NPF_WRITE ? 2 : 1;
    /* The entry was there: readable and executable, as all of ours are. */
    u64 permissions = info & NPF_PRESENT ? 5u << 3 : 0;

    qualified(vcpu, VMX_EXIT_EPT_VIOLATION,
              access | permissions | (info & NPF_FINAL ? 1u << 8 : 0));
    vcpu->exit.guest_physical = control->exit_info2;
    return GUEST_EXIT;
}

/*
 * The event whose delivery the exit interrupted. QEMU reports a virtual interrupt's as an exception
 * with a vector above 31; it is still pending and must not be injected (docs/emulators.md, section
 * 3).
 */
static void record_vectoring(struct vcpu *vcpu)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    struct svm_state *state = svm_state(vcpu);
    u64 info = vmcb->control.exit_int_info;
    bool is_virtual = EVENT_TYPE(info) == EVENT_EXCEPTION && EVENT_VECTOR(info) > 31;

    if (!(info & EVENT_VALID) || is_virtual)
        return;
    vcpu->exit.vectoring_info = info & (EVENT_VALID | MASK(12));
    vcpu->exit.vectoring_error = info >> 32;
    if (EVENT_TYPE(info) == EVENT_NMI)
        svm_block_nmi(vcpu, false); /* not delivered: it does not block the next attempt */
    if (state->soft_event_advanced)
        vmcb->save.rip -= state->entry_length; /* delivery failed: the instruction starts again */
    state->exit_rip = vmcb->save.rip;
}

/* For the host: an NMI and the like was taken when GIF was set. What it interrupted is given again.
 */
static enum guest_outcome host_event(struct vcpu *vcpu)
{
    if (vcpu->exit.vectoring_info)
        return give_back(vcpu, vcpu->exit.vectoring_info, vcpu->exit.vectoring_error);
    return GUEST_INTERRUPT;
}

/* One that nobody asked for is not the monitor's, and not the guest's vector 0 either. */
static enum guest_outcome interrupt_window_exit(struct vcpu *vcpu)
{
    apic_look_again();
    if (!(svm_state(vcpu)->primary & VMX_PRIMARY_INTERRUPT_WINDOW))
        return GUEST_RESUME;
    vcpu->exit.reason = VMX_EXIT_INTERRUPT_WINDOW;
    return GUEST_EXIT;
}

/* What is rare: kept apart, so that the rest needs no stack frame for it. */
static __attribute__((noinline)) enum guest_outcome rare_exit(struct vcpu *vcpu, u64 code)
{
    const struct vmcb_control *control = &svm_vmcb(vcpu)->control;

    if (control->exit_int_info & EVENT_VALID)
        record_vectoring(vcpu);

    switch (code) {
    case SVM_EXIT_INTR:
    case SVM_EXIT_NMI:
    case SVM_EXIT_SMI:
    case SVM_EXIT_INIT:
        return host_event(vcpu);
    case SVM_EXIT_CR0_READ ... SVM_EXIT_CR0_WRITE + 15:
        return control_register_exit(vcpu, code);
    case SVM_EXIT_DR0_READ ... SVM_EXIT_DR0_WRITE + 15:
        return debug_register_exit(vcpu, code);
    case SVM_EXIT_EXCEPTION ... SVM_EXIT_EXCEPTION + 31:
        return exception_exit(vcpu, (unsigned)code & 31);
    case SVM_EXIT_IDTR_READ ... SVM_EXIT_TR_WRITE: /* IDTR GDTR LDTR TR, reads then writes */
        qualified(vcpu, (code - SVM_EXIT_IDTR_READ) & 2 ? VMX_EXIT_LDTR_TR : VMX_EXIT_GDTR_IDTR, 0);
        return GUEST_EXIT;
    case SVM_EXIT_VINTR:
        return interrupt_window_exit(vcpu);
    case SVM_EXIT_IRET:
        return svm_iret_exit(vcpu);
    case SVM_EXIT_INVLPG:
        qualified(vcpu, VMX_EXIT_INVLPG, control->exit_info1);
        return GUEST_EXIT;
    case SVM_EXIT_IO:
        return io_exit(vcpu);
    case SVM_EXIT_MSR:
        return msr_exit(vcpu);
    case SVM_EXIT_TASK_SWITCH:
        qualified(vcpu, VMX_EXIT_TASK_SWITCH, control->exit_info1 & 0xffff);
        return GUEST_EXIT;
    case SVM_EXIT_NESTED_PAGE_FAULT:
        return nested_page_fault(vcpu);
    case SVM_EXIT_VMRUN:
    case SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT:
    case SVM_EXIT_INVLPGA:
    case SVM_EXIT_RDPRU:
    case SVM_EXIT_INVLPGB ... SVM_EXIT_TLBSYNC:
        return give_back(vcpu, VMX_EVENT_EXCEPTION | VECTOR_UD, 0); /* shown to no guest */
    default:
        return simple_exit(vcpu, code);
    }
}

enum guest_outcome svm_exit(struct vcpu *vcpu)
{
    const struct vmcb_control *control = &svm_vmcb(vcpu)->control;
    u64 code = control->exit_code & MASK(32);

    vcpu_exit_begin(&vcpu->exit);
    if (!(control->exit_int_info & EVENT_VALID)) {
        switch (code) {
        case SVM_EXIT_CPUID:
            return simple_exit(vcpu, code);
        case SVM_EXIT_IO:
            return io_exit(vcpu);
        case SVM_EXIT_MSR:
            return msr_exit(vcpu);
        case SVM_EXIT_NESTED_PAGE_FAULT:
            return nested_page_fault(vcpu);
        default:
            break;
        }
    }
    return rare_exit(vcpu, code);
}
