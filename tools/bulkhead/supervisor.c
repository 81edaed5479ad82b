/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/supervisor.h"

#include <string.h>

#include "user/libserver/console.h"
#include "user/libserver/control.h"

/*
 * Above every VM, so that none can escape it; a twentieth of core 0, so that no VM that ends again
 * and again takes more. The period is also how exactly it starts VMs at their time.
 */
static const struct server_time supervisor_time = {
    .core = 0, .priority = 254, .budget_us = 500, .period_us = 10000
};

static void give_ports(struct server *server)
{
    struct builder *builder = server->builder;
    uint32_t debug_exit = builder_port(builder, server->owner, "debug-exit", 0xf4, 0xf7);
    uint32_t shutdown = builder_port(builder, server->owner, "shutdown", 0x8900, 0x8900);

    builder_cap(builder, server->cnode, SUPERVISOR_SLOT_DEBUG_EXIT, debug_exit, RIGHTS_ALL, 0);
    builder_cap(builder, server->cnode, SUPERVISOR_SLOT_SHUTDOWN, shutdown, RIGHTS_ALL, 0);
}

void supervisor_begin(struct supervisor *supervisor, struct builder *builder,
                      const struct model *model)
{
    struct server *server = &supervisor->server;
    uint32_t reply;

    *supervisor = (struct supervisor){
        .config = { .magic = SUPERVISOR_CONFIG_MAGIC,
                    .version = SUPERVISOR_CONFIG_VERSION,
                    .end_action = (uint32_t)model->at_end.value,
                    .log = (uint32_t)model->log.value },
    };
    server_begin(server, builder, SUPERVISOR_NAME, PLAN_COMPONENT_SUPERVISOR,
                 SUPERVISOR_CNODE_RADIX);
    server->is_bound = true;
    builder->header.supervisor = server->owner;
    supervisor->endpoint = server_object(server, "endpoint", seL4_EndpointObject, 0, 1);
    reply = server_object(server, "reply", seL4_ReplyObject, 0, 1);
    builder_cap(builder, server->cnode, SUPERVISOR_SLOT_ENDPOINT, supervisor->endpoint, RIGHT_READ,
                0);
    builder_cap(builder, server->cnode, SUPERVISOR_SLOT_REPLY, reply, RIGHTS_ALL, 0);
    if (model->at_end.value == SUPERVISOR_END_EXIT) {
        give_ports(server);
    }
    server_add_range(server, SUPERVISOR_CONSOLE_VADDR,
                     SUPERVISOR_CONSOLE_VADDR + sizeof(struct console_channel), seL4_PageBits);
    server_add_range(server, SUPERVISOR_CONTROL_VADDR,
                     SUPERVISOR_CONTROL_VADDR + SUPERVISOR_MAX_SERVERS * SUPERVISOR_CONTROL_SPAN,
                     seL4_PageBits);
}

void supervisor_begin_vm(struct supervisor *supervisor, const struct model_vm *vm, uint32_t owner)
{
    struct supervisor_config *config = &supervisor->config;
    struct supervisor_vm *described = &config->vms[config->nr_vms];
    uint32_t before = 0;

    for (uint32_t i = 0; i < config->nr_vms; i++) {
        before += (uint32_t)__builtin_popcount(config->vms[i].clients[SUPERVISOR_SATA]);
    }
    *described = (struct supervisor_vm){
        .component = owner,
        .restart = (uint32_t)vm->restart.value,
        .limit = (uint32_t)vm->restart_limit.value,
        .delay_us = vm->restart_delay.value,
        .clients = { [SUPERVISOR_CONSOLE] = 1u << config->nr_vms,
                     [SUPERVISOR_SATA] = ((1u << vm->nr_disks) - 1) << before },
    };
    /* The checks have seen to it that it fits. */
    memcpy(described->name, vm->name.text, strlen(vm->name.text));
    config->nr_vms++;
}

void supervisor_add_thread(struct supervisor *supervisor, uint32_t tcb)
{
    uint32_t number = supervisor->config.nr_vms - 1;
    struct supervisor_vm *vm = &supervisor->config.vms[number];

    builder_cap(supervisor->server.builder, supervisor->server.cnode,
                SUPERVISOR_SLOT_TCB + number * SUPERVISOR_MAX_THREADS + vm->nr_threads, tcb,
                RIGHTS_ALL, 0);
    vm->nr_threads++;
}

void supervisor_add_server(struct supervisor *supervisor, enum supervisor_server_number number,
                           const struct server *server)
{
    static const struct server_end end = { "control", SERVER_CONTROL_VADDR, SERVER_SLOT_SUPERVISOR,
                                           SERVER_BADGE_CONTROL };
    const struct server_client own = server_as_client(
        &supervisor->server, SUPERVISOR_CONTROL_VADDR + number * SUPERVISOR_CONTROL_SPAN,
        SUPERVISOR_SLOT_CONTROL + number, SUPERVISOR_BADGE_CONTROL(number));
    struct supervisor_server *described = &supervisor->config.servers[number];

    supervisor->config.nr_servers++;
    described->component = server->owner;
    memcpy(described->name, server->name, strlen(server->name));
    server_connect(server, &own, &end, 1);
}

struct server_client supervisor_as_console_client(const struct supervisor *supervisor)
{
    return server_as_client(&supervisor->server, SUPERVISOR_CONSOLE_VADDR, SUPERVISOR_SLOT_CONSOLE,
                            SUPERVISOR_BADGE_CONSOLE);
}

void supervisor_finish(struct supervisor *supervisor, const struct program *program,
                       const struct program *monitor)
{
    struct server *server = &supervisor->server;

    supervisor->config.entry = monitor->entry;
    builder_fill(server->builder, server->config_frame, &supervisor->config,
                 sizeof(supervisor->config));
    builder_fill_tsc_mhz(server->builder, server->config_frame,
                         offsetof(struct supervisor_config, tsc_mhz));
    server_finish(server, supervisor->endpoint, program, &supervisor_time);
}
