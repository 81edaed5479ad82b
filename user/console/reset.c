/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client's channel made as it was at first: its VM starts anew, or has ended. Its last words are
 * shown before, as far as they are there.
 */
#include "lib/string.h"
#include "user/console/mux_priv.h"

void mux_reset(struct mux *mux, unsigned index)
{
    struct mux_client *client = &mux->clients[index];

    if (!client->resetting) {
        client->resetting = true;
        client->left = ring_available(&client->output);
    }
}

static void renew(struct mux *mux, struct mux_client *client)
{
    memset(client->channel, 0, sizeof(*client->channel));
    mux_open_rings(client);
    client->done = 0;
    client->show = 0;
    client->known_bad = false;
    client->resetting = false;
    mux->resets_done |= 1u << (client - mux->clients);
    if (client == mux_focus(mux)) {
        hold_begin(mux);
    }
}

void reset_finish(struct mux *mux)
{
    for (unsigned i = 0; i < mux->nr_clients; i++) {
        struct mux_client *client = &mux->clients[i];

        if (client->resetting && client->left == 0 && mux_may_say(mux)) {
            mux_end_line(mux, client);
            renew(mux, client);
        }
    }
}

uint32_t mux_take_resets(struct mux *mux)
{
    uint32_t done = mux->resets_done;

    mux->resets_done = 0;
    return done;
}
