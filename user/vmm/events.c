/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the next entry injects. In order: an event whose delivery was interrupted, an exception of
 * an emulated instruction, NMI, then the local APIC's interrupt if the guest takes interrupts. What
 * has to wait asks for a window. Where the processor has the local APIC, its interrupts are posted
 * instead, and the processor does the rest. Sources: Intel SDM vol. 3C 25.8.3 "VM-entry controls
 * for event injection", 27.2.4.
 */
#include "user/vmm/vm.h"

void vcpu_raise_code(struct vcpu *vcpu, enum x86_vector vector, uint32_t error_code)
{
    vcpu->events.exception = EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR_CODE | vector;
    vcpu->events.exception_error = error_code;
    vcpu->attention = true;
}

void vcpu_raise(struct vcpu *vcpu, enum x86_vector vector)
{
    if (vector == VECTOR_GP) {
        vcpu_raise_code(vcpu, vector, 0);
        return;
    }
    vcpu->events.exception = EVENT_VALID | EVENT_EXCEPTION | vector;
    vcpu->attention = true;
}

void vcpu_raise_page_fault(struct vcpu *vcpu, uint64_t address, uint32_t error_code)
{
    vcpu_write_field(vcpu, VCPU_FIELD_CR2, address);
    vcpu_raise_code(vcpu, VECTOR_PF, error_code);
}

void vcpu_note_vectoring(struct vcpu *vcpu)
{
    const struct vcpu_message *message = vcpu->message;
    uint32_t info = (uint32_t)message->vectoring_info;

    if ((info & EVENT_VALID) == 0) {
        return;
    }
    /* Some emulators name a virtual interrupt an exception with an impossible vector; then it is
     * still pending in the processor and comes by itself. */
    if ((info & EVENT_TYPE_MASK) == EVENT_EXCEPTION && (info & EVENT_VECTOR_MASK) > 31) {
        return;
    }
    vcpu->events.reinject = info & EVENT_DEFINED;
    vcpu->events.reinject_error = (uint32_t)message->vectoring_error;
    vcpu->events.reinject_length = (uint32_t)message->length;
    vcpu->attention = true;
}

/*
 * An interrupt goes back to the local APIC, which may have a more urgent one by now. If it were
 * injected all the same, that one would need a window beside it, and then AMD-V has only EVENTINJ
 * for the first: with this, QEMU may deliver it twice (docs/emulators.md, section 3).
 */
void vcpu_note_not_entered(struct vcpu *vcpu)
{
    uint32_t info = (uint32_t)vcpu->message->entry_info & EVENT_DEFINED;

    if ((info & EVENT_TYPE_MASK) == EVENT_EXTERNAL && !vcpu->lapic.in_processor) {
        paravirt_take_back(vcpu);
        lapic_put_back(&vcpu->lapic, (uint8_t)info);
    } else {
        vcpu->events.reinject = info;
        vcpu->events.reinject_error = vcpu->events.injected_error;
        vcpu->events.reinject_length = vcpu->events.injected_length;
    }
    vcpu->attention = true;
}

/* When the APIC timer is due, on the host's TSC. */
static uint64_t apic_deadline(struct vcpu *vcpu)
{
    uint64_t deadline = lapic_timer_deadline(&vcpu->lapic);
    uint64_t now;

    if (deadline == LAPIC_NEVER) {
        return VCPU_DEADLINE_OFF;
    }
    now = vcpu_guest_tsc(vcpu);
    if (deadline <= now) { /* saves the entry that would end at once */
        lapic_timer_expire(&vcpu->lapic, now);
        vcpu->attention = true;
        deadline = lapic_timer_deadline(&vcpu->lapic);
        if (deadline == LAPIC_NEVER) {
            return VCPU_DEADLINE_OFF;
        }
    }
    return deadline - vcpu->tsc_offset;
}

void vcpu_sync_deadline(struct vcpu *vcpu)
{
    uint64_t deadline = apic_deadline(vcpu);

    if (vcpu->serve_at < deadline) {
        deadline = vcpu->serve_at;
    }
    vcpu->message->deadline = deadline < vcpu->watch.look_at ? deadline : vcpu->watch.look_at;
}

enum vcpu_stop vcpu_finish_step(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;

    /* The kernel ends the shadow itself, at an extended entry with another rip (abi/vcpu.h). */
    message->interruptibility &= ~(uint64_t)BLOCKED_SHADOW;
    if ((message->rflags & RFLAGS_TF) != 0 && vcpu->events.exception == 0) {
        uint64_t dr6 = vcpu_read_field(vcpu, VCPU_FIELD_DR6);

        vcpu_write_field(vcpu, VCPU_FIELD_DR6, dr6 | DR6_SINGLE_STEP);
        vcpu_raise(vcpu, VECTOR_DB);
    }
    return VCPU_RUNS;
}

/* --- the watchdog --- */

static bool takes_interrupts(const struct vcpu *vcpu)
{
    const struct vcpu_message *message = vcpu->message;

    return (message->rflags & RFLAGS_IF) != 0 && (message->interruptibility & BLOCKED_SHADOW) == 0;
}

enum vcpu_stop vcpu_watch(struct vcpu *vcpu)
{
    struct watch *watch = &vcpu->watch;

    if (watch->look_at > host_tsc()) {
        return VCPU_RUNS;
    }
    watch->look_at = VCPU_DEADLINE_OFF; /* if it is still kept out, it is set again */
    if (takes_interrupts(vcpu)) {
        watch->looks = 0;
        return VCPU_RUNS;
    }
    watch->looks++;
    return watch->looks < WATCH_LOOKS ? VCPU_RUNS : vm_stuck(vcpu);
}

/* A timer that is set already stays so when nothing is kept out any more: it finds that out. */
static void set_watch(struct vcpu *vcpu, bool kept_out)
{
    const struct vm *vm = vcpu->vm;
    struct watch *watch = &vcpu->watch;

    if (!kept_out) {
        *watch = (struct watch){ .look_at = VCPU_DEADLINE_OFF };
    } else if (watch->look_at == VCPU_DEADLINE_OFF && vm->config->watchdog_ms != 0) {
        watch->look_at = host_tsc() + (uint64_t)vm->config->watchdog_ms * vm->tsc_khz / WATCH_LOOKS;
        if (watch->look_at < vcpu->message->deadline) {
            vcpu->message->deadline = watch->look_at;
        }
    }
}

/* --- the choice --- */

/* Injects an event that is not to be held up. */
static void inject(struct vcpu *vcpu, uint32_t info, uint32_t error_code)
{
    if ((info & EVENT_ERROR_CODE) != 0) {
        vcpu_write_field(vcpu, VMCS_ENTRY_EXCEPTION_ERROR, error_code);
        vcpu->events.injected_error = error_code;
    }
    vcpu->message->entry_info = info;
}

static bool is_software_event(uint32_t info)
{
    uint32_t type = info & EVENT_TYPE_MASK;

    return type >= EVENT_SOFT_INTERRUPT && type <= EVENT_SOFT_EXCEPTION;
}

static void accept_interrupt(struct vcpu *vcpu, uint8_t vector)
{
    bool alone = lapic_is_idle(&vcpu->lapic);

    lapic_accept(&vcpu->lapic, vector);
    inject(vcpu, EVENT_VALID | EVENT_EXTERNAL | vector, 0);
    if (vcpu->paravirt.eoi_control != 0 && alone && !vcpu->lapic.irr_any &&
        lapic_is_edge(&vcpu->lapic, vector)) {
        paravirt_offer(vcpu);
    }
}

static void choose_event(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;
    struct vcpu_events *events = &vcpu->events;
    bool shadow = (message->interruptibility & BLOCKED_SHADOW) != 0;
    int vector;

    if (events->reinject != 0) {
        if (is_software_event(events->reinject)) {
            vcpu_write_field(vcpu, VMCS_ENTRY_INSTRUCTION_LENGTH, events->reinject_length);
            events->injected_length = events->reinject_length;
        }
        inject(vcpu, events->reinject, events->reinject_error);
        events->reinject = 0;
        return;
    }
    if (events->exception != 0) {
        inject(vcpu, events->exception, events->exception_error);
        events->exception = 0;
        return;
    }
    if (events->nmi && !shadow && (message->interruptibility & BLOCKED_BY_NMI) == 0) {
        events->nmi = false;
        inject(vcpu, EVENT_VALID | EVENT_NMI | VECTOR_NMI, 0);
        return;
    }
    if (!takes_interrupts(vcpu)) {
        return;
    }
    vector = lapic_pending(&vcpu->lapic);
    if (vector >= 0) {
        accept_interrupt(vcpu, (uint8_t)vector);
    }
}

static void set_control(struct vcpu *vcpu, uint64_t bit, bool wanted)
{
    vcpu->message->primary = wanted ? vcpu->message->primary | bit : vcpu->message->primary & ~bit;
}

void vcpu_prepare_events(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;
    bool interrupt_waits, nmi_waits;

    message->entry_info = 0;
    if (vcpu->lapic.irr_any) { /* waits for the end of the interrupt in service */
        paravirt_take_back(vcpu);
    }
    vcpu_post_requests(vcpu);
    choose_event(vcpu);
    if (message->entry_info != 0) {
        vcpu->sleeping = false;
    }
    message->activity = vcpu->sleeping ? VCPU_ACTIVITY_HLT : VCPU_ACTIVITY_ACTIVE;
    interrupt_waits = lapic_pending(&vcpu->lapic) >= 0;
    nmi_waits = vcpu->events.nmi;
    /* A sleeping guest that does not take interrupts has no window to wait for. */
    set_control(vcpu, VMX_PRIMARY_INTERRUPT_WINDOW, interrupt_waits && !vcpu->sleeping);
    set_control(vcpu, VMX_PRIMARY_NMI_WINDOW, nmi_waits && !vcpu->sleeping);
    set_watch(vcpu, interrupt_waits && !vcpu->sleeping && !takes_interrupts(vcpu));
    /* Whatever was injected has to be taken out of the message before the next entry. */
    vcpu->attention = message->entry_info != 0 || interrupt_waits || nmi_waits || vcpu->sleeping ||
                      vcpu->events.exception != 0 || vcpu->entry_length != VMENTER_EXTENDED_LENGTH;
}
