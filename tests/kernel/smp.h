/* SPDX-License-Identifier: BSD-2-Clause */
/* What the suites of several cores share (smp.c, smp_stress.c). */
#ifndef TESTS_KERNEL_SMP_H
#define TESTS_KERNEL_SMP_H

#include "tests/kernel/harness.h"

/* The number of cores; skips the group if there is one. */
unsigned cores_required(void);
/* The thread's context, round robin, is one of that core. */
seL4_Error sc_on_core(struct thread *t, unsigned core);
/* thread_create with such a context, a little below the testing thread. */
struct thread *thread_on_core(unsigned n, unsigned core, thread_function function,
                              seL4_Word argument, seL4_CPtr fault_ep);
/* Counts in result[0] for ever. */
void count_main(struct thread *self, seL4_Word argument);

/* Waits without giving up this core; false if nothing comes of it. */
bool comes_true(bool (*condition)(seL4_Word), seL4_Word argument);
bool differs(volatile seL4_Word *word, seL4_Word from);

#endif
