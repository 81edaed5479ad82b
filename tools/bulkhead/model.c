/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/model.h"

#include <string.h>

#include "tools/bulkhead/language.h"
#include "tools/bulkhead/value.h"

static void read_map(struct report *report, const struct language *language, struct position at,
                     const struct tree *map, void *into);

static void *member_of(void *structure, size_t offset)
{
    return (uint8_t *)structure + offset;
}

/* --- Values ------------------------------------------------------------------------------------
 */

static bool expect_text(struct report *report, const struct tree *value, const char *expected)
{
    if (value->kind == TREE_TEXT && (*value->text != '\0' || value->quoted)) {
        return true;
    }
    report_error(report, value->at, "expected %s, found %s", expected, tree_kind_name(value));
    return false;
}

static void read_text(struct report *report, const struct key *key, const struct tree *value,
                      struct model_text *text)
{
    const struct key_kind *kind = key_kind(key->type);
    size_t length;

    if (!expect_text(report, value, kind->expected)) {
        return;
    }
    length = strlen(value->text);
    if (kind->pattern != NULL && !value_matches(value->text, kind->pattern)) {
        report_error(report, value->at, "'%s' is not %s", value->text, kind->expected);
        return;
    }
    if (key->most != 0 && (length < key->least || length > key->most)) {
        report_error(report, value->at, "expected %llu to %llu characters, found %zu",
                     (unsigned long long)key->least, (unsigned long long)key->most, length);
        return;
    }
    *text = (struct model_text){ value->text, value->at };
}

static void read_file(struct report *report, const struct key *key, const struct tree *value,
                      struct model_file *file)
{
    read_text(report, key, value, &file->name);
    if (file->name.text != NULL && *file->name.text == '\0') {
        report_error(report, value->at, "an empty name; expected the name of a file");
        file->name.text = NULL;
    }
}

/* What is out of range becomes the end of it, so that it is said once what is wrong. */
static void limit(struct report *report, const struct key *key, struct model_number *number)
{
    uint64_t found = number->value;

    if (key->most == 0) {
        return;
    }
    number->value = found < key->least ? key->least : found > key->most ? key->most : found;
    if (number->value != found) {
        report_error(report, number->at, "expected %s from %s to %s, found %s",
                     key->type == KEY_SIZE   ? "a size"
                     : key->type == KEY_TIME ? "a time"
                                             : "a number",
                     key_print(report->arena, key, key->least),
                     key_print(report->arena, key, key->most),
                     key_print(report->arena, key, found));
    }
}

static void read_number(struct report *report, const struct key *key, const struct tree *value,
                        struct model_number *number)
{
    const char *expected = key->type == KEY_CHOICE    ? key_choice_names(report->arena, key)
                           : key->type == KEY_NUMBERS ? key_kind(KEY_NUMBER)->expected
                                                      : key_kind(key->type)->expected;

    if (!expect_text(report, value, expected)) {
        return;
    }
    if (!key_parse(key, value->text, &number->value)) {
        report_error(report, value->at, "'%s' is not %s", value->text, expected);
        return;
    }
    number->at = value->at;
    number->given = true;
    limit(report, key, number);
}

static void read_numbers(struct report *report, const struct key *key, const struct tree *value,
                         struct model_numbers *numbers)
{
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

        read_number(report, key, value->items[i], &number);
        numbers->values[i] = number.value;
        numbers->each[i] = number.at;
    }
}

static void read_maps(struct report *report, const struct key *key, const struct tree *value,
                      void *structure)
{
    const struct language *language = key->language;
    uint8_t *items;

    if (value->kind != TREE_LIST || value->count == 0) {
        report_error(report, value->at, "expected a list of %s, found %s; each begins with '- %s:'",
                     language->some,
                     value->kind == TREE_LIST ? "an empty one" : tree_kind_name(value),
                     language->keys[0].name);
        return;
    }
    if (value->count > key->most) {
        report_error(report, value->items[key->most]->at, "too many %s; expected at most %llu",
                     language->some, (unsigned long long)key->most);
    }
    items = arena_take(report->arena, value->count * language->bytes);
    memcpy(member_of(structure, key->offset), &items, sizeof(items));
    *(size_t *)member_of(structure, key->count) = value->count;
    for (size_t i = 0; i < value->count; i++) {
        read_map(report, language, value->items[i]->at, value->items[i],
                 items + i * language->bytes);
    }
}

static void read_value(struct report *report, const struct key *key, const struct tree *value,
                       void *structure)
{
    void *member = member_of(structure, key->offset);

    switch (key->type) {
    case KEY_NAME:
    case KEY_TEXT:
    case KEY_UUID:
        read_text(report, key, value, member);
        break;
    case KEY_FILE:
        read_file(report, key, value, member);
        break;
    case KEY_NUMBER:
    case KEY_SIZE:
    case KEY_TIME:
    case KEY_FLAG:
    case KEY_CHOICE:
    case KEY_CONTROL:
        read_number(report, key, value, member);
        break;
    case KEY_NUMBERS:
        read_numbers(report, key, value, member);
        break;
    case KEY_MAP:
        read_map(report, key->language, value->at, value, member);
        break;
    case KEY_MAPS:
        read_maps(report, key, value, structure);
        break;
    }
}

/* --- Defaults ----------------------------------------------------------------------------------
 */

/* A key that is not there, in the map that begins at that place. */
static void set_default(struct report *report, const struct key *key, struct position at,
                        void *member)
{
    switch (key->type) {
    case KEY_NAME:
    case KEY_TEXT:
    case KEY_UUID:
        *(struct model_text *)member = (struct model_text){ key->value, at };
        break;
    case KEY_FILE:
        *(struct model_file *)member = (struct model_file){ .name.at = at };
        break;
    case KEY_NUMBER:
    case KEY_SIZE:
    case KEY_TIME:
    case KEY_FLAG:
    case KEY_CHOICE:
    case KEY_CONTROL:
        *(struct model_number *)member = (struct model_number){ .at = at };
        if (key->value != NULL) {
            key_parse(key, key->value, &((struct model_number *)member)->value);
        }
        break;
    case KEY_NUMBERS:
        *(struct model_numbers *)member = (struct model_numbers){ .at = at };
        break;
    case KEY_MAP:
        read_map(report, key->language, at, NULL, member);
        break;
    case KEY_MAPS: /* none */
        break;
    }
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
        vm->cores.each[vm->cores.count] = vm->vcpus.at;
    }
}

/* What depends on other keys. */
static void vm_complete(struct model_vm *vm)
{
    set_default_cores(vm);
    if (!vm->budget.given) {
        vm->budget.value = vm->period.value;
    }
}

/* --- Maps --------------------------------------------------------------------------------------
 */

/* Returns the key that was probably meant, or null. */
static const char *refuse_unknown_key(struct report *report, const struct language *language,
                                      const struct tree *key)
{
    const char *nearest = NULL;
    unsigned distance = value_tolerance(key->text) + 1;

    for (size_t i = 0; i < language->count; i++) {
        unsigned apart = value_distance(key->text, language->keys[i].name);

        if (apart < distance) {
            distance = apart;
            nearest = language->keys[i].name;
        }
    }
    if (nearest != NULL) {
        report_error(report, key->at, "unknown key '%s'; did you mean '%s'?", key->text, nearest);
    } else {
        report_error(report, key->at, "unknown key '%s'; %s has: %s", key->text, language->what,
                     language_names(report->arena, language, false));
    }
    return nearest;
}

/* The value of the key, or null; also found by another name that was probably meant to be it. */
static const struct tree *find_value(const struct tree *map, const char *const *meant,
                                     const char *name)
{
    for (size_t i = 0; map != NULL && i < map->count; i++) {
        if (strcmp(meant[i] != NULL ? meant[i] : map->keys[i]->text, name) == 0) {
            return map->items[i];
        }
    }
    return NULL;
}

/* Which keys there must be, may be together, and what they need. */
static void check_keys(struct report *report, const struct language *language,
                       const struct tree *map, const char *const *meant)
{
    bool has_alternatives = false;
    unsigned nr_alternatives = 0;

    for (size_t i = 0; i < language->count; i++) {
        const struct key *key = &language->keys[i];
        const struct tree *value = find_value(map, meant, key->name);

        has_alternatives |= key->alternative;
        nr_alternatives += key->alternative && value != NULL;
        if (key->required && value == NULL) {
            report_error(report, map->at, "%s needs the key '%s'", language->what, key->name);
        }
        if (key->needs != NULL && value != NULL && find_value(map, meant, key->needs) == NULL) {
            report_error(report, value->at, "'%s' needs the key '%s', too", key->name, key->needs);
        }
    }
    if (has_alternatives && nr_alternatives != 1) {
        report_error(report, map->at, "%s has exactly one of the keys %s; found %s", language->what,
                     language_names(report->arena, language, true),
                     nr_alternatives == 0 ? "none" : "several");
    }
}

/* map: null for one that is not there; then all has its default. */
static void read_map(struct report *report, const struct language *language, struct position at,
                     const struct tree *map, void *into)
{
    const char **meant;

    *(struct position *)into = at;
    for (size_t i = 0; i < language->count; i++) {
        set_default(report, &language->keys[i], at, member_of(into, language->keys[i].offset));
    }
    if (map == NULL) {
        return;
    }
    if (map->kind != TREE_MAP) {
        report_error(report, map->at, "expected the keys of %s, found %s", language->what,
                     tree_kind_name(map));
        return;
    }
    meant = arena_take(report->arena, map->count * sizeof(*meant));
    for (size_t i = 0; i < map->count; i++) {
        const struct key *key = language_find(language, map->keys[i]->text);

        if (key == NULL) {
            meant[i] = refuse_unknown_key(report, language, map->keys[i]);
        } else {
            read_value(report, key, map->items[i], into);
        }
    }
    check_keys(report, language, map, meant);
}

void model_read(struct report *report, const struct tree *tree, struct model *model)
{
    *model = (struct model){ 0 };
    read_map(report, &system_language, tree->at, tree, model);
    for (size_t i = 0; i < model->nr_vms; i++) {
        vm_complete(&model->vms[i]);
    }
}
