/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The API's VCPU fields on VT-x. Nearly each is the VMCS's field of that name; others are in
 * memory, and some in both. What is in neither, nor in vmx_apic.c or virt_fields.c, is refused.
 * Sources: ABI sections 11.3 and 11.4; Intel SDM volume 3, appendix B (encodings).
 */
#include "abi/vcpu.h"
#include "abi/vmcs.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/virt_fields.h"
#include "kernel/x86/virt/vmx/vmx_instructions.h"
#include "kernel/x86/virt/vmx/vmx_priv.h"

#define STATE(encoding, access, member) VIRT_STATE_FIELD(encoding, access, struct vmx_state, member)

static const struct virt_field fields[] = {
    /* Copies of what the VMCS has: read here, written in both places. */
    STATE(VMCS_GUEST_CR3, RW, cr3),
    STATE(VMCS_GUEST_RIP, RW, rip),
    STATE(VMCS_GUEST_RFLAGS, RW, rflags),
    STATE(VMCS_GUEST_INTERRUPTIBILITY, RW, interruptibility),

    /* Kept for a monitor that saves and restores them, without effect: guests have no performance
     * counters, and the timer is the kernel's. */
    STATE(VMCS_GUEST_PERF_GLOBAL_CTRL, RW, perf_global_ctrl),
    STATE(VMCS_PREEMPTION_TIMER, RW, preemption_timer),

    STATE(VMCS_PIN_CONTROLS, RW, pin),
    STATE(VMCS_PRIMARY_CONTROLS, RW, primary),
    STATE(VMCS_SECONDARY_CONTROLS, RW, secondary),
    STATE(VMCS_EXIT_CONTROLS, RW, exit_controls),
    STATE(VMCS_EXCEPTION_BITMAP, RW, exception_bitmap),
    STATE(VMCS_CR0_MASK, RW, cr0_mask),
    STATE(VMCS_CR0_SHADOW, RW, cr0_shadow),
    STATE(VMCS_CR4_MASK, RW, cr4_mask),
    STATE(VMCS_CR4_SHADOW, RW, cr4_shadow),
    STATE(VMCS_ENTRY_INTERRUPTION_INFO, RW, entry_info),
    STATE(VMCS_ENTRY_EXCEPTION_ERROR, W, entry_error),
    STATE(VMCS_ENTRY_INSTRUCTION_LENGTH, RW, entry_length),
    STATE(VMCS_INSTRUCTION_ERROR, R, instruction_error),

    STATE(VCPU_FIELD_CR2, RW, cr2),
    STATE(VCPU_FIELD_DR6, RW, dr6),
};

/* Fields of the VMCS: all even encodings from first to last. */
static const struct {
    u32 first, last;
    enum virt_access access;
} in_vmcs[] = {
    { VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_TR_SELECTOR, RW },
    { VMCS_GUEST_DEBUGCTL, VMCS_GUEST_EFER, RW },
    { VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE3, RW },
    { VMCS_GUEST_ES_LIMIT, VMCS_GUEST_SYSENTER_CS, RW },
    { VMCS_GUEST_CR0, VMCS_GUEST_SYSENTER_EIP, RW },
    { VMCS_TSC_OFFSET, VMCS_TSC_OFFSET, RW },
    { VMCS_ENTRY_CONTROLS, VMCS_ENTRY_CONTROLS, RW },
    { VMCS_EXIT_INSTRUCTION_INFO, VMCS_EXIT_INSTRUCTION_INFO, R },
    { VMCS_IO_RCX, VMCS_GUEST_LINEAR_ADDRESS, R },
};

static bool is_in_vmcs(u64 encoding, enum virt_access access)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(in_vmcs); i++)
        if (encoding >= in_vmcs[i].first && encoding <= in_vmcs[i].last)
            return (in_vmcs[i].access & access) && !(encoding & 1);
    return false;
}

void vmx_clear_fields(void)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(in_vmcs); i++)
        for (u32 field = in_vmcs[i].first; field <= in_vmcs[i].last; field += 2)
            if (in_vmcs[i].access & W)
                vmwrite(field, 0);
}

bool vmx_read_current(struct vcpu *vcpu, u64 encoding, u64 *value)
{
    if (virt_load(vcpu, fields, ARRAY_LENGTH(fields), encoding, value))
        return true;
    if (!is_in_vmcs(encoding, R))
        return vmx_apic_read_field(vcpu, encoding, value) || virt_read_field(vcpu, encoding, value);
    *value = vmread((u32)encoding);
    if (encoding == VMCS_GUEST_CR0)
        *value = (*value & ~CR0_CACHE) | vmx_state(vcpu)->cr0_cache;
    if (encoding == VMCS_GUEST_ACTIVITY && vcpu->activity)
        *value = vcpu->activity;
    return true;
}

static void finish_write(struct vcpu *vcpu, u64 encoding, u64 value)
{
    struct vmx_state *state = vmx_state(vcpu);

    switch (encoding) {
    case VMCS_GUEST_CR0:
        state->cr0_cache = value & CR0_CACHE;
        state->attention |= VMX_CONTROLS | VMX_RETAG;
        break;
    case VMCS_GUEST_CR3:
    case VMCS_GUEST_CR4:
    case VMCS_GUEST_EFER:
        state->attention |= VMX_RETAG;
        break;
    case VMCS_PIN_CONTROLS:
    case VMCS_PRIMARY_CONTROLS:
    case VMCS_SECONDARY_CONTROLS:
    case VMCS_EXIT_CONTROLS:
    case VMCS_EXCEPTION_BITMAP:
    case VMCS_CR0_MASK ... VMCS_CR4_SHADOW:
    case VMCS_GUEST_DR7: /* may enable breakpoints, whose addresses the next entry must load */
        state->attention |= VMX_CONTROLS;
        break;
    case VMCS_GUEST_ACTIVITY: /* who sleeps is not entered */
        vcpu->activity = (u32)value;
        vmwrite(VMCS_GUEST_ACTIVITY, VMX_ACTIVITY_ACTIVE);
        break;
    default:
        break;
    }
}

bool vmx_write_current(struct vcpu *vcpu, u64 encoding, u64 value, u64 *written)
{
    u64 accepted = vmx_filter(encoding, value);
    bool in_memory = virt_store(vcpu, fields, ARRAY_LENGTH(fields), encoding, accepted);

    if (is_in_vmcs(encoding, W))
        vmwrite((u32)encoding, accepted);
    else if (!in_memory)
        return vmx_apic_write_field(vcpu, encoding, value, written) ||
               virt_write_field(vcpu, encoding, value, written);
    *written = accepted;
    finish_write(vcpu, encoding, accepted);
    return true;
}

/* --- MSRs ------------------------------------------------------------------------------------ */

u64 *vmx_syscall_msr(struct vmx_state *state, u64 msr)
{
    switch (msr) {
    case MSR_STAR:
        return &state->star;
    case MSR_LSTAR:
        return &state->lstar;
    case MSR_CSTAR:
        return &state->cstar;
    case MSR_SFMASK:
        return &state->sfmask;
    default:
        return NULL;
    }
}

/* Any value is kept; what the processor would not take becomes another when it is loaded. */
u64 *vmx_msr(struct vcpu *vcpu, u64 msr, bool is_write)
{
    if (is_write)
        vmx_state(vcpu)->attention |= VMX_MSRS; /* or TSC_AUX: it is loaded by who looks at these */
    else if (msr == VCPU_MSR_VMX_MISC)
        return &vmx_capabilities.misc;
    if (msr == MSR_TSC_AUX)
        return cpu.rdtscp ? &vcpu->tsc_aux : NULL;
    return msr == MSR_KERNEL_GS_BASE ? &vmx_state(vcpu)->kernel_gs_base
                                     : vmx_syscall_msr(vmx_state(vcpu), msr);
}
