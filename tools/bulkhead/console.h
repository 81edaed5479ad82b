/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of the fourth pass (compile.h): the console server, which has the serial port. */
#ifndef TOOLS_BULKHEAD_CONSOLE_H
#define TOOLS_BULKHEAD_CONSOLE_H

#include "tools/bulkhead/model.h"
#include "tools/bulkhead/supervisor.h"

#define CONSOLE_NAME "console"

/* Which of a PC's serial ports that is, from 0; and the last if it is none. */
unsigned console_port_number(uint64_t port);

/* Clients in the console's order, VMs first; at most SERVER_MAX_CLIENTS. */
void compile_console(struct supervisor *supervisor, const struct program *program,
                     const struct model_console *described, const struct server_client *clients,
                     size_t nr_clients, size_t nr_vms);

#endif
