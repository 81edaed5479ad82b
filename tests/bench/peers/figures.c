/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE

#include "tests/bench/peers/figures.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

cpu_set_t use_processor(const char *number)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(atoi(number), &set);
    if (sched_setaffinity(0, sizeof(set), &set))
        err(1, "processor %s", number);
    return set;
}

void print_ticks(const char *name, uint64_t ticks)
{
    printf("bench: %s %" PRIu64 "\n", name, ticks);
}

static int compare_samples(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

uint64_t quantile(uint64_t *samples, size_t count, unsigned percent)
{
    qsort(samples, count, sizeof(samples[0]), compare_samples);
    return samples[count * percent / 100];
}

static void become_xz(const char *threads, const char *input, const cpu_set_t *processors)
{
    int null = open("/dev/null", O_WRONLY);

    if (sched_setaffinity(0, sizeof(*processors), processors))
        err(1, "xz's processors");
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
        err(1, "/dev/null");
    /* The same blocks for one thread and for two, so that both do the same work. */
    execl("/bin/xz", "xz", "-1", "-c", "--block-size=128KiB", threads, input, NULL);
    err(1, "xz");
}

uint64_t ticks_for_xz(const char *threads, const char *input, const cpu_set_t *processors)
{
    uint64_t start = __rdtsc();
    pid_t child = fork();
    int status;

    if (child < 0)
        err(1, "fork");
    if (child == 0)
        become_xz(threads, input, processors);
    if (waitpid(child, &status, 0) != child || status != 0)
        errx(1, "xz failed");
    return __rdtsc() - start;
}
