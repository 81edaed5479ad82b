/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads on the host: the kernel's own objects, scheduler and system calls on a faked machine.
 * Objects are made from the front of memory; their capabilities are in a root CNode of 512 slots
 * (depth 64, addresses are slot numbers) that all threads share. A thread runs when the kernel has
 * chosen it; then it can make a system call. Time passes only when a test says so.
 */
#ifndef TESTS_UNIT_KERNEL_THREAD_WORLD_H
#define TESTS_UNIT_KERNEL_THREAD_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "abi/errors.h"
#include "abi/faults.h"
#include "abi/gen/labels.h"
#include "abi/syscalls.h"
#include "abi/types.h"
#include "kernel/core/core.h"
#include "kernel/core/time.h"
#include "kernel/object/derivation.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/object.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/sched/refill.h"
#include "kernel/sched/sched.h"
#include "tests/unit/kernel/fakes.h"

#define WORLD_RADIX  9
#define WORLD_SLOTS  512
#define WORLD_MEMORY BIT(26)

/* Well-known slots. */
#define SLOT_UNTYPED       1
#define SLOT_CNODE         2
#define SLOT_SCHED_CONTROL 3
#define SLOT_FREE          4

#define CODE 0x400000u /* where every thread's SYSCALL instruction is */

struct thread_world {
    struct slot *slots;
    unsigned next_slot;
    u64 next_paddr;
    struct tcb *tcbs[4096];
    unsigned nr_tcbs;
};

extern struct thread_world world;

int thread_world_set_up(void **state);

/* --- objects: each returns the slot of the new capability ------------------------------------- */

unsigned make(u64 type, unsigned size_bits);
unsigned make_endpoint(void);
unsigned make_notification(void);
unsigned make_reply(void);
/* Configured with budget and period in microseconds; budget 0: not configured. */
unsigned make_sched_context(u64 budget_us, u64 period_us);
/* A copy with badge (0: none) and rights. */
unsigned mint(unsigned slot, u64 badge, unsigned rights);
unsigned empty_slot(void);

static inline struct cap cap_at(unsigned slot)
{
    return world.slots[slot].cap;
}
static inline struct endpoint *endpoint_at(unsigned slot)
{
    return cap_object(cap_at(slot));
}
static inline struct notification *notification_at(unsigned slot)
{
    return cap_object(cap_at(slot));
}
static inline struct reply *reply_at(unsigned slot)
{
    return cap_object(cap_at(slot));
}
static inline struct sched_context *sched_context_at(unsigned slot)
{
    return cap_object(cap_at(slot));
}
static inline struct tcb *tcb_at(unsigned slot)
{
    return cap_object(cap_at(slot));
}

/* --- threads --------------------------------------------------------------------------------- */

/* With CSpace and IPC buffer, inactive, no scheduling context. */
unsigned make_passive_thread(u8 priority);
/* With a round-robin context of 5 ms; runnable. */
unsigned make_thread(u8 priority);
/* With a context of its own parameters; runnable. */
unsigned make_thread_with_budget(u8 priority, u64 budget_us, u64 period_us);
unsigned sched_context_slot_of(unsigned thread);

u64 *buffer_of(struct tcb *tcb);
static inline struct tcb *running(void)
{
    return this_core()->current;
}
void assert_running(unsigned thread);
void assert_idle(void);

/* --- the running thread acts ------------------------------------------------------------------ */

void syscall_by(unsigned thread, s64 number);
void do_call(unsigned thread, u64 cptr, u64 info);
void do_send(unsigned thread, u64 cptr, u64 info);
void do_nb_send(unsigned thread, u64 cptr, u64 info);
void do_recv(unsigned thread, u64 cptr, u64 reply);
void do_nb_recv(unsigned thread, u64 cptr, u64 reply);
void do_wait(unsigned thread, u64 cptr);
void do_reply_recv(unsigned thread, u64 cptr, u64 reply, u64 info);
void do_yield(unsigned thread);
/* An invocation by Call; returns the error. Words 0 to 3 of the message; extra capabilities end
 * with -1. */
u64 invoke_by(unsigned thread, u64 cptr, u64 label, unsigned length, const u64 *words,
              const int *extra);
#define invoke(thread, cptr, label, extra, ...)                                                    \
    invoke_by(thread, cptr, label, sizeof((u64[]){ 0, ##__VA_ARGS__ }) / sizeof(u64) - 1,          \
              (u64[]){ 0, ##__VA_ARGS__ } + 1, extra)
#define EXTRA(...) ((const int[]){ __VA_ARGS__, -1 })
#define NO_EXTRA   ((const int[]){ -1 })

/* Time passes; the timer interrupts when it is due. */
void pass_us(u64 us);

static inline u64 info_of(u64 label, u64 caps, u64 length)
{
    return label << 12 | caps << 7 | length;
}

/* --- invariants ------------------------------------------------------------------------------ */

/* Those of tcb.h, ipc_objects.h, sched_context.h, sched.h for everything made here; this core has
 * nothing left to choose. */
void check_threads(void);

#endif
