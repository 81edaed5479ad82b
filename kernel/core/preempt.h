/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The preemption point. Long operations (revoke, delete, clearing memory) call it between units of
 * work, with all invariants true. When it says STATUS_PREEMPTED they return that at once; the
 * system call is repeated later and goes on where it stopped. What may wait meanwhile: an interrupt
 * of this core, or another core for a lock.
 */
#ifndef KERNEL_CORE_PREEMPT_H
#define KERNEL_CORE_PREEMPT_H

#include "kernel/core/types.h"

/* Counts one unit of work; after CONFIG_WORK_UNITS_PER_PREEMPTION looks for a pending interrupt,
 * a waiting core or an exhausted budget. */
enum status preemption_point(void) MUST_CHECK;

#endif
