/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who can do what in a system, for somebody who has to answer for it: every component, thread,
 * accessible memory, signal, message, interrupt, port, device and capability. All of it is read
 * from the compiled plan, which is what init carries out.
 */
#ifndef TOOLS_BULKHEAD_AUDIT_H
#define TOOLS_BULKHEAD_AUDIT_H

#include "tools/bulkhead/listing.h"
#include "user/init/plan.h"

/* For plans that plan_check() accepts. */
void audit_print(const struct plan *plan, struct arena *arena, FILE *to, bool json);

#endif
