/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/model.h"

#include <ctype.h>
#include <string.h>

#include "tools/bulkhead/value.h"

#define DEFAULT_PRIORITY  100u
#define DEFAULT_PERIOD_US 10000u

/* How a value is read into the member it is meant for. */
typedef void (*value_reader)(struct report *report, const struct tree *value, void *member);

struct key {
    const char *name;
    size_t offset; /* of the member */
    value_reader read;
    bool required;
};

struct language {
    const char *what; /* "a VM", for messages */
    const struct key *keys;
    size_t count;
};

/* --- Readers -----------------------------------------------------------------------------------
 */

static bool expect_text(struct report *report, const struct tree *value, const char *expected)
{
    if (value->kind == TREE_TEXT && (*value->text != '\0' || value->quoted)) {
        return true;
    }
    report_error(report, value->at, "expected %s, found %s", expected, tree_kind_name(value));
    return false;
}

static void read_text(struct report *report, const struct tree *value, void *member)
{
    struct model_text *text = member;

    if (expect_text(report, value, "text")) {
        *text = (struct model_text){ value->text, value->at };
    }
}

static bool is_name(const char *text)
{
    if (!islower((unsigned char)*text)) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (!islower((unsigned char)*text) && !isdigit((unsigned char)*text) && *text != '-') {
            return false;
        }
    }
    return true;
}

static void read_name(struct report *report, const struct tree *value, void *member)
{
    static const char expected[] = "a name of lower-case letters, digits and '-', a letter first";
    struct model_text *text = member;

    if (!expect_text(report, value, expected)) {
        return;
    }
    if (!is_name(value->text)) {
        report_error(report, value->at, "'%s' is no name; expected %s", value->text, expected);
        return;
    }
    *text = (struct model_text){ value->text, value->at };
}

static void read_file(struct report *report, const struct tree *value, void *member)
{
    struct model_file *file = member;

    if (!expect_text(report, value, "the name of a file")) {
        return;
    }
    if (*value->text == '\0') {
        report_error(report, value->at, "an empty name; expected the name of a file");
        return;
    }
    file->name = (struct model_text){ value->text, value->at };
}

typedef bool (*number_parser)(const char *text, uint64_t *number);

static void read_number_as(struct report *report, const struct tree *value, void *member,
                           number_parser parse, const char *expected)
{
    struct model_number *number = member;

    if (!expect_text(report, value, expected)) {
        return;
    }
    if (!parse(value->text, &number->value)) {
        report_error(report, value->at, "'%s' is not %s", value->text, expected);
        return;
    }
    number->at = value->at;
    number->given = true;
}

static void read_number(struct report *report, const struct tree *value, void *member)
{
    read_number_as(report, value, member, value_number, "a whole number");
}

static void read_numbers(struct report *report, const struct tree *value, void *member)
{
    struct model_numbers *numbers = member;

    if (value->kind != TREE_LIST || value->count == 0 || value->count > MODEL_MAX_NUMBERS) {
        report_error(report, value->at,
                     "expected a list of 1 to %u whole numbers, such as [0, 1], found %s",
                     MODEL_MAX_NUMBERS,
                     value->kind != TREE_LIST ? tree_kind_name(value)
                     : value->count == 0      ? "an empty one"
                                              : "a longer one");
        return;
    }
    numbers->at = value->at;
    numbers->count = value->count;
    for (size_t i = 0; i < value->count; i++) {
        struct model_number number = { .at = value->items[i]->at };

        read_number(report, value->items[i], &number);
        numbers->values[i] = number.value;
        numbers->each[i] = number.at;
    }
}

static void read_size(struct report *report, const struct tree *value, void *member)
{
    read_number_as(report, value, member, value_size, "a size with a unit, such as 512M or 2G");
}

static void read_time(struct report *report, const struct tree *value, void *member)
{
    read_number_as(report, value, member, value_time, "a time with a unit, such as 10ms or 500us");
}

static void read_flag(struct report *report, const struct tree *value, void *member)
{
    read_number_as(report, value, member, value_flag, "'true' or 'false'");
}

static bool parse_end_action(const char *text, uint64_t *number)
{
    *number = strcmp(text, "exit") == 0 ? PLAN_END_EXIT : PLAN_END_HALT;
    return *number == PLAN_END_EXIT || strcmp(text, "halt") == 0;
}

static void read_end_action(struct report *report, const struct tree *value, void *member)
{
    read_number_as(report, value, member, parse_end_action, "'halt' or 'exit'");
}

static bool parse_access(const char *text, uint64_t *number)
{
    *number = strcmp(text, "read-only") == 0 ? MODEL_READ_ONLY : MODEL_READ_WRITE;
    return *number == MODEL_READ_ONLY || strcmp(text, "read-write") == 0;
}

static void read_access(struct report *report, const struct tree *value, void *member)
{
    read_number_as(report, value, member, parse_access, "'read-write' or 'read-only'");
}

/* --- The language ------------------------------------------------------------------------------
 */

static void read_machine(struct report *report, const struct tree *value, void *member);
static void read_vms(struct report *report, const struct tree *value, void *member);
static void read_disks(struct report *report, const struct tree *value, void *member);

static const struct key system_keys[] = {
    { "system", offsetof(struct model, name), read_name, true },
    { "at-end", offsetof(struct model, at_end), read_end_action, false },
    { "machine", offsetof(struct model, machine), read_machine, false },
    { "vms", 0, read_vms, true }, /* its member is the whole model */
};

static const struct key machine_keys[] = {
    { "cores", offsetof(struct model_machine, cores), read_number, false },
    { "memory", offsetof(struct model_machine, memory), read_size, false },
};

static const struct key vm_keys[] = {
    { "name", offsetof(struct model_vm, name), read_name, true },
    { "memory", offsetof(struct model_vm, memory), read_size, true },
    { "kernel", offsetof(struct model_vm, kernel), read_file, true },
    { "initrd", offsetof(struct model_vm, initrd), read_file, false },
    { "cmdline", offsetof(struct model_vm, command_line), read_text, false },
    { "vcpus", offsetof(struct model_vm, vcpus), read_number, false },
    { "cores", offsetof(struct model_vm, cores), read_numbers, false },
    { "priority", offsetof(struct model_vm, priority), read_number, false },
    { "budget", offsetof(struct model_vm, budget), read_time, false },
    { "period", offsetof(struct model_vm, period), read_time, false },
    { "statistics", offsetof(struct model_vm, statistics), read_flag, false },
    { "disks", 0, read_disks, false }, /* its member is the whole VM */
};

static const struct key disk_keys[] = {
    { "partuuid", offsetof(struct model_disk, partuuid), read_text, false },
    { "partlabel", offsetof(struct model_disk, partlabel), read_text, false },
    { "serial", offsetof(struct model_disk, serial), read_text, false },
    { "number", offsetof(struct model_disk, number), read_number, false },
    { "access", offsetof(struct model_disk, access), read_access, false },
    { "bandwidth", offsetof(struct model_disk, bandwidth), read_size, false },
    { "iops", offsetof(struct model_disk, iops), read_number, false },
};

#define LANGUAGE(what, keys)                                                                       \
    {                                                                                              \
        what, keys, sizeof(keys) / sizeof((keys)[0])                                               \
    }
static const struct language system_language = LANGUAGE("a system", system_keys);
static const struct language machine_language = LANGUAGE("a machine", machine_keys);
static const struct language vm_language = LANGUAGE("a VM", vm_keys);
static const struct language disk_language = LANGUAGE("a disk", disk_keys);

static const struct key *language_find(const struct language *language, const char *name)
{
    for (size_t i = 0; i < language->count; i++) {
        if (strcmp(language->keys[i].name, name) == 0) {
            return &language->keys[i];
        }
    }
    return NULL;
}

/* Returns the key that was probably meant, or null. */
static const char *refuse_unknown_key(struct report *report, const struct language *language,
                                      const struct tree *key)
{
    struct buffer all = { .arena = report->arena };
    const char *nearest = NULL;
    unsigned distance = value_tolerance(key->text) + 1;

    for (size_t i = 0; i < language->count; i++) {
        const char *name = language->keys[i].name;
        unsigned apart = value_distance(key->text, name);

        if (apart < distance) {
            distance = apart;
            nearest = name;
        }
        buffer_append(&all, i == 0 ? "" : ", ", i == 0 ? 0 : 2);
        buffer_append(&all, name, strlen(name));
    }
    buffer_append(&all, "", 1);
    if (nearest != NULL) {
        report_error(report, key->at, "unknown key '%s'; did you mean '%s'?", key->text, nearest);
    } else {
        report_error(report, key->at, "unknown key '%s'; %s has: %s", key->text, language->what,
                     (const char *)all.bytes);
    }
    return nearest;
}

/* Whether the map has that key, or one that was probably meant to be it. */
static bool map_has(const struct tree *map, const char *const *meant, const char *name)
{
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->keys[i]->text, name) == 0 ||
            (meant[i] != NULL && strcmp(meant[i], name) == 0)) {
            return true;
        }
    }
    return false;
}

static void read_map(struct report *report, const struct language *language, const struct tree *map,
                     void *into)
{
    const char **meant = arena_take(report->arena, map->count * sizeof(*meant));

    if (map->kind != TREE_MAP) {
        report_error(report, map->at, "expected the keys of %s, found %s", language->what,
                     tree_kind_name(map));
        return;
    }
    for (size_t i = 0; i < map->count; i++) {
        const struct key *key = language_find(language, map->keys[i]->text);

        if (key == NULL) {
            meant[i] = refuse_unknown_key(report, language, map->keys[i]);
        } else {
            key->read(report, map->items[i], (uint8_t *)into + key->offset);
        }
    }
    for (size_t i = 0; i < language->count; i++) {
        if (language->keys[i].required && !map_has(map, meant, language->keys[i].name)) {
            report_error(report, map->at, "%s needs the key '%s'", language->what,
                         language->keys[i].name);
        }
    }
}

/* --- Defaults ----------------------------------------------------------------------------------
 */

static void set_default(struct model_number *number, uint64_t value)
{
    if (!number->given) {
        number->value = value;
    }
}

static void vm_start(struct model_vm *vm, struct position at)
{
    vm->at = vm->memory.at = vm->vcpus.at = vm->priority.at = vm->budget.at = vm->period.at = at;
    vm->cores.at = vm->statistics.at = vm->name.at = vm->command_line.at = at;
    vm->kernel.name.at = vm->initrd.name.at = at;
}

/* vCPU i runs on core i. */
static void set_default_cores(struct model_vm *vm)
{
    if (vm->cores.count != 0) {
        return;
    }
    for (; vm->cores.count < vm->vcpus.value && vm->cores.count < MODEL_MAX_NUMBERS;
         vm->cores.count++) {
        vm->cores.values[vm->cores.count] = vm->cores.count;
        vm->cores.each[vm->cores.count] = vm->at;
    }
}

static void vm_complete(struct model_vm *vm)
{
    set_default(&vm->vcpus, 1);
    set_default_cores(vm);
    set_default(&vm->priority, DEFAULT_PRIORITY);
    set_default(&vm->period, DEFAULT_PERIOD_US);
    set_default(&vm->budget, vm->period.value);
    if (vm->command_line.text == NULL) {
        vm->command_line.text = "";
    }
}

static void read_machine(struct report *report, const struct tree *value, void *member)
{
    read_map(report, &machine_language, value, member);
}

static void read_disks(struct report *report, const struct tree *value, void *member)
{
    struct model_vm *vm = member;

    if (value->kind != TREE_LIST || value->count == 0) {
        report_error(report, value->at, "expected a list of disks, found %s",
                     value->kind == TREE_LIST ? "an empty one" : tree_kind_name(value));
        return;
    }
    vm->disks = arena_take(report->arena, value->count * sizeof(*vm->disks));
    vm->nr_disks = value->count;
    for (size_t i = 0; i < value->count; i++) {
        struct model_disk *disk = &vm->disks[i];

        disk->at = disk->partuuid.at = disk->partlabel.at = value->items[i]->at;
        disk->serial.at = disk->number.at = disk->access.at = value->items[i]->at;
        disk->bandwidth.at = disk->iops.at = value->items[i]->at;
        read_map(report, &disk_language, value->items[i], disk);
    }
}

static void read_vms(struct report *report, const struct tree *value, void *member)
{
    struct model *model = member;

    if (value->kind != TREE_LIST || value->count == 0) {
        report_error(report, value->at,
                     "expected a list of VMs, found %s; each begins with '- name:'",
                     value->kind == TREE_LIST ? "an empty one" : tree_kind_name(value));
        return;
    }
    model->vms = arena_take(report->arena, value->count * sizeof(*model->vms));
    model->nr_vms = value->count;
    for (size_t i = 0; i < value->count; i++) {
        vm_start(&model->vms[i], value->items[i]->at);
        read_map(report, &vm_language, value->items[i], &model->vms[i]);
        vm_complete(&model->vms[i]);
    }
}

void model_read(struct report *report, const struct tree *tree, struct model *model)
{
    *model = (struct model){ .at = tree->at };
    model->name.at = model->at_end.at = tree->at;
    read_map(report, &system_language, tree, model);
}
