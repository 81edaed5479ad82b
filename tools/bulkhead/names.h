/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words for what a plan holds: for audit.h and graph.h.
 */
#ifndef TOOLS_BULKHEAD_NAMES_H
#define TOOLS_BULKHEAD_NAMES_H

#include "tools/bulkhead/arena.h"
#include "user/init/plan.h"
#include "user/libserver/sata.h"

/* "virtual machine", "server", "supervisor", "initial task, which ends" */
const char *names_of_kind(const struct plan *plan, uint32_t owner);
/* Who uses an address space: "guest", "monitor", "server" or "init". */
const char *names_of_space(const struct plan *plan, const struct plan_slot *space);
const char *names_of_type(uint8_t type);
/* The type of an object, or what else there are capabilities of. */
const char *names_of_slot(const struct plan_slot *slot);
/* What a capability with these rights allows its holder. */
const char *names_of_rights(const struct plan_slot *source, uint64_t rights);
/* What a mapping allows whoever uses its address space: "read write" and the like. */
const char *names_of_mapping(const struct plan_mapping *mapping, const struct plan_slot *space,
                             const struct plan_slot *frame);

/* The disk server's configuration, as init will put it into its memory; null without one. */
const struct sata_config *names_find_disks(const struct plan *plan);
/* "the partition labelled 'home'" and the like */
const char *names_of_place(struct arena *arena, const struct sata_client_config *disk);

/* The scheduling context's row of a thread. */
const struct plan_context *names_find_context(const struct plan *plan,
                                              const struct plan_thread *thread);

#endif
