/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/preempt.h"

#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/time.h"
#include "kernel/sched/refill.h"
#include "kernel/sched/sched.h"

static bool budget_is_exhausted(struct core *core)
{
    time_update();
    return core->current_sc && !refill_is_sufficient(core->current_sc, core->consumed);
}

enum status preemption_point(void)
{
    struct core *core = this_core();

    if (++core->work_units < CONFIG_WORK_UNITS_PER_PREEMPTION)
        return STATUS_OK;
    core->work_units = 0;
    return interrupt_is_pending() || lock_is_wanted() || budget_is_exhausted(core)
               ? STATUS_PREEMPTED
               : STATUS_OK;
}
