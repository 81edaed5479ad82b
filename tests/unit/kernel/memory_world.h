/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small machine for tests of the kernel's memory and device part: pages to make tables of, a flat
 * capability space, and invocations by the dispatcher. Capabilities, derivation tree,
 * kernel/vspace, irq.c and io_port.c are the kernel's own; the platform is fakes.h; other objects
 * are only names.
 */
#ifndef TESTS_UNIT_KERNEL_MEMORY_WORLD_H
#define TESTS_UNIT_KERNEL_MEMORY_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/api/request.h"
#include "kernel/object/cap.h"
#include "kernel/object/derivation.h"
#include "kernel/object/irq.h"
#include "kernel/vspace/vspace.h"
#include "tests/unit/kernel/fakes.h"

/* Pages of physical memory that exist; the first starts at WORLD_BASE. */
#define WORLD_PAGES 512u
#define WORLD_BASE  0x100000ULL
#define WORLD_SLOTS 256u

/* The CNode's slots; the capability that stands for it is world_root(). */
extern struct slot *world_slots;

/* What notification_signal was called with. */
struct signals {
    unsigned count;
    u64 badge; /* the last */
};
extern struct signals signals;

/* Fresh memory, slots, ASIDs, IRQs, ports; as if just booted, without any space. */
int world_reset(void **state);

hpa_t world_page(unsigned index);
u64 *world_table(hpa_t page);
struct cap world_root(void);

/*
 * Puts an original capability into a slot, as a child of the (full) untyped that stands for all
 * memory.
 */
void world_put(unsigned slot, struct cap cap);
struct cap world_frame(enum frame_size size, hpa_t at, unsigned rights);
/* A copy as CNode_Copy makes it. Returns false if the capability cannot be copied. */
bool world_copy(unsigned from, unsigned to);
void world_delete(unsigned slot);
unsigned world_free_slot(void);

/*
 * Invokes slot's capability with message words and extra capabilities (numbers of slots, -1 ends).
 * Returns the seL4_Error; world_reply is what the request then held.
 */
u64 world_invoke(u64 label, unsigned slot, const u64 *words, unsigned length, const int *extra);
extern struct request world_reply;

#define INVOKE(label, slot, extra, ...)                                                            \
    world_invoke(label, slot, (const u64[]){ __VA_ARGS__ },                                        \
                 sizeof((const u64[]){ __VA_ARGS__ }) / sizeof(u64), extra)
#define EXTRA(...)                                                                                 \
    (const int[])                                                                                  \
    {                                                                                              \
        __VA_ARGS__, -1                                                                            \
    }

/* Checks the answer and its words. */
#define assert_answer(answer, expected)                                                            \
    do {                                                                                           \
        u64 answer_ = (answer);                                                                    \
        if (answer_ != (expected))                                                                 \
            print_error("%s answered %llu\n", #answer, (unsigned long long)answer_);               \
        assert_int_equal(answer_, expected);                                                       \
    } while (0)
#define assert_answer_word(answer, expected, word0)                                                \
    do {                                                                                           \
        assert_answer(answer, expected);                                                           \
        assert_int_equal(world_reply.error.word[0], word0);                                        \
    } while (0)
#define assert_range(answer, min, max)                                                             \
    do {                                                                                           \
        assert_answer_word(answer, seL4_RangeError, min);                                          \
        assert_int_equal(world_reply.error.word[1], max);                                          \
    } while (0)
#define assert_missing(answer, bits)                                                               \
    do {                                                                                           \
        assert_answer_word(answer, seL4_FailedLookup, 0);                                          \
        assert_int_equal(world_reply.error.lookup.type, seL4_MissingCapability);                   \
        assert_int_equal(world_reply.error.lookup.bits_left, bits);                                \
    } while (0)

/* A repeatable stream of random numbers. */
void world_seed(u64 seed);
u64 world_random(void);
static inline unsigned world_below(unsigned n)
{
    return (unsigned)(world_random() % n);
}

#endif
