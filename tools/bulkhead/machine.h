/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a system needs of its machine, compared with what its description says that the machine has.
 *
 * What is needed is estimated from the description and the files that it names, on the safe side:
 * the guests' memory, what they boot from, and a reserve for kernel, firmware, init, servers and
 * monitors. The tests compare the reserve with the plans that are made.
 */
#ifndef TOOLS_BULKHEAD_MACHINE_H
#define TOOLS_BULKHEAD_MACHINE_H

#include "tools/bulkhead/model.h"

#define MACHINE_MAX_CORES 64u

struct machine {
    uint64_t cores;
    uint64_t memory; /* bytes */
};

struct machine machine_needed(const struct model *model);
/* As described; what is not, as needed. */
struct machine machine_assumed(const struct model *model);

/* Part of the third pass (check.h). */
void machine_check(struct report *report, const struct model *model);

#endif
