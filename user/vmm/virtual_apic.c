/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A local APIC in x2APIC mode whose TPR, ISR and IRR the processor has (abi/vcpu.h, virtual APIC):
 * ends of interrupts, priorities and self-IPIs do not exit then, and nothing needs a window.
 * lapic.c keeps all other registers, and its IRR takes what others send, until the next entry posts
 * it.
 * A processor that cannot do so leaves everything to lapic.c.
 */
#include "lib/string.h"
#include "user/vmm/vm.h"

#define OFFSET_SELF_IPI (LAPIC_REG_SELF_IPI * 16u)

/* Turns it on, empty, or off; false: off. */
static bool turn(struct vcpu *vcpu, bool on)
{
    memset(vcpu->eoi_exits, 0, sizeof(vcpu->eoi_exits));
    return vcpu_write_field(vcpu, VCPU_FIELD_VIRTUAL_APIC, on) && on;
}

void vcpu_reset_apic(struct vcpu *vcpu)
{
    turn(vcpu, vcpu->lapic.in_processor);
}

/* What the guest has done in the memory form goes with it. Nothing moves the other way: that form
 * comes back only by way of an APIC that is off, and empty. */
static void hand_over(struct vcpu *vcpu)
{
    struct lapic *lapic = &vcpu->lapic;

    vcpu_write_field(vcpu, VCPU_FIELD_APIC_TPR, lapic->tpr);
    for (unsigned i = 0; i < 4; i++) {
        vcpu_write_field(vcpu, VCPU_FIELD_APIC_ISR(i), lapic->isr.words[i]);
    }
    lapic->irr_any = true;
    vcpu->attention = true;
}

void vcpu_place_apic(struct vcpu *vcpu)
{
    bool wanted =
        lapic_is_x2apic(&vcpu->lapic) && (vcpu->vm->config->flags & VMM_FLAG_SOFTWARE_APIC) == 0;

    if (wanted == vcpu->lapic.in_processor) {
        return;
    }
    paravirt_take_back(vcpu);
    vcpu->lapic.in_processor = turn(vcpu, wanted);
    if (vcpu->lapic.in_processor) {
        hand_over(vcpu);
    }
}

/* The I/O APIC wants to hear of ends of level-triggered interrupts. */
static void follow_triggers(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t level = __atomic_load_n(&vcpu->lapic.tmr.words[i], __ATOMIC_RELAXED);

        if (level != vcpu->eoi_exits[i]) {
            vcpu_write_field(vcpu, VMCS_EOI_EXIT_BITMAP(i), level);
            vcpu->eoi_exits[i] = level;
        }
    }
}

void vcpu_post_requests(struct vcpu *vcpu)
{
    vcpu->entry_length = VMENTER_EXTENDED_LENGTH;
    if (!vcpu->lapic.in_processor || !vcpu->lapic.irr_any) {
        return;
    }
    lapic_take_requests(&vcpu->lapic, vcpu->message->posted);
    follow_triggers(vcpu);
    vcpu->entry_length = VMENTER_POSTING_LENGTH;
}

void vcpu_note_not_posted(struct vcpu *vcpu)
{
    if (vcpu->entry_length == VMENTER_POSTING_LENGTH) {
        lapic_give_back(&vcpu->lapic, vcpu->message->posted);
        vcpu->entry_length = VMENTER_EXTENDED_LENGTH;
        vcpu->attention = true;
    }
}

void vcpu_note_sleep(struct vcpu *vcpu)
{
    if (vcpu->lapic.in_processor) {
        vcpu->sleeping = vcpu->message->activity == VCPU_ACTIVITY_HLT;
    }
}

/* --- exits: the guest stands behind its WRMSR --- */

enum vcpu_stop vcpu_exit_eoi(struct vcpu *vcpu)
{
    uint8_t vector = (uint8_t)vcpu->message->qualification;

    if (!lapic_is_edge(&vcpu->lapic, vector)) {
        vm_end_of_interrupt(vcpu, vector);
    }
    return VCPU_RUNS;
}

enum vcpu_stop vcpu_exit_apic_write(struct vcpu *vcpu)
{
    if (vcpu->message->qualification != OFFSET_SELF_IPI) {
        return vm_crash(vcpu, VMX_EXIT_APIC_WRITE, vcpu->message->qualification,
                        "write of a local APIC's register that is not handled");
    }
    lapic_note_illegal(&vcpu->lapic);
    vcpu->attention = true;
    return VCPU_RUNS;
}
