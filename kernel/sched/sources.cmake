# SPDX-License-Identifier: BSD-2-Clause
list(APPEND KERNEL_SCHED_SOURCES
    sched/budget.c
    sched/queues.c
    sched/refill.c
    sched/release.c
    sched/remote.c
    sched/sched.c)
