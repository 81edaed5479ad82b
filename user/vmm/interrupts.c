/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From interrupt lines, messages and IPIs to the vCPUs they mean, and what a vCPU's own thread
 * makes of it. Sources: Intel SDM vol. 3A 10.6 "Issuing interprocessor interrupts", 8.4 "Multiple-
 * processor initialization".
 */
#include "user/vmm/report.h"
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
#define ICR_ASSERT         (1ull << 14)
#define ICR_LEVEL_TRIGGER  (1ull << 15)
#define ICR_MODE(icr)      ((icr) >> 8 & 7)
#define ICR_SHORTHAND(icr) ((icr) >> 18 & 3)
enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

/* --- sending --- */

static void post(struct vcpu *vcpu, uint32_t request)
{
    if (inbox_post(&vcpu->inbox, request)) {
        vcpu_kick(vcpu);
    }
}

static void post_vector(struct vcpu *vcpu, const struct interrupt_message *message)
{
    if (message->vector < 16) {
        post(vcpu, REQUEST_ILLEGAL);
        return;
    }
    lapic_post(&vcpu->lapic, message->vector, message->level);
    post(vcpu, REQUEST_INTERRUPT);
}

static void deliver_to(struct vcpu *from, struct vcpu *vcpu,
                       const struct interrupt_message *message)
{
    switch (message->mode) {
    case DELIVER_FIXED:
    case DELIVER_LOWEST:
        if (vcpu == from) { /* its own thread needs no message */
            lapic_set_irr(&vcpu->lapic, message->vector, message->level);
            vcpu->attention = true;
        } else {
            post_vector(vcpu, message);
        }
        break;
    case DELIVER_NMI:
        post(vcpu, REQUEST_NMI);
        break;
    case DELIVER_INIT:
        if (inbox_post_init(&vcpu->inbox)) {
            vcpu_kick(vcpu);
        }
        break;
    case DELIVER_STARTUP:
        if (inbox_post_startup(&vcpu->inbox, message->vector)) {
            vcpu_kick(vcpu);
        }
        break;
    default: /* SMI and ExtINT have no source here */
        break;
    }
}

/* One of those that are meant, another one each time: which one is the platform's choice. */
static void deliver_lowest(struct vcpu *from, const struct interrupt_message *message)
{
    struct vm *vm = from->vm;
    unsigned first = __atomic_fetch_add(&vm->next_lowest, 1, __ATOMIC_RELAXED);

    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        struct vcpu *vcpu = &vm->vcpus[(first + i) % vm->nr_vcpus];

        if (lapic_matches(&vcpu->lapic, message->destination, message->logical)) {
            deliver_to(from, vcpu, message);
            return;
        }
    }
}

void vm_deliver(struct vcpu *from, const struct interrupt_message *message)
{
    struct vm *vm = from->vm;

    if (message->mode == DELIVER_LOWEST) {
        deliver_lowest(from, message);
        return;
    }
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        if (lapic_matches(&vm->vcpus[i].lapic, message->destination, message->logical)) {
            deliver_to(from, &vm->vcpus[i], message);
        }
    }
}

void vm_deliver_all(struct vcpu *from, const struct interrupt_messages *messages)
{
    for (unsigned i = 0; i < messages->nr; i++) {
        vm_deliver(from, &messages->list[i]);
    }
}

void vm_set_line(struct vcpu *from, unsigned pin, bool asserted)
{
    struct vm *vm = from->vm;
    struct interrupt_messages messages;

    messages.nr = 0;
    vm_lock(from, LOCK_IOAPIC);
    ioapic_set_line(&vm->ioapic, pin, asserted, &messages);
    vm_deliver_all(from, &messages);
    vm_unlock(from, LOCK_IOAPIC);
}

APART void vm_end_of_interrupt(struct vcpu *from, uint8_t vector)
{
    struct interrupt_messages messages;

    messages.nr = 0;
    vm_lock(from, LOCK_IOAPIC);
    ioapic_end_of_interrupt(&from->vm->ioapic, vector, &messages);
    vm_deliver_all(from, &messages);
    vm_unlock(from, LOCK_IOAPIC);
}

static APART void send_ipi(struct vcpu *from, uint64_t icr)
{
    const struct interrupt_message message = {
        .destination = (uint32_t)(icr >> 32),
        .logical = (icr & ICR_LOGICAL) != 0,
        .level = false, /* level-triggered IPIs are treated as edges by all processors in use */
        .mode = ICR_MODE(icr),
        .vector = (uint8_t)icr,
    };
    struct vm *vm = from->vm;

    /* "INIT level de-assert" set arbitration IDs of APICs long ago. */
    if (message.mode == DELIVER_INIT &&
        (icr & (ICR_LEVEL_TRIGGER | ICR_ASSERT)) == ICR_LEVEL_TRIGGER) {
        return;
    }
    if (ICR_SHORTHAND(icr) == SHORTHAND_NONE) {
        vm_deliver(from, &message);
        return;
    }
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        bool self = &vm->vcpus[i] == from;

        if (ICR_SHORTHAND(icr) == SHORTHAND_ALL || self == (ICR_SHORTHAND(icr) == SHORTHAND_SELF)) {
            deliver_to(from, &vm->vcpus[i], &message);
        }
    }
}

unsigned vm_send_ipi_to_set(struct vcpu *from, const uint64_t set[2], uint32_t lowest, uint64_t icr)
{
    const struct interrupt_message message = { .mode = ICR_MODE(icr), .vector = (uint8_t)icr };
    struct vm *vm = from->vm;
    unsigned count = 0;

    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        uint32_t place = vm->vcpus[i].lapic.id - lowest;

        if (place < 128 && (set[place / 64] >> (place % 64) & 1) != 0) {
            deliver_to(from, &vm->vcpus[i], &message);
            count++;
        }
    }
    return count;
}

bool vm_unhalt(struct vcpu *from, uint32_t apic_id)
{
    for (unsigned i = 0; i < from->vm->nr_vcpus; i++) {
        if (from->vm->vcpus[i].lapic.id == apic_id) {
            post(&from->vm->vcpus[i], REQUEST_UNHALT);
            return true;
        }
    }
    return false;
}

void vm_wake(struct vcpu *from, const struct mailbox_wake *wake)
{
    for (unsigned i = 0; i < from->vm->nr_vcpus; i++) {
        struct vcpu *vcpu = &from->vm->vcpus[i];

        if (vcpu->lapic.id == wake->apic_id) {
            __atomic_store_n(&vcpu->wake_address, wake->address, __ATOMIC_RELAXED);
            post(vcpu, REQUEST_WAKE);
        }
    }
}

static APART bool serve_outcome(struct vcpu *vcpu, struct lapic_outcome outcome)
{
    switch (outcome.effect) {
    case LAPIC_FAULT:
        return false;
    case LAPIC_EOI:
        vm_end_of_interrupt(vcpu, (uint8_t)outcome.argument);
        break;
    case LAPIC_IPI:
        send_ipi(vcpu, outcome.argument);
        break;
    case LAPIC_TIMER:
        vcpu_sync_deadline(vcpu);
        break;
    default:
        break;
    }
    return true;
}

bool vm_lapic_outcome(struct vcpu *vcpu, struct lapic_outcome outcome)
{
    /* Any write may have changed what can be injected. */
    vcpu->attention |= vcpu->lapic.irr_any;
    return outcome.effect == LAPIC_OK || serve_outcome(vcpu, outcome);
}

/* --- receiving --- */

static void take_init(struct vcpu *vcpu)
{
    /* The processor that boots would start at the firmware, and there is none: the VM does. */
    if ((vcpu->lapic.base & APIC_BASE_BSP) != 0) {
        vm_request(vcpu->vm, PLATFORM_RESET);
    } else {
        vcpu_init(vcpu);
    }
}

static void take_startup(struct vcpu *vcpu, uint8_t vector)
{
    if (vcpu->vm->has_real_mode) {
        vcpu_start_up(vcpu, vector);
        return;
    }
    if (vcpu->stays_off) {
        return;
    }
    vcpu->stays_off = true;
    vm_lock(vcpu, LOCK_SERIAL);
    report_line(vcpu->vm,
                "vCPU %u stays off: it was to start in real mode, which this processor "
                "cannot run (no unrestricted guest), and not by ACPI's wake-up mailbox",
                vcpu->index);
    vm_unlock(vcpu, LOCK_SERIAL);
}

static void take_events(struct vcpu *vcpu, uint32_t requests)
{
    if ((requests & REQUEST_INTERRUPT) != 0) {
        lapic_note_posted(&vcpu->lapic);
    }
    if ((requests & REQUEST_ILLEGAL) != 0) {
        lapic_note_illegal(&vcpu->lapic);
    }
    if ((requests & REQUEST_NMI) != 0) {
        vcpu->events.nmi = true;
    }
    if ((requests & REQUEST_UNHALT) != 0) {
        vcpu->unhalted = !vcpu->sleeping;
        vcpu->sleeping = false;
    }
    vcpu->attention = true;
}

enum vcpu_stop vcpu_take_requests(struct vcpu *vcpu)
{
    uint32_t requests = inbox_take(&vcpu->inbox);

    if ((requests & REQUEST_SERVE) != 0) {
        bus_serve_rest(vcpu);
    }
    if ((requests & REQUEST_INIT) != 0) {
        take_init(vcpu);
        /* The rest was for the time before. */
        requests &= REQUEST_STARTUP | REQUEST_VECTOR | REQUEST_WAKE;
    }
    if (vm_is_stopping(vcpu->vm)) {
        return VCPU_STOPS;
    }
    if (vcpu->waits && (requests & REQUEST_STARTUP) != 0) {
        take_startup(vcpu, inbox_startup_vector(requests));
    }
    if (vcpu->waits && (requests & REQUEST_WAKE) != 0) {
        vcpu_wake(vcpu);
    }
    if (!vcpu->waits) { /* otherwise only the three above are heard */
        take_events(vcpu, requests);
    }
    return VCPU_RUNS;
}
