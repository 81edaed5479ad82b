/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: starts the VM that its configuration describes, serves its exits, says how it ended.
 * All that speaks to the kernel is here: system calls and capabilities.
 */
#include <sel4/sel4.h>

#include "abi/gen/stubs.h"
#include "lib/string.h"
#include "user/start/start.h"
#include "user/vmm/baseline.h"
#include "user/vmm/report.h"
#include "user/vmm/vm_start.h"

/* A line for which the console has room, with all features of the greatest baseline. */
#define LACKING_BYTES 220u

static struct vm machine;

/* --- the kernel's side of vcpu.h --- */

/*
 * Stubs mirror the words of a failed call to the IPC buffer, where our message lies: keep its first
 * words. A refusal is rare; saving four words is not what an exit waits for.
 */
struct saved_words {
    seL4_Word words[4];
};

static void words_save(struct saved_words *saved)
{
    memcpy(saved, seL4_GetIPCBuffer()->msg, sizeof(*saved));
}

static void words_restore(const struct saved_words *saved)
{
    memcpy(seL4_GetIPCBuffer()->msg, saved, sizeof(*saved));
}

/* Inline where each exit passes. */
inline enum vcpu_return vcpu_enter(struct vcpu *vcpu, uint64_t *badge)
{
    struct vcpu_message *message = vcpu->message;
    register seL4_Word rip __asm__("r10") = message->rip;
    register seL4_Word primary __asm__("r8") = message->primary;
    register seL4_Word entry_info __asm__("r9") = message->entry_info;
    register seL4_Word reason __asm__("r15");
    seL4_Word rdi, rsi = vcpu->entry_length;

    __asm__ volatile("syscall"
                     : "=D"(rdi), "+S"(rsi), "+r"(rip), "+r"(primary), "+r"(entry_info),
                       "=r"(reason)
                     : "d"((seL4_Word)seL4_SysVMEnter)
                     : "rcx", "r11", "memory");
    message->rip = rip;
    message->primary = primary;
    message->entry_info = entry_info;
    message->reason = reason; /* means nothing after a notification, as the badge after an exit */
    *badge = rdi;
    return (enum vcpu_return)rsi;
}

void vcpu_yield(struct vcpu *vcpu)
{
    (void)vcpu; /* Yield is the calling thread's */
    seL4_Yield();
}

void vcpu_kick(struct vcpu *vcpu)
{
    seL4_Signal(VMM_VCPU_SLOT(vcpu->index, VMM_VCPU_NOTIFICATION));
}

/* Waits for a notification; leaves the IPC buffer alone. Returns its badge. */
static uint64_t wait_for(seL4_CPtr notification)
{
    seL4_Word badge;

    seL4_WaitWithMRs(notification, &badge, NULL, NULL, NULL, NULL);
    return badge;
}

void lock_turn_wait(unsigned me)
{
    wait_for(VMM_VCPU_SLOT(me, VMM_VCPU_TURN));
}

void lock_turn_give(unsigned to)
{
    seL4_Signal(VMM_VCPU_SLOT(to, VMM_VCPU_TURN));
}

uint64_t vcpu_read_field(struct vcpu *vcpu, uint64_t field)
{
    struct saved_words saved;
    seL4_X86_VCPU_ReadVMCS_t result;

    words_save(&saved);
    result = seL4_X86_VCPU_ReadVMCS(vcpu->vcpu_slot, field);
    words_restore(&saved);
    return result.error == seL4_NoError ? result.value : 0;
}

bool vcpu_write_field(struct vcpu *vcpu, uint64_t field, uint64_t value)
{
    struct saved_words saved;
    seL4_X86_VCPU_WriteVMCS_t result;

    words_save(&saved);
    result = seL4_X86_VCPU_WriteVMCS(vcpu->vcpu_slot, field, value);
    words_restore(&saved);
    return result.error == seL4_NoError;
}

uint64_t vcpu_read_msr(struct vcpu *vcpu, uint64_t msr)
{
    struct saved_words saved;
    seL4_X86_VCPU_ReadMSR_t result;

    words_save(&saved);
    result = seL4_X86_VCPU_ReadMSR(vcpu->vcpu_slot, msr);
    words_restore(&saved);
    return result.error == seL4_NoError ? result.value : 0;
}

bool vcpu_write_msr(struct vcpu *vcpu, uint64_t msr, uint64_t value)
{
    struct saved_words saved;
    seL4_X86_VCPU_WriteMSR_t result;

    words_save(&saved);
    result = seL4_X86_VCPU_WriteMSR(vcpu->vcpu_slot, msr, value);
    words_restore(&saved);
    return result.error == seL4_NoError;
}

uint64_t host_tsc(void)
{
    return time_stamp();
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

/* --- the kernel's side of virtio_blk.h --- */

void disk_signal(unsigned index)
{
    seL4_Signal(VMM_SLOT_DISK + index);
}

/* --- running --- */

static void serve_disks(struct vcpu *vcpu, uint64_t badge)
{
    for (unsigned n = 0; n < vcpu->vm->config->nr_disks; n++) {
        if ((badge & VMM_BADGE_DISK(n)) != 0) {
            bus_serve(vcpu, VM_DISK_SLOT + n);
        }
    }
}

static void on_notification(struct vcpu *vcpu, uint64_t badge)
{
    serve_disks(vcpu, badge);
    if ((badge & VMM_BADGE_SERIAL) != 0) {
        bus_serve(vcpu, VM_CONSOLE_SLOT);
        vm_lock(vcpu, LOCK_SERIAL);
        serial_sync(vcpu);
        report_on_request(vcpu->vm);
        vm_unlock(vcpu, LOCK_SERIAL);
    }
}

/* After INIT, until a start-up message has come or the VM stops. */
static enum vcpu_stop wait_for_start_up(struct vcpu *vcpu)
{
    enum vcpu_stop stop = VCPU_RUNS;

    while (vcpu->waits && stop == VCPU_RUNS) {
        if (inbox_enter(&vcpu->inbox)) {
            uint64_t badge = wait_for(VMM_VCPU_SLOT(vcpu->index, VMM_VCPU_NOTIFICATION));

            inbox_leave(&vcpu->inbox);
            on_notification(vcpu, badge);
        } else {
            stop = vcpu_take_requests(vcpu);
        }
    }
    return stop;
}

/* What was chosen for injection is still with us: the guest has not run. */
static void keep_event(struct vcpu *vcpu)
{
    if ((vcpu->message->entry_info & EVENT_VALID) != 0) {
        vcpu_note_not_entered(vcpu);
    }
}

static enum vcpu_stop serve_requests(struct vcpu *vcpu)
{
    enum vcpu_stop stop;

    keep_event(vcpu);
    vcpu_note_not_posted(vcpu);
    stop = vcpu_take_requests(vcpu);
    return vcpu->waits && stop == VCPU_RUNS ? wait_for_start_up(vcpu) : stop;
}

/* Serves the vCPU until the VM stops. */
static APART void vcpu_run(struct vcpu *vcpu)
{
    enum vcpu_stop stop = wait_for_start_up(vcpu);
    enum vcpu_return returned;
    uint64_t badge;

    while (stop == VCPU_RUNS) {
        if (vcpu->attention) {
            vcpu_prepare_events(vcpu);
        }
        if (!inbox_enter(&vcpu->inbox)) {
            stop = serve_requests(vcpu);
            continue;
        }
        returned = vcpu_enter(vcpu, &badge);
        inbox_leave(&vcpu->inbox);
        keep_event(vcpu);
        if (vcpu->sleeping) {
            vcpu_note_sleep(vcpu);
        }
        if (vcpu->paravirt.eoi_offered) {
            paravirt_collect(vcpu);
        }
        if (returned == VCPU_EXITED) {
            stop = vcpu_handle_exit(vcpu);
        } else {
            vcpu->notifications++;
            on_notification(vcpu, badge);
        }
    }
}

/* --- how a run begins and ends --- */

static bool vm_is_made;        /* atomic: the first thread has made and loaded it */
static unsigned threads_ended; /* atomic */

static void tell_supervisor(struct vm *vm)
{
    seL4_Word label = vm->stop.report, index = vm->stop.vcpu, cause = vm->stop.cause,
              rip = vm->vcpus[vm->stop.vcpu].message->rip, detail = vm->stop.detail;

    seL4_SendWithMRs(VMM_SLOT_SUPERVISOR_EP, seL4_MessageInfo_new(label, 0, 0, 4), &index, &cause,
                     &rip, &detail);
}

/* What nobody signals any more: the supervisor starts the thread anew, or does not. */
static _Noreturn void rest(unsigned index)
{
    for (;;) {
        wait_for(VMM_VCPU_SLOT(index, VMM_VCPU_TURN));
    }
}

static void say_end(struct vm *vm)
{
    report_stop(vm, &vm->vcpus[vm->stop.vcpu]);
    if ((vm->config->flags & VMM_FLAG_STATISTICS) != 0 && vm->stop.report != VMM_REPORT_REFUSED) {
        report_statistics(vm);
    }
    console_pump(&vm->console); /* the server shows what is there before it forgets the channel */
    tell_supervisor(vm);
}

static _Noreturn void refuse_to_start(struct vm *vm, uint64_t cause, const char *text)
{
    vm->stop = (struct vm_stop){ .report = VMM_REPORT_REFUSED, .cause = cause, .text = text };
    say_end(vm);
    rest(0);
}

static void load_guest(struct vm *vm)
{
    const struct vmm_config *config = vm->config;
    const struct linux_images images = {
        .kernel = (const uint8_t *)VMM_KERNEL_VADDR,
        .kernel_bytes = config->kernel_bytes,
        .initrd = (const uint8_t *)VMM_INITRD_VADDR,
        .initrd_bytes = config->initrd_bytes,
        .command_line = config->command_line,
    };
    const char *wrong = vm_load(vm, &images);

    if (wrong != NULL) {
        refuse_to_start(vm, VMM_CAUSE_IMAGE, wrong);
    }
}

static void run_guest(struct vcpu *vcpu)
{
    if (!vcpu_power_on(vcpu, &vcpu->vm->entry)) {
        vm_refuse(vcpu, "the kernel refuses the guest's initial state");
        return;
    }
    on_notification(vcpu, vcpu->late_badge);
    vcpu_run(vcpu);
}

static void vm_print_char(char c)
{
    const char text[2] = { c, '\0' };

    console_print(&machine.console, text);
    if (c == '\n') {
        console_flush(&machine.console);
    }
}

/* Waits until the server knows what the disk is, or why there is none. By the first vCPU. */
static void start_disk(struct vm *vm, unsigned n)
{
    enum disk_state state;

    vm_init_disk(vm, n, (struct disk_channel *)(VMM_DISK_VADDR + n * VMM_DISK_SPAN));
    while ((state = vm_start_disk(vm, n)) == DISK_STARTING) {
        vm->vcpus[0].late_badge |= wait_for(VMM_VCPU_SLOT(0, VMM_VCPU_NOTIFICATION));
    }
    if (state == DISK_REFUSED) {
        report_refused_disk(vm, n);
    }
}

static void make_vm(struct vm *vm)
{
    const struct vmm_config *config = (const struct vmm_config *)VMM_CONFIG_VADDR;
    const char *wrong = vm_check_config(config);
    char lacking[LACKING_BYTES];

    vm->config = config;
    console_init(&vm->console, (struct console_channel *)VMM_CONSOLE_VADDR);
    print_to(vm_print_char);
    if (wrong != NULL) {
        refuse_to_start(vm, VMM_CAUSE_CONFIG, wrong);
    }
    if (!baseline_is_there(config->baseline, host_cpuid, lacking, sizeof(lacking))) {
        refuse_to_start(vm, VMM_CAUSE_CPU, lacking);
    }
    vm_init(vm, config, (void *)VMM_RAM_VADDR, host_cpuid);
    for (unsigned n = 0; n < config->nr_disks; n++) {
        start_disk(vm, n);
    }
}

/* By the first thread. Before the first run nobody has written to the guest's memory. */
static void begin_run(struct vm *vm)
{
    make_vm(vm);
    if (program_is_restarted()) {
        guest_ram_clear(&vm->ram);
    }
    load_guest(vm);
    vm_reset(vm);
    __atomic_store_n(&vm_is_made, true, __ATOMIC_RELEASE);
    for (unsigned i = 1; i < vm->nr_vcpus; i++) {
        vcpu_kick(&vm->vcpus[i]);
    }
}

/* The kick counts, whether it has come before or comes yet; other signals are kept for later. */
static void wait_for_begin(struct vcpu *vcpu, unsigned index)
{
    while (!__atomic_load_n(&vm_is_made, __ATOMIC_ACQUIRE)) {
        vcpu->late_badge |= wait_for(VMM_VCPU_SLOT(index, VMM_VCPU_NOTIFICATION));
    }
}

/* The last one to stop has the last word. */
static void end_run(struct vm *vm)
{
    if (__atomic_add_fetch(&threads_ended, 1, __ATOMIC_ACQ_REL) == vm->nr_vcpus) {
        say_end(vm);
    }
}

/* An earlier run may have been stopped between a lock's release and its turn. */
static void forget_turn(unsigned index)
{
    seL4_Poll(VMM_VCPU_SLOT(index, VMM_VCPU_TURN), NULL);
}

int main(seL4_Word argument)
{
    unsigned index = (unsigned)argument;
    struct vcpu *vcpu = &machine.vcpus[index];
    seL4_IPCBuffer *buffer =
        (seL4_IPCBuffer *)(VMM_IPC_BUFFER_VADDR + index * (1u << seL4_PageBits));

    seL4_SetIPCBuffer(buffer);
    vcpu->message = (struct vcpu_message *)buffer->msg;
    vcpu->vcpu_slot = VMM_VCPU_SLOT(index, VMM_VCPU_VCPU);
    forget_turn(index);
    if (index == 0) {
        begin_run(&machine);
    } else {
        wait_for_begin(vcpu, index);
    }
    run_guest(vcpu);
    end_run(&machine);
    rest(index);
}
