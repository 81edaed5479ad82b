/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words for what a plan holds: for audit.h and graph.h.
 */
#ifndef TOOLS_BULKHEAD_NAMES_H
#define TOOLS_BULKHEAD_NAMES_H

#include "user/init/plan.h"

/* "virtual machine", "server", "initial task, then supervisor" */
const char *names_of_kind(const struct plan *plan, uint32_t owner);
/* Who uses an address space: "guest", "monitor", "server" or "init". */
const char *names_of_space(const struct plan *plan, const struct plan_slot *space);
const char *names_of_type(uint8_t type);
/* The type of an object, or what else there are capabilities of. */
const char *names_of_slot(const struct plan_slot *slot);
/* What a capability with these rights allows its holder. */
const char *names_of_rights(const struct plan_slot *source, uint64_t rights);

#endif
