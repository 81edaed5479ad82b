/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the AMD-V backend share: the VCPU's private state and the steps of an entry.
 *
 * The guest's state lives in the VMCB; svm_state holds what the API has and a VMCB has not (VMX
 * control words as the monitor wrote them) and what an entry needs to know.
 * Locking: as virt.h.
 */
#ifndef KERNEL_X86_VIRT_SVM_SVM_PRIV_H
#define KERNEL_X86_VIRT_SVM_SVM_PRIV_H

#include "abi/vmcs.h"
#include "kernel/object/vcpu.h"
#include "kernel/x86/virt/svm/vmcb.h"
#include "kernel/x86/virt/virt.h"

/* The part of the save area that is kept aside while the processor checks what a monitor wrote. */
#define SVM_SHADOW_BYTES offsetof(struct vmcb_save, last_branch)

/* Why the next entry is not one of the short way. */
enum svm_attention {
    SVM_DIRTY = 1, /* a monitor wrote state since the processor last accepted it */
    SVM_NMI_WINDOW =
        2,             /* asked for, and NMIs are not blocked: it opens when nothing else happens */
    SVM_IRET_STEP = 4, /* the IRET that ends an NMI is to be stepped over */
};

struct svm_state {
    u64 primary;
    u64 pin, secondary, exit_controls, entry_controls;
    u64 exception_bitmap;
    u64 entry_info; /* VMX format, as passed to VMEnter */
    u64 entry_error;
    u64 entry_length;               /* of a software event's instruction */
    u64 perf_global_ctrl, pdpte[4]; /* these and the next two: kept, without effect */
    u32 smbase, preemption_timer;
    u32 instruction_error; /* of the last entry that was refused (SDM volume 3, 31.4) */
    u64 exit_rip;          /* rip at the last exit: another one at entry ends an interrupt shadow */
    u64 asid_generation;   /* 0: needs a fresh ASID */
    u64 nmi_blocking;      /* VMX_INTERRUPTIBILITY_NMI or 0 */
    u8 attention;          /* enum svm_attention */
    bool soft_event_advanced; /* rip was moved past the instruction of an injected software event */
    u8 shadow[SVM_SHADOW_BYTES];
};
_Static_assert(sizeof(struct svm_state) <= VCPU_BACKEND_BYTES, "fits the VCPU's backend state");

static inline struct svm_state *svm_state(struct vcpu *vcpu)
{
    return (struct svm_state *)vcpu->backend;
}

static inline struct vmcb *svm_vmcb(struct vcpu *vcpu)
{
    return vcpu_control_block(vcpu);
}

/* --- svm_controls.c: VMX control words to intercepts -------------------------------------------
 */

/* Always one, and possibly one, of the primary processor-based controls; the reasons are there. */
#define SVM_PRIMARY_FORCED                                                                         \
    (0x96006172ull | VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE | VMX_PRIMARY_RDPMC |            \
     VMX_PRIMARY_MWAIT | VMX_PRIMARY_MONITOR)
#define SVM_PRIMARY_ALLOWED                                                                        \
    (SVM_PRIMARY_FORCED | VMX_PRIMARY_INTERRUPT_WINDOW | VMX_PRIMARY_NMI_WINDOW |                  \
     VMX_PRIMARY_TSC_OFFSETTING | VMX_PRIMARY_HLT | VMX_PRIMARY_INVLPG | VMX_PRIMARY_RDTSC |       \
     VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE | VMX_PRIMARY_MOV_DR |                           \
     VMX_PRIMARY_UNCONDITIONAL_IO | VMX_PRIMARY_PAUSE)

static inline u64 svm_filter_primary(u64 value)
{
    return (value | SVM_PRIMARY_FORCED) & SVM_PRIMARY_ALLOWED;
}

/* What becomes of a value that is written to a field. */
u64 svm_filter(u64 encoding, u64 value);
void svm_apply_controls(struct vcpu *vcpu);
/* Puts the entry interruption information into the VMCB; false if the processor would refuse it. */
bool svm_inject(struct vcpu *vcpu);
/*
 * The last before an entry and the first after the exit. An external interrupt that the guest takes
 * at once goes in as a virtual interrupt instead of by EVENTINJ, which QEMU may deliver a second
 * time (docs/emulators.md, section 3). True: it has not been taken.
 */
void svm_make_virtual(struct vcpu *vcpu);
bool svm_take_back_virtual(struct vcpu *vcpu);

/* svm_fields.c */
bool svm_read_field(struct vcpu *vcpu, u64 field, u64 *value);
bool svm_write_field(struct vcpu *vcpu, u64 field, u64 value, u64 *written);
u64 *svm_msr(struct vcpu *vcpu, u64 msr, bool is_write);

/* Segment attributes as VMX access rights. */
static inline u64 svm_rights(u16 attributes)
{
    u64 rights = (attributes & 0xffu) | (u64)((attributes >> 8) & 0xfu) << 12;

    return attributes & VMX_AR_P ? rights : rights | VMX_AR_UNUSABLE;
}

/* --- svm_nmi.c ---------------------------------------------------------------------------------
 */

bool svm_nmi_window_is_open(struct vcpu *vcpu);
void svm_block_nmi(struct vcpu *vcpu, bool is_blocked);
enum guest_outcome svm_iret_exit(struct vcpu *vcpu);

/* What the step over an IRET has changed. */
struct svm_step {
    u64 flag; /* RFLAGS.TF as it was */
    u64 dr6;
};

/* Before the entry that is the step, and after its exit. The latter is true if the IRET has been
 * executed and the guest need not know of anything: then the exit is dealt with. */
void svm_step_begin(struct vcpu *vcpu, struct svm_step *step);
bool svm_step_end(struct vcpu *vcpu, const struct svm_step *step);

/* svm_exits.c: turns the VMCB's exit into vcpu->exit. */
enum guest_outcome svm_exit(struct vcpu *vcpu);

/* svm_enter.S: one world switch. The general registers but rax and rsp come from `registers` and go
 * to gpr (order of enum vcpu_gpr). Gives up this core's lock in between. */
void svm_enter(const u64 *registers, u64 vmcb_hpa, u64 host_vmcb_hpa, u64 *gpr);

#endif
