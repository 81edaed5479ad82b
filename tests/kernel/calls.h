/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that make one given system call, and what came back. */
#ifndef TESTS_KERNEL_CALLS_H
#define TESTS_KERNEL_CALLS_H

#include "tests/kernel/harness.h"

/* Higher than the testing thread: runs at once, until it blocks. */
#define HELPER_PRIORITY (TEST_PRIORITY + 10)

struct call {
    seL4_Int64 number;
    seL4_Word rdi;
    seL4_MessageInfo_t info;
    seL4_Word word[4];
    seL4_Word r12, r13;
    volatile bool returned;
    struct message answer;
};

/* Makes the call, then ends. argument: a struct call. */
void thread_call(struct thread *self, seL4_Word argument);

/* Such a thread, started, at HELPER_PRIORITY. */
struct thread *call_start(unsigned n, struct call *call);

#endif
