/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/report.h"

#include "lib/format.h"

#define LINE_BYTES 240u

void report_line(struct vm *vm, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;

    format_text(line, sizeof(line), "vmm: %s: ", vm->config->name);
    console_print(&vm->console, line);
    va_start(arguments, format);
    format_text_v(line, sizeof(line), format, arguments);
    va_end(arguments);
    console_print(&vm->console, line);
    console_print(&vm->console, "\n");
}

static void report_registers(struct vm *vm, struct vcpu *vcpu)
{
    static const char *const names[16] = {
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15",
    };
    const struct vcpu_message *message = vcpu->message;

    report_line(vm, "rip %016lx rflags %08lx exit %lu qualification %lx address %lx", message->rip,
                message->rflags, message->reason, message->qualification, message->gpa);
    for (unsigned i = 0; i < 16; i += 4) {
        report_line(vm, "%s %016lx %s %016lx %s %016lx %s %016lx", names[i],
                    vcpu_get_register(vcpu, i), names[i + 1], vcpu_get_register(vcpu, i + 1),
                    names[i + 2], vcpu_get_register(vcpu, i + 2), names[i + 3],
                    vcpu_get_register(vcpu, i + 3));
    }
    report_line(vm, "cr0 %lx cr2 %lx cr3 %lx cr4 %lx efer %lx",
                vcpu_read_field(vcpu, VMCS_GUEST_CR0), vcpu_read_field(vcpu, VCPU_FIELD_CR2),
                message->cr3, vcpu_read_field(vcpu, VMCS_GUEST_CR4),
                vcpu_read_field(vcpu, VMCS_GUEST_EFER));
    report_line(vm, "cs %lx ss %lx gdt %lx idt %lx", vcpu_read_field(vcpu, VMCS_GUEST_CS_SELECTOR),
                vcpu_read_field(vcpu, VMCS_GUEST_SS_SELECTOR),
                vcpu_read_field(vcpu, VMCS_GUEST_GDTR_BASE),
                vcpu_read_field(vcpu, VMCS_GUEST_IDTR_BASE));
}

/* Where the guest was when the VM stopped says something about why. */
static bool is_failure(uint32_t report)
{
    return report == VMM_REPORT_CRASH || report == VMM_REPORT_PANIC || report == VMM_REPORT_STUCK;
}

void report_stop(struct vm *vm, struct vcpu *vcpu)
{
    if (is_failure(vm->stop.report)) {
        report_line(vm, "stopped: %s (cause %lx, %lx), vCPU %u", vm->stop.text, vm->stop.cause,
                    vm->stop.detail, vcpu->index);
        report_registers(vm, vcpu);
    } else {
        report_line(vm, "%s%s", vm->stop.report == VMM_REPORT_REFUSED ? "cannot start: " : "",
                    vm->stop.text);
    }
}

void report_refused_disk(struct vm *vm, unsigned n)
{
    report_line(vm, "disk %u is not there: %s", n, vm->disks[n].client.facts.reason);
}

/* By its own thread it is counted with plain additions. */
static uint64_t count(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void report_vcpu(struct vm *vm, const struct vcpu *vcpu)
{
    unsigned i = vcpu->index;

    for (unsigned reason = 0; reason <= VCPU_NR_REASONS; reason++) {
        uint64_t exits = count(&vcpu->exits[reason]);

        if (exits != 0) {
            report_line(vm, "vCPU %u exits for reason %u: %lu", i, reason, exits);
        }
    }
    report_line(vm, "vCPU %u notifications: %lu", i, count(&vcpu->notifications));
    report_line(vm, "vCPU %u unknown MSRs: %lu reads, %lu writes, last %x", i,
                count(&vcpu->msrs.unknown_reads), count(&vcpu->msrs.unknown_writes),
                __atomic_load_n(&vcpu->msrs.last_unknown, __ATOMIC_RELAXED));
}

void report_statistics(struct vm *vm)
{
    report_line(vm, "counts after %lu s, since the TSC was %lu:", vm_seconds(vm), vm->start_tsc);
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        report_vcpu(vm, &vm->vcpus[i]);
    }
}

/* On a line of its own, whatever the guest has put out. */
void report_on_request(struct vm *vm)
{
    if (console_is_asked(&vm->console)) {
        console_print(&vm->console, "\n");
        report_statistics(vm);
    }
}
