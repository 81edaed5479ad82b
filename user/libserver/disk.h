/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channel between the SATA server and a client: one for each disk that a VM has. The client
 * puts requests in, with the pieces of its memory that they concern in a ring beside them; the
 * server puts in a completion for each request, in any order.
 *
 * Requests    The client chooses a tag below DISK_MAX_REQUESTS that none of its outstanding
 * requests has. All segments of a request are put into their ring before the request is, in the
 *             order of the requests. A read, write, discard or zeroing that is not inside the
 *             client's partition is completed with DISK_RANGE, and nothing of it happens.
 *             Before a request is completed its places in both rings have been given back.
 * Memory      A segment names the client's addresses (a guest's physical ones), not the bus's. The
 *             server translates and checks them; what lies outside of the memory that the plan gave
 *             is DISK_MEMORY. From the request to its completion the drive may read or write it.
 * Ordering    none between requests that are outstanding together. A flush covers the writes that
 *             were completed before it was put in.
 * Facts       Written by the server before `state` leaves DISK_STARTING, then constant. The server
 *             signals the client whenever `state` has changed, and after completions.
 * End         Before `state` becomes DISK_GONE, what was outstanding has ended: the drive does not
 *             touch the client's memory any more.
 * Trust       Each side copies what it takes and checks it. A client that breaks these rules
 *             (ring, tag, number of segments) is not served any more: its disk is DISK_GONE.
 * Units       sectors of facts.sector_bytes; segments in bytes
 */
#ifndef USER_LIBSERVER_DISK_H
#define USER_LIBSERVER_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "lib/ring.h"
#include "user/libserver/server.h"

#define DISK_MAX_REQUESTS 64u
#define DISK_MAX_SEGMENTS 248u /* of one request */
#define DISK_SEGMENT_RING 2048u
#define DISK_SERIAL_BYTES 20u
#define DISK_REASON_BYTES 160u

enum disk_kind {
    DISK_READ = 1,
    DISK_WRITE = 2,
    DISK_FLUSH = 3,
    DISK_DISCARD = 4,
    DISK_WRITE_ZEROES = 5,
};

#define DISK_FLAG_FUA 1u /* of a write: completed when it is on the medium */

struct disk_request {
    uint32_t tag;
    uint32_t kind;
    uint32_t flags;
    uint32_t nr_segments; /* reads and writes: 1 .. DISK_MAX_SEGMENTS; others: 0 */
    uint64_t sector;      /* of the client's partition */
    uint64_t count;       /* sectors; reads and writes: the segments' bytes; a flush: 0 */
};

/* Address and bytes are even. */
struct disk_segment {
    uint64_t address;
    uint64_t bytes;
};

enum disk_status {
    DISK_OK = 0,
    DISK_RANGE = 1,
    DISK_MEMORY = 2,
    DISK_READ_ONLY = 3,
    DISK_UNSUPPORTED = 4,
    DISK_ERROR = 5, /* the drive's, or the way to it */
};

struct disk_completion {
    uint32_t tag;
    uint32_t status;
};

enum disk_state {
    DISK_STARTING = 0,
    DISK_READY = 1,
    DISK_REFUSED = 2, /* reason says why; for good */
    DISK_GONE = 3,    /* it was ready; now there are no completions any more */
};

#define DISK_FACT_READ_ONLY    1u
#define DISK_FACT_WRITE_CACHE  2u /* a completed write may be lost unless it is flushed */
#define DISK_FACT_DISCARD      4u
#define DISK_FACT_WRITE_ZEROES 8u

struct disk_facts {
    uint32_t state; /* stored with release, loaded with acquire */
    uint32_t flags;
    uint64_t nr_sectors;
    uint32_t sector_bytes;
    uint32_t physical_bytes;        /* what the medium writes at once */
    uint32_t max_sectors;           /* of one read or write; others have no limit */
    char serial[DISK_SERIAL_BYTES]; /* padded with zeros, not terminated */
    char reason[DISK_REASON_BYTES]; /* NUL terminated */
};

struct disk_channel {
    struct ring_shared requests;    /* the client produces */
    struct ring_shared segments;    /* the client produces */
    struct ring_shared completions; /* the server produces */
    struct disk_facts facts;
    uint8_t reserved[4096 - 3 * sizeof(struct ring_shared) - sizeof(struct disk_facts) -
                     DISK_MAX_REQUESTS * sizeof(struct disk_completion)];
    struct disk_completion completion_entries[DISK_MAX_REQUESTS];
    struct disk_request request_entries[DISK_MAX_REQUESTS];
    uint8_t reserved2[4096 - DISK_MAX_REQUESTS * sizeof(struct disk_request)];
    struct disk_segment segment_entries[DISK_SEGMENT_RING];
};

#define DISK_CHANNEL_PAGES (sizeof(struct disk_channel) / 4096)

_Static_assert(sizeof(struct disk_request) == 32, "disk_request has no padding");
_Static_assert(sizeof(struct disk_facts) == 208, "disk_facts has no padding");
_Static_assert(offsetof(struct disk_channel, request_entries) == 4096, "layout");
_Static_assert(sizeof(struct disk_channel) == 10 * 4096, "ten pages");

#endif
