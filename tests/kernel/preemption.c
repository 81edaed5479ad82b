/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long system calls give way: a thread of high priority that wants to run every millisecond does so
 * while we revoke 100 000 capabilities, clear memory and delete large structures. How late it came
 * at most is printed, and checked where time is exact: there a microsecond is 1000 instructions.
 */
#include "tests/kernel/calls.h"

#define PERIOD 1000
#define LIMIT  100

static volatile bool watching;
static volatile seL4_Word latest, nr_wakes;

static void watch_main(struct thread *self, seL4_Word argument)
{
    seL4_Word last = ticks_now();

    (void)argument;
    while (watching) {
        seL4_Yield();
        seL4_Word now = ticks_now();
        seL4_Word late = now - last > PERIOD * tsc_mhz ? now - last - PERIOD * tsc_mhz : 0;

        if (late > latest)
            latest = late;
        last = now;
        nr_wakes++;
    }
    self->done = 1;
}

static struct thread *watch_begin(void)
{
    struct thread *t = thread_create(7, watch_main, 0, HELPER_PRIORITY, 100, PERIOD, 0);

    watching = true;
    latest = nr_wakes = 0;
    thread_start(t);
    return t;
}

static void watch_end(struct thread *t, seL4_Word start, const char *what)
{
    seL4_Word time = us_now() - start;

    watching = false;
    REQUIRE(thread_wait(t, PATIENCE_US));
    print("     %s: %lu us, interrupted %lu times, at most %lu us late\n", what, time, nr_wakes,
          latest / tsc_mhz);
    CHECK_TIME(latest / tsc_mhz < LIMIT);
    CHECK_TIME(nr_wakes >= time / PERIOD);
}

#define MANY 100000

static void revoke_many(void)
{
    seL4_CPtr untyped = object_new(seL4_UntypedObject, 21);
    seL4_CPtr slots = slots_new(MANY);

    for (unsigned i = 0; i < MANY; i += 250)
        REQUIRE_OK(retype(untyped, seL4_EndpointObject, 0, slots + i, 250));
    struct thread *t = watch_begin();
    seL4_Word start = us_now();

    CHECK_OK(cap_revoke(untyped));
    watch_end(t, start, "revoking 100000 objects");
    CHECK_EQ(cap_tag(slots), TAG_NULL);
    CHECK_EQ(cap_tag(slots + MANY - 1), TAG_NULL);
    CHECK_OK(retype(untyped, seL4_UntypedObject, 21, slots, 1));
}

static void revoke_copies(void)
{
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);
    seL4_CPtr slots = slots_new(20000);

    for (unsigned i = 0; i < 20000; i++)
        REQUIRE_OK(seL4_CNode_Mint(ROOT, slots + i, DEPTH, ROOT, endpoint, DEPTH, seL4_AllRights,
                                   i % 7 + 1));
    struct thread *t = watch_begin();
    seL4_Word start = us_now();

    CHECK_OK(cap_revoke(endpoint));
    watch_end(t, start, "revoking 20000 badged copies");
    CHECK_EQ(cap_tag(slots + 19999), TAG_NULL);
}

static void delete_full_cnode(void)
{
    seL4_CPtr cnode = object_new(seL4_CapTableObject, 15);
    seL4_CPtr untyped = object_new(seL4_UntypedObject, 20);

    for (unsigned i = 0; i < 1 << 15; i += 256)
        REQUIRE_OK(seL4_Untyped_Retype(untyped, seL4_EndpointObject, 0, cnode, 0, 0, i, 256));
    struct thread *t = watch_begin();
    seL4_Word start = us_now();

    CHECK_OK(cap_delete(cnode));
    watch_end(t, start, "deleting a CNode of 32768");
}

/* The largest untyped there is, used once, is cleared when it is used again. */
static void clear_memory(void)
{
    seL4_Word bits = 0;
    seL4_CPtr untyped = 0, slot = slot_new();

    for (seL4_Word i = 0; i < boot->untyped.end - boot->untyped.start; i++) {
        const seL4_UntypedDesc *d = &boot->untypedList[i];

        /* Not the one that the groups' memory is from: it has children. */
        if (!d->isDevice && d->sizeBits > bits &&
            !retype(boot->untyped.start + i, seL4_UntypedObject, d->sizeBits, slot, 1)) {
            REQUIRE_OK(cap_delete(slot));
            bits = d->sizeBits;
            untyped = boot->untyped.start + i;
        }
    }
    REQUIRE(untyped);
    struct thread *t = watch_begin();
    seL4_Word start = us_now();

    CHECK_OK(retype(untyped, seL4_UntypedObject, bits, slot, 1));
    print("     2^%lu bytes\n", bits);
    watch_end(t, start, "clearing memory");
    CHECK_OK(cap_delete(slot));
}

/* Waiting senders are cancelled without keeping others from running. */
static void large_objects(void)
{
    struct thread *t = watch_begin();
    seL4_Word start = us_now();
    seL4_CPtr cnode = object_new(seL4_CapTableObject, 17);
    seL4_CPtr frame = object_new(seL4_X86_LargePageObject, 0);

    CHECK_OK(cap_delete(cnode));
    CHECK_OK(cap_delete(frame));
    CHECK_OK(retype(group_untyped, seL4_X86_VCPUObject, 0, slots_new(256), 256));
    watch_end(t, start, "making large objects");
}

TEST_SUITE(preemption, { "revoke objects", revoke_many }, { "revoke copies", revoke_copies },
           { "delete a full CNode", delete_full_cnode }, { "clear memory", clear_memory },
           { "large objects", large_objects });
