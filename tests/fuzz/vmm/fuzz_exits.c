/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile guest: any sequence of exits of its vCPUs with any registers, qualifications and code,
 * on a whole monitor with a fake kernel. Sanitizers find what should not be touched; the checks
 * here are that the monitor stays within its bounds and keeps its invariants.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/input.h"
#include "tests/unit/vmm/fake_host.h"

#define NR_VCPUS 3u
#define CODE     0x2000u
#define TABLES   0x10000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Addresses, ports and MSRs that lead somewhere, more often than not. */
static uint64_t interesting_address(struct input *input)
{
    static const uint64_t bases[] = {
        0,           LAPIC_BASE,         IOAPIC_BASE,        0xe0000000,
        0x2000,      FAKE_RAM_BYTES - 8, 0xffffffff00000000, 0xfffffffffffffff8,
        MAILBOX_BASE
    };

    return bases[take(input, 1) % 9] + take(input, 2);
}

static uint64_t interesting_port(struct input *input)
{
    static const uint16_t bases[] = { 0x20, 0x60, 0x70, 0x92, 0xa0, 0x3f8, 0x600, 0xcf8 };
    uint8_t choice = (uint8_t)take(input, 1);

    return choice < 200 ? bases[choice % 8] + (uint64_t)(choice / 8 % 8) : take(input, 2);
}

static uint64_t interesting_msr(struct input *input)
{
    static const uint32_t bases[] = {
        0x10,  0x1b,  0x200,      0x250,      0x277,      0x6e0,
        0x800, 0x830, 0x4b564d00, 0xc0000080, 0xc0000100, 0xc0010010
    };
    uint8_t choice = (uint8_t)take(input, 1);

    return choice < 240 ? bases[choice % 12] + choice / 12 : take(input, 4);
}

static void put_entry(struct vcpu *vcpu, uint64_t at, uint64_t value)
{
    memcpy(vcpu->vm->ram.base + at, &value, sizeof(value));
}

/* The code lies where kernels have theirs, and is 64-bit code whatever the message says. */
static void run_high(struct vcpu *vcpu)
{
    put_entry(vcpu, TABLES + 511 * 8, (TABLES + 0x1000) | 3);
    put_entry(vcpu, TABLES + 0x1000 + 510 * 8, (TABLES + 0x2000) | 3);
    put_entry(vcpu, TABLES + 0x2000, 0x83);
    vcpu->message->cr3 = TABLES;
    vcpu->message->rip = 0xffffffff80000000 + CODE;
}

static void step(struct vcpu *vcpu, struct input *input)
{
    static const uint8_t reasons[] = {
        VMX_EXIT_CPUID,
        VMX_EXIT_IO,
        VMX_EXIT_RDMSR,
        VMX_EXIT_WRMSR,
        VMX_EXIT_EPT_VIOLATION,
        VMX_EXIT_CR_ACCESS,
        VMX_EXIT_HLT,
        VMX_EXIT_PREEMPTION_TIMER,
        VMX_EXIT_XSETBV,
        VMX_EXIT_INVALID_GUEST_STATE,
        VMX_EXIT_INTERRUPT_WINDOW,
        VMX_EXIT_VMCALL,
    };
    struct vcpu_message *message = vcpu->message;
    uint8_t choice = (uint8_t)take(input, 1);
    uint8_t flags = (uint8_t)take(input, 1);

    message->reason = choice < 240 ? reasons[choice % sizeof(reasons)] : take(input, 1);
    message->length = flags & 3;
    message->rflags =
        RFLAGS_ONE | ((flags & 4) != 0 ? RFLAGS_IF : 0) | ((flags & 8) != 0 ? RFLAGS_DF : 0);
    message->interruptibility = (flags & 16) != 0 ? 1 : 0;
    message->vectoring_info = (flags & 32) != 0 ? EVENT_VALID | take(input, 2) : 0;
    message->cs_rights = (flags & 64) != 0 ? 0xa09b : 0xc09b;
    message->efer = (flags & 64) != 0 ? EFER_LMA : 0;
    message->cr0 = (flags & 128) != 0 ? CR0_PE | CR0_PG : CR0_PE;
    message->cr4 = CR4_PAE;
    message->cr3 = interesting_address(input);
    message->gpa = interesting_address(input);
    message->gpr[MESSAGE_RAX] = take(input, 8);
    message->gpr[MESSAGE_RDX] = take(input, 4);
    message->gpr[MESSAGE_RSI] = interesting_address(input);
    message->gpr[MESSAGE_RDI] = interesting_address(input);
    message->gpr[MESSAGE_RCX] =
        message->reason == VMX_EXIT_RDMSR || message->reason == VMX_EXIT_WRMSR
            ? interesting_msr(input)
            : take(input, 2);
    message->qualification = message->reason == VMX_EXIT_IO
                                 ? (take(input, 1) & 0x3b) | interesting_port(input) << 16
                                 : take(input, 2);
    if (message->reason == VMX_EXIT_IO && (message->qualification & 7) == 2) {
        message->qualification ^= 1; /* no access of three bytes */
    }
    uint64_t code[2] = { take(input, 8), take(input, 4) };
    message->rip = CODE;
    memcpy(vcpu->vm->ram.base + CODE, code, sizeof(code));
    if ((code[1] & 1) != 0) {
        run_high(vcpu);
    }
    fake_host.tsc += take(input, 2);
}

static void check_vcpu(const struct vcpu *vcpu)
{
    if (((vcpu->lapic.irr.words[0] | vcpu->lapic.isr.words[0]) & 0xffff) != 0 ||
        (vcpu->cr4 & ~vcpu->cpuid.cr4_allowed) != 0) {
        abort();
    }
}

static void check(const struct vm *vm)
{
    if (vm->uart.rx_count > UART_FIFO || ring_is_broken(&vm->console.out) ||
        ring_is_broken(&vm->console.in)) {
        abort();
    }
    for (unsigned i = 0; i < VM_NR_LOCKS; i++) {
        if (vm->locks[i].state != 0) {
            abort();
        }
    }
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        check_vcpu(&vm->vcpus[i]);
    }
}

/* One exit, and what the vCPU's thread does until its guest would run again. */
static enum vcpu_stop run(struct vcpu *vcpu, struct input *input)
{
    if (!vcpu->waits) {
        step(vcpu, input);
        if (vcpu->paravirt.eoi_offered) {
            paravirt_collect(vcpu);
        }
        if (vcpu_handle_exit(vcpu) == VCPU_STOPS) {
            return VCPU_STOPS;
        }
    }
    if (!inbox_enter(&vcpu->inbox) && vcpu_take_requests(vcpu) == VCPU_STOPS) {
        return VCPU_STOPS;
    }
    inbox_leave(&vcpu->inbox);
    if (vcpu->attention && !vcpu->waits) {
        vcpu_prepare_events(vcpu);
    }
    return VCPU_RUNS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vm *vm;
    struct input input = { data, size };

    if (vm == NULL) {
        vm = fake_vm_make_vcpus(NR_VCPUS);
    }
    fake_host = (struct fake_host){ .tsc = 1000000 };
    vm->has_real_mode = size % 2 == 0; /* on either kind of processor */
    fake_vm_power_on(vm);
    while (input.left > 0) {
        if (run(&vm->vcpus[take(&input, 1) % NR_VCPUS], &input) == VCPU_STOPS) {
            if (vm->stop.report == 0 || vm->stop.text == NULL) {
                abort();
            }
            break;
        }
        check(vm);
    }
    return 0;
}
