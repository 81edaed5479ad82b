/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/schema.h"

#include <stdlib.h>
#include <string.h>

#include "tools/bulkhead/language.h"
#include "tools/bulkhead/listing.h"
#include "tools/bulkhead/model.h"

/* One JSON text on its way out. */
struct output {
    FILE *to;
    struct arena *arena;
    unsigned depth;
    bool first; /* nothing is in the innermost object or array yet */
};

static void new_line(const struct output *output)
{
    fprintf(output->to, "\n%*s", (int)output->depth * 2, "");
}

/* The beginning of a member of an object, or without a name of an array. */
static void member(struct output *output, const char *name)
{
    fputs(output->first ? "" : ",", output->to);
    new_line(output);
    output->first = false;
    if (name != NULL) {
        json_text(output->to, name);
        fputs(": ", output->to);
    }
}

static void begin(struct output *output, const char *name, char bracket)
{
    member(output, name);
    fputc(bracket, output->to);
    output->depth++;
    output->first = true;
}

static void end(struct output *output, char bracket)
{
    output->depth--;
    new_line(output);
    fputc(bracket, output->to);
    output->first = false;
}

static void text(struct output *output, const char *name, const char *value)
{
    member(output, name);
    json_text(output->to, value);
}

static void number(struct output *output, const char *name, uint64_t value)
{
    member(output, name);
    fprintf(output->to, "%llu", (unsigned long long)value);
}

/* YAML takes some texts for other things; we do not. */
static void any_text(struct output *output)
{
    begin(output, "type", '[');
    text(output, NULL, "string");
    text(output, NULL, "number");
    text(output, NULL, "boolean");
    end(output, ']');
}

static void integer(struct output *output, const struct key *key)
{
    text(output, "type", "integer");
    number(output, "minimum", key->least);
    number(output, "maximum", key->most);
}

static void string(struct output *output, const struct key *key)
{
    const char *pattern = key_kind(key->type)->pattern;

    if (pattern == NULL) {
        any_text(output);
    } else {
        text(output, "type", "string");
        text(output, "pattern", pattern);
    }
    if (key->type == KEY_NAME || key->type == KEY_TEXT) {
        number(output, "minLength", key->least);
        number(output, "maxLength", key->most);
    } else if (key->type == KEY_FILE) {
        number(output, "minLength", 1);
    }
}

/* YAML takes 0x3f8 for a number, which JSON knows in decimal only. */
static void choice_name(struct output *output, const char *name, const char *choice)
{
    if (strncmp(choice, "0x", 2) == 0) {
        number(output, name, strtoul(choice, NULL, 16));
    } else {
        text(output, name, choice);
    }
}

static void choices(struct output *output, const struct key *key)
{
    begin(output, "enum", '[');
    for (const struct key_choice *choice = key->choices; choice->name != NULL; choice++) {
        choice_name(output, NULL, choice->name);
    }
    end(output, ']');
}

static void array(struct output *output, uint64_t least, uint64_t most)
{
    text(output, "type", "array");
    number(output, "minItems", least);
    number(output, "maxItems", most);
    begin(output, "items", '{');
}

static void map(struct output *output, const struct language *language);

static void value(struct output *output, const struct key *key)
{
    switch (key->type) {
    case KEY_NUMBER:
        integer(output, key);
        break;
    case KEY_FLAG:
        text(output, "type", "boolean");
        break;
    case KEY_CHOICE:
        choices(output, key);
        break;
    case KEY_NUMBERS:
        array(output, 1, MODEL_MAX_NUMBERS);
        integer(output, key);
        end(output, '}');
        break;
    case KEY_MAP:
        map(output, key->language);
        break;
    case KEY_MAPS:
        array(output, key->least, key->most);
        map(output, key->language);
        end(output, '}');
        break;
    default:
        string(output, key);
    }
}

/* In JSON numbers and flags are written without quotes. */
static void default_value(struct output *output, const struct key *key)
{
    if (key->value == NULL) {
        return;
    }
    if (key->type == KEY_NUMBER || key->type == KEY_FLAG) {
        member(output, "default");
        fputs(key->value, output->to);
    } else if (key->type == KEY_CHOICE) {
        choice_name(output, "default", key->value);
    } else {
        text(output, "default", key->value);
    }
}

/* "size, 64M to 1T" */
static const char *accepted(struct arena *arena, const struct key *key)
{
    const char *kind = key_kind(key->type)->name;

    if (key->type == KEY_CHOICE) {
        return key_choice_names(arena, key);
    }
    if (key->most == 0) {
        return kind;
    }
    return arena_format(arena, "%s, %s to %s%s", kind, key_print(arena, key, key->least),
                        key_print(arena, key, key->most),
                        key->unit != NULL                                ? key->unit
                        : key->type == KEY_NAME || key->type == KEY_TEXT ? " characters"
                                                                         : "");
}

/* What holds without the key. */
static const char *absence(struct arena *arena, const struct language *language,
                           const struct key *key)
{
    if (key->required) {
        return "required";
    }
    if (key->alternative) {
        return arena_format(arena, "one of %s", language_names(arena, language, true));
    }
    return arena_format(arena, "default: %s",
                        key->value == NULL    ? key->otherwise
                        : *key->value == '\0' ? "empty"
                                              : key->value);
}

static void property(struct output *output, const struct language *language, const struct key *key)
{
    begin(output, key->name, '{');
    text(output, "description",
         arena_format(output->arena, "%s (%s; %s)", key->meaning, accepted(output->arena, key),
                      absence(output->arena, language, key)));
    value(output, key);
    default_value(output, key);
    end(output, '}');
}

/* The member begins with the first of its items, so that it is left out if there are none. */
static void begin_once(struct output *output, bool *begun, const char *name, char bracket)
{
    if (!*begun) {
        begin(output, name, bracket);
        *begun = true;
    }
}

static void required_keys(struct output *output, const struct language *language)
{
    bool begun = false;

    for (size_t i = 0; i < language->count; i++) {
        if (language->keys[i].required) {
            begin_once(output, &begun, "required", '[');
            text(output, NULL, language->keys[i].name);
        }
    }
    if (begun) {
        end(output, ']');
    }
}

static void list_of_one(struct output *output, const char *name, const char *item)
{
    begin(output, name, '[');
    text(output, NULL, item);
    end(output, ']');
}

/* Exactly one of the keys that are alternatives. */
static void alternatives(struct output *output, const struct language *language)
{
    bool begun = false;

    for (size_t i = 0; i < language->count; i++) {
        if (language->keys[i].alternative) {
            begin_once(output, &begun, "oneOf", '[');
            begin(output, NULL, '{');
            list_of_one(output, "required", language->keys[i].name);
            end(output, '}');
        }
    }
    if (begun) {
        end(output, ']');
    }
}

static void dependent_keys(struct output *output, const struct language *language)
{
    bool begun = false;

    for (size_t i = 0; i < language->count; i++) {
        if (language->keys[i].needs != NULL) {
            begin_once(output, &begun, "dependentRequired", '{');
            list_of_one(output, language->keys[i].name, language->keys[i].needs);
        }
    }
    if (begun) {
        end(output, '}');
    }
}

static void map(struct output *output, const struct language *language)
{
    text(output, "type", "object");
    member(output, "additionalProperties");
    fputs("false", output->to);
    required_keys(output, language);
    alternatives(output, language);
    dependent_keys(output, language);
    begin(output, "properties", '{');
    for (size_t i = 0; i < language->count; i++) {
        property(output, language, &language->keys[i]);
    }
    end(output, '}');
}

void schema_print(struct arena *arena, FILE *to)
{
    struct output output = { .to = to, .arena = arena, .depth = 1, .first = true };

    fputc('{', to);
    text(&output, "$schema", "https://json-schema.org/draft/2020-12/schema");
    text(&output, "title", "Bulkhead system description");
    map(&output, &system_language);
    end(&output, '}');
    fputc('\n', to);
}
