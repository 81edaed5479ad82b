/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest that knows KVM's interface may ask for, besides the clock: to end interrupts by a
 * bit in memory, to send an IPI to many vCPUs at once, to wake a vCPU that halted while it waited
 * for a lock. CPUID leaf 0x40000001 announces them (cpuid.c).
 *
 * End of interrupt. A vCPU names four bytes of its RAM. When an interrupt is injected that is the
 * only one in service and edge-triggered, bit 0 is set there; the guest may then clear it instead
 * of writing EOI, which is seen at the next exit. If another interrupt waits for that end, the bit
 * is taken back, so that the guest's EOI is an exit as ever. Only the vCPU's own thread touches the
 * bit, and only between its exits.
 *
 * Sources: Linux Documentation/virt/kvm/x86/msr.rst, hypercalls.rst, cpuid.rst
 */
#include "user/vmm/vm.h"

#define EOI_ENABLE   1ull
#define EOI_RESERVED 2ull
#define EOI_BIT      1u

#define HYPERCALL_KICK     5u
#define HYPERCALL_SEND_IPI 10u
#define ANSWER_UNKNOWN     ((uint64_t)-1000)
#define ANSWER_DENIED      ((uint64_t)-1)
#define ANSWER_INVALID     ((uint64_t)-22)

#define ICR_MODE_MASK 0x700u
#define ICR_FIXED     0x000u
#define ICR_NMI       0x400u

/* --- end of interrupt --- */

static uint32_t *eoi_word(struct vcpu *vcpu)
{
    return guest_ram_at(&vcpu->vm->ram, gpa(vcpu->paravirt.eoi_control & ~3ull), sizeof(uint32_t));
}

void paravirt_reset(struct vcpu *vcpu)
{
    vcpu->paravirt = (struct paravirt){ 0 };
}

bool paravirt_write_eoi(struct vcpu *vcpu, uint64_t value)
{
    if ((value & EOI_RESERVED) != 0) {
        return false;
    }
    paravirt_take_back(vcpu);
    if ((value & EOI_ENABLE) == 0) {
        value = 0;
    } else if (guest_ram_at(&vcpu->vm->ram, gpa(value & ~3ull), sizeof(uint32_t)) == NULL) {
        return false;
    }
    vcpu->paravirt.eoi_control = value;
    return true;
}

void paravirt_offer(struct vcpu *vcpu)
{
    uint32_t *word = eoi_word(vcpu);

    if (word != NULL) {
        __atomic_fetch_or(word, EOI_BIT, __ATOMIC_RELAXED);
        vcpu->paravirt.eoi_offered = true;
    }
}

/* Clears the bit; whether the guest had not. */
static bool withdraw(struct vcpu *vcpu)
{
    uint32_t *word = eoi_word(vcpu);

    vcpu->paravirt.eoi_offered = false;
    return word != NULL && (__atomic_fetch_and(word, ~EOI_BIT, __ATOMIC_RELAXED) & EOI_BIT) != 0;
}

void paravirt_collect(struct vcpu *vcpu)
{
    const uint32_t *word = eoi_word(vcpu);

    if (word == NULL || (__atomic_load_n(word, __ATOMIC_RELAXED) & EOI_BIT) == 0) {
        vcpu->paravirt.eoi_offered = false;
        /* It was an edge when it was offered; should the same vector have come as a level since,
         * that one is still in IRR and has its own end. */
        lapic_end_of_interrupt(&vcpu->lapic);
        vcpu->attention |= vcpu->lapic.irr_any;
    }
}

void paravirt_take_back(struct vcpu *vcpu)
{
    if (vcpu->paravirt.eoi_offered && !withdraw(vcpu)) {
        lapic_end_of_interrupt(&vcpu->lapic);
    }
}

/* --- hypercalls --- */

static bool is_user(struct vcpu *vcpu)
{
    return SEGMENT_DPL(vcpu_read_field(vcpu, VMCS_GUEST_ACCESS_RIGHTS(VMCS_SEGMENT_SS))) != 0;
}

static bool is_64_bit(struct vcpu *vcpu)
{
    return message_is_64_bit(vcpu->message) ||
           x86_is_64_bit(vcpu_read_field(vcpu, VMCS_GUEST_EFER),
                         vcpu_read_field(vcpu, VMCS_GUEST_ACCESS_RIGHTS(VMCS_SEGMENT_CS)));
}

/* rbx, rcx: a set of APIC IDs, counted from rdx; rsi: vector and delivery mode. */
static uint64_t send_ipi(struct vcpu *vcpu)
{
    const uint64_t *gpr = vcpu->message->gpr;
    uint64_t set[2] = { gpr[MESSAGE_RBX], gpr[MESSAGE_RCX] };
    uint64_t icr = gpr[MESSAGE_RSI];
    uint64_t mode = icr & ICR_MODE_MASK;

    if (!is_64_bit(vcpu)) {
        set[0] = (uint32_t)set[0] | set[1] << 32;
        set[1] = 0;
    }
    if ((mode != ICR_FIXED && mode != ICR_NMI) || (mode == ICR_FIXED && (icr & 0xff) < 16)) {
        return ANSWER_INVALID;
    }
    return vm_send_ipi_to_set(vcpu, set, (uint32_t)gpr[MESSAGE_RDX], icr);
}

uint64_t paravirt_hypercall(struct vcpu *vcpu)
{
    const uint64_t *gpr = vcpu->message->gpr;

    if (is_user(vcpu)) {
        return ANSWER_DENIED;
    }
    switch (gpr[MESSAGE_RAX]) {
    case HYPERCALL_SEND_IPI:
        return send_ipi(vcpu);
    case HYPERCALL_KICK: /* rcx: the APIC ID of who waits */
        vm_unhalt(vcpu, (uint32_t)gpr[MESSAGE_RCX]);
        return 0;
    default:
        return ANSWER_UNKNOWN;
    }
}
