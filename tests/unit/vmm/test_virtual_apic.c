/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's half of a local APIC that the processor has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vmm/fake_host.h"

#define MSR_APIC_BASE 0x1bu
#define MSR_SVR       0x80fu
#define MSR_LVT_ERROR 0x837u
#define LEVEL_PIN     9u
#define LEVEL_VECTOR  0x61u
#define LEVEL_BIT     (1ull << (LEVEL_VECTOR - 64))
#define IOAPIC_LEVEL  0x8000u

static bool on(void)
{
    return fake_field(VCPU_FIELD_VIRTUAL_APIC) != 0;
}

static void write_base(struct vcpu *vcpu, uint64_t mode)
{
    uint64_t base = vcpu->lapic.base & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC);

    assert_true(msr_write(vcpu, MSR_APIC_BASE, base | mode));
}

/* Two vCPUs; the first has its APIC in the processor. */
static int setup(void **state)
{
    struct vm *vm = fake_vm_make_vcpus(2);
    struct vcpu *vcpu = &vm->vcpus[0];

    fake_host.virtual_apic = true;
    write_base(vcpu, APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    assert_true(msr_write(vcpu, MSR_SVR, 0x1ff));
    vcpu->message->rflags = RFLAGS_ONE | RFLAGS_IF;
    vcpu_prepare_events(vcpu);
    vcpu->entry_length = VMENTER_EXTENDED_LENGTH;
    *state = vm;
    return 0;
}

static int teardown(void **state)
{
    fake_vm_free(*state);
    return 0;
}

static struct vcpu *first(void **state)
{
    return &((struct vm *)*state)->vcpus[0];
}

/* What the next entry posts of vectors 0 to 127. */
static void assert_posts(struct vcpu *vcpu, uint64_t low, uint64_t high)
{
    vcpu_prepare_events(vcpu);
    assert_int_equal(vcpu->entry_length, VMENTER_POSTING_LENGTH);
    assert_int_equal(vcpu->message->posted[0], low);
    assert_int_equal(vcpu->message->posted[1], high);
    assert_int_equal(vcpu->message->posted[2], 0);
    assert_int_equal(vcpu->message->posted[3], 0);
}

static void test_requests_are_posted_and_not_injected(void **state)
{
    struct vcpu *vcpu = first(state);

    lapic_set_irr(&vcpu->lapic, 0x31, false);
    lapic_set_irr(&vcpu->lapic, 0x70, false);
    vcpu->message->rflags = RFLAGS_ONE; /* whether the guest takes them is the processor's to see */
    assert_posts(vcpu, 1ull << 0x31, 1ull << 0x30);
    assert_int_equal(vcpu->message->entry_info, 0);
    assert_int_equal(vcpu->message->primary & VMX_PRIMARY_INTERRUPT_WINDOW, 0);
    assert_true(vcpu->attention); /* so that the next entry does not post them again */
    vcpu_prepare_events(vcpu);
    assert_int_equal(vcpu->entry_length, VMENTER_EXTENDED_LENGTH);
    assert_false(vcpu->attention);
}

/* Another's request came before the entry: what was to be posted is posted with what came. */
static void test_nothing_is_lost_before_the_entry(void **state)
{
    struct vcpu *vcpu = first(state);

    lapic_set_irr(&vcpu->lapic, 0x31, false);
    assert_posts(vcpu, 1ull << 0x31, 0);
    vcpu_note_not_posted(vcpu);
    lapic_post(&vcpu->lapic, 0x32, false);
    assert_posts(vcpu, 1ull << 0x31 | 1ull << 0x32, 0);
    vcpu->entry_length = VMENTER_EXTENDED_LENGTH; /* and entered */
    vcpu_note_not_posted(vcpu);
    vcpu_prepare_events(vcpu);
    assert_int_equal(vcpu->entry_length, VMENTER_EXTENDED_LENGTH);
}

static void test_registers_go_along_with_the_mode(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = first(state);

    /* As it was: on after power-on and x2APIC. */
    assert_true(on());
    fake_vm_power_on(vm);
    assert_false(on());
    assert_false(vcpu->lapic.in_processor);
    vm_lapic_outcome(vcpu, lapic_write(&vcpu->lapic, LAPIC_REG_SVR, false, 0, 0x1ff));
    vm_lapic_outcome(vcpu, lapic_write(&vcpu->lapic, LAPIC_REG_TPR, false, 0, 0x25));
    lapic_set_irr(&vcpu->lapic, 0x81, false);
    lapic_accept(&vcpu->lapic, 0x81);
    lapic_set_irr(&vcpu->lapic, 0x41, false);
    write_base(vcpu, APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    assert_true(on());
    assert_int_equal(fake_field(VCPU_FIELD_APIC_TPR), 0x25);
    assert_int_equal(fake_field(VCPU_FIELD_APIC_ISR(0)), 0);
    assert_int_equal(fake_field(VCPU_FIELD_APIC_ISR(2)), 2);
    assert_posts(vcpu, 0, 2);
    /* The same mode once more moves nothing. */
    fake_set_field(VCPU_FIELD_APIC_TPR, 0x77);
    write_base(vcpu, APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    assert_int_equal(fake_field(VCPU_FIELD_APIC_TPR), 0x77);
    write_base(vcpu, 0);
    assert_false(on());
    assert_false(vcpu->lapic.in_processor);
    write_base(vcpu, APIC_BASE_ENABLE);
    assert_false(on());
}

/* INIT leaves the mode and empties the registers, the processor's, too. */
static void test_init_begins_with_nothing(void **state)
{
    struct vcpu *vcpu = first(state);

    lapic_set_irr(&vcpu->lapic, 0x31, false);
    vcpu_prepare_events(vcpu);
    fake_set_field(VCPU_FIELD_VIRTUAL_APIC, 7);
    vcpu_init(vcpu);
    assert_int_equal(fake_field(VCPU_FIELD_VIRTUAL_APIC), 1); /* written again */
    assert_true(vcpu->lapic.in_processor);
    vcpu_start_up(vcpu, 0x10);
    vcpu_prepare_events(vcpu);
    assert_int_equal(vcpu->entry_length, VMENTER_EXTENDED_LENGTH);
}

static void test_without_it_all_is_as_ever(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = first(state);

    fake_host.virtual_apic = false;
    fake_vm_power_on(vm);
    write_base(vcpu, APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    assert_true(msr_write(vcpu, MSR_SVR, 0x1ff));
    assert_false(vcpu->lapic.in_processor);
    lapic_set_irr(&vcpu->lapic, 0x31, false);
    vcpu->message->rflags = RFLAGS_ONE | RFLAGS_IF;
    vcpu_prepare_events(vcpu);
    assert_int_equal(vcpu->entry_length, VMENTER_EXTENDED_LENGTH);
    assert_int_equal(vcpu->message->entry_info, EVENT_VALID | EVENT_EXTERNAL | 0x31);
    vcpu->message->activity = VCPU_ACTIVITY_HLT;
    vcpu_note_sleep(vcpu);
    assert_false(vcpu->sleeping);
}

static void test_description_may_say_no(void **state)
{
    struct vcpu *vcpu = first(state);

    fake_vm_set_flags(VMM_FLAG_SOFTWARE_APIC);
    fake_vm_power_on(*state);
    write_base(vcpu, APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    assert_false(on());
    assert_false(vcpu->lapic.in_processor);
}

/* --- exits --- */

static enum vcpu_stop leave(struct vcpu *vcpu, uint64_t reason, uint64_t qualification)
{
    vcpu->message->reason = reason;
    vcpu->message->qualification = qualification;
    vcpu->message->rip = 0x1000;
    vcpu->message->length = 2;
    return vcpu_handle_exit(vcpu);
}

static void test_ends_of_levels_reach_the_ioapic(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = first(state);
    struct interrupt_messages none = { .nr = 0 };

    ioapic_write(&vm->ioapic, 0, 0x10 + 2 * LEVEL_PIN, &none);
    ioapic_write(&vm->ioapic, 0x10, IOAPIC_LEVEL | LEVEL_VECTOR, &none);
    vm_set_line(vcpu, LEVEL_PIN, true);
    assert_posts(vcpu, 0, LEVEL_BIT);
    assert_int_equal(fake_field(VMCS_EOI_EXIT_BITMAP(1)), LEVEL_BIT);
    assert_int_equal(fake_field(VMCS_EOI_EXIT_BITMAP(0)), 0);
    /* Its end, while the line is still there: once more. The guest stands behind its WRMSR. */
    assert_int_equal(leave(vcpu, VMX_EXIT_VIRTUALIZED_EOI, LEVEL_VECTOR), VCPU_RUNS);
    assert_int_equal(vcpu->message->rip, 0x1000);
    assert_posts(vcpu, 0, LEVEL_BIT);
    vm_set_line(vcpu, LEVEL_PIN, false);
    assert_int_equal(leave(vcpu, VMX_EXIT_VIRTUALIZED_EOI, LEVEL_VECTOR), VCPU_RUNS);
    assert_false(vcpu->lapic.irr_any);
    /* The same vector as an edge ends without an exit. */
    lapic_set_irr(&vcpu->lapic, LEVEL_VECTOR, false);
    assert_posts(vcpu, 0, LEVEL_BIT);
    assert_int_equal(fake_field(VMCS_EOI_EXIT_BITMAP(1)), 0);
}

static void test_self_ipi_with_an_illegal_vector(void **state)
{
    struct vcpu *vcpu = first(state);

    assert_true(msr_write(vcpu, MSR_LVT_ERROR, 0x45));
    assert_int_equal(leave(vcpu, VMX_EXIT_APIC_WRITE, 0x3f0), VCPU_RUNS);
    assert_posts(vcpu, 0, 1ull << 5);
    assert_int_equal(leave(vcpu, VMX_EXIT_APIC_WRITE, 0x300), VCPU_STOPS);
}

/* The kernel wakes a guest that it has put to sleep, and says so. */
static void test_who_sleeps(void **state)
{
    struct vcpu *vcpu = first(state);

    assert_int_equal(leave(vcpu, VMX_EXIT_HLT, 0), VCPU_RUNS);
    vcpu_prepare_events(vcpu);
    assert_int_equal(vcpu->message->activity, VCPU_ACTIVITY_HLT);
    vcpu_note_sleep(vcpu); /* notified, the message as it was */
    assert_true(vcpu->sleeping);
    lapic_set_irr(&vcpu->lapic, 0x31, false);
    vcpu_prepare_events(vcpu);
    assert_int_equal(vcpu->message->activity, VCPU_ACTIVITY_HLT);
    vcpu->message->activity = VCPU_ACTIVITY_ACTIVE; /* it woke, and left for something else */
    vcpu_note_sleep(vcpu);
    assert_false(vcpu->sleeping);
    vcpu_prepare_events(vcpu);
    assert_int_equal(vcpu->message->activity, VCPU_ACTIVITY_ACTIVE);
}

/* An interrupt that the processor has taken out of IRR, but not delivered. */
static void test_interrupted_delivery_is_injected(void **state)
{
    struct vcpu *vcpu = first(state);

    vcpu->message->vectoring_info = EVENT_VALID | EVENT_EXTERNAL | 0x31;
    vcpu_note_vectoring(vcpu);
    vcpu->message->rflags = RFLAGS_ONE | RFLAGS_IF;
    for (unsigned i = 0; i < 2; i++) {
        vcpu_prepare_events(vcpu);
        assert_int_equal(vcpu->message->entry_info, EVENT_VALID | EVENT_EXTERNAL | 0x31);
        vcpu_note_not_entered(vcpu);
        assert_false(vcpu->lapic.irr_any);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(requests_are_posted_and_not_injected),
        TEST(nothing_is_lost_before_the_entry),
        TEST(registers_go_along_with_the_mode),
        TEST(init_begins_with_nothing),
        TEST(without_it_all_is_as_ever),
        TEST(description_may_say_no),
        TEST(ends_of_levels_reach_the_ioapic),
        TEST(self_ipi_with_an_illegal_vector),
        TEST(who_sleeps),
        TEST(interrupted_delivery_is_injected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
