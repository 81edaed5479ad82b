/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each core has for itself. GS base points here while the kernel runs.
 *
 * Locking: a field is read and written by its own core under that core's lock; by others under all
 * cores' locks, and written by them only where that is marked [all]. What a core's current thread
 * has (its context, its guest) is that core's own even without the lock, until the core is asked to
 * stop it (kernel/sched/remote.c). docs/concurrency.md has the rest.
 */
#ifndef KERNEL_CORE_CORE_H
#define KERNEL_CORE_CORE_H

#include "kernel/core/config.h"
#include "kernel/core/types.h"

struct sched_context;
struct tcb;
struct vcpu;

struct ready_queue {
    struct tcb *head, *tail;
};

/*
 * Ticket locks: cores get a lock in the order in which they asked. The holder alone writes
 * now_serving, so releasing needs no locked instruction.
 * Pairing: the release store of now_serving (ticket_release in lock.h, and where entry.S leaves the
 * kernel) with the acquire load in ticket_take and in entry.S's syscall_entry.
 */
struct ticket_lock {
    u32 next_ticket;
    u32 now_serving;
} __attribute__((aligned(64)));

/*
 * What a switch between two threads has to see to beside address space and bases: bytes that are
 * looked at as one word (kernel/x86/switch_priv.h).
 */
struct switching {
    bool fpu_trapped;   /* CR0.TS is set */
    bool guest_remains; /* XCR0 is a guest's, or loaded_vcpu is set, or was since the last look */
    bool has_bases;     /* `loaded` is set, and its bases are read and written by instructions */
    bool spare;
} __attribute__((aligned(4)));

struct core {
    struct core *self; /* first: what %gs:0 reads */
    u64 kernel_stack;  /* top; the entry stub loads it */
    u64 user_rsp;      /* scratch of the SYSCALL stub */
    struct tcb *current;
    struct sched_context *current_sc; /* whose budget is charged now */
    unsigned id;
    u32 apic_id;
    unsigned held_locks; /* enum held_locks */
    unsigned work_units; /* since the last look for an interrupt (preempt.c) */
    u64 root;            /* CR3 (kernel/x86/switch.c, tlb.c) */
    struct tcb *loaded;  /* whose FS and GS bases the CPU holds, NULL: nobody's that must be kept */

    /* Scheduling (kernel/sched). */
    struct tcb *idle;
    struct tcb *next;       /* NULL: go on with current; else switch to it [all: to NULL] */
    bool choose_new;        /* pick from the ready queues [all] */
    bool reprogram;         /* the timer's deadline must be computed again [all] */
    ticks_t now;            /* time of the last update */
    ticks_t timer_deadline; /* what the timer is set to */
    ticks_t consumed;       /* by current_sc since it was last charged */
    u8 ready_floor;         /* the highest priority of a ready thread; 0 if none is ready */
    u64 ready_top;          /* bit i: some queue in ready_words[i] is non-empty; queues: [all] */
    u64 ready_words[CONFIG_PRIORITIES / 64];
    struct ready_queue ready[CONFIG_PRIORITIES];
    struct tcb
        *release_head; /* whose refill comes first; the root of a heap (kernel/sched/release.c) */
    unsigned release_count;
    struct vcpu *halted_vms; /* VCPUs whose thread is in THREAD_HALTED_VM */

    /* Who owns what the CPU holds (kernel/x86/fpu.h, virt/virt.h). */
    struct tcb *fpu_owner_tcb;
    struct vcpu *fpu_owner_vcpu;
    struct switching switching;
    bool guest_xcr0_loaded; /* XCR0 is fpu_owner_vcpu's; else the kernel's own value */
    struct vcpu *loaded_vcpu;
    struct vcpu *debug_owner; /* whose values DR0-DR3 hold */
    u64 tsc_aux;              /* what the MSR holds */
    void *virt;               /* what the backend has for this core */

    struct ticket_lock lock; /* any core's; a cache line of its own */

    /* A request of the core that holds all locks waits here (kernel/core/remote.h). */
    u32 asked __attribute__((aligned(64)));
};

extern struct core cores[CONFIG_MAX_CORES];
extern unsigned nr_cores; /* started; fixed after boot */

/* Boot: what a core needs before it can take locks or panic; GS base must already point to it. */
void core_init(unsigned id);

#ifdef BULKHEAD_HOST
extern unsigned host_core; /* which one the test plays */
static inline struct core *this_core(void)
{
    return &cores[host_core];
}
#else
static inline struct core *this_core(void)
{
    struct core *core;

    __asm__("movq %%gs:0, %0" : "=r"(core));
    return core;
}
#endif

#endif
