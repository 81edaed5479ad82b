/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/kernel/calls.h"

void thread_call(struct thread *self, seL4_Word argument)
{
    struct call *call = (struct call *)argument;

    call->answer = sys(call->number, call->rdi, call->info, call->word[0], call->word[1],
                       call->word[2], call->word[3], call->r12, call->r13);
    call->returned = true;
    self->done = 1;
}

struct thread *call_start(unsigned n, struct call *call)
{
    call->returned = false;
    return thread_run(n, thread_call, (seL4_Word)call, HELPER_PRIORITY);
}
