/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First pass: YAML text to a tree that remembers positions. Nothing is interpreted: a scalar stays
 * the text that was written until somebody asks for a size or a number.
 *
 * Refused here, whatever the keys: syntax errors, several documents, aliases, keys that are no
 * text, repeated keys, NUL bytes, deep nesting.
 */
#ifndef TOOLS_BULKHEAD_TREE_H
#define TOOLS_BULKHEAD_TREE_H

#include <stdbool.h>

#include "tools/bulkhead/report.h"

enum tree_kind {
    TREE_TEXT,
    TREE_LIST,
    TREE_MAP,
};

struct tree {
    enum tree_kind kind;
    struct position at;
    const char *text;    /* of TREE_TEXT */
    bool quoted;         /* the text was written in quotes */
    size_t count;        /* items of a list, entries of a map */
    struct tree **items; /* of a list; of a map: the values */
    struct tree **keys;  /* of a map, all TREE_TEXT */
};

/* Null if there is no tree to go on with; then there is at least one error in the report. */
struct tree *tree_parse(struct report *report, const char *text, size_t length);

/* "text", "a list", "a map": what the node is. */
const char *tree_kind_name(const struct tree *tree);

#endif
