/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A capability space on the host: memory whose one untyped is in slot 1 of a root CNode of 256
 * slots (radix 8, guard 0 of 56 bits, so that addresses of depth 64 are slot numbers) and whose
 * capability is in slot 2. Invocations go through the dispatcher.
 */
#ifndef TESTS_UNIT_KERNEL_CSPACE_WORLD_H
#define TESTS_UNIT_KERNEL_CSPACE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "abi/gen/labels.h"
#include "abi/types.h"
#include "kernel/api/request.h"
#include "kernel/object/derivation.h"
#include "kernel/object/object.h"
#include "kernel/object/untyped.h"
#include "tests/unit/kernel/fakes.h"
#include "tests/unit/kernel/object_stubs.h"

#define WORLD_RADIX        8
#define WORLD_SLOTS        256
#define WORLD_UNTYPED      1 /* its slot */
#define WORLD_CNODE        2
#define WORLD_FREE         3 /* the first free one */
#define WORLD_BASE         BIT(24)
#define WORLD_UNTYPED_BITS 24

struct world {
    struct slot *slots;
    struct request answer; /* of the last invocation */
};

extern struct world world;

/* cmocka's set-up: everything anew. */
int world_set_up(void **state);

/* Extra capabilities by slot number; ends with EXTRA_END. */
#define EXTRA_END  (-1)
#define EXTRA(...) ((const int[]){ __VA_ARGS__, EXTRA_END })
#define NO_EXTRA   ((const int[]){ EXTRA_END })

/* Once; the answer is the seL4_Error, or WORLD_PREEMPTED. */
#define WORLD_PREEMPTED 1000
u64 world_invoke_words(unsigned slot, u64 label, const int *extra, unsigned length,
                       const u64 *words);
#define world_invoke(slot, label, extra, ...)                                                      \
    world_invoke_words(slot, label, extra, sizeof((u64[]){ __VA_ARGS__ }) / sizeof(u64),           \
                       (u64[]){ __VA_ARGS__ })

/* The usual, which must succeed. */
void world_retype(unsigned untyped, u64 type, u64 size, unsigned dest, unsigned count);
void world_copy(unsigned src, unsigned dest);
void world_mint(unsigned src, unsigned dest, u64 badge);
void world_delete(unsigned slot);
void world_revoke(unsigned slot);

/* derivation.h I1 and I2 for all slots of the root CNode and of memory: fails the test otherwise.
 */
void world_check(void);
unsigned world_used_slots(void);

#endif
