/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VT-x backend without a processor: the lists of capabilities, the API's fields and what of
 * them gets into the VMCS, exits. The VMCS is an array here. The world switch itself is tested in
 * the emulator.
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
#include "kernel/x86/cpu.h"
#include "kernel/x86/fpu.h"
#include "kernel/x86/virt/vmx/vmx_instructions.h"
#include "kernel/x86/virt/vmx/vmx_priv.h"

/* --- what vmx.c, vmx_run.c, the processor and the rest of the kernel would supply ------------- */

u64 host_physical_window;
struct core cores[CONFIG_MAX_CORES];
unsigned host_core;
struct cpu cpu;
u64 virt_guest_xcr0 = 0xe7;
bool virt_has_virtual_apic;
static unsigned debug_loads, host_nmis, failed_entries;

#define VMCS_END 0x7000
static u64 vmcs[VMCS_END];
static u32 absent_field; /* one that this processor does not have */

void panic(const char *format, ...)
{
    fail_msg("panic: %s", format);
    abort();
}

bool vmread_try(u32 field, u64 *value)
{
    assert_true(field < VMCS_END);
    *value = vmcs[field];
    return field != absent_field;
}

bool vmwrite_try(u32 field, u64 value)
{
    assert_true(field < VMCS_END);
    vmcs[field] = value;
    return field != absent_field;
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

void vmx_host_nmi(void)
{
    host_nmis++;
}

enum guest_outcome vmx_entry_failed(struct vcpu *vcpu, u64 reason)
{
    vcpu_exit_begin(&vcpu->exit);
    vcpu->exit.reason = reason;
    failed_entries++;
    return GUEST_EXIT;
}

void fpu_release_vcpu(struct vcpu *vcpu)
{
    (void)vcpu;
}

void fpu_settle_xcr0(struct vcpu *vcpu)
{
    (void)vcpu;
}

void vcpu_set_deadline(struct vcpu *vcpu, ticks_t deadline)
{
    vcpu->deadline = deadline;
}

/* What Bochs' corei7_skylake_x says. */
static const struct vmx_capabilities skylake = {
    .basic = 0x00d8040000000001,
    .pin = { 0x16, 0x7f },
    .primary = { 0x04006172, 0xf7f9fffe },
    .secondary = { 0, 0x2177fff },
    .exit = { 0x36dfb, 0x7fffff },
    .entry = { 0x11fb, 0xffff },
    .cr0_fixed0 = 0x80000021,
    .cr0_fixed1 = 0xffffffff,
    .cr4_fixed0 = 0x2000,
    .cr4_fixed1 = 0x3727ff,
    .ept_vpid = 0xf0106734141,
};

static struct vcpu *fresh_vcpu(void)
{
    static struct vmx_core vmx_cores[2];
    static struct {
        _Alignas(4096) u8 object[BIT(VCPU_SIZE_BITS)];
    } fixture;
    struct vcpu *vcpu = (struct vcpu *)(fixture.object + VCPU_STATE_OFFSET);
    struct vmx_state *state = vmx_state(vcpu);

    memset(&fixture, 0, sizeof(fixture));
    for (unsigned i = 0; i < ARRAY_LENGTH(vmx_cores); i++)
        cores[i].virt = &vmx_cores[i];
    memset(vmcs, 0, sizeof(vmcs));
    vmx_capabilities = skylake;
    vmx_slice = 50000;
    this_core()->debug_owner = NULL;
    debug_loads = host_nmis = failed_entries = 0;
    absent_field = 0;
    virt_has_virtual_apic = true;
    state->pin = vmx_filter(VMCS_PIN_CONTROLS, 0);
    state->primary = vmx_filter(VMCS_PRIMARY_CONTROLS, 0);
    state->secondary = vmx_filter(VMCS_SECONDARY_CONTROLS, 0);
    state->exit_controls = vmx_filter(VMCS_EXIT_CONTROLS, 0);
    vmx_apply_controls(vcpu);
    return vcpu;
}

/* An exit after others. */
static enum guest_outcome leave(struct vcpu *vcpu, u64 reason)
{
    memset(&vcpu->exit, 0xee, sizeof(vcpu->exit));
    return vmx_exit(vcpu, reason);
}

static u64 write(struct vcpu *vcpu, u64 field, u64 value)
{
    u64 written = ~value;

    assert_true(vmx_write_current(vcpu, field, value, &written));
    return written;
}

static u64 read(struct vcpu *vcpu, u64 field)
{
    u64 value = 0;

    assert_true(vmx_read_current(vcpu, field, &value));
    return value;
}

/* --- capabilities ---------------------------------------------------------------------------- */

static void test_each_missing_need_is_named(void **state)
{
    struct vmx_capabilities nothing = { 0 }, one = skylake;
    unsigned position = 0, count = 0;
    const char *name;

    (void)state;
    assert_null(vmx_next_lacking(&skylake, true, &position));
    position = 0;
    while ((name = vmx_next_lacking(&nothing, true, &position))) {
        assert_true(strlen(name) > 2);
        count++;
    }
    assert_int_equal(count, 23); /* each line of the list */

    one.secondary.may &= ~VMX_SECONDARY_EPT;
    position = 0;
    assert_string_equal(vmx_next_lacking(&one, true, &position), "extended page tables (EPT)");
    assert_null(vmx_next_lacking(&one, true, &position));

    one = skylake;
    one.secondary.may &= ~VMX_SECONDARY_UNRESTRICTED_GUEST;
    position = 0;
    assert_null(vmx_next_lacking(&one, true, &position));
    position = 0;
    assert_string_equal(vmx_next_lacking(&one, false, &position), "unrestricted guest (real mode)");
    assert_null(vmx_next_lacking(&one, false, &position));
}

static void test_virtual_apic_takes_all_of_its_controls(void **state)
{
    static const u32 each[] = { VMX_SECONDARY_X2APIC, VMX_SECONDARY_APIC_REGISTERS,
                                VMX_SECONDARY_VIRTUAL_INTERRUPTS };
    struct vmx_capabilities c = skylake;

    (void)state;
    assert_true(vmx_has_virtual_apic(&c));
    for (unsigned i = 0; i < ARRAY_LENGTH(each); i++) {
        c = skylake;
        c.secondary.may &= ~each[i];
        assert_false(vmx_has_virtual_apic(&c));
    }
    c = skylake;
    c.primary.may &= ~VMX_PRIMARY_TPR_SHADOW;
    assert_false(vmx_has_virtual_apic(&c));
}

static void test_vpids_need_a_way_to_forget_them(void **state)
{
    struct vmx_capabilities c = skylake;

    (void)state;
    assert_true(vmx_has_vpid(&c));
    c.ept_vpid &= ~VMX_INVVPID_ALL;
    assert_false(vmx_has_vpid(&c));
    vmx_capabilities = c;
    assert_int_equal(vmx_filter(VMCS_SECONDARY_CONTROLS, ~0ull) & VMX_SECONDARY_VPID, 0);
}

/* --- controls -------------------------------------------------------------------------------- */

/* ABI section 11.3: observed on that model, but for what we force or refuse beyond. */
static void test_controls_are_filtered(void **state)
{
    u32 forced = VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE | VMX_PRIMARY_RDPMC |
                 VMX_PRIMARY_MWAIT | VMX_PRIMARY_MONITOR;

    (void)state;
    vmx_capabilities = skylake;
    assert_int_equal(vmx_filter(VMCS_PIN_CONTROLS, 0), 0x3f);
    assert_int_equal(vmx_filter(VMCS_PIN_CONTROLS, ~0ull), 0x3f);
    assert_int_equal(vmx_filter(VMCS_PRIMARY_CONTROLS, 0), 0x96006172 | forced);
    assert_int_equal(vmx_filter(VMCS_SECONDARY_CONTROLS, 0), 0x22 | VMX_SECONDARY_WBINVD);
    assert_int_equal(vmx_filter(VMCS_EXIT_CONTROLS, 0), 0x3fffff);
    assert_int_equal(vmx_filter(VMCS_EXIT_CONTROLS, ~0ull), 0x3fffff);
    assert_int_equal(vmx_filter(VMCS_ENTRY_CONTROLS, 0), 0x11fb);
    assert_int_equal(vmx_filter(VMCS_GUEST_CR0, 0),
                     0x30); /* paging and protection only if asked for */
    assert_int_equal(vmx_filter(VMCS_GUEST_CR4, 0), 0x2000);
    vmx_capabilities.secondary.may &= ~VMX_SECONDARY_UNRESTRICTED_GUEST;
    assert_int_equal(vmx_filter(VMCS_GUEST_CR0, 0), 0x80000031);
}

/* What needs a page whose address a monitor cannot give would use the machine's page 0. */
static void test_nothing_works_on_page_0(void **state)
{
    (void)state;
    vmx_capabilities = skylake;
    assert_int_equal(vmx_filter(VMCS_PRIMARY_CONTROLS, ~0ull) & VMX_PRIMARY_TPR_SHADOW, 0);
    assert_int_equal(vmx_filter(VMCS_SECONDARY_CONTROLS, ~0ull) &
                         (VMX_SECONDARY_APIC_ACCESS | VMX_SECONDARY_X2APIC | BIT(8) | BIT(9) |
                          BIT(13) | BIT(14) | BIT(17) | BIT(18)),
                     0);
    assert_int_equal(vmx_filter(VMCS_PIN_CONTROLS, ~0ull) & VMX_PIN_POSTED_INTERRUPTS, 0);
}

static void test_kernel_owns_bits_of_the_control_registers(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    write(vcpu, VMCS_GUEST_CR0, 0xe0000031);
    write(vcpu, VMCS_CR4_MASK, CR4_VMXE | CR4_PAE);
    write(vcpu, VMCS_CR4_SHADOW, CR4_VMXE);
    write(vcpu, VMCS_CR0_MASK, CR0_PE);
    write(vcpu, VMCS_CR0_SHADOW, 0);
    vmx_apply_controls(vcpu);
    /* CD and NW: the guest sees what it believes, and the monitor, too. */
    assert_int_equal(vmcs[VMCS_CR0_MASK], CR0_CACHE | CR0_PE);
    assert_int_equal(vmcs[VMCS_CR0_SHADOW], CR0_CACHE);
    vmcs[VMCS_GUEST_CR0] = 0x80000031;
    assert_int_equal(read(vcpu, VMCS_GUEST_CR0), 0xe0000031);
    /* VMXE is the monitor's once it asks for it; protection keys are nobody's. */
    assert_int_equal(vmcs[VMCS_CR4_MASK] & BIT(22), BIT(22));
    assert_int_equal(vmcs[VMCS_CR4_SHADOW], CR4_VMXE);
    assert_int_equal(read(vcpu, VMCS_CR4_MASK), CR4_VMXE | CR4_PAE);
}

static void test_monitors_bits_are_kept_apart_from_the_kernels(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    assert_int_equal(write(vcpu, VMCS_EXCEPTION_BITMAP, 1 << 6), 1 << 6);
    vmx_apply_controls(vcpu);
    assert_int_equal(vmcs[VMCS_EXCEPTION_BITMAP], 1 << 6 | 1 << 1 | 1 << 17 | 1 << 18);
    assert_int_equal(read(vcpu, VMCS_EXCEPTION_BITMAP), 1 << 6);
    /* Debug registers that are not loaded exit, whatever the monitor said. */
    assert_int_equal(vmcs[VMCS_PRIMARY_CONTROLS] & VMX_PRIMARY_MOV_DR, VMX_PRIMARY_MOV_DR);
    assert_int_equal(read(vcpu, VMCS_PRIMARY_CONTROLS) & VMX_PRIMARY_MOV_DR, 0);
    this_core()->debug_owner = vcpu;
    vmx_apply_controls(vcpu);
    assert_int_equal(vmcs[VMCS_PRIMARY_CONTROLS] & VMX_PRIMARY_MOV_DR, 0);
    /* An interrupt is left pending, though the API says that it is acknowledged. */
    assert_int_equal(vmcs[VMCS_EXIT_CONTROLS] & VMX_EXIT_CTL_ACK_INTERRUPT, 0);
    assert_int_equal(read(vcpu, VMCS_EXIT_CONTROLS) & VMX_EXIT_CTL_ACK_INTERRUPT,
                     VMX_EXIT_CTL_ACK_INTERRUPT);
}

static void test_preemption_timer_is_the_kernels(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    write(vcpu, VMCS_PREEMPTION_TIMER, 1234);
    write(vcpu, VMCS_PIN_CONTROLS, VMX_PIN_PREEMPTION_TIMER);
    vmx_apply_controls(vcpu);
    assert_int_equal(vmcs[VMCS_PIN_CONTROLS], 0x7f);
    assert_int_equal(vmcs[VMCS_PREEMPTION_TIMER], 50000);
    assert_int_equal(read(vcpu, VMCS_PIN_CONTROLS), 0x3f);
    assert_int_equal(read(vcpu, VMCS_PREEMPTION_TIMER), 1234);
    assert_int_equal(leave(vcpu, VMX_EXIT_PREEMPTION_TIMER), GUEST_INTERRUPT);
}

/* --- fields ---------------------------------------------------------------------------------- */

static void test_plain_fields_keep_what_fits(void **state)
{
    static const struct {
        u64 field, mask;
    } rows[] = {
        { VMCS_GUEST_RIP, ~0ull },
        { VMCS_GUEST_RSP, ~0ull },
        { VMCS_GUEST_RFLAGS, ~0ull },
        { VMCS_GUEST_CR3, ~0ull },
        { VMCS_GUEST_DR7, ~0ull },
        { VMCS_GUEST_FS_BASE, ~0ull },
        { VMCS_GUEST_CS_SELECTOR, 0xffff },
        { VMCS_GUEST_TR_LIMIT, 0xffffffff },
        { VMCS_GUEST_PAT, ~0ull },
        { VMCS_TSC_OFFSET, ~0ull },
        { VMCS_GUEST_EFER, ~0ull },
        { VMCS_GUEST_CS_ACCESS_RIGHTS, 0x1f0ff },
        { VCPU_FIELD_CR2, ~0ull },
        { VCPU_FIELD_DEADLINE, ~0ull },
        { VCPU_FIELD_DR0, ~0ull },
        { VCPU_FIELD_DR6, ~0ull },
        { VMCS_GUEST_DEBUGCTL, ~0ull },
        { VMCS_GUEST_PERF_GLOBAL_CTRL, ~0ull },
        { VMCS_GUEST_PDPTE0, ~0ull },
        { VMCS_GUEST_PDPTE3, ~0ull },
        { VMCS_GUEST_SMBASE, 0xffffffff },
        { VMCS_GUEST_PENDING_DEBUG, ~0ull },
        { VMCS_GUEST_INTERRUPTIBILITY, 0xffffffff },
        { VMCS_ENTRY_INTERRUPTION_INFO, 0xffffffff },
    };
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
        u64 value = 0x8123456789abcdefull * (2 * i + 1);

        assert_int_equal(write(vcpu, rows[i].field, value), value & rows[i].mask);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) /* each has a place of its own */
        assert_int_equal(read(vcpu, rows[i].field),
                         0x8123456789abcdefull * (2 * i + 1) & rows[i].mask);
    /* The processor's VMCS may lack this one. */
    absent_field = VMCS_GUEST_PERF_GLOBAL_CTRL;
    write(vcpu, VMCS_GUEST_PERF_GLOBAL_CTRL, 7);
    assert_int_equal(read(vcpu, VMCS_GUEST_PERF_GLOBAL_CTRL), 7);
}

static void test_directions_and_strangers(void **state)
{
    static const u64 read_only[] = {
        VMCS_INSTRUCTION_ERROR,
        VMCS_EXIT_INTERRUPTION_INFO,
        VMCS_EXIT_INTERRUPTION_ERROR,
        VMCS_IDT_VECTORING_INFO,
        VMCS_IDT_VECTORING_ERROR,
        VMCS_EXIT_INSTRUCTION_LENGTH,
        VMCS_IO_RCX,
        VMCS_EXIT_INSTRUCTION_INFO,
        VMCS_GUEST_PHYSICAL_ADDRESS,
        VMCS_IO_RIP,
        VMCS_GUEST_LINEAR_ADDRESS,
    };
    static const u64 neither[] = {
        VMCS_VPID,          VMCS_EPT_POINTER,
        VMCS_MSR_BITMAP,    VMCS_IO_BITMAP_A,
        VMCS_HOST_RIP,      VMCS_HOST_RSP,
        VMCS_HOST_CR3,      VMCS_VIRTUAL_APIC,
        VMCS_APIC_ACCESS,   VMCS_EXIT_REASON,
        VMCS_EXIT_MSR_LOAD, VMCS_EXIT_QUALIFICATION,
        VMCS_LINK_POINTER,  BIT(32) | VMCS_GUEST_RIP,
    };
    struct vcpu *vcpu = fresh_vcpu();
    u64 value;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(read_only); i++) {
        assert_true(vmx_read_current(vcpu, read_only[i], &value));
        assert_false(vmx_write_current(vcpu, read_only[i], 0, &value));
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(neither); i++) {
        assert_false(vmx_read_current(vcpu, neither[i], &value));
        assert_false(vmx_write_current(vcpu, neither[i], 0, &value));
    }
    assert_true(vmx_write_current(vcpu, VMCS_ENTRY_EXCEPTION_ERROR, 5, &value));
    assert_false(vmx_read_current(vcpu, VMCS_ENTRY_EXCEPTION_ERROR, &value));
    assert_false(vmx_write_current(vcpu, VCPU_FIELD_XCR0, 0, &value));
}

/* --- virtual APIC ----------------------------------------------------------------------------- */

static struct vcpu *vcpu_with_apic(void)
{
    struct vcpu *vcpu = fresh_vcpu();

    write(vcpu, VCPU_FIELD_VIRTUAL_APIC, 1);
    vmx_apply_controls(vcpu);
    return vcpu;
}

static void test_virtual_apic_is_there_or_not(void **state)
{
    u32 cr8 = VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE;
    struct vcpu *vcpu = vcpu_with_apic();
    u64 value;

    (void)state;
    assert_int_equal(read(vcpu, VCPU_FIELD_VIRTUAL_APIC), 1);
    assert_int_equal(vmcs[VMCS_SECONDARY_CONTROLS] & VMX_SECONDARY_VIRTUAL_APIC,
                     VMX_SECONDARY_VIRTUAL_APIC);
    assert_int_equal(vmcs[VMCS_PRIMARY_CONTROLS] & (cr8 | VMX_PRIMARY_TPR_SHADOW),
                     VMX_PRIMARY_TPR_SHADOW);
    /* That is the kernel's doing: monitors see what they have set. */
    assert_int_equal(read(vcpu, VMCS_SECONDARY_CONTROLS) & VMX_SECONDARY_VIRTUAL_APIC, 0);
    assert_int_equal(read(vcpu, VMCS_PRIMARY_CONTROLS) & (cr8 | VMX_PRIMARY_TPR_SHADOW), cr8);
    assert_int_equal(write(vcpu, VCPU_FIELD_VIRTUAL_APIC, ~1ull), 0);
    vmx_apply_controls(vcpu);
    assert_int_equal(vmcs[VMCS_SECONDARY_CONTROLS] & VMX_SECONDARY_VIRTUAL_APIC, 0);
    assert_int_equal(vmcs[VMCS_PRIMARY_CONTROLS] & (cr8 | VMX_PRIMARY_TPR_SHADOW), cr8);

    virt_has_virtual_apic = false;
    for (u64 field = VCPU_FIELD_VIRTUAL_APIC; field <= VCPU_FIELD_APIC_IRR3; field += 2) {
        assert_false(vmx_read_current(vcpu, field, &value));
        assert_false(vmx_write_current(vcpu, field, 1, &value));
    }
    assert_false(vmx_write_current(vcpu, VMCS_EOI_EXIT_BITMAP0, 1, &value));
}

static void test_virtual_apic_fields(void **state)
{
    struct vcpu *vcpu = vcpu_with_apic();
    u64 value;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        write(vcpu, VCPU_FIELD_APIC_ISR(i), 0x1111222233334444 * (i + 1));
        write(vcpu, VCPU_FIELD_APIC_IRR(i), 0x0102030405060708 * (i + 1));
        write(vcpu, VMCS_EOI_EXIT_BITMAP(i), ~(u64)i);
    }
    assert_int_equal(write(vcpu, VCPU_FIELD_APIC_TPR, 0x1ab), 0xab);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(read(vcpu, VCPU_FIELD_APIC_ISR(i)), 0x1111222233334444 * (i + 1));
        assert_int_equal(read(vcpu, VCPU_FIELD_APIC_IRR(i)), 0x0102030405060708 * (i + 1));
        assert_int_equal(read(vcpu, VMCS_EOI_EXIT_BITMAP(i)), ~(u64)i);
    }
    assert_int_equal(read(vcpu, VCPU_FIELD_APIC_TPR), 0xab);
    for (u64 field = VCPU_FIELD_VIRTUAL_APIC + 1; field < VCPU_FIELD_APIC_IRR3 + 8; field++)
        if ((field & 1) || field > VCPU_FIELD_APIC_IRR3)
            assert_false(vmx_write_current(vcpu, field, 0, &value));
    /* Turned on again it is empty. */
    write(vcpu, VCPU_FIELD_VIRTUAL_APIC, 1);
    for (u64 field = VCPU_FIELD_APIC_TPR; field <= VCPU_FIELD_APIC_IRR3; field += 2)
        assert_int_equal(read(vcpu, field), 0);
    assert_int_equal(read(vcpu, VMCS_EOI_EXIT_BITMAP3), 0);
}

static void test_interrupt_status_follows_from_the_sets(void **state)
{
    const u64 set[4] = { BIT(63), 0, 0, 0 }, more[4] = { BIT(5), 0, 0, BIT(63) };
    struct vcpu *vcpu = vcpu_with_apic();

    (void)state;
    vmx_apic_prepare(vcpu);
    assert_int_equal(vmcs[VMCS_GUEST_INTERRUPT_STATUS], 0);
    vmx_apic_post(vcpu, set);
    assert_int_not_equal(vmx_state(vcpu)->attention & VMX_APIC, 0);
    write(vcpu, VCPU_FIELD_APIC_ISR(0), 1ull << 0x31 | 1ull << 0x20);
    vmx_apic_prepare(vcpu);
    assert_int_equal(vmcs[VMCS_GUEST_INTERRUPT_STATUS], 0x313f);
    vmx_apic_post(vcpu, more);
    vmx_apic_prepare(vcpu);
    assert_int_equal(vmcs[VMCS_GUEST_INTERRUPT_STATUS], 0x31ff);
    assert_int_equal(read(vcpu, VCPU_FIELD_APIC_IRR(0)), BIT(63) | BIT(5));
    vmx_apic_leave(vcpu);
}

static void test_what_ends_a_halt(void **state)
{
    struct vcpu *vcpu = vcpu_with_apic();

    (void)state;
    vmx_state(vcpu)->rflags = RFLAGS_IF;
    assert_false(vmx_apic_wakes(vcpu));
    write(vcpu, VCPU_FIELD_APIC_IRR(0), 1ull << 0x35);
    assert_true(vmx_apic_wakes(vcpu));
    vmx_state(vcpu)->rflags = 0;
    assert_false(vmx_apic_wakes(vcpu));
    vmx_state(vcpu)->rflags = RFLAGS_IF;
    write(vcpu, VCPU_FIELD_APIC_TPR, 0x30);
    assert_false(vmx_apic_wakes(vcpu));
    write(vcpu, VCPU_FIELD_APIC_TPR, 0x2f);
    write(vcpu, VCPU_FIELD_APIC_ISR(0), 1ull << 0x2f);
    assert_true(vmx_apic_wakes(vcpu));
    write(vcpu, VCPU_FIELD_APIC_ISR(0), 1ull << 0x30);
    assert_false(vmx_apic_wakes(vcpu));
}

/* One page for each core: who is entered there has its registers in it. */
static void test_page_changes_hands(void **state)
{
    static struct vcpu other;
    struct vcpu *vcpu = vcpu_with_apic();

    (void)state;
    memset(&other, 0, sizeof(other));
    write(&other, VCPU_FIELD_VIRTUAL_APIC, 1);
    write(&other, VCPU_FIELD_APIC_TPR, 0x22);
    write(vcpu, VCPU_FIELD_APIC_TPR, 0x11);
    for (unsigned round = 0; round < 3; round++) {
        vmx_apic_prepare(vcpu);
        vmx_apic_prepare(&other);
        assert_int_equal(read(vcpu, VCPU_FIELD_APIC_TPR), 0x11);
        assert_int_equal(read(&other, VCPU_FIELD_APIC_TPR), 0x22);
    }
    vmx_apic_leave(vcpu); /* has it no more */
    vmx_apic_leave(&other);
    host_core = 1;
    assert_int_equal(read(&other, VCPU_FIELD_APIC_TPR), 0x22);
    vmx_apic_prepare(&other);
    write(&other, VCPU_FIELD_APIC_TPR, 0x33);
    vmx_apic_leave(&other);
    host_core = 0;
    assert_int_equal(read(&other, VCPU_FIELD_APIC_TPR), 0x33);
}

static unsigned count_open(const u8 *bitmap)
{
    unsigned count = 0;

    for (unsigned bit = 0; bit < 2048 * 8; bit++)
        count += !(bitmap[bit / 8] >> (bit % 8) & 1);
    return count;
}

/* Nothing that the processor would take from the machine's own APIC. */
static void test_opened_registers(void **state)
{
    static u8 bitmap[4096];

    (void)state;
    memset(bitmap, 0xff, sizeof(bitmap));
    vmx_apic_open_msrs(bitmap);
    assert_int_equal(count_open(bitmap), 2 + 16);
    assert_int_equal(count_open(bitmap + 2048), 3);
    assert_int_equal(bitmap[0x808 / 8], 0xfa);        /* TPR, PPR */
    assert_int_equal(bitmap[0x818 / 8], 0xff);        /* TMR */
    assert_int_equal(bitmap[2048 + 0x808 / 8], 0xf6); /* TPR, EOI */
    assert_int_equal(bitmap[2048 + 0x838 / 8], 0x7f); /* SELF_IPI */
}

/* --- exits ----------------------------------------------------------------------------------- */

static void test_exits_pass_with_their_qualification(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    vmcs[VMCS_EXIT_QUALIFICATION] = 0x800000;
    vmcs[VMCS_EXIT_INSTRUCTION_LENGTH] = 2;
    assert_int_equal(leave(vcpu, VMX_EXIT_IO), GUEST_EXIT);
    assert_int_equal(vcpu->exit.reason, VMX_EXIT_IO);
    assert_int_equal(vcpu->exit.qualification, 0x800000);
    assert_int_equal(vcpu->exit.instruction_length, 2);
    assert_false(vcpu->exit.detailed); /* the qualification tells all */
    vmcs[VMCS_EXIT_QUALIFICATION] = 0x800000 | VMX_IO_STRING;
    assert_int_equal(leave(vcpu, VMX_EXIT_IO), GUEST_EXIT);
    assert_true(vcpu->exit.detailed);
    assert_int_equal(leave(vcpu, VMX_EXIT_CPUID), GUEST_EXIT);
    assert_int_equal(vcpu->exit.qualification, 0); /* not defined for that one */
    assert_false(vcpu->exit.detailed);
    assert_int_equal(leave(vcpu, VMX_EXIT_VIRTUALIZED_EOI), GUEST_EXIT);
    assert_int_equal(vcpu->exit.qualification, 0x800000 | VMX_IO_STRING);
    assert_int_equal(leave(vcpu, 0xfff0), GUEST_EXIT); /* unknown to us */
    assert_int_equal(vcpu->exit.reason, 0xfff0);
}

/* Instructions interrupt no delivery of an event: what the VMCS has of one is another's. */
static void test_instructions_tell_of_no_event(void **state)
{
    static const u64 reasons[] = { VMX_EXIT_CPUID, VMX_EXIT_XSETBV, VMX_EXIT_RDMSR,
                                   VMX_EXIT_WRMSR, VMX_EXIT_IO,     VMX_EXIT_CR_ACCESS };
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    vmcs[VMCS_IDT_VECTORING_INFO] = VMX_EVENT_VALID | VMX_EVENT_NMI | 2;
    vmcs[VMCS_EXIT_QUALIFICATION] = VMX_IO_STRING;
    vmcs[VMCS_GUEST_PHYSICAL_ADDRESS] = 0x1000;
    vmcs[VMCS_EXIT_INSTRUCTION_LENGTH] = 3;
    for (unsigned i = 0; i < ARRAY_LENGTH(reasons); i++) {
        /* Of the exit before. */
        vcpu->exit.vectoring_info = vcpu->exit.interruption_info = VMX_EVENT_VALID;
        assert_int_equal(leave(vcpu, reasons[i]), GUEST_EXIT);
        assert_int_equal(vcpu->exit.reason, reasons[i]);
        assert_int_equal(vcpu->exit.instruction_length, 3);
        assert_int_equal(vcpu->exit.guest_physical, 0);
        assert_int_equal(vcpu->exit.vectoring_info, 0);
        assert_int_equal(vcpu->exit.interruption_info, 0);
    }
}

/* An EPT violation has a length where it interrupted an event's delivery; who knows no better than
 * seL4 is told what the processor says. */
static void test_length_of_an_ept_violation(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    vmcs[VMCS_EXIT_INSTRUCTION_LENGTH] = 3;
    vcpu->extended = true;
    assert_int_equal(leave(vcpu, VMX_EXIT_EPT_VIOLATION), GUEST_EXIT);
    assert_int_equal(vcpu->exit.instruction_length, 0);
    vmcs[VMCS_IDT_VECTORING_INFO] = VMX_EVENT_VALID | VMX_EVENT_SOFTWARE_INTERRUPT | 0x80;
    assert_int_equal(leave(vcpu, VMX_EXIT_EPT_VIOLATION), GUEST_EXIT);
    assert_int_equal(vcpu->exit.instruction_length, 3);
    vmcs[VMCS_IDT_VECTORING_INFO] = 0;
    vcpu->extended = false;
    assert_int_equal(leave(vcpu, VMX_EXIT_EPT_VIOLATION), GUEST_EXIT);
    assert_int_equal(vcpu->exit.instruction_length, 3);
}

static void test_failed_entry_is_no_exit(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    assert_int_equal(leave(vcpu, BIT(31) | VMX_EXIT_INVALID_GUEST_STATE), GUEST_EXIT);
    assert_int_equal(failed_entries, 1);
    assert_int_equal(vcpu->exit.reason, VMX_EXIT_INVALID_GUEST_STATE);
}

static void test_interrupted_delivery_is_repeated(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();
    struct vmx_state *vmx = vmx_state(vcpu);

    (void)state;
    vmcs[VMCS_IDT_VECTORING_INFO] =
        VMX_EVENT_VALID | VMX_EVENT_EXCEPTION | VMX_EVENT_ERROR_CODE | 14;
    vmcs[VMCS_IDT_VECTORING_ERROR] = 6;
    assert_int_equal(leave(vcpu, VMX_EXIT_EXTERNAL_INTERRUPT), GUEST_INTERRUPT);
    assert_int_equal(vmx->entry_info, vmcs[VMCS_IDT_VECTORING_INFO]);
    assert_int_equal(vmx->entry_error, 6);
    /* For the monitor: told, and an NMI that was not delivered blocks no other. */
    vmx->entry_info = 0;
    vmx->interruptibility = VMX_INTERRUPTIBILITY_NMI;
    vmcs[VMCS_IDT_VECTORING_INFO] = VMX_EVENT_VALID | VMX_EVENT_NMI | 2;
    assert_int_equal(leave(vcpu, VMX_EXIT_EPT_VIOLATION), GUEST_EXIT);
    assert_int_equal(vcpu->exit.vectoring_info, VMX_EVENT_VALID | VMX_EVENT_NMI | 2);
    assert_int_equal(vmx->entry_info, 0);
    assert_int_equal(vmx->interruptibility, 0);
    assert_int_not_equal(vmx->attention & VMX_SHADOW, 0);
}

/* An IRET that ran into a hole is executed again. */
static void test_iret_blocks_until_it_is_done(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    vmcs[VMCS_EXIT_QUALIFICATION] = 0x1181;
    assert_int_equal(leave(vcpu, VMX_EXIT_EPT_VIOLATION), GUEST_EXIT);
    assert_int_equal(vmx_state(vcpu)->interruptibility, VMX_INTERRUPTIBILITY_NMI);
}

static void test_exceptions_go_to_whom_they_belong(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();
    struct vmx_state *vmx = vmx_state(vcpu);

    (void)state;
    vmx->dr6 = 0xffff0ff1;
    vmcs[VMCS_GUEST_DR7] = 0x2400;
    vmcs[VMCS_EXIT_QUALIFICATION] = 0x4002;
    vmcs[VMCS_EXIT_INTERRUPTION_INFO] = VMX_EVENT_VALID | VMX_EVENT_EXCEPTION | 1;
    assert_int_equal(leave(vcpu, VMX_EXIT_EXCEPTION_NMI), GUEST_INTERRUPT);
    assert_int_equal(vmx->entry_info, VMX_EVENT_VALID | VMX_EVENT_EXCEPTION | 1);
    assert_int_equal(vmx->dr6, 0xffff4ff2);
    assert_int_equal(vmcs[VMCS_GUEST_DR7], 0x400);

    vmx->exception_bitmap = BIT(1);
    vmx->entry_info = 0;
    assert_int_equal(leave(vcpu, VMX_EXIT_EXCEPTION_NMI), GUEST_EXIT);
    assert_int_equal(vcpu->exit.qualification, 0x4002);
    assert_int_equal(vmx->entry_info, 0);

    vmcs[VMCS_EXIT_INTERRUPTION_INFO] = VMX_EVENT_VALID | VMX_EVENT_NMI | 2;
    assert_int_equal(leave(vcpu, VMX_EXIT_EXCEPTION_NMI), GUEST_INTERRUPT);
    assert_int_equal(host_nmis, 1);
}

static void test_debug_registers_are_loaded_at_their_first_use(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();

    (void)state;
    assert_int_equal(leave(vcpu, VMX_EXIT_MOV_DR), GUEST_RESUME);
    assert_int_equal(debug_loads, 1);
    write(vcpu, VMCS_PRIMARY_CONTROLS, VMX_PRIMARY_MOV_DR);
    assert_int_equal(leave(vcpu, VMX_EXIT_MOV_DR), GUEST_EXIT);
    assert_int_equal(debug_loads, 1);
}

/* Otherwise it would run with the breakpoints that another VCPU has left in DR0 to DR3. */
static void test_breakpoints_may_be_enabled_for_the_next_entry(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();
    u64 written;

    (void)state;
    vmx_state(vcpu)->attention = 0;
    assert_true(vmx_write_current(vcpu, VMCS_GUEST_DR7, 0x403, &written));
    assert_int_not_equal(vmx_state(vcpu)->attention, 0);
}

static void test_system_call_msrs_are_the_guests_own(void **state)
{
    struct vcpu *vcpu = fresh_vcpu();
    struct vmx_state *vmx = vmx_state(vcpu);

    (void)state;
    vmx->rip = 0x1000;
    vmx->interruptibility = VMX_INTERRUPTIBILITY_STI | VMX_INTERRUPTIBILITY_NMI;
    vcpu->gpr[GPR_RCX] = 0xabcd00000000 | MSR_LSTAR;
    vcpu->gpr[GPR_RAX] = 0xffffffff81000000;
    vcpu->gpr[GPR_RDX] = 0xffffffff;
    assert_int_equal(leave(vcpu, VMX_EXIT_WRMSR), GUEST_RESUME);
    assert_int_equal(vmx->lstar, 0xffffffff81000000);
    assert_int_not_equal(vmx->attention & VMX_MSRS, 0);
    assert_int_equal(vmx->rip, 0x1002);
    assert_int_equal(vmx->interruptibility, VMX_INTERRUPTIBILITY_NMI);
    /* What WRMSR would refuse is the monitor's to say. */
    vcpu->gpr[GPR_RDX] = 0x80000000;
    assert_int_equal(leave(vcpu, VMX_EXIT_WRMSR), GUEST_EXIT);
    assert_int_equal(vmx->lstar, 0xffffffff81000000);
    vcpu->gpr[GPR_RCX] = MSR_SFMASK;
    assert_int_equal(leave(vcpu, VMX_EXIT_WRMSR), GUEST_EXIT);
    vcpu->gpr[GPR_RCX] = MSR_EFER;
    assert_int_equal(leave(vcpu, VMX_EXIT_WRMSR), GUEST_EXIT);
    assert_int_equal(vmx->rip, 0x1002);
    /* A single step over it is still a step. */
    vmx->rflags = RFLAGS_TF;
    vmx->cstar = 0x1122334455;
    vcpu->gpr[GPR_RCX] = MSR_CSTAR;
    assert_int_equal(leave(vcpu, VMX_EXIT_RDMSR), GUEST_RESUME);
    assert_int_equal(vcpu->gpr[GPR_RAX], 0x22334455);
    assert_int_equal(vcpu->gpr[GPR_RDX], 0x11);
    assert_int_equal(vmcs[VMCS_GUEST_PENDING_DEBUG], 0x4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_missing_need_is_named),
        cmocka_unit_test(test_virtual_apic_takes_all_of_its_controls),
        cmocka_unit_test(test_vpids_need_a_way_to_forget_them),
        cmocka_unit_test(test_controls_are_filtered),
        cmocka_unit_test(test_nothing_works_on_page_0),
        cmocka_unit_test(test_kernel_owns_bits_of_the_control_registers),
        cmocka_unit_test(test_monitors_bits_are_kept_apart_from_the_kernels),
        cmocka_unit_test(test_preemption_timer_is_the_kernels),
        cmocka_unit_test(test_plain_fields_keep_what_fits),
        cmocka_unit_test(test_directions_and_strangers),
        cmocka_unit_test(test_virtual_apic_is_there_or_not),
        cmocka_unit_test(test_virtual_apic_fields),
        cmocka_unit_test(test_interrupt_status_follows_from_the_sets),
        cmocka_unit_test(test_what_ends_a_halt),
        cmocka_unit_test(test_page_changes_hands),
        cmocka_unit_test(test_opened_registers),
        cmocka_unit_test(test_exits_pass_with_their_qualification),
        cmocka_unit_test(test_instructions_tell_of_no_event),
        cmocka_unit_test(test_length_of_an_ept_violation),
        cmocka_unit_test(test_failed_entry_is_no_exit),
        cmocka_unit_test(test_interrupted_delivery_is_repeated),
        cmocka_unit_test(test_iret_blocks_until_it_is_done),
        cmocka_unit_test(test_exceptions_go_to_whom_they_belong),
        cmocka_unit_test(test_debug_registers_are_loaded_at_their_first_use),
        cmocka_unit_test(test_breakpoints_may_be_enabled_for_the_next_entry),
        cmocka_unit_test(test_system_call_msrs_are_the_guests_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
