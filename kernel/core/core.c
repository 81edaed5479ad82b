/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/core.h"

#include "kernel/object/tcb.h"

struct core cores[CONFIG_MAX_CORES];
unsigned nr_cores = 1;

/* Never run in user mode; THREAD_IDLE makes kernel_leave wait for interrupts. */
static struct tcb idle_threads[CONFIG_MAX_CORES];

void core_init(unsigned id)
{
    struct core *core = &cores[id];

    core->self = core;
    core->id = id;
    core->idle = &idle_threads[id];
    core->idle->state = THREAD_IDLE;
    core->idle->core = (u16)id;
    core->current = core->idle;
}
