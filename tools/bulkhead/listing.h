/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables for people or for programs: the same rows as aligned text, or as JSON.
 *
 * As JSON a table is a member of one object, called by the table's key: an array with an object for
 * each row, whose members are called as the columns are. Cells of columns whose name begins with
 * '#' are numbers, the others texts; the '#' is no part of the name.
 */
#ifndef TOOLS_BULKHEAD_LISTING_H
#define TOOLS_BULKHEAD_LISTING_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/bulkhead/arena.h"

#define LISTING_MAX_COLUMNS 8u

struct listing {
    FILE *to;
    bool json;
    struct arena *arena;
    /* The table that is being filled. */
    const char *const *columns;
    size_t nr_columns;
    struct buffer cells; /* const char *, row after row */
    unsigned nr_members;
};

/* A JSON string with its quotes. */
void json_text(FILE *to, const char *text);

void listing_begin(struct listing *listing, struct arena *arena, FILE *to, bool json);
/* A text beside the tables: a member of the JSON object, or a line. */
void listing_text(struct listing *listing, const char *key, const char *text);
/* title: a sentence for people. columns ends with a null. */
void listing_table(struct listing *listing, const char *key, const char *title,
                   const char *const *columns);
/* As many cells as there are columns; they must stay. */
void listing_row(struct listing *listing, const char *const *cells);
/* Ends the table that was begun last. */
void listing_table_end(struct listing *listing);
void listing_end(struct listing *listing);

#endif
