/* SPDX-License-Identifier: BSD-2-Clause */
/* Several vCPUs: who gets which interrupt, INIT and start-up, what is asked of whom and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vmm/fake_host.h"

#define NR_VCPUS 4u
#define ALL      0xfu
#define NOBODY   0u

#define MSR_APIC_BASE 0x1bu
#define MSR_ICR       0x830u
#define MSR_EOI       0x80bu
#define MSR_SVR       0x80fu
#define MSR_KVM_EOI   0x4b564d04u
#define EOI_WORD      0x3000u

#define ICR_NMI     0x400ull
#define ICR_INIT    0x500ull
#define ICR_STARTUP 0x600ull
#define ICR_LOWEST  0x100ull
#define ICR_LOGICAL 0x800ull
#define ICR_ASSERT  0x4000ull
#define ICR_LEVEL   0x8000ull
#define ICR_TO(id)  ((uint64_t)(id) << 32)
#define ICR_SELF    0x40000ull
#define ICR_ALL     0x80000ull
#define ICR_OTHERS  0xc0000ull

static void go_x2apic(struct vcpu *vcpu)
{
    assert_true(msr_write(vcpu, MSR_APIC_BASE, vcpu->lapic.base | APIC_BASE_X2APIC));
    assert_true(msr_write(vcpu, MSR_SVR, 0x1ff));
}

static void xapic_write(struct vcpu *vcpu, unsigned number, uint32_t value)
{
    vm_lapic_outcome(vcpu, lapic_write(&vcpu->lapic, number, false, 0, value));
}

static void forget_kicks(void)
{
    memset(fake_host.kicks, 0, sizeof(fake_host.kicks));
}

/* All vCPUs run: those but the first have been started. */
static int setup(void **state)
{
    struct vm *vm = fake_vm_make_vcpus(NR_VCPUS);

    for (unsigned i = 1; i < NR_VCPUS; i++) {
        assert_true(vm->vcpus[i].waits);
        vcpu_start_up(&vm->vcpus[i], 0x10);
    }
    for (unsigned i = 0; i < NR_VCPUS; i++) {
        vm->vcpus[i].message->rflags = RFLAGS_ONE | RFLAGS_IF;
        xapic_write(&vm->vcpus[i], LAPIC_REG_SVR, 0x1ff);
    }
    forget_kicks();
    *state = vm;
    return 0;
}

static int setup_x2apic(void **state)
{
    setup(state);
    for (unsigned i = 0; i < NR_VCPUS; i++) {
        go_x2apic(&((struct vm *)*state)->vcpus[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    fake_vm_free(*state);
    return 0;
}

/* What the vCPU's thread would inject next, 0 for nothing; it is injected and, if an interrupt,
 * ended. */
static uint64_t next_event(struct vcpu *vcpu)
{
    uint64_t info;

    if (!inbox_enter(&vcpu->inbox)) {
        assert_int_equal(vcpu_take_requests(vcpu), VCPU_RUNS);
    }
    inbox_leave(&vcpu->inbox);
    if (vcpu->waits || !vcpu->attention) {
        return 0;
    }
    vcpu_prepare_events(vcpu);
    info = vcpu->message->entry_info;
    vcpu->message->entry_info = 0;
    if (info != 0 && (info & EVENT_TYPE_MASK) == EVENT_EXTERNAL) {
        lapic_end_of_interrupt(&vcpu->lapic);
    }
    return info;
}

/* The set of vCPUs that get exactly this event, and nobody gets another. */
static unsigned receivers(struct vm *vm, uint64_t event)
{
    unsigned set = 0;

    for (unsigned i = 0; i < NR_VCPUS; i++) {
        uint64_t info = next_event(&vm->vcpus[i]);

        if (info != 0) {
            assert_int_equal(info, event);
            set |= 1u << i;
        }
        assert_int_equal(next_event(&vm->vcpus[i]), 0);
    }
    return set;
}

static unsigned fixed_receivers(struct vm *vm, uint8_t vector)
{
    return receivers(vm, EVENT_VALID | vector);
}

static unsigned after_ipi(struct vm *vm, unsigned from, uint64_t icr)
{
    assert_true(msr_write(&vm->vcpus[from], MSR_ICR, icr | 0x71));
    return fixed_receivers(vm, 0x71);
}

static void test_x2apic_ipi(void **state)
{
    struct vm *vm = *state;

    assert_int_equal(after_ipi(vm, 0, ICR_TO(2)), 1 << 2);
    assert_int_equal(after_ipi(vm, 2, ICR_TO(2)), 1 << 2);
    assert_int_equal(after_ipi(vm, 0, ICR_TO(7)), NOBODY);
    assert_int_equal(after_ipi(vm, 1, ICR_TO(0xffffffff)), ALL);
    assert_int_equal(after_ipi(vm, 1, ICR_SELF), 1 << 1);
    assert_int_equal(after_ipi(vm, 1, ICR_ALL), ALL);
    assert_int_equal(after_ipi(vm, 1, ICR_OTHERS), ALL & ~(1u << 1));
    /* Clusters of 16: cluster 0, members 1 and 3; the same members of cluster 1 are not there. */
    assert_int_equal(after_ipi(vm, 0, ICR_LOGICAL | ICR_TO(0x0000000a)), 0xa);
    assert_int_equal(after_ipi(vm, 0, ICR_LOGICAL | ICR_TO(0x0001000a)), NOBODY);
    assert_true(msr_write(&vm->vcpus[3], MSR_ICR, ICR_NMI | ICR_OTHERS));
    assert_int_equal(receivers(vm, EVENT_VALID | EVENT_NMI | VECTOR_NMI), 7);
    assert_true(msr_write(&vm->vcpus[0], 0x83f, 0x55));
    assert_int_equal(fixed_receivers(vm, 0x55), 1);
}

static void send_xapic(struct vcpu *vcpu, uint8_t destination, uint32_t icr)
{
    xapic_write(vcpu, LAPIC_REG_ICR_HIGH, (uint32_t)destination << 24);
    xapic_write(vcpu, LAPIC_REG_ICR, icr);
}

static void test_xapic_ipi(void **state)
{
    struct vm *vm = *state;

    send_xapic(&vm->vcpus[0], 3, 0x71);
    assert_int_equal(fixed_receivers(vm, 0x71), 1 << 3);
    send_xapic(&vm->vcpus[0], 0xff, 0x71);
    assert_int_equal(fixed_receivers(vm, 0x71), ALL);
    /* Flat: one bit each. */
    for (unsigned i = 0; i < NR_VCPUS; i++) {
        xapic_write(&vm->vcpus[i], LAPIC_REG_LDR, 1u << (24 + i));
    }
    send_xapic(&vm->vcpus[0], 0x5, 0x871);
    assert_int_equal(fixed_receivers(vm, 0x71), 5);
    /* Clusters of four: vCPUs 2 and 3 are members 0 and 1 of cluster 1. */
    for (unsigned i = 0; i < NR_VCPUS; i++) {
        xapic_write(&vm->vcpus[i], LAPIC_REG_DFR, 0x0fffffff);
        xapic_write(&vm->vcpus[i], LAPIC_REG_LDR, (i / 2) << 28 | 1u << (24 + i % 2));
    }
    send_xapic(&vm->vcpus[0], 0x12, 0x871);
    assert_int_equal(fixed_receivers(vm, 0x71), 1 << 3);
    send_xapic(&vm->vcpus[0], 0x03, 0x871);
    assert_int_equal(fixed_receivers(vm, 0x71), 3);
}

static void test_lowest_priority(void **state)
{
    struct vm *vm = *state;
    unsigned all = 0;

    for (unsigned i = 0; i < NR_VCPUS; i++) {
        unsigned set = after_ipi(vm, 0, ICR_LOWEST | ICR_LOGICAL | ICR_TO(0x0e));

        assert_int_equal(__builtin_popcount(set), 1);
        all |= set;
    }
    assert_int_equal(all, 0xe); /* each in turn, and vCPU 0 is not meant */
}

/*
 * A vCPU that will look anyway is not disturbed; one that is in its guest is, by each sender: the
 * first may have been preempted before its signal.
 */
static void test_kicks(void **state)
{
    struct vm *vm = *state;
    struct vcpu *target = &vm->vcpus[1];

    assert_true(msr_write(&vm->vcpus[0], MSR_ICR, ICR_TO(1) | 0x71));
    assert_int_equal(fake_host.kicks[1], 0);
    assert_false(inbox_enter(&target->inbox)); /* it has not gone in */
    assert_int_equal(vcpu_take_requests(target), VCPU_RUNS);
    assert_true(target->attention);
    assert_true(inbox_enter(&target->inbox));
    assert_true(msr_write(&vm->vcpus[0], MSR_ICR, ICR_TO(1) | 0x72));
    assert_true(msr_write(&vm->vcpus[2], MSR_ICR, ICR_TO(1) | 0x73));
    assert_int_equal(fake_host.kicks[1], 2);
    assert_int_equal(fake_host.kicks[0] + fake_host.kicks[2] + fake_host.kicks[3], 0);
}

static bool pause_exits(const struct vcpu *vcpu)
{
    return (vcpu->message->primary & VMX_PRIMARY_PAUSE) != 0;
}

/* PAUSE exits on those vCPUs that take turns on a core, after INIT too, and gives up the turn. */
static void test_pause(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[2];

    assert_false(pause_exits(vcpu));
    fake_vm_set_yielding(0x5);
    fake_vm_power_on(vm);
    assert_true(pause_exits(&vm->vcpus[0]) && pause_exits(vcpu));
    assert_false(pause_exits(&vm->vcpus[1]) || pause_exits(&vm->vcpus[3]));
    vcpu_init(vcpu);
    assert_true(pause_exits(vcpu));

    vcpu->message->rip = 0x1000;
    vcpu->message->reason = VMX_EXIT_PAUSE;
    vcpu->message->length = 2;
    assert_int_equal(vcpu_handle_exit(vcpu), VCPU_RUNS);
    assert_int_equal(vcpu->message->rip, 0x1002);
    assert_int_equal(fake_host.yields[2], 1);
    assert_int_equal(fake_host.yields[0] + fake_host.yields[1] + fake_host.yields[3], 0);
}

static uint64_t cs_base(struct vcpu *vcpu)
{
    return vcpu_read_field(vcpu, VMCS_GUEST_CS_BASE);
}

static void ipi(struct vm *vm, uint64_t icr)
{
    assert_true(msr_write(&vm->vcpus[0], MSR_ICR, icr));
}

/* INIT resets a running vCPU; what it keeps and what it loses. */
static void test_init(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[2];

    vcpu->message->gpr[MESSAGE_RBX] = 0x1234;
    vcpu->msrs.tsc_adjust = 77;
    vcpu_write_field(vcpu, VMCS_GUEST_CR0, CR0_PG | CR0_PE);
    vcpu_write_field(vcpu, VMCS_GUEST_EFER, EFER_LME | EFER_LMA);
    ipi(vm, ICR_TO(2) | 0x80);
    ipi(vm, ICR_INIT | ICR_ASSERT | ICR_LEVEL | ICR_TO(2));
    ipi(vm, ICR_INIT | ICR_LEVEL | ICR_TO(2)); /* de-assert: nothing */
    assert_int_equal(next_event(vcpu), 0);
    assert_true(vcpu->waits);
    assert_int_equal(vcpu->message->rip, 0xfff0);
    assert_int_equal(cs_base(vcpu), 0xffff0000);
    assert_int_equal(vcpu->message->gpr[MESSAGE_RBX], 0);
    assert_int_equal(vcpu_read_field(vcpu, VMCS_GUEST_CR0) & (CR0_PE | CR0_PG), 0);
    assert_int_equal(vcpu_read_field(vcpu, VMCS_GUEST_EFER), 0);
    assert_int_equal(vcpu->msrs.tsc_adjust, 77);
    assert_int_equal(vcpu->lapic.id, 2);
    assert_true(lapic_is_x2apic(&vcpu->lapic));
    assert_int_equal(vcpu->lapic.svr, 0xff);
    /* While it waits it hears nothing else. */
    ipi(vm, ICR_TO(2) | 0x80);
    ipi(vm, ICR_NMI | ICR_TO(2));
    assert_int_equal(next_event(vcpu), 0);
    ipi(vm, ICR_STARTUP | ICR_TO(2) | 0x9a);
    ipi(vm, ICR_STARTUP | ICR_TO(2) | 0x9b); /* the second of two changes nothing */
    assert_int_equal(next_event(vcpu), 0);
    assert_false(vcpu->waits);
    assert_int_equal(vcpu->message->rip, 0);
    assert_int_equal(cs_base(vcpu), 0x9a000);
    assert_int_equal(vcpu_read_field(vcpu, VMCS_GUEST_CS_SELECTOR), 0x9a00);
    /* A start-up message to one that runs is lost, also if INIT comes after it. */
    ipi(vm, ICR_STARTUP | ICR_TO(2) | 0x20);
    assert_int_equal(next_event(vcpu), 0);
    assert_int_equal(cs_base(vcpu), 0x9a000);
    ipi(vm, ICR_STARTUP | ICR_TO(2) | 0x20);
    ipi(vm, ICR_INIT | ICR_TO(2));
    assert_int_equal(next_event(vcpu), 0);
    assert_true(vcpu->waits);
    /* INIT and start-up before it looks: it starts. */
    ipi(vm, ICR_INIT | ICR_TO(2));
    ipi(vm, ICR_STARTUP | ICR_TO(2) | 0x30);
    assert_int_equal(next_event(vcpu), 0);
    assert_false(vcpu->waits);
    assert_int_equal(cs_base(vcpu), 0x30000);
}

/* There is no firmware at which the first processor could start again. */
static void test_init_of_first(void **state)
{
    struct vm *vm = *state;

    assert_true(msr_write(&vm->vcpus[1], MSR_ICR, ICR_INIT | ICR_TO(0)));
    assert_int_equal(vcpu_take_requests(&vm->vcpus[0]), VCPU_STOPS);
    assert_int_equal(vm->stop.report, VMM_REPORT_REBOOT);
}

static void test_all_stop(void **state)
{
    struct vm *vm = *state;

    assert_true(inbox_enter(&vm->vcpus[3].inbox));
    vm_crash(&vm->vcpus[1], 1, 2, "first");
    vm_crash(&vm->vcpus[2], 3, 4, "second");
    vm_request(vm, PLATFORM_POWEROFF);
    assert_int_equal(vm->stop.report, VMM_REPORT_CRASH);
    assert_string_equal(vm->stop.text, "first");
    assert_int_equal(vm->stop.vcpu, 1);
    assert_int_equal(fake_host.kicks[3], 1);
    for (unsigned i = 0; i < NR_VCPUS; i++) {
        inbox_leave(&vm->vcpus[i].inbox);
        assert_false(inbox_enter(&vm->vcpus[i].inbox));
        assert_int_equal(vcpu_take_requests(&vm->vcpus[i]), VCPU_STOPS);
    }
    fake_vm_power_on(vm);
    assert_false(vm_is_stopping(vm));
    assert_true(inbox_enter(&vm->vcpus[3].inbox));
}

/* --- lines --- */

static void redirect(struct vm *vm, unsigned pin, uint64_t entry)
{
    struct interrupt_messages messages = { 0 };

    for (unsigned half = 0; half < 2; half++) {
        ioapic_write(&vm->ioapic, 0, 0x10 + 2 * pin + half, &messages);
        ioapic_write(&vm->ioapic, 0x10, (uint32_t)(entry >> (32 * half)), &messages);
    }
    vm_deliver_all(&vm->vcpus[0], &messages);
}

static void pulse(struct vm *vm, unsigned pin)
{
    vm_set_line(&vm->vcpus[0], pin, true);
    vm_set_line(&vm->vcpus[0], pin, false);
}

static void test_lines(void **state)
{
    struct vm *vm = *state;

    redirect(vm, 5, 0x61 | 3ull << 56);
    pulse(vm, 5);
    assert_int_equal(fixed_receivers(vm, 0x61), 1 << 3);
    redirect(vm, 5, 0x61 | 1ull << 56); /* affinity changes */
    pulse(vm, 5);
    assert_int_equal(fixed_receivers(vm, 0x61), 1 << 1);
    redirect(vm, 5, 0x61 | ICR_LOGICAL | 0x0cull << 56);
    pulse(vm, 5);
    assert_int_equal(fixed_receivers(vm, 0x61), 0xc);
    /* A vector that may not be: the target's error register, and no interrupt. */
    redirect(vm, 5, 0x05 | 2ull << 56);
    pulse(vm, 5);
    assert_int_equal(fixed_receivers(vm, 0x61), NOBODY);
    assert_int_equal(vm->vcpus[2].lapic.esr_next, 1u << 6);
}

/* Level-triggered: asserted until served; ended by whichever vCPU took it, then sent again. */
static void test_level(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[2];

    redirect(vm, 9, 0x62 | ICR_LEVEL | 2ull << 56);
    vm_set_line(&vm->vcpus[0], 9, true);
    assert_false(inbox_enter(&vcpu->inbox));
    vcpu_take_requests(vcpu);
    vcpu_prepare_events(vcpu);
    assert_int_equal(vcpu->message->entry_info, EVENT_VALID | 0x62);
    vcpu->message->entry_info = 0;
    assert_true(inbox_enter(&vcpu->inbox));
    assert_int_equal(vm->ioapic.redirection[9] >> 14 & 1, 1); /* remote IRR */
    assert_true(msr_write(vcpu, MSR_EOI, 0));
    assert_int_equal(next_event(vcpu), EVENT_VALID | 0x62);
    vm_set_line(&vm->vcpus[1], 9, false);
}

/* --- paravirtual --- */

static uint64_t hypercall(struct vcpu *vcpu, uint64_t number, uint64_t rbx, uint64_t rcx,
                          uint64_t rdx, uint64_t rsi)
{
    uint64_t *gpr = vcpu->message->gpr;

    gpr[MESSAGE_RAX] = number;
    gpr[MESSAGE_RBX] = rbx;
    gpr[MESSAGE_RCX] = rcx;
    gpr[MESSAGE_RDX] = rdx;
    gpr[MESSAGE_RSI] = rsi;
    vcpu->message->reason = VMX_EXIT_VMCALL;
    vcpu->message->length = 3;
    assert_int_equal(vcpu_handle_exit(vcpu), VCPU_RUNS);
    return gpr[MESSAGE_RAX];
}

static void test_send_ipi_call(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[0]; /* in 64-bit mode */

    assert_int_equal(hypercall(vcpu, 10, 0xe, 0, 0, 0x71), 3);
    assert_int_equal(fixed_receivers(vm, 0x71), 0xe);
    /* The set's bits count from rdx; beyond the first 64 are in rcx. */
    assert_int_equal(hypercall(vcpu, 10, 3, 0, 2, 0x71), 2);
    assert_int_equal(fixed_receivers(vm, 0x71), 0xc);
    assert_int_equal(hypercall(vcpu, 10, 0, 1, (uint32_t)(1 - 64), 0x71), 1);
    assert_int_equal(fixed_receivers(vm, 0x71), 2);
    assert_int_equal(hypercall(vcpu, 10, 0xffffffffffffffff, ~0ull, 0, ICR_NMI), 4);
    assert_int_equal(receivers(vm, EVENT_VALID | EVENT_NMI | VECTOR_NMI), ALL);
    assert_int_equal(hypercall(vcpu, 10, 2, 0, 0, ICR_INIT), (uint64_t)-22);
    assert_int_equal(hypercall(vcpu, 10, 2, 0, 0, 5), (uint64_t)-22);
    assert_int_equal(hypercall(vcpu, 4711, 0, 0, 0, 0), (uint64_t)-1000);
    /* User code may not. */
    vcpu_write_field(vcpu, VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3);
    assert_int_equal(hypercall(vcpu, 10, 0xe, 0, 0, 0x71), (uint64_t)-1);
    assert_int_equal(receivers(vm, 0), NOBODY);
    /* Outside 64-bit mode the set has two halves of 32. */
    assert_int_equal(hypercall(&vm->vcpus[1], 10, 0, 1, (uint32_t)(3 - 32), 0x71), 1);
    assert_int_equal(fixed_receivers(vm, 0x71), 1 << 3);
    /* Above 4 GiB it is that mode: nobody asks for EFER and CS. */
    vm->vcpus[1].message->rip = VMENTER_64_BIT_CODE;
    unsigned reads = fake_host.nr_field_reads;
    assert_int_equal(hypercall(&vm->vcpus[1], 10, 0, 1, (uint32_t)(3 - 64), 0x71), 1);
    assert_int_equal(fixed_receivers(vm, 0x71), 1 << 3);
    assert_int_equal(fake_host.nr_field_reads, reads + 1); /* of SS: is it a user's? */
}

static void halt(struct vcpu *vcpu)
{
    vcpu->message->reason = VMX_EXIT_HLT;
    vcpu->message->length = 1;
    assert_int_equal(vcpu_handle_exit(vcpu), VCPU_RUNS);
    vcpu_prepare_events(vcpu);
}

static void test_kick_call(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[3];

    vcpu->message->rflags = RFLAGS_ONE; /* also with interrupts off */
    halt(vcpu);
    assert_int_equal(vcpu->message->activity, VCPU_ACTIVITY_HLT);
    assert_int_equal(hypercall(&vm->vcpus[0], 5, 0, 3, 0, 0), 0);
    next_event(vcpu);
    assert_int_equal(vcpu->message->activity, VCPU_ACTIVITY_ACTIVE);
    /* It came before the HLT, which then does not sleep; the next one does. */
    assert_int_equal(hypercall(&vm->vcpus[0], 5, 0, 3, 0, 0), 0);
    next_event(vcpu);
    halt(vcpu);
    assert_int_equal(vcpu->message->activity, VCPU_ACTIVITY_ACTIVE);
    halt(vcpu);
    assert_int_equal(vcpu->message->activity, VCPU_ACTIVITY_HLT);
}

static uint32_t *eoi_word(struct vm *vm)
{
    return (uint32_t *)(vm->ram.base + EOI_WORD);
}

static uint64_t inject(struct vcpu *vcpu)
{
    vcpu_prepare_events(vcpu);
    uint64_t info = vcpu->message->entry_info;
    vcpu->message->entry_info = 0;
    return info;
}

static void test_eoi_word(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[1];

    assert_false(msr_write(vcpu, MSR_KVM_EOI, (FAKE_RAM_BYTES & ~3ull) | 1)); /* no RAM there */
    assert_false(msr_write(vcpu, MSR_KVM_EOI, EOI_WORD | 3));
    assert_true(msr_write(vcpu, MSR_KVM_EOI, EOI_WORD | 1));
    lapic_set_irr(&vcpu->lapic, 0x50, false);
    assert_int_equal(inject(vcpu), EVENT_VALID | 0x50);
    assert_int_equal(*eoi_word(vm), 1);
    /* The guest ends it in memory: seen at the next exit. */
    *eoi_word(vm) = 0;
    paravirt_collect(vcpu);
    assert_true(lapic_is_idle(&vcpu->lapic));
    assert_false(vcpu->paravirt.eoi_offered);
    /* It has not ended it yet, and a lower one waits: an exit is wanted now. */
    lapic_set_irr(&vcpu->lapic, 0x50, false);
    inject(vcpu);
    paravirt_collect(vcpu);
    lapic_set_irr(&vcpu->lapic, 0x30, false);
    assert_int_equal(inject(vcpu), 0);
    assert_int_equal(*eoi_word(vm), 0);
    assert_false(lapic_is_idle(&vcpu->lapic));
    assert_true(msr_write(vcpu, MSR_EOI, 0));
    assert_int_equal(inject(vcpu), EVENT_VALID | 0x30);
    assert_int_equal(*eoi_word(vm), 1);
    /* Ended in memory just before another one comes. */
    *eoi_word(vm) = 0;
    lapic_set_irr(&vcpu->lapic, 0x30, false);
    assert_int_equal(inject(vcpu), EVENT_VALID | 0x30);
    /* Level-triggered ones are ended at the I/O APIC: never in memory. */
    assert_true(msr_write(vcpu, MSR_EOI, 0));
    *eoi_word(vm) = 0;
    paravirt_collect(vcpu);
    lapic_set_irr(&vcpu->lapic, 0x40, true);
    assert_int_equal(inject(vcpu), EVENT_VALID | 0x40);
    assert_int_equal(*eoi_word(vm), 0);
    assert_true(msr_write(vcpu, MSR_EOI, 0));
    /* Off again. */
    assert_true(msr_write(vcpu, MSR_KVM_EOI, 0));
    lapic_set_irr(&vcpu->lapic, 0x50, false);
    assert_int_equal(inject(vcpu), EVENT_VALID | 0x50);
    assert_int_equal(*eoi_word(vm), 0);
}

/* --- where real mode is not possible --- */

static void mailbox_access(struct vm *vm, unsigned offset, unsigned size, uint64_t value)
{
    const gpa_t address = gpa(MAILBOX_BASE + offset);

    mmio_write(&vm->vcpus[0], mmio_find(&vm->vcpus[0], address), address, size, value);
}

static void wake(struct vm *vm, uint32_t apic_id, uint64_t address)
{
    mailbox_access(vm, 4, 4, apic_id);
    mailbox_access(vm, 8, 8, address);
    mailbox_access(vm, 0, 2, 1);
}

static int setup_without_real_mode(void **state)
{
    struct vm *vm = fake_vm_make_vcpus(NR_VCPUS);

    vm->has_real_mode = false;
    fake_vm_power_on(vm);
    forget_kicks();
    *state = vm;
    return 0;
}

static void test_mailbox(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[2];
    const gpa_t command = gpa(MAILBOX_BASE);

    assert_true(inbox_enter(&vcpu->inbox)); /* its thread waits */
    wake(vm, 2, 0x9a000);
    assert_int_equal(fake_host.kicks[2], 1);
    assert_int_equal(mmio_read(&vm->vcpus[0], mmio_find(&vm->vcpus[0], command), command, 2), 0);
    inbox_leave(&vcpu->inbox);
    assert_int_equal(next_event(vcpu), 0);
    assert_false(vcpu->waits);
    assert_int_equal(vcpu->message->rip, 0x9a000);
    assert_int_equal(vcpu_read_field(vcpu, VMCS_GUEST_CR3), LINUX_PAGE_TABLES);
    assert_int_equal(vcpu_read_field(vcpu, VMCS_GUEST_EFER), EFER_LME | EFER_LMA);
    assert_true(vm->vcpus[1].waits && vm->vcpus[3].waits);
    /* One that runs is left alone; nobody has this ID; other commands are none. */
    wake(vm, 2, 0x5000);
    wake(vm, NR_VCPUS, 0x5000);
    mailbox_access(vm, 0, 2, 2);
    for (unsigned i = 0; i < NR_VCPUS; i++) {
        assert_int_equal(next_event(&vm->vcpus[i]), 0);
    }
    assert_int_equal(vcpu->message->rip, 0x9a000);
    /* What lies beyond the page is not there, and the rest keeps what is written. */
    mailbox_access(vm, MAILBOX_BYTES - 4, 8, ~0ull);
    mailbox_access(vm, 0x10, 8, 0x1122334455667788);
    const gpa_t rest = gpa(MAILBOX_BASE + 0x14);
    assert_int_equal(mmio_read(vcpu, mmio_find(vcpu, rest), rest, 4), 0x11223344);
    /* After INIT it starts again. */
    go_x2apic(&vm->vcpus[0]);
    assert_true(msr_write(&vm->vcpus[0], MSR_ICR, ICR_INIT | ICR_ASSERT | ICR_TO(2)));
    wake(vm, 2, 0x7000);
    assert_int_equal(next_event(vcpu), 0);
    assert_int_equal(vcpu->message->rip, 0x7000);
}

static void test_no_mailbox_beside_real_mode(void **state)
{
    struct vm *vm = *state;

    assert_null(mmio_find(&vm->vcpus[0], gpa(MAILBOX_BASE)));
}

static void test_startup_without_real_mode(void **state)
{
    static const char said[] = "vmm: fake: vCPU 1 stays off: it was to start in real mode";
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[1];

    go_x2apic(&vm->vcpus[0]);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(msr_write(&vm->vcpus[0], MSR_ICR, ICR_STARTUP | ICR_TO(1) | 0x10));
        assert_int_equal(next_event(vcpu), 0);
        assert_true(vcpu->waits);
    }
    fake_console();
    assert_true(fake_host.nr_sent > sizeof(said));
    assert_memory_equal(fake_host.sent, said, sizeof(said) - 1);
    assert_int_equal(memchr(fake_host.sent, '\n', fake_host.nr_sent) ==
                         fake_host.sent + fake_host.nr_sent - 1,
                     1); /* once */
    wake(vm, 1, 0x6000);
    assert_int_equal(next_event(vcpu), 0);
    assert_false(vcpu->waits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_x2apic_ipi, setup_x2apic, teardown),
        cmocka_unit_test_setup_teardown(test_xapic_ipi, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lowest_priority, setup_x2apic, teardown),
        cmocka_unit_test_setup_teardown(test_kicks, setup_x2apic, teardown),
        cmocka_unit_test_setup_teardown(test_pause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_init, setup_x2apic, teardown),
        cmocka_unit_test_setup_teardown(test_init_of_first, setup_x2apic, teardown),
        cmocka_unit_test_setup_teardown(test_all_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines, setup_x2apic, teardown),
        cmocka_unit_test_setup_teardown(test_level, setup_x2apic, teardown),
        cmocka_unit_test_setup_teardown(test_send_ipi_call, setup_x2apic, teardown),
        cmocka_unit_test_setup_teardown(test_kick_call, setup_x2apic, teardown),
        cmocka_unit_test_setup_teardown(test_eoi_word, setup_x2apic, teardown),
        cmocka_unit_test_setup_teardown(test_mailbox, setup_without_real_mode, teardown),
        cmocka_unit_test_setup_teardown(test_no_mailbox_beside_real_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(test_startup_without_real_mode, setup_without_real_mode,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
