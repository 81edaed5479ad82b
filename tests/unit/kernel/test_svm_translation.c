/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The AMD-V backend's translation, without a processor: VMCS fields into the VMCB and back,
 * execution controls to intercepts, exits to VMX reasons. The world switch itself is tested in the
 * emulator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/vcpu.h"
#include "abi/vmcs.h"
#include "kernel/core/core.h"
#include "kernel/core/panic.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/fpu.h"
#include "kernel/x86/virt/svm/svm_priv.h"

/* --- what svm.c and the rest of the kernel would supply -------------------------------------- */

u64 host_physical_window;
struct core cores[CONFIG_MAX_CORES];
unsigned host_core;
u64 virt_guest_xcr0 = 0xe7;
static unsigned debug_loads;
static unsigned fpu_releases;
static unsigned looks_again;

void panic(const char *format, ...)
{
    fail_msg("panic: %s", format);
    abort();
}

void virt_debug_sync(struct vcpu *vcpu)
{
    (void)vcpu;
}

void virt_debug_load(struct vcpu *vcpu)
{
    debug_loads++;
    this_core()->debug_owner = vcpu;
}

void fpu_release_vcpu(struct vcpu *vcpu)
{
    (void)vcpu;
    fpu_releases++;
}

void apic_look_again(void)
{
    looks_again++;
}

void fpu_settle_xcr0(struct vcpu *vcpu)
{
    (void)vcpu;
}

void vcpu_set_deadline(struct vcpu *vcpu, ticks_t deadline)
{
    vcpu->deadline = deadline;
}

struct fixture {
    _Alignas(4096) u8 object[BIT(VCPU_SIZE_BITS)];
};

static struct vcpu *fresh_vcpu(void)
{
    static struct fixture fixture;
    struct vcpu *vcpu = (struct vcpu *)(fixture.object + VCPU_STATE_OFFSET);

    memset(&fixture, 0, sizeof(fixture));
    this_core()->debug_owner = NULL;
    debug_loads = 0;
    fpu_releases = 0;
    svm_state(vcpu)->primary = svm_filter(VMCS_PRIMARY_CONTROLS, 0);
    svm_state(vcpu)->asid_generation = 7;
    svm_vmcb(vcpu)->save.efer = EFER_SVME;
    svm_apply_controls(vcpu);
    return vcpu;
}

static u64 write_and_read(struct vcpu *vcpu, u64 field, u64 value)
{
    u64 written = ~value, read = ~value;

    assert_true(svm_write_field(vcpu, field, value, &written));
    assert_true(svm_read_field(vcpu, field, &read));
    return read;
}

/* --- fields ---------------------------------------------------------------------------------- */

static void test_plain_fields_keep_their_value(void **state)
{
    static const struct {
        u64 field, mask;
    } rows[] = {
        { VMCS_GUEST_RIP, ~0ull },          { VMCS_GUEST_RSP, ~0ull },
        { VMCS_GUEST_RFLAGS, ~0ull },       { VMCS_GUEST_CR3, ~0ull },
        { VMCS_GUEST_DR7, ~0ull },          { VMCS_GUEST_FS_BASE, ~0ull },
        { VMCS_GUEST_CS_SELECTOR, 0xffff }, { VMCS_GUEST_TR_LIMIT, 0xffffffff },
        { VMCS_GUEST_PAT, ~0ull },          { VMCS_TSC_OFFSET, ~0ull },
        { VCPU_FIELD_CR2, ~0ull },          { VCPU_FIELD_DEADLINE, ~0ull },
        { VCPU_FIELD_DR0, ~0ull },          { VCPU_FIELD_DR6, ~0ull },
        { VMCS_GUEST_DEBUGCTL, ~0ull },     { VMCS_GUEST_PERF_GLOBAL_CTRL, ~0ull },
        { VMCS_GUEST_PDPTE0, ~0ull },       { VMCS_GUEST_PDPTE1, ~0ull },
        { VMCS_GUEST_PDPTE2, ~0ull },       { VMCS_GUEST_PDPTE3, ~0ull },
        { VMCS_GUEST_SMBASE, 0xffffffff },  { VMCS_PREEMPTION_TIMER, 0xffffffff },
    };
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
        u64 value = 0x8123456789abcdefull * (2 * i + 1);

        assert_int_equal(write_and_read(vcpu, rows[i].field, value), value & rows[i].mask);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) { /* each has a place of its own */
        u64 value = 0x8123456789abcdefull * (2 * i + 1), read = 0;

        assert_true(svm_read_field(vcpu, rows[i].field, &read));
        assert_int_equal(read, value & rows[i].mask);
    }
}

static void test_fields_that_nothing_stands_for_are_zero(void **state)
{
    static const u64 read_only[] = { VMCS_IO_RCX, VMCS_IO_RSI, VMCS_IO_RDI, VMCS_IO_RIP,
                                     VMCS_GUEST_LINEAR_ADDRESS };
    struct vcpu *vcpu = fresh_vcpu();
    u64 value;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(read_only); i++) {
        value = ~0ull;
        assert_true(svm_read_field(vcpu, read_only[i], &value));
        assert_int_equal(value, 0);
        assert_false(svm_write_field(vcpu, read_only[i], 0, &value));
    }
    assert_int_equal(write_and_read(vcpu, VMCS_GUEST_PENDING_DEBUG, 0), 0);
    assert_false(svm_write_field(vcpu, VMCS_GUEST_PENDING_DEBUG, 0x4000, &value));
}

static void test_unknown_and_read_only_fields_are_refused(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();
    u64 value;

    (void)state;
    assert_false(svm_read_field(vcpu, VMCS_CR0_MASK, &value));
    assert_false(svm_write_field(vcpu, VMCS_CR4_SHADOW, 0, &value));
    assert_false(svm_read_field(vcpu, VMCS_EPT_POINTER, &value));
    assert_false(svm_read_field(vcpu, VMCS_HOST_RIP, &value));
    assert_false(svm_read_field(vcpu, VMCS_EXIT_INSTRUCTION_INFO, &value));
    assert_false(svm_write_field(vcpu, VMCS_INSTRUCTION_ERROR, 0, &value));
    assert_false(svm_write_field(vcpu, VMCS_EXIT_INTERRUPTION_INFO, 0, &value));
    assert_false(svm_read_field(vcpu, VMCS_ENTRY_EXCEPTION_ERROR, &value));
    /* A number whose low 32 bits name a field is not that field. */
    assert_false(svm_read_field(vcpu, BIT(32) | VMCS_GUEST_RIP, &value));
}

static void test_access_rights_convert(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    assert_int_equal(write_and_read(vcpu, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b), 0xa09b);
    assert_int_equal(svm_vmcb(vcpu)->save.cs.attributes, 0xa9b);
    assert_int_equal(write_and_read(vcpu, VMCS_GUEST_LDTR_ACCESS_RIGHTS, 0x10082), 0x10000);
    assert_int_equal(svm_vmcb(vcpu)->save.ldtr.attributes, 0);
}

static void test_privilege_level_follows_ss(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    write_and_read(vcpu, VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc0f3);
    assert_int_equal(svm_vmcb(vcpu)->save.cpl, 3);
    write_and_read(vcpu, VMCS_GUEST_SS_ACCESS_RIGHTS, 0xc093);
    assert_int_equal(svm_vmcb(vcpu)->save.cpl, 0);
}

static void test_guest_never_sees_nor_clears_svme(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    assert_int_equal(write_and_read(vcpu, VMCS_GUEST_EFER, 0), 0);
    assert_true(svm_vmcb(vcpu)->save.efer & EFER_SVME);
    assert_int_equal(write_and_read(vcpu, VMCS_GUEST_EFER, ~0ull) & EFER_SVME, 0);
    assert_true(svm_vmcb(vcpu)->save.efer & EFER_SVME);
}

static void test_paging_registers_take_a_fresh_asid(void **state)
{
    static const u64 fields[] = { VMCS_GUEST_CR0, VMCS_GUEST_CR3, VMCS_GUEST_CR4, VMCS_GUEST_EFER };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(fields); i++) {
        struct vcpu *vcpu = fresh_vcpu();

        write_and_read(vcpu, fields[i], 0);
        assert_int_equal(svm_state(vcpu)->asid_generation, 0);
    }
}

static void test_xcr0_takes_only_what_xsetbv_would(void **state)
{
    static const struct {
        u64 value;
        bool accepted;
    } rows[] = {
        { 0, false },    { 1, true },     { 2, false },     { 3, true },
        { 4, false },    { 5, false },    { 7, true },      { 0xe7, true },
        { 0x27, false }, { 0xe3, false }, { 0x207, false }, { BIT(63) | 7, false },
    };
    struct vcpu *vcpu = fresh_vcpu();
    u64 written;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
        fpu_releases = 0;
        assert_int_equal(svm_write_field(vcpu, VCPU_FIELD_XCR0, rows[i].value, &written),
                         rows[i].accepted);
        assert_int_equal(fpu_releases, rows[i].accepted);
    }
}

static void test_writes_make_the_processor_check_again(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    svm_state(vcpu)->attention = 0;
    write_and_read(vcpu, VMCS_GUEST_CS_SELECTOR, 8);
    assert_true(svm_state(vcpu)->attention & SVM_DIRTY);
}

/* --- controls -------------------------------------------------------------------------------- */

static bool intercepts(struct vcpu *vcpu, enum vmcb_intercept_word word, u64 bits)
{
    return (svm_vmcb(vcpu)->control.intercepts[word] & bits) == bits;
}

static void test_forced_intercepts_survive_any_control(void **state)
{
    static const u64 values[] = { 0, ~0ull, 0x55555555, 0xaaaaaaaa };
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(values); i++) {
        write_and_read(vcpu, VMCS_PRIMARY_CONTROLS, values[i]);
        write_and_read(vcpu, VMCS_SECONDARY_CONTROLS, values[i]);
        write_and_read(vcpu, VMCS_PIN_CONTROLS, values[i]);
        write_and_read(vcpu, VMCS_EXCEPTION_BITMAP, values[i]);
        assert_true(intercepts(vcpu, INTERCEPT_3,
                               INTERCEPT(INTR) | INTERCEPT(NMI) | INTERCEPT(SMI) | INTERCEPT(INIT) |
                                   INTERCEPT(IO) | INTERCEPT(MSR) | INTERCEPT(SHUTDOWN) |
                                   INTERCEPT(INVLPGA)));
        assert_true(intercepts(vcpu, INTERCEPT_4,
                               INTERCEPT(VMRUN) | INTERCEPT(VMLOAD) | INTERCEPT(VMSAVE) |
                                   INTERCEPT(STGI) | INTERCEPT(CLGI) | INTERCEPT(SKINIT) |
                                   INTERCEPT(XSETBV)));
        assert_true(intercepts(vcpu, INTERCEPT_EXCEPTION, BIT(1) | BIT(17) | BIT(18)));
        assert_true(intercepts(vcpu, INTERCEPT_CR, BIT(16 + 4) | BIT(16 + 8) | BIT(8)));
    }
}

static void test_hlt_and_interrupt_window_follow_their_bits(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    write_and_read(vcpu, VMCS_PRIMARY_CONTROLS, VMX_PRIMARY_HLT | VMX_PRIMARY_INTERRUPT_WINDOW);
    assert_true(intercepts(vcpu, INTERCEPT_3, INTERCEPT(HLT) | INTERCEPT(VINTR)));
    assert_int_equal(svm_vmcb(vcpu)->control.v_irq, V_IRQ);
    write_and_read(vcpu, VMCS_PRIMARY_CONTROLS, 0);
    assert_false(intercepts(vcpu, INTERCEPT_3, INTERCEPT(HLT)));
    assert_true(intercepts(vcpu, INTERCEPT_3, INTERCEPT(VINTR)));
    assert_int_equal(svm_vmcb(vcpu)->control.v_irq, 0);
}

/* --- events ---------------------------------------------------------------------------------- */

static bool inject(struct vcpu *vcpu, u64 info, u64 *event)
{
    bool accepted;

    svm_state(vcpu)->entry_info = VMX_EVENT_VALID | info;
    svm_state(vcpu)->entry_error = 0x10;
    svm_vmcb(vcpu)->control.event_injection = 0;
    accepted = svm_inject(vcpu);
    *event = svm_vmcb(vcpu)->control.event_injection;
    return accepted;
}

static void test_events_are_translated(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();
    u64 event;

    (void)state;
    assert_true(inject(vcpu, VMX_EVENT_EXTERNAL | 0x41, &event));
    assert_int_equal(event, 0x80000041);
    assert_true(inject(vcpu, VMX_EVENT_NMI | 2, &event));
    assert_int_equal(event, 0x80000202);
    assert_true(inject(vcpu, VMX_EVENT_EXCEPTION | VMX_EVENT_ERROR_CODE | 13, &event));
    assert_int_equal(event, 0x1080000b0dull);
    svm_state(vcpu)->entry_length = 1;
    svm_vmcb(vcpu)->save.rip = 0x1000;
    assert_true(inject(vcpu, VMX_EVENT_SOFTWARE_EXCEPTION | 3, &event));
    assert_int_equal(event, 0x80000303);
    assert_int_equal(svm_vmcb(vcpu)->save.rip, 0x1001);
}

static void test_events_that_the_processor_refuses_never_reach_it(void **state)
{
    static const u64 wrong[] = {
        0x100, /* reserved type */
        VMX_EVENT_OTHER,
        VMX_EVENT_NMI | 3,
        VMX_EVENT_EXCEPTION | 2,
        VMX_EVENT_EXCEPTION | 32,
        VMX_EVENT_PRIVILEGED_EXCEPTION,
        VMX_EVENT_SOFTWARE_EXCEPTION | 5,
    };
    struct vcpu *vcpu = fresh_vcpu();
    u64 event;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++) {
        assert_false(inject(vcpu, wrong[i], &event));
        assert_int_equal(event, 0);
    }
    svm_state(vcpu)->entry_length = 16;
    assert_false(inject(vcpu, VMX_EVENT_SOFTWARE_INTERRUPT | 0x80, &event));
}

/* --- external interrupts as virtual ones ------------------------------------------------------ */

/* About to enter with an event, the guest ready for interrupts. */
static struct vcpu *injecting(u64 info)
{
    struct vcpu *vcpu = fresh_vcpu();
    u64 event;

    svm_vmcb(vcpu)->save.rflags = 0x202;
    assert_true(inject(vcpu, info, &event));
    return vcpu;
}

static bool is_virtual(struct vcpu *vcpu)
{
    const struct vmcb_control *control = &svm_vmcb(vcpu)->control;

    svm_make_virtual(vcpu);
    if (control->event_injection != 0) {
        assert_true(control->event_injection & EVENT_VALID);
        assert_true(intercepts(vcpu, INTERCEPT_3, INTERCEPT(VINTR)));
        return false;
    }
    assert_int_equal(control->v_irq, V_IRQ);
    assert_true(control->v_intr & V_INTR_IGNORE_TPR);
    assert_int_equal(control->v_intr_vector, 0x41);
    assert_false(intercepts(vcpu, INTERCEPT_3, INTERCEPT(VINTR)));
    return true;
}

static void assert_nothing_virtual_is_left(struct vcpu *vcpu)
{
    assert_int_equal(svm_vmcb(vcpu)->control.v_irq, 0);
    assert_true(intercepts(vcpu, INTERCEPT_3, INTERCEPT(VINTR)));
}

static void test_interrupt_that_is_taken_at_once_is_a_virtual_one(void **state)
{
    struct vcpu *vcpu = injecting(VMX_EVENT_EXTERNAL | 0x41);

    (void)state;
    assert_true(is_virtual(vcpu));
    svm_vmcb(vcpu)->control.v_irq = 0; /* taken */
    assert_false(svm_take_back_virtual(vcpu));
    assert_nothing_virtual_is_left(vcpu);

    assert_true(is_virtual(injecting(VMX_EVENT_EXTERNAL | 0x41)));
    assert_true(svm_take_back_virtual(vcpu)); /* a physical one came first */
    assert_nothing_virtual_is_left(vcpu);

    /* Reported as one whose delivery the exit interrupted: it is not to come twice. */
    assert_true(is_virtual(injecting(VMX_EVENT_EXTERNAL | 0x41)));
    svm_vmcb(vcpu)->control.exit_int_info = EVENT_VALID | 0x41;
    assert_false(svm_take_back_virtual(vcpu));
}

static void test_other_events_are_not_virtual(void **state)
{
    struct vcpu *vcpu = injecting(VMX_EVENT_NMI | 2);

    (void)state;
    assert_false(is_virtual(vcpu));
    assert_false(svm_take_back_virtual(vcpu));
    assert_false(is_virtual(injecting(VMX_EVENT_EXCEPTION | 6)));
    vcpu = injecting(VMX_EVENT_EXTERNAL | 0x41);
    svm_vmcb(vcpu)->save.rflags = 2;
    assert_false(is_virtual(vcpu));
    vcpu = injecting(VMX_EVENT_EXTERNAL | 0x41);
    svm_vmcb(vcpu)->control.interrupt_shadow = 1;
    assert_false(is_virtual(vcpu));
    vcpu = injecting(VMX_EVENT_EXTERNAL | 0x41);
    write_and_read(vcpu, VMCS_PRIMARY_CONTROLS, VMX_PRIMARY_INTERRUPT_WINDOW);
    assert_false(is_virtual(vcpu));
    assert_false(svm_take_back_virtual(vcpu)); /* the window's is not one of ours */
    assert_int_equal(svm_vmcb(vcpu)->control.v_irq, V_IRQ);
    vcpu = injecting(VMX_EVENT_EXTERNAL | 0x41);
    write_and_read(vcpu, VMCS_PRIMARY_CONTROLS, VMX_PRIMARY_NMI_WINDOW);
    assert_false(is_virtual(vcpu));
}

/* --- exits ----------------------------------------------------------------------------------- */

static struct vcpu *exited(u64 code, u64 info1, u64 info2)
{
    struct vcpu *vcpu = fresh_vcpu();
    struct vmcb *vmcb = svm_vmcb(vcpu);

    vmcb->save.rip = 0x1000;
    vmcb->control.exit_code = code;
    vmcb->control.exit_info1 = info1;
    vmcb->control.exit_info2 = info2;
    return vcpu;
}

static void test_port_exit(void **state)
{
    /* IN, 2 bytes, port 0x3f8; the next instruction is one byte on */
    struct vcpu *vcpu = exited(SVM_EXIT_IO, 0x03f80021, 0x1001);

    (void)state;
    assert_int_equal(svm_exit(vcpu), GUEST_EXIT);
    assert_int_equal(vcpu->exit.reason, VMX_EXIT_IO);
    assert_int_equal(vcpu->exit.qualification, 0x03f80000 | VMX_IO_IN | 1);
    assert_int_equal(vcpu->exit.instruction_length, 1);
}

/* One that was not asked for must not become the guest's vector 0. */
static void test_interrupt_windows_exit_only_when_asked_for(void **state)
{
    struct vcpu *vcpu = exited(SVM_EXIT_VINTR, 0, 0);

    (void)state;
    looks_again = 0;
    assert_int_equal(svm_exit(vcpu), GUEST_RESUME);
    assert_int_equal(looks_again, 1); /* what came during the entry may be lost */
    write_and_read(vcpu, VMCS_PRIMARY_CONTROLS, VMX_PRIMARY_INTERRUPT_WINDOW);
    assert_int_equal(svm_exit(vcpu), GUEST_EXIT);
    assert_int_equal(vcpu->exit.reason, VMX_EXIT_INTERRUPT_WINDOW);
}

static void test_nested_page_fault(void **state)
{
    struct vcpu *vcpu = exited(SVM_EXIT_NESTED_PAGE_FAULT, NPF_FINAL | NPF_WRITE | 4, 0xfee00300);

    (void)state;
    assert_int_equal(svm_exit(vcpu), GUEST_EXIT);
    assert_int_equal(vcpu->exit.reason, VMX_EXIT_EPT_VIOLATION);
    assert_int_equal(vcpu->exit.qualification, VMX_EPT_WRITE | VMX_EPT_TRANSLATED);
    assert_int_equal(vcpu->exit.guest_physical, 0xfee00300);
    assert_true(vcpu->exit.detailed);
}

static void test_host_events_stay_in_the_kernel(void **state)
{
    (void)state;
    assert_int_equal(svm_exit(exited(SVM_EXIT_INTR, 0, 0)), GUEST_INTERRUPT);
    assert_int_equal(svm_exit(exited(SVM_EXIT_NMI, 0, 0)), GUEST_INTERRUPT);
}

static void test_an_interrupted_delivery_is_given_again(void **state)
{
    struct vcpu *vcpu = exited(SVM_EXIT_INTR, 0, 0);

    (void)state;
    svm_vmcb(vcpu)->control.exit_int_info = EVENT_VALID | EVENT_ERROR_VALID | 0x30d | 0x28ull << 32;
    assert_int_equal(svm_exit(vcpu), GUEST_INTERRUPT);
    assert_int_equal(svm_state(vcpu)->entry_info, 0x80000b0d);
    assert_int_equal(svm_state(vcpu)->entry_error, 0x28);
}

static void test_guests_never_have_state_that_nobody_switches(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    assert_int_equal(
        write_and_read(vcpu, VMCS_GUEST_CR4, ~0ull) & (BIT(12) | BIT(22) | BIT(23) | BIT(24)), 0);
}

static void test_svm_instructions_are_undefined_for_guests(void **state)
{
    static const u64 codes[] = {
        SVM_EXIT_VMRUN,   SVM_EXIT_VMLOAD, 0x83, 0x84, 0x85, SVM_EXIT_SKINIT,
        SVM_EXIT_INVLPGA, SVM_EXIT_INVLPGB
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(codes); i++) {
        struct vcpu *vcpu = exited(codes[i], 0, 0);

        assert_int_equal(svm_exit(vcpu), GUEST_INTERRUPT);
        assert_int_equal(svm_state(vcpu)->entry_info, 0x80000306);
    }
}

static void test_exceptions_go_back_unless_the_monitor_asked(void **state)
{
    struct vcpu *vcpu = exited(SVM_EXIT_EXCEPTION + 17, 0, 0);

    (void)state;
    assert_int_equal(svm_exit(vcpu), GUEST_INTERRUPT);
    assert_int_equal(svm_state(vcpu)->entry_info, 0x80000b11);

    vcpu = exited(SVM_EXIT_EXCEPTION + 14, 2, 0xdead000);
    svm_state(vcpu)->exception_bitmap = BIT(14);
    assert_int_equal(svm_exit(vcpu), GUEST_EXIT);
    assert_int_equal(vcpu->exit.reason, VMX_EXIT_EXCEPTION_NMI);
    assert_int_equal(vcpu->exit.interruption_info, 0x80000b0e);
    assert_int_equal(vcpu->exit.interruption_error, 2);
    assert_int_equal(vcpu->exit.qualification, 0xdead000);
}

static void test_stale_and_virtual_vectoring_is_ignored(void **state)
{
    struct vcpu *vcpu = exited(SVM_EXIT_CPUID, 0, 0);

    (void)state;
    svm_vmcb(vcpu)->control.exit_int_info = 0x30e; /* not valid */
    svm_exit(vcpu);
    assert_int_equal(vcpu->exit.vectoring_info, 0);
    svm_vmcb(vcpu)->control.exit_int_info = EVENT_VALID | 0x3ec; /* QEMU's virtual interrupt */
    svm_exit(vcpu);
    assert_int_equal(vcpu->exit.vectoring_info, 0);
    svm_vmcb(vcpu)->control.exit_int_info = EVENT_VALID | 0x41;
    svm_exit(vcpu);
    assert_int_equal(vcpu->exit.vectoring_info, 0x80000041);
}

/* --- NMIs ------------------------------------------------------------------------------------ */

static void test_blocking_intercepts_iret(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    assert_false(intercepts(vcpu, INTERCEPT_3, INTERCEPT(IRET)));
    assert_int_equal(write_and_read(vcpu, VMCS_GUEST_INTERRUPTIBILITY, 0xf), 9);
    assert_int_equal(svm_vmcb(vcpu)->control.interrupt_shadow, 1);
    assert_true(intercepts(vcpu, INTERCEPT_3, INTERCEPT(IRET)));
    assert_int_equal(write_and_read(vcpu, VMCS_GUEST_INTERRUPTIBILITY, 8), 8);
    assert_int_equal(svm_vmcb(vcpu)->control.interrupt_shadow, 0);
    assert_int_equal(write_and_read(vcpu, VMCS_GUEST_INTERRUPTIBILITY, 2), 1);
    assert_false(intercepts(vcpu, INTERCEPT_3, INTERCEPT(IRET)));
}

static void test_nmi_window_opens_without_blocking_and_shadow(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct vcpu *vcpu = fresh_vcpu();
        bool wanted = i & 1, blocked = i & 2, shadow = i & 4;

        write_and_read(vcpu, VMCS_PRIMARY_CONTROLS, wanted ? VMX_PRIMARY_NMI_WINDOW : 0);
        write_and_read(vcpu, VMCS_GUEST_INTERRUPTIBILITY, (blocked ? 8 : 0) | (shadow ? 1 : 0));
        assert_int_equal(svm_nmi_window_is_open(vcpu), wanted && !blocked && !shadow);
        /* The entry looks again by itself, unless an IRET has to come first. */
        assert_int_equal(!!(svm_state(vcpu)->attention & SVM_NMI_WINDOW), wanted && !blocked);
    }
}

#define FLAGS 0x246ull

/* A VCPU in front of the IRET of its NMI, with the step begun; flags as the guest has them. */
static struct vcpu *stepping(u64 flags, struct svm_step *step)
{
    struct vcpu *vcpu = exited(SVM_EXIT_IRET, 0, 0);
    struct vmcb_save *save = &svm_vmcb(vcpu)->save;

    svm_block_nmi(vcpu, true);
    save->rflags = flags;
    save->dr6 = DR6_RESET | BIT(1);
    assert_int_equal(svm_exit(vcpu), GUEST_RESUME);
    assert_true(svm_state(vcpu)->attention & SVM_IRET_STEP);
    assert_false(intercepts(vcpu, INTERCEPT_3, INTERCEPT(IRET)));
    assert_true(intercepts(vcpu, INTERCEPT_EXCEPTION, 0xfffffffb));
    assert_false(intercepts(vcpu, INTERCEPT_EXCEPTION, BIT(2)));
    svm_step_begin(vcpu, step);
    assert_int_equal(save->rflags, flags | BIT(8));
    return vcpu;
}

static bool end_step(struct vcpu *vcpu, const struct svm_step *step, u64 code, u64 dr6_bits)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);

    vmcb->control.exit_code = code;
    vmcb->save.dr6 |= dr6_bits;
    return svm_step_end(vcpu, step);
}

static void test_a_step_over_iret_leaves_no_trace(void **state)
{
    struct svm_step step;
    struct vcpu *vcpu = stepping(FLAGS, &step);

    (void)state;
    svm_vmcb(vcpu)->save.rflags = 0x202; /* what IRET has loaded */
    assert_true(end_step(vcpu, &step, SVM_EXIT_EXCEPTION + 1, BIT(14)));
    assert_int_equal(svm_state(vcpu)->nmi_blocking, 0);
    assert_int_equal(svm_state(vcpu)->attention & SVM_IRET_STEP, 0);
    assert_int_equal(svm_vmcb(vcpu)->save.rflags, 0x202);
    assert_int_equal(svm_vmcb(vcpu)->save.dr6, DR6_RESET | BIT(1));
    assert_false(intercepts(vcpu, INTERCEPT_EXCEPTION, BIT(14)));
}

static void test_an_iret_that_is_not_executed_is_taken_back(void **state)
{
    static const struct {
        u64 code, dr6;
    } rows[] = {
        { SVM_EXIT_EXCEPTION + 13, 0 },    { SVM_EXIT_EXCEPTION + 14, 0 },
        { SVM_EXIT_NESTED_PAGE_FAULT, 0 }, { SVM_EXIT_INTR, 0 },
        { SVM_EXIT_EXCEPTION + 1, 1 }, /* a breakpoint at the IRET itself */
    };

    (void)state;
    for (unsigned i = 0; i < 2 * ARRAY_LENGTH(rows); i++) {
        u64 flags = i & 1 ? FLAGS | BIT(8) : FLAGS;
        struct svm_step step;
        struct vcpu *vcpu = stepping(flags, &step);

        assert_false(end_step(vcpu, &step, rows[i / 2].code, rows[i / 2].dr6));
        assert_int_equal(svm_vmcb(vcpu)->save.rflags, flags);
        assert_int_equal(svm_vmcb(vcpu)->save.dr6, DR6_RESET | BIT(1) | rows[i / 2].dr6);
        assert_int_equal(svm_state(vcpu)->nmi_blocking, VMX_INTERRUPTIBILITY_NMI);
        assert_true(intercepts(vcpu, INTERCEPT_3, INTERCEPT(IRET)));
        assert_false(intercepts(vcpu, INTERCEPT_EXCEPTION, BIT(14)));
    }
}

static void test_a_guest_gets_the_debug_exceptions_that_are_its_own(void **state)
{
    struct svm_step step;
    struct vcpu *vcpu = stepping(FLAGS | BIT(8), &step);

    (void)state;
    assert_false(end_step(vcpu, &step, SVM_EXIT_EXCEPTION + 1, BIT(14)));
    assert_int_equal(svm_vmcb(vcpu)->save.dr6, DR6_RESET | BIT(1) | BIT(14));
    assert_int_equal(svm_exit(vcpu), GUEST_INTERRUPT);
    assert_int_equal(svm_state(vcpu)->entry_info, 0x80000301);

    vcpu = stepping(FLAGS, &step);
    assert_false(end_step(vcpu, &step, SVM_EXIT_EXCEPTION + 1, BIT(14) | BIT(2)));
    assert_int_equal(svm_vmcb(vcpu)->save.dr6, DR6_RESET | BIT(1) | BIT(2));
    assert_int_equal(svm_state(vcpu)->nmi_blocking, 0);
}

static void test_a_page_fault_given_back_has_its_address(void **state)
{
    struct vcpu *vcpu = exited(SVM_EXIT_EXCEPTION + 14, 2, 0xdead000);

    (void)state;
    assert_int_equal(svm_exit(vcpu), GUEST_INTERRUPT);
    assert_int_equal(svm_state(vcpu)->entry_info, 0x80000b0e);
    assert_int_equal(svm_vmcb(vcpu)->save.cr2, 0xdead000);
}

static void test_an_nmi_that_was_not_delivered_does_not_block(void **state)
{
    struct vcpu *vcpu = exited(SVM_EXIT_NESTED_PAGE_FAULT, NPF_FINAL, 0x1000);

    (void)state;
    svm_block_nmi(vcpu, true);
    svm_vmcb(vcpu)->control.exit_int_info = EVENT_VALID | 0x202;
    assert_int_equal(svm_exit(vcpu), GUEST_EXIT);
    assert_int_equal(vcpu->exit.vectoring_info, 0x80000202);
    assert_int_equal(svm_state(vcpu)->nmi_blocking, 0);
}

static void test_first_debug_register_access_loads_them(void **state)
{
    struct vcpu *vcpu = exited(SVM_EXIT_DR0_WRITE + 7, 0, 0);

    (void)state;
    assert_true(intercepts(vcpu, INTERCEPT_DR, 0xffffffff));
    assert_int_equal(svm_exit(vcpu), GUEST_RESUME);
    assert_int_equal(debug_loads, 1);
}

static void test_every_exit_code_has_an_answer(void **state)
{
    (void)state;
    for (u64 code = 0; code <= 0x500; code++) {
        if (code == SVM_EXIT_EXCEPTION + 18)
            continue; /* a machine check stops the machine */

        enum guest_outcome outcome = svm_exit(exited(code, ~0ull, ~0ull));

        assert_true(outcome == GUEST_EXIT || outcome == GUEST_RESUME || outcome == GUEST_INTERRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_fields_keep_their_value),
        cmocka_unit_test(test_fields_that_nothing_stands_for_are_zero),
        cmocka_unit_test(test_unknown_and_read_only_fields_are_refused),
        cmocka_unit_test(test_access_rights_convert),
        cmocka_unit_test(test_privilege_level_follows_ss),
        cmocka_unit_test(test_guest_never_sees_nor_clears_svme),
        cmocka_unit_test(test_paging_registers_take_a_fresh_asid),
        cmocka_unit_test(test_xcr0_takes_only_what_xsetbv_would),
        cmocka_unit_test(test_writes_make_the_processor_check_again),
        cmocka_unit_test(test_forced_intercepts_survive_any_control),
        cmocka_unit_test(test_hlt_and_interrupt_window_follow_their_bits),
        cmocka_unit_test(test_events_are_translated),
        cmocka_unit_test(test_events_that_the_processor_refuses_never_reach_it),
        cmocka_unit_test(test_interrupt_that_is_taken_at_once_is_a_virtual_one),
        cmocka_unit_test(test_other_events_are_not_virtual),
        cmocka_unit_test(test_port_exit),
        cmocka_unit_test(test_interrupt_windows_exit_only_when_asked_for),
        cmocka_unit_test(test_nested_page_fault),
        cmocka_unit_test(test_host_events_stay_in_the_kernel),
        cmocka_unit_test(test_an_interrupted_delivery_is_given_again),
        cmocka_unit_test(test_guests_never_have_state_that_nobody_switches),
        cmocka_unit_test(test_svm_instructions_are_undefined_for_guests),
        cmocka_unit_test(test_exceptions_go_back_unless_the_monitor_asked),
        cmocka_unit_test(test_stale_and_virtual_vectoring_is_ignored),
        cmocka_unit_test(test_blocking_intercepts_iret),
        cmocka_unit_test(test_nmi_window_opens_without_blocking_and_shadow),
        cmocka_unit_test(test_a_step_over_iret_leaves_no_trace),
        cmocka_unit_test(test_an_iret_that_is_not_executed_is_taken_back),
        cmocka_unit_test(test_a_guest_gets_the_debug_exceptions_that_are_its_own),
        cmocka_unit_test(test_a_page_fault_given_back_has_its_address),
        cmocka_unit_test(test_an_nmi_that_was_not_delivered_does_not_block),
        cmocka_unit_test(test_first_debug_register_access_loads_them),
        cmocka_unit_test(test_every_exit_code_has_an_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
