/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The API's VCPU fields on AMD-V: one row says where a VMCS field lives here and which way it may
 * be accessed; how a value converts and what a write entails follows by encoding. What has no row
 * here or in virt_fields.c is refused; so are the guest/host masks and read shadows of CR0 and CR4,
 * which AMD-V lacks.
 * Sources: ABI sections 11.3 and 11.4; SDM volume 3, appendix B (encodings) and 25.4.1 (access
 * rights); APM volume 2, 4.8 (segment attributes) and 15.5.1 (canonicalisation and consistency
 * checks).
 */
#include "abi/vcpu.h"
#include "abi/vmcs.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/svm/svm_priv.h"
#include "kernel/x86/virt/virt_fields.h"

#define VMCB(encoding, access, member)  VIRT_FIELD(encoding, access, 0, struct vmcb, member)
#define STATE(encoding, access, member) VIRT_STATE_FIELD(encoding, access, struct svm_state, member)
#define SEGMENT(NAME, member)                                                                      \
    VMCB(VMCS_GUEST_##NAME##_SELECTOR, RW, save.member.selector),                                  \
        VMCB(VMCS_GUEST_##NAME##_LIMIT, RW, save.member.limit),                                    \
        VMCB(VMCS_GUEST_##NAME##_ACCESS_RIGHTS, RW, save.member.attributes),                       \
        VMCB(VMCS_GUEST_##NAME##_BASE, RW, save.member.base)
/* Always 0. */
#define NOTHING(encoding, access)                                                                  \
    {                                                                                              \
        encoding, access, 0, 0                                                                     \
    }

static const struct virt_field fields[] = {
    SEGMENT(ES, es),
    SEGMENT(CS, cs),
    SEGMENT(SS, ss),
    SEGMENT(DS, ds),
    SEGMENT(FS, fs),
    SEGMENT(GS, gs),
    SEGMENT(LDTR, ldtr),
    SEGMENT(TR, tr),
    VMCB(VMCS_GUEST_GDTR_LIMIT, RW, save.gdtr.limit),
    VMCB(VMCS_GUEST_GDTR_BASE, RW, save.gdtr.base),
    VMCB(VMCS_GUEST_IDTR_LIMIT, RW, save.idtr.limit),
    VMCB(VMCS_GUEST_IDTR_BASE, RW, save.idtr.base),

    VMCB(VMCS_GUEST_CR0, RW, save.cr0),
    VMCB(VMCS_GUEST_CR3, RW, save.cr3),
    VMCB(VMCS_GUEST_CR4, RW, save.cr4),
    VMCB(VMCS_GUEST_DR7, RW, save.dr7),
    VMCB(VMCS_GUEST_RSP, RW, save.rsp),
    VMCB(VMCS_GUEST_RIP, RW, save.rip),
    VMCB(VMCS_GUEST_RFLAGS, RW, save.rflags),
    VMCB(VMCS_GUEST_EFER, RW, save.efer),
    VMCB(VMCS_GUEST_PAT, RW, save.pat),
    VMCB(VMCS_GUEST_SYSENTER_CS, RW, save.sysenter_cs),
    VMCB(VMCS_GUEST_SYSENTER_ESP, RW, save.sysenter_esp),
    VMCB(VMCS_GUEST_SYSENTER_EIP, RW, save.sysenter_eip),
    VMCB(VMCS_GUEST_INTERRUPTIBILITY, RW, control.interrupt_shadow),

    /* Kept for a monitor that saves and restores them, without effect: guests have neither
     * performance counters nor SMM, the pin control of the timer does not exist, the processor
     * reads PDPTEs in memory, and DEBUGCTL only with LBR virtualisation, which is off. */
    VMCB(VMCS_GUEST_DEBUGCTL, RW, save.debugctl),
    STATE(VMCS_GUEST_PERF_GLOBAL_CTRL, RW, perf_global_ctrl),
    STATE(VMCS_GUEST_PDPTE0, RW, pdpte[0]),
    STATE(VMCS_GUEST_PDPTE1, RW, pdpte[1]),
    STATE(VMCS_GUEST_PDPTE2, RW, pdpte[2]),
    STATE(VMCS_GUEST_PDPTE3, RW, pdpte[3]),
    STATE(VMCS_GUEST_SMBASE, RW, smbase),
    STATE(VMCS_PREEMPTION_TIMER, RW, preemption_timer),
    NOTHING(VMCS_GUEST_PENDING_DEBUG, RW),

    STATE(VMCS_PIN_CONTROLS, RW, pin),
    STATE(VMCS_PRIMARY_CONTROLS, RW, primary),
    STATE(VMCS_SECONDARY_CONTROLS, RW, secondary),
    STATE(VMCS_EXIT_CONTROLS, RW, exit_controls),
    STATE(VMCS_ENTRY_CONTROLS, RW, entry_controls),
    STATE(VMCS_EXCEPTION_BITMAP, RW, exception_bitmap),
    STATE(VMCS_ENTRY_INTERRUPTION_INFO, RW, entry_info),
    STATE(VMCS_ENTRY_EXCEPTION_ERROR, W, entry_error),
    STATE(VMCS_ENTRY_INSTRUCTION_LENGTH, RW, entry_length),
    VMCB(VMCS_TSC_OFFSET, RW, control.tsc_offset),

    STATE(VMCS_INSTRUCTION_ERROR, R, instruction_error),
    /* Of exits to SMM only; and of EPT violations, whose qualification says that it is not known.
     */
    NOTHING(VMCS_IO_RCX, R),
    NOTHING(VMCS_IO_RSI, R),
    NOTHING(VMCS_IO_RDI, R),
    NOTHING(VMCS_IO_RIP, R),
    NOTHING(VMCS_GUEST_LINEAR_ADDRESS, R),

    VMCB(VCPU_FIELD_CR2, RW, save.cr2),
    VMCB(VCPU_FIELD_DR6, RW, save.dr6),
};

static u16 attributes_from_rights(u64 rights)
{
    return rights & VMX_AR_UNUSABLE ? 0 : (u16)((rights & 0xff) | ((rights >> 12) & 0xf) << 8);
}

bool svm_read_field(struct vcpu *vcpu, u64 encoding, u64 *value)
{
    if (!virt_load(vcpu, fields, ARRAY_LENGTH(fields), encoding, value))
        return virt_read_field(vcpu, encoding, value);

    switch (encoding) {
    case VMCS_GUEST_ES_ACCESS_RIGHTS ... VMCS_GUEST_TR_ACCESS_RIGHTS:
        *value = svm_rights((u16)*value);
        break;
    case VMCS_GUEST_EFER:
        *value &= ~EFER_SVME;
        break;
    case VMCS_GUEST_INTERRUPTIBILITY:
        *value = (*value & 1) | svm_state(vcpu)->nmi_blocking;
        break;
    default:
        break;
    }
    return true;
}

/* In the VMCB. */
static u64 stored_value(u64 encoding, u64 value)
{
    switch (encoding) {
    case VMCS_GUEST_ES_ACCESS_RIGHTS ... VMCS_GUEST_TR_ACCESS_RIGHTS:
        return attributes_from_rights(value);
    case VMCS_GUEST_EFER:
        return value | EFER_SVME;
    case VMCS_GUEST_INTERRUPTIBILITY:
        return value & 1;
    default:
        return value;
    }
}

static void finish_write(struct vcpu *vcpu, u64 encoding, u64 value)
{
    struct svm_state *state = svm_state(vcpu);

    state->attention |= SVM_DIRTY;
    switch (encoding) {
    case VMCS_PRIMARY_CONTROLS:
    case VMCS_SECONDARY_CONTROLS:
    case VMCS_EXCEPTION_BITMAP:
        svm_apply_controls(vcpu);
        break;
    case VMCS_GUEST_CR0:
    case VMCS_GUEST_CR3:
    case VMCS_GUEST_CR4:
    case VMCS_GUEST_EFER:
        /* What a MOV to the register would have flushed is still tagged with the old ASID. */
        state->asid_generation = 0;
        break;
    case VMCS_GUEST_INTERRUPTIBILITY:
        svm_block_nmi(vcpu, value & VMX_INTERRUPTIBILITY_NMI);
        break;
    case VMCS_GUEST_SS_ACCESS_RIGHTS: /* AMD-V keeps the privilege level apart */
        svm_vmcb(vcpu)->save.cpl = (value >> 5) & 3;
        break;
    case VMCS_GUEST_RIP:
        state->exit_rip = value;
        break;
    default:
        break;
    }
}

bool svm_write_field(struct vcpu *vcpu, u64 encoding, u64 value, u64 *written)
{
    u64 accepted = svm_filter(encoding, value);

    if (encoding == VMCS_GUEST_PENDING_DEBUG && value)
        return false; /* what is due is to be injected */
    if (!virt_store(vcpu, fields, ARRAY_LENGTH(fields), encoding, stored_value(encoding, accepted)))
        return virt_write_field(vcpu, encoding, value, written);
    *written = accepted;
    finish_write(vcpu, encoding, accepted);
    return true;
}

/* --- MSRs ------------------------------------------------------------------------------------ */

u64 *svm_msr(struct vcpu *vcpu, u64 msr, bool is_write)
{
    struct vmcb_save *save = &svm_vmcb(vcpu)->save;

    if (is_write)
        svm_state(vcpu)->attention |= SVM_DIRTY; /* TSC_AUX: to be loaded again */
    switch (msr) {
    case MSR_STAR:
        return &save->star;
    case MSR_LSTAR:
        return &save->lstar;
    case MSR_CSTAR:
        return &save->cstar;
    case MSR_SFMASK:
        return &save->sfmask;
    case MSR_KERNEL_GS_BASE:
        return &save->kernel_gs_base;
    case MSR_TSC_AUX:
        return &vcpu->tsc_aux;
    default:
        return NULL;
    }
}
