/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VT-x: turning it on, the life of a VMCS. Its fields are vmx_fields.c's, an entry vmx_run.c's.
 * Sources: Intel SDM volume 3, chapters 24 to 27; appendix A (capabilities).
 */
#include "abi/vmcs.h"
#include "kernel/core/config.h"
#include "kernel/core/core.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/core/time.h"
#include "kernel/object/tcb.h"
#include "kernel/x86/context.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/vmx/vmx_instructions.h"
#include "kernel/x86/virt/vmx/vmx_priv.h"
#include "lib/string.h"

#define NO_VMCS_LINK (~0ull)
#define SLICE_US     1000

static struct vmx_core vmx_cores[CONFIG_MAX_CORES];
static u8 vmxon_regions[CONFIG_MAX_CORES][PAGE_SIZE] __attribute__((aligned(4096)));
static u8 msr_bitmap[PAGE_SIZE] __attribute__((aligned(4096)));
/* That of guests with a virtual APIC. */
static u8 apic_msr_bitmap[PAGE_SIZE] __attribute__((aligned(4096)));
/* The I/O bitmaps A and B of a guest without ports: all ones. */
static u8 all_ports[2 * PAGE_SIZE] __attribute__((aligned(4096)));
struct vmx_host vmx_host;

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

/* Guests have those MSRs to themselves that the VMCS exchanges, and KERNEL_GS_BASE. Others that are
 * loaded for them may be read; writes exit, so that the kernel knows the values. */
static void msr_bitmap_init(void)
{
    static const u32 exchanged[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
                                     MSR_FS_BASE,     MSR_GS_BASE,      MSR_KERNEL_GS_BASE };
    static const u32 loaded[] = { MSR_STAR, MSR_LSTAR, MSR_SFMASK };

    memset(msr_bitmap, 0xff, sizeof(msr_bitmap));
    for (unsigned i = 0; i < ARRAY_LENGTH(exchanged); i++)
        vmx_msr_allow(msr_bitmap, exchanged[i], true, true);
    for (unsigned i = 0; i < ARRAY_LENGTH(loaded); i++)
        vmx_msr_allow(msr_bitmap, loaded[i], true, false);
    if (cpu.rdtscp)
        vmx_msr_allow(msr_bitmap, MSR_TSC_AUX, true, false);
    memcpy(apic_msr_bitmap, msr_bitmap, sizeof(msr_bitmap));
    vmx_apic_open_msrs(apic_msr_bitmap);
}

/* Says what the processor lacks of what we need, or would use, each in a line. True: something. */
static bool print_lacking(bool is_needed)
{
    unsigned position = 0, count = 0;
    const char *name;

    while ((name = vmx_next_lacking(&vmx_capabilities, is_needed, &position))) {
        print("VT-x: the processor lacks %s%s\n", name, is_needed ? ": no virtual machines" : "");
        count++;
    }
    return count;
}

static bool vmx_probe(void)
{
    u64 feature_control;

    if (!cpu.vmx)
        return false;
    feature_control = rdmsr(MSR_FEATURE_CONTROL);
    if ((feature_control & FEATURE_LOCKED) && !(feature_control & FEATURE_VMXON)) {
        print("VT-x is disabled by the firmware: no virtual machines\n");
        return false;
    }
    read_capabilities(&vmx_capabilities);
    if (print_lacking(true))
        return false;
    (void)print_lacking(false);
    vmx_slice = us_to_ticks(SLICE_US) >> VMX_MISC_TIMER_SHIFT(vmx_capabilities.misc);
    nested_has_1g = vmx_capabilities.ept_vpid & VMX_EPT_1G;
    virt_has_virtual_apic = vmx_has_virtual_apic(&vmx_capabilities);
    vmx_host.star = rdmsr(MSR_STAR);
    vmx_host.sfmask = rdmsr(MSR_SFMASK);
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

void vmx_change_current(struct vmx_core *core, struct vcpu *vcpu)
{
    vmptrld(vmcs_of(vcpu));
    core->current = vcpu;
    core->prepared = NULL;
}

void vmx_to_memory(struct vcpu *vcpu)
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
        vmx_to_memory(vcpu);
}

/* --- what a guest leaves in the processor ----------------------------------------------------- */

static void vmx_unload(void)
{
    virt_load_tsc_aux(0);
    vmx_core()->prepared = NULL;
    this_core()->loaded_vcpu = NULL;
}

static void vmx_debug_moved(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);

    state->attention |= VMX_CONTROLS;
    vmx_set_lasting(state, VMX_DR6, virt_debug_loaded(vcpu));
}

/* Whether this NMI means the kernel or nobody is its handler's to say; it may not return. */
void vmx_host_nmi(void)
{
    __asm__ volatile("int $2");
}

/* --- a VCPU's life --------------------------------------------------------------------------- */

static void write_io_bitmap(hpa_t bitmap)
{
    vmwrite(VMCS_IO_BITMAP_A, bitmap.raw);
    vmwrite(VMCS_IO_BITMAP_B, bitmap.raw + PAGE_SIZE);
}

/* Fields that no API reaches and nothing changes; those that are zero the processor does not
 * promise, and some processors have not got them all. */
static void write_constants(struct vcpu *vcpu)
{
    static const u32 zero[] = {
        VMCS_PAGE_FAULT_ERROR_MASK,   VMCS_PAGE_FAULT_ERROR_MATCH, VMCS_CR3_TARGET_COUNT,
        VMCS_EXIT_MSR_STORE_COUNT,    VMCS_EXIT_MSR_LOAD_COUNT,    VMCS_ENTRY_MSR_LOAD_COUNT,
        VMCS_ENTRY_INTERRUPTION_INFO, VMCS_ENTRY_EXCEPTION_ERROR,  VMCS_ENTRY_INSTRUCTION_LENGTH,
        VMCS_GUEST_PERF_GLOBAL_CTRL,  VMCS_HOST_PERF_GLOBAL_CTRL,  VMCS_HOST_ES_SELECTOR,
        VMCS_HOST_DS_SELECTOR,        VMCS_HOST_FS_SELECTOR,       VMCS_HOST_GS_SELECTOR,
        VMCS_HOST_SYSENTER_CS,        VMCS_HOST_SYSENTER_ESP,      VMCS_HOST_SYSENTER_EIP,
        VMCS_TPR_THRESHOLD,           VMCS_EOI_EXIT_BITMAP0,       VMCS_EOI_EXIT_BITMAP1,
        VMCS_EOI_EXIT_BITMAP2,        VMCS_EOI_EXIT_BITMAP3,
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(zero); i++)
        (void)vmwrite_try(zero[i], 0);
    vmwrite(VMCS_LINK_POINTER, NO_VMCS_LINK);
    write_io_bitmap(kernel_to_hpa(all_ports));
    vmwrite(VMCS_HOST_CS_SELECTOR, SELECTOR_KERNEL_CS);
    vmwrite(VMCS_HOST_SS_SELECTOR, SELECTOR_KERNEL_DS);
    vmwrite(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
    vmwrite(VMCS_HOST_PAT, rdmsr(MSR_PAT));
    vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
    vmwrite(VMCS_HOST_CR0, read_cr0() | CR0_TS); /* kernel/x86/fpu.c: while a guest owns the FPU */
    vmwrite(VMCS_HOST_CR4, read_cr4());
    vmwrite(VMCS_HOST_RIP, (u64)(uintptr_t)vmx_exit_point);
    vmwrite(VMCS_HOST_RSP, (u64)(uintptr_t)vcpu->gpr);
}

static void write_fresh_guest(struct vmx_state *state)
{
    vmx_clear_fields();
    for (unsigned i = 0; i < VMCS_SEGMENT_COUNT; i++)
        vmwrite(VMCS_GUEST_ACCESS_RIGHTS(i), VMX_AR_UNUSABLE);
    vmwrite(VMCS_GUEST_CR0, vmx_filter(VMCS_GUEST_CR0, 0));
    vmwrite(VMCS_GUEST_CR4, vmx_filter(VMCS_GUEST_CR4, 0));
    vmwrite(VMCS_GUEST_DR7, DR7_RESET);
    vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_RESET);
    vmwrite(VMCS_GUEST_PAT, PAT_RESET);
    vmwrite(VMCS_ENTRY_CONTROLS, vmx_filter(VMCS_ENTRY_CONTROLS, VMX_ENTRY_CTL_GUEST_64));
    state->rflags = RFLAGS_RESET;
    state->dr6 = DR6_RESET;
}

static void vmx_create(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);
    u32 revision = VMX_BASIC_REVISION(vmx_capabilities.basic);

    state->pin = vmx_filter(VMCS_PIN_CONTROLS, 0);
    state->primary = vmx_filter(VMCS_PRIMARY_CONTROLS, 0);
    state->secondary = vmx_filter(VMCS_SECONDARY_CONTROLS, 0);
    state->exit_controls = vmx_filter(VMCS_EXIT_CONTROLS, 0);
    state->attention = VMX_CONTROLS | VMX_MSRS;

    memcpy(vcpu_control_block(vcpu), &revision, sizeof(revision));
    vmclear(vmcs_of(vcpu));
    vmx_make_current(vcpu);
    write_constants(vcpu);
    write_fresh_guest(state);
    end_access(vcpu);
}

hpa_t vmx_msr_bitmap(const struct vcpu *vcpu)
{
    return kernel_to_hpa(vcpu->virtual_apic ? apic_msr_bitmap : msr_bitmap);
}

static void vmx_use_io_bitmap(struct vcpu *vcpu)
{
    vmx_make_current(vcpu);
    write_io_bitmap(ptr_to_hpa(vcpu_io_bitmap(vcpu)));
    end_access(vcpu);
}

static void vmx_flush_nested(unsigned core)
{
    vmx_cores[core].flush_generation++;
    vmx_cores[core].prepared = NULL;
}

static void vmx_leave_core(struct vcpu *vcpu)
{
    if (this_core()->loaded_vcpu == vcpu)
        vmx_unload();
    virt_debug_leave(vcpu);
    vmx_apic_leave(vcpu);
    vmx_to_memory(vcpu);
}

static bool vmx_read_field(struct vcpu *vcpu, u64 field, u64 *value)
{
    bool found;

    vmx_make_current(vcpu);
    found = vmx_read_current(vcpu, field, value);
    end_access(vcpu);
    return found;
}

static bool vmx_write_field(struct vcpu *vcpu, u64 field, u64 value, u64 *written)
{
    bool found;

    vmx_make_current(vcpu);
    found = vmx_write_current(vcpu, field, value, written);
    end_access(vcpu);
    return found;
}

const struct virt_backend vmx_backend = {
    .name = "VT-x",
    .nested_format = NESTED_EPT,
    .probe = vmx_probe,
    .init_core = vmx_init_core,
    .create = vmx_create,
    .use_io_bitmap = vmx_use_io_bitmap,
    .debug_moved = vmx_debug_moved,
    .leave_core = vmx_leave_core,
    .read_field = vmx_read_field,
    .write_field = vmx_write_field,
    .msr = vmx_msr,
    .set_entry = vmx_set_entry,
    .post_interrupts = vmx_apic_post,
    .interrupt_wakes = vmx_apic_wakes,
    .run = vmx_run,
    .unload = vmx_unload,
    .answer_state = vmx_answer_state,
    .decode_state = vmx_decode_state,
    .flush_nested = vmx_flush_nested,
};
