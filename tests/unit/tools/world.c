/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/tools/world.h"

#include <string.h>

#include "tools/bulkhead/check.h"

static uint8_t kernel[WORLD_KERNEL_BYTES];
static uint8_t initrd[WORLD_INITRD_BYTES];
static uint8_t code[6000];
static uint8_t data[100];

/* The shape of what cmake/user-program.ld links; the last segment is more than its bytes. */
static void make_program(struct program *program)
{
    memset(code, 0x90, sizeof(code));
    memset(data, 0xda, sizeof(data));
    *program = (struct program){
        .entry = WORLD_VMM_ENTRY,
        .nr_segments = 3,
        .segments = {
            { 0x400000, 100, data, sizeof(data), false, false },
            { 0x401000, sizeof(code), code, sizeof(code), false, true },
            { 0x403000, 20000, data, sizeof(data), true, false },
        },
    };
}

static void give_file(struct model_file *file, const uint8_t *bytes, uint64_t length)
{
    if (file->name.text != NULL) {
        file->path = file->name.text;
        file->bytes = bytes;
        file->length = length;
    }
}

static void give_files(struct model *model)
{
    static const uint8_t magic[] = { 'H', 'd', 'r', 'S' };

    memcpy(kernel + 0x202, magic, sizeof(magic));
    memset(initrd, 0x1d, sizeof(initrd));
    for (size_t i = 0; i < model->nr_vms; i++) {
        give_file(&model->vms[i].kernel, kernel, sizeof(kernel));
        give_file(&model->vms[i].initrd, initrd, sizeof(initrd));
    }
}

bool world_read(struct world *world, const char *text, size_t length)
{
    const struct tree *tree;

    *world = (struct world){ 0 };
    report_init(&world->report, &world->arena, "test.yaml");
    tree = tree_parse(&world->report, text, length);
    if (tree != NULL) {
        model_read(&world->report, tree, &world->model);
        give_files(&world->model);
        check_model(&world->report, &world->model);
    }
    return world->report.errors == 0;
}

bool world_compile(struct world *world, const char *text, size_t length)
{
    struct plan_problem problem;

    if (!world_read(world, text, length)) {
        return false;
    }
    make_program(&world->components.init);
    make_program(&world->components.vmm);
    make_program(&world->components.console);
    make_program(&world->components.sataserver);
    make_program(&world->components.supervisor);
    return compile_system(&world->report, &world->model, &world->components, &world->compiled) &&
           plan_open(&world->plan, world->compiled.plan.bytes,
                     ((const struct plan_header *)world->compiled.plan.bytes)->image_bytes,
                     &problem);
}

void world_release(struct world *world)
{
    arena_release(&world->arena);
}
