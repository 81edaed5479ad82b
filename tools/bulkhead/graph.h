/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A drawing of who can reach what, as Graphviz source: made of a compiled plan, so it shows what
 * init will do, not what the description seems to say.
 *
 * Everything by which a component can reach what others can reach, too, or what leads out of the
 * machine, is drawn. What is a component's alone is summed up: frames that it maps itself as
 * "private memory"; capabilities of its own threads and notifications not at all (audit.h has all).
 */
#ifndef TOOLS_BULKHEAD_GRAPH_H
#define TOOLS_BULKHEAD_GRAPH_H

#include <stdio.h>

#include "tools/bulkhead/arena.h"
#include "user/init/plan.h"

/* For plans that plan_check() accepts. */
void graph_print(const struct plan *plan, struct arena *arena, FILE *to);

#endif
