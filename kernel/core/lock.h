/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's locks (design.md section 3, "Locking").
 *
 * Each core has one. lock_this_core is enough for a path that touches only objects of this core;
 * everything else takes every core's lock, in ascending order. A core that waits serves remote
 * requests meanwhile. The kernel is entered with interrupts off and no lock held, and leaves so.
 * lock_all_cores may be called while this core's own lock is held: it gives that up first, so the
 * caller must look again at whatever it read before.
 */
#ifndef KERNEL_CORE_LOCK_H
#define KERNEL_CORE_LOCK_H

#include "kernel/core/types.h"

void lock_this_core(void);
void lock_all_cores(void);
/* Releases whatever this core holds. */
void unlock(void);

/* For assertions. */
bool lock_holds_this_core(void);
bool lock_holds_all_cores(void);

#endif
