/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's channel made as it was at first: its VM starts anew. */
#include "lib/string.h"
#include "user/sataserver/service_priv.h"

void service_reset(struct service *service, uint32_t index)
{
    struct client *client = &service->clients[index];

    client->resetting = true;
    client_end(client);
}

/* Nothing of it is at the drive, and nothing more will be. */
static bool is_due(const struct client *client)
{
    return client->resetting && (client->state == CLIENT_STARTING || client->state == CLIENT_ENDED);
}

/* Its limit and its counters stay: starting anew gains nothing. */
static void renew(struct client *client)
{
    memset(client->channel, 0, sizeof *client->channel);
    client_open_rings(client);
    client->tags = 0; /* of a request that was taken and had no slot yet */
    client->resetting = false;
    if (client->drive != NULL) {
        /* Also if it had broken a rule. A drive that has failed is found out as always. */
        client->state = CLIENT_READY;
        client_tell(client, DISK_READY);
    } else if (client->state == CLIENT_ENDED) {
        client_tell(client, DISK_REFUSED);
    }
}

void reset_finish(struct service *service)
{
    for (uint32_t i = 0; i < service->nr_clients; i++) {
        struct client *client = &service->clients[i];

        if (is_due(client)) {
            renew(client);
            service->resets_done |= 1u << i;
        }
    }
}

uint32_t service_take_resets(struct service *service)
{
    uint32_t done = service->resets_done;

    service->resets_done = 0;
    return done;
}
