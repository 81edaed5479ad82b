/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VT-x: one entry into the guest, and the exit.
 *
 * What is exchanged when:
 *   at each entry       what the VMCS says; the general registers (vmx_enter.S); CR2,
 *                       KERNEL_GS_BASE and LSTAR, because the monitor needs its own; STAR and
 *                       SFMASK for the same reason, if they are not those that Linux has, which
 *                       are ours, too; the limit of the GDT, which an exit leaves at 64 KiB
 *   when another VCPU   TSC_AUX; debug registers DR0-DR3, at the guest's first access to one,
 *                       and from then on DR6 at each entry: a thread that is stepped changes it
 *   when another has it the registers of the virtual APIC (vmx_apic.c)
 *   when FPU changes    the extended state with XCR0 (kernel/x86/fpu.h)
 * Sources: Intel SDM volume 3, chapters 26 to 28, 31.4 (VM-instruction errors), 28.3 and 29.4 (EPT,
 * VPID and their caches).
 */
#include "abi/vmcs.h"
#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/object/tcb.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/traps.h"
#include "kernel/x86/virt/vmx/vmx_instructions.h"
#include "kernel/x86/virt/vmx/vmx_priv.h"

#define EPTP_WALK_4 (3ull << 3)
#define EPTP_WB     6ull
#define LAST_VPID   0xffffu

/* --- before ---------------------------------------------------------------------------------- */

static __attribute__((noinline, cold)) void set_changed_entry(struct vcpu *vcpu, u64 rip,
                                                              u64 primary_controls, u64 info)
{
    struct vmx_state *state = vmx_state(vcpu);

    /* The monitor has done the instruction that was covered. */
    if (vcpu->extended && rip != state->rip && (state->interruptibility & VMX_SHADOWS)) {
        state->interruptibility &= ~VMX_SHADOWS;
        state->attention |= VMX_SHADOW;
    }
    if (primary_controls != state->primary) {
        state->primary = vmx_filter_primary(primary_controls);
        state->attention |= VMX_CONTROLS;
    }
    state->rip = rip;
    state->entry_info = info;
}

void vmx_set_entry(struct vcpu *vcpu, u64 rip, u64 primary_controls, u64 interruption_info)
{
    struct vmx_state *state = vmx_state(vcpu);
    u64 info = interruption_info & MASK(32);

    if ((state->interruptibility & VMX_SHADOWS) || primary_controls != state->primary) {
        set_changed_entry(vcpu, rip, primary_controls, info);
        return;
    }
    state->rip = rip;
    state->entry_info = info;
}

/* What the exit restores that is not the same on all cores and at all times. */
static void write_host_state(struct vmx_state *state, const struct vmx_core *core)
{
    state->host_gdt = core->gdt;
    vmwrite(VMCS_HOST_GS_BASE, (u64)(uintptr_t)this_core());
    vmwrite(VMCS_HOST_TR_BASE, core->tss);
    vmwrite(VMCS_HOST_GDTR_BASE, core->gdt.base);
    vmwrite(VMCS_HOST_IDTR_BASE, core->idt.base);
    if (virt_has_virtual_apic)
        vmwrite(VMCS_VIRTUAL_APIC, vmx_apic_page().raw);
}

static void write_controls(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);

    vmx_apply_controls(vcpu);
    vmx_set_lasting(state, VMX_NMI_WINDOW, state->primary & VMX_PRIMARY_NMI_WINDOW);
    vmwrite(VMCS_MSR_BITMAP, vmx_msr_bitmap(vcpu).raw);
}

static inline u64 user_fs_base(bool fsgsbase)
{
    return fsgsbase ? read_fs_base() : this_core()->current->context.fs_base;
}

/*
 * This core ran this VCPU last, and nobody changed anything that prepare_entry looks at. VPIDs are
 * not among it: they grow old only when another VCPU is prepared.
 */
static inline bool is_prepared(struct vcpu *vcpu, hpa_t nested_root, unsigned attention,
                               bool fsgsbase)
{
    const struct vmx_state *state = vmx_state(vcpu);
    const struct core *core = this_core();
    const struct vmx_core *vmx = core->virt;

    return vmx->prepared == vcpu && !attention && state->nested_root.raw == nested_root.raw &&
           state->host_cr3 == core->root && state->host_fs_base == user_fs_base(fsgsbase);
}

/* A VPID that nobody has used since all were forgotten. */
static void assign_vpid(struct vmx_state *state, struct vmx_core *core)
{
    if (core->next_vpid > LAST_VPID) {
        core->vpid_generation++;
        core->next_vpid = 1;
        invvpid_all();
    }
    vmwrite(VMCS_VPID, core->next_vpid++);
    state->vpid_generation = core->vpid_generation;
}

static void prepare_translations(struct vmx_state *state, struct vmx_core *core, hpa_t nested_root)
{
    if (state->nested_root.raw != nested_root.raw ||
        state->flush_generation != core->flush_generation) {
        u64 eptp = nested_root.raw | EPTP_WALK_4 | EPTP_WB;

        vmwrite(VMCS_EPT_POINTER, eptp);
        invept_single(eptp);
        state->nested_root = nested_root;
        state->flush_generation = core->flush_generation;
    }
    if ((state->secondary & VMX_SECONDARY_VPID) &&
        (state->vpid_generation != core->vpid_generation || (state->attention & VMX_RETAG)))
        assign_vpid(state, core);
    state->attention &= (u16)~VMX_RETAG;
}

/* What the monitor gave becomes what the processor takes. */
static void prepare_msrs(struct vmx_state *state)
{
    state->kernel_gs_base = vmx_canonical(state->kernel_gs_base);
    state->lstar_low = (u32)state->lstar;
    state->lstar_high = (u32)(vmx_canonical(state->lstar) >> 32);
    vmx_set_lasting(state, VMX_SYSCALL_MSRS,
                    state->star != vmx_host.star || (state->sfmask & MASK(32)) != vmx_host.sfmask);
}

/* What an entry needs beyond what the last one left. */
static __attribute__((noinline)) void prepare_entry(struct vcpu *vcpu, struct vmx_core *core,
                                                    hpa_t nested_root)
{
    struct vmx_state *state = vmx_state(vcpu);

    vmx_make_current(vcpu);
    if (state->attention & VMX_HOST)
        write_host_state(state, core);
    prepare_translations(state, core, nested_root);
    virt_load_tsc_aux(vcpu->tsc_aux);
    virt_debug_prepare(vcpu, vmread(VMCS_GUEST_DR7));
    if (state->attention & VMX_MSRS)
        prepare_msrs(state);
    if (state->attention & VMX_CONTROLS)
        write_controls(vcpu);
    if (vcpu->virtual_apic)
        vmx_apic_prepare(vcpu);
    if (state->attention & VMX_SHADOW)
        vmwrite(VMCS_GUEST_INTERRUPTIBILITY, state->interruptibility);
    state->attention &= VMX_LASTING;
    state->host_cr3 = this_core()->root;
    vmwrite(VMCS_HOST_CR3, state->host_cr3);
    state->host_fs_base = user_fs_base(cpu.fsgsbase);
    vmwrite(VMCS_HOST_FS_BASE, state->host_fs_base);
    this_core()->loaded_vcpu = vcpu;
    core->prepared = vcpu;
}

/* As the processor would, if it were entered (SDM 27.3.1.5, 26.7.6); Bochs would not. */
static bool nmi_window_is_open(const struct vmx_state *state)
{
    return (state->primary & VMX_PRIMARY_NMI_WINDOW) &&
           !(state->interruptibility & (VMX_INTERRUPTIBILITY_NMI | VMX_SHADOWS));
}

static bool injects_blocked_nmi(const struct vmx_state *state)
{
    return (state->entry_info & VMX_EVENT_TYPE_MASK) == VMX_EVENT_NMI &&
           (state->interruptibility & VMX_INTERRUPTIBILITY_NMI);
}

/* "Other events" are for the monitor trap flag (SDM 27.2.1.3). Bochs ends the machine at one that
 * it does not know. */
static bool injects_unknown_event(const struct vmx_state *state)
{
    return (state->entry_info & VMX_EVENT_TYPE_MASK) == VMX_EVENT_OTHER &&
           !(vmx_capabilities.primary.may & VMX_PRIMARY_MONITOR_TRAP);
}

/* The event is given once, whatever comes of it: the monitor has to give it again. */
static void write_event(struct vmx_state *state)
{
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, state->entry_info);
    vmwrite(VMCS_ENTRY_EXCEPTION_ERROR, state->entry_error);
    vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, state->entry_length);
    state->entry_info &= ~(u64)VMX_EVENT_VALID;
}

/* --- what the VMCS does not exchange ----------------------------------------------------------
 */

/* The guest's instead of the monitor's, which is returned. */
static inline u64 load_guest_gs_base(u64 value, bool fsgsbase)
{
    if (fsgsbase)
        return exchange_user_gs_base(value);
    wrmsr(MSR_KERNEL_GS_BASE, value);
    return this_core()->current->context.gs_base; /* it has no way to change it */
}

/* And back. */
static inline u64 save_guest_gs_base(u64 value)
{
    u64 guest;

    if (__builtin_expect(cpu.fsgsbase, true))
        return exchange_user_gs_base(value);
    guest = rdmsr(MSR_KERNEL_GS_BASE);
    wrmsr(MSR_KERNEL_GS_BASE, value);
    return guest;
}

static __attribute__((noinline, cold)) void exchange_in(const struct vmx_state *state)
{
    if (state->attention & VMX_DR6)
        write_dr6(state->dr6 & MASK(32));
    if (state->attention & VMX_SYSCALL_MSRS) {
        wrmsr(MSR_STAR, state->star);
        wrmsr(MSR_SFMASK, state->sfmask & MASK(32));
    }
}

static __attribute__((noinline, cold)) void exchange_out(struct vmx_state *state)
{
    if (state->attention & VMX_DR6)
        state->dr6 = read_dr6();
    if (state->attention & VMX_SYSCALL_MSRS) {
        wrmsr(MSR_STAR, vmx_host.star);
        wrmsr(MSR_SFMASK, vmx_host.sfmask);
    }
}

static inline void load_guest(struct vmx_state *state, bool fsgsbase)
{
    state->user_gs_base = load_guest_gs_base(state->kernel_gs_base, fsgsbase);
    wrmsr_halves(MSR_LSTAR, state->lstar_low, state->lstar_high);
    write_cr2(state->cr2);
}

/* But for what is lasting. */
static inline void save_guest(struct vmx_state *state)
{
    state->cr2 = read_cr2();
    wrmsr_halves(MSR_LSTAR, (u32)(uintptr_t)syscall_entry, KERNEL_BASE >> 32);
    __asm__ volatile("lgdt %0" : : "m"(state->host_gdt));
    state->kernel_gs_base = save_guest_gs_base(state->user_gs_base);
}

/* --- after the world switch -------------------------------------------------------------------
 */

/* The event does not stay for another entry: the monitor has to give it again. */
static enum guest_outcome not_entered(struct vcpu *vcpu, u64 reason, u64 qualification)
{
    struct vmx_state *state = vmx_state(vcpu);

    state->entry_info &= ~(u64)VMX_EVENT_VALID;
    vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, 0);
    vcpu_exit_begin(&vcpu->exit);
    vcpu->exit.reason = reason;
    vcpu->exit.qualification = qualification;
    return GUEST_EXIT;
}

static __attribute__((cold)) enum guest_outcome entry_refused(struct vcpu *vcpu, u64 error)
{
    vmx_state(vcpu)->instruction_error = (u32)error;
    return not_entered(vcpu, VMX_EXIT_ENTRY_REFUSED, ~0ull);
}

/* Whether the VMCS counts as launched after a failure is known of one that has been cleared. */
static enum guest_outcome begin_anew(struct vcpu *vcpu, enum guest_outcome outcome)
{
    vmx_to_memory(vcpu);
    return outcome;
}

/* Guest state that the processor does not accept: as it was, but for the event. */
__attribute__((cold)) enum guest_outcome vmx_entry_failed(struct vcpu *vcpu, u64 reason)
{
    if (reason == VMX_EXIT_MACHINE_CHECK_ENTRY)
        panic("machine check while a guest was entered");
    return begin_anew(vcpu, not_entered(vcpu, reason, 0));
}

/* Nothing was loaded (31.2, 31.4). */
__attribute__((cold)) enum guest_outcome vmx_refused(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);

    save_guest(state);
    if (state->attention & VMX_LASTING)
        exchange_out(state);
    return begin_anew(vcpu, entry_refused(vcpu, vmread(VMCS_INSTRUCTION_ERROR)));
}

static inline enum guest_outcome look_at_exit(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);
    u64 reason;

    vmread_to(VMCS_EXIT_REASON, &reason);
    vmread_to(VMCS_GUEST_RIP, &state->rip);
    vmread_to(VMCS_GUEST_RFLAGS, &state->rflags);
    vmread_to(VMCS_GUEST_INTERRUPTIBILITY, &state->interruptibility);
    vmread_to(VMCS_GUEST_CR3, &state->cr3);
    return vmx_exit(vcpu, reason);
}

static __attribute__((noinline, cold)) enum guest_outcome left_unusually(struct vcpu *vcpu)
{
    exchange_out(vmx_state(vcpu));
    return look_at_exit(vcpu);
}

/* As vmx_run: the usual exit keeps no register. */
enum guest_outcome vmx_left(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);

    save_guest(state);
    if (state->attention & VMX_LASTING)
        return left_unusually(vcpu);
    return look_at_exit(vcpu);
}

/* --- one entry ------------------------------------------------------------------------------- */

/* False: there is an exit without it. */
static bool may_enter(struct vcpu *vcpu)
{
    const struct vmx_state *state = vmx_state(vcpu);

    if (!(state->entry_info & VMX_EVENT_VALID)) {
        if (!nmi_window_is_open(state))
            return true;
        (void)not_entered(vcpu, VMX_EXIT_NMI_WINDOW, 0);
    } else if (injects_blocked_nmi(state)) {
        (void)not_entered(vcpu, VMX_EXIT_INVALID_GUEST_STATE, 0);
    } else if (injects_unknown_event(state)) {
        (void)entry_refused(vcpu, VMX_ERROR_INVALID_CONTROL);
    } else {
        return true;
    }
    return false;
}

/* There is something of enum vmx_attention, or an event goes with the entry. */
static __attribute__((noinline)) enum guest_outcome run_attended(struct vcpu *vcpu,
                                                                 hpa_t nested_root,
                                                                 const u64 *registers)
{
    struct vmx_state *state = vmx_state(vcpu);

    if (!is_prepared(vcpu, nested_root, state->attention & ~(unsigned)VMX_LASTING, cpu.fsgsbase))
        prepare_entry(vcpu, vmx_core(), nested_root);
    if (!may_enter(vcpu)) {
        vmx_core()->prepared = NULL; /* it may never have been launched */
        vcpu_take_registers(vcpu, registers);
        unlock_this_core();
        return GUEST_EXIT;
    }
    if (state->entry_info & VMX_EVENT_VALID)
        write_event(state);
    vmwrite(VMCS_GUEST_RIP, state->rip);
    if (state->attention & VMX_LASTING)
        exchange_in(state);
    load_guest(state, cpu.fsgsbase);
    if (state->launched)
        return vmx_resume(vcpu->gpr, registers);
    state->launched = true;
    return vmx_launch(vcpu->gpr, registers);
}

/* Calls nothing on its way: so it keeps no register, and has no stack frame. */
static inline __attribute__((always_inline)) enum guest_outcome run_usually(struct vcpu *vcpu,
                                                                            hpa_t nested_root,
                                                                            const u64 *registers,
                                                                            bool fsgsbase)
{
    struct vmx_state *state = vmx_state(vcpu);

    if ((state->entry_info & VMX_EVENT_VALID) ||
        !is_prepared(vcpu, nested_root, state->attention, fsgsbase))
        return run_attended(vcpu, nested_root, registers);
    vmwrite_from(VMCS_GUEST_RIP, &state->rip);
    load_guest(state, fsgsbase);
    return vmx_resume(vcpu->gpr, registers);
}

static __attribute__((noinline)) enum guest_outcome run_without_fsgsbase(struct vcpu *vcpu,
                                                                         hpa_t nested_root,
                                                                         const u64 *registers)
{
    return run_usually(vcpu, nested_root, registers, false);
}

enum guest_outcome vmx_run(struct vcpu *vcpu, hpa_t nested_root, const u64 *registers)
{
    if (!cpu.fsgsbase)
        return run_without_fsgsbase(vcpu, nested_root, registers);
    return run_usually(vcpu, nested_root, registers, true);
}

/* --- messages -------------------------------------------------------------------------------- */

void vmx_answer_state(struct vcpu *vcpu, struct user_context *context, u64 words[3])
{
    const struct vmx_state *state = vmx_state(vcpu);

    context->r10 = state->rip;
    context->r8 = state->primary;
    context->r9 = state->entry_info;
    words[0] = state->rflags;
    words[1] = state->interruptibility;
    words[2] = state->cr3;
}

/* The VCPU's thread is this core's; its VMCS may have left the core since the exit. */
void vmx_decode_state(struct vcpu *vcpu, u64 words[4])
{
    const struct vmx_state *state = vmx_state(vcpu);

    vmx_make_current(vcpu);
    words[0] = (vmread(VMCS_GUEST_CR0) & ~CR0_CACHE) | state->cr0_cache;
    words[1] = vmread(VMCS_GUEST_CR4);
    words[2] = vmread(VMCS_GUEST_EFER);
    words[3] = vmread(VMCS_GUEST_CS_ACCESS_RIGHTS);
}
