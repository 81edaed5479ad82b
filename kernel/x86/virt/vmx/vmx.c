/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VT-x: turning it on, the life of a VMCS, and one entry into the guest.
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
 * Sources: Intel SDM volume 3, chapters 24 to 28, 31.4 (VM-instruction errors), 28.3 and 29.4 (EPT,
 * VPID and their caches); appendix A (capabilities).
 */
#include "kernel/x86/virt/vmx/vmx.h"

#include "abi/vmcs.h"
#include "kernel/core/config.h"
#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/core/time.h"
#include "kernel/object/tcb.h"
#include "kernel/x86/context.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/traps.h"
#include "kernel/x86/virt/vmx/vmx_instructions.h"
#include "kernel/x86/virt/vmx/vmx_priv.h"
#include "lib/string.h"

#define DR6_RESET    0xffff0ff0ull
#define DR7_RESET    0x400ull
#define PAT_RESET    0x0007040600070406ull
#define RFLAGS_RESET 2ull
#define NO_VMCS_LINK (~0ull)
#define EPTP_WALK_4  (3ull << 3)
#define EPTP_WB      6ull
#define LAST_VPID    0xffffu
#define SLICE_US     1000

#define SHADOWS ((u64)(VMX_INTERRUPTIBILITY_STI | VMX_INTERRUPTIBILITY_MOV_SS))

/*
 * What each core has for its guests. Written by its own core, but what is marked [all] by
 * others, too, with all cores' locks, before the core is interrupted if it may be running a guest.
 */
struct vmx_core {
    struct vcpu *prepared; /* the last that was entered, if nothing has come between [all: NULL] */
    struct vcpu *current;  /* whose VMCS is the current one */
    u64 flush_generation;  /* what is cached of a nested root since an older one is stale [all] */
    u64 vpid_generation;   /* a VPID of an older one is somebody else's */
    u32 next_vpid;
    u64 tsc_aux; /* what the MSR holds */
    struct table_register gdt, idt;
    u64 tss;
} __attribute__((aligned(64))); /* cores share no cache line */

static struct vmx_core vmx_cores[CONFIG_MAX_CORES];
static u8 vmxon_regions[CONFIG_MAX_CORES][PAGE_SIZE] __attribute__((aligned(4096)));
static u8 msr_bitmap[PAGE_SIZE] __attribute__((aligned(4096)));
/* That of guests with a virtual APIC. */
static u8 apic_msr_bitmap[PAGE_SIZE] __attribute__((aligned(4096)));
/* The I/O bitmaps A and B of a guest without ports: all ones. */
static u8 all_ports[2 * PAGE_SIZE] __attribute__((aligned(4096)));
static bool has_vpid, has_tsc_aux;
/* The kernel's own, the same on every core. */
static u64 host_star, host_sfmask;

static struct vmx_core *vmx_core(void)
{
    return this_core()->virt;
}

/* --- boot ------------------------------------------------------------------------------------ */

#define MSR_FEATURE_CONTROL 0x3au
#define FEATURE_LOCKED      BIT(0)
#define FEATURE_VMXON       BIT(2) /* outside SMX */

#define MSR_VMX_BASIC         0x480u
#define MSR_VMX_PIN           0x481u
#define MSR_VMX_PRIMARY       0x482u
#define MSR_VMX_EXIT          0x483u
#define MSR_VMX_ENTRY         0x484u
#define MSR_VMX_MISC          0x485u
#define MSR_VMX_CR0_FIXED0    0x486u
#define MSR_VMX_CR0_FIXED1    0x487u
#define MSR_VMX_CR4_FIXED0    0x488u
#define MSR_VMX_CR4_FIXED1    0x489u
#define MSR_VMX_SECONDARY     0x48bu
#define MSR_VMX_EPT_VPID      0x48cu
#define MSR_VMX_TRUE_CONTROLS 0xcu /* how far above the others those are that tell all (A.2) */

static void read_capabilities(struct vmx_capabilities *c)
{
    u64 basic = rdmsr(MSR_VMX_BASIC);
    u32 better = basic & VMX_BASIC_TRUE_CONTROLS ? MSR_VMX_TRUE_CONTROLS : 0;

    c->basic = basic;
    c->pin = vmx_control_limits(rdmsr(MSR_VMX_PIN + better));
    c->primary = vmx_control_limits(rdmsr(MSR_VMX_PRIMARY + better));
    c->exit = vmx_control_limits(rdmsr(MSR_VMX_EXIT + better));
    c->entry = vmx_control_limits(rdmsr(MSR_VMX_ENTRY + better));
    c->misc = rdmsr(MSR_VMX_MISC);
    c->cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
    c->cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
    c->cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
    c->cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
    /* The registers exist if what they are about does. */
    if (c->primary.may & VMX_PRIMARY_SECONDARY)
        c->secondary = vmx_control_limits(rdmsr(MSR_VMX_SECONDARY));
    if (c->secondary.may & (VMX_SECONDARY_EPT | VMX_SECONDARY_VPID))
        c->ept_vpid = rdmsr(MSR_VMX_EPT_VPID);
}

/* One bit for each MSR (25.6.9): reads of 0-1fffh, of c0000000h-, then writes of these. */
static void msr_allow(u32 msr, bool read, bool write)
{
    u32 bit = msr < 0x2000 ? msr : 8 * 1024 + (msr - 0xc0000000u);

    if (read)
        msr_bitmap[bit / 8] &= (u8) ~(1u << (bit % 8));
    if (write)
        msr_bitmap[2048 + bit / 8] &= (u8) ~(1u << (bit % 8));
}

/* Guests have those MSRs to themselves that the VMCS exchanges, and KERNEL_GS_BASE. Others that are
 * loaded for them may be read; writes exit, so that the kernel knows the values. */
static void msr_bitmap_init(void)
{
    static const u32 exchanged[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
                                     MSR_FS_BASE,     MSR_GS_BASE,      MSR_KERNEL_GS_BASE };
    static const u32 loaded[] = { MSR_STAR, MSR_LSTAR, MSR_SFMASK };

    memset(msr_bitmap, 0xff, sizeof(msr_bitmap));
    for (unsigned i = 0; i < ARRAY_LENGTH(exchanged); i++)
        msr_allow(exchanged[i], true, true);
    for (unsigned i = 0; i < ARRAY_LENGTH(loaded); i++)
        msr_allow(loaded[i], true, false);
    if (has_tsc_aux)
        msr_allow(MSR_TSC_AUX, true, false);
    memcpy(apic_msr_bitmap, msr_bitmap, sizeof(msr_bitmap));
    vmx_apic_open_msrs(apic_msr_bitmap);
}

/* Says what is missing, each in a line. */
static bool has_what_we_need(const struct vmx_capabilities *c)
{
    unsigned position = 0;
    const char *name;
    bool complete = true;

    while ((name = vmx_next_missing(c, &position))) {
        print("VT-x without %s: no virtual machines\n", name);
        complete = false;
    }
    return complete;
}

static void print_unused(const struct vmx_capabilities *c)
{
    unsigned position = 0;
    const char *name;

    while ((name = vmx_next_unused(c, &position)))
        print("VT-x: the processor lacks %s\n", name);
}

bool vmx_probe(void)
{
    u64 feature_control;

    if (!cpu_has_vmx())
        return false;
    feature_control = rdmsr(MSR_FEATURE_CONTROL);
    if ((feature_control & FEATURE_LOCKED) && !(feature_control & FEATURE_VMXON)) {
        print("VT-x is disabled by the firmware: no virtual machines\n");
        return false;
    }
    read_capabilities(&vmx_capabilities);
    if (!has_what_we_need(&vmx_capabilities))
        return false;
    print_unused(&vmx_capabilities);
    has_vpid = vmx_has_vpid(&vmx_capabilities);
    has_tsc_aux = cpu_has_rdtscp() && (vmx_capabilities.secondary.may & VMX_SECONDARY_RDTSCP) != 0;
    vmx_slice = us_to_ticks(SLICE_US) >> VMX_MISC_TIMER_SHIFT(vmx_capabilities.misc);
    nested_has_1g = vmx_capabilities.ept_vpid & VMX_EPT_1G;
    virt_has_virtual_apic = vmx_has_virtual_apic(&vmx_capabilities);
    host_star = rdmsr(MSR_STAR);
    host_sfmask = rdmsr(MSR_SFMASK);
    msr_bitmap_init();
    memset(all_ports, 0xff, sizeof(all_ports));
    return true;
}

static u64 tss_base(const struct table_register *gdt)
{
    const u64 *descriptor = (const u64 *)(uintptr_t)(gdt->base + SELECTOR_TSS);

    return (descriptor[0] >> 16 & MASK(24)) | (descriptor[0] >> 56 & 0xff) << 24 |
           descriptor[1] << 32;
}

/* The firmware may have done it, or left it to us; each core has its own. */
static void permit_vmxon(void)
{
    u64 feature_control = rdmsr(MSR_FEATURE_CONTROL);

    if (!(feature_control & FEATURE_LOCKED))
        wrmsr(MSR_FEATURE_CONTROL, feature_control | FEATURE_VMXON | FEATURE_LOCKED);
    else if (!(feature_control & FEATURE_VMXON))
        panic("VT-x is disabled by the firmware on one core and not on another");
}

static void vmx_init_core(void)
{
    struct vmx_core *core = &vmx_cores[this_core()->id];
    u8 *region = vmxon_regions[this_core()->id];
    u32 revision = VMX_BASIC_REVISION(vmx_capabilities.basic);

    this_core()->virt = core;
    permit_vmxon();
    memcpy(region, &revision, sizeof(revision));
    write_cr4(read_cr4() | CR4_VMXE);
    if (!vmxon(kernel_to_hpa(region)))
        panic("VMXON failed");
    if (has_tsc_aux)
        wrmsr(MSR_TSC_AUX, 0);
    core->flush_generation = 1;
    core->vpid_generation = 1;
    core->next_vpid = 1;
    __asm__ volatile("sgdt %0; sidt %1" : "=m"(core->gdt), "=m"(core->idt));
    core->tss = tss_base(&core->gdt);
}

/* --- the current VMCS ------------------------------------------------------------------------- */

static hpa_t vmcs_of(struct vcpu *vcpu)
{
    return ptr_to_hpa(vcpu_control_block(vcpu));
}

static inline void make_current(struct vmx_core *core, struct vcpu *vcpu)
{
    if (core->current == vcpu)
        return;
    vmptrld(vmcs_of(vcpu));
    core->current = vcpu;
    core->prepared = NULL;
}

/* Its VMCS is in memory, and active nowhere. */
static void to_memory(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);

    vmclear(vmcs_of(vcpu));
    if (vmx_core()->current == vcpu)
        vmx_core()->current = vmx_core()->prepared = NULL;
    state->launched = false;
    state->attention |= VMX_HOST;
    state->vpid_generation = 0; /* VPIDs and flushes are each core's own */
    state->flush_generation = 0;
}

/* After an access by an invocation. */
static void end_access(struct vcpu *vcpu)
{
    if (!vcpu->tcb || vcpu->tcb->core != this_core()->id)
        to_memory(vcpu);
}

/* --- what a guest leaves in the processor ----------------------------------------------------- */

static void load_tsc_aux(u64 value)
{
    struct vmx_core *core = vmx_core();

    if (has_tsc_aux && core->tsc_aux != value) {
        wrmsr(MSR_TSC_AUX, value);
        core->tsc_aux = value;
    }
}

static void vmx_unload(void)
{
    load_tsc_aux(0);
    vmx_core()->prepared = NULL;
    this_core()->loaded_vcpu = NULL;
}

static void set_lasting(struct vmx_state *state, enum vmx_attention bit, bool on)
{
    state->attention = (u16)(on ? state->attention | bit : state->attention & ~bit);
}

static void vmx_debug_moved(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);

    state->attention |= VMX_CONTROLS;
    set_lasting(state, VMX_DR6, virt_debug_loaded(vcpu));
}

/* Whether this NMI means the kernel or nobody is its handler's to say; it may not return. */
void vmx_host_nmi(void)
{
    __asm__ volatile("int $2");
}

/* --- a VCPU's life --------------------------------------------------------------------------- */

static void write_io_bitmap(const u8 *bitmap, hpa_t (*address_of)(const void *))
{
    vmwrite(VMCS_IO_BITMAP_A, address_of(bitmap).raw);
    vmwrite(VMCS_IO_BITMAP_B, address_of(bitmap + PAGE_SIZE).raw);
}

/* Fields that no API reaches and nothing changes; those that are zero the processor does not
 * promise. */
static void write_constants(struct vcpu *vcpu)
{
    static const u32 zero[] = {
        VMCS_PAGE_FAULT_ERROR_MASK,   VMCS_PAGE_FAULT_ERROR_MATCH, VMCS_CR3_TARGET_COUNT,
        VMCS_EXIT_MSR_STORE_COUNT,    VMCS_EXIT_MSR_LOAD_COUNT,    VMCS_ENTRY_MSR_LOAD_COUNT,
        VMCS_ENTRY_INTERRUPTION_INFO, VMCS_HOST_ES_SELECTOR,       VMCS_HOST_DS_SELECTOR,
        VMCS_HOST_FS_SELECTOR,        VMCS_HOST_GS_SELECTOR,       VMCS_HOST_SYSENTER_CS,
        VMCS_HOST_SYSENTER_ESP,       VMCS_HOST_SYSENTER_EIP,
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(zero); i++)
        vmwrite(zero[i], 0);
    vmwrite(VMCS_LINK_POINTER, NO_VMCS_LINK);
    write_io_bitmap(all_ports, kernel_to_hpa);
    vmwrite(VMCS_HOST_CS_SELECTOR, SELECTOR_KERNEL_CS);
    vmwrite(VMCS_HOST_SS_SELECTOR, SELECTOR_KERNEL_DS);
    vmwrite(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
    vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT));
    vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
    if (vmx_capabilities.exit.may & VMX_EXIT_CTL_LOAD_PERF)
        vmwrite(VMCS_HOST_PERF_GLOBAL_CTRL, 0);
    vmwrite(VMCS_HOST_CR0, read_cr0() | CR0_TS); /* kernel/x86/fpu.c: while a guest owns the FPU */
    vmwrite(VMCS_HOST_CR4, read_cr4());
    vmwrite(VMCS_HOST_RIP, (u64)(uintptr_t)vmx_exit_point);
    vmwrite(VMCS_HOST_RSP, (u64)(uintptr_t)vcpu->gpr);
}

/* A VMCS's fields hold anything at first. */
static void write_fresh_guest(struct vmx_state *state)
{
    static const u32 zero[] = {
        VMCS_GUEST_GDTR_LIMIT,
        VMCS_GUEST_GDTR_BASE,
        VMCS_GUEST_IDTR_LIMIT,
        VMCS_GUEST_IDTR_BASE,
        VMCS_GUEST_CR3,
        VMCS_GUEST_EFER,
        VMCS_GUEST_RSP,
        VMCS_GUEST_RIP,
        VMCS_GUEST_SYSENTER_CS,
        VMCS_GUEST_SYSENTER_ESP,
        VMCS_GUEST_SYSENTER_EIP,
        VMCS_GUEST_INTERRUPTIBILITY,
        VMCS_GUEST_ACTIVITY,
        VMCS_GUEST_DEBUGCTL,
        VMCS_GUEST_PDPTE0,
        VMCS_GUEST_PDPTE1,
        VMCS_GUEST_PDPTE2,
        VMCS_GUEST_PDPTE3,
        VMCS_GUEST_SMBASE,
        VMCS_GUEST_PENDING_DEBUG,
        VMCS_TSC_OFFSET,
        VMCS_ENTRY_EXCEPTION_ERROR,
        VMCS_ENTRY_INSTRUCTION_LENGTH,
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(zero); i++)
        vmwrite(zero[i], 0);
    for (unsigned i = 0; i < VMCS_SEGMENT_COUNT; i++) {
        vmwrite(VMCS_GUEST_SELECTOR(i), 0);
        vmwrite(VMCS_GUEST_BASE(i), 0);
        vmwrite(VMCS_GUEST_LIMIT(i), 0);
        vmwrite(VMCS_GUEST_ACCESS_RIGHTS(i), VMX_AR_UNUSABLE);
    }
    (void)vmwrite_try(VMCS_GUEST_PERF_GLOBAL_CTRL, 0);
    vmwrite(VMCS_GUEST_CR0, vmx_filter_cr0(0));
    vmwrite(VMCS_GUEST_CR4, vmx_filter_cr4(0));
    vmwrite(VMCS_GUEST_DR7, DR7_RESET);
    vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_RESET);
    vmwrite(VMCS_GUEST_PAT, PAT_RESET);
    vmwrite(VMCS_ENTRY_CONTROLS, vmx_filter_entry(VMX_ENTRY_CTL_GUEST_64));
    state->rflags = RFLAGS_RESET;
    state->dr6 = DR6_RESET;
}

static void vmx_create(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);
    u32 revision = VMX_BASIC_REVISION(vmx_capabilities.basic);

    state->pin = vmx_filter_pin(0);
    state->primary = vmx_filter_primary(0);
    state->secondary = vmx_filter_secondary(0);
    state->exit_controls = vmx_filter_exit(0);
    state->attention = VMX_CONTROLS | VMX_MSRS;

    memcpy(vcpu_control_block(vcpu), &revision, sizeof(revision));
    vmclear(vmcs_of(vcpu));
    make_current(vmx_core(), vcpu);
    write_constants(vcpu);
    write_fresh_guest(state);
    vmx_apic_create();
    end_access(vcpu);
}

static hpa_t bitmap_to_hpa(const void *bitmap)
{
    return ptr_to_hpa((void *)(uintptr_t)bitmap);
}

static void vmx_use_io_bitmap(struct vcpu *vcpu)
{
    make_current(vmx_core(), vcpu);
    write_io_bitmap(vcpu_io_bitmap(vcpu), bitmap_to_hpa);
    end_access(vcpu);
}

static void vmx_leave_core(struct vcpu *vcpu)
{
    if (this_core()->loaded_vcpu == vcpu)
        vmx_unload();
    virt_debug_leave(vcpu);
    vmx_apic_leave(vcpu);
    to_memory(vcpu);
}

static bool vmx_read_field(struct vcpu *vcpu, u64 field, u64 *value)
{
    bool found;

    make_current(vmx_core(), vcpu);
    found = vmx_read_current(vcpu, field, value);
    end_access(vcpu);
    return found;
}

static bool vmx_write_field(struct vcpu *vcpu, u64 field, u64 value, u64 *written)
{
    bool found;

    make_current(vmx_core(), vcpu);
    found = vmx_write_current(vcpu, field, value, written);
    end_access(vcpu);
    return found;
}

/* --- entry ----------------------------------------------------------------------------------- */

static void vmx_flush_nested(unsigned core)
{
    vmx_cores[core].flush_generation++;
    vmx_cores[core].prepared = NULL;
}

static __attribute__((noinline, cold)) void set_changed_entry(struct vcpu *vcpu, u64 rip,
                                                              u64 primary_controls, u64 info)
{
    struct vmx_state *state = vmx_state(vcpu);

    if (vcpu->extended && rip != state->rip && (state->interruptibility & SHADOWS)) {
        state->interruptibility &= ~SHADOWS; /* the monitor has done the instruction it covered */
        state->attention |= VMX_SHADOW;
    }
    if (primary_controls != state->primary) {
        state->primary = vmx_filter_primary(primary_controls);
        state->attention |= VMX_CONTROLS;
    }
    state->rip = rip;
    state->entry_info = info;
}

static void vmx_set_entry(struct vcpu *vcpu, u64 rip, u64 primary_controls, u64 interruption_info)
{
    struct vmx_state *state = vmx_state(vcpu);
    u64 info = interruption_info & MASK(32);

    if ((state->interruptibility & SHADOWS) || primary_controls != state->primary) {
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
    set_lasting(state, VMX_NMI_WINDOW, state->primary & VMX_PRIMARY_NMI_WINDOW);
    vmwrite(VMCS_MSR_BITMAP, kernel_to_hpa(vcpu->virtual_apic ? apic_msr_bitmap : msr_bitmap).raw);
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
    if (has_vpid &&
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
    set_lasting(state, VMX_SYSCALL_MSRS,
                state->star != host_star || (state->sfmask & MASK(32)) != host_sfmask);
}

/* What an entry needs beyond what the last one left. */
static __attribute__((noinline)) void prepare_entry(struct vcpu *vcpu, struct vmx_core *core,
                                                    hpa_t nested_root)
{
    struct vmx_state *state = vmx_state(vcpu);

    make_current(core, vcpu);
    if (state->attention & VMX_HOST)
        write_host_state(state, core);
    prepare_translations(state, core, nested_root);
    load_tsc_aux(vcpu->tsc_aux);
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
    u64 blocking =
        VMX_INTERRUPTIBILITY_NMI | VMX_INTERRUPTIBILITY_STI | VMX_INTERRUPTIBILITY_MOV_SS;

    return (state->primary & VMX_PRIMARY_NMI_WINDOW) && !(state->interruptibility & blocking);
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
        wrmsr(MSR_STAR, host_star);
        wrmsr(MSR_SFMASK, host_sfmask);
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
    to_memory(vcpu);
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

static enum guest_outcome vmx_run(struct vcpu *vcpu, hpa_t nested_root, const u64 *registers)
{
    if (!cpu.fsgsbase)
        return run_without_fsgsbase(vcpu, nested_root, registers);
    return run_usually(vcpu, nested_root, registers, true);
}

/* --- messages -------------------------------------------------------------------------------- */

static void vmx_answer_state(struct vcpu *vcpu, struct user_context *context, u64 words[3])
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
static void vmx_decode_state(struct vcpu *vcpu, u64 words[4])
{
    const struct vmx_state *state = vmx_state(vcpu);

    make_current(vmx_core(), vcpu);
    words[0] = (vmread(VMCS_GUEST_CR0) & ~CR0_CACHE) | state->cr0_cache;
    words[1] = vmread(VMCS_GUEST_CR4);
    words[2] = vmread(VMCS_GUEST_EFER);
    words[3] = vmread(VMCS_GUEST_CS_ACCESS_RIGHTS);
}

const struct virt_backend vmx_backend = {
    .name = "VT-x",
    .nested_format = NESTED_EPT,
    .init_core = vmx_init_core,
    .create = vmx_create,
    .use_io_bitmap = vmx_use_io_bitmap,
    .debug_moved = vmx_debug_moved,
    .leave_core = vmx_leave_core,
    .read_field = vmx_read_field,
    .write_field = vmx_write_field,
    .read_msr = vmx_read_msr,
    .write_msr = vmx_write_msr,
    .set_entry = vmx_set_entry,
    .post_interrupts = vmx_apic_post,
    .interrupt_wakes = vmx_apic_wakes,
    .run = vmx_run,
    .unload = vmx_unload,
    .answer_state = vmx_answer_state,
    .decode_state = vmx_decode_state,
    .flush_nested = vmx_flush_nested,
};
