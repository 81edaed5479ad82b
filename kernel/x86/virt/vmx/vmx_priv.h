/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VT-x backend's own state of a VCPU, and its parts: vmx.c (boot, life), the run, controls,
 * fields, exits, the virtual APIC.
 *
 * Most of a guest's state is in its VMCS and nowhere else. Memory has what a VMCS lacks, what the
 * kernel puts together with wishes of its own before it gets there (controls, masks), and a copy of
 * what every exit tells, so that an answer needs no VMCS:
 *  I1  While the guest stands, rip, rflags, interruptibility and cr3 are what it has; where they
 *      differ from the VMCS, attention says so, but for rip, which each entry writes.
 *  I2  A VMCS is active on no core but that of its VCPU's thread (kernel/object/vcpu.h, I5).
 * Locking: as virt.h.
 */
#ifndef KERNEL_X86_VIRT_VMX_VMX_PRIV_H
#define KERNEL_X86_VIRT_VMX_VMX_PRIV_H

#include "abi/vmcs.h"
#include "kernel/object/vcpu.h"
#include "kernel/x86/virt/virt.h"
#include "kernel/x86/virt/vmx/vmx_capabilities.h"

#define VMX_SHADOWS ((u64)(VMX_INTERRUPTIBILITY_STI | VMX_INTERRUPTIBILITY_MOV_SS))

/* What the next entry has to do first. With none of it, an entry is a usual one. */
enum vmx_attention {
    VMX_CONTROLS = 1, /* write all that vmx_apply_controls writes */
    VMX_SHADOW = 2,   /* write interruptibility */
    VMX_RETAG = 4,    /* cached translations are not those of the guest's registers any more */
    VMX_HOST = 8,     /* write the core's host state: it was on another core, or on none */
    VMX_MSRS = 16,    /* see which MSRs are to be exchanged */
    VMX_APIC = 32,    /* registers of the virtual APIC have changed */
    /* And what each entry has to do while it is so. */
    VMX_SYSCALL_MSRS = 256, /* exchange STAR and SFMASK: the guest's are not those that we have */
    VMX_DR6 = 512,          /* exchange it: the debug registers are the guest's */
    VMX_NMI_WINDOW = 1024,  /* is the NMI window open that the monitor waits for? */
    VMX_LASTING = VMX_SYSCALL_MSRS | VMX_DR6 | VMX_NMI_WINDOW,
};

/* What the processor uses of a virtual APIC: registers 08h (TPR) to 27h (the end of IRR). */
#define VMX_APIC_FIRST     0x08u
#define VMX_APIC_REGISTERS 0x20u

struct table_register {
    u16 limit;
    u64 base;
} __attribute__((packed));

struct vmx_state {
    u64 kernel_rsp; /* while the guest runs; vmx_enter.S */
    u64 rip, rflags, interruptibility, cr3;
    /* As the API shows them; the entry controls are in the VMCS, which changes them itself. */
    u64 pin, primary, secondary, exit_controls;
    u64 exception_bitmap;
    u64 cr0_mask, cr0_shadow, cr4_mask, cr4_shadow;
    u64 cr0_cache; /* CR0.CD and NW, which belong to no guest, as the guest believes them to be */
    u64 entry_info, entry_error, entry_length;
    u64 cr2, dr6;
    u64 star, lstar, cstar, sfmask, kernel_gs_base;
    u32 lstar_low, lstar_high; /* what is loaded: canonical */
    u64 perf_global_ctrl;      /* this and the next: kept for the monitor, without effect */
    u64 preemption_timer;
    hpa_t nested_root;              /* what the VMCS's EPTP means */
    u64 host_cr3, host_fs_base;     /* as in the VMCS */
    u64 vpid_generation;            /* 0: needs a fresh VPID */
    u64 flush_generation;           /* 0: what is cached of the nested root may be stale */
    u32 instruction_error;          /* of the last entry that was refused */
    u32 apic[VMX_APIC_REGISTERS];   /* the virtual APIC, unless this core's page has it */
    u64 user_gs_base;               /* the monitor's, while the guest runs */
    struct table_register host_gdt; /* its core's */
    u16 attention;                  /* enum vmx_attention */
    bool launched;                  /* entered since it came to this core */
};
_Static_assert(sizeof(struct vmx_state) <= VCPU_BACKEND_BYTES, "fits the VCPU's backend state");
_Static_assert(offsetof(struct vmx_state, kernel_rsp) == 0, "vmx_enter.S");

static inline struct vmx_state *vmx_state(struct vcpu *vcpu)
{
    return (struct vmx_state *)vcpu->backend;
}

/* Of what is lasting. */
static inline void vmx_set_lasting(struct vmx_state *state, enum vmx_attention bit, bool on)
{
    state->attention = (u16)(on ? state->attention | bit : state->attention & ~bit);
}

/*
 * What each core has for its guests. Its own core writes it; what is marked [all], others do, too,
 * with all cores' locks, before the core is interrupted if it may be running a guest.
 */
struct vmx_core {
    struct vcpu *prepared; /* the last that was entered, if nothing has come between [all: NULL] */
    struct vcpu *current;  /* whose VMCS is the current one */
    struct vcpu *apic_owner; /* whose registers are in the core's virtual-APIC page */
    u64 flush_generation;    /* what is cached of a nested root since an older one is stale [all] */
    u64 vpid_generation;     /* a VPID of an older one is somebody else's */
    u32 next_vpid;
    struct table_register gdt, idt;
    u64 tss;
} __attribute__((aligned(64))); /* cores share no cache line */

static inline struct vmx_core *vmx_core(void)
{
    return this_core()->virt;
}

/* Of the machine, the same on every core: fixed after vmx_probe. */
struct vmx_host {
    u64 star, sfmask; /* the kernel's own */
};

extern struct vmx_host vmx_host;
extern struct vmx_capabilities vmx_capabilities;

/* --- vmx_controls.c ---------------------------------------------------------------------------
 */

/* What becomes of a value that is written to a field. */
u64 vmx_filter(u64 encoding, u64 value);
u64 vmx_filter_primary(u64 value);
/* Writes all controls to the VMCS, which is current. */
void vmx_apply_controls(struct vcpu *vcpu);

/* How long a guest stays at most before interrupts get a chance; fixed at boot. */
extern u64 vmx_slice;

#define CR0_CACHE (BIT(29) | BIT(30)) /* NW, CD */

/* --- vmx_fields.c: called with the VMCS current ------------------------------------------------
 */

/* A VMCS's fields hold anything at first. */
void vmx_clear_fields(void);
bool vmx_read_current(struct vcpu *vcpu, u64 field, u64 *value);
bool vmx_write_current(struct vcpu *vcpu, u64 field, u64 value, u64 *written);
u64 *vmx_msr(struct vcpu *vcpu, u64 msr, bool is_write);
/*
 * The guest's MSR of SYSCALL, or NULL: it is loaded at each entry, and the kernel knows it because
 * writes exit. CSTAR is never loaded: SYSCALL does not use it on these processors.
 */
u64 *vmx_syscall_msr(struct vmx_state *state, u64 msr);

static inline u64 vmx_canonical(u64 address)
{
    return (u64)((s64)(address << 16) >> 16);
}

/* --- vmx_exits.c -------------------------------------------------------------------------------
 */

/* Makes of the current VMCS's exit what vcpu->exit tells. rip and what else every exit has are
 * read. */
enum guest_outcome vmx_exit(struct vcpu *vcpu, u64 reason);

/* --- vmx_apic.c: the virtual APIC; fields are called with the VMCS current ---------------------
 */

/* Opens an MSR to guests. One bit for each (25.6.9): reads of 0-1fffh, of c0000000h-, then writes
 * of these. */
static inline void vmx_msr_allow(u8 *bitmap, u32 msr, bool read, bool write)
{
    u32 bit = msr < 0x2000 ? msr : 8 * 1024 + (msr - 0xc0000000u);

    if (read)
        bitmap[bit / 8] &= (u8) ~(1u << (bit % 8));
    if (write)
        bitmap[2048 + bit / 8] &= (u8) ~(1u << (bit % 8));
}

/* This core's virtual-APIC page. */
hpa_t vmx_apic_page(void);
/* Makes of an MSR bitmap that intercepts all APIC registers one that leaves them to the processor
 * as far as it has them. */
void vmx_apic_open_msrs(u8 *bitmap);
/* Before an entry: the page has this VCPU's registers. */
void vmx_apic_prepare(struct vcpu *vcpu);
/* This core's page does not have the VCPU's registers any more. */
void vmx_apic_leave(struct vcpu *vcpu);
void vmx_apic_post(struct vcpu *vcpu, const u64 set[4]);
bool vmx_apic_wakes(struct vcpu *vcpu);
/* False: no such field. */
bool vmx_apic_read_field(struct vcpu *vcpu, u64 field, u64 *value);
bool vmx_apic_write_field(struct vcpu *vcpu, u64 field, u64 value, u64 *written);

/* --- vmx.c -------------------------------------------------------------------------------------
 */

void vmx_change_current(struct vmx_core *core, struct vcpu *vcpu);

static inline void vmx_make_current(struct vcpu *vcpu)
{
    if (vmx_core()->current != vcpu)
        vmx_change_current(vmx_core(), vcpu);
}

/* Its VMCS is in memory, and active nowhere. */
void vmx_to_memory(struct vcpu *vcpu);
hpa_t vmx_msr_bitmap(const struct vcpu *vcpu);
/* Runs the handler of an NMI that has ended a guest's run. */
void vmx_host_nmi(void);

/* --- vmx_run.c: as virt.h says of them --------------------------------------------------------
 */

void vmx_set_entry(struct vcpu *vcpu, u64 rip, u64 primary_controls, u64 interruption_info);
enum guest_outcome vmx_run(struct vcpu *vcpu, hpa_t nested_root, const u64 *registers);
void vmx_answer_state(struct vcpu *vcpu, struct user_context *context, u64 words[3]);
void vmx_decode_state(struct vcpu *vcpu, u64 words[4]);
/* The exit is of an entry that the processor began and gave up (27.8). */
enum guest_outcome vmx_entry_failed(struct vcpu *vcpu, u64 reason);

/*
 * vmx_enter.S: one world switch, into a VMCS that was entered since it came to this core, or one
 * that was not. The general registers come from `registers` and go to gpr (order of enum vcpu_gpr).
 * Gives up this core's lock in between, and returns what these two say:
 */
enum guest_outcome vmx_resume(u64 *gpr, const u64 *registers);
enum guest_outcome vmx_launch(u64 *gpr, const u64 *registers);
/* After an exit; when the processor has refused (VMfail). */
enum guest_outcome vmx_left(struct vcpu *vcpu);
enum guest_outcome vmx_refused(struct vcpu *vcpu);
extern const u8 vmx_exit_point[];

#endif
