/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/console.h"

#include <string.h>

#include "user/libserver/console.h"

#define SERIAL_PORTS 8u /* of one UART */

/*
 * Above every VM, so that none can keep the others from speaking; at most a fifth of core 0, so
 * that no flood of output takes more. The period is also how long it lets output collect.
 */
static const struct server_time console_time = {
    .core = 0, .priority = 254, .budget_us = 400, .period_us = 2000
};

unsigned console_port_number(uint64_t port)
{
    static const uint64_t ports[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
    unsigned number = 0;

    while (number < 3 && ports[number] != port) {
        number++;
    }
    return number;
}

/* The first and the third port share an interrupt, as do the others. */
static uint8_t pin_of(uint64_t port)
{
    return console_port_number(port) % 2 == 0 ? 4 : 3;
}

static void give_port(struct server *server, uint64_t first)
{
    struct builder *builder = server->builder;
    uint32_t port = builder_port(builder, server->owner, "serial-port", (uint16_t)first,
                                 (uint16_t)(first + SERIAL_PORTS - 1));
    uint32_t irq = builder_irq(
        builder,
        (struct plan_irq){ .owner = server->owner, .pin = pin_of(first), .vector = pin_of(first) },
        "serial-irq");

    builder_bind(builder, irq,
                 builder_copy(builder, server->notification, RIGHT_READ | RIGHT_WRITE,
                              SERVER_BADGE_INTERRUPT));
    builder_cap(builder, server->cnode, CONSOLE_SLOT_PORT, port, RIGHTS_ALL, 0);
    builder_cap(builder, server->cnode, CONSOLE_SLOT_IRQ, irq, RIGHTS_ALL, 0);
}

/* The client that has this name; without one the first. */
static uint32_t find_client(const struct server_client *clients, size_t nr_clients,
                            const char *name)
{
    for (uint32_t i = 0; name != NULL && i < nr_clients; i++) {
        if (strcmp(clients[i].name, name) == 0) {
            return i;
        }
    }
    return 0;
}

static void write_config(struct server *server, const struct model_console *described,
                         const struct server_client *clients, size_t nr_clients, size_t nr_vms)
{
    struct console_config config = {
        .magic = CONSOLE_CONFIG_MAGIC,
        .version = CONSOLE_CONFIG_VERSION,
        .nr_clients = (uint32_t)nr_clients,
        .first = find_client(clients, nr_clients, described->first.text),
        .port = (uint16_t)described->port.value,
        .escape = (uint8_t)described->escape.value,
        .colour = (uint8_t)described->colour.value,
        .nr_vms = (uint8_t)nr_vms,
    };

    for (size_t i = 0; i < nr_clients; i++) {
        /* The checks have seen to it that it fits. */
        memcpy(config.names[i], clients[i].name, strlen(clients[i].name));
    }
    builder_fill(server->builder, server->config_frame, &config, sizeof(config));
    builder_fill_tsc_mhz(server->builder, server->config_frame,
                         offsetof(struct console_config, tsc_mhz));
}

void compile_console(struct supervisor *supervisor, const struct program *program,
                     const struct model_console *described, const struct server_client *clients,
                     size_t nr_clients, size_t nr_vms)
{
    struct server server;

    server_begin(&server, supervisor->server.builder, CONSOLE_NAME, PLAN_COMPONENT_SERVER,
                 SERVER_CNODE_RADIX);
    give_port(&server, described->port.value);
    write_config(&server, described, clients, nr_clients, nr_vms);
    for (size_t i = 0; i < nr_clients; i++) {
        server_add_client(&server, &clients[i], CONSOLE_CHANNEL_PAGES);
    }
    supervisor_add_server(supervisor, SUPERVISOR_CONSOLE, &server);
    server_finish(&server, supervisor->endpoint, program, &console_time);
}
