/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stand-ins for the object types' own code, for tests of capability spaces alone: they record which
 * object was made and finalised. Preemption points are the test's own, too.
 */
#ifndef TESTS_UNIT_KERNEL_OBJECT_STUBS_H
#define TESTS_UNIT_KERNEL_OBJECT_STUBS_H

#include "kernel/object/cap.h"

struct object_stubs {
    unsigned created;
    unsigned finalised; /* objects whose last capability went */
    unsigned unmapped;  /* frames and tables that were told to unmap */
    void *last_finalised;
    u64 points;     /* preemption points passed */
    u64 preempt_at; /* preempts at this one and then never (0: never) */
    u64 cancelled_badge;
};

extern struct object_stubs stubs;

#endif
