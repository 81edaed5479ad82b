/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPC between two cores: calls to a server that runs on another core, and signals to a thread that
 * waits there. Who executes how much is seen from outside (tests/bench/cores.py), between the marks
 * before and after each operation. In between the first core settles until the other one waits.
 */
#include "tests/bench/bench.h"

#define ROUNDS 8
/* A PAUSE has the emulator turn to the next processor. */
#define SETTLE_PAUSES 40

static char stacks[2][BENCH_PAGE] __attribute__((aligned(16)));

/* Nothing, but easy to find. */
static inline void mark(void)
{
    __asm__ volatile("xchg %bx, %bx");
}

static void settle(void)
{
    for (unsigned i = 0; i < SETTLE_PAUSES; i++)
        __asm__ volatile("pause");
}

static void start(unsigned n, bench_entry entry, seL4_CPtr object)
{
    struct bench_thread thread = { .vspace = seL4_CapInitThreadVSpace,
                                   .stack = stacks[n],
                                   .entry = entry,
                                   .argument = { object, bench_new(seL4_ReplyObject, 0) },
                                   .priority = BENCH_PRIORITY,
                                   .core = BENCH_SECOND_CORE };

    bench_thread_make(&thread);
    bench_thread_start(&thread);
}

static void call(seL4_CPtr endpoint)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        settle();
        mark();
        seL4_Call(endpoint, seL4_MessageInfo_new(0, 0, 0, 2));
        mark();
    }
}

static void signal(seL4_CPtr notification)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        settle();
        mark();
        seL4_Signal(notification);
        mark();
    }
}

/* tests/bench/cores.py begins to watch here. */
static __attribute__((noinline, noclone)) void measure(seL4_CPtr endpoint, seL4_CPtr notification)
{
    call(endpoint);
    signal(notification);
    settle();
}

int main(seL4_Word argument)
{
    seL4_CPtr endpoint, notification;

    bench_begin(argument);
    endpoint = bench_new(seL4_EndpointObject, 0);
    notification = bench_new(seL4_NotificationObject, 0);
    start(0, bench_serve, endpoint);
    start(1, bench_wait_for_ever, notification);
    measure(endpoint, notification);
    bench_end();
}
