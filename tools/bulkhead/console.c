/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/console.h"

#include <string.h>

#include "user/libserver/console.h"

/* The legacy serial port. */
#define SERIAL_FIRST 0x3f8u
#define SERIAL_LAST  0x3ffu
#define SERIAL_PIN   4u

/*
 * Above every VM, so that none can keep the others from speaking; at most a fifth of core 0, so
 * that no flood of output takes more. The period is also how long it lets output collect.
 */
static const struct server_time console_time = {
    .core = 0, .priority = 254, .budget_us = 400, .period_us = 2000
};

static void give_port(struct server *server)
{
    struct builder *builder = server->builder;
    uint32_t port = builder_port(builder, server->owner, "serial-port", SERIAL_FIRST, SERIAL_LAST);
    uint32_t irq = builder_irq(
        builder,
        (struct plan_irq){ .owner = server->owner, .pin = SERIAL_PIN, .vector = SERIAL_PIN },
        "serial-irq");

    builder_bind(builder, irq,
                 builder_copy(builder, server->notification, RIGHT_READ | RIGHT_WRITE,
                              SERVER_BADGE_INTERRUPT));
    builder_cap(builder, server->cnode, CONSOLE_SLOT_PORT, port, RIGHTS_ALL, 0);
    builder_cap(builder, server->cnode, CONSOLE_SLOT_IRQ, irq, RIGHTS_ALL, 0);
}

static void write_config(struct server *server, const struct server_client *clients,
                         size_t nr_clients)
{
    struct console_config config = {
        .magic = CONSOLE_CONFIG_MAGIC,
        .version = CONSOLE_CONFIG_VERSION,
        .nr_clients = (uint32_t)nr_clients,
    };

    for (size_t i = 0; i < nr_clients; i++) {
        /* The checks have seen to it that it fits. */
        memcpy(config.names[i], clients[i].name, strlen(clients[i].name));
    }
    builder_fill(server->builder, server->config_frame, &config, sizeof(config));
    builder_fill_tsc_mhz(server->builder, server->config_frame,
                         offsetof(struct console_config, tsc_mhz));
}

void compile_console(struct builder *builder, uint32_t supervisor, const struct program *program,
                     const struct server_client *clients, size_t nr_clients)
{
    struct server server;

    server_begin(&server, builder, CONSOLE_NAME);
    give_port(&server);
    write_config(&server, clients, nr_clients);
    for (size_t i = 0; i < nr_clients; i++) {
        server_add_client(&server, &clients[i], CONSOLE_CHANNEL_PAGES);
    }
    server_finish(&server, supervisor, program, &console_time);
}
