/* SPDX-License-Identifier: BSD-2-Clause */
/* How a program begins, for the first time and again (user/start/entry.S). */
#include "lib/string.h"
#include "tests/kernel/harness.h"

extern volatile seL4_Word again_area[], again_area_end[];
void again_start(void);
void again_main(seL4_Word number);

#define AREA_BYTES  ((seL4_Word)again_area_end - (seL4_Word)again_area)
#define MARK        0x5a
#define MARKED_WORD 0x5a5a5a5a5a5a5a5a

static volatile seL4_Word begun[2], dirty;
static seL4_CPtr nobody_signals;

void again_main(seL4_Word number)
{
    for (volatile seL4_Word *word = again_area; word < again_area_end; word++)
        dirty += *word != 0;
    begun[number]++;
    for (;;)
        sys(seL4_SysWait, nobody_signals, INFO(0, 0), 0, 0, 0, 0, 0, 0);
}

static void begin(struct thread *t, seL4_Word number, seL4_Word run)
{
    seL4_UserContext regs = {
        .rip = (seL4_Word)again_start,
        .rflags = 0x202,
        .rdi = number,
        .rsi = run,
    };

    REQUIRE_OK(seL4_TCB_WriteRegisters(t->tcb, 1, 0, seL4_UserContextWords, &regs));
    sleep_us(20000);
}

/* The other thread comes first, and finds nothing of the run before. */
static void again(void)
{
    static const seL4_Word runs[] = { 0, 1, 2, 3, 77, 78 };
    struct thread *t[2];

    nobody_signals = object_new(seL4_NotificationObject, 0);
    begun[0] = begun[1] = dirty = 0;
    for (unsigned n = 0; n < 2; n++)
        t[n] = thread_create(n, NULL, 0, TEST_PRIORITY - 5, 1000, 1000, 0);
    for (unsigned i = 0; i < ARRAY_LENGTH(runs); i++) {
        memset((void *)(seL4_Word)again_area, MARK, AREA_BYTES + sizeof(seL4_Word));
        begin(t[1], 1, runs[i]);
        CHECK_EQ(begun[1], i);
        CHECK_EQ(again_area[0], MARKED_WORD);
        begin(t[0], 0, runs[i]);
        CHECK_EQ(begun[0], i + 1);
        CHECK_EQ(begun[1], i + 1);
        CHECK_EQ(*again_area_end, MARKED_WORD);
        for (unsigned n = 0; n < 2; n++)
            REQUIRE_OK(seL4_TCB_Suspend(t[n]->tcb));
    }
    CHECK_EQ(dirty, 0);
}

TEST_SUITE(start, { "again", again });
