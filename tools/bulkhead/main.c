/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bulkhead: turns a system description into a boot image. The command line is in options.h, the
 * passes in tree.h, model.h, check.h, compile.h, builder.h and emit.h; this file calls them in that
 * order.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/bulkhead/audit.h"
#include "tools/bulkhead/check.h"
#include "tools/bulkhead/compile.h"
#include "tools/bulkhead/disk.h"
#include "tools/bulkhead/emit.h"
#include "tools/bulkhead/file.h"
#include "tools/bulkhead/graph.h"
#include "tools/bulkhead/iso.h"
#include "tools/bulkhead/machine.h"
#include "tools/bulkhead/options.h"
#include "tools/bulkhead/process.h"
#include "tools/bulkhead/schema.h"
#include "user/libserver/server.h"
#include "user/vmm/config.h"

enum exit_code {
    EXIT_GOOD = 0,
    EXIT_DESCRIPTION = 1, /* the description is wrong */
    EXIT_USAGE = 2,       /* the command line is wrong */
    EXIT_ENVIRONMENT = 3, /* a program or file is missing, or cannot be written */
};

/* Everything that one run works on. */
struct run {
    struct arena arena;
    struct options options;
    struct report report;
    struct model model;
    struct components components;
    struct compiled compiled;
};

static enum exit_code complain(enum exit_code code, const char *what, const char *why)
{
    fprintf(stderr, "bulkhead: %s%s%s\n", what, why != NULL ? ": " : "", why != NULL ? why : "");
    return code;
}

/* A path in the build tree that this program lies in (tools/bulkhead/bulkhead). */
static const char *in_build_tree(struct arena *arena, const char *path)
{
    char self[PATH_MAX] = "";
    char *folder = self;

    if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0) {
        return path;
    }
    for (int levels = 0; levels < 3; levels++) {
        folder = dirname(folder);
    }
    return arena_format(arena, "%s/%s", folder, path);
}

static void set_defaults(struct arena *arena, struct options *options)
{
    if (options->nr_artifacts == 0) {
        options->artifacts[options->nr_artifacts++] = in_build_tree(arena, "guest");
    }
    if (options->components == NULL) {
        options->components = in_build_tree(arena, "user");
    }
    if (options->kernel == NULL) {
        options->kernel = in_build_tree(arena, "kernel/bulkhead.elf");
    }
}

/* --- Steps -------------------------------------------------------------------------------------
 */

static enum exit_code read_description(struct run *run, bool missing_is_error)
{
    const struct options *options = &run->options;
    const struct file_search search = { options->description, options->artifacts,
                                        options->nr_artifacts, missing_is_error };
    struct file file;
    const struct tree *tree;

    report_init(&run->report, &run->arena, options->description);
    if (!file_map(options->description, &file)) {
        return complain(EXIT_ENVIRONMENT, options->description, strerror(errno));
    }
    tree = tree_parse(&run->report, (const char *)file.bytes, file.length);
    if (tree != NULL) {
        model_read(&run->report, tree, &run->model);
        file_find_all(&run->report, &search, &run->model);
        check_model(&run->report, &run->model);
    }
    return run->report.errors == 0 ? EXIT_GOOD : EXIT_DESCRIPTION;
}

/* A component's program, and where the addresses of its data begin. */
struct component_file {
    const char *name;
    struct program *program;
    uint64_t end;
};

static enum exit_code read_component(struct run *run, const struct component_file *file)
{
    const char *path = arena_format(&run->arena, "%s/%s", run->options.components, file->name);
    const char *wrong;
    struct file mapped;

    if (!file_map(path, &mapped)) {
        return complain(EXIT_ENVIRONMENT, path, strerror(errno));
    }
    wrong = program_read(&mapped, file->program);
    if (wrong == NULL && program_end(file->program) > file->end) {
        wrong = "it reaches into the addresses of its data";
    }
    return wrong == NULL ? EXIT_GOOD : complain(EXIT_ENVIRONMENT, path, wrong);
}

static enum exit_code compile(struct run *run)
{
    struct components *components = &run->components;
    const struct component_file files[] = {
        { "init.elf", &components->init, UINT64_MAX },
        { "vmm.elf", &components->vmm, VMM_CONFIG_VADDR },
        { "console.elf", &components->console, SERVER_CONFIG_VADDR },
        { "sataserver.elf", &components->sataserver, SERVER_CONFIG_VADDR },
        { "supervisor.elf", &components->supervisor, SERVER_CONFIG_VADDR },
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        enum exit_code code = read_component(run, &files[i]);

        if (code != EXIT_GOOD) {
            return code;
        }
    }
    return compile_system(&run->report, &run->model, components, &run->compiled) ? EXIT_GOOD
                                                                                 : EXIT_DESCRIPTION;
}

/* --- Commands ----------------------------------------------------------------------------------
 */

static enum exit_code check_disks(struct run *run)
{
    const struct options *options = &run->options;
    struct disk_image *images = arena_take(&run->arena, options->nr_disks * sizeof(*images));

    for (size_t i = 0; i < options->nr_disks; i++) {
        if (!disk_image_read(&run->arena, options->disks[i], &images[i])) {
            return complain(EXIT_ENVIRONMENT, images[i].path, strerror(errno));
        }
    }
    disk_check_images(&run->report, &run->model, images, options->nr_disks);
    return run->report.errors == 0 ? EXIT_GOOD : EXIT_DESCRIPTION;
}

static enum exit_code command_check(struct run *run)
{
    enum exit_code code = read_description(run, false);

    if (code == EXIT_ENVIRONMENT || run->options.nr_disks == 0) {
        return code;
    }
    return check_disks(run);
}

static enum exit_code make_iso(struct run *run, const char *image)
{
    struct iso iso = {
        .arena = &run->arena,
        .folder = run->options.output,
        .kernel = run->options.kernel,
        .image = image,
        .console_port = run->model.console.port.value,
    };

    return iso_write(&iso) ? EXIT_GOOD : complain(EXIT_ENVIRONMENT, iso.where, iso.why);
}

static enum exit_code command_build(struct run *run)
{
    const char *folder = run->options.output;
    const char *image;
    enum exit_code code;

    code = read_description(run, true);
    code = code == EXIT_GOOD ? compile(run) : code;
    if (code != EXIT_GOOD) {
        return code;
    }
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        return complain(EXIT_ENVIRONMENT, folder, strerror(errno));
    }
    image = arena_format(&run->arena, "%s/image.elf", folder);
    if (!emit_image(&run->arena, image, &run->components.init, &run->compiled)) {
        return complain(EXIT_ENVIRONMENT, image, strerror(errno));
    }
    return run->options.iso ? make_iso(run, image) : EXIT_GOOD;
}

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), tail = strlen(ending);

    return length >= tail && strcmp(name + length - tail, ending) == 0;
}

static enum exit_code draw(struct run *run, const char *source)
{
    const char *output = run->options.output;
    const char *dot = strrchr(output, '.');
    char *arguments[] = {
        "dot",
        arena_format(&run->arena, "-T%s", dot != NULL ? dot + 1 : "svg"),
        "-o",
        arena_format(&run->arena, "%s", output),
        arena_format(&run->arena, "%s", source),
        NULL,
    };
    const char *wrong = process_run(arguments, NULL);

    remove(source);
    return wrong == NULL ? EXIT_GOOD : complain(EXIT_ENVIRONMENT, arguments[0], wrong);
}

/* The description's plan, as init will get it. */
static enum exit_code read_plan(struct run *run, struct plan *plan)
{
    struct plan_problem problem;
    enum exit_code code = read_description(run, false);

    code = code == EXIT_GOOD ? compile(run) : code;
    if (code == EXIT_GOOD && !plan_open(plan, run->compiled.plan.bytes, UINT64_MAX, &problem)) {
        return complain(EXIT_DESCRIPTION, problem.where, problem.what);
    }
    return code;
}

/* Prints the plan into a file, or on standard output if the path is null. */
static enum exit_code print_plan(struct run *run, const char *path,
                                 void (*print)(struct run *run, const struct plan *plan, FILE *to))
{
    struct plan plan;
    enum exit_code code = read_plan(run, &plan);
    FILE *file = stdout;

    if (code != EXIT_GOOD) {
        return code;
    }
    if (path != NULL && (file = fopen(path, "w")) == NULL) {
        return complain(EXIT_ENVIRONMENT, path, strerror(errno));
    }
    print(run, &plan, file);
    if (fflush(file) != 0 || (file != stdout && fclose(file) != 0)) {
        return complain(EXIT_ENVIRONMENT, path != NULL ? path : "output", strerror(errno));
    }
    return EXIT_GOOD;
}

static void print_graph(struct run *run, const struct plan *plan, FILE *to)
{
    graph_print(plan, &run->arena, to);
}

static enum exit_code command_graph(struct run *run)
{
    const char *output = run->options.output, *source = output;
    enum exit_code code;

    if (output != NULL && !has_ending(output, ".dot")) {
        source = arena_format(&run->arena, "%s.dot", output);
    }
    code = print_plan(run, source, print_graph);
    return code == EXIT_GOOD && source != output ? draw(run, source) : code;
}

static void print_report(struct run *run, const struct plan *plan, FILE *to)
{
    audit_print(plan, &run->arena, to, run->options.json);
}

static enum exit_code command_report(struct run *run)
{
    return print_plan(run, run->options.output, print_report);
}

static bool label_is_new(const struct model_vm *vms, const struct model_disk *disk)
{
    for (;; vms++) {
        for (size_t i = 0; i < vms->nr_disks; i++) {
            if (&vms->disks[i] == disk) {
                return true;
            }
            if (vms->disks[i].partlabel.text != NULL &&
                strcmp(vms->disks[i].partlabel.text, disk->partlabel.text) == 0) {
                return false;
            }
        }
    }
}

static enum exit_code command_labels(struct run *run)
{
    enum exit_code code = read_description(run, false);
    const struct model *model = &run->model;

    for (size_t i = 0; code == EXIT_GOOD && i < model->nr_vms; i++) {
        for (size_t j = 0; j < model->vms[i].nr_disks; j++) {
            const struct model_disk *disk = &model->vms[i].disks[j];

            if (disk->partlabel.text != NULL && label_is_new(model->vms, disk)) {
                puts(disk->partlabel.text);
            }
        }
    }
    return code;
}

/* MiB, rounded down: what emulators take. */
static enum exit_code command_machine(struct run *run)
{
    enum exit_code code = read_description(run, false);
    struct machine machine = machine_assumed(&run->model);

    if (code == EXIT_GOOD) {
        printf("cores: %llu\nmemory: %lluM\nconsole: 0x%llx\n", (unsigned long long)machine.cores,
               (unsigned long long)(machine.memory >> 20),
               (unsigned long long)run->model.console.port.value);
    }
    return code;
}

static enum exit_code command_schema(struct run *run)
{
    schema_print(&run->arena, stdout);
    return EXIT_GOOD;
}

/* Programs get what check finds as its result. */
static void print_findings(const struct run *run)
{
    if (run->options.json && run->options.command == COMMAND_CHECK) {
        report_print_json(&run->report, stdout);
    } else {
        report_print(&run->report, stderr);
    }
}

static enum exit_code run_command(struct run *run)
{
    static enum exit_code (*const functions[NR_COMMANDS])(struct run * run) = {
        [COMMAND_CHECK] = command_check,   [COMMAND_BUILD] = command_build,
        [COMMAND_GRAPH] = command_graph,   [COMMAND_REPORT] = command_report,
        [COMMAND_LABELS] = command_labels, [COMMAND_MACHINE] = command_machine,
        [COMMAND_SCHEMA] = command_schema,
    };
    enum exit_code code = functions[run->options.command](run);

    print_findings(run);
    return code;
}

int main(int count, char **arguments)
{
    struct run run = { 0 };
    enum exit_code code = EXIT_GOOD;

    if (!options_read(&run.options, count, arguments)) {
        code = EXIT_USAGE;
    } else if (run.options.help) {
        options_help(run.options.command);
    } else {
        set_defaults(&run.arena, &run.options);
        code = run_command(&run);
    }
    arena_release(&run.arena);
    return code;
}
