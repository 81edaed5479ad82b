/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/tree.h"

#include <string.h>

#include <yaml.h>

#define MAX_DEPTH 16u

struct parse {
    struct report *report;
    yaml_document_t *document;
    bool *seen; /* by node number: a second visit can only be by an alias */
};

static struct position mark_position(yaml_mark_t mark)
{
    return (struct position){ (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

const char *tree_kind_name(const struct tree *tree)
{
    switch (tree->kind) {
    case TREE_TEXT:
        return *tree->text == '\0' ? "nothing" : "text";
    case TREE_LIST:
        return "a list";
    case TREE_MAP:
        return "a map of keys";
    }
    return "?";
}

static struct tree *convert(struct parse *parse, int number, unsigned depth);

static struct tree *convert_text(struct parse *parse, struct tree *tree, const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    size_t length = node->data.scalar.length;

    if (memchr(text, '\0', length) != NULL) {
        report_error(parse->report, tree->at, "a NUL character in text; expected printable text");
        length = strlen(text);
    }
    tree->kind = TREE_TEXT;
    tree->text = arena_copy(parse->report->arena, text, length);
    tree->quoted = node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return tree;
}

static struct tree *convert_list(struct parse *parse, struct tree *tree, const yaml_node_t *node,
                                 unsigned depth)
{
    const yaml_node_item_t *item = node->data.sequence.items.start;
    size_t count = (size_t)(node->data.sequence.items.top - item);

    tree->kind = TREE_LIST;
    tree->items = arena_take(parse->report->arena, count * sizeof(struct tree *));
    for (size_t i = 0; i < count; i++) {
        struct tree *child = convert(parse, item[i], depth + 1);

        if (child != NULL) {
            tree->items[tree->count++] = child;
        }
    }
    return tree;
}

static const struct tree *find_key(const struct tree *map, const char *text)
{
    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->keys[i]->text, text) == 0) {
            return map->keys[i];
        }
    }
    return NULL;
}

static bool key_is_good(struct parse *parse, const struct tree *map, const struct tree *key)
{
    const struct tree *first;

    if (key->kind != TREE_TEXT || *key->text == '\0') {
        report_error(parse->report, key->at, "this key is %s; expected a word",
                     tree_kind_name(key));
        return false;
    }
    first = find_key(map, key->text);
    if (first != NULL) {
        report_error(parse->report, key->at, "'%s' is given twice, first in line %u; keep one",
                     key->text, first->at.line);
        return false;
    }
    return true;
}

static struct tree *convert_map(struct parse *parse, struct tree *tree, const yaml_node_t *node,
                                unsigned depth)
{
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    size_t count = (size_t)(node->data.mapping.pairs.top - pair);

    tree->kind = TREE_MAP;
    tree->items = arena_take(parse->report->arena, count * sizeof(struct tree *));
    tree->keys = arena_take(parse->report->arena, count * sizeof(struct tree *));
    for (size_t i = 0; i < count; i++) {
        struct tree *key = convert(parse, pair[i].key, depth + 1);
        struct tree *value = convert(parse, pair[i].value, depth + 1);

        if (key != NULL && value != NULL && key_is_good(parse, tree, key)) {
            tree->keys[tree->count] = key;
            tree->items[tree->count++] = value;
        }
    }
    return tree;
}

static bool node_is_good(struct parse *parse, int number, struct position at, unsigned depth)
{
    if (parse->seen[number]) {
        report_error(parse->report, at,
                     "anchors and aliases are not supported; write the value where it is used");
        return false;
    }
    if (depth > MAX_DEPTH) {
        report_error(parse->report, at, "nested more than %u levels deep", MAX_DEPTH);
        return false;
    }
    parse->seen[number] = true;
    return true;
}

static struct tree *convert(struct parse *parse, int number, unsigned depth)
{
    const yaml_node_t *node = yaml_document_get_node(parse->document, number);
    struct tree *tree = arena_take(parse->report->arena, sizeof(*tree));

    tree->at = mark_position(node->start_mark);
    if (!node_is_good(parse, number, tree->at, depth)) {
        return NULL;
    }
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return convert_text(parse, tree, node);
    case YAML_SEQUENCE_NODE:
        return convert_list(parse, tree, node, depth);
    case YAML_MAPPING_NODE:
        return convert_map(parse, tree, node, depth);
    default:
        return NULL;
    }
}

static struct position offset_position(const char *text, size_t length, size_t offset)
{
    struct position at = { 1, 1 };

    for (size_t i = 0; i < offset && i < length; i++) {
        at.column++;
        if (text[i] == '\n') {
            at = (struct position){ at.line + 1, 1 };
        }
    }
    return at;
}

static void report_syntax(struct report *report, const yaml_parser_t *parser, const char *text,
                          size_t length)
{
    struct position at = mark_position(parser->problem_mark);
    const char *problem = parser->problem != NULL ? parser->problem : "cannot be read as YAML";

    if (parser->error == YAML_READER_ERROR) {
        report_error(report, offset_position(text, length, parser->problem_offset),
                     "%s; expected UTF-8 text", problem);
    } else if (parser->context != NULL) {
        report_error(report, at, "not valid YAML: %s (%s that began in line %zu)", problem,
                     parser->context, parser->context_mark.line + 1);
    } else {
        report_error(report, at, "not valid YAML: %s", problem);
    }
}

static struct tree *convert_document(struct report *report, yaml_document_t *document)
{
    size_t count = (size_t)(document->nodes.top - document->nodes.start);
    struct parse parse = { report, document, arena_take(report->arena, count + 1) };

    if (count == 0) {
        report_error(report, (struct position){ 1, 1 },
                     "the description is empty; expected the keys 'system' and 'vms'");
        return NULL;
    }
    return convert(&parse, 1, 0);
}

/* There must be nothing but one document. */
static void refuse_further_document(struct report *report, yaml_parser_t *parser, const char *text,
                                    size_t length)
{
    yaml_document_t document;

    if (!yaml_parser_load(parser, &document)) {
        report_syntax(report, parser, text, length);
        return;
    }
    if (yaml_document_get_root_node(&document) != NULL) {
        report_error(report, mark_position(document.start_mark),
                     "a second document begins here; expected one description in a file");
    }
    yaml_document_delete(&document);
}

struct tree *tree_parse(struct report *report, const char *text, size_t length)
{
    struct tree *tree = NULL;
    yaml_document_t document;
    yaml_parser_t parser;

    if (!yaml_parser_initialize(&parser)) {
        report_error(report, (struct position){ 0 }, "no memory for the YAML parser");
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    if (yaml_parser_load(&parser, &document)) {
        tree = convert_document(report, &document);
        if (tree != NULL) {
            refuse_further_document(report, &parser, text, length);
        }
        yaml_document_delete(&document);
    } else {
        report_syntax(report, &parser, text, length);
    }
    yaml_parser_delete(&parser);
    return tree;
}
