/* SPDX-License-Identifier: BSD-2-Clause */
/* From interrupt lines and messages to the local APICs they mean. */
#include "user/vmm/vm.h"

enum delivery_mode {
    DELIVER_FIXED = 0,
    DELIVER_LOWEST = 1,
    DELIVER_SMI = 2,
    DELIVER_NMI = 4,
    DELIVER_INIT = 5,
    DELIVER_STARTUP = 6,
    DELIVER_EXTINT = 7,
};

/* Fields of an ICR in x2APIC form. */
#define ICR_LOGICAL        (1ull << 11)
#define ICR_LEVEL_TRIGGER  (1ull << 15)
#define ICR_SHORTHAND(icr) ((icr) >> 18 & 3)
enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

static void deliver_to(struct vcpu *vcpu, const struct interrupt_message *message)
{
    switch (message->mode) {
    case DELIVER_FIXED:
    case DELIVER_LOWEST:
        lapic_set_irr(&vcpu->lapic, message->vector, message->level);
        break;
    case DELIVER_NMI:
        vcpu->events.nmi = true;
        break;
    default:
        /* SMI and ExtINT have no source here; INIT and start-up come with the second vCPU. */
        return;
    }
    vcpu->attention = true;
}

void vm_deliver(struct vm *vm, const struct interrupt_message *message)
{
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        if (lapic_matches(&vm->vcpus[i].lapic, message->destination, message->logical)) {
            deliver_to(&vm->vcpus[i], message);
            if (message->mode == DELIVER_LOWEST) {
                return; /* one is enough; which one, is the platform's choice */
            }
        }
    }
}

void vm_deliver_all(struct vm *vm, const struct interrupt_messages *messages)
{
    for (unsigned i = 0; i < messages->nr; i++) {
        vm_deliver(vm, &messages->list[i]);
    }
}

void vm_set_line(struct vm *vm, unsigned pin, bool asserted)
{
    struct interrupt_messages messages;

    messages.nr = 0;
    ioapic_set_line(&vm->ioapic, pin, asserted, &messages);
    vm_deliver_all(vm, &messages);
}

static void send_ipi(struct vm *vm, struct vcpu *from, uint64_t icr)
{
    const struct interrupt_message message = {
        .destination = (uint32_t)(icr >> 32),
        .logical = (icr & ICR_LOGICAL) != 0,
        .level = false, /* level-triggered IPIs are treated as edges by all processors in use */
        .mode = icr >> 8 & 7,
        .vector = (uint8_t)icr,
    };

    if (ICR_SHORTHAND(icr) == SHORTHAND_NONE) {
        vm_deliver(vm, &message);
        return;
    }
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        bool self = &vm->vcpus[i] == from;

        if (ICR_SHORTHAND(icr) == SHORTHAND_ALL || self == (ICR_SHORTHAND(icr) == SHORTHAND_SELF)) {
            deliver_to(&vm->vcpus[i], &message);
        }
    }
}

bool vm_lapic_outcome(struct vm *vm, struct vcpu *vcpu, struct lapic_outcome outcome)
{
    /* Any write may have changed what can be injected. */
    vcpu->attention |= vcpu->lapic.irr_any;
    switch (outcome.effect) {
    case LAPIC_FAULT:
        return false;
    case LAPIC_EOI: {
        struct interrupt_messages messages;

        messages.nr = 0;
        ioapic_end_of_interrupt(&vm->ioapic, (uint8_t)outcome.argument, &messages);
        vm_deliver_all(vm, &messages);
        break;
    }
    case LAPIC_IPI:
        send_ipi(vm, vcpu, outcome.argument);
        break;
    case LAPIC_TIMER:
        vcpu_sync_deadline(vcpu);
        break;
    default:
        break;
    }
    return true;
}
