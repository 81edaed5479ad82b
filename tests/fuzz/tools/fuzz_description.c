/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any text as a system description: it is refused with at least one message, or it compiles to a
 * plan that init's own check accepts (the compiler asks it).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tools/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How a message begins that has no place in the file, so comes first: see compile.c. */
static const char own_mistake[] = "test.yaml: error: the plan made of it is wrong";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world;
    bool good = world_compile(&world, (const char *)data, size);
    char *text = NULL;
    size_t length;
    FILE *to = open_memstream(&text, &length);

    report_print(&world.report, to);
    fclose(to);
    if (good != (world.report.errors == 0) || (!good && length == 0) ||
        strncmp(text, own_mistake, sizeof(own_mistake) - 1) == 0) {
        abort();
    }
    free(text);
    world_release(&world);
    return 0;
}
