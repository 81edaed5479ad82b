/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits. The API's vocabulary is VT-x's own, so most go to the monitor as they are; what is dealt
 * with here is what the monitor must not notice: interrupts of the machine, the debug registers,
 * the system call MSRs, and exceptions that nobody asked for.
 * Sources: Intel SDM volume 3, 28.2 (information about exits), 28.3.4 (interruptibility), 31.7.1.2
 * and 28.2.3 (events whose delivery an exit interrupted), appendix C (basic exit reasons).
 */
#include "abi/vmcs.h"
#include "kernel/core/panic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/vmx/vmx_instructions.h"
#include "kernel/x86/virt/vmx/vmx_priv.h"

#define R(reason) BIT(VMX_EXIT_##reason)

/* Instructions that are the monitor's, and have no qualification. */
#define PLAIN                                                                                      \
    (R(CPUID) | R(GETSEC) | R(HLT) | R(INVD) | R(RDPMC) | R(RDTSC) | R(VMCALL) | R(MONITOR) |      \
     R(PAUSE) | R(RDTSCP) | R(WBINVD) | R(XSETBV))
/* Others of which it is known that they interrupt no delivery of an event (28.2.4). */
#define INSTRUCTIONS (R(INVLPG) | R(CR_ACCESS) | R(MOV_DR) | R(MWAIT))
/* Reasons that the API gives a qualification for (ABI section 11.2). */
#define QUALIFIED                                                                                  \
    (R(EXCEPTION_NMI) | R(SIPI) | R(TASK_SWITCH) | R(INVLPG) | R(VMCLEAR) | R(VMPTRLD) |           \
     R(VMPTRST) | R(VMREAD) | R(VMWRITE) | R(VMXON) | R(CR_ACCESS) | R(MOV_DR) | R(IO) |           \
     R(MWAIT) | R(TPR_BELOW_THRESHOLD) | R(APIC_ACCESS) | R(GDTR_IDTR) | R(LDTR_TR) |              \
     R(VIRTUALIZED_EOI) | R(APIC_WRITE) | R(EPT_VIOLATION) | R(INVEPT) | R(INVVPID))

#define REASON_MASK       MASK(16)
#define OF_ENTRY          BIT(31)
#define NMI_UNBLOCKED     BIT(12) /* of an EPT violation's qualification: an IRET did it */
#define DR7_GD            BIT(13)
#define DEBUG_HITS        0xfull
#define DEBUG_CONDITIONS  0x600full /* of a #DB's qualification: as in DR6 */
#define PENDING_STEP      BIT(14)
#define MSR_ACCESS_LENGTH 2

static inline bool is_among(u64 reasons, u64 reason)
{
    return reason < 64 && (reasons >> reason & 1);
}

static void set_interruptibility(struct vmx_state *state, u64 value)
{
    if (value == state->interruptibility)
        return;
    state->interruptibility = value;
    state->attention |= VMX_SHADOW;
}

/* --- events that must not get lost ------------------------------------------------------------ */

/*
 * The guest gets an event without its monitor. It goes by way of the core's pending interrupts, so
 * that a guest whose every step raises another exception cannot keep them out, and a monitor that
 * is notified meanwhile sees the event in the message.
 */
static enum guest_outcome give_back(struct vcpu *vcpu, u64 info, u64 error, u64 length)
{
    struct vmx_state *state = vmx_state(vcpu);

    state->entry_info = info & (VMX_EVENT_VALID | MASK(12));
    state->entry_error = error;
    state->entry_length = length;
    return GUEST_INTERRUPT;
}

/* The event whose delivery the exit interrupted. An NMI that was not delivered blocks no other. */
static void record_vectoring(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);
    u64 info = vmread(VMCS_IDT_VECTORING_INFO);

    if (!(info & VMX_EVENT_VALID))
        return;
    vcpu->exit.vectoring_info = info & (VMX_EVENT_VALID | MASK(12));
    if (info & VMX_EVENT_ERROR_CODE)
        vcpu->exit.vectoring_error = vmread(VMCS_IDT_VECTORING_ERROR);
    if ((info & VMX_EVENT_TYPE_MASK) == VMX_EVENT_NMI)
        set_interruptibility(state, state->interruptibility & ~(u64)VMX_INTERRUPTIBILITY_NMI);
}

/* For the host, which takes it as soon as it can. What it interrupted is given again. */
static enum guest_outcome host_event(struct vcpu *vcpu)
{
    const struct vcpu_exit *exit = &vcpu->exit;

    if (exit->vectoring_info)
        return give_back(vcpu, exit->vectoring_info, exit->vectoring_error,
                         exit->instruction_length);
    return GUEST_INTERRUPT;
}

/* --- exceptions ------------------------------------------------------------------------------ */

/* What the processor does to the debug registers before it delivers a #DB; an exit comes first. */
static void debug_exception(struct vcpu *vcpu, u64 conditions)
{
    struct vmx_state *state = vmx_state(vcpu);

    state->dr6 = (state->dr6 & ~DEBUG_HITS) | (conditions & DEBUG_CONDITIONS);
    vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
}

static enum guest_outcome exception_exit(struct vcpu *vcpu)
{
    u64 info = vmread(VMCS_EXIT_INTERRUPTION_INFO);
    u64 vector = info & VMX_EVENT_VECTOR_MASK;
    u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);

    if ((info & VMX_EVENT_TYPE_MASK) == VMX_EVENT_NMI) {
        vmx_host_nmi();
        return host_event(vcpu);
    }
    if (vector == VECTOR_MC)
        panic("machine check while a guest ran");
    if (info & VMX_EVENT_ERROR_CODE)
        vcpu->exit.interruption_error = vmread(VMCS_EXIT_INTERRUPTION_ERROR);
    if (!(vmx_state(vcpu)->exception_bitmap & BIT(vector & 31))) {
        if (vector == VECTOR_DB)
            debug_exception(vcpu, qualification);
        return give_back(vcpu, info, vcpu->exit.interruption_error, vcpu->exit.instruction_length);
    }
    vcpu->exit.reason = VMX_EXIT_EXCEPTION_NMI;
    vcpu->exit.qualification = qualification;
    vcpu->exit.detailed = true;
    vcpu->exit.interruption_info = info;
    return GUEST_EXIT;
}

/* --- instructions that are done here ---------------------------------------------------------- */

/* As the processor leaves an instruction behind: shadows end, and a single step is due. */
static void skip_instruction(struct vcpu *vcpu, u64 length)
{
    struct vmx_state *state = vmx_state(vcpu);

    state->rip += length;
    set_interruptibility(state, state->interruptibility & ~VMX_SHADOWS);
    if (state->rflags & RFLAGS_TF)
        vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_STEP);
}

/* STAR, LSTAR, CSTAR and SFMASK follow each other. Others exit more often: no call for these. */
static inline bool is_syscall_msr(u64 rcx)
{
    return (u32)rcx - MSR_STAR <= MSR_SFMASK - MSR_STAR;
}

/* What WRMSR would not take is left to the monitor. */
static bool msr_takes(u32 msr, u64 value)
{
    if (msr == MSR_LSTAR || msr == MSR_CSTAR)
        return vmx_canonical(value) == value;
    return msr != MSR_SFMASK || value >> 32 == 0;
}

static bool write_syscall_msr(struct vcpu *vcpu)
{
    u32 msr = (u32)vcpu->gpr[GPR_RCX];
    u64 value = (vcpu->gpr[GPR_RAX] & MASK(32)) | vcpu->gpr[GPR_RDX] << 32;
    u64 *place = vmx_syscall_msr(vmx_state(vcpu), msr);

    if (!place || !msr_takes(msr, value))
        return false;
    *place = value;
    vmx_state(vcpu)->attention |= VMX_MSRS;
    skip_instruction(vcpu, MSR_ACCESS_LENGTH);
    return true;
}

static bool read_syscall_msr(struct vcpu *vcpu)
{
    const u64 *place = vmx_syscall_msr(vmx_state(vcpu), (u32)vcpu->gpr[GPR_RCX]);

    if (!place)
        return false;
    vcpu->gpr[GPR_RAX] = *place & MASK(32);
    vcpu->gpr[GPR_RDX] = *place >> 32;
    skip_instruction(vcpu, MSR_ACCESS_LENGTH);
    return true;
}

/* --- all of them ----------------------------------------------------------------------------- */

static enum guest_outcome ept_violation(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);
    u64 qualification = vcpu->exit.qualification;

    vmread_to(VMCS_GUEST_PHYSICAL_ADDRESS, &vcpu->exit.guest_physical);
    /* The IRET will be executed again: until then NMIs are blocked as they were. */
    if ((qualification & NMI_UNBLOCKED) && !vcpu->exit.vectoring_info)
        set_interruptibility(state, state->interruptibility | VMX_INTERRUPTIBILITY_NMI);
    return GUEST_EXIT;
}

static inline enum guest_outcome monitor_exit(struct vcpu *vcpu, u64 reason)
{
    vcpu->exit.reason = reason;
    if (is_among(QUALIFIED, reason)) {
        vmread_to(VMCS_EXIT_QUALIFICATION, &vcpu->exit.qualification);
        vcpu->exit.detailed = true;
    }
    return GUEST_EXIT;
}

static inline enum guest_outcome plain_exit(struct vcpu *vcpu, u64 reason)
{
    struct vcpu_exit *exit = &vcpu->exit;

    vcpu_exit_begin(exit);
    exit->reason = reason;
    vmread_to(VMCS_EXIT_INSTRUCTION_LENGTH, &exit->instruction_length);
    return GUEST_EXIT;
}

/* Done here, or left to the monitor. */
static __attribute__((noinline, cold)) enum guest_outcome syscall_msr_exit(struct vcpu *vcpu,
                                                                           u64 reason)
{
    bool done = reason == VMX_EXIT_RDMSR ? read_syscall_msr(vcpu) : write_syscall_msr(vcpu);

    return done ? GUEST_RESUME : plain_exit(vcpu, reason);
}

/*
 * An EPT violation has none but where it interrupted an event's delivery (28.2.5). A plain message
 * has what is in the field all the same: real processors give the length there, and monitors of
 * seL4's use it.
 */
static inline bool has_length(const struct vcpu *vcpu, u64 reason)
{
    return reason != VMX_EXIT_EPT_VIOLATION || vcpu->exit.vectoring_info || !vcpu->extended;
}

/* All others, and failures. */
static __attribute__((noinline)) enum guest_outcome rare_exit(struct vcpu *vcpu, u64 all)
{
    u64 reason = all & REASON_MASK;

    if (all & OF_ENTRY)
        return vmx_entry_failed(vcpu, reason);
    vcpu_exit_begin(&vcpu->exit);
    if (!is_among(INSTRUCTIONS, reason))
        record_vectoring(vcpu);
    if (has_length(vcpu, reason))
        vmread_to(VMCS_EXIT_INSTRUCTION_LENGTH, &vcpu->exit.instruction_length);

    switch (reason) {
    case VMX_EXIT_EXTERNAL_INTERRUPT:
    case VMX_EXIT_INIT:
    case VMX_EXIT_IO_SMI:
    case VMX_EXIT_SMI:
    case VMX_EXIT_PREEMPTION_TIMER:
        return host_event(vcpu);
    case VMX_EXIT_EXCEPTION_NMI:
        return exception_exit(vcpu);
    case VMX_EXIT_MOV_DR:
        if (vmx_state(vcpu)->primary & VMX_PRIMARY_MOV_DR)
            break;
        virt_debug_load(vcpu); /* first use since somebody else's: the instruction runs again */
        return GUEST_RESUME;
    case VMX_EXIT_EPT_VIOLATION:
        (void)monitor_exit(vcpu, reason);
        return ept_violation(vcpu);
    case VMX_EXIT_EPT_MISCONFIGURATION:
        vmread_to(VMCS_GUEST_PHYSICAL_ADDRESS, &vcpu->exit.guest_physical);
        break;
    default:
        break;
    }
    return monitor_exit(vcpu, reason);
}

/* --- what systems do often: without a stack frame, and only what the monitor is told ------------
 */

/* Only a string instruction has its monitor look at the guest's memory. */
static inline enum guest_outcome io_exit(struct vcpu *vcpu)
{
    struct vcpu_exit *exit = &vcpu->exit;
    u64 qualification;

    (void)plain_exit(vcpu, VMX_EXIT_IO);
    vmread_to(VMCS_EXIT_QUALIFICATION, &qualification);
    exit->qualification = qualification;
    exit->detailed = (qualification & VMX_IO_STRING) != 0;
    return GUEST_EXIT;
}

static inline enum guest_outcome msr_exit(struct vcpu *vcpu, u64 reason)
{
    if (is_syscall_msr(vcpu->gpr[GPR_RCX]))
        return syscall_msr_exit(vcpu, reason);
    return plain_exit(vcpu, reason);
}

enum guest_outcome vmx_exit(struct vcpu *vcpu, u64 reason)
{
    if (is_among(PLAIN, reason))
        return plain_exit(vcpu, reason);
    if (reason == VMX_EXIT_RDMSR || reason == VMX_EXIT_WRMSR)
        return msr_exit(vcpu, reason);
    return reason == VMX_EXIT_IO ? io_exit(vcpu) : rare_exit(vcpu, reason);
}
