/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/sataserver/limit.h"

#define NS_PER_US     1000u
#define NS_PER_SECOND 1000000000ull

void limit_init(struct limit *limit, uint64_t bytes_per_second, uint64_t requests_per_second)
{
    limit->bytes = (struct limit_bucket){ .rate = bytes_per_second };
    limit->requests = (struct limit_bucket){ .rate = requests_per_second };
}

bool limit_allows(const struct limit *limit, uint64_t now)
{
    return now * NS_PER_US >= limit->bytes.free && now * NS_PER_US >= limit->requests.free;
}

/* Rounded up, so that many small charges are no less than a large one. */
static void charge(struct limit_bucket *bucket, uint64_t now, uint32_t amount)
{
    uint64_t earliest = now > LIMIT_BURST_US ? (now - LIMIT_BURST_US) * NS_PER_US : 0;

    if (bucket->rate == 0) {
        return;
    }
    if (bucket->free < earliest) {
        bucket->free = earliest;
    }
    bucket->free += (amount * NS_PER_SECOND + bucket->rate - 1) / bucket->rate;
}

void limit_charge(struct limit *limit, uint64_t now, uint32_t requests, uint32_t bytes)
{
    charge(&limit->requests, now, requests);
    charge(&limit->bytes, now, bytes);
}
