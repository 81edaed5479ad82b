/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short way out of the kernel to another thread (entry.h). It never returns, so it preserves no
 * registers and has no stack frame: the build says so to the compiler.
 */
#include "kernel/sched/sched.h"
#include "kernel/x86/entry.h"
#include "kernel/x86/switch_priv.h"

static __attribute__((noinline, cold)) NORETURN void switch_thoroughly_and_resume(struct tcb *tcb)
{
    arch_switch_to_thread(tcb);
    kernel_resume(tcb);
}

void kernel_switch_and_resume(struct tcb *tcb, struct core *core)
{
    struct tcb *before = core->loaded;

    if (!switch_is_usual(core, tcb))
        switch_thoroughly_and_resume(tcb);
    switch_root(core, tcb->known.root);
    core->loaded = tcb;
    kernel_exchange_and_resume(tcb, core, before);
}
