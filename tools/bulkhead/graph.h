/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who can reach what, drawn from the plan itself, not from the description: every arrow is a
 * capability or a mapping that init will hand out. Graphviz's language.
 */
#ifndef TOOLS_BULKHEAD_GRAPH_H
#define TOOLS_BULKHEAD_GRAPH_H

#include <stdio.h>

#include "user/init/plan.h"

void graph_print(const struct plan *plan, FILE *to);

#endif
