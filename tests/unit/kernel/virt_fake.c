/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtualisation backend without a guest: a VCPU remembers what was last written to it, and each
 * entry exits at once, with CPUID as the reason. Fields of odd number, which no processor has, turn
 * the virtual APIC on and off.
 */
#include "abi/vmcs.h"
#include "kernel/core/lock.h"
#include "kernel/object/vcpu.h"
#include "kernel/x86/context.h"
#include "kernel/x86/virt/virt.h"

struct fake_state {
    u64 entry[3];
    u64 field, msr, requested;
};

static struct fake_state *state(struct vcpu *vcpu)
{
    return (struct fake_state *)(void *)vcpu->backend;
}

static void fake_create(struct vcpu *vcpu)
{
    *state(vcpu) = (struct fake_state){ 0 };
}

static void fake_leave_core(struct vcpu *vcpu)
{
    (void)vcpu;
}

static void fake_use_io_bitmap(struct vcpu *vcpu)
{
    (void)vcpu;
}

static bool fake_read_field(struct vcpu *vcpu, u64 field, u64 *value)
{
    *value = state(vcpu)->field;
    return field < 0x10000;
}

static bool fake_write_field(struct vcpu *vcpu, u64 field, u64 value, u64 *written)
{
    *written = state(vcpu)->field = value;
    if (field & 1)
        vcpu->virtual_apic = value & 1;
    return field < 0x10000;
}

static u64 *fake_msr(struct vcpu *vcpu, u64 msr, bool is_write)
{
    (void)is_write;
    return msr >= 0xc0000081 && msr <= 0xc0000084 ? &state(vcpu)->msr : NULL;
}

static void fake_set_entry(struct vcpu *vcpu, u64 rip, u64 primary_controls, u64 interruption_info)
{
    state(vcpu)->entry[0] = rip;
    state(vcpu)->entry[1] = primary_controls;
    state(vcpu)->entry[2] = interruption_info;
}

static void fake_post_interrupts(struct vcpu *vcpu, const u64 set[4])
{
    state(vcpu)->requested |= set[0] | set[1] | set[2] | set[3];
}

static bool fake_interrupt_wakes(struct vcpu *vcpu)
{
    return state(vcpu)->requested != 0;
}

static enum guest_outcome fake_run(struct vcpu *vcpu, hpa_t nested_root, const u64 *registers)
{
    (void)nested_root;
    vcpu_take_registers(vcpu, registers);
    unlock_this_core();
    vcpu->exit = (struct vcpu_exit){ .reason = VMX_EXIT_CPUID, .instruction_length = 2 };
    return GUEST_EXIT;
}

static void fake_unload(void)
{
}

static void fake_answer_state(struct vcpu *vcpu, struct user_context *context, u64 words[3])
{
    context->r10 = state(vcpu)->entry[0];
    context->r8 = state(vcpu)->entry[1];
    context->r9 = state(vcpu)->entry[2];
    words[0] = words[1] = words[2] = 0;
}

static void fake_decode_state(struct vcpu *vcpu, u64 words[4])
{
    (void)vcpu;
    words[0] = words[1] = words[2] = words[3] = 0;
}

static void fake_flush_nested(unsigned core)
{
    (void)core;
}

static const struct virt_backend backend = {
    .name = "fake",
    .nested_format = NESTED_NPT,
    .create = fake_create,
    .use_io_bitmap = fake_use_io_bitmap,
    .leave_core = fake_leave_core,
    .read_field = fake_read_field,
    .write_field = fake_write_field,
    .msr = fake_msr,
    .set_entry = fake_set_entry,
    .post_interrupts = fake_post_interrupts,
    .interrupt_wakes = fake_interrupt_wakes,
    .run = fake_run,
    .unload = fake_unload,
    .answer_state = fake_answer_state,
    .decode_state = fake_decode_state,
    .flush_nested = fake_flush_nested,
};

const struct virt_backend *virt = &backend;
bool virt_has_virtual_apic = true;
u64 virt_guest_xcr0 = 7;
