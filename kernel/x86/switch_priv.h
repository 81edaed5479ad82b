/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The usual switch from one thread to another: nothing is to be looked up, and nothing changes but
 * address space and FS and GS bases. For the two places that do it (switch.c, resume.c).
 * Locking: this core's lock.
 */
#ifndef KERNEL_X86_SWITCH_PRIV_H
#define KERNEL_X86_SWITCH_PRIV_H

#include "kernel/core/core.h"
#include "kernel/object/tcb.h"
#include "kernel/x86/cpu.h"

static inline bool selectors_in_use(void)
{
    u32 used, other;
    bool in_use;

    __asm__ volatile("movl %%ds, %0\n\t"
                     "movl %%es, %1\n\t"
                     "orl %1, %0\n\t"
                     "movl %%fs, %1\n\t"
                     "orl %1, %0\n\t"
                     "movl %%gs, %1\n\t"
                     "orl %1, %0"
                     : "=&r"(used), "=&r"(other), "=@ccnz"(in_use));
    return in_use;
}

static inline u32 switching_word(const struct switching *switching)
{
    u32 word;

    _Static_assert(sizeof(*switching) == sizeof(word), "one word");
    __builtin_memcpy(&word, switching, sizeof(word));
    return word;
}

static inline bool switch_is_usual(const struct core *core, const struct tcb *tcb)
{
    const struct switching usual = { .fpu_trapped = true, .has_bases = true };

    return tcb_is_known(tcb) && switching_word(&core->switching) == switching_word(&usual) &&
           core->fpu_owner_tcb != tcb && !selectors_in_use();
}

static inline void switch_root(struct core *core, hpa_t root)
{
    if (core->root == root.raw)
        return;
    core->root = root.raw;
    write_cr3(root.raw);
}

#endif
