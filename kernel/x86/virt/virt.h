/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What VT-x and AMD-V have in common: one table of operations, chosen at boot and read-only after.
 * The vocabulary above this line is the API's: VMCS field encodings are the names of fields, exits
 * are VMX basic exit reasons with their qualifications. Nothing above knows who made the CPU.
 * Locking: the lock of the core that runs the VCPU's thread, except where all cores' are named.
 */
#ifndef KERNEL_X86_VIRT_VIRT_H
#define KERNEL_X86_VIRT_VIRT_H

#include "kernel/core/core.h"
#include "kernel/vspace/vspace.h"

struct user_context;
struct vcpu;

/* What became of one attempt to run the guest. */
enum guest_outcome {
    GUEST_EXIT,      /* vcpu->exit says why; the monitor must know */
    GUEST_INTERRUPT, /* an interrupt waits for this core */
    GUEST_RESUME,    /* dealt with here; enter again */
};

struct virt_backend {
    const char *name;
    enum nested_format nested_format;

    /* Whether the CPU has what the backend needs; says on the console what it lacks. */
    bool (*probe)(void);
    void (*init_core)(void);
    /* Fresh guest state in a zeroed control block. All cores' locks. */
    void (*create)(struct vcpu *vcpu);
    /* From now on its own I/O bitmap says which ports are intercepted; before that all are. */
    void (*use_io_bitmap)(struct vcpu *vcpu);
    /* This core's processor holds the VCPU's debug registers from now on, or not any more: then its
     * accesses to them exit. */
    void (*debug_moved)(struct vcpu *vcpu);
    /* Nothing of the VCPU stays in this core's processor. All cores' locks are held. */
    void (*leave_core)(struct vcpu *vcpu);

    /* Fields by VMCS encoding. False: no such field, or not in this direction. *written: the value
     * after filtering by what the processor fixes. */
    bool (*read_field)(struct vcpu *vcpu, u64 field, u64 *value);
    bool (*write_field)(struct vcpu *vcpu, u64 field, u64 value, u64 *written);
    /* Where an MSR is that may be read, or written: the caller then does. NULL: there is none. */
    u64 *(*msr)(struct vcpu *vcpu, u64 msr, bool is_write);

    /* The first three words of VMEnter's message. */
    void (*set_entry)(struct vcpu *vcpu, u64 rip, u64 primary_controls, u64 interruption_info);
    /* Of a VCPU with a virtual APIC: adds to its IRR; whether IRR has what ends a HLT. */
    void (*post_interrupts)(struct vcpu *vcpu, const u64 set[4]);
    bool (*interrupt_wakes)(struct vcpu *vcpu);
    /*
     * Enters once, interrupts off before and after. registers are the guest's general ones, in the
     * order of enum vcpu_gpr: vcpu->gpr, or a message to the same effect, each word of which is
     * read once. With this core's lock, which is released when they have been read.
     */
    enum guest_outcome (*run)(struct vcpu *vcpu, hpa_t nested_root, const u64 *registers);
    /* A thread that does not run core->loaded_vcpu goes on in user mode: nothing of the guest that
     * it could read may stay in the processor. */
    void (*unload)(void);
    /* What every answer tells: words 0 to 2, as for set_entry, in the registers they travel in, and
     * in words 7 to 9 rflags, interruptibility and cr3. */
    void (*answer_state)(struct vcpu *vcpu, struct user_context *context, u64 words[3]);
    /* Words 27 to 30: cr0, cr4, efer, cs. */
    void (*decode_state)(struct vcpu *vcpu, u64 words[4]);

    /* That core's translations of all guests are stale from its next entry on. Another core may
     * call this; all cores' locks. */
    void (*flush_nested)(unsigned core);
};

extern const struct virt_backend svm_backend, vmx_backend;
/* The one that is in use; NULL on a machine without VT-x and AMD-V. */
extern const struct virt_backend *virt;
/* VCPUs may have a virtual APIC. Fixed after virt_init. */
extern bool virt_has_virtual_apic;

/* Probes the CPU, chooses the backend, sets nested_format. Says on the console what is missing. */
void virt_init(void);
/* Each core: turns virtualisation on. */
void virt_init_core(void);

static inline bool virt_available(void)
{
    return virt != NULL;
}

/* --- virt_debug.c: DR0-DR3, of which this core's processor holds one VCPU's; TSC_AUX ---------- */

static inline bool virt_debug_loaded(const struct vcpu *vcpu)
{
    return this_core()->debug_owner == vcpu;
}

/* Brings them back into vcpu->dr if the processor holds them. */
void virt_debug_sync(struct vcpu *vcpu);
/* Puts vcpu->dr into the processor, which holds them from now on; and the reverse. */
void virt_debug_load(struct vcpu *vcpu);
void virt_debug_leave(struct vcpu *vcpu);

/*
 * Before an entry. A guest whose breakpoints are enabled needs its own from the first instruction
 * on; one that only looks at them gets them when it does.
 */
static inline void virt_debug_prepare(struct vcpu *vcpu, u64 dr7)
{
    if ((dr7 & 0xff) && !virt_debug_loaded(vcpu))
        virt_debug_load(vcpu);
}

void virt_change_tsc_aux(u64 value);

/* TSC_AUX, of the guest that runs here; a thread's is 0. */
static inline void virt_load_tsc_aux(u64 value)
{
    if (this_core()->tsc_aux != value)
        virt_change_tsc_aux(value);
}

/* --- what the architecture says --------------------------------------------------------------- */

#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_UD  6
#define VECTOR_PF  14
#define VECTOR_AC  17
#define VECTOR_MC  18

#define DR6_RESET    0xffff0ff0ull
#define DR7_RESET    0x400ull
#define PAT_RESET    0x0007040600070406ull
#define RFLAGS_RESET 2ull

/* --- what guests may have -------------------------------------------------------------------- */

/* CR4 bits that a guest may have: without what would give it state that nobody switches (PKE, CET,
 * PKS, user interrupts), 5-level paging, and VMXE. */
#define VIRT_GUEST_CR4 0x370fffull

/* XCR0 bits that a guest may have: those whose state fits a VCPU's area. Fixed after virt_init. */
extern u64 virt_guest_xcr0;

#define XCR0_X87    BIT(0)
#define XCR0_SSE    BIT(1)
#define XCR0_AVX    BIT(2)
#define XCR0_AVX512 (BIT(5) | BIT(6) | BIT(7))

/* The combinations that XSETBV accepts (SDM volume 1, 13.3), within what guests may have. */
static inline bool virt_xcr0_is_valid(u64 value)
{
    if (!(value & XCR0_X87) || (value & ~virt_guest_xcr0))
        return false;
    if ((value & XCR0_AVX) && !(value & XCR0_SSE))
        return false;
    return !(value & XCR0_AVX512) || ((value & XCR0_AVX512) == XCR0_AVX512 && (value & XCR0_AVX));
}

#endif
