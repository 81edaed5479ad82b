/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server's side of resets (control.h): whose are wanted, and telling which are done. A reset that
 * is wanted once more before it is done is the same reset: what is done afterwards answers both.
 */
#ifndef USER_LIBSERVER_RESET_H
#define USER_LIBSERVER_RESET_H

#include "user/libserver/control.h"

_Static_assert(SERVER_MAX_CLIENTS <= 32, "a bit for each");

struct resets {
    struct control_channel *channel;
    uint32_t nr_clients;
    uint32_t wanted[SERVER_MAX_CLIENTS]; /* as last seen */
};

/* Clients whose reset is to be begun, as bits; it may have begun already. */
static inline uint32_t resets_take(struct resets *resets)
{
    uint32_t clients = 0;

    for (uint32_t i = 0; i < resets->nr_clients; i++) {
        /* Pairs with the supervisor's release: the client has been stopped before. */
        uint32_t wanted = __atomic_load_n(&resets->channel->reset_wanted[i], __ATOMIC_ACQUIRE);

        clients |= (uint32_t)(wanted != resets->wanted[i]) << i;
        resets->wanted[i] = wanted;
    }
    return clients;
}

/* Those of these clients, as bits, are done: the supervisor is to be signalled. */
static inline void resets_end(struct resets *resets, uint32_t clients)
{
    for (uint32_t i = 0; i < resets->nr_clients; i++) {
        if ((clients >> i & 1) != 0) {
            /* Pairs with the supervisor's acquire: the channel is as it is to be. */
            __atomic_store_n(&resets->channel->reset_done[i], resets->wanted[i], __ATOMIC_RELEASE);
        }
    }
}

#endif
