/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much a client may ask of its drive: bytes and requests per second, each a token bucket. Pure.
 *
 * A bucket    is kept as the time from which it owes nothing. What is charged moves that time on by
 *             as long as the rate needs for it; a client is served once it owes nothing. So a
 *             request is paid for afterwards, however large it is beside the rate, and what was
 *             left unused serves for LIMIT_BURST_US at most.
 * Invariants  L1  whatever is asked for: in any T microseconds a client that is only served when
 *                 limit_allows() gets at most rate * (T + LIMIT_BURST_US) and its last request
 * Locking     none: one thread
 * Units       now in microseconds of any clock that only goes forward
 */
#ifndef USER_SATASERVER_LIMIT_H
#define USER_SATASERVER_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* Several ticks of the server's clock, which may come late. */
#define LIMIT_BURST_US 100000u

struct limit_bucket {
    uint64_t rate; /* units per second; 0: no limit */
    uint64_t free; /* nanoseconds: from then on nothing is owed */
};

struct limit {
    struct limit_bucket bytes, requests;
};

/* 0: no limit. */
void limit_init(struct limit *limit, uint64_t bytes_per_second, uint64_t requests_per_second);
bool limit_allows(const struct limit *limit, uint64_t now);
/* At most 4 GiB, or as many requests, at a time. */
void limit_charge(struct limit *limit, uint64_t now, uint32_t requests, uint32_t bytes);

#endif
