/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fourth pass: what a description means. Decides which objects, capabilities, mappings and threads
 * make a virtual machine and its monitor (here), a server (server.h, console.h) and the
 * supervisor (supervisor.h); the builder turns that into a plan.
 *
 * The addresses and slots that a monitor expects are those of user/vmm/config.h.
 */
#ifndef TOOLS_BULKHEAD_COMPILE_H
#define TOOLS_BULKHEAD_COMPILE_H

#include "tools/bulkhead/builder.h"
#include "tools/bulkhead/model.h"
#include "tools/bulkhead/program.h"

/* The programs that a system is made of. */
struct components {
    struct program init;
    struct program vmm;
    struct program console;
    struct program sataserver;
    struct program supervisor;
};

/* A plan and the files of its image (struct image_file). */
struct compiled {
    struct buffer plan;
    struct buffer files;
};

/* For a model without errors. False with an error in the report if the result exceeds a limit. */
bool compile_system(struct report *report, const struct model *model,
                    const struct components *components, struct compiled *compiled);

#endif
