/* SPDX-License-Identifier: BSD-2-Clause */
#include "abi/vcpu.h"
#include "abi/vmcs.h"
#include "kernel/object/vcpu.h"
#include "kernel/x86/fpu.h"
#include "kernel/x86/virt/virt.h"

bool virt_read_field(struct vcpu *vcpu, u64 field, u64 *value)
{
    switch (field) {
    case VMCS_EXIT_INTERRUPTION_INFO:
        *value = vcpu->exit.interruption_info;
        return true;
    case VMCS_EXIT_INTERRUPTION_ERROR:
        *value = vcpu->exit.interruption_error;
        return true;
    case VMCS_IDT_VECTORING_INFO:
        *value = vcpu->exit.vectoring_info;
        return true;
    case VMCS_IDT_VECTORING_ERROR:
        *value = vcpu->exit.vectoring_error;
        return true;
    case VMCS_EXIT_INSTRUCTION_LENGTH:
        *value = vcpu->exit.instruction_length;
        return true;
    case VMCS_GUEST_PHYSICAL_ADDRESS:
        *value = vcpu->exit.guest_physical;
        return true;
    case VCPU_FIELD_DEADLINE:
        *value = vcpu->deadline;
        return true;
    case VCPU_FIELD_XCR0:
        fpu_settle_xcr0(vcpu);
        *value = vcpu->xcr0;
        return true;
    case VCPU_FIELD_DR0:
    case VCPU_FIELD_DR1:
    case VCPU_FIELD_DR2:
    case VCPU_FIELD_DR3:
        virt_debug_sync(vcpu);
        *value = vcpu->dr[(field - VCPU_FIELD_DR0) / 2];
        return true;
    default:
        return false;
    }
}

/* Before the write, state that the processor holds comes back to memory. */
bool virt_write_field(struct vcpu *vcpu, u64 field, u64 value, u64 *written)
{
    switch (field) {
    case VCPU_FIELD_DEADLINE:
        vcpu_set_deadline(vcpu, value);
        break;
    case VCPU_FIELD_XCR0:
        if (!virt_xcr0_is_valid(value))
            return false;
        fpu_release_vcpu(vcpu);
        vcpu->xcr0 = value;
        break;
    case VCPU_FIELD_DR0:
    case VCPU_FIELD_DR1:
    case VCPU_FIELD_DR2:
    case VCPU_FIELD_DR3:
        virt_debug_sync(vcpu);
        vcpu->dr[(field - VCPU_FIELD_DR0) / 2] = value;
        if (virt_debug_loaded(vcpu))
            virt_debug_load(vcpu);
        break;
    default:
        return false;
    }
    *written = value;
    return true;
}
