/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A good plan with changes: the input is a row of records of six bytes, two that say where (as a
 * position in header, tables and strings) and four that are written there. Opening and checking
 * never read outside, and what is accepted keeps its promises about slots.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tools/world.h"
#include "user/init/plan_check.h"

#define RECORD_BYTES 6u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] = "system: test\nat-end: exit\nvms:\n  - name: linux\n    memory: 64M\n"
                           "    kernel: k\n    initrd: i\n";

struct original {
    uint8_t *bytes;
    uint64_t image_bytes;
    uint64_t plan_bytes;
};

static struct original make_original(void)
{
    struct original original;
    struct world world;

    if (!world_compile(&world, text, sizeof(text) - 1)) {
        abort();
    }
    original.image_bytes = world.plan.header->image_bytes;
    original.plan_bytes = world.plan.header->plan_bytes;
    original.bytes = calloc(1, original.image_bytes);
    memcpy(original.bytes, world.compiled.plan.bytes, world.compiled.plan.length);
    world_release(&world);
    return original;
}

static void check_promises(const struct plan *plan)
{
    struct plan_slot slot;

    for (uint32_t i = 1; i < plan->header->nr_slots; i++) {
        if (!plan_slots_find(plan, i, 1, &slot) ||
            strlen(plan_slot_name(plan, i)) >= plan->header->plan_bytes) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct original original;
    struct plan_problem problem;
    struct plan plan;
    uint8_t *bytes;

    if (original.bytes == NULL) {
        original = make_original();
    }
    bytes = malloc(original.image_bytes);
    memcpy(bytes, original.bytes, original.image_bytes);
    for (; size >= RECORD_BYTES; size -= RECORD_BYTES, data += RECORD_BYTES) {
        size_t at = (data[0] | (size_t)data[1] << 8) % (original.plan_bytes - 4);

        memcpy(bytes + at, data + 2, 4);
    }
    if (plan_open(&plan, bytes, original.image_bytes, &problem) && plan_check(&plan, &problem)) {
        check_promises(&plan);
    }
    free(bytes);
    return 0;
}
