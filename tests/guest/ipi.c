/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An interrupt from one processor to another and back, over and over: while both wait with HLT, and
 * while both are busy. What it costs is seen from outside (tests/bench/ipi.py): before each of the
 * two the guest says so and waits for a key, so that the emulator can be told to look.
 */
#include <stdbool.h>

#include "tests/guest/guest.h"
#include "tests/guest/smp.h"

#define ROUNDS 8
/* Until the other side is where it waits: a PAUSE has the emulator turn to the next processor. */
#define SETTLE_PAUSES 20
/* Who is busy works; turns of the emulator take time, and would be most of it otherwise. */
#define LOOKS_PER_PAUSE 64

#define COM1           0x3f8
#define COM1_LSR       0x3fd
#define LSR_DATA_READY 1

static volatile bool halts;

static void settle(void)
{
    for (unsigned i = 0; i < SETTLE_PAUSES; i++)
        __asm__ volatile("pause");
}

static void await_interrupt(unsigned processor, uint32_t before)
{
    while (halts && smp_interrupts[processor] == before)
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    __asm__ volatile("sti");
    for (unsigned looks = 1; smp_interrupts[processor] == before; looks++)
        if (looks % LOOKS_PER_PAUSE == 0)
            __asm__ volatile("pause");
    __asm__ volatile("cli");
}

/* The second one answers each interrupt with one. */
void smp_other(unsigned processor)
{
    for (uint32_t seen = 0;; seen++) {
        await_interrupt(processor, seen);
        settle();
        smp_send(SMP_VECTOR_FIRST, 0);
    }
}

static void round_trip(void)
{
    uint32_t before = smp_interrupts[0];

    settle();
    smp_send(SMP_VECTOR_SECOND, 1);
    await_interrupt(0, before);
}

static void await_key(void)
{
    while (!(guest_in8(COM1_LSR) & LSR_DATA_READY))
        __asm__ volatile("pause");
    (void)guest_in8(COM1);
}

/* The ticks of a round trip, the least of all. */
static void measure(const char *name, bool halt)
{
    uint64_t best = ~0ull;

    guest_print("bench: ready for %s\n", name);
    await_key();
    halts = halt;
    round_trip(); /* the second one waits in the new way when it has answered */
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t start = guest_tsc();

        round_trip();

        uint64_t ticks = guest_tsc() - start;

        if (ticks < best)
            best = ticks;
    }
    guest_print("bench: round_trip.%s %lu\n", name, best);
}

void guest_main(void)
{
    smp_start(2);
    measure("halted", true);
    measure("busy", false);
    guest_print("bench: done\n");
}
