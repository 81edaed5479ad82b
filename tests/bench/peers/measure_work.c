/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * measure-work CPU [INPUT]: what a Linux program's own work takes on one processor, in a guest and
 * without; docs/performance.md says what its figures mean.
 *
 * - work.cpuid: a CPUID instruction, which leaves a guest
 * - work.compute: integers and branches only: numbers are put in order, again and again
 * - work.touch: the first write to each of 65 536 pages, which the kernel has to find
 * - work.chase: 1 048 576 steps from page to page, in random order over more than a TLB knows: 16
 *   times through the same pages
 * - work.xz: xz compresses INPUT, if there is one, with one thread
 *
 * Unit: ticks of the TSC. Of the CPUIDs it is the median. What is the same again and again has a
 * second figure, work.compute.part and work.chase.part: the lower decile of what it takes once,
 * while the emulator has the real processor that it needs.
 */
#define _GNU_SOURCE

#include "tests/bench/peers/figures.h"

#include <err.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <x86intrin.h>

#define NR_CPUIDS  4001
#define NR_KEYS    16384
#define NR_SORTS   40
#define PAGE_BYTES 4096
#define LINE_BYTES 64
/* 256 MiB. */
#define NR_PAGES  65536
#define NR_ROUNDS 16

static uint64_t samples[NR_CPUIDS];
static uint32_t keys[NR_KEYS];
static char *pages;

/* The same numbers everywhere (xorshift). */
static uint64_t next_random(void)
{
    static uint64_t state = 88172645463325252;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t ticks_for_cpuid(void)
{
    for (unsigned i = 0; i < NR_CPUIDS; i++) {
        uint64_t start = __rdtsc();
        unsigned eax = 0;

        __asm__ volatile("cpuid" : "+a"(eax) : : "ebx", "ecx", "edx");
        samples[i] = __rdtsc() - start;
    }
    return quantile(samples, NR_CPUIDS, 50);
}

/* keys[0, count) is a heap but for its root; afterwards it is one. */
static void sift_down(size_t root, size_t count)
{
    uint32_t key = keys[root];

    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && keys[child + 1] > keys[child])
            child++;
        if (keys[child] <= key)
            break;
        keys[root] = keys[child];
    }
    keys[root] = key;
}

static void sort_keys(void)
{
    for (size_t i = NR_KEYS / 2; i-- > 0;)
        sift_down(i, NR_KEYS);
    for (size_t end = NR_KEYS; end-- > 1;) {
        uint32_t greatest = keys[0];

        keys[0] = keys[end];
        keys[end] = greatest;
        sift_down(0, end);
    }
}

static void compute(void)
{
    for (size_t i = 0; i < NR_KEYS; i++)
        keys[i] = (uint32_t)next_random();
    sort_keys();
    for (size_t i = 1; i < NR_KEYS; i++)
        if (keys[i - 1] > keys[i])
            errx(1, "the numbers are not in order");
}

/* Where a page's number is: not at the same place in each, so that a cache has room for them. */
static uint32_t *number_of(uint32_t page)
{
    return (uint32_t *)(pages + (uint64_t)page * PAGE_BYTES + page * LINE_BYTES % PAGE_BYTES);
}

/* Pages that are mapped one by one, none touched yet. */
static void map_pages(void)
{
    size_t bytes = (size_t)NR_PAGES * PAGE_BYTES;

    pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || madvise(pages, bytes, MADV_NOHUGEPAGE))
        err(1, "memory");
}

/* Each page gets its own number. */
static uint64_t ticks_for_touch(void)
{
    uint64_t start = __rdtsc();

    for (uint32_t page = 0; page < NR_PAGES; page++)
        *number_of(page) = page;
    return __rdtsc() - start;
}

/* Numbers change places until they lead through all pages and back (Sattolo's algorithm). */
static void shuffle(void)
{
    for (uint32_t page = NR_PAGES - 1; page > 0; page--) {
        uint32_t *one = number_of(page);
        uint32_t *other = number_of((uint32_t)(next_random() % page));
        uint32_t number = *one;

        *one = *other;
        *other = number;
    }
}

/* Once through all pages. */
static void chase(void)
{
    uint32_t page = 0;

    for (unsigned step = 0; step < NR_PAGES; step++)
        page = *number_of(page);
    if (page != 0)
        errx(1, "the way through the pages does not lead back");
}

static void measure_parts(const char *name, void (*work)(void), unsigned parts)
{
    uint64_t begin = __rdtsc(), start = begin, now;
    char part[32];

    for (unsigned i = 0; i < parts; i++) {
        work();
        now = __rdtsc();
        samples[i] = now - start;
        start = now;
    }
    print_ticks(name, start - begin);
    snprintf(part, sizeof(part), "%s.part", name);
    print_ticks(part, quantile(samples, parts, 10));
}

int main(int argc, char **argv)
{
    cpu_set_t set;

    if (argc != 2 && argc != 3)
        errx(1, "usage: measure-work CPU [INPUT]");
    setlinebuf(stdout);
    set = use_processor(argv[1]);
    print_ticks("work.cpuid", ticks_for_cpuid());
    measure_parts("work.compute", compute, NR_SORTS);
    map_pages();
    print_ticks("work.touch", ticks_for_touch());
    shuffle();
    measure_parts("work.chase", chase, NR_ROUNDS);
    munmap(pages, (size_t)NR_PAGES * PAGE_BYTES);
    if (argc == 3)
        print_ticks("work.xz", ticks_for_xz("-T1", argv[2], &set));
    return 0;
}
