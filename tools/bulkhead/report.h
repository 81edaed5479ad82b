/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is wrong with a description: collected by all passes, printed once, in the order of the
 * file.
 *
 * A message says what is wrong and what would be accepted. Its position is a line and a column
 * counted from 1; line 0 means the file as a whole.
 */
#ifndef TOOLS_BULKHEAD_REPORT_H
#define TOOLS_BULKHEAD_REPORT_H

#include <stdio.h>

#include "tools/bulkhead/arena.h"

struct position {
    unsigned line;
    unsigned column;
};

struct finding;

struct report {
    struct arena *arena;
    const char *file; /* as the user named it */
    struct buffer findings;
    unsigned errors;
    unsigned warnings;
};

void report_init(struct report *report, struct arena *arena, const char *file);
void report_error(struct report *report, struct position at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_warning(struct report *report, struct position at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One line each: file:line:column: error: text */
void report_print(const struct report *report, FILE *to);
/* { "file", "errors", "warnings", "findings": [ { "line", "column", "kind", "message" } ] } */
void report_print_json(const struct report *report, FILE *to);

#endif
