/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Execution controls: what the API lets a monitor set, what the processor and the kernel fix.
 * Sources: ABI section 11.3; Intel SDM volume 3, 25.6 to 25.8, appendix A.3 to A.5 (controls), A.7
 * and A.8 (fixed bits of CR0 and CR4).
 */
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/virt_fields.h"
#include "kernel/x86/virt/vmx/vmx_instructions.h"
#include "kernel/x86/virt/vmx/vmx_priv.h"

struct vmx_capabilities vmx_capabilities;
u64 vmx_slice;

/*
 * Beyond what the ABI forces: a guest reaches neither the host's TPR (CR8) nor its counters, does
 * not stop the processor by MWAIT nor empty everybody's caches by WBINVD.
 */
#define PIN_FORCED (VMX_PIN_EXTERNAL_INTERRUPT | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMI)
#define PRIMARY_FORCED                                                                             \
    (VMX_PRIMARY_IO_BITMAPS | VMX_PRIMARY_MSR_BITMAPS | VMX_PRIMARY_SECONDARY |                    \
     VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE | VMX_PRIMARY_RDPMC | VMX_PRIMARY_MWAIT |        \
     VMX_PRIMARY_MONITOR)
#define PRIMARY_ALLOWED                                                                            \
    (PRIMARY_FORCED | VMX_PRIMARY_INTERRUPT_WINDOW | VMX_PRIMARY_TSC_OFFSETTING |                  \
     VMX_PRIMARY_HLT | VMX_PRIMARY_INVLPG | VMX_PRIMARY_RDTSC | VMX_PRIMARY_CR3_LOAD |             \
     VMX_PRIMARY_CR3_STORE | VMX_PRIMARY_NMI_WINDOW | VMX_PRIMARY_MOV_DR |                         \
     VMX_PRIMARY_UNCONDITIONAL_IO | VMX_PRIMARY_MONITOR_TRAP | VMX_PRIMARY_PAUSE)
/*
 * What works on a page whose address the API does not let a monitor give would work on the
 * machine's page 0: TPR shadow, APIC virtualisation, posted interrupts, page-modification log,
 * VMFUNC, shadow VMCS, virtualisation exceptions. The kernel sets the first two itself for a VCPU
 * with a virtual APIC, on a page of its own.
 */
#define SECONDARY_FORCED (VMX_SECONDARY_EPT | VMX_SECONDARY_WBINVD)
#define SECONDARY_ALLOWED                                                                          \
    (SECONDARY_FORCED | VMX_SECONDARY_DESCRIPTOR_TABLE | VMX_SECONDARY_RDTSCP |                    \
     VMX_SECONDARY_UNRESTRICTED_GUEST | VMX_SECONDARY_PAUSE_LOOP | VMX_SECONDARY_RDRAND |          \
     VMX_SECONDARY_INVPCID | VMX_SECONDARY_RDSEED)
#define EXIT_FORCED                                                                                \
    (VMX_EXIT_CTL_SAVE_DEBUG | VMX_EXIT_CTL_HOST_64 | VMX_EXIT_CTL_LOAD_PERF |                     \
     VMX_EXIT_CTL_ACK_INTERRUPT | VMX_EXIT_CTL_SAVE_PAT | VMX_EXIT_CTL_LOAD_PAT |                  \
     VMX_EXIT_CTL_SAVE_EFER | VMX_EXIT_CTL_LOAD_EFER)
#define ENTRY_ALLOWED                                                                              \
    (VMX_ENTRY_CTL_LOAD_DEBUG | VMX_ENTRY_CTL_GUEST_64 | VMX_ENTRY_CTL_LOAD_PERF |                 \
     VMX_ENTRY_CTL_LOAD_PAT | VMX_ENTRY_CTL_LOAD_EFER)

static u64 limited(u64 value, u32 forced, u32 allowed, struct vmx_control_limits limits)
{
    return ((value & allowed) | forced | limits.must) & limits.may;
}

/* A processor with unrestricted guests has them without protection and paging. */
static u64 filter_cr0(u64 value)
{
    u64 must = vmx_capabilities.cr0_fixed0;

    if (vmx_capabilities.secondary.may & VMX_SECONDARY_UNRESTRICTED_GUEST)
        must &= ~(CR0_PE | CR0_PG);
    return ((value | must) & vmx_capabilities.cr0_fixed1) | CR0_ET;
}

static u32 secondary_forced(void)
{
    return SECONDARY_FORCED | (vmx_has_vpid(&vmx_capabilities) ? VMX_SECONDARY_VPID : 0);
}

u64 vmx_filter_primary(u64 value)
{
    return limited(value, PRIMARY_FORCED, PRIMARY_ALLOWED, vmx_capabilities.primary);
}

u64 vmx_filter(u64 encoding, u64 value)
{
    const struct vmx_capabilities *c = &vmx_capabilities;

    switch (encoding) {
    case VMCS_PIN_CONTROLS:
        return limited(value, PIN_FORCED, PIN_FORCED, c->pin);
    case VMCS_PRIMARY_CONTROLS:
        return vmx_filter_primary(value);
    case VMCS_SECONDARY_CONTROLS:
        return limited(value, secondary_forced(), SECONDARY_ALLOWED, c->secondary);
    case VMCS_EXIT_CONTROLS:
        return limited(value, EXIT_FORCED, EXIT_FORCED, c->exit);
    case VMCS_ENTRY_CONTROLS:
        return limited(value, 0, ENTRY_ALLOWED, c->entry);
    case VMCS_GUEST_CR0:
        return filter_cr0(value);
    case VMCS_GUEST_CR4: /* VMXE is what a guest must have but not see */
        return ((value & (VIRT_GUEST_CR4 | CR4_VMXE)) | c->cr4_fixed0) & c->cr4_fixed1;
    default:
        return virt_fit(encoding, value);
    }
}

/*
 * Debug exceptions and alignment checks are intercepted whatever the monitor says: a guest can make
 * the processor deliver these for ever (CVE-2015-8104, CVE-2015-5307); and DR6 is switched by the
 * kernel.
 */
#define EXCEPTIONS_ALWAYS (BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC))

static u64 primary_in_use(struct vcpu *vcpu)
{
    /* The first use of a debug register loads them all. */
    u64 primary = vmx_state(vcpu)->primary | (virt_debug_loaded(vcpu) ? 0 : VMX_PRIMARY_MOV_DR);

    if (!vcpu->virtual_apic)
        return primary;
    /* CR8 is the virtual APIC's TPR then, not the machine's. */
    return (primary & ~(u64)(VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE)) |
           VMX_PRIMARY_TPR_SHADOW;
}

static u64 secondary_in_use(struct vcpu *vcpu)
{
    return vmx_state(vcpu)->secondary | (vcpu->virtual_apic ? VMX_SECONDARY_VIRTUAL_APIC : 0);
}

/* Bits that the kernel owns are in the mask, and read as the guest believes them to be. */
static void apply_masks(const struct vmx_state *state)
{
    u64 cr4_owned = ~VIRT_GUEST_CR4 & ~state->cr4_mask;
    u64 cr0_owned = CR0_CACHE & ~state->cr0_mask;

    vmwrite(VMCS_CR0_MASK, state->cr0_mask | cr0_owned);
    vmwrite(VMCS_CR0_SHADOW, (state->cr0_shadow & ~cr0_owned) | (state->cr0_cache & cr0_owned));
    vmwrite(VMCS_CR4_MASK, state->cr4_mask | cr4_owned);
    vmwrite(VMCS_CR4_SHADOW, state->cr4_shadow & ~cr4_owned);
}

/*
 * The preemption timer is the kernel's, if there is one. Its own timer is the APIC's, but in Bochs
 * 2.7 no interrupt ends a guest that was entered with its interrupts closed (docs/emulators.md,
 * section 5). So nobody stays longer than a slice, which no entry has to set anew: the value is not
 * saved. Monitors have deadlines (abi/vcpu.h).
 */
static void apply_timer(const struct vmx_state *state)
{
    u64 timer = vmx_capabilities.pin.may & VMX_PIN_PREEMPTION_TIMER;

    vmwrite(VMCS_PIN_CONTROLS, state->pin | timer);
    if (timer)
        vmwrite(VMCS_PREEMPTION_TIMER, vmx_slice);
}

void vmx_apply_controls(struct vcpu *vcpu)
{
    struct vmx_state *state = vmx_state(vcpu);

    vmwrite(VMCS_PRIMARY_CONTROLS, primary_in_use(vcpu));
    vmwrite(VMCS_SECONDARY_CONTROLS, secondary_in_use(vcpu));
    /* An interrupt stays pending, and comes the usual way when the kernel opens its window. */
    vmwrite(VMCS_EXIT_CONTROLS, state->exit_controls & ~(u64)VMX_EXIT_CTL_ACK_INTERRUPT);
    apply_timer(state);
    vmwrite(VMCS_EXCEPTION_BITMAP, state->exception_bitmap | EXCEPTIONS_ALWAYS);
    apply_masks(state);
    state->attention &= (u16)~VMX_CONTROLS;
}
