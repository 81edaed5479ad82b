/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which memory a client may have the drive read and write: windows from the client's addresses (a
 * guest's physical ones) to the bus. They are fixed before the client is served, and no other
 * address of its requests reaches a controller than what window_append() makes of it.
 *
 * Trust       what a client asks for is arbitrary; the windows come from init and are checked once
 *             all the same, by windows_valid()
 * Invariants  W1  windows ascend by client address, are disjoint, not empty and even, and neither
 *                 end wraps
 *             W2  every byte of a list's segments lies inside a window
 * Units       bytes
 * Errors      false; the list is then as it was
 */
#ifndef USER_SATASERVER_WINDOW_H
#define USER_SATASERVER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "user/sataserver/hba.h"

struct window {
    uint64_t client;
    uint64_t bus;
    uint64_t bytes;
};

struct windows {
    const struct window *rows;
    uint32_t count;
};

/*
 * Adds a window behind those there are, or makes the last one longer if this one continues it on
 * both sides. False if there is no room: rows[0 .. room).
 */
bool windows_add(struct window *rows, uint32_t *count, uint32_t room, struct window window);

/* W1 */
bool windows_valid(const struct windows *windows);

/* What a transfer is made of, in bus addresses: neighbours are joined, up to what one region takes.
 */
struct segment_list {
    uint32_t count;
    uint64_t bytes; /* of all segments */
    struct dma_segment segments[TRANSFER_MAX_SEGMENTS];
};

/*
 * Appends [address, address + bytes) of the client to the list. False if it is empty or odd, if any
 * of it is outside of the windows, or if there is no room.
 */
bool window_append(const struct windows *windows, uint64_t address, uint64_t bytes,
                   struct segment_list *list);

#endif
