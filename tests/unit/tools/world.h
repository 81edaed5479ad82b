/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptions and programs without files, for tests: a text goes in, a plan comes out.
 */
#ifndef TESTS_UNIT_TOOLS_WORLD_H
#define TESTS_UNIT_TOOLS_WORLD_H

#include "tools/bulkhead/compile.h"
#include "user/init/plan.h"

#define WORLD_KERNEL_BYTES 10000u
#define WORLD_INITRD_BYTES 4096u
#define WORLD_VMM_ENTRY    0x401010u

struct world {
    struct arena arena;
    struct report report;
    struct model model;
    struct components components;
    struct compiled compiled;
    struct plan plan;
};

/* Reads and checks the text; kernel and RAM disk are made up. True if there is no error. */
bool world_read(struct world *world, const char *text, size_t length);
/* The same, then compiles and opens the plan. */
bool world_compile(struct world *world, const char *text, size_t length);
void world_release(struct world *world);

#endif
