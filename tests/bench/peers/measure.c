/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * measure CPU CPU INPUT: what virtualisation costs a Linux program, on two of its processors. The
 * same program runs in a guest of ours, in one of KVM and on the bare machine; docs/performance.md
 * says what its figures mean.
 *
 * - cpuid.one: a CPUID instruction, which leaves a guest, on the first processor
 * - cpuid.two: the same on both at a time: elapsed time for one of them, whoever executed it
 * - ipi: membarrier(): interrupts the other processor, which is busy, and waits for its answer
 * - wake: wakes a thread on the other processor, which sleeps, and sleeps until that answers
 * - xz.one: xz compresses INPUT with one thread, on the first processor
 * - xz.two: the same with two threads on both
 *
 * Unit: ticks of the TSC. All readings are on the first processor: the other's may differ. Of half
 * a second's samples the lower decile counts, of xz's the least: what it takes while the emulator
 * has the real processors that it needs.
 */
#define _GNU_SOURCE

#include "tests/bench/peers/figures.h"

#include <err.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

/* About half a second. */
#define DURATION_TICKS 1000000000
#define MAX_SAMPLES    65536
/* One sample of CPUID: many, so that it also sees those of the other processor. */
#define MANY_STEPS 32
#define NR_XZ      6

/* What one thread does over and over while the time runs. */
typedef void (*step_fn)(void);

static int processors[2];

/* The thread on the second processor: it does its step until told to stop. */
static struct {
    step_fn step;
    atomic_bool running, stop;
    atomic_ulong steps;
} helper;

static uint64_t samples[MAX_SAMPLES];

/* Whose turn it is: 0 the main thread's, 1 the helper's. */
static atomic_uint turn;

static cpu_set_t set_of(bool first, bool second)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (first)
        CPU_SET(processors[0], &set);
    if (second)
        CPU_SET(processors[1], &set);
    return set;
}

static void use_processors(bool first, bool second)
{
    cpu_set_t set = set_of(first, second);

    if (sched_setaffinity(0, sizeof(set), &set))
        err(1, "processors %d and %d", processors[0], processors[1]);
}

static void step_cpuid(void)
{
    unsigned eax = 0;

    __asm__ volatile("cpuid" : "+a"(eax) : : "ebx", "ecx", "edx");
}

static void step_nothing(void)
{
}

static void step_membarrier(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
        err(1, "membarrier");
}

static void give_turn(unsigned to)
{
    atomic_store(&turn, to);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL);
}

static void await_turn(unsigned own)
{
    while (atomic_load(&turn) != own)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !own, NULL);
}

static void step_ask(void)
{
    give_turn(1);
    await_turn(0);
}

static void step_answer(void)
{
    await_turn(1);
    give_turn(0);
}

static void *helper_main(void *unused)
{
    use_processors(false, true);
    atomic_store(&helper.running, true);
    while (!atomic_load(&helper.stop)) {
        helper.step();
        atomic_fetch_add(&helper.steps, 1);
    }
    return unused;
}

static pthread_t helper_start(step_fn step)
{
    pthread_t thread;

    helper.step = step;
    atomic_store(&helper.steps, 0);
    atomic_store(&helper.running, false);
    atomic_store(&helper.stop, false);
    atomic_store(&turn, 0);
    if (pthread_create(&thread, NULL, helper_main, NULL))
        errx(1, "no second thread");
    while (!atomic_load(&helper.running))
        ;
    return thread;
}

/*
 * Lower decile of the ticks for one step, from samples of so many steps. With shared the helper
 * does the same and its steps count, too; a sample in which it did none is left out, because then
 * its processor did not run.
 */
static uint64_t ticks_for_step(step_fn step, unsigned steps, bool shared)
{
    uint64_t begin = __rdtsc(), now = begin, start;
    unsigned long others, count = 0;

    while (count < MAX_SAMPLES && now - begin < DURATION_TICKS) {
        others = atomic_load(&helper.steps);
        start = __rdtsc();
        for (unsigned i = 0; i < steps; i++)
            step();
        now = __rdtsc();
        others = shared ? atomic_load(&helper.steps) - others : 0;
        if (!shared || others)
            samples[count++] = (now - start) / (steps + others);
    }
    if (!count)
        errx(1, "the second processor does not run");
    return quantile(samples, count, 10);
}

/* Beside a helper; its steps count, too, if it does the same. */
static void measure_beside(const char *name, step_fn step, unsigned steps, step_fn helper_step)
{
    pthread_t thread = helper_start(helper_step);

    print_ticks(name, ticks_for_step(step, steps, helper_step == step));
    atomic_store(&helper.stop, true);
    if (helper_step == step_answer)
        give_turn(1);
    pthread_join(thread, NULL);
}

static void measure_xz(const char *name, const char *threads, const char *input, bool both)
{
    cpu_set_t set = set_of(true, both);

    for (unsigned i = 0; i < NR_XZ; i++)
        samples[i] = ticks_for_xz(threads, input, &set);
    print_ticks(name, quantile(samples, NR_XZ, 0));
}

int main(int argc, char **argv)
{
    if (argc != 4)
        errx(1, "usage: measure CPU CPU INPUT");
    setlinebuf(stdout);
    processors[0] = atoi(argv[1]);
    processors[1] = atoi(argv[2]);
    use_processors(true, false);
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
        err(1, "membarrier");

    print_ticks("cpuid.one", ticks_for_step(step_cpuid, MANY_STEPS, false));
    measure_beside("cpuid.two", step_cpuid, MANY_STEPS, step_cpuid);
    measure_beside("ipi", step_membarrier, 1, step_nothing);
    measure_beside("wake", step_ask, 1, step_answer);
    measure_xz("xz.one", "-T1", argv[3], false);
    measure_xz("xz.two", "-T2", argv[3], true);
    return 0;
}
