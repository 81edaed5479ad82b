/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The API's VCPU fields on VT-x. Nearly each is the VMCS's field of that name; a row says which way
 * it may be accessed, what a value goes through, and where it is if not there. What has no row here
 * nor a place in vmx_apic.c or virt_fields.c is refused.
 * Sources: ABI sections 11.3 and 11.4; Intel SDM volume 3, appendix B (encodings).
 */
#include "abi/vcpu.h"
#include "abi/vmcs.h"
#include "kernel/core/core.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/vmx/vmx_instructions.h"
#include "kernel/x86/virt/vmx/vmx_priv.h"
#include "lib/string.h"

enum place {
    IN_VMCS,
    IN_STATE,
    IN_EITHER, /* the VMCS, if this processor's has the field; else the state */
};
enum access { R = 1, W = 2, RW = 3 };

/* What a value goes through on its way in or out, and what a write entails. */
enum conversion {
    PLAIN,
    RIGHTS,
    PIN,
    PRIMARY,
    SECONDARY,
    EXIT_CONTROLS,
    ENTRY_CONTROLS,
    CONTROL, /* of those that vmx_apply_controls writes */
    CR0,
    CR3,
    CR4,
    EFER,
    COPY,             /* the state has a copy of the VMCS's */
    INTERRUPTIBILITY, /* the same, written at the next entry */
    DR7,              /* may enable breakpoints, whose addresses the next entry must load */
    ACTIVITY,
};

struct field {
    u32 encoding;
    u8 place;
    u8 width; /* bytes in memory */
    u8 access;
    u8 conversion;
    u16 offset;
};

#define VMCS(encoding, access, conversion)                                                         \
    {                                                                                              \
        encoding, IN_VMCS, 8, access, conversion, 0                                                \
    }
#define MEMBER(encoding, place, member, access, conversion)                                        \
    {                                                                                              \
        encoding, place, sizeof(((struct vmx_state *)0)->member), access, conversion,              \
            offsetof(struct vmx_state, member)                                                     \
    }
#define STATE(encoding, member, access, conversion)                                                \
    MEMBER(encoding, IN_STATE, member, access, conversion)
#define EITHER(encoding, member, access, conversion)                                               \
    MEMBER(encoding, IN_EITHER, member, access, conversion)
#define SEGMENT(NAME)                                                                              \
    VMCS(VMCS_GUEST_##NAME##_SELECTOR, RW, PLAIN), VMCS(VMCS_GUEST_##NAME##_LIMIT, RW, PLAIN),     \
        VMCS(VMCS_GUEST_##NAME##_ACCESS_RIGHTS, RW, RIGHTS),                                       \
        VMCS(VMCS_GUEST_##NAME##_BASE, RW, PLAIN)

static const struct field fields[] = {
    SEGMENT(ES),
    SEGMENT(CS),
    SEGMENT(SS),
    SEGMENT(DS),
    SEGMENT(FS),
    SEGMENT(GS),
    SEGMENT(LDTR),
    SEGMENT(TR),
    VMCS(VMCS_GUEST_GDTR_LIMIT, RW, PLAIN),
    VMCS(VMCS_GUEST_GDTR_BASE, RW, PLAIN),
    VMCS(VMCS_GUEST_IDTR_LIMIT, RW, PLAIN),
    VMCS(VMCS_GUEST_IDTR_BASE, RW, PLAIN),

    VMCS(VMCS_GUEST_CR0, RW, CR0),
    STATE(VMCS_GUEST_CR3, cr3, RW, CR3),
    VMCS(VMCS_GUEST_CR4, RW, CR4),
    VMCS(VMCS_GUEST_DR7, RW, DR7),
    VMCS(VMCS_GUEST_RSP, RW, PLAIN),
    STATE(VMCS_GUEST_RIP, rip, RW, PLAIN),
    STATE(VMCS_GUEST_RFLAGS, rflags, RW, COPY),
    VMCS(VMCS_GUEST_EFER, RW, EFER),
    VMCS(VMCS_GUEST_PAT, RW, PLAIN),
    VMCS(VMCS_GUEST_SYSENTER_CS, RW, PLAIN),
    VMCS(VMCS_GUEST_SYSENTER_ESP, RW, PLAIN),
    VMCS(VMCS_GUEST_SYSENTER_EIP, RW, PLAIN),
    STATE(VMCS_GUEST_INTERRUPTIBILITY, interruptibility, RW, INTERRUPTIBILITY),
    VMCS(VMCS_GUEST_ACTIVITY, RW, ACTIVITY),
    VMCS(VMCS_GUEST_DEBUGCTL, RW, PLAIN),
    EITHER(VMCS_GUEST_PERF_GLOBAL_CTRL, perf_global_ctrl, RW, PLAIN),
    VMCS(VMCS_GUEST_PDPTE0, RW, PLAIN),
    VMCS(VMCS_GUEST_PDPTE1, RW, PLAIN),
    VMCS(VMCS_GUEST_PDPTE2, RW, PLAIN),
    VMCS(VMCS_GUEST_PDPTE3, RW, PLAIN),
    VMCS(VMCS_GUEST_SMBASE, RW, PLAIN),
    STATE(VMCS_PREEMPTION_TIMER, preemption_timer, RW, PLAIN),
    VMCS(VMCS_GUEST_PENDING_DEBUG, RW, PLAIN),

    STATE(VMCS_PIN_CONTROLS, pin, RW, PIN),
    STATE(VMCS_PRIMARY_CONTROLS, primary, RW, PRIMARY),
    STATE(VMCS_SECONDARY_CONTROLS, secondary, RW, SECONDARY),
    STATE(VMCS_EXIT_CONTROLS, exit_controls, RW, EXIT_CONTROLS),
    VMCS(VMCS_ENTRY_CONTROLS, RW, ENTRY_CONTROLS),
    STATE(VMCS_EXCEPTION_BITMAP, exception_bitmap, RW, CONTROL),
    STATE(VMCS_CR0_MASK, cr0_mask, RW, CONTROL),
    STATE(VMCS_CR0_SHADOW, cr0_shadow, RW, CONTROL),
    STATE(VMCS_CR4_MASK, cr4_mask, RW, CONTROL),
    STATE(VMCS_CR4_SHADOW, cr4_shadow, RW, CONTROL),
    STATE(VMCS_ENTRY_INTERRUPTION_INFO, entry_info, RW, PLAIN),
    STATE(VMCS_ENTRY_EXCEPTION_ERROR, entry_error, W, PLAIN),
    STATE(VMCS_ENTRY_INSTRUCTION_LENGTH, entry_length, RW, PLAIN),
    VMCS(VMCS_TSC_OFFSET, RW, PLAIN),

    STATE(VMCS_INSTRUCTION_ERROR, instruction_error, R, PLAIN),
    VMCS(VMCS_EXIT_INSTRUCTION_INFO, R, PLAIN),
    VMCS(VMCS_IO_RCX, R, PLAIN),
    VMCS(VMCS_IO_RSI, R, PLAIN),
    VMCS(VMCS_IO_RDI, R, PLAIN),
    VMCS(VMCS_IO_RIP, R, PLAIN),
    VMCS(VMCS_GUEST_LINEAR_ADDRESS, R, PLAIN),

    STATE(VCPU_FIELD_CR2, cr2, RW, PLAIN),
    STATE(VCPU_FIELD_DR6, dr6, RW, PLAIN),
};

static const struct field *field_find(u64 encoding, enum access access)
{
    for (unsigned i = 0; i < ARRAY_LENGTH(fields); i++)
        if (fields[i].encoding == encoding)
            return fields[i].access & access ? &fields[i] : NULL;
    return NULL;
}

/* What fits the field: bits 13 and 14 of an encoding are its width (B.1). */
static u64 width_mask(u32 encoding)
{
    switch (encoding >> 13 & 3) {
    case 0:
        return MASK(16);
    case 2:
        return MASK(32);
    default:
        return ~0ull;
    }
}

static void *memory_of(struct vcpu *vcpu, const struct field *field)
{
    return (u8 *)vmx_state(vcpu) + field->offset;
}

/* --- reading --------------------------------------------------------------------------------- */

static u64 raw_value(struct vcpu *vcpu, const struct field *field)
{
    u64 raw = 0;

    if (field->place == IN_VMCS)
        return vmread(field->encoding);
    if (field->place == IN_EITHER && vmread_try(field->encoding, &raw))
        return raw;
    raw = 0;
    memcpy(&raw, memory_of(vcpu, field), field->width);
    return raw;
}

bool vmx_read_current(struct vcpu *vcpu, u64 encoding, u64 *value)
{
    const struct field *field = field_find(encoding, R);

    if (!field)
        return vmx_apic_read_field(vcpu, encoding, value) || virt_read_field(vcpu, encoding, value);
    *value = raw_value(vcpu, field);
    if (field->conversion == CR0)
        *value = (*value & ~CR0_CACHE) | vmx_state(vcpu)->cr0_cache;
    if (field->conversion == ACTIVITY && vcpu->activity)
        *value = vcpu->activity;
    return true;
}

/* --- writing --------------------------------------------------------------------------------- */

#define ACCESS_RIGHTS 0x1f0ffull /* what there is (25.4.1) */

/* What the processor and the kernel make of the value. */
static u64 filter_value(const struct field *field, u64 value)
{
    switch (field->conversion) {
    case PIN:
        return vmx_filter_pin(value);
    case PRIMARY:
        return vmx_filter_primary(value);
    case SECONDARY:
        return vmx_filter_secondary(value);
    case EXIT_CONTROLS:
        return vmx_filter_exit(value);
    case ENTRY_CONTROLS:
        return vmx_filter_entry(value);
    case CR0:
        return vmx_filter_cr0(value);
    case CR4:
        return vmx_filter_cr4(value);
    case RIGHTS:
        return value & ACCESS_RIGHTS;
    case ACTIVITY:
        return value & 1;
    default:
        /* Encodings with bit 31 are the API's own, all of 64 bits. */
        return field->encoding & BIT(31) ? value : value & width_mask(field->encoding);
    }
}

static void store(struct vcpu *vcpu, const struct field *field, u64 value)
{
    if (field->place == IN_VMCS)
        vmwrite(field->encoding, value);
    else if (field->place != IN_EITHER || !vmwrite_try(field->encoding, value))
        memcpy(memory_of(vcpu, field), &value, field->width);
}

static void finish_write(struct vcpu *vcpu, const struct field *field, u64 value)
{
    struct vmx_state *state = vmx_state(vcpu);

    switch (field->conversion) {
    case CR0:
        state->cr0_cache = value & CR0_CACHE;
        state->attention |= VMX_CONTROLS | VMX_RETAG;
        break;
    case CR3:
        vmwrite(VMCS_GUEST_CR3, value);
        state->attention |= VMX_RETAG;
        break;
    case CR4:
    case EFER:
        state->attention |= VMX_RETAG;
        break;
    case PIN:
    case PRIMARY:
    case SECONDARY:
    case EXIT_CONTROLS:
    case CONTROL:
    case DR7:
        state->attention |= VMX_CONTROLS;
        break;
    case COPY:
        vmwrite(field->encoding, value);
        break;
    case INTERRUPTIBILITY:
        state->attention |= VMX_SHADOW;
        break;
    case ACTIVITY:
        vcpu->activity = (u32)value;
        vmwrite(VMCS_GUEST_ACTIVITY, VMX_ACTIVITY_ACTIVE);
        break;
    default:
        break;
    }
}

bool vmx_write_current(struct vcpu *vcpu, u64 encoding, u64 value, u64 *written)
{
    const struct field *field = field_find(encoding, W);

    if (!field)
        return vmx_apic_write_field(vcpu, encoding, value, written) ||
               virt_write_field(vcpu, encoding, value, written);
    value = filter_value(field, value);
    *written = value;
    store(vcpu, field, value);
    finish_write(vcpu, field, value);
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

static u64 *msr_place(struct vcpu *vcpu, u64 msr)
{
    switch (msr) {
    case MSR_KERNEL_GS_BASE:
        return &vmx_state(vcpu)->kernel_gs_base;
    case MSR_TSC_AUX:
        return cpu_has_rdtscp() ? &vcpu->tsc_aux : NULL;
    default:
        return vmx_syscall_msr(vmx_state(vcpu), msr);
    }
}

bool vmx_read_msr(struct vcpu *vcpu, u64 msr, u64 *value)
{
    const u64 *place = msr_place(vcpu, msr);

    if (msr == VCPU_MSR_VMX_MISC)
        place = &vmx_capabilities.misc;
    if (place)
        *value = *place;
    return place != NULL;
}

/* Any value is kept; what the processor would not take becomes another when it is loaded. */
bool vmx_write_msr(struct vcpu *vcpu, u64 msr, u64 value)
{
    u64 *place = msr_place(vcpu, msr);

    if (!place)
        return false;
    *place = msr == MSR_TSC_AUX ? value & MASK(32) : value;
    /* Looked at by the entry that prepares: TSC_AUX is to be loaded again. */
    vmx_state(vcpu)->attention |= VMX_MSRS;
    return true;
}
