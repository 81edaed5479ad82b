/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/core.h"
#include "kernel/object/vcpu.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/virt.h"

void virt_debug_sync(struct vcpu *vcpu)
{
    if (virt_debug_loaded(vcpu))
        read_debug_registers(vcpu->dr);
}

void virt_debug_leave(struct vcpu *vcpu)
{
    if (!virt_debug_loaded(vcpu))
        return;
    virt_debug_sync(vcpu);
    this_core()->debug_owner = NULL;
    virt->debug_moved(vcpu);
}

void virt_debug_load(struct vcpu *vcpu)
{
    struct core *core = this_core();

    if (core->debug_owner != vcpu) {
        if (core->debug_owner)
            virt_debug_leave(core->debug_owner);
        core->debug_owner = vcpu;
        virt->debug_moved(vcpu);
    }
    write_debug_registers(vcpu->dr);
}

void virt_change_tsc_aux(u64 value)
{
    if (!cpu.rdtscp)
        return;
    wrmsr(MSR_TSC_AUX, value);
    this_core()->tsc_aux = value;
}
