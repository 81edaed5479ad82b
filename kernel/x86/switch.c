/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the processor has to hold for the thread that runs, beside the registers that the entry
 * stubs exchange: the address space, the FS and GS bases, the FPU's owner, and nothing of another's
 * guest.
 */
#include "kernel/core/core.h"
#include "kernel/object/tcb.h"
#include "kernel/object/vcpu.h"
#include "kernel/sched/sched.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/entry.h"
#include "kernel/x86/fpu.h"
#include "kernel/x86/switch_priv.h"
#include "kernel/x86/virt/virt.h"

/*
 * Only user code with FSGSBASE changes its bases itself; otherwise they are what the kernel loaded.
 * A thread whose object has just been destroyed may still be `loaded`: its memory is not anybody
 * else's before the system call that destroyed it has ended.
 */
static void save_bases(struct core *core)
{
    if (core->loaded && cpu.fsgsbase) {
        core->loaded->context.fs_base = read_fs_base();
        core->loaded->context.gs_base = read_user_gs_base();
    }
    core->loaded = NULL;
    core->switching.has_bases = false;
}

/*
 * Selectors that one thread has loaded are not the next one's to see. Loading FS or GS clears a
 * base.
 */
static void clear_selectors(void)
{
    if (!selectors_in_use())
        return;
    /* Between SWAPGS the user's GS is loaded, so that the kernel's base stays. */
    __asm__ volatile("movl %0, %%ds\n\t"
                     "movl %0, %%es\n\t"
                     "movl %0, %%fs\n\t"
                     "swapgs\n\t"
                     "movl %0, %%gs\n\t"
                     "swapgs"
                     :
                     : "r"(0)
                     : "memory");
}

static void load_bases(struct core *core, struct tcb *tcb)
{
    clear_selectors();
    if (cpu.fsgsbase) {
        write_fs_base(tcb->context.fs_base);
        write_user_gs_base(tcb->context.gs_base);
    } else {
        wrmsr(MSR_FS_BASE, tcb->context.fs_base);
        wrmsr(MSR_KERNEL_GS_BASE, tcb->context.gs_base);
    }
    core->loaded = tcb;
    core->switching.has_bases = cpu.fsgsbase;
}

static void switch_thoroughly(struct core *core, struct tcb *tcb)
{
    switch_root(core, tcb_known(tcb)->root);
    if (core->loaded != tcb) {
        save_bases(core);
        load_bases(core, tcb);
    }
    if (core->loaded_vcpu && core->loaded_vcpu != tcb->vcpu)
        virt->unload();
    fpu_thread_changed(tcb);
    core->switching.guest_remains = core->loaded_vcpu || core->guest_xcr0_loaded;
}

/* Those of another thread are loaded. */
static void exchange_bases(struct core *core, struct tcb *to)
{
    struct user_context *from = &core->loaded->context;

    from->fs_base = read_fs_base();
    write_fs_base(to->context.fs_base);
    from->gs_base = exchange_user_gs_base(to->context.gs_base);
    core->loaded = to;
}

void arch_switch_to_thread(struct tcb *tcb)
{
    struct core *core = this_core();

    if (core->loaded != tcb && switch_is_usual(core, tcb)) {
        switch_root(core, tcb->known.root);
        exchange_bases(core, tcb);
    } else {
        switch_thoroughly(core, tcb);
    }
}

/* The address space stays: idling touches no user memory, and often the same thread comes back. */
void arch_switch_to_idle(struct tcb *idle)
{
    (void)idle;
    save_bases(this_core());
    apic_look_again();
}
