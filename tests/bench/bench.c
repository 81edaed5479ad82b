/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/bench.h"

seL4_BootInfo *bench_info;

static seL4_CPtr next_slot;
static seL4_CPtr memory; /* an untyped that everything is made of */

void bench_check(seL4_Word error, const char *what)
{
    if (error)
        panic("%s: error %lu\n", what, error);
}

static void find_memory(void)
{
    seL4_Word best = 0;

    for (seL4_Word i = 0; i < bench_info->untyped.end - bench_info->untyped.start; i++) {
        const seL4_UntypedDesc *untyped = &bench_info->untypedList[i];

        if (!untyped->isDevice && untyped->sizeBits > best) {
            best = untyped->sizeBits;
            memory = bench_info->untyped.start + i;
        }
    }
    next_slot = bench_info->empty.start;
}

void bench_begin(seL4_Word argument)
{
    bench_info = initial_task_begin(argument);
    find_memory();
    bench_check((seL4_Word)seL4_TCB_SetPriority(seL4_CapInitThreadTCB, seL4_CapInitThreadTCB,
                                                BENCH_PRIORITY),
                "TCB_SetPriority");
}

seL4_CPtr bench_slot(void)
{
    return next_slot++;
}

seL4_CPtr bench_new(seL4_Word type, seL4_Word size_bits)
{
    seL4_CPtr slot = bench_slot();

    bench_check((seL4_Word)seL4_Untyped_Retype(memory, type, size_bits, seL4_CapInitThreadCNode, 0,
                                               0, slot, 1),
                "Untyped_Retype");
    return slot;
}

/* --- threads --------------------------------------------------------------------------------- */

void bench_serve(seL4_Word endpoint, seL4_Word reply)
{
    seL4_Word badge;
    seL4_MessageInfo_t tag = seL4_Recv(endpoint, &badge, reply);

    for (;;)
        tag = seL4_ReplyRecv(endpoint, tag, &badge, reply);
}

void bench_wait_for_ever(seL4_Word notification, seL4_Word unused)
{
    seL4_Word badge;

    (void)unused;
    for (;;)
        seL4_Wait(notification, &badge);
}

void bench_thread_make(struct bench_thread *thread)
{
    seL4_UserContext registers = { .rip = (seL4_Word)thread->entry,
                                   .rsp = (seL4_Word)(thread->stack + BENCH_PAGE - 8),
                                   .rdi = thread->argument[0],
                                   .rsi = thread->argument[1] };

    thread->tcb = bench_new(seL4_TCBObject, 0);
    thread->context = bench_new(seL4_SchedContextObject, seL4_MinSchedContextBits);
    bench_check((seL4_Word)seL4_SchedControl_ConfigureFlags(
                    bench_info->schedcontrol.start + thread->core, thread->context, BENCH_BUDGET_US,
                    BENCH_BUDGET_US, 0, 0, 0),
                "SchedControl_ConfigureFlags");
    bench_check((seL4_Word)seL4_TCB_Configure(thread->tcb, seL4_CapInitThreadCNode, 0,
                                              thread->vspace, 0, 0, seL4_CapNull),
                "TCB_Configure");
    bench_check((seL4_Word)seL4_TCB_SetSchedParams(thread->tcb, seL4_CapInitThreadTCB,
                                                   thread->priority, thread->priority,
                                                   thread->context, 0),
                "TCB_SetSchedParams");
    bench_check((seL4_Word)seL4_TCB_WriteRegisters(
                    thread->tcb, 0, 0, sizeof(registers) / sizeof(seL4_Word), &registers),
                "TCB_WriteRegisters");
}

void bench_thread_start(struct bench_thread *thread)
{
    bench_check((seL4_Word)seL4_TCB_Resume(thread->tcb), "TCB_Resume");
}

/* --- figures --------------------------------------------------------------------------------- */

static inline seL4_Word ticks(void)
{
    seL4_Uint32 low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (seL4_Word)high << 32 | low;
}

static void do_nothing(void)
{
    __asm__ volatile("");
}

/* tests/bench/listing.py looks for it by its name. */
static __attribute__((noinline, noclone)) seL4_Word least(void (*operation)(void),
                                                          void (*undo)(void))
{
    seL4_Word best = ~0ul;

    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        seL4_Word start = ticks();

        operation();

        seL4_Word taken = ticks() - start;

        if (taken < best)
            best = taken;
        undo();
    }
    return best;
}

void bench_report(const char *name, void (*operation)(void), void (*undo)(void))
{
    print("bench: %s %lu\n", name,
          least(operation, undo ? undo : do_nothing) - least(do_nothing, do_nothing));
}

_Noreturn void bench_end(void)
{
    print("bench: done\n");
    for (;;)
        seL4_TCB_Suspend(seL4_CapInitThreadTCB);
}
