/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMX execution controls on AMD-V: which bits exist, and what intercepts they become.
 * Sources: Intel SDM volume 3, 25.6 (VM-execution control fields) and appendix A (allowed
 * settings); AMD APM volume 2, 15.9 to 15.13 (intercepts), 15.20 (event injection).
 */
#include "abi/vmcs.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/svm/svm_priv.h"
#include "kernel/x86/virt/virt_fields.h"

/*
 * Each control word has bits that are always one and bits that may be one, as VT-x reports them by
 * its capability MSRs; the forced ones are those of ABI section 11.3. On AMD-V the loads and stores
 * of CR8 always exit as well: with V_IRQ pending QEMU 7.2 stops at a guest's write
 * (docs/emulators.md, section 3), and no guest of ours needs CR8 to be fast.
 */
#define PIN_FORCED       0x3full
#define SECONDARY_FORCED (VMX_SECONDARY_EPT | VMX_SECONDARY_VPID)
#define SECONDARY_ALLOWED                                                                          \
    (SECONDARY_FORCED | VMX_SECONDARY_DESCRIPTOR_TABLE | VMX_SECONDARY_RDTSCP |                    \
     VMX_SECONDARY_WBINVD | VMX_SECONDARY_UNRESTRICTED_GUEST | VMX_SECONDARY_INVPCID)
#define EXIT_FORCED   0x3fffffull
#define ENTRY_FORCED  0x11fbull
#define ENTRY_ALLOWED 0xf3ffull

#define CR0_WRITABLE  0xe005003full
#define EFER_WRITABLE 0x4d01ull /* SCE, LME, LMA, NXE, FFXSR */

u64 svm_filter(u64 encoding, u64 value)
{
    switch (encoding) {
    case VMCS_PIN_CONTROLS:
        return PIN_FORCED;
    case VMCS_PRIMARY_CONTROLS:
        return svm_filter_primary(value);
    case VMCS_SECONDARY_CONTROLS:
        return (value | SECONDARY_FORCED) & SECONDARY_ALLOWED;
    case VMCS_EXIT_CONTROLS:
        return EXIT_FORCED;
    case VMCS_ENTRY_CONTROLS:
        return (value | ENTRY_FORCED) & ENTRY_ALLOWED;
    case VMCS_GUEST_CR0:
        return (value & CR0_WRITABLE) | CR0_ET;
    case VMCS_GUEST_CR4:
        return value & VIRT_GUEST_CR4;
    case VMCS_GUEST_EFER:
        return value & EFER_WRITABLE;
    case VMCS_GUEST_INTERRUPTIBILITY: /* STI and MOV SS are one here */
        return (value & VMX_INTERRUPTIBILITY_NMI) |
               ((value & (VMX_INTERRUPTIBILITY_STI | VMX_INTERRUPTIBILITY_MOV_SS)) != 0);
    default:
        return virt_fit(encoding, value);
    }
}

#define CR_READ(n)  BIT(n)
#define CR_WRITE(n) BIT(16 + (n))
#define DR_ALL      0xffffffffu

#define ALL_EXCEPTIONS (0xffffffffu & ~(u32)BIT(VECTOR_NMI))

/*
 * Intercepted whatever the monitor says.
 *  CR4: QEMU answers a write of reserved bits with VMEXIT_INVALID; the monitor gives #GP as it
 * must. #DB, #AC: a guest can make the processor deliver these for ever (CVE-2015-8104,
 * CVE-2015-5307). INVD is governed by WBINVD's bit in QEMU; both are set. Virtual interrupts: a
 * window's is never to be taken; svm_make_virtual() lifts this for those that are.
 */
static const u32 always[6] = {
    [INTERCEPT_CR] = CR_WRITE(4) | CR_WRITE(8) | CR_READ(8),
    [INTERCEPT_EXCEPTION] = BIT(1) | BIT(17) | BIT(18),
    [INTERCEPT_3] = INTERCEPT(INTR) | INTERCEPT(NMI) | INTERCEPT(SMI) | INTERCEPT(INIT) |
                    INTERCEPT(VINTR) | INTERCEPT(RDPMC) | INTERCEPT(CPUID) | INTERCEPT(INVD) |
                    INTERCEPT(INVLPGA) | INTERCEPT(IO) | INTERCEPT(MSR) | INTERCEPT(TASK_SWITCH) |
                    INTERCEPT(SHUTDOWN),
    [INTERCEPT_4] = INTERCEPT(VMRUN) | INTERCEPT(VMMCALL) | INTERCEPT(VMLOAD) | INTERCEPT(VMSAVE) |
                    INTERCEPT(STGI) | INTERCEPT(CLGI) | INTERCEPT(SKINIT) | INTERCEPT(WBINVD) |
                    INTERCEPT(MONITOR) | INTERCEPT(MWAIT) | INTERCEPT(XSETBV) | INTERCEPT(RDPRU),
    [INTERCEPT_5] =
        INTERCEPT(INVLPGB) | INTERCEPT(INVLPGB_ILLEGAL) | INTERCEPT(MCOMMIT) | INTERCEPT(TLBSYNC),
};

/* One control bit, one group of intercepts. */
static const struct {
    u64 control;
    enum vmcb_intercept_word word;
    u32 intercepts;
} primary_rows[] = {
    { VMX_PRIMARY_HLT, INTERCEPT_3, INTERCEPT(HLT) },
    { VMX_PRIMARY_INVLPG, INTERCEPT_3, INTERCEPT(INVLPG) },
    { VMX_PRIMARY_RDTSC, INTERCEPT_3, INTERCEPT(RDTSC) },
    { VMX_PRIMARY_RDTSC, INTERCEPT_4, INTERCEPT(RDTSCP) },
    { VMX_PRIMARY_CR3_LOAD, INTERCEPT_CR, CR_WRITE(3) },
    { VMX_PRIMARY_CR3_STORE, INTERCEPT_CR, CR_READ(3) },
    { VMX_PRIMARY_MOV_DR, INTERCEPT_DR, DR_ALL },
    { VMX_PRIMARY_PAUSE, INTERCEPT_3, INTERCEPT(PAUSE) },
};

/* Reads of IDTR, GDTR, LDTR, TR and their writes are bits 6 to 13. */
#define DESCRIPTOR_TABLE_INTERCEPTS (2 * INTERCEPT(TR_WRITE) - INTERCEPT(IDTR_READ))

/* TPR is the monitor's matter. With the intercept this is an interrupt window. */
static void set_virtual_interrupt(struct vmcb_control *control, bool pending)
{
    control->v_irq = pending ? V_IRQ : 0;
    control->v_intr = pending ? V_INTR_IGNORE_TPR | 15 : 0;
}

/* Nothing in the VMCB asks for this window: the entries look. */
static void apply_nmi_window(struct svm_state *state)
{
    if ((state->primary & VMX_PRIMARY_NMI_WINDOW) && !state->nmi_blocking)
        state->attention |= SVM_NMI_WINDOW;
    else
        state->attention &= (u8)~SVM_NMI_WINDOW;
}

void svm_apply_controls(struct vcpu *vcpu)
{
    struct svm_state *state = svm_state(vcpu);
    struct vmcb_control *control = &svm_vmcb(vcpu)->control;
    u32 intercepts[6];

    for (unsigned i = 0; i < 6; i++)
        intercepts[i] = always[i];
    for (unsigned i = 0; i < ARRAY_LENGTH(primary_rows); i++)
        if (state->primary & primary_rows[i].control)
            intercepts[primary_rows[i].word] |= primary_rows[i].intercepts;
    if (state->secondary & VMX_SECONDARY_DESCRIPTOR_TABLE)
        intercepts[INTERCEPT_3] |= DESCRIPTOR_TABLE_INTERCEPTS;
    intercepts[INTERCEPT_EXCEPTION] |= (u32)state->exception_bitmap;
    if (state->attention & SVM_IRET_STEP)
        intercepts[INTERCEPT_EXCEPTION] |= ALL_EXCEPTIONS;
    else if (state->nmi_blocking)
        intercepts[INTERCEPT_3] |= INTERCEPT(IRET);
    if (!virt_debug_loaded(vcpu))
        intercepts[INTERCEPT_DR] = DR_ALL; /* the first use loads them */

    for (unsigned i = 0; i < 6; i++)
        control->intercepts[i] = intercepts[i];
    set_virtual_interrupt(control, state->primary & VMX_PRIMARY_INTERRUPT_WINDOW);
    apply_nmi_window(state);
}

/* VMX interruption types (SDM volume 3, 25.8.3), the ones that AMD-V counts differently. */
#define VMX_TYPE_PRIVILEGED_SOFTWARE 5
#define VMX_TYPE_SOFTWARE_EXCEPTION  6

static bool event_is_acceptable(u64 type, u64 vector)
{
    switch (type) {
    case EVENT_INTERRUPT:
    case EVENT_SOFTWARE:
        return true;
    case EVENT_NMI:
        return vector == 2;
    case EVENT_EXCEPTION:
        return vector < 32 && vector != 2;
    case VMX_TYPE_PRIVILEGED_SOFTWARE:
        return vector == 1;
    case VMX_TYPE_SOFTWARE_EXCEPTION:
        return vector == 3 || vector == 4;
    default:
        return false;
    }
}

bool svm_inject(struct vcpu *vcpu)
{
    struct svm_state *state = svm_state(vcpu);
    struct vmcb *vmcb = svm_vmcb(vcpu);
    u64 info = state->entry_info;
    u64 type = EVENT_TYPE(info), vector = EVENT_VECTOR(info);
    bool is_software = type >= EVENT_SOFTWARE;

    if (!event_is_acceptable(type, vector) || (is_software && state->entry_length > 15))
        return false;

    u64 event = EVENT_VALID | vector;

    event |= (type > EVENT_SOFTWARE ? (u64)EVENT_EXCEPTION : type) << 8;
    if (type == EVENT_EXCEPTION && (info & EVENT_ERROR_VALID))
        event |= EVENT_ERROR_VALID | (state->entry_error & MASK(32)) << 32;
    if (is_software) {
        /* Where NRIPS is missing the processor pushes rip itself; where it is there, next_rip. */
        vmcb->save.rip += state->entry_length;
        vmcb->control.next_rip = vmcb->save.rip;
        state->soft_event_advanced = true;
    }
    vmcb->control.event_injection = event;
    return true;
}

/* --- external interrupts as virtual ones ------------------------------------------------------ */

/* The guest takes an interrupt now, and nothing else is to happen as soon as it has. */
static bool takes_interrupt_at_once(const struct svm_state *state, const struct vmcb *vmcb)
{
    return (vmcb->save.rflags & RFLAGS_IF) && !(vmcb->control.interrupt_shadow & 1) &&
           !(state->primary & VMX_PRIMARY_INTERRUPT_WINDOW) &&
           !(state->attention & (SVM_NMI_WINDOW | SVM_IRET_STEP));
}

void svm_make_virtual(struct vcpu *vcpu)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    struct vmcb_control *control = &vmcb->control;
    u64 event = control->event_injection;

    if (!(event & EVENT_VALID) || EVENT_TYPE(event) != EVENT_INTERRUPT ||
        !takes_interrupt_at_once(svm_state(vcpu), vmcb))
        return;
    control->event_injection = 0;
    control->intercepts[INTERCEPT_3] &= ~(u32)INTERCEPT(VINTR);
    set_virtual_interrupt(control, true);
    control->v_intr_vector = EVENT_VECTOR(event);
}

bool svm_take_back_virtual(struct vcpu *vcpu)
{
    struct vmcb_control *control = &svm_vmcb(vcpu)->control;
    bool waits = control->v_irq & V_IRQ;

    if (control->intercepts[INTERCEPT_3] & INTERCEPT(VINTR))
        return false;
    control->intercepts[INTERCEPT_3] |= INTERCEPT(VINTR);
    set_virtual_interrupt(control, false);
    return waits && !(control->exit_int_info & EVENT_VALID &&
                      EVENT_TYPE(control->exit_int_info) == EVENT_INTERRUPT);
}
