/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/virt/virt_fields.h"

#include "abi/vcpu.h"
#include "abi/vmcs.h"
#include "kernel/x86/fpu.h"
#include "kernel/x86/virt/virt.h"
#include "lib/string.h"

#define ACCESS_RIGHTS 0x1f0ffull /* what there is (SDM volume 3, 25.4.1) */

static const struct virt_field *find(const struct virt_field *fields, unsigned count, u64 encoding,
                                     enum virt_access access)
{
    for (unsigned i = 0; i < count; i++)
        if (fields[i].encoding == encoding && (fields[i].access & access))
            return &fields[i];
    return NULL;
}

static void *address_of(struct vcpu *vcpu, const struct virt_field *field)
{
    return (u8 *)vcpu_control_block(vcpu) + field->offset;
}

bool virt_load(struct vcpu *vcpu, const struct virt_field *fields, unsigned count, u64 encoding,
               u64 *value)
{
    const struct virt_field *field = find(fields, count, encoding, R);

    if (!field)
        return false;
    *value = 0;
    memcpy(value, address_of(vcpu, field), field->width);
    return true;
}

bool virt_store(struct vcpu *vcpu, const struct virt_field *fields, unsigned count, u64 encoding,
                u64 value)
{
    const struct virt_field *field = find(fields, count, encoding, W);

    if (field)
        memcpy(address_of(vcpu, field), &value, field->width);
    return field != NULL;
}

/* Bits 13 and 14 of an encoding are its width (B.1); with bit 31 it is the API's own, 64 bits. */
u64 virt_fit(u64 encoding, u64 value)
{
    if (encoding >= VMCS_GUEST_ES_ACCESS_RIGHTS && encoding <= VMCS_GUEST_TR_ACCESS_RIGHTS)
        return value & ACCESS_RIGHTS;
    if (encoding == VMCS_GUEST_ACTIVITY)
        return value & 1;
    switch (encoding & (BIT(31) | BIT(14) | BIT(13))) {
    case 0:
        return value & MASK(16);
    case BIT(14):
        return value & MASK(32);
    default:
        return value;
    }
}

/* --- fields that lie in struct vcpu ----------------------------------------------------------- */

#define VCPU(encoding, access, member)                                                             \
    VIRT_FIELD(encoding, access, VCPU_STATE_OFFSET, struct vcpu, member)

static const struct virt_field fields[] = {
    VCPU(VMCS_EXIT_INTERRUPTION_INFO, R, exit.interruption_info),
    VCPU(VMCS_EXIT_INTERRUPTION_ERROR, R, exit.interruption_error),
    VCPU(VMCS_IDT_VECTORING_INFO, R, exit.vectoring_info),
    VCPU(VMCS_IDT_VECTORING_ERROR, R, exit.vectoring_error),
    VCPU(VMCS_EXIT_INSTRUCTION_LENGTH, R, exit.instruction_length),
    VCPU(VMCS_GUEST_PHYSICAL_ADDRESS, R, exit.guest_physical),
    VCPU(VMCS_GUEST_ACTIVITY, RW, activity),
    VCPU(VCPU_FIELD_DEADLINE, RW, deadline),
    VCPU(VCPU_FIELD_XCR0, RW, xcr0),
    VCPU(VCPU_FIELD_DR0, RW, dr[0]),
    VCPU(VCPU_FIELD_DR1, RW, dr[1]),
    VCPU(VCPU_FIELD_DR2, RW, dr[2]),
    VCPU(VCPU_FIELD_DR3, RW, dr[3]),
};

static bool is_debug_register(u64 encoding)
{
    return encoding >= VCPU_FIELD_DR0 && encoding <= VCPU_FIELD_DR3;
}

bool virt_read_field(struct vcpu *vcpu, u64 encoding, u64 *value)
{
    if (encoding == VCPU_FIELD_XCR0)
        fpu_settle_xcr0(vcpu);
    else if (is_debug_register(encoding))
        virt_debug_sync(vcpu);
    return virt_load(vcpu, fields, ARRAY_LENGTH(fields), encoding, value);
}

/* Before the write, state that the processor holds comes back to memory. */
bool virt_write_field(struct vcpu *vcpu, u64 encoding, u64 value, u64 *written)
{
    bool is_found;

    if (encoding == VCPU_FIELD_XCR0) {
        if (!virt_xcr0_is_valid(value))
            return false;
        fpu_release_vcpu(vcpu);
    } else if (encoding == VCPU_FIELD_DEADLINE) {
        vcpu_set_deadline(vcpu, value);
    } else if (is_debug_register(encoding)) {
        virt_debug_sync(vcpu);
    }
    *written = virt_fit(encoding, value);
    is_found = virt_store(vcpu, fields, ARRAY_LENGTH(fields), encoding, *written);
    if (is_debug_register(encoding) && virt_debug_loaded(vcpu))
        virt_debug_load(vcpu);
    return is_found;
}
