/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * AMD-V: turning it on, the life of a VMCB, and one entry into the guest.
 *
 * What is exchanged when:
 *   at each entry       what VMRUN, VMLOAD and VMSAVE exchange, the general registers
 *                       (svm_enter.S), CR2
 *   when another VCPU   TSC_AUX; debug registers DR0-DR3, at the guest's first access to one
 *   when FPU changes    the extended state with XCR0 (kernel/x86/fpu.h)
 *   never               the PAT: guest accesses exit. QEMU does not exchange it, so a guest must
 *                       not write the processor's
 * Sources: APM volume 2, 15.5 (VMRUN), 15.16 (TLB control), 15.30 (SVM-related MSRs), 15.25 (nested
 * paging).
 */
#include "abi/vmcs.h"
#include "kernel/core/config.h"
#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/core/remote.h"
#include "kernel/vspace/tlb.h"
#include "kernel/vspace/vspace.h"
#include "kernel/x86/context.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/svm/svm_priv.h"
#include "lib/string.h"

/*
 * What each core has for its guests. Its own core writes it; what is marked [all], others do, too,
 * with all cores' locks, before the core is interrupted if it may be running a guest.
 */
struct svm_core {
    u64 asid_generation; /* an ASID of an older one is stale [all] */
    u32 next_asid;
    bool flush_pending;         /* ASIDs have started anew: the next entry has to flush them all */
    hpa_t host_vmcb;            /* where VMSAVE keeps the host's segments and MSRs */
} __attribute__((aligned(64))); /* cores share no cache line */

static struct svm_core svm_cores[CONFIG_MAX_CORES];
static u8 host_save_areas[CONFIG_MAX_CORES][PAGE_SIZE] __attribute__((aligned(4096)));
static struct vmcb host_vmcbs[CONFIG_MAX_CORES] __attribute__((aligned(4096)));
static u8 msr_permissions[2 * PAGE_SIZE] __attribute__((aligned(4096)));
/* The I/O permission map (15.10.1) of a guest without ports: all ones. */
static u8 all_ports[3 * PAGE_SIZE] __attribute__((aligned(4096)));
static u32 nr_asids;

static struct svm_core *svm_core(void)
{
    return this_core()->virt;
}

/* --- boot ------------------------------------------------------------------------------------ */

/*
 * The MSR permission map (15.11): two bits for each MSR, read and write; 0-1fffh, c0000000h-,
 * c0010000h- in 2 KiB each.
 */
static void msr_allow(u32 msr, bool read, bool write)
{
    u32 bit = msr < 0x2000 ? 2 * msr : 8 * 2048 + 2 * (msr - 0xc0000000u);

    if (read)
        msr_permissions[bit / 8] &= (u8) ~(1u << (bit % 8));
    if (write)
        msr_permissions[bit / 8] &= (u8) ~(2u << (bit % 8));
}

/* Guests have those MSRs to themselves that VMLOAD and VMSAVE exchange. TSC_AUX may be read: it is
 * loaded; its writes exit, so that the kernel knows the value. */
static void msr_permissions_init(void)
{
    static const u32 exchanged[] = {
        MSR_STAR,         MSR_LSTAR,        MSR_CSTAR,   MSR_SFMASK,  MSR_SYSENTER_CS,
        MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
    };

    memset(msr_permissions, 0xff, sizeof(msr_permissions));
    for (unsigned i = 0; i < ARRAY_LENGTH(exchanged); i++)
        msr_allow(exchanged[i], true, true);
    if (cpu.rdtscp)
        msr_allow(MSR_TSC_AUX, true, false);
}

#define CPUID_SVM             0x8000000au
#define SVM_EDX_NESTED_PAGING BIT(0)

static bool svm_probe(void)
{
    if (!cpu.svm)
        return false;

    struct cpuid features = cpuid(CPUID_SVM, 0);

    if (!(features.edx & SVM_EDX_NESTED_PAGING)) {
        print("AMD-V without nested paging: no virtual machines\n");
        return false;
    }
    if (rdmsr(MSR_VM_CR) & VM_CR_SVM_DISABLED) {
        print("AMD-V is disabled by the firmware: no virtual machines\n");
        return false;
    }
    nr_asids = features.ebx;
    nested_has_1g = paging_has_1g();
    msr_permissions_init();
    memset(all_ports, 0xff, sizeof(all_ports));
    return true;
}

static void svm_init_core(void)
{
    struct svm_core *core = &svm_cores[this_core()->id];

    this_core()->virt = core;
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, kernel_to_hpa(host_save_areas[this_core()->id]).raw);
    core->asid_generation = 1;
    core->next_asid = 1;
    core->host_vmcb = kernel_to_hpa(&host_vmcbs[this_core()->id]);
}

/* --- what a guest leaves in the processor ----------------------------------------------------- */

static void svm_unload(void)
{
    virt_load_tsc_aux(0);
    this_core()->loaded_vcpu = NULL;
}

/* --- a VCPU's life --------------------------------------------------------------------------- */

static void svm_create(struct vcpu *vcpu)
{
    struct svm_state *state = svm_state(vcpu);
    struct vmcb *vmcb = svm_vmcb(vcpu);

    state->pin = svm_filter(VMCS_PIN_CONTROLS, 0);
    state->primary = svm_filter(VMCS_PRIMARY_CONTROLS, 0);
    state->secondary = svm_filter(VMCS_SECONDARY_CONTROLS, 0);
    state->exit_controls = svm_filter(VMCS_EXIT_CONTROLS, 0);
    state->entry_controls = svm_filter(VMCS_ENTRY_CONTROLS, VMX_ENTRY_CTL_GUEST_64);
    state->attention = SVM_DIRTY;

    vmcb->control.iopm_base = kernel_to_hpa(all_ports).raw;
    vmcb->control.msrpm_base = kernel_to_hpa(msr_permissions).raw;
    vmcb->control.nested_control = NESTED_CONTROL_NP;
    vmcb->control.v_intr_masking = V_INTR_MASKING;
    vmcb->save.efer = EFER_SVME;
    vmcb->save.cr0 = 0x10;
    vmcb->save.dr6 = DR6_RESET;
    vmcb->save.dr7 = DR7_RESET;
    vmcb->save.rflags = RFLAGS_RESET;
    vmcb->save.pat = PAT_RESET;
    svm_apply_controls(vcpu);
}

static void svm_use_io_bitmap(struct vcpu *vcpu)
{
    svm_vmcb(vcpu)->control.iopm_base = ptr_to_hpa(vcpu_io_bitmap(vcpu)).raw;
}

static void svm_leave_core(struct vcpu *vcpu)
{
    if (this_core()->loaded_vcpu == vcpu)
        svm_unload();
    virt_debug_leave(vcpu);
    svm_state(vcpu)->asid_generation = 0; /* ASIDs are each core's own */
}

/* --- entry ----------------------------------------------------------------------------------- */

static void assign_asid(struct vcpu *vcpu)
{
    struct svm_core *core = svm_core();

    if (core->next_asid >= nr_asids) {
        core->asid_generation++;
        core->next_asid = 1;
        core->flush_pending = true;
    }
    svm_vmcb(vcpu)->control.asid = core->next_asid++;
    svm_state(vcpu)->asid_generation = core->asid_generation;
}

/* The next entry of each of that core's guests takes a fresh ASID. */
static void svm_flush_nested(unsigned core)
{
    svm_cores[core].asid_generation++;
}

static void svm_set_entry(struct vcpu *vcpu, u64 rip, u64 primary_controls, u64 interruption_info)
{
    struct svm_state *state = svm_state(vcpu);
    struct vmcb *vmcb = svm_vmcb(vcpu);

    vmcb->save.rip = rip;
    if (rip != state->exit_rip)
        vmcb->control.interrupt_shadow = 0; /* the monitor has done the instruction it covered */
    state->entry_info = interruption_info;
    primary_controls = svm_filter_primary(primary_controls);
    if (primary_controls != state->primary) {
        state->primary = primary_controls;
        svm_apply_controls(vcpu);
    }
}

static enum guest_outcome exit_without_entry(struct vcpu *vcpu, u64 reason, u64 qualification)
{
    vcpu_exit_begin(&vcpu->exit);
    vcpu->exit.reason = reason;
    vcpu->exit.qualification = qualification;
    return GUEST_EXIT;
}

/* VT-x's VMfail. */
static enum guest_outcome refuse_controls(struct vcpu *vcpu)
{
    svm_state(vcpu)->instruction_error = VMX_ERROR_INVALID_CONTROL;
    return exit_without_entry(vcpu, VMX_EXIT_ENTRY_REFUSED, ~0ull);
}

/*
 * A refused entry leaves the save area undefined, in emulators with the host's own state in it, so
 * whenever the monitor gave something that the processor might refuse, a copy is kept. What only
 * the guest changed cannot be refused at entry; QEMU then reports INVALID for a MOV to CR3 that
 * should have been #GP, with the guest's state intact.
 */
static void keep_shadow(struct vcpu *vcpu)
{
    memcpy(svm_state(vcpu)->shadow, &svm_vmcb(vcpu)->save, SVM_SHADOW_BYTES);
}

static bool entry_was_refused(const struct vmcb *vmcb)
{
    return (vmcb->control.exit_code & MASK(32)) == SVM_EXIT_INVALID;
}

/* Everything is as it was before the entry, but for the event, which the monitor has to give again.
 */
static enum guest_outcome invalid_state(struct vcpu *vcpu, bool has_shadow)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);

    if (has_shadow)
        memcpy(&vmcb->save, svm_state(vcpu)->shadow, SVM_SHADOW_BYTES);
    else
        vcpu->gpr[GPR_RAX] = vmcb->save.rax;
    /* QEMU has cleared what VMCB offset 60h holds: without V_INTR_MASKING a guest that closes its
     * interrupts would never be interrupted again. */
    vmcb->control.v_intr_masking = V_INTR_MASKING;
    svm_apply_controls(vcpu);
    return exit_without_entry(vcpu, VMX_EXIT_INVALID_GUEST_STATE, 0);
}

/* This core ran this VCPU last, and nobody changed anything that prepare_entry looks at. */
static bool is_prepared(struct vcpu *vcpu, const struct svm_core *core, hpa_t nested_root)
{
    const struct svm_state *state = svm_state(vcpu);

    return this_core()->loaded_vcpu == vcpu && !(state->attention & SVM_DIRTY) &&
           state->asid_generation == core->asid_generation &&
           svm_vmcb(vcpu)->control.nested_cr3 == nested_root.raw;
}

/* What an entry needs beyond what the last one left; the order of the steps does not matter. */
static void prepare_entry(struct vcpu *vcpu, struct svm_core *core, hpa_t nested_root)
{
    struct svm_state *state = svm_state(vcpu);
    struct vmcb *vmcb = svm_vmcb(vcpu);

    if (vmcb->control.nested_cr3 != nested_root.raw) {
        vmcb->control.nested_cr3 = nested_root.raw;
        state->asid_generation = 0;
    }
    if (state->asid_generation != core->asid_generation)
        assign_asid(vcpu);
    vmcb->control.tlb_control = core->flush_pending ? TLB_CONTROL_FLUSH_ALL : TLB_CONTROL_NOTHING;
    virt_load_tsc_aux(vcpu->tsc_aux);
    virt_debug_prepare(vcpu, vmcb->save.dr7);
    this_core()->loaded_vcpu = vcpu;
}

/*
 * Long mode enabled, but neither PAE nor paging on: at the exit QEMU takes the guest's CR4 for the
 * host's, refuses the host's CR0 for want of PAE, and goes on without paging. Such a guest is not
 * in long mode yet and gets there only by writing CR4, which exits; until then it runs without the
 * bits.
 */
static inline u64 efer_to_hide(const struct vmcb_save *save)
{
    if (__builtin_expect((save->cr4 & CR4_PAE) != 0, true) || (save->cr0 & CR0_PG))
        return 0;
    return save->efer & (EFER_LME | EFER_LMA);
}

/* One world switch, which gives up the lock. */
static inline __attribute__((always_inline)) void enter(struct vcpu *vcpu, struct vmcb *vmcb,
                                                        const struct svm_core *core,
                                                        const u64 *registers)
{
    vmcb->save.rax = __atomic_load_n(&registers[GPR_RAX], __ATOMIC_RELAXED);
    write_cr2(vmcb->save.cr2); /* Bochs does not take it from the VMCB */
    svm_enter(registers, ptr_to_hpa(vmcb).raw, core->host_vmcb.raw, vcpu->gpr);
}

/* False: the processor refused. */
static bool enter_hiding(struct vcpu *vcpu, struct vmcb *vmcb, const struct svm_core *core)
{
    u64 hidden = efer_to_hide(&vmcb->save);

    vmcb->save.efer &= ~hidden;
    enter(vcpu, vmcb, core, vcpu->gpr);
    vmcb->save.efer |= hidden;
    return !entry_was_refused(vmcb);
}

static inline __attribute__((always_inline)) enum guest_outcome look_at_exit(
    struct vcpu *vcpu, const struct vmcb *vmcb)
{
    vcpu->gpr[GPR_RAX] = vmcb->save.rax;
    svm_state(vcpu)->exit_rip = vmcb->save.rip;
    return svm_exit(vcpu);
}

/* Without an entry the lock is still held. */
static enum guest_outcome try_attended(struct vcpu *vcpu, struct svm_core *core, hpa_t nested_root)
{
    struct svm_state *state = svm_state(vcpu);
    struct vmcb *vmcb = svm_vmcb(vcpu);
    bool injects = state->entry_info & EVENT_VALID;
    bool injects_nmi = injects && EVENT_TYPE(state->entry_info) == EVENT_NMI;
    bool steps = state->attention & SVM_IRET_STEP, may_refuse = injects || state->attention;
    struct svm_step step;
    enum guest_outcome outcome;

    if (!injects && svm_nmi_window_is_open(vcpu))
        return exit_without_entry(vcpu, VMX_EXIT_NMI_WINDOW, 0);
    if (injects_nmi && state->nmi_blocking)
        return exit_without_entry(vcpu, VMX_EXIT_INVALID_GUEST_STATE, 0);
    if (may_refuse)
        keep_shadow(vcpu);
    if (injects && !svm_inject(vcpu))
        return refuse_controls(vcpu);
    if ((state->attention & SVM_NMI_WINDOW) && !injects_nmi)
        core_interrupt(this_core()->id); /* ends the entry when shadow and event have passed */
    if (!is_prepared(vcpu, core, nested_root))
        prepare_entry(vcpu, core, nested_root);
    if (steps)
        svm_step_begin(vcpu, &step);

    svm_make_virtual(vcpu);

    bool entered = enter_hiding(vcpu, vmcb, core);
    bool waits = svm_take_back_virtual(vcpu);

    vmcb->control.event_injection = 0;
    if (!entered || !waits)
        state->entry_info &= ~EVENT_VALID;
    if (!entered) {
        state->attention &= (u8)~SVM_IRET_STEP;
        return invalid_state(vcpu, may_refuse);
    }
    state->attention &= (u8)~SVM_DIRTY;
    core->flush_pending = false;
    vmcb->control.tlb_control = TLB_CONTROL_NOTHING;
    if (injects_nmi)
        svm_block_nmi(vcpu, true);
    if (steps && svm_step_end(vcpu, &step)) {
        vcpu->gpr[GPR_RAX] = vmcb->save.rax;
        return GUEST_RESUME;
    }
    outcome = look_at_exit(vcpu, vmcb);
    state->soft_event_advanced = false;
    return outcome;
}

/*
 * An event goes with the entry, or something of enum svm_attention, or another VCPU ran before, or
 * translations are to be forgotten, or EFER is not what it seems.
 */
static __attribute__((noinline)) enum guest_outcome run_attended(struct vcpu *vcpu,
                                                                 struct svm_core *core,
                                                                 hpa_t nested_root,
                                                                 const u64 *registers)
{
    enum guest_outcome outcome;

    vcpu_take_registers(vcpu, registers);
    outcome = try_attended(vcpu, core, nested_root);
    unlock();
    return outcome;
}

static enum guest_outcome svm_run(struct vcpu *vcpu, hpa_t nested_root, const u64 *registers)
{
    const struct svm_state *state = svm_state(vcpu);
    struct svm_core *core = svm_core();
    struct vmcb *vmcb = svm_vmcb(vcpu);

    if (state->attention || (state->entry_info & EVENT_VALID) || efer_to_hide(&vmcb->save) ||
        !is_prepared(vcpu, core, nested_root))
        return run_attended(vcpu, core, nested_root, registers);
    enter(vcpu, vmcb, core, registers);
    return entry_was_refused(vmcb) ? invalid_state(vcpu, false) : look_at_exit(vcpu, vmcb);
}

/* --- messages -------------------------------------------------------------------------------- */

static void svm_answer_state(struct vcpu *vcpu, struct user_context *context, u64 words[3])
{
    const struct svm_state *state = svm_state(vcpu);
    const struct vmcb *vmcb = svm_vmcb(vcpu);

    context->r10 = vmcb->save.rip;
    context->r8 = state->primary;
    context->r9 = state->entry_info;
    words[0] = vmcb->save.rflags;
    words[1] = (vmcb->control.interrupt_shadow & 1) | state->nmi_blocking;
    words[2] = vmcb->save.cr3;
}

static void svm_decode_state(struct vcpu *vcpu, u64 words[4])
{
    const struct vmcb_save *save = &svm_vmcb(vcpu)->save;

    words[0] = save->cr0;
    words[1] = save->cr4;
    words[2] = save->efer & ~EFER_SVME;
    words[3] = svm_rights(save->cs.attributes);
}

const struct virt_backend svm_backend = {
    .name = "AMD-V",
    .nested_format = NESTED_NPT,
    .probe = svm_probe,
    .init_core = svm_init_core,
    .create = svm_create,
    .use_io_bitmap = svm_use_io_bitmap,
    .debug_moved = svm_apply_controls,
    .leave_core = svm_leave_core,
    .read_field = svm_read_field,
    .write_field = svm_write_field,
    .msr = svm_msr,
    .set_entry = svm_set_entry,
    .run = svm_run,
    .unload = svm_unload,
    .answer_state = svm_answer_state,
    .decode_state = svm_decode_state,
    .flush_nested = svm_flush_nested,
};
