/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits against a fake kernel: what handlers make of the message, events, CPUID and MSR policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vmm/fake_host.h"
#include "user/vmm/baseline.h"
#include "user/vmm/insn_exec.h"
#include "user/vmm/pvclock.h"
#include "user/vmm/report.h"

#define CODE      0x2000ull /* where test code lies; paging is off or identity */
#define HIGH_BASE 0xffffffff80000000ull
#define HIGH_CODE (HIGH_BASE + CODE) /* the same code where only 64-bit code can be */

static int setup(void **state)
{
    *state = fake_vm_make();
    return 0;
}

static int teardown(void **state)
{
    fake_vm_free(*state);
    return 0;
}

static struct vcpu *vcpu_of(void **state)
{
    struct vm *vm = *state;

    return &vm->vcpus[0];
}

static enum vcpu_stop do_exit(struct vcpu *vcpu, uint64_t reason, uint64_t length)
{
    vcpu->message->reason = reason;
    vcpu->message->length = length;
    return vcpu_handle_exit(vcpu);
}

/* The kernel's part of a VMEnter as far as events go: what would be injected, and it is. */
static uint64_t next_injection(struct vcpu *vcpu)
{
    if (!inbox_enter(&vcpu->inbox)) {
        vcpu_take_requests(vcpu);
    }
    inbox_leave(&vcpu->inbox);
    if (!vcpu->attention) {
        return 0;
    }
    vcpu_prepare_events(vcpu);
    uint64_t info = vcpu->message->entry_info;
    vcpu->message->entry_info &= ~(uint64_t)EVENT_VALID;
    return info;
}

#define EXPECT_GP(vcpu)                                                                            \
    assert_int_equal(next_injection(vcpu), EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR_CODE | 13)

/* --- CPUID --- */

static struct cpuid_registers cpuid_exit(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    uint64_t rip = vcpu->message->rip;

    vcpu->message->gpr[MESSAGE_RAX] = 0xffffffff00000000 | leaf;
    vcpu->message->gpr[MESSAGE_RCX] = 0xffffffff00000000 | subleaf;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_CPUID, 2), VCPU_RUNS);
    assert_int_equal(vcpu->message->rip, rip + 2);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(vcpu->message->gpr[i] >> 32, 0);
    }
    return (struct cpuid_registers){
        (uint32_t)vcpu->message->gpr[MESSAGE_RAX],
        (uint32_t)vcpu->message->gpr[MESSAGE_RBX],
        (uint32_t)vcpu->message->gpr[MESSAGE_RCX],
        (uint32_t)vcpu->message->gpr[MESSAGE_RDX],
    };
}

static void test_cpuid_policy(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct cpuid_registers value = cpuid_exit(vcpu, 1, 0);

    /* The fake processor has every feature there is: what is hidden, is hidden by the policy. */
    assert_int_equal(value.ecx & (1u << 5), 0);      /* VMX */
    assert_int_equal(value.ecx & (1u << 3), 0);      /* MONITOR */
    assert_int_equal(value.ecx & (1u << 15), 0);     /* PDCM */
    assert_int_not_equal(value.ecx & (1u << 21), 0); /* x2APIC */
    assert_int_not_equal(value.ecx & (1u << 24), 0); /* TSC deadline */
    assert_int_not_equal(value.ecx & (1u << 31), 0); /* hypervisor */
    assert_int_equal(value.ecx & (1u << 27), 0);     /* OSXSAVE follows CR4 */
    cpuid_set_cr4(&vcpu->cpuid, CR4_OSXSAVE);
    assert_int_not_equal(cpuid_exit(vcpu, 1, 0).ecx & (1u << 27), 0);
    assert_int_equal(value.ebx >> 16, 0x0001); /* APIC ID 0, one processor */
    value = cpuid_exit(vcpu, 7, 0);
    assert_int_equal(value.eax, 0);
    assert_int_equal(value.ebx & (1u << 16 | 1u << 14 | 1u << 2 | 1u << 25), 0); /* AVX-512 ... */
    assert_int_not_equal(value.ebx & (1u << 1), 0);                              /* TSC_ADJUST */
    assert_int_equal(value.ecx & (1u << 16 | 1u << 3), 0);                       /* LA57, PKU */
    assert_int_equal(value.edx & (1u << 26 | 1u << 27 | 1u << 29 | 1u << 31), 0);
    assert_int_equal(cpuid_exit(vcpu, 7, 1).ebx, 0);
    assert_int_equal(cpuid_exit(vcpu, 5, 0).eax, 0);
    assert_int_equal(cpuid_exit(vcpu, 6, 0).eax, 4);
    assert_int_equal(cpuid_exit(vcpu, 0xa, 0).eax, 0);
    assert_int_equal(cpuid_exit(vcpu, 0, 0).eax, 0xd);
    assert_int_equal(cpuid_exit(vcpu, 0x80000001, 0).ecx & (1u << 2), 0); /* SVM */
    assert_int_equal(cpuid_exit(vcpu, 0x8000000a, 0).edx, 0);
    assert_int_equal(cpuid_exit(vcpu, 0x80000007, 0).edx, 0x100);
    assert_int_equal(cpuid_exit(vcpu, 0x80000008, 0).eax, 0x3028);
    assert_int_equal(cpuid_exit(vcpu, 0x80000008, 0).ebx & 0xd000, 0);
    value = cpuid_exit(vcpu, 0x40000000, 0);
    assert_int_equal(value.eax, 0x40000010);
    assert_memory_equal(&value.ebx, "KVMKVMKVM\0\0\0", 12);
    assert_int_equal(cpuid_exit(vcpu, 0x40000010, 0).eax, 1000000);
    assert_int_equal(cpuid_exit(vcpu, 0x12345678, 0).eax, 0);
    assert_int_equal(cpuid_exit(vcpu, 0xffffffff, 0).eax, 0);
    /* Extended state: x87, SSE, AVX; the size follows XCR0. */
    fake_set_field(VCPU_FIELD_XCR0, 1);
    value = cpuid_exit(vcpu, 0xd, 0);
    assert_int_equal(value.eax, 7);
    assert_int_equal(value.ebx, 576);
    assert_int_equal(value.ecx, 832);
    fake_set_field(VCPU_FIELD_XCR0, 7);
    assert_int_equal(cpuid_exit(vcpu, 0xd, 0).ebx, 832);
    assert_int_equal(cpuid_exit(vcpu, 0xd, 1).eax, 7); /* XSAVEOPT, XSAVEC, XGETBV1; no XSAVES */
    assert_int_equal(cpuid_exit(vcpu, 0xd, 9).eax, 0); /* PKRU state */
    value = cpuid_exit(vcpu, 0xb, 1);
    assert_int_equal(value.ebx, 1);
    assert_int_equal(value.ecx, 0x201);
    assert_int_equal(cpuid_exit(vcpu, 0xb, 5).ecx, 5);
}

/* --- MSRs --- */

static bool wrmsr_exit(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    uint64_t rip = vcpu->message->rip;

    vcpu->message->gpr[MESSAGE_RCX] = msr;
    vcpu->message->gpr[MESSAGE_RAX] = (uint32_t)value;
    vcpu->message->gpr[MESSAGE_RDX] = value >> 32;
    do_exit(vcpu, VMX_EXIT_WRMSR, 2);
    return vcpu->message->rip == rip + 2;
}

static bool rdmsr_exit(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    uint64_t rip = vcpu->message->rip;

    vcpu->message->gpr[MESSAGE_RCX] = msr;
    do_exit(vcpu, VMX_EXIT_RDMSR, 2);
    *value = vcpu->message->gpr[MESSAGE_RAX] | vcpu->message->gpr[MESSAGE_RDX] << 32;
    return vcpu->message->rip == rip + 2;
}

static uint64_t msr_of(struct vcpu *vcpu, uint32_t msr)
{
    uint64_t value = 0;

    assert_true(rdmsr_exit(vcpu, msr, &value));
    return value;
}

static void test_msr_unknown(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    static const uint32_t unknown[] = {
        0,     0x48,  0x49,       0x10a,      0x186,      0x480,      0x570,
        0x8ff, 0xda0, 0x4b564d02, 0xc0000104, 0xc0010117, 0xffffffff,
    };
    uint64_t value;

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_false(rdmsr_exit(vcpu, unknown[i], &value));
        EXPECT_GP(vcpu);
        assert_false(wrmsr_exit(vcpu, unknown[i], 0));
        EXPECT_GP(vcpu);
    }
    assert_int_equal(vcpu->msrs.unknown_reads, sizeof(unknown) / sizeof(unknown[0]));
    assert_int_equal(vcpu->msrs.unknown_writes, sizeof(unknown) / sizeof(unknown[0]));
    assert_int_equal(vcpu->msrs.last_unknown, 0xffffffff);
    assert_false(wrmsr_exit(vcpu, 0xfe, 0)); /* read-only */
    EXPECT_GP(vcpu);
}

static void test_msr_memory_types(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);

    assert_int_equal(msr_of(vcpu, 0x277), 0x0007040600070406);
    assert_true(wrmsr_exit(vcpu, 0x277, 0x0407050600070106));
    assert_int_equal(fake_field(VMCS_GUEST_PAT), 0x0407050600070106);
    assert_false(wrmsr_exit(vcpu, 0x277, 0x0407050600070206)); /* type 2 does not exist */
    assert_int_equal(msr_of(vcpu, 0x277), 0x0407050600070106);
    assert_int_equal(msr_of(vcpu, 0x2ff), 0xc06);
    assert_true(wrmsr_exit(vcpu, 0x2ff, 0xc00));
    assert_false(wrmsr_exit(vcpu, 0x2ff, 0x1c06));
    assert_int_equal(msr_of(vcpu, 0x26f), 0x0606060606060606);
    assert_true(wrmsr_exit(vcpu, 0x26f, 0x0505050505050505));
    assert_int_equal(msr_of(vcpu, 0x26f), 0x0505050505050505);
    assert_int_equal(msr_of(vcpu, 0x259), 0x0606060606060606);
    assert_true(wrmsr_exit(vcpu, 0x20f, 0x800));
    assert_int_equal(msr_of(vcpu, 0x20f), 0x800);
}

static void test_msr_efer(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);

    fake_set_field(VMCS_GUEST_EFER, EFER_LME | EFER_LMA);
    fake_set_field(VMCS_GUEST_CR0, CR0_PE | CR0_PG);
    assert_true(wrmsr_exit(vcpu, 0xc0000080, EFER_SCE | EFER_LME | EFER_NXE));
    assert_int_equal(fake_field(VMCS_GUEST_EFER), EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    assert_false(wrmsr_exit(vcpu, 0xc0000080, EFER_SCE));              /* LME with paging on */
    assert_false(wrmsr_exit(vcpu, 0xc0000080, EFER_LME | 1ull << 12)); /* SVME */
    assert_int_equal(fake_field(VMCS_GUEST_EFER), EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
}

static void test_msr_switched(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);

    assert_true(wrmsr_exit(vcpu, 0xc0000082, 0xffffffff81000000));
    assert_int_equal(msr_of(vcpu, 0xc0000082), 0xffffffff81000000);
    assert_false(wrmsr_exit(vcpu, 0xc0000082, 0x8000000000000000)); /* not canonical */
    assert_false(wrmsr_exit(vcpu, 0xc0000101, 0x8000000000000000));
    assert_true(wrmsr_exit(vcpu, 0xc0000101, 0x7fffffffffff));
    assert_int_equal(fake_field(VMCS_GUEST_GS_BASE), 0x7fffffffffff);
}

static void test_msr_tsc(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    uint64_t start = fake_host.tsc;

    assert_int_equal(msr_of(vcpu, 0x10), 0); /* guest time starts at zero */
    fake_host.tsc += 500;
    assert_int_equal(msr_of(vcpu, 0x10), 500);
    assert_true(wrmsr_exit(vcpu, 0x10, 10000));
    assert_int_equal(msr_of(vcpu, 0x10), 10000);
    assert_int_equal(msr_of(vcpu, 0x3b), 9500);
    assert_int_equal(fake_field(VMCS_TSC_OFFSET), 9500 - start);
    assert_true(wrmsr_exit(vcpu, 0x3b, 0));
    assert_int_equal(msr_of(vcpu, 0x10), 500);
    assert_int_equal(fake_field(VMCS_TSC_OFFSET), -start);
}

static void test_pvclock(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[0];
    struct pvclock_time time;
    struct pvclock_wall wall;

    assert_true(wrmsr_exit(vcpu, 0x4b564d01, 0x3000 | 1));
    assert_true(guest_ram_read(&vm->ram, gpa(0x3000), &time, sizeof(time)));
    assert_int_equal(time.version, 2);
    assert_int_equal(time.flags, 1);
    assert_int_equal(time.tsc_timestamp, 0);
    assert_true(wrmsr_exit(vcpu, 0x3b, 5000)); /* the TSC jumps, time does not */
    assert_true(guest_ram_read(&vm->ram, gpa(0x3000), &time, sizeof(time)));
    assert_int_equal(time.version, 4);
    assert_int_equal(time.tsc_timestamp, 5000);
    assert_true(wrmsr_exit(vcpu, 0x4b564d00, 0x4000));
    assert_true(guest_ram_read(&vm->ram, gpa(0x4000), &wall, sizeof(wall)));
    assert_int_equal(wall.seconds, FAKE_BOOT_TIME);
    assert_false(wrmsr_exit(vcpu, 0x4b564d01, 0xf000000000 | 1)); /* not RAM */
    assert_false(wrmsr_exit(vcpu, 0x4b564d00, FAKE_RAM_BYTES - 4));
    assert_true(wrmsr_exit(vcpu, 0x4b564d01, 0));
    for (uint32_t khz = 1000; khz < 6000000; khz += 98765) {
        uint32_t multiplier;
        int8_t shift;

        pvclock_scale(khz, &multiplier, &shift);
        /* One second's ticks are one second, to the part in 2^30. */
        uint64_t ticks = (uint64_t)khz * 1000;
        uint64_t shifted = shift >= 0 ? ticks << shift : ticks >> -shift;
        uint64_t nanoseconds = (uint64_t)((unsigned __int128)shifted * multiplier >> 32);
        assert_in_range(nanoseconds, 999999990, 1000000000);
    }
}

/* --- local APIC by MSR, timer, interrupts --- */

static void x2apic_on(struct vcpu *vcpu)
{
    assert_true(wrmsr_exit(vcpu, 0x1b, vcpu->lapic.base | APIC_BASE_X2APIC));
    assert_true(wrmsr_exit(vcpu, 0x80f, 0x1ff));
}

static void test_timer_interrupt(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;

    assert_false(wrmsr_exit(vcpu, 0x80f, 0x1ff)); /* #GP: not in x2APIC mode */
    next_injection(vcpu);
    x2apic_on(vcpu);
    assert_true(wrmsr_exit(vcpu, 0x832, 0x400ec));
    assert_int_equal(message->deadline, VCPU_DEADLINE_OFF);
    assert_true(wrmsr_exit(vcpu, 0x6e0, 5000));
    assert_int_equal(message->deadline, 1000000 + 5000);
    /* The guest sleeps, with interrupts on. */
    message->rflags = RFLAGS_ONE | RFLAGS_IF;
    message->interruptibility = BLOCKED_BY_STI;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_HLT, 1), VCPU_RUNS);
    assert_int_equal(message->interruptibility, 0);
    assert_int_equal(next_injection(vcpu), 0);
    assert_int_equal(message->activity, VCPU_ACTIVITY_HLT);
    fake_host.tsc = 1000000 + 5000;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_PREEMPTION_TIMER, 0), VCPU_RUNS);
    assert_int_equal(message->deadline, VCPU_DEADLINE_OFF);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0xec);
    assert_int_equal(message->activity, VCPU_ACTIVITY_ACTIVE);
    assert_int_equal(next_injection(vcpu), 0);
    assert_false(vcpu->attention);
    assert_true(wrmsr_exit(vcpu, 0x80b, 0));
    /* A deadline in the past fires at once, without an exit. */
    assert_true(wrmsr_exit(vcpu, 0x6e0, 10));
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0xec);
}

/* What a priority or an interrupt in service keeps out comes when these are gone. */
static void test_x2apic_lets_in(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);

    x2apic_on(vcpu);
    vcpu->message->rflags = RFLAGS_ONE | RFLAGS_IF;
    assert_true(wrmsr_exit(vcpu, 0x808, 0x60));
    assert_int_equal(msr_of(vcpu, 0x808), 0x60);
    assert_true(wrmsr_exit(vcpu, 0x83f, 0x55));
    assert_int_equal(next_injection(vcpu), 0);
    vcpu->attention = false;
    assert_true(wrmsr_exit(vcpu, 0x808, 0));
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x55);
    assert_true(wrmsr_exit(vcpu, 0x83f, 0x56));
    assert_int_equal(next_injection(vcpu), 0);
    vcpu->attention = false;
    assert_true(wrmsr_exit(vcpu, 0x80b, 0));
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x56);
    assert_false(wrmsr_exit(vcpu, 0x808, 0x100));
    EXPECT_GP(vcpu);
    assert_false(wrmsr_exit(vcpu, 0x80b, 1));
    EXPECT_GP(vcpu);
    assert_true(wrmsr_exit(vcpu, 0x83f, 0x57));
    assert_int_equal(next_injection(vcpu), 0); /* 56 is in service yet */
}

/* The I/O APIC hears of the end: the line is still high. */
static void test_x2apic_ends_level_triggered(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[0];
    struct interrupt_messages none = { 0 };

    x2apic_on(vcpu);
    vcpu->message->rflags = RFLAGS_ONE | RFLAGS_IF;
    ioapic_write(&vm->ioapic, 0, 0x1a, &none);
    ioapic_write(&vm->ioapic, 0x10, 1u << 15 | 0x91, &none); /* pin 5 */
    vm_set_line(vcpu, 5, true);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x91);
        assert_int_equal(next_injection(vcpu), 0);
        assert_true(wrmsr_exit(vcpu, 0x80b, 0));
    }
    vm_set_line(vcpu, 5, false);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x91); /* it had been sent */
    assert_true(wrmsr_exit(vcpu, 0x80b, 0));
    assert_int_equal(next_injection(vcpu), 0);
}

/* --- the watchdog --- */

#define WATCHDOG_MS 80u
#define LOOK_TICKS  10000000ull /* an eighth of it, at 1 GHz */

/* An interrupt waits, and the guest keeps it out. */
static void keep_out(struct vcpu *vcpu, uint8_t vector)
{
    vcpu->message->rflags = RFLAGS_ONE;
    assert_true(wrmsr_exit(vcpu, 0x83f, vector));
    assert_int_equal(next_injection(vcpu), 0);
}

/* The VCPU timer, when it was asked for. */
static enum vcpu_stop look(struct vcpu *vcpu)
{
    enum vcpu_stop stop;

    fake_host.tsc = vcpu->message->deadline;
    stop = do_exit(vcpu, VMX_EXIT_PREEMPTION_TIMER, 0);
    if (stop == VCPU_RUNS) {
        next_injection(vcpu);
    }
    return stop;
}

static void look_in_vain(struct vcpu *vcpu)
{
    for (unsigned i = 1; i < WATCH_LOOKS; i++) {
        assert_int_equal(vcpu->message->deadline, fake_host.tsc + LOOK_TICKS);
        assert_int_equal(look(vcpu), VCPU_RUNS);
    }
    assert_int_equal(vcpu->message->deadline, fake_host.tsc + LOOK_TICKS);
}

static void test_watchdog(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = vcpu_of(state);

    fake_vm_set_watchdog(WATCHDOG_MS);
    x2apic_on(vcpu);
    keep_out(vcpu, 0x55);
    look_in_vain(vcpu);
    /* At the last moment it takes it: all begins anew. */
    vcpu->message->rflags |= RFLAGS_IF;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_INTERRUPT_WINDOW, 0), VCPU_RUNS);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x55);
    assert_int_equal(look(vcpu), VCPU_RUNS);
    assert_int_equal(vcpu->message->deadline, VCPU_DEADLINE_OFF);
    assert_true(wrmsr_exit(vcpu, 0x80b, 0));

    keep_out(vcpu, 0x56);
    look_in_vain(vcpu);
    assert_false(vm_is_stopping(vm));
    assert_int_equal(look(vcpu), VCPU_STOPS);
    assert_int_equal(vm->stop.report, VMM_REPORT_STUCK);
    assert_int_equal(vm->stop.cause, VMM_CAUSE_WATCHDOG);
    assert_int_equal(vm->stop.detail, 0x56);
    report_stop(vm, vcpu);
    assert_non_null(strstr((const char *)fake_host.sent, "stuck with its interrupts off"));
}

/* A look that comes much too late is one, not many. */
static void test_watchdog_of_paused(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = vcpu_of(state);

    fake_vm_set_watchdog(WATCHDOG_MS);
    x2apic_on(vcpu);
    keep_out(vcpu, 0x55);
    for (unsigned i = 1; i < WATCH_LOOKS; i++) {
        vcpu->message->deadline += 1000 * LOOK_TICKS;
        assert_int_equal(look(vcpu), VCPU_RUNS);
    }
    assert_false(vm_is_stopping(vm));
    /* It opens its interrupts as the timer comes. */
    vcpu->message->rflags |= RFLAGS_IF;
    assert_int_equal(look(vcpu), VCPU_RUNS);
    assert_false(vm_is_stopping(vm));
}

/* What does not keep an interrupt out, or not by its interrupt flag. */
static void test_watchdog_rests(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;

    x2apic_on(vcpu);
    keep_out(vcpu, 0x55); /* nobody asked for it */
    assert_int_equal(message->deadline, VCPU_DEADLINE_OFF);
    fake_vm_set_watchdog(WATCHDOG_MS);
    message->rflags |= RFLAGS_IF;
    vcpu->attention = true;
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x55);
    assert_true(wrmsr_exit(vcpu, 0x80b, 0));
    /* Asleep for good. */
    message->rflags = RFLAGS_ONE;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_HLT, 1), VCPU_RUNS);
    lapic_set_irr(&vcpu->lapic, 0x55, false);
    vcpu->attention = true;
    assert_int_equal(next_injection(vcpu), 0);
    assert_int_equal(message->activity, VCPU_ACTIVITY_HLT);
    assert_int_equal(message->deadline, VCPU_DEADLINE_OFF);
    /* By priority. */
    vcpu->sleeping = false;
    assert_true(wrmsr_exit(vcpu, 0x808, 0xf0));
    vcpu->attention = true;
    assert_int_equal(next_injection(vcpu), 0);
    assert_int_equal(message->deadline, VCPU_DEADLINE_OFF);
}

static void test_panic(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = vcpu_of(state);

    assert_int_equal(port_read(vcpu, PANIC_PORT, 1), PANIC_PANICKED | PANIC_CRASHED);
    port_write(vcpu, PANIC_PORT, 1, PANIC_CRASHED);
    assert_false(vm_is_stopping(vm));
    port_write(vcpu, PANIC_PORT, 1, PANIC_PANICKED);
    assert_true(vm_is_stopping(vm));
    assert_int_equal(vm->stop.report, VMM_REPORT_PANIC);
    assert_int_equal(vm->stop.cause, VMM_CAUSE_GUEST);
    report_stop(vm, vcpu);
    assert_non_null(strstr((const char *)fake_host.sent, "the guest's kernel panicked"));
}

/* Counters are shown once for each time that they are asked for, or several. */
static void test_counters_on_request(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = vcpu_of(state);
    unsigned sent;

    assert_int_equal(do_exit(vcpu, VMX_EXIT_WBINVD, 2), VCPU_RUNS);
    report_on_request(vm);
    assert_int_equal(fake_host.nr_sent, 0);
    fake_console_ask();
    fake_console_ask();
    fake_host.tsc += 3000000000;
    report_on_request(vm);
    fake_console();
    assert_non_null(
        strstr((const char *)fake_host.sent, "\nvmm: fake: counts after 3 s, since the TSC was "));
    assert_non_null(strstr((const char *)fake_host.sent, "vCPU 0 exits for reason 54: 1\r\n"));
    sent = fake_host.nr_sent;
    report_on_request(vm);
    fake_console();
    assert_int_equal(fake_host.nr_sent, sent);
}

/* A console that takes nothing is waited for once, for about a second, not for each line. */
static void test_stopped_console(void **state)
{
    struct vm *vm = *state;
    uint64_t start = fake_host.tsc;

    fake_host.console_busy = true;
    for (unsigned i = 0; i < 2000; i++) {
        report_line(vm, "a line that finds no room in the end");
    }
    assert_in_range(fake_host.tsc - start, 1ull << 31, (1ull << 31) + 10000);
    /* It goes on: so do we, and it is marked what was lost. */
    fake_host.console_busy = false;
    fake_console();
    console_flush(&vm->console);
    report_line(vm, "the last one");
    assert_non_null(strstr((const char *)fake_host.sent, "bytes of output lost]\r\n"));
    assert_non_null(strstr((const char *)fake_host.sent, "the last one\r\n"));
}

static void test_interrupt_window(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;

    x2apic_on(vcpu);
    message->rflags = RFLAGS_ONE;
    assert_true(wrmsr_exit(vcpu, 0x83f, 0x55)); /* to itself, interrupts off */
    assert_int_equal(next_injection(vcpu), 0);
    assert_int_not_equal(message->primary & VMX_PRIMARY_INTERRUPT_WINDOW, 0);
    message->rflags |= RFLAGS_IF;
    message->interruptibility = BLOCKED_BY_MOV_SS;
    assert_int_equal(next_injection(vcpu), 0);
    message->interruptibility = 0;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_INTERRUPT_WINDOW, 0), VCPU_RUNS);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x55);
    assert_int_equal(message->primary & VMX_PRIMARY_INTERRUPT_WINDOW, 0);
    /* A lower class waits for the end of this one; its turn comes with the EOI, without a window.
     */
    assert_true(wrmsr_exit(vcpu, 0x83f, 0x45));
    assert_int_equal(next_injection(vcpu), 0);
    assert_int_equal(message->primary & VMX_PRIMARY_INTERRUPT_WINDOW, 0);
    assert_true(wrmsr_exit(vcpu, 0x80b, 0));
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x45);
    /* NMI: not held up by the interrupt flag. */
    message->rflags = RFLAGS_ONE;
    assert_true(wrmsr_exit(vcpu, 0x830, 0x400)); /* to APIC 0 */
    assert_int_equal(next_injection(vcpu), EVENT_VALID | EVENT_NMI | 2);
}

/* A guest that handles an NMI gets the next one when it has returned from it. */
static void test_nmi_window(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;

    x2apic_on(vcpu);
    message->rflags = RFLAGS_ONE;
    assert_true(wrmsr_exit(vcpu, 0x830, 0x400)); /* to APIC 0 */
    assert_int_equal(next_injection(vcpu), EVENT_VALID | EVENT_NMI | 2);
    message->interruptibility = BLOCKED_BY_NMI;
    assert_true(wrmsr_exit(vcpu, 0x830, 0x400));
    assert_int_equal(next_injection(vcpu), 0);
    assert_int_not_equal(message->primary & VMX_PRIMARY_NMI_WINDOW, 0);
    assert_true(vcpu->attention);
    /* Exceptions are not held up, and the window stays. */
    vcpu_raise(vcpu, VECTOR_UD);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | EVENT_EXCEPTION | VECTOR_UD);
    assert_int_not_equal(message->primary & VMX_PRIMARY_NMI_WINDOW, 0);
    message->interruptibility = 0;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_NMI_WINDOW, 0), VCPU_RUNS);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | EVENT_NMI | 2);
    message->interruptibility = BLOCKED_BY_NMI;
    assert_int_equal(next_injection(vcpu), 0);
    assert_int_equal(message->primary & VMX_PRIMARY_NMI_WINDOW, 0);
    assert_false(vcpu->attention);
}

static void test_reinjection(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;

    /* The event of an entry that did not happen is chosen again. */
    x2apic_on(vcpu);
    message->rflags = RFLAGS_ONE | RFLAGS_IF;
    assert_true(wrmsr_exit(vcpu, 0x83f, 0x55));
    vcpu_prepare_events(vcpu);
    assert_int_equal(message->entry_info, EVENT_VALID | 0x55);
    vcpu_note_not_entered(vcpu);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x55);
    assert_true(wrmsr_exit(vcpu, 0x80b, 0));
    /* A more urgent one that came meanwhile goes first, and the two need no window. */
    assert_true(wrmsr_exit(vcpu, 0x83f, 0x55));
    vcpu_prepare_events(vcpu);
    assert_int_equal(message->entry_info, EVENT_VALID | 0x55);
    lapic_set_irr(&vcpu->lapic, 0x77, false);
    vcpu_note_not_entered(vcpu);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x77);
    assert_int_equal(message->primary & VMX_PRIMARY_INTERRUPT_WINDOW, 0);
    assert_int_equal(next_injection(vcpu), 0);
    assert_true(wrmsr_exit(vcpu, 0x80b, 0));
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x55);
    assert_true(wrmsr_exit(vcpu, 0x80b, 0));
    /* A page fault whose delivery was interrupted, before an interrupt that waits. */
    assert_true(wrmsr_exit(vcpu, 0x83f, 0x66));
    message->vectoring_info = EVENT_VALID | 1u << 12 | EVENT_EXCEPTION | EVENT_ERROR_CODE | 14;
    message->vectoring_error = 5;
    vcpu_note_vectoring(vcpu);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR_CODE | 14);
    assert_int_equal(fake_field(VMCS_ENTRY_EXCEPTION_ERROR), 5);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x66);
    /* A virtual interrupt disguised as an exception is not ours to repeat. */
    message->vectoring_info = EVENT_VALID | EVENT_EXCEPTION | 0x30;
    vcpu_note_vectoring(vcpu);
    assert_int_equal(next_injection(vcpu), 0);
}

/* --- ports --- */

static void out_exit(struct vcpu *vcpu, uint16_t port, unsigned size, uint32_t value)
{
    vcpu->message->gpr[MESSAGE_RAX] = value;
    vcpu->message->qualification = (size - 1) | (uint64_t)port << 16;
    do_exit(vcpu, VMX_EXIT_IO, 1);
}

static uint64_t in_exit(struct vcpu *vcpu, uint16_t port, unsigned size)
{
    vcpu->message->qualification = (size - 1) | VMX_IO_IN | (uint64_t)port << 16;
    do_exit(vcpu, VMX_EXIT_IO, 1);
    return vcpu->message->gpr[MESSAGE_RAX];
}

static void test_ports(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[0];

    vcpu->message->gpr[MESSAGE_RAX] = 0x1122334455667788;
    assert_int_equal(in_exit(vcpu, 0x80, 1), 0x11223344556677ff);
    assert_int_equal(in_exit(vcpu, 0x80, 2), 0x112233445566ffff);
    assert_int_equal(in_exit(vcpu, 0xffff, 4), 0xffffffff);
    out_exit(vcpu, 0xcf8, 4, 0x80000000);
    assert_int_equal(in_exit(vcpu, 0xcfc, 4), 0x00081b36);
    out_exit(vcpu, 0x3f8, 1, 'h');
    out_exit(vcpu, 0x3f8, 1, 'i');
    assert_int_equal(fake_host.nr_sent, 2);
    assert_memory_equal(fake_host.sent, "hi", 2);
    assert_int_equal(in_exit(vcpu, 0x3fd, 1) & 0xff, 0x60);
    /* Two registers in one access. */
    out_exit(vcpu, 0x3fe, 2, 0x5a00);
    assert_int_equal(in_exit(vcpu, 0x3ff, 1) & 0xff, 0x5a);
    assert_int_equal(in_exit(vcpu, 0x3fe, 4), 0xffff5ab0);
    out_exit(vcpu, 0x70, 1, 0x32);
    assert_int_equal(in_exit(vcpu, 0x71, 1) & 0xff, 0x20);
}

static void test_serial_backpressure(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[0];
    unsigned accepted = 0, lost;
    char mark[64];

    fake_host.console_busy = true;
    while ((in_exit(vcpu, 0x3fd, 1) & 0x20) != 0) {
        out_exit(vcpu, 0x3f8, 1, accepted++ & 0x7f);
        assert_in_range(accepted, 0, CONSOLE_OUTPUT_BYTES);
    }
    assert_int_equal(fake_host.nr_sent, 0);
    /* What is sent all the same is lost, and later marked. */
    for (unsigned i = 0; i < 1000; i++) {
        out_exit(vcpu, 0x3f8, 1, 'x');
    }
    fake_host.console_busy = false;
    fake_console();
    assert_int_equal(fake_host.nr_sent, CONSOLE_OUTPUT_BYTES);
    serial_sync(vcpu);
    fake_console();
    lost = accepted + 1000 - CONSOLE_OUTPUT_BYTES;
    snprintf(mark, sizeof(mark), "\r\n[%u bytes of output lost]\r\n", lost);
    assert_int_equal(fake_host.nr_sent, CONSOLE_OUTPUT_BYTES + strlen(mark));
    assert_memory_equal(fake_host.sent + CONSOLE_OUTPUT_BYTES, mark, strlen(mark));
    assert_int_equal(in_exit(vcpu, 0x3fd, 1) & 0x20, 0x20);
}

static void test_serial_input(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[0];
    char typed[CONSOLE_INPUT_BYTES + 1000];

    x2apic_on(vcpu);
    vcpu->message->rflags = RFLAGS_ONE | RFLAGS_IF;
    /* I/O APIC pin 4 to vector 0x44, edge. */
    struct interrupt_messages none = { 0 };
    ioapic_write(&vm->ioapic, 0, 0x18, &none);
    ioapic_write(&vm->ioapic, 0x10, 0x44, &none);
    out_exit(vcpu, 0x3fa, 1, 0x01);
    out_exit(vcpu, 0x3fc, 1, 0x0b);
    out_exit(vcpu, 0x3f9, 1, 0x01);
    memset(typed, 'y', sizeof(typed) - 1);
    typed[sizeof(typed) - 1] = '\0';
    fake_host.input = typed;
    fake_console();
    serial_sync(vcpu);
    fake_console();
    assert_int_equal(next_injection(vcpu), EVENT_VALID | 0x44);
    /* The ring and the FIFO are full; the rest waits in the port. */
    assert_int_equal(strlen(fake_host.input), sizeof(typed) - 1 - CONSOLE_INPUT_BYTES - UART_FIFO);
    unsigned received = 0;
    while ((in_exit(vcpu, 0x3fd, 1) & 1) != 0) {
        assert_int_equal(in_exit(vcpu, 0x3f8, 1) & 0xff, 'y');
        received++;
        fake_console();
        serial_sync(vcpu);
    }
    assert_int_equal(received, sizeof(typed) - 1);
}

/* --- instructions with memory operands --- */

static void put_code(struct vcpu *vcpu, const void *code, size_t bytes)
{
    assert_true(guest_ram_write(&vcpu->vm->ram, gpa(CODE), code, bytes));
    vcpu->message->rip = CODE;
    vcpu->message->efer = EFER_LME | EFER_LMA;
    vcpu->message->cs_rights = 0xa09b;
    vcpu->message->cr0 = CR0_PE; /* paging off, to keep it simple: what counts is the decoding */
}

static enum vcpu_stop mmio_exit(struct vcpu *vcpu, uint64_t address, bool write)
{
    vcpu->message->gpa = address;
    vcpu->message->qualification = write ? VMX_EPT_WRITE : VMX_EPT_READ;
    return do_exit(vcpu, VMX_EXIT_EPT_VIOLATION, 0);
}

static void test_mmio(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;

    put_code(vcpu, "\x8b\x47\x30", 3); /* mov eax, [rdi+0x30] */
    message->gpr[MESSAGE_RAX] = ~0ull;
    assert_int_equal(mmio_exit(vcpu, LAPIC_BASE + 0x30, false), VCPU_RUNS);
    assert_int_equal(message->gpr[MESSAGE_RAX], LAPIC_VERSION);
    assert_int_equal(message->rip, CODE + 3);
    put_code(vcpu, "\x41\x89\x34\x24", 4); /* mov [r12], esi */
    message->gpr[MESSAGE_RSI] = 0x1ff;
    assert_int_equal(mmio_exit(vcpu, LAPIC_BASE + 0xf0, true), VCPU_RUNS);
    assert_int_equal(vcpu->lapic.svr, 0x1ff);
    put_code(vcpu, "\xc7\x07\x10\x00\x00\x00", 6); /* mov dword [rdi], 0x10 */
    assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, true), VCPU_RUNS);
    assert_int_equal(vcpu->vm->ioapic.select, 0x10);
    put_code(vcpu, "\x83\x0f\x01", 3); /* or dword [rdi], 1 */
    message->rflags = RFLAGS_ONE | RFLAGS_CF;
    assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, true), VCPU_RUNS);
    assert_int_equal(vcpu->vm->ioapic.select, 0x11);
    assert_int_equal(message->rflags, RFLAGS_ONE | RFLAGS_PF);
    put_code(vcpu, "\x0f\xb7\x07", 3); /* movzx eax, word [rdi] */
    assert_int_equal(mmio_exit(vcpu, 0xe0000000, false), VCPU_RUNS);
    assert_int_equal(message->gpr[MESSAGE_RAX], 0x1b36);
    /* The same place, other bytes: the cache of decoded instructions must notice. */
    put_code(vcpu, "\x0f\xb6\x1f", 3); /* movzx ebx, byte [rdi] */
    assert_int_equal(mmio_exit(vcpu, 0xe0000001, false), VCPU_RUNS);
    assert_int_equal(message->gpr[MESSAGE_RBX], 0x1b);
    /* rsp as the source of a store is not in the message. */
    put_code(vcpu, "\x89\x27", 2); /* mov [rdi], esp */
    fake_set_field(VMCS_GUEST_RSP, 0x15);
    assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, true), VCPU_RUNS);
    assert_int_equal(vcpu->vm->ioapic.select, 0x15);
}

static void put_entry(struct vcpu *vcpu, uint64_t at, uint64_t value)
{
    assert_true(guest_ram_write(&vcpu->vm->ram, gpa(at), &value, 8));
}

/* A decoded instruction is used again only while page tables and bytes are what they were. */
static void test_decode_cache(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;
    const uint64_t rip = 0x2ff1; /* at an odd place, not far from the end of its page */

    put_code(vcpu, "", 0);
    message->cr0 = CR0_PE | CR0_PG;
    message->cr4 = CR4_PAE;
    message->cr3 = 0x10000;
    for (uint64_t table = 0x10000; table < 0x13000; table += 0x1000) {
        put_entry(vcpu, table, (table + 0x1000) | 3);
    }
    put_entry(vcpu, 0x13000 + 2 * 8, 0x5000 | 3);
    put_entry(vcpu, 0x13000 + 3 * 8, 0x6000 | 3);
    assert_true(guest_ram_write(&vcpu->vm->ram, gpa(0x5fe0), "\x8b\x07", 2)); /* eax */
    assert_true(guest_ram_write(&vcpu->vm->ram, gpa(0x5ff1), "\x8b\x1f", 2)); /* ebx */
    assert_true(guest_ram_write(&vcpu->vm->ram, gpa(0x7fe0), "\x8b\x17", 2)); /* edx */
    vcpu->vm->ioapic.select = 0x33;
    for (unsigned i = 0; i < 3; i++) {
        message->rip = 0x2fe0;
        message->gpr[MESSAGE_RAX] = 0;
        assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, false), VCPU_RUNS);
        assert_int_equal(message->gpr[MESSAGE_RAX], 0x33);
        message->rip = rip;
        message->gpr[MESSAGE_RBX] = 0;
        assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, false), VCPU_RUNS);
        assert_int_equal(message->gpr[MESSAGE_RBX], 0x33);
    }
    put_entry(vcpu, 0x13000 + 2 * 8, 0x7000 | 3); /* the page is now another */
    message->rip = 0x2fe0;
    message->gpr[MESSAGE_RDX] = 0;
    assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, false), VCPU_RUNS);
    assert_int_equal(message->gpr[MESSAGE_RDX], 0x33);
    message->efer = EFER_LMA | EFER_NXE;
    put_entry(vcpu, 0x13000 + 2 * 8, 0x7000 | 3 | 1ull << 63); /* no longer executable */
    message->rip = 0x2fe0;
    assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, false), VCPU_STOPS);
}

/* One page table that maps the first 2 MiB where kernels have their code; the entries' rights. */
static void map_high(struct vcpu *vcpu, uint64_t rights)
{
    put_entry(vcpu, 0x10000 + 511 * 8, 0x11000 | rights);
    put_entry(vcpu, 0x11000 + 510 * 8, 0x12000 | rights);
    put_entry(vcpu, 0x12000, 0x80 | rights);
    vcpu->message->cr3 = 0x10000;
}

/* As the kernel leaves the message: modes are those of an earlier exit, from 16-bit code. */
static void put_high_code(struct vcpu *vcpu, const void *code, size_t bytes)
{
    put_code(vcpu, code, bytes);
    vcpu->message->rip = HIGH_CODE;
    vcpu->message->cr0 = 0;
    vcpu->message->cr4 = ~0ull;
    vcpu->message->efer = 0;
    vcpu->message->cs_rights = 0x9b;
}

/* Above 4 GiB there is only 64-bit code: modes are not in the message, and not asked for. */
static void test_mmio_from_64_bit_code(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;
    unsigned reads;

    map_high(vcpu, 7); /* a user's: whether it may be executed is not the monitor's question */
    vcpu->vm->ioapic.select = 0x33;
    put_high_code(vcpu, "\x44\x8b\x07", 3); /* mov r8d, [rdi]; 16-bit code: inc sp; ... */
    reads = fake_host.nr_field_reads;
    for (unsigned i = 0; i < 2; i++) {
        message->rip = HIGH_CODE;
        message->cs_rights = i; /* what is not told is not compared with what was found before */
        message->gpr[MESSAGE_R8] = 0;
        assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, false), VCPU_RUNS);
        assert_int_equal(message->gpr[MESSAGE_R8], 0x33);
        assert_int_equal(message->rip, HIGH_CODE + 3);
    }
    assert_int_equal(fake_host.nr_field_reads, reads);
    map_high(vcpu, 7 | 1ull << 63);
    message->rip = HIGH_CODE;
    assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, false), VCPU_STOPS);
}

/* Its other operand is under the rules of the modes, which are asked for. */
static void test_string_from_64_bit_code(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;

    map_high(vcpu, 7);
    message->rflags = RFLAGS_ONE;
    fake_set_field(VMCS_GUEST_CR0, CR0_PG | CR0_PE);
    fake_set_field(VMCS_GUEST_CR4, CR4_PAE);
    fake_set_field(VMCS_GUEST_EFER, EFER_LME | EFER_LMA);
    fake_set_field(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b);
    vcpu->vm->ioapic.select = 0x33;
    put_high_code(vcpu, "\xa5", 1); /* movsd, to memory */
    message->gpr[MESSAGE_RSI] = HIGH_BASE + IOAPIC_BASE % 0x200000;
    message->gpr[MESSAGE_RDI] = HIGH_BASE + 0x5000;
    put_entry(vcpu, 0x12000, (IOAPIC_BASE & ~0x1fffffull) | 0x87);
    put_entry(vcpu, 0x12008, 0x87);
    message->rip = HIGH_CODE + 0x200000;
    message->gpr[MESSAGE_RDI] += 0x200000;
    assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, false), VCPU_RUNS);
    uint32_t value;
    assert_true(guest_ram_read(&vcpu->vm->ram, gpa(0x5000), &value, 4));
    assert_int_equal(value, 0x33);
    /* With SMAP a kernel's access to a user's page is a fault. */
    fake_set_field(VMCS_GUEST_CR4, CR4_PAE | CR4_SMAP);
    put_high_code(vcpu, "\xa5", 1);
    message->rip = HIGH_CODE + 0x200000;
    message->gpr[MESSAGE_RSI] = HIGH_BASE + IOAPIC_BASE % 0x200000;
    assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, false), VCPU_RUNS);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR_CODE | 14);
    assert_int_equal(message->rip, HIGH_CODE + 0x200000);
}

static void test_mmio_refused(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);

    put_code(vcpu, "\x0f\xa2", 2); /* not an access at all */
    assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, true), VCPU_STOPS);
    assert_int_equal(vcpu->vm->stop.report, VMM_REPORT_CRASH);
    vcpu->vm->stopping = false; /* the first reason is the one that counts */
    assert_int_equal(mmio_exit(vcpu, 0xd0000000, true), VCPU_STOPS); /* nothing is there */
    assert_int_equal(vcpu->vm->stop.cause, VMX_EXIT_EPT_VIOLATION);
    vcpu->message->rip = ~0ull; /* not fetchable */
    assert_int_equal(mmio_exit(vcpu, IOAPIC_BASE, true), VCPU_STOPS);
}

static void test_string_io(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[0];
    struct vcpu_message *message = vcpu->message;
    char text[700];

    memset(text, 'z', sizeof(text));
    put_code(vcpu, "\xf3\x6e", 2); /* rep outsb */
    assert_true(guest_ram_write(&vm->ram, gpa(0x5000), text, sizeof(text)));
    message->rflags = RFLAGS_ONE;
    message->gpr[MESSAGE_RSI] = 0x5000;
    message->gpr[MESSAGE_RCX] = sizeof(text);
    unsigned exits = 0;
    while (message->rip == CODE) {
        message->qualification = VMX_IO_STRING | VMX_IO_REP | 0x3f8ull << 16;
        assert_int_equal(do_exit(vcpu, VMX_EXIT_IO, 2), VCPU_RUNS);
        exits++;
    }
    assert_int_equal(exits, 3); /* in portions */
    assert_int_equal(fake_host.nr_sent, sizeof(text));
    assert_int_equal(message->gpr[MESSAGE_RCX], 0);
    assert_int_equal(message->gpr[MESSAGE_RSI], 0x5000 + sizeof(text));
    /* insd, backwards, across a page. */
    put_code(vcpu, "\x6d", 1);
    out_exit(vcpu, 0xcf8, 4, 0x80000000);
    put_code(vcpu, "\x6d", 1);
    message->rflags = RFLAGS_ONE | RFLAGS_DF;
    message->gpr[MESSAGE_RDI] = 0x5ffe;
    message->qualification = 3 | VMX_IO_STRING | VMX_IO_IN | 0xcfcull << 16;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_IO, 1), VCPU_RUNS);
    uint32_t value;
    assert_true(guest_ram_read(&vm->ram, gpa(0x5ffe), &value, 4));
    assert_int_equal(value, 0x00081b36);
    assert_int_equal(message->gpr[MESSAGE_RDI], 0x5ffa);
    /* Onto device registers: stosd to the local APIC. */
    put_code(vcpu, "\xab", 1);
    message->rflags = RFLAGS_ONE;
    message->gpr[MESSAGE_RDI] = LAPIC_BASE + 0x80;
    message->gpr[MESSAGE_RAX] = 0x20;
    assert_int_equal(mmio_exit(vcpu, LAPIC_BASE + 0x80, true), VCPU_RUNS);
    assert_int_equal(vcpu->lapic.tpr, 0x20);
    assert_int_equal(message->gpr[MESSAGE_RDI], LAPIC_BASE + 0x84);
    /* With paging, and a destination that is not mapped: a page fault, and nothing is lost. */
    put_code(vcpu, "\x6c", 1);
    message->cr0 = CR0_PE | CR0_PG;
    message->cr4 = CR4_PAE;
    message->cr3 = 0x10000;
    uint64_t entries[] = { 0x11003, 0x12003, 0x83 };
    for (unsigned i = 0; i < 3; i++) {
        assert_true(guest_ram_write(&vm->ram, gpa(0x10000 + i * 0x1000ull), &entries[i], 8));
    }
    message->gpr[MESSAGE_RDI] = 0x40000000;
    message->qualification = VMX_IO_STRING | VMX_IO_IN | 0x80ull << 16;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_IO, 1), VCPU_RUNS);
    assert_int_equal(message->rip, CODE);
    assert_int_equal(fake_field(VCPU_FIELD_CR2), 0x40000000);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR_CODE | 14);
    assert_int_equal(fake_field(VMCS_ENTRY_EXCEPTION_ERROR), 2);
}

static void test_control_registers(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;

    put_code(vcpu, "\x0f\x22\xe0", 3); /* mov cr4, rax */
    message->gpr[MESSAGE_RAX] = CR4_PAE | CR4_PGE | CR4_OSXSAVE;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_CR_ACCESS, 0), VCPU_RUNS);
    assert_int_equal(fake_field(VMCS_GUEST_CR4), CR4_PAE | CR4_PGE | CR4_OSXSAVE);
    assert_int_equal(message->rip, CODE + 3);
    static const uint64_t wrong[] = { CR4_PGE, CR4_PAE | 1ull << 13, CR4_PAE | 1ull << 12,
                                      CR4_PAE | 1ull << 22, CR4_PAE | 1ull << 63 };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        message->rip = CODE;
        message->gpr[MESSAGE_RAX] = wrong[i];
        do_exit(vcpu, VMX_EXIT_CR_ACCESS, 0);
        EXPECT_GP(vcpu);
        assert_int_equal(message->rip, CODE);
    }
    assert_int_equal(vcpu->cr4, CR4_PAE | CR4_PGE | CR4_OSXSAVE);
    put_code(vcpu, "\x44\x0f\x22\xc1", 4); /* mov cr8, rcx */
    message->gpr[MESSAGE_RCX] = 5;
    do_exit(vcpu, VMX_EXIT_CR_ACCESS, 0);
    assert_int_equal(vcpu->lapic.tpr, 0x50);
    put_code(vcpu, "\x44\x0f\x20\xc2", 4); /* mov rdx, cr8 */
    do_exit(vcpu, VMX_EXIT_CR_ACCESS, 0);
    assert_int_equal(message->gpr[MESSAGE_RDX], 5);
    /* Told by the processor instead: write of CR4 from rbx. */
    message->rip = CODE;
    message->gpr[MESSAGE_RBX] = CR4_PAE;
    message->qualification = 4 | 3 << 8;
    do_exit(vcpu, VMX_EXIT_CR_ACCESS, 3);
    assert_int_equal(vcpu->cr4, CR4_PAE);
    /* What the kernel refuses has not become the guest's. */
    message->rip = CODE;
    message->gpr[MESSAGE_RBX] = CR4_PAE | CR4_PGE;
    fake_host.refused_field = VMCS_GUEST_CR4;
    do_exit(vcpu, VMX_EXIT_CR_ACCESS, 3);
    EXPECT_GP(vcpu);
    assert_int_equal(vcpu->cr4, CR4_PAE);
    /* "Invalid state" at a MOV to CR3 was a #GP. */
    put_code(vcpu, "\x0f\x22\xd8", 3);
    fake_set_field(VMCS_GUEST_CR0, CR0_PE);
    fake_set_field(VMCS_GUEST_EFER, EFER_LME | EFER_LMA);
    fake_set_field(VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa09b);
    assert_int_equal(do_exit(vcpu, VMX_EXIT_INVALID_GUEST_STATE, 0), VCPU_RUNS);
    EXPECT_GP(vcpu);
    put_code(vcpu, "\x90", 1);
    assert_int_equal(do_exit(vcpu, VMX_EXIT_INVALID_GUEST_STATE, 0), VCPU_STOPS);
}

/* MOV to CR0 from rax, as VT-x tells it; whether it was done. */
static bool write_cr0(struct vcpu *vcpu, uint64_t value)
{
    struct vcpu_message *message = vcpu->message;

    message->rip = CODE;
    message->qualification = 0;
    message->gpr[MESSAGE_RAX] = value;
    message->cr0 = fake_field(VMCS_GUEST_CR0);
    message->efer = fake_field(VMCS_GUEST_EFER);
    assert_int_equal(do_exit(vcpu, VMX_EXIT_CR_ACCESS, 3), VCPU_RUNS);
    if (message->rip == CODE) {
        EXPECT_GP(vcpu);
        return false;
    }
    return true;
}

/* Paging and long mode begin and end with CR0, where its writes exit. */
static void test_cr0(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;
    const uint64_t base = CR0_PE | CR0_NE | CR0_ET;

    fake_set_field(VMCS_GUEST_CR0, base | CR0_CD | CR0_NW);
    fake_set_field(VMCS_GUEST_EFER, EFER_LME);
    fake_set_field(VMCS_ENTRY_CONTROLS, VCPU_ENTRY_LEGACY);
    message->cs_rights = 0xc09b;
    vcpu->cr4 = 0;
    assert_false(write_cr0(vcpu, base | CR0_NW));
    assert_false(write_cr0(vcpu, CR0_PG));
    assert_false(write_cr0(vcpu, base | CR0_PG)); /* long mode without PAE */
    assert_int_equal(fake_field(VMCS_GUEST_CR0), base | CR0_CD | CR0_NW);
    vcpu->cr4 = CR4_PAE;
    assert_true(
        write_cr0(vcpu, base | CR0_PG | 1ull << 32)); /* 32-bit code: that half is not there */
    assert_int_equal(fake_field(VMCS_GUEST_CR0), base | CR0_PG);
    assert_int_equal(fake_field(VMCS_GUEST_EFER), EFER_LME | EFER_LMA);
    assert_int_equal(fake_field(VMCS_ENTRY_CONTROLS), VCPU_ENTRY_LEGACY | VMX_ENTRY_CTL_GUEST_64);
    message->cs_rights = 0xa09b;
    assert_false(write_cr0(vcpu, base | CR0_PG | 1ull << 32));
    assert_false(write_cr0(vcpu, base)); /* from 64-bit code */
    assert_true(write_cr0(vcpu, base | CR0_PG | CR0_CD));
    assert_int_equal(fake_field(VMCS_GUEST_CR0), base | CR0_PG | CR0_CD);
    message->cs_rights = 0xc09b;
    assert_true(write_cr0(vcpu, base));
    assert_int_equal(fake_field(VMCS_GUEST_EFER), EFER_LME);
    assert_int_equal(fake_field(VMCS_ENTRY_CONTROLS), VCPU_ENTRY_LEGACY);
    /* CR0 is read without an exit: one that comes all the same is not ours to answer. */
    message->qualification = 1 << 4;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_CR_ACCESS, 3), VCPU_STOPS);
}

/* PAE paging has its four top entries in the VMCS. */
static void test_pdptes(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vm *vm = vcpu->vm;
    uint64_t entries[4] = { 0x5001, 0, 0x6019, 0x1fe }; /* the last one is not present */

    fake_set_field(VMCS_GUEST_CR0, CR0_PE | CR0_NE | CR0_ET | CR0_CD);
    fake_set_field(VMCS_GUEST_EFER, 0);
    vcpu->message->cs_rights = 0xc09b;
    vcpu->cr4 = CR4_PAE;
    vcpu->message->cr3 = 0x4020;
    assert_true(guest_ram_write(&vm->ram, gpa(0x4020), entries, sizeof(entries)));
    assert_true(write_cr0(vcpu, CR0_PG | CR0_PE | CR0_NE | CR0_ET));
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(fake_field(VMCS_GUEST_PDPTE(i)), entries[i]);
    }
    static const uint64_t wrong[] = { 0x5003, 0x5021, 0x5101, 1ull << 52 | 1 };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_true(guest_ram_write(&vm->ram, gpa(0x4028), &wrong[i], sizeof(wrong[i])));
        assert_false(write_cr0(vcpu, CR0_PG | CR0_PE | CR0_NE | CR0_ET | CR0_CD));
    }
    vcpu->message->cr3 = FAKE_RAM_BYTES; /* no memory there */
    assert_false(write_cr0(vcpu, CR0_PG | CR0_PE | CR0_NE | CR0_ET | CR0_CD));
}

/* MOV to or from CR3, register rax. */
static void access_cr3(struct vcpu *vcpu, bool write)
{
    vcpu->message->qualification = 3 | (write ? 0 : 1 << 4);
    assert_int_equal(do_exit(vcpu, VMX_EXIT_CR_ACCESS, 3), VCPU_RUNS);
}

/*
 * A processor that always pages its guests: from long mode to protected mode without paging, and
 * back, as a kernel starts another processor.
 */
static void test_paging_off_where_it_cannot_be(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vm *vm = vcpu->vm;
    struct vcpu_message *message = vcpu->message;
    const uint64_t base = CR0_PE | CR0_NE | CR0_ET;
    uint64_t pdptes[4] = { 0xfa001, 0xfb001, 0xfc001, 0xfd001 };

    vm->has_real_mode = false;
    fake_vm_power_on(vm);
    assert_int_equal(fake_field(VMCS_CR0_MASK), CR0_PG | CR0_PE);
    assert_int_equal(fake_field(VMCS_CR0_SHADOW) & (CR0_PG | CR0_PE), CR0_PG | CR0_PE);
    assert_true(guest_ram_write(&vm->ram, gpa(LINUX_PAE_TABLE), pdptes, sizeof(pdptes)));
    assert_true(vcpu_set_cr4(vcpu, CR4_PAE | CR4_SMEP));
    message->cs_rights = 0xc09b;
    message->cr3 = 0x4000;

    assert_true(write_cr0(vcpu, base));
    assert_int_equal(fake_field(VMCS_CR0_SHADOW), base);
    assert_int_equal(fake_field(VMCS_GUEST_EFER), 0); /* LME would be refused */
    assert_int_equal(fake_field(VMCS_ENTRY_CONTROLS), VCPU_ENTRY_LEGACY);
    assert_int_equal(fake_field(VMCS_GUEST_CR3), LINUX_PAE_TABLE);
    assert_int_equal(fake_field(VMCS_GUEST_PDPTE(3)), 0xfd001);
    assert_int_equal(fake_field(VMCS_GUEST_CR4), CR4_PAE);
    assert_int_equal(fake_field(VMCS_CR4_SHADOW), CR4_PAE | CR4_SMEP);
    assert_int_equal(message->primary & (VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE),
                     VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE);

    /* What it does to its registers meanwhile is what it finds. */
    assert_int_equal(msr_of(vcpu, 0xc0000080), EFER_LME);
    access_cr3(vcpu, false);
    assert_int_equal(message->gpr[MESSAGE_RAX], 0x4000);
    message->gpr[MESSAGE_RAX] = 0x5000;
    access_cr3(vcpu, true);
    assert_true(wrmsr_exit(vcpu, 0xc0000080, 0));
    assert_true(wrmsr_exit(vcpu, 0xc0000080, EFER_LME | EFER_NXE));
    assert_int_equal(fake_field(VMCS_GUEST_EFER), EFER_NXE);
    assert_true(vcpu_set_cr4(vcpu, 0));
    assert_int_equal(fake_field(VMCS_GUEST_CR4), CR4_PAE);
    fake_set_field(VMCS_GUEST_CR0, base | CR0_PG); /* as the kernel has it */
    assert_false(write_cr0(vcpu, base | CR0_PG));  /* long mode without PAE */
    assert_true(vcpu_set_cr4(vcpu, CR4_PAE));

    assert_true(write_cr0(vcpu, base | CR0_PG));
    assert_int_equal(fake_field(VMCS_CR0_SHADOW), base | CR0_PG);
    assert_int_equal(fake_field(VMCS_GUEST_EFER), EFER_LME | EFER_LMA | EFER_NXE);
    assert_int_equal(fake_field(VMCS_ENTRY_CONTROLS), VCPU_ENTRY_LEGACY | VMX_ENTRY_CTL_GUEST_64);
    assert_int_equal(fake_field(VMCS_GUEST_CR3), 0x5000);
    assert_int_equal(message->primary & (VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE), 0);

    message->gpr[MESSAGE_RAX] = CR0_NE;
    message->qualification = 0;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_CR_ACCESS, 3), VCPU_STOPS);
    assert_non_null(strstr(vm->stop.text, "real mode"));
}

static void test_xsetbv(void **state)
{
    struct vcpu *vcpu = vcpu_of(state);
    struct vcpu_message *message = vcpu->message;
    static const struct {
        uint64_t index, value;
        bool good;
    } cases[] = {
        { 0, 7, true },     { 0, 3, true },  { 0, 1, true },
        { 0, 0, false },    { 0, 5, false }, { 0, 0xf, false },
        { 0, 0xe7, false }, { 1, 7, false }, { 0, 1ull << 32 | 7, false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        message->gpr[MESSAGE_RCX] = cases[i].index;
        message->gpr[MESSAGE_RAX] = (uint32_t)cases[i].value;
        message->gpr[MESSAGE_RDX] = cases[i].value >> 32;
        do_exit(vcpu, VMX_EXIT_XSETBV, 3);
        if (cases[i].good) {
            assert_int_equal(next_injection(vcpu), 0);
            assert_int_equal(fake_field(VCPU_FIELD_XCR0), cases[i].value);
        } else {
            EXPECT_GP(vcpu);
        }
    }
}

/* --- arithmetic --- */

/* The processor itself knows best: compare results and flags. */
#define HOST_ALU(name, instruction)                                                                \
    static uint64_t host_##name(uint64_t a, uint64_t b, unsigned size, uint64_t *flags)            \
    {                                                                                              \
        uint64_t carry = *flags & 1;                                                               \
        switch (size) {                                                                            \
        case 1:                                                                                    \
            __asm__("bt $0, %3; " instruction " %b2, %b0; pushf; pop %1"                           \
                    : "+r"(a), "=r"(*flags)                                                        \
                    : "r"(b), "r"(carry)                                                           \
                    : "cc");                                                                       \
            break;                                                                                 \
        case 2:                                                                                    \
            __asm__("bt $0, %3; " instruction " %w2, %w0; pushf; pop %1"                           \
                    : "+r"(a), "=r"(*flags)                                                        \
                    : "r"(b), "r"(carry)                                                           \
                    : "cc");                                                                       \
            break;                                                                                 \
        case 4:                                                                                    \
            __asm__("bt $0, %3; " instruction " %k2, %k0; pushf; pop %1"                           \
                    : "+r"(a), "=r"(*flags)                                                        \
                    : "r"(b), "r"(carry)                                                           \
                    : "cc");                                                                       \
            break;                                                                                 \
        default:                                                                                   \
            __asm__("bt $0, %3; " instruction " %2, %0; pushf; pop %1"                             \
                    : "+r"(a), "=r"(*flags)                                                        \
                    : "r"(b), "r"(carry)                                                           \
                    : "cc");                                                                       \
            break;                                                                                 \
        }                                                                                          \
        return a;                                                                                  \
    }

HOST_ALU(add, "add")
HOST_ALU(or, "or")
HOST_ALU(adc, "adc")
HOST_ALU(sbb, "sbb")
HOST_ALU(and, "and")
HOST_ALU(sub, "sub")
HOST_ALU(xor, "xor")
HOST_ALU(cmp, "cmp")

static void test_arithmetic(void **state)
{
    uint64_t (*const host[8])(uint64_t, uint64_t, unsigned, uint64_t *) = {
        host_add, host_or, host_adc, host_sbb, host_and, host_sub, host_xor, host_cmp,
    };
    uint64_t random = 88172645463325252ull;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        static const uint8_t sizes[] = { 1, 2, 4, 8 };
        struct insn insn = { .op = (uint8_t)(i % 8), .form = INSN_MEM_REG };
        struct insn_result result;
        uint64_t memory, reg, expected, flags, logic_mask;

        insn.memory_bytes = insn.reg_bytes = sizes[i / 8 % 4];
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        memory = i % 5 == 0 ? random & 0x8000000080008080 : random;
        reg = i % 3 == 0 ? memory : random * 0x2545f4914f6cdd1dull;
        flags = i / 32 % 2;
        insn_execute(&insn, memory, reg, RFLAGS_ONE | flags, &result);
        expected = host[insn.op](memory, reg, insn.memory_bytes, &flags);
        if (insn.memory_bytes < 8) {
            expected &= (1ull << (8 * insn.memory_bytes)) - 1;
        }
        if (insn.op == INSN_CMP) {
            assert_false(result.memory_written);
        } else {
            assert_int_equal(result.memory, expected);
        }
        /* AF is undefined after logic. */
        logic_mask =
            insn.op == INSN_OR || insn.op == INSN_AND || insn.op == INSN_XOR ? 0x8c5 : 0x8d5;
        assert_int_equal(result.rflags & logic_mask, flags & logic_mask);
    }
}

/* --- the end --- */

static void test_stops(void **state)
{
    struct vm *vm = *state;
    struct vcpu *vcpu = &vm->vcpus[0];

    vcpu->message->qualification = 1 | 0x604ull << 16;
    vcpu->message->gpr[MESSAGE_RAX] = 1 << 13 | 5 << 10;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_IO, 1), VCPU_STOPS);
    assert_int_equal(vm->stop.report, VMM_REPORT_POWEROFF);
    vm->stopping = false;
    vcpu->message->qualification = 0xcf9ull << 16;
    vcpu->message->gpr[MESSAGE_RAX] = 6;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_IO, 1), VCPU_STOPS);
    assert_int_equal(vm->stop.report, VMM_REPORT_REBOOT);
    vm->stopping = false;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_TRIPLE_FAULT, 0), VCPU_STOPS);
    assert_int_equal(vm->stop.report, VMM_REPORT_CRASH);
    assert_int_equal(do_exit(vcpu, 0xffffffff, 0), VCPU_STOPS);
    assert_int_equal(do_exit(vcpu, VMX_EXIT_TASK_SWITCH, 0), VCPU_STOPS);
    vm->stopping = false;
    assert_int_equal(do_exit(vcpu, VMX_EXIT_VMREAD, 0), VCPU_RUNS);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | EVENT_EXCEPTION | VECTOR_UD);
    /* Single-stepping over an emulated instruction. */
    vcpu->message->rflags = RFLAGS_ONE | RFLAGS_TF;
    do_exit(vcpu, VMX_EXIT_CPUID, 2);
    assert_int_equal(next_injection(vcpu), EVENT_VALID | EVENT_EXCEPTION | VECTOR_DB);
    assert_int_equal(fake_field(VCPU_FIELD_DR6) & DR6_SINGLE_STEP, DR6_SINGLE_STEP);
    /* Under an interrupt shadow: the kernel ends it, nothing is asked of it for that. */
    vcpu_write_field(vcpu, VMCS_GUEST_INTERRUPTIBILITY, 1);
    vcpu->message->rflags = RFLAGS_ONE;
    vcpu->message->interruptibility = 1;
    do_exit(vcpu, VMX_EXIT_CPUID, 2);
    assert_int_equal(vcpu->message->interruptibility, 0);
    assert_int_equal(fake_field(VMCS_GUEST_INTERRUPTIBILITY), 1);
}

/* --- the baselines of the processor --- */

/* Of a processor that has every feature there is. */
static struct cpuid_registers offered(unsigned level, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_table table;

    cpuid_init(&table, fake_cpuid,
               &(struct cpuid_parameters){ .nr_vcpus = 1, .tsc_khz = 1, .baseline = level });
    return *cpuid_query(&table, leaf, subleaf);
}

/* Written down once more, as the bits that a guest reads. */
static void test_baselines(void **state)
{
    static const struct {
        uint32_t one_ecx, seven_ebx, extended_ecx;
    } expected[] = {
        [1] = { 0, 0, 0 },
        [2] = { 0x00982201, 0, 0x1 },
        [3] = { 0x34d83201, 0x00000128, 0x21 },
    };
    /* x2APIC, TSC deadline, hypervisor; TSC_ADJUST: the VM's own. */
    const uint32_t one_ours = 1u << 21 | 1u << 24 | 1u << 31, seven_ours = 1u << 1;

    (void)state;
    for (unsigned level = 1; level <= 3; level++) {
        assert_int_equal(offered(level, 1, 0).ecx, expected[level].one_ecx | one_ours);
        assert_int_equal(offered(level, 1, 0).edx, 0x078bfbff);
        assert_int_equal(offered(level, 7, 0).ebx, expected[level].seven_ebx | seven_ours);
        assert_int_equal(offered(level, 7, 0).ecx, 0);
        assert_int_equal(offered(level, 7, 0).edx, 1u << 10);
        assert_int_equal(offered(level, 0x80000001, 0).ecx, expected[level].extended_ecx);
        assert_int_equal(offered(level, 0x80000001, 0).edx, 0x2193fbff);
        assert_int_equal(offered(level, 0x80000008, 0).ebx, 0);
        assert_int_equal(offered(level, 0xd, 0).eax, level == 3 ? 7 : 0);
        assert_int_equal(offered(level, 0xd, 0).ebx, level == 3 ? 576 : 0);
        assert_int_equal(offered(level, 0xd, 1).eax, 0);
    }
    assert_int_not_equal(offered(VMM_BASELINE_HOST, 0xd, 1).eax, 0);
}

/* What a level takes away cannot be switched on either. */
static void test_baseline_limits(void **state)
{
    const struct cpuid_parameters parameters = { .nr_vcpus = 1, .tsc_khz = 1, .baseline = 2 };
    struct cpuid_table table;

    (void)state;
    cpuid_init(&table, fake_cpuid, &parameters);
    assert_int_equal(table.cr4_allowed & (CR4_OSXSAVE | CR4_SMEP | CR4_PCIDE), 0);
    assert_int_equal(table.xcr0_allowed, 0);
    assert_int_not_equal(table.efer_allowed & EFER_NXE, 0);
}

/* A processor without leaf 7, SSE4.2 and LZCNT. */
static void old_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *value)
{
    fake_cpuid(leaf, subleaf, value);
    if (leaf == 0) {
        value->eax = 6;
    } else if (leaf == 1) {
        value->ecx &= ~(1u << 20);
    } else if (leaf == 0x80000001) {
        value->ecx &= ~(1u << 5);
    }
}

static void test_baseline_missing(void **state)
{
    char text[200];

    (void)state;
    for (unsigned level = 0; level <= 3; level++) {
        assert_true(baseline_is_there(level, fake_cpuid, text, sizeof(text)));
        assert_int_equal(baseline_is_there(level, old_cpuid, text, sizeof(text)), level < 2);
    }
    assert_string_equal(text, "the processor is no x86-64-v3; it lacks SSE4.2, BMI1, AVX2, BMI2, "
                              "LZCNT");
    assert_false(baseline_is_there(3, old_cpuid, text, 50));
    assert_int_equal(strlen(text), 49);
}

static void test_configuration(void **state)
{
    struct vmm_config config = {
        .magic = VMM_CONFIG_MAGIC,
        .version = VMM_CONFIG_VERSION,
        .nr_vcpus = 1,
        .ram_bytes = VMM_RAM_MIN,
        .tsc_mhz = 1000,
    };
    struct vmm_config wrong;

    (void)state;
    assert_null(vm_check_config(&config));
#define WRONG(change)                                                                              \
    wrong = config;                                                                                \
    wrong.change;                                                                                  \
    assert_non_null(vm_check_config(&wrong))
    WRONG(magic = 0);
    WRONG(version = VMM_CONFIG_VERSION - 1);
    WRONG(nr_vcpus = 0);
    WRONG(nr_vcpus = VMM_MAX_VCPUS + 1);
    WRONG(nr_disks = VMM_MAX_DISKS + 1);
    WRONG(baseline = VMM_BASELINE_MOST + 1);
    WRONG(ram_bytes = VMM_RAM_MIN + 4096);
    WRONG(ram_bytes = 0);
    WRONG(ram_bytes = VMM_RAM_MAX + VMM_RAM_FRAME);
    WRONG(kernel_bytes = 1ull << 40);
    WRONG(initrd_bytes = 1ull << 40);
    WRONG(tsc_mhz = 0);
    wrong = config;
    memset(wrong.command_line, 'x', sizeof(wrong.command_line));
    assert_non_null(vm_check_config(&wrong));
}

#define WITH_VM(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* A VM that starts later starts at a later date. */
static void test_date(void **state)
{
    struct vm *vm = *state;

    fake_host.tsc = 7000 * 1000000ull;
    fake_vm_power_on(vm);
    assert_int_equal(vm->boot_time, FAKE_BOOT_TIME + 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_VM(test_cpuid_policy),
        cmocka_unit_test(test_baselines),
        cmocka_unit_test(test_baseline_limits),
        cmocka_unit_test(test_baseline_missing),
        WITH_VM(test_msr_unknown),
        WITH_VM(test_msr_memory_types),
        WITH_VM(test_msr_efer),
        WITH_VM(test_msr_switched),
        WITH_VM(test_msr_tsc),
        WITH_VM(test_pvclock),
        WITH_VM(test_timer_interrupt),
        WITH_VM(test_watchdog),
        WITH_VM(test_watchdog_of_paused),
        WITH_VM(test_watchdog_rests),
        WITH_VM(test_panic),
        WITH_VM(test_counters_on_request),
        WITH_VM(test_stopped_console),
        WITH_VM(test_interrupt_window),
        WITH_VM(test_nmi_window),
        WITH_VM(test_x2apic_lets_in),
        WITH_VM(test_x2apic_ends_level_triggered),
        WITH_VM(test_reinjection),
        WITH_VM(test_ports),
        WITH_VM(test_serial_backpressure),
        WITH_VM(test_serial_input),
        WITH_VM(test_mmio),
        WITH_VM(test_decode_cache),
        WITH_VM(test_mmio_from_64_bit_code),
        WITH_VM(test_string_from_64_bit_code),
        WITH_VM(test_mmio_refused),
        WITH_VM(test_string_io),
        WITH_VM(test_control_registers),
        WITH_VM(test_paging_off_where_it_cannot_be),
        WITH_VM(test_cr0),
        WITH_VM(test_pdptes),
        WITH_VM(test_xsetbv),
        WITH_VM(test_stops),
        WITH_VM(test_date),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_configuration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
