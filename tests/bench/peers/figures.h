/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the measuring programs share: on which processor they are, how a figure is said, which of
 * many samples it is, and what xz takes. Nothing here outlives a call but the caller's processor;
 * what cannot be done ends the program.
 *
 * Unit: ticks of the TSC.
 */
#ifndef BENCH_PEERS_FIGURES_H
#define BENCH_PEERS_FIGURES_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>

/* The caller stays on this one from now on; the set of it alone. */
cpu_set_t use_processor(const char *number);

/* "bench: NAME TICKS", which tests/bench/peers/run reads. */
void print_ticks(const char *name, uint64_t ticks);

/* The sample that so many per cent of them are below; sorts them. There is at least one. */
uint64_t quantile(uint64_t *samples, size_t count, unsigned percent);

/*
 * Until xz has compressed a file with so many threads ("-T2") on some processors. The clock is read
 * on the caller's own.
 */
uint64_t ticks_for_xz(const char *threads, const char *input, const cpu_set_t *processors);

#endif
