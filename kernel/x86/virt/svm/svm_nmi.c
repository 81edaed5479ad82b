/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual NMIs: AMD-V has neither blocking by NMI nor a window for one.
 *
 * An NMI that was injected blocks further ones until the guest has executed IRET, which is
 * intercepted meanwhile. It must have been executed: an NMI in front of it would find the stack of
 * the one before still in use. So it is stepped over, with RFLAGS.TF, in one entry of which neither
 * guest nor monitor sees anything: every exception ends it, and whatever does restores what the
 * step has changed. An IRET that faults has not been executed, and NMIs stay blocked.
 * Sources: SDM volume 3, 25.4.2 (blocking by NMI), 27.7.6 (NMI-window exiting); APM volume 2, 15.9
 * (IRET intercept), 13.1.3 (debug status register).
 */
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/svm/svm_priv.h"

#define DR6_HITS        0xfull /* breakpoints 0 to 3 */
#define DR6_SINGLE_STEP BIT(14)

bool svm_nmi_window_is_open(struct vcpu *vcpu)
{
    const struct svm_state *state = svm_state(vcpu);

    return (state->primary & VMX_PRIMARY_NMI_WINDOW) && !state->nmi_blocking &&
           !(svm_vmcb(vcpu)->control.interrupt_shadow & 1);
}

void svm_block_nmi(struct vcpu *vcpu, bool is_blocked)
{
    svm_state(vcpu)->nmi_blocking = is_blocked ? VMX_INTERRUPTIBILITY_NMI : 0;
    svm_apply_controls(vcpu);
}

/* The entry after the intercepted IRET's exit is the step; nothing comes between. */
enum guest_outcome svm_iret_exit(struct vcpu *vcpu)
{
    if (svm_state(vcpu)->nmi_blocking)
        svm_state(vcpu)->attention |= SVM_IRET_STEP;
    svm_apply_controls(vcpu);
    return GUEST_RESUME;
}

void svm_step_begin(struct vcpu *vcpu, struct svm_step *step)
{
    struct vmcb_save *save = &svm_vmcb(vcpu)->save;

    step->flag = save->rflags & RFLAGS_TF;
    step->dr6 = save->dr6;
    save->rflags |= RFLAGS_TF;
    save->dr6 = DR6_RESET;
}

bool svm_step_end(struct vcpu *vcpu, const struct svm_step *step)
{
    struct vmcb *vmcb = svm_vmcb(vcpu);
    u64 hits = vmcb->save.dr6 & DR6_HITS;
    bool is_done = (vmcb->control.exit_code & MASK(32)) == SVM_EXIT_EXCEPTION + VECTOR_DB &&
                   (vmcb->save.dr6 & DR6_SINGLE_STEP);

    svm_state(vcpu)->attention &= (u8)~SVM_IRET_STEP;
    vmcb->save.dr6 = step->dr6 | hits;
    if (!is_done) {
        vmcb->save.rflags = (vmcb->save.rflags & ~RFLAGS_TF) | step->flag;
        svm_apply_controls(vcpu);
        return false;
    }
    svm_block_nmi(vcpu, false);
    if (step->flag)
        vmcb->save.dr6 |= DR6_SINGLE_STEP; /* its own step, too */
    return !step->flag && !hits;
}
