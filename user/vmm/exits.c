/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why the guest stopped, and what is done about it: one table by exit reason. A handler works in
 * place on the message and returns; the same message is the next entry's.
 *
 * The short way of a common exit (CPUID, MSR, port, timer): table, handler, back to vcpu_enter(),
 * without a system call between.
 */
#include "user/vmm/emulate.h"
#include "user/vmm/vm.h"

static uint64_t low32(uint64_t value)
{
    return (uint32_t)value;
}

static void set_length(struct vcpu *vcpu, uint64_t length)
{
    if (vcpu->message->length == 0) {
        vcpu->message->length = length;
    }
}

static enum vcpu_stop resume(struct vcpu *vcpu)
{
    return vm_is_stopping(vcpu->vm) ? VCPU_STOPS : VCPU_RUNS;
}

/* --- instructions --- */

static enum vcpu_stop cpuid_answer(struct vcpu *vcpu, const struct cpuid_registers *value)
{
    struct vcpu_message *message = vcpu->message;

    message->gpr[MESSAGE_RAX] = value->eax;
    message->gpr[MESSAGE_RBX] = value->ebx;
    message->gpr[MESSAGE_RCX] = value->ecx;
    message->gpr[MESSAGE_RDX] = value->edx;
    set_length(vcpu, 2);
    return vcpu_done(vcpu);
}

/* A leaf with subleaves, or one that is not there. */
static RARE enum vcpu_stop cpuid_search(struct vcpu *vcpu)
{
    uint32_t leaf = (uint32_t)vcpu->message->gpr[MESSAGE_RAX];

    if (leaf == CPUID_LEAF_XSTATE) {
        cpuid_set_xcr0(&vcpu->cpuid, vcpu_read_field(vcpu, VCPU_FIELD_XCR0));
    }
    return cpuid_answer(vcpu,
                        cpuid_query(&vcpu->cpuid, leaf, (uint32_t)vcpu->message->gpr[MESSAGE_RCX]));
}

static enum vcpu_stop exit_cpuid(struct vcpu *vcpu)
{
    const struct cpuid_registers *value =
        cpuid_query_plain(&vcpu->cpuid, (uint32_t)vcpu->message->gpr[MESSAGE_RAX]);

    return value != NULL ? cpuid_answer(vcpu, value) : cpuid_search(vcpu);
}

static RARE enum vcpu_stop general_protection(struct vcpu *vcpu)
{
    vcpu_raise(vcpu, VECTOR_GP);
    return VCPU_RUNS;
}

static RARE enum vcpu_stop refuse_msr(struct vcpu *vcpu)
{
    vcpu->msrs.last_unknown = (uint32_t)vcpu->message->gpr[MESSAGE_RCX];
    return general_protection(vcpu);
}

static enum vcpu_stop exit_rdmsr(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;
    uint64_t value;

    if (!msr_read(vcpu, (uint32_t)message->gpr[MESSAGE_RCX], &value)) {
        vcpu->msrs.unknown_reads++;
        return refuse_msr(vcpu);
    }
    message->gpr[MESSAGE_RAX] = low32(value);
    message->gpr[MESSAGE_RDX] = value >> 32;
    set_length(vcpu, 2);
    return vcpu_done(vcpu);
}

static enum vcpu_stop exit_wrmsr(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;
    uint64_t value = low32(message->gpr[MESSAGE_RAX]) | message->gpr[MESSAGE_RDX] << 32;

    if (!msr_write(vcpu, (uint32_t)message->gpr[MESSAGE_RCX], value)) {
        vcpu->msrs.unknown_writes++;
        return refuse_msr(vcpu);
    }
    set_length(vcpu, 2);
    return vcpu_done(vcpu);
}

static enum vcpu_stop exit_hlt(struct vcpu *vcpu)
{
    set_length(vcpu, 1);
    vcpu_done(vcpu);
    vcpu->sleeping = !vcpu->unhalted;
    vcpu->unhalted = false;
    vcpu->attention = true;
    return VCPU_RUNS;
}

static enum vcpu_stop exit_io(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;
    uint64_t qualification = message->qualification;
    uint16_t port = (uint16_t)(qualification >> VMX_IO_PORT_SHIFT);
    unsigned size = (qualification & VMX_IO_SIZE_MASK) + 1;
    uint64_t *rax = &message->gpr[MESSAGE_RAX];

    if ((qualification & VMX_IO_STRING) != 0) {
        return emulate_string_io(vcpu, port);
    }
    if ((qualification & VMX_IO_IN) != 0) {
        uint32_t value = port_read(vcpu, port, size);

        *rax = size == 4
                   ? value
                   : (*rax & ~((1ull << (8 * size)) - 1)) | (value & ((1u << (8 * size)) - 1));
    } else {
        port_write(vcpu, port, size, (uint32_t)*rax);
    }
    vcpu_done(vcpu);
    return resume(vcpu);
}

/* Caches are coherent for the guest whatever it does. */
static enum vcpu_stop exit_cache_flush(struct vcpu *vcpu)
{
    set_length(vcpu, 2);
    return vcpu_done(vcpu);
}

static enum vcpu_stop exit_vmcall(struct vcpu *vcpu)
{
    vcpu->message->gpr[MESSAGE_RAX] = paravirt_hypercall(vcpu);
    set_length(vcpu, 3);
    return vcpu_done(vcpu);
}

static enum vcpu_stop exit_xsetbv(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;
    uint64_t value = low32(message->gpr[MESSAGE_RAX]) | message->gpr[MESSAGE_RDX] << 32;
    bool avx_without_sse = (value & (XCR0_AVX | XCR0_SSE)) == XCR0_AVX;

    if (low32(message->gpr[MESSAGE_RCX]) != 0 || (value & XCR0_X87) == 0 || avx_without_sse ||
        (value & ~vcpu->cpuid.xcr0_allowed) != 0 ||
        !vcpu_write_field(vcpu, VCPU_FIELD_XCR0, value)) {
        vcpu_raise(vcpu, VECTOR_GP);
        return VCPU_RUNS;
    }
    set_length(vcpu, 3);
    return vcpu_done(vcpu);
}

/* Instructions that the guest has not been told of. */
static enum vcpu_stop exit_undefined(struct vcpu *vcpu)
{
    vcpu_raise(vcpu, VECTOR_UD);
    return VCPU_RUNS;
}

/*
 * Who spins waits for something, most likely for the vCPU that has turns on the same core: without
 * this it would wait until its own turn ends. The rest of the turn goes to whoever is next.
 */
static enum vcpu_stop exit_pause(struct vcpu *vcpu)
{
    vcpu_yield(vcpu);
    set_length(vcpu, 2);
    return vcpu_done(vcpu);
}

/* --- events --- */

static enum vcpu_stop exit_timer(struct vcpu *vcpu)
{
    enum vcpu_stop stop = vcpu_watch(vcpu);

    lapic_timer_expire(&vcpu->lapic, vcpu_guest_tsc(vcpu));
    if (vcpu->serve_at <= host_tsc()) {
        vcpu->serve_at = VCPU_DEADLINE_OFF;
        bus_serve_rest(vcpu);
    }
    vcpu_sync_deadline(vcpu);
    vcpu->attention = true;
    return stop;
}

/* The guest can now take what waits; vcpu_prepare_events() gives it. */
static enum vcpu_stop exit_window(struct vcpu *vcpu)
{
    vcpu->attention = true;
    return VCPU_RUNS;
}

static enum vcpu_stop exit_ept_violation(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;
    const struct mmio_device *device = mmio_find(vcpu, gpa(message->gpa));

    vcpu_note_vectoring(vcpu);
    if (device == NULL) {
        bool ram = guest_ram_at(&vcpu->vm->ram, gpa(message->gpa), 1) != NULL;

        return vm_crash(vcpu, VMX_EXIT_EPT_VIOLATION, message->gpa,
                        ram ? "memory that should be mapped is not"
                            : "access to memory that is not there");
    }
    if ((message->qualification & VMX_EPT_FETCH) != 0 || vcpu->events.reinject != 0) {
        return vm_crash(vcpu, VMX_EXIT_EPT_VIOLATION, message->gpa,
                        "device registers used as code or stack");
    }
    return emulate_mmio(vcpu, device);
}

static enum vcpu_stop exit_triple_fault(struct vcpu *vcpu)
{
    return vm_crash(vcpu, VMX_EXIT_TRIPLE_FAULT, 0, "triple fault");
}

/*
 * Some emulators answer a guest's MOV to a control register that should be #GP with "invalid
 * state". The event that the entry injected has long been delivered then.
 */
static bool is_refused_cr_write(struct vcpu *vcpu)
{
    struct insn insn;

    emulate_read_modes(vcpu);
    return emulate_decode(vcpu, &insn) && insn.op == INSN_MOV_TO_CR;
}

static enum vcpu_stop exit_invalid_state(struct vcpu *vcpu)
{
    if (is_refused_cr_write(vcpu)) {
        vcpu->events.reinject = 0;
        vcpu_raise(vcpu, VECTOR_GP);
        return VCPU_RUNS;
    }
    return vm_crash(vcpu, VMX_EXIT_INVALID_GUEST_STATE, vcpu->message->qualification,
                    "the processor refused the guest's state");
}

static enum vcpu_stop exit_unhandled(struct vcpu *vcpu)
{
    return vm_crash(vcpu, vcpu->message->reason, vcpu->message->qualification,
                    "exit that is not handled");
}

/* --- the table --- */

typedef enum vcpu_stop exit_handler(struct vcpu *vcpu);

/* clang-format off */
static exit_handler *const handlers[VCPU_NR_REASONS] = {
    [VMX_EXIT_TRIPLE_FAULT]        = exit_triple_fault,
    [VMX_EXIT_INTERRUPT_WINDOW]    = exit_window,
    [VMX_EXIT_NMI_WINDOW]          = exit_window,
    [VMX_EXIT_CPUID]               = exit_cpuid,
    [VMX_EXIT_GETSEC]              = exit_undefined,
    [VMX_EXIT_HLT]                 = exit_hlt,
    [VMX_EXIT_INVD]                = exit_cache_flush,
    [VMX_EXIT_RDPMC]               = general_protection,
    [VMX_EXIT_VMCALL]              = exit_vmcall,
    [VMX_EXIT_VMCLEAR]             = exit_undefined,
    [VMX_EXIT_VMLAUNCH]            = exit_undefined,
    [VMX_EXIT_VMPTRLD]             = exit_undefined,
    [VMX_EXIT_VMPTRST]             = exit_undefined,
    [VMX_EXIT_VMREAD]              = exit_undefined,
    [VMX_EXIT_VMRESUME]            = exit_undefined,
    [VMX_EXIT_VMWRITE]             = exit_undefined,
    [VMX_EXIT_VMXOFF]              = exit_undefined,
    [VMX_EXIT_VMXON]               = exit_undefined,
    [VMX_EXIT_CR_ACCESS]           = vcpu_access_control,
    [VMX_EXIT_IO]                  = exit_io,
    [VMX_EXIT_RDMSR]               = exit_rdmsr,
    [VMX_EXIT_WRMSR]               = exit_wrmsr,
    [VMX_EXIT_INVALID_GUEST_STATE] = exit_invalid_state,
    [VMX_EXIT_MWAIT]               = exit_undefined,
    [VMX_EXIT_MONITOR]             = exit_undefined,
    [VMX_EXIT_PAUSE]               = exit_pause,
    [VMX_EXIT_VIRTUALIZED_EOI]     = vcpu_exit_eoi,
    [VMX_EXIT_EPT_VIOLATION]       = exit_ept_violation,
    [VMX_EXIT_INVEPT]              = exit_undefined,
    [VMX_EXIT_PREEMPTION_TIMER]    = exit_timer,
    [VMX_EXIT_INVVPID]             = exit_undefined,
    [VMX_EXIT_WBINVD]              = exit_cache_flush,
    [VMX_EXIT_XSETBV]              = exit_xsetbv,
    [VMX_EXIT_APIC_WRITE]          = vcpu_exit_apic_write,
    [VMX_EXIT_VMFUNC]              = exit_undefined,
};
/* clang-format on */

enum vcpu_stop vcpu_handle_exit(struct vcpu *vcpu)
{
    uint64_t reason = vcpu->message->reason;

    if (reason >= VCPU_NR_REASONS || handlers[reason] == NULL) {
        vcpu->exits[VCPU_NR_REASONS]++;
        return exit_unhandled(vcpu);
    }
    vcpu->exits[reason]++;
    return handlers[reason](vcpu);
}
