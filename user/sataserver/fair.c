/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/sataserver/fair.h"

#include "lib/string.h"

void fair_init(struct fair *fair, uint32_t nr_clients, uint32_t slots)
{
    memset(fair, 0, sizeof *fair);
    fair->nr_clients = nr_clients;
    fair->slots = slots;
}

uint32_t fair_limit(const struct fair *fair)
{
    uint32_t others = fair->nr_clients - 1;

    /* With more clients than slots there is one for each in its turn. */
    return fair->slots > others ? fair->slots - others : 1;
}

static void pass_turn(struct fair *fair)
{
    fair->turn = fair->turn + 1 == fair->nr_clients ? 0 : fair->turn + 1;
    fair->charged = false;
}

static uint64_t cost_of(uint64_t bytes)
{
    return bytes < FAIR_MIN_COST ? FAIR_MIN_COST : bytes;
}

enum answer {
    ANSWER_SERVE,
    ANSWER_SAVES, /* it waits, and cannot pay yet */
    ANSWER_NOTHING,
};

static enum answer look_at(struct fair *fair, uint64_t bytes)
{
    struct fair_client *client = &fair->clients[fair->turn];

    if (bytes == FAIR_IDLE) {
        client->credit = 0;
        return ANSWER_NOTHING;
    }
    if (client->outstanding >= fair_limit(fair)) {
        return ANSWER_NOTHING;
    }
    if (!fair->charged) {
        client->credit += FAIR_QUANTUM;
        fair->charged = true;
    }
    if (client->credit < cost_of(bytes)) {
        return ANSWER_SAVES;
    }
    client->credit -= cost_of(bytes);
    client->outstanding++;
    fair->outstanding++;
    return ANSWER_SERVE;
}

uint32_t fair_next(struct fair *fair, uint64_t (*waiting)(void *context, uint32_t client),
                   void *context)
{
    uint32_t without = 0; /* clients in a row that have nothing to be served */

    if (fair->outstanding >= fair->slots) {
        return FAIR_NOBODY;
    }
    while (without < fair->nr_clients) {
        uint32_t client = fair->turn;

        switch (look_at(fair, waiting(context, client))) {
        case ANSWER_SERVE:
            return client;
        case ANSWER_SAVES: /* ends: every round brings it nearer */
            without = 0;
            break;
        case ANSWER_NOTHING:
            without++;
            break;
        }
        pass_turn(fair);
    }
    return FAIR_NOBODY;
}

void fair_done(struct fair *fair, uint32_t client)
{
    fair->clients[client].outstanding--;
    fair->outstanding--;
}
