/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an exit costs while all processors of the guest, and those of other guests, make the same
 * ones: each measures CPUID at the same time, and the worst of their medians is said
 * (tests/bench/scale.py). After each round comes a PAUSE, which has an emulator whose processors
 * take turns go on with the next one.
 */
#include "tests/guest/guest.h"
#include "tests/guest/smp.h"

#define ROUNDS           255
#define LEAF_ADDRESSES   0x80000008u
#define PROCESSORS_BELOW 0xffu /* of ECX: how many there are beside the first */

static volatile unsigned ready, finished;
static unsigned count;
static uint64_t ticks[SMP_MAX_PROCESSORS][ROUNDS], medians[SMP_MAX_PROCESSORS];

static inline uint32_t cpuid_ecx(uint32_t leaf)
{
    uint32_t a = leaf, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c;
}

static void await(const volatile unsigned *number)
{
    while (__atomic_load_n(number, __ATOMIC_ACQUIRE) < count)
        __asm__ volatile("pause");
}

/* Keeps the array sorted up to there. */
static void insert(uint64_t *values, unsigned place, uint64_t value)
{
    for (; place > 0 && values[place - 1] > value; place--)
        values[place] = values[place - 1];
    values[place] = value;
}

static uint64_t clock_cost(void)
{
    uint64_t start = guest_tsc();

    return guest_tsc() - start;
}

static void measure(unsigned processor)
{
    __atomic_fetch_add(&ready, 1, __ATOMIC_RELEASE);
    await(&ready);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t start = guest_tsc();

        (void)cpuid_ecx(LEAF_ADDRESSES);
        insert(ticks[processor], i, guest_tsc() - start);
        __asm__ volatile("pause");
    }
    medians[processor] = ticks[processor][ROUNDS / 2] - clock_cost();
    __atomic_fetch_add(&finished, 1, __ATOMIC_RELEASE);
}

void smp_other(unsigned processor)
{
    measure(processor);
}

void guest_main(void)
{
    uint64_t worst = 0;

    count = (cpuid_ecx(LEAF_ADDRESSES) & PROCESSORS_BELOW) + 1;
    if (count > SMP_MAX_PROCESSORS)
        count = SMP_MAX_PROCESSORS;
    smp_start(count);
    measure(0);
    await(&finished);
    for (unsigned i = 0; i < count; i++)
        worst = medians[i] > worst ? medians[i] : worst;
    guest_print("bench: cpuid %lu on %u\n", worst, count);
}
