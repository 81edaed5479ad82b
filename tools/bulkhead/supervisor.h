/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Part of the fourth pass (compile.h): the supervisor. It is begun before all other components,
 * which need its endpoint, learns of each as it is made, and is finished after them.
 */
#ifndef TOOLS_BULKHEAD_SUPERVISOR_H
#define TOOLS_BULKHEAD_SUPERVISOR_H

#include "tools/bulkhead/model.h"
#include "tools/bulkhead/server.h"
#include "user/libserver/supervisor.h"

#define SUPERVISOR_NAME "bulkhead"

struct supervisor {
    struct server server; /* what it has like any server */
    uint32_t endpoint;    /* for reports and faults */
    struct supervisor_config config;
};

void supervisor_begin(struct supervisor *supervisor, struct builder *builder,
                      const struct model *model);
/* After this the VM's threads are added, each of which it may stop and start. */
void supervisor_begin_vm(struct supervisor *supervisor, const struct model_vm *vm, uint32_t owner);
void supervisor_add_thread(struct supervisor *supervisor, uint32_t tcb);
/* A control channel. */
void supervisor_add_server(struct supervisor *supervisor, enum supervisor_server_number number,
                           const struct server *server);
struct server_client supervisor_as_console_client(const struct supervisor *supervisor);
/* monitor: the program that VMs' threads begin */
void supervisor_finish(struct supervisor *supervisor, const struct program *program,
                       const struct program *monitor);

#endif
