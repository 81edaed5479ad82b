/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See fpu.h. Two facts are kept per core beside the owner: whether CR0.TS is set, so that it is
 * written only when it changes, and whether XCR0 is the owning guest's. The guest's XCR0 stays
 * loaded while its own monitor runs; before any other thread runs it is taken out, so that nobody
 * sees it.
 *
 * While a guest runs the host's CR0.TS stays set: the owner is the guest, not the thread.
 * Sources: Intel SDM volume 1, chapter 13 (XSAVE); volume 3, section 2.5 (CR0.TS).
 */
#include "kernel/x86/fpu.h"

#include "kernel/core/core.h"
#include "kernel/core/panic.h"
#include "kernel/core/remote.h"
#include "kernel/object/tcb.h"
#include "kernel/object/vcpu.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/virt.h"
#include "lib/string.h"

#define XCR0_THREADS        3ull /* x87 and SSE */
#define FPU_CONTROL_WORD    0x37f
#define FPU_CONTROL_WORD_AT 0
#define MXCSR_RESET         0x1f80
#define MXCSR_AT            24

void fpu_area_init(u8 *area)
{
    u16 control_word = FPU_CONTROL_WORD;
    u32 mxcsr = MXCSR_RESET;

    memset(area, 0, FPU_AREA_BYTES);
    memcpy(area + FPU_CONTROL_WORD_AT, &control_word, sizeof(control_word));
    memcpy(area + MXCSR_AT, &mxcsr, sizeof(mxcsr));
}

/* --- the processor's side -------------------------------------------------------------------- */

static void set_trap(struct core *core, bool trap)
{
    if (core->switching.fpu_trapped == trap)
        return;
    if (trap)
        write_cr0(read_cr0() | CR0_TS);
    else
        clear_task_switched();
    core->switching.fpu_trapped = trap;
}

static void save_area(u8 *area, u64 components)
{
    if (cpu.xsave)
        __asm__ volatile("xsave64 (%0)"
                         :
                         : "r"(area), "a"((u32)components), "d"((u32)(components >> 32))
                         : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static void load_area(const u8 *area, u64 components)
{
    static const u32 zero;

    /* The previous owner's x87 pointers would stay: overwrite them with the kernel's. */
    if (cpu.fxsave_leaks)
        __asm__ volatile("fnclex; emms; fildl %0" : : "m"(zero));
    if (cpu.xsave)
        __asm__ volatile("xrstor64 (%0)"
                         :
                         : "r"(area), "a"((u32)components), "d"((u32)(components >> 32))
                         : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

/*
 * The guest may have changed its XCR0 without an exit: QEMU has no XSETBV intercept. It is read
 * back when it leaves the processor or somebody asks, not at each exit.
 */
static void keep_guest_xcr0(const struct core *core)
{
    if (cpu.xsave && core->guest_xcr0_loaded)
        core->fpu_owner_vcpu->xcr0 = read_xcr0();
}

/* XCR0 becomes the guest's, or the kernel's own with NULL. */
static void set_xcr0(struct core *core, const struct vcpu *guest)
{
    if (cpu.xsave)
        write_xcr0(guest ? guest->xcr0 : XCR0_THREADS);
    core->guest_xcr0_loaded = guest != NULL;
    if (guest)
        core->switching.guest_remains = true;
}

/* --- owners ---------------------------------------------------------------------------------- */

/*
 * A guest's state is saved and loaded with all components that any guest may have, whatever its
 * XCR0 says at the moment: one that it has switched off stays as it was, and none is left to the
 * next guest.
 */
static u64 begin_guest_transfer(void)
{
    if (!cpu.xsave)
        return XCR0_THREADS;
    write_xcr0(virt_guest_xcr0);
    return virt_guest_xcr0;
}

/* Brings the owner's state to memory; afterwards the FPU is nobody's and CR0.TS clear. */
static void save_owner(struct core *core)
{
    set_trap(core, false);
    if (core->fpu_owner_tcb) {
        save_area(core->fpu_owner_tcb->fpu_area, XCR0_THREADS);
    } else if (core->fpu_owner_vcpu) {
        keep_guest_xcr0(core);
        save_area(core->fpu_owner_vcpu->fpu_area, begin_guest_transfer());
        set_xcr0(core, NULL);
    }
    __atomic_store_n(&core->fpu_owner_tcb, NULL, __ATOMIC_RELEASE);
    core->fpu_owner_vcpu = NULL;
}

bool fpu_switch_to_thread(struct tcb *tcb)
{
    struct core *core = this_core();

    if (tcb->fpu_disabled)
        return false;
    if (core->fpu_owner_tcb != tcb) {
        save_owner(core);
        load_area(tcb->fpu_area, XCR0_THREADS);
        core->fpu_owner_tcb = tcb;
    }
    set_trap(core, false);
    return true;
}

void fpu_switch_to_vcpu(struct vcpu *vcpu)
{
    struct core *core = this_core();

    if (core->fpu_owner_vcpu == vcpu) {
        if (!core->guest_xcr0_loaded)
            set_xcr0(core, vcpu);
        return;
    }
    save_owner(core);
    if (!vcpu->fpu_valid) {
        fpu_area_init(vcpu->fpu_area);
        vcpu->fpu_valid = true;
    }
    load_area(vcpu->fpu_area, begin_guest_transfer());
    set_xcr0(core, vcpu);
    core->fpu_owner_vcpu = vcpu;
    set_trap(core, true);
}

void fpu_thread_changed(struct tcb *tcb)
{
    struct core *core = this_core();

    if (core->guest_xcr0_loaded && core->fpu_owner_vcpu != tcb->vcpu) {
        keep_guest_xcr0(core);
        set_xcr0(core, NULL);
    }
    set_trap(core, core->fpu_owner_tcb != tcb || tcb->fpu_disabled);
}

/* --- objects that go ------------------------------------------------------------------------- */

static void release_here(u64 a, u64 b)
{
    struct core *core = this_core();

    (void)a;
    (void)b;
    save_owner(core);
    set_trap(core, true);
}

/* Its core may give the FPU to a guest at any time, without a lock: the state is in memory then. */
void fpu_release_thread(struct tcb *tcb)
{
    if (__atomic_load_n(&cores[tcb->core].fpu_owner_tcb, __ATOMIC_ACQUIRE) == tcb)
        remote_run(BIT(tcb->core), release_here, 0, 0);
}

void fpu_release_vcpu(struct vcpu *vcpu)
{
    if (this_core()->fpu_owner_vcpu == vcpu)
        release_here(0, 0);
}

void fpu_settle_xcr0(struct vcpu *vcpu)
{
    if (this_core()->fpu_owner_vcpu == vcpu)
        keep_guest_xcr0(this_core());
}
