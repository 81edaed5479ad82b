/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: starts the VM that its configuration describes, serves its exits, says how it ended.
 * All that speaks to the kernel is here: system calls and capabilities.
 */
#include <sel4/sel4.h>

#include "abi/gen/stubs.h"
#include "lib/string.h"
#include "user/start/start.h"
#include "user/vmm/report.h"
#include "user/vmm/vm_start.h"

static struct vm machine;

/* --- the kernel's side of vcpu.h --- */

/*
 * Stubs mirror the words of a failed call to the IPC buffer, where our message lies: keep its first
 * words. A refusal is rare; saving four words is not what an exit waits for.
 */
struct saved_words {
    seL4_Word words[4];
};

static void words_save(const struct vcpu *vcpu, struct saved_words *saved)
{
    memcpy(saved, vcpu->message, sizeof(*saved));
}

static void words_restore(struct vcpu *vcpu, const struct saved_words *saved)
{
    memcpy(vcpu->message, saved, sizeof(*saved));
}

enum vcpu_return vcpu_enter(struct vcpu *vcpu, uint64_t *badge)
{
    struct vcpu_message *message = vcpu->message;
    register seL4_Word rip __asm__("r10") = message->rip;
    register seL4_Word primary __asm__("r8") = message->primary;
    register seL4_Word entry_info __asm__("r9") = message->entry_info;
    register seL4_Word reason __asm__("r15");
    seL4_Word rdi, rsi = VMENTER_EXTENDED_LENGTH;

    __asm__ volatile("syscall"
                     : "=D"(rdi), "+S"(rsi), "+r"(rip), "+r"(primary), "+r"(entry_info),
                       "=r"(reason)
                     : "d"((seL4_Word)seL4_SysVMEnter)
                     : "rcx", "r11", "memory");
    message->rip = rip;
    message->primary = primary;
    message->entry_info = entry_info;
    if (rsi == SEL4_VMENTER_RESULT_NOTIF) {
        *badge = rdi;
        return VCPU_NOTIFIED;
    }
    message->reason = reason;
    return VCPU_EXITED;
}

uint64_t vcpu_read_field(struct vcpu *vcpu, uint64_t field)
{
    struct saved_words saved;
    seL4_X86_VCPU_ReadVMCS_t result;

    words_save(vcpu, &saved);
    result = seL4_X86_VCPU_ReadVMCS(vcpu->vcpu_slot, field);
    words_restore(vcpu, &saved);
    return result.error == seL4_NoError ? result.value : 0;
}

bool vcpu_write_field(struct vcpu *vcpu, uint64_t field, uint64_t value)
{
    struct saved_words saved;
    seL4_X86_VCPU_WriteVMCS_t result;

    words_save(vcpu, &saved);
    result = seL4_X86_VCPU_WriteVMCS(vcpu->vcpu_slot, field, value);
    words_restore(vcpu, &saved);
    return result.error == seL4_NoError;
}

uint64_t vcpu_read_msr(struct vcpu *vcpu, uint64_t msr)
{
    struct saved_words saved;
    seL4_X86_VCPU_ReadMSR_t result;

    words_save(vcpu, &saved);
    result = seL4_X86_VCPU_ReadMSR(vcpu->vcpu_slot, msr);
    words_restore(vcpu, &saved);
    return result.error == seL4_NoError ? result.value : 0;
}

bool vcpu_write_msr(struct vcpu *vcpu, uint64_t msr, uint64_t value)
{
    struct saved_words saved;
    seL4_X86_VCPU_WriteMSR_t result;

    words_save(vcpu, &saved);
    result = seL4_X86_VCPU_WriteMSR(vcpu->vcpu_slot, msr, value);
    words_restore(vcpu, &saved);
    return result.error == seL4_NoError;
}

uint64_t host_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (uint64_t)high << 32;
}

static void host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_registers *value)
{
    __asm__ volatile("cpuid"
                     : "=a"(value->eax), "=b"(value->ebx), "=c"(value->ecx), "=d"(value->edx)
                     : "a"(leaf), "c"(subleaf));
}

/* --- the kernel's side of console.h --- */

void console_signal(void)
{
    seL4_Signal(VMM_SLOT_CONSOLE);
}

void console_relax(void)
{
    seL4_Yield();
}

/* --- running --- */

static void on_notification(struct vm *vm, uint64_t badge)
{
    if ((badge & VMM_BADGE_SERIAL) != 0) {
        serial_sync(vm);
    }
}

/* Serves the vCPU until the VM stops. */
static void vcpu_run(struct vcpu *vcpu)
{
    uint64_t badge;

    for (;;) {
        if (vcpu->attention) {
            vcpu_prepare_events(vcpu);
        }
        enum vcpu_return returned = vcpu_enter(vcpu, &badge);

        if ((vcpu->message->entry_info & EVENT_VALID) != 0) {
            vcpu_note_not_entered(vcpu);
        }
        if (returned == VCPU_EXITED) {
            if (vcpu_handle_exit(vcpu) == VCPU_STOPS) {
                return;
            }
        } else {
            vcpu->notifications++;
            on_notification(vcpu->vm, badge);
        }
    }
}

static void tell_supervisor(struct vm *vm, uint64_t label, uint64_t cause, uint64_t rip,
                            uint64_t detail)
{
    seL4_Word words[4] = { vm->vcpus[0].index, cause, rip, detail };

    seL4_SendWithMRs(VMM_SLOT_SUPERVISOR_EP, seL4_MessageInfo_new(label, 0, 0, 4), &words[0],
                     &words[1], &words[2], &words[3]);
}

static _Noreturn void stop_thread(unsigned index)
{
    for (;;) {
        seL4_TCB_Suspend(VMM_VCPU_SLOT(index, VMM_VCPU_TCB));
    }
}

static _Noreturn void refuse(struct vm *vm, enum vmm_stop_cause cause, const char *wrong)
{
    report_line(vm, "cannot start: %s", wrong);
    console_flush(&vm->console);
    tell_supervisor(vm, VMM_REPORT_REFUSED, cause, 0, 0);
    stop_thread(0);
}

/* Runs the VM once, from power-on to its end; says whether it wants to be started again. */
static bool vm_run(struct vm *vm, const struct linux_images *images)
{
    struct vcpu *vcpu = &vm->vcpus[0];
    struct linux_entry entry;
    const char *wrong = vm_load(vm, images, &entry);

    if (wrong != NULL) {
        refuse(vm, VMM_CAUSE_IMAGE, wrong);
    }
    if (!vm_power_on(vm, &entry)) {
        refuse(vm, VMM_CAUSE_CPU, "the kernel refuses the guest's initial state");
    }
    vcpu_run(vcpu);
    report_stop(vm, vcpu);
    if ((vm->config->flags & VMM_FLAG_STATISTICS) != 0) {
        report_statistics(vm);
    }
    console_flush(&vm->console);
    tell_supervisor(vm, vm->stop.report, vm->stop.cause, vcpu->message->rip, vm->stop.detail);
    return vm->stop.report == VMM_REPORT_REBOOT;
}

static void vm_print_char(char c)
{
    const char text[2] = { c, '\0' };

    console_print(&machine.console, text);
    if (c == '\n') {
        console_flush(&machine.console);
    }
}

int main(seL4_Word index)
{
    const struct vmm_config *config = (const struct vmm_config *)VMM_CONFIG_VADDR;
    struct vm *vm = &machine;
    const struct linux_images images = {
        .kernel = (const uint8_t *)VMM_KERNEL_VADDR,
        .kernel_bytes = config->kernel_bytes,
        .initrd = (const uint8_t *)VMM_INITRD_VADDR,
        .initrd_bytes = config->initrd_bytes,
        .command_line = config->command_line,
    };
    seL4_IPCBuffer *buffer =
        (seL4_IPCBuffer *)(VMM_IPC_BUFFER_VADDR + index * (1u << seL4_PageBits));
    const char *wrong;

    seL4_SetIPCBuffer(buffer);
    vm->vcpus[index].message = (struct vcpu_message *)buffer->msg;
    vm->vcpus[index].vcpu_slot = VMM_VCPU_SLOT(index, VMM_VCPU_VCPU);
    if (index != 0) {
        stop_thread((unsigned)index);
    }
    vm->config = config;
    console_init(&vm->console, (struct console_channel *)VMM_CONSOLE_VADDR);
    print_char = vm_print_char;
    wrong = vm_check_config(config);
    if (wrong != NULL) {
        refuse(vm, VMM_CAUSE_CONFIG, wrong);
    }
    vm_init(vm, config, (void *)VMM_RAM_VADDR, host_cpuid);
    while (vm_run(vm, &images)) {
        guest_ram_clear(&vm->ram);
    }
    stop_thread(0);
}
