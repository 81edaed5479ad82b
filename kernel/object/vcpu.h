/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual CPU: guest state, the thread that runs it, its timer, and the intercepted I/O ports.
 * The vendor's half (VMCS or VMCB and what goes with it) is behind kernel/x86/virt/virt.h.
 *
 *      offset 0      4 KiB   VMCS (VT-x) or VMCB (AMD-V)
 *      offset 4096   8 KiB   I/O permission bitmap, all ones = all intercepted; in use, and
 *                            filled, from the first port on that is opened to the guest
 *      offset 12288  64 B    AMD-V's bitmap extends into these (accesses that cross port 0xffff):
 *                            all ones
 *      offset 12352          struct vcpu
 *
 * Objects    16 KiB from an untyped. Bound to one thread at a time; dies with its last capability.
 * Invariants
 *  I1  vcpu->tcb->vcpu == vcpu whenever vcpu->tcb is set.
 *  I2  A clear bit in the I/O bitmap belongs to an I/O port capability that holds this VCPU's
 *      handle.
 *  I3  A VCPU is in the list of halted VMs of its thread's core exactly while that thread is in
 *      THREAD_HALTED_VM. The list is ordered by deadline.
 *  I4  The guest's general registers are in gpr whenever the kernel runs, but from VMEnter to the
 *      entry, when they are in the message.
 *  I5  Only the processor of its thread's core ever holds anything of a VCPU; of one without a
 *      thread none does.
 * Locking    the lock of the thread's core on entry and exit, none while the guest runs: then the
 *            VCPU is its core's, until that has stopped the thread; all cores' locks for the rest
 * Sources    ABI section 11; abi/vcpu.h for Bulkhead's extensions
 */
#ifndef KERNEL_OBJECT_VCPU_H
#define KERNEL_OBJECT_VCPU_H

#include "kernel/object/cap.h"

struct tcb;

#define VCPU_SIZE_BITS        14
#define VCPU_IO_BITMAP_OFFSET 4096
#define VCPU_IO_BITMAP_BYTES  8192
#define VCPU_GUARD_BYTES      64
#define VCPU_STATE_OFFSET     (VCPU_IO_BITMAP_OFFSET + VCPU_IO_BITMAP_BYTES + VCPU_GUARD_BYTES)

#define VCPU_FPU_AREA_BYTES 2752 /* XSAVE standard format up to AVX-512 and PKRU */
#define VCPU_BACKEND_BYTES  816  /* the backend's own state */
#define VCPU_GPR_COUNT      15

/* Guest general registers, in the order of the API's messages. */
enum vcpu_gpr {
    GPR_RAX,
    GPR_RBX,
    GPR_RCX,
    GPR_RDX,
    GPR_RSI,
    GPR_RDI,
    GPR_RBP,
    GPR_R8,
    GPR_R9,
    GPR_R10,
    GPR_R11,
    GPR_R12,
    GPR_R13,
    GPR_R14,
    GPR_R15,
};

/* Why the guest stopped, in VMX terms: the backend fills it at each exit that goes to the monitor.
 */
struct vcpu_exit {
    u64 reason;
    u64 qualification;
    u64 instruction_length;
    u64 guest_physical;
    u64 interruption_info;
    u64 interruption_error;
    u64 vectoring_info;
    u64 vectoring_error;
    bool detailed; /* an extended message carries events and modes, too (abi/vcpu.h) */
};

/* An exit of which nothing is known yet. An error code counts only with its information word. */
static inline void vcpu_exit_begin(struct vcpu_exit *exit)
{
    exit->qualification = 0;
    exit->instruction_length = 0;
    exit->guest_physical = 0;
    exit->interruption_info = 0;
    exit->vectoring_info = 0;
    exit->detailed = false;
}

struct vcpu {
    u64 gpr[VCPU_GPR_COUNT];
    struct tcb *tcb;
    struct vcpu *halted_next, **halted_at; /* its core's halted VMs, by deadline; who points here */
    ticks_t deadline;
    u32 io_handle;      /* names this VCPU in I/O port capabilities; 0: none yet */
    u32 activity;       /* 0 active, 1 HLT */
    bool has_io_bitmap; /* some port was opened once */
    bool exited;       /* exit has not been told to the monitor, who hears of nothing else before */
    bool extended;     /* the last entry was an extended one: answers are, too */
    bool fpu_valid;    /* fpu_area holds a state (or the CPU does) */
    bool virtual_apic; /* the processor has its local APIC (abi/vcpu.h) */
    u64 xcr0;
    u64 tsc_aux;
    u64 dr[4];
    struct vcpu_exit exit;

    u8 backend[VCPU_BACKEND_BYTES] __attribute__((aligned(16)));
    u8 fpu_area[VCPU_FPU_AREA_BYTES] __attribute__((aligned(64)));
};
_Static_assert(VCPU_STATE_OFFSET % 64 == 0, "the FPU area is aligned in the object");
_Static_assert(VCPU_STATE_OFFSET + sizeof(struct vcpu) <= BIT(VCPU_SIZE_BITS), "published size");

static inline struct vcpu *cap_vcpu(struct cap cap)
{
    return (struct vcpu *)((u8 *)cap_object(cap) + VCPU_STATE_OFFSET);
}

/* From a message, each word read once; or from gpr itself. */
static inline void vcpu_take_registers(struct vcpu *vcpu, const u64 *registers)
{
#pragma GCC unroll 15
    for (unsigned i = 0; i < VCPU_GPR_COUNT; i++)
        vcpu->gpr[i] = __atomic_load_n(&registers[i], __ATOMIC_RELAXED);
}

/* The VMCS or VMCB page, and the I/O bitmap. */
static inline void *vcpu_control_block(struct vcpu *vcpu)
{
    return (u8 *)vcpu - VCPU_STATE_OFFSET;
}

static inline u8 *vcpu_io_bitmap(struct vcpu *vcpu)
{
    return (u8 *)vcpu_control_block(vcpu) + VCPU_IO_BITMAP_OFFSET;
}

/* Makes the VCPU in zeroed memory. */
void vcpu_create(void *base);
/* The last capability has gone. */
void vcpu_finalise(struct vcpu *vcpu);
/* Binds to the thread; whatever either was bound to before is undone. */
void vcpu_bind(struct vcpu *vcpu, struct tcb *tcb);
/* The bound thread is going, or is bound to another VCPU. */
void vcpu_unbind(struct vcpu *vcpu);

/* All that is known of the VCPU is in memory, or in this core's processor, and its guest stands. */
void vcpu_settle(struct vcpu *vcpu);
/* The thread moves to another core: before, and after. */
void vcpu_leave_core(struct vcpu *vcpu);
void vcpu_enter_core(struct vcpu *vcpu);

/*
 * VMEnter by the current thread, with this core's lock. Touches nothing but this core's, so that is
 * enough, and the time is not read (ABI section 2.3): what the monitor used is charged with what
 * the guest will use. A guest that sleeps in HLT leaves the core to others.
 * Leaves the kernel, to the monitor or for an interrupt that waits, or returns with the lock held.
 * False: the thread has no VCPU, or has been stopped by another core.
 */
bool vcpu_enter(void);
/*
 * Runs the guest of the current thread, which is in THREAD_RUNNING_VM, until it exits. Afterwards
 * the thread is RUNNING with the exit as its message, or an interrupt is pending and it is still
 * RUNNING_VM, or another core has stopped the thread and this one has chosen anew. Called without
 * lock; returns with this core's lock held.
 */
void vcpu_run(void);
/*
 * thread is in RUNNING_VM or HALTED_VM and its bound notification was signalled: it returns to its
 * monitor with this badge (message written, state RUNNING, not yet queued).
 */
void vcpu_notify(struct tcb *thread, u64 badge);
/* The thread leaves HALTED_VM: takes it off its core's list. No-op otherwise. */
void vcpu_stop(struct tcb *thread);
/* When the guest's run or sleep is to end, at the latest. */
void vcpu_set_deadline(struct vcpu *vcpu, ticks_t deadline);
/* The earliest deadline of this core's halted VMs and of the current thread's guest, or all ones.
 */
ticks_t vcpu_next_deadline(void);
/* Ends the sleep or the run of the VMs of this core whose deadline has passed. */
void vcpu_timers_expire(ticks_t now);

/* Opens ports first..last (inclusive) to the guest; returns the handle for the capability. */
u32 vcpu_map_io_ports(struct vcpu *vcpu, u16 first, u16 last);
/* Intercepts ports first..last again. */
void vcpu_intercept_io_ports(struct vcpu *vcpu, u16 first, u16 last);
/* An I/O port capability goes, or is mapped elsewhere: intercepts its range again. */
void vcpu_unmap_io_ports(struct cap io_port);

#endif
