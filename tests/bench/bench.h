/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the benchmark programs share: each is an initial task that measures system calls by the TSC.
 * Under the emulator's -icount a tick is an instruction; a figure is the least of several rounds,
 * less what reading the clock costs.
 *
 * Objects  made from one untyped, never deleted
 * Errors   any is the end: bench_check panics
 * Threads  run the program itself, in its CSpace; the library's IPC buffer is the first thread's,
 *          which makes no call with words in it while another may run
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <sel4/sel4.h>

#include "user/start/start.h"

#define BENCH_ROUNDS      64
#define BENCH_PRIORITY    254 /* of the first thread */
#define BENCH_PAGE        4096ul
#define BENCH_BUDGET_US   5000
#define BENCH_FIRST_CORE  0
#define BENCH_SECOND_CORE 1

extern seL4_BootInfo *bench_info;

void bench_begin(seL4_Word argument);
void bench_check(seL4_Word error, const char *what);

seL4_CPtr bench_slot(void);
seL4_CPtr bench_new(seL4_Word type, seL4_Word size_bits);

typedef void (*bench_entry)(seL4_Word first, seL4_Word second);

struct bench_thread {
    seL4_CPtr vspace;
    seL4_CPtr tcb, context; /* made by bench_thread_make */
    char *stack;            /* a page */
    bench_entry entry;      /* never returns */
    seL4_Word argument[2];
    seL4_Word priority;
    unsigned core;
};

/* Entries: a server that answers each call with what it brought, and a thread that only waits. */
void bench_serve(seL4_Word endpoint, seL4_Word reply);
void bench_wait_for_ever(seL4_Word notification, seL4_Word unused);

/* Ready to be resumed, on a context of its own. */
void bench_thread_make(struct bench_thread *thread);
void bench_thread_start(struct bench_thread *thread);

/* Prints an operation's figure. undo, if there is one, follows each time and does not count. */
void bench_report(const char *name, void (*operation)(void), void (*undo)(void));
_Noreturn void bench_end(void);

#endif
