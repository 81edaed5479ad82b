/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The API's VCPU fields on AMD-V: one row says where a VMCS field lives here, which way it may be
 * accessed, and how it converts. What has no row here or in virt_fields.c is refused; so are the
 * guest/host masks and read shadows of CR0 and CR4, which AMD-V lacks.
 * Sources: ABI sections 11.3 and 11.4; SDM volume 3, appendix B (encodings) and 25.4.1 (access
 * rights); APM volume 2, 4.8 (segment attributes) and 15.5.1 (canonicalisation and consistency
 * checks).
 */
#include "abi/vcpu.h"
#include "abi/vmcs.h"
#include "kernel/core/core.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/svm/svm_priv.h"
#include "lib/string.h"

enum place { IN_VMCB, IN_STATE, IN_VCPU };
enum access { R = 1, W = 2, RW = 3 };

/* What a value goes through on its way in or out, and what a write entails. */
enum conversion {
    PLAIN,
    RIGHTS,    /* VMX access rights and segment attributes */
    SS_RIGHTS, /* the same; AMD-V keeps the privilege level apart */
    PIN,
    PRIMARY,
    SECONDARY,
    EXIT_CONTROLS,
    ENTRY_CONTROLS,
    EXCEPTIONS,
    CR0,
    CR4,
    CR3,
    EFER,
    INTERRUPTIBILITY,
    BOOLEAN,
    ONLY_ZERO, /* another value would have an effect that nothing here has */
};

struct field {
    u32 encoding;
    u8 place;
    u8 width;
    u8 access;
    u8 conversion;
    u16 offset;
};

#define MEMBER_WIDTH(type, member) sizeof(((type *)0)->member)
#define SAVE(encoding, member, access, conversion)                                                 \
    {                                                                                              \
        encoding, IN_VMCB, MEMBER_WIDTH(struct vmcb, save.member), access, conversion,             \
            offsetof(struct vmcb, save.member)                                                     \
    }
#define CONTROL(encoding, member, access, conversion)                                              \
    {                                                                                              \
        encoding, IN_VMCB, MEMBER_WIDTH(struct vmcb, control.member), access, conversion,          \
            offsetof(struct vmcb, control.member)                                                  \
    }
#define STATE(encoding, member, access, conversion)                                                \
    {                                                                                              \
        encoding, IN_STATE, MEMBER_WIDTH(struct svm_state, member), access, conversion,            \
            offsetof(struct svm_state, member)                                                     \
    }
#define VCPU(encoding, member, access, conversion)                                                 \
    {                                                                                              \
        encoding, IN_VCPU, MEMBER_WIDTH(struct vcpu, member), access, conversion,                  \
            offsetof(struct vcpu, member)                                                          \
    }
/* Always 0. */
#define NOTHING(encoding, access, conversion)                                                      \
    {                                                                                              \
        encoding, IN_STATE, 0, access, conversion, 0                                               \
    }
#define SEGMENT(NAME, member, rights)                                                              \
    SAVE(VMCS_GUEST_##NAME##_SELECTOR, member.selector, RW, PLAIN),                                \
        SAVE(VMCS_GUEST_##NAME##_LIMIT, member.limit, RW, PLAIN),                                  \
        SAVE(VMCS_GUEST_##NAME##_ACCESS_RIGHTS, member.attributes, RW, rights),                    \
        SAVE(VMCS_GUEST_##NAME##_BASE, member.base, RW, PLAIN)

static const struct field fields[] = {
    SEGMENT(ES, es, RIGHTS),
    SEGMENT(CS, cs, RIGHTS),
    SEGMENT(SS, ss, SS_RIGHTS),
    SEGMENT(DS, ds, RIGHTS),
    SEGMENT(FS, fs, RIGHTS),
    SEGMENT(GS, gs, RIGHTS),
    SEGMENT(LDTR, ldtr, RIGHTS),
    SEGMENT(TR, tr, RIGHTS),
    SAVE(VMCS_GUEST_GDTR_LIMIT, gdtr.limit, RW, PLAIN),
    SAVE(VMCS_GUEST_GDTR_BASE, gdtr.base, RW, PLAIN),
    SAVE(VMCS_GUEST_IDTR_LIMIT, idtr.limit, RW, PLAIN),
    SAVE(VMCS_GUEST_IDTR_BASE, idtr.base, RW, PLAIN),

    SAVE(VMCS_GUEST_CR0, cr0, RW, CR0),
    SAVE(VMCS_GUEST_CR3, cr3, RW, CR3),
    SAVE(VMCS_GUEST_CR4, cr4, RW, CR4),
    SAVE(VMCS_GUEST_DR7, dr7, RW, PLAIN),
    SAVE(VMCS_GUEST_RSP, rsp, RW, PLAIN),
    SAVE(VMCS_GUEST_RIP, rip, RW, PLAIN),
    SAVE(VMCS_GUEST_RFLAGS, rflags, RW, PLAIN),
    SAVE(VMCS_GUEST_EFER, efer, RW, EFER),
    SAVE(VMCS_GUEST_PAT, pat, RW, PLAIN),
    SAVE(VMCS_GUEST_SYSENTER_CS, sysenter_cs, RW, PLAIN),
    SAVE(VMCS_GUEST_SYSENTER_ESP, sysenter_esp, RW, PLAIN),
    SAVE(VMCS_GUEST_SYSENTER_EIP, sysenter_eip, RW, PLAIN),
    CONTROL(VMCS_GUEST_INTERRUPTIBILITY, interrupt_shadow, RW, INTERRUPTIBILITY),
    VCPU(VMCS_GUEST_ACTIVITY, activity, RW, BOOLEAN),

    /* Kept for a monitor that saves and restores them, without effect: guests have neither
     * performance counters nor SMM, the pin control of the timer does not exist, the processor
     * reads PDPTEs in memory, and DEBUGCTL only with LBR virtualisation, which is off. */
    SAVE(VMCS_GUEST_DEBUGCTL, debugctl, RW, PLAIN),
    STATE(VMCS_GUEST_PERF_GLOBAL_CTRL, perf_global_ctrl, RW, PLAIN),
    STATE(VMCS_GUEST_PDPTE0, pdpte[0], RW, PLAIN),
    STATE(VMCS_GUEST_PDPTE1, pdpte[1], RW, PLAIN),
    STATE(VMCS_GUEST_PDPTE2, pdpte[2], RW, PLAIN),
    STATE(VMCS_GUEST_PDPTE3, pdpte[3], RW, PLAIN),
    STATE(VMCS_GUEST_SMBASE, smbase, RW, PLAIN),
    STATE(VMCS_PREEMPTION_TIMER, preemption_timer, RW, PLAIN),
    NOTHING(VMCS_GUEST_PENDING_DEBUG, RW, ONLY_ZERO), /* what is due is to be injected */

    STATE(VMCS_PIN_CONTROLS, pin, RW, PIN),
    STATE(VMCS_PRIMARY_CONTROLS, primary, RW, PRIMARY),
    STATE(VMCS_SECONDARY_CONTROLS, secondary, RW, SECONDARY),
    STATE(VMCS_EXIT_CONTROLS, exit_controls, RW, EXIT_CONTROLS),
    STATE(VMCS_ENTRY_CONTROLS, entry_controls, RW, ENTRY_CONTROLS),
    STATE(VMCS_EXCEPTION_BITMAP, exception_bitmap, RW, EXCEPTIONS),
    STATE(VMCS_ENTRY_INTERRUPTION_INFO, entry_info, RW, PLAIN),
    STATE(VMCS_ENTRY_EXCEPTION_ERROR, entry_error, W, PLAIN),
    STATE(VMCS_ENTRY_INSTRUCTION_LENGTH, entry_length, RW, PLAIN),
    CONTROL(VMCS_TSC_OFFSET, tsc_offset, RW, PLAIN),

    STATE(VMCS_INSTRUCTION_ERROR, instruction_error, R, PLAIN),
    /* Of exits to SMM only; and of EPT violations, whose qualification says that it is not known.
     */
    NOTHING(VMCS_IO_RCX, R, PLAIN),
    NOTHING(VMCS_IO_RSI, R, PLAIN),
    NOTHING(VMCS_IO_RDI, R, PLAIN),
    NOTHING(VMCS_IO_RIP, R, PLAIN),
    NOTHING(VMCS_GUEST_LINEAR_ADDRESS, R, PLAIN),

    SAVE(VCPU_FIELD_CR2, cr2, RW, PLAIN),
    SAVE(VCPU_FIELD_DR6, dr6, RW, PLAIN),
};

static const struct field *field_find(u64 encoding, enum access access)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(fields); i++)
        if (fields[i].encoding == encoding)
            return fields[i].access & access ? &fields[i] : NULL;
    return NULL;
}

static void *field_address(struct vcpu *vcpu, const struct field *field)
{
    u8 *base = field->place == IN_VMCB    ? (u8 *)svm_vmcb(vcpu)
               : field->place == IN_STATE ? (u8 *)svm_state(vcpu)
                                          : (u8 *)vcpu;

    return base + field->offset;
}

/* --- segments -------------------------------------------------------------------------------- */

static u16 attributes_from_rights(u64 rights)
{
    return rights & VMX_AR_UNUSABLE ? 0 : (u16)((rights & 0xff) | ((rights >> 12) & 0xf) << 8);
}

/* --- reading --------------------------------------------------------------------------------- */

bool svm_read_field(struct vcpu *vcpu, u64 encoding, u64 *value)
{
    const struct field *field = field_find(encoding, R);
    u64 raw = 0;

    if (!field)
        return virt_read_field(vcpu, encoding, value);
    memcpy(&raw, field_address(vcpu, field), field->width);

    switch (field->conversion) {
    case RIGHTS:
    case SS_RIGHTS:
        *value = svm_rights((u16)raw);
        break;
    case EFER:
        *value = raw & ~EFER_SVME;
        break;
    case INTERRUPTIBILITY:
        *value = (raw & 1) | svm_state(vcpu)->nmi_blocking;
        break;
    default:
        *value = raw;
    }
    return true;
}

/* --- writing --------------------------------------------------------------------------------- */

#define CR0_WRITABLE  0xe005003full
#define EFER_WRITABLE 0x4d01ull /* SCE, LME, LMA, NXE, FFXSR */

/* What the processor would make of the value; false if the API refuses it outright. */
static bool filter_value(const struct field *field, u64 *value)
{
    switch (field->conversion) {
    case PIN:
        *value = svm_filter_pin(*value);
        return true;
    case PRIMARY:
        *value = svm_filter_primary(*value);
        return true;
    case SECONDARY:
        *value = svm_filter_secondary(*value);
        return true;
    case EXIT_CONTROLS:
        *value = svm_filter_exit(*value);
        return true;
    case ENTRY_CONTROLS:
        *value = svm_filter_entry(*value);
        return true;
    case CR0:
        *value = (*value & CR0_WRITABLE) | CR0_ET;
        return true;
    case CR4:
        *value &= VIRT_GUEST_CR4;
        return true;
    case EFER:
        *value &= EFER_WRITABLE;
        return true;
    case INTERRUPTIBILITY: /* STI and MOV SS are one here */
        *value = (*value & VMX_INTERRUPTIBILITY_NMI) |
                 ((*value & (VMX_INTERRUPTIBILITY_STI | VMX_INTERRUPTIBILITY_MOV_SS)) != 0);
        return true;
    case BOOLEAN:
        *value &= 1;
        return true;
    case ONLY_ZERO:
        return *value == 0;
    default:
        if (field->width < 8)
            *value &= field->conversion == RIGHTS || field->conversion == SS_RIGHTS
                          ? 0x1f0ffu
                          : MASK(8u * field->width);
        return true;
    }
}

static u64 stored_value(const struct field *field, u64 value)
{
    switch (field->conversion) {
    case RIGHTS:
    case SS_RIGHTS:
        return attributes_from_rights(value);
    case EFER:
        return value | EFER_SVME;
    case INTERRUPTIBILITY:
        return value & 1;
    default:
        return value;
    }
}

static void finish_write(struct vcpu *vcpu, const struct field *field, u64 value)
{
    struct svm_state *state = svm_state(vcpu);

    state->attention |= SVM_DIRTY;
    switch (field->conversion) {
    case PRIMARY:
    case SECONDARY:
    case EXCEPTIONS:
        svm_apply_controls(vcpu);
        break;
    case CR0:
    case CR3:
    case CR4:
    case EFER:
        /* What a MOV to the register would have flushed is still tagged with the old ASID. */
        state->asid_generation = 0;
        break;
    case INTERRUPTIBILITY:
        svm_block_nmi(vcpu, value & VMX_INTERRUPTIBILITY_NMI);
        break;
    case SS_RIGHTS:
        svm_vmcb(vcpu)->save.cpl = (value >> 5) & 3;
        break;
    default:
        break;
    }
    if (field->encoding == VMCS_GUEST_RIP)
        state->exit_rip = value;
}

bool svm_write_field(struct vcpu *vcpu, u64 encoding, u64 value, u64 *written)
{
    const struct field *field = field_find(encoding, W);
    u64 stored;

    if (!field)
        return virt_write_field(vcpu, encoding, value, written);
    if (!filter_value(field, &value))
        return false;
    *written = value;
    stored = stored_value(field, value);
    memcpy(field_address(vcpu, field), &stored, field->width);
    finish_write(vcpu, field, value);
    return true;
}

/* --- MSRs ------------------------------------------------------------------------------------ */

static u64 *msr_place(struct vcpu *vcpu, u64 msr)
{
    struct vmcb_save *save = &svm_vmcb(vcpu)->save;

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

bool svm_read_msr(struct vcpu *vcpu, u64 msr, u64 *value)
{
    u64 *place = msr_place(vcpu, msr);

    if (place)
        *value = *place;
    return place != NULL;
}

bool svm_write_msr(struct vcpu *vcpu, u64 msr, u64 value)
{
    u64 *place = msr_place(vcpu, msr);

    if (!place)
        return false;
    *place = msr == MSR_TSC_AUX ? value & MASK(32) : value;
    svm_state(vcpu)->attention |= SVM_DIRTY; /* TSC_AUX: to be loaded again */
    return true;
}
