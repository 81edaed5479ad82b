/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's end of a channel to the disk server (user/libserver/disk.h): learns what the disk
 * is, puts requests in, takes completions out. Knows nothing of the guest's device.
 *
 * Objects     one for each disk, from the monitor's start to its end
 * Invariants  I1  `outstanding` has a bit for each tag that was put and has not been handed back;
 *                 `nr_outstanding` says how many these are
 *             I2  a disk that is gone stays gone
 * Trust       facts are copied once and checked. A server that breaks the rings or completes what
 *             is not outstanding has a disk that is gone.
 * Locking     the device's
 * Units       sectors of facts.sector_bytes; segments in bytes
 */
#ifndef USER_VMM_DISK_CLIENT_H
#define USER_VMM_DISK_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/ring.h"
#include "user/libserver/disk.h"

struct disk_client {
    struct disk_channel *channel;
    struct ring requests, segments, completions;
    struct disk_facts facts; /* valid once disk_client_start() has said that it is ready */
    uint64_t outstanding;
    unsigned nr_outstanding;
    bool gone;
};

_Static_assert(DISK_MAX_REQUESTS <= 64, "a bit for each tag");

void disk_client_init(struct disk_client *client, struct disk_channel *channel);

/*
 * Looks at the state and, when the disk is ready or refused, copies its facts; facts that cannot be
 * are a refusal. The server signals when a disk that is starting no longer is.
 */
enum disk_state disk_client_start(struct disk_client *client);

/* Whether a request with any number of segments can be put. */
bool disk_client_has_room(struct disk_client *client);
/* Puts it, with a tag of our choice, which it returns. There is room. */
uint32_t disk_client_put(struct disk_client *client, struct disk_request *request,
                         const struct disk_segment *segments);
/* After puts: whether the server waits for a signal. */
bool disk_client_must_signal(struct disk_client *client);

/*
 * The next completion. When there is none, the server will signal the next one. All requests that
 * are outstanding when a disk goes, end with DISK_ERROR.
 */
bool disk_client_get(struct disk_client *client, struct disk_completion *completion);

#endif
