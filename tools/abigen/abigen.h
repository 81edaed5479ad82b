/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * abigen: from abi/invocations.def to generated headers and documentation. The table is compiled
 * in, its lists as text; parse.c takes them apart, write.c writes each kind of output.
 *
 * Objects    everything is made at start and lives until the program ends
 * Errors     a table that cannot be understood, or a file that cannot be written, ends the program
 *            with a message and status 1
 */
#ifndef TOOLS_ABIGEN_ABIGEN_H
#define TOOLS_ABIGEN_ABIGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define MAX_PARAMETERS 12
#define MAX_RESULTS    4

/* A row of the table as it stands. */
struct row {
    unsigned number;
    const char *label;
    const char *object;
    const char *handler;
    unsigned min_length;
    unsigned min_caps;
    const char *method;
    const char *parameters; /* "(cap seL4_CNode root, ...)" */
    const char *results;
    const char *description;
    const char *errors;
};

enum parameter_kind {
    PARAMETER_CAP,
    PARAMETER_WORD,
    PARAMETER_PACK, /* shares a message word with its neighbours; at bit `number` */
    PARAMETER_REGS, /* `number` words from a structure */
    PARAMETER_READ, /* `number` words of the answer to a structure */
};

struct parameter {
    enum parameter_kind kind;
    unsigned number;
    char type[40];
    char name[40];
    unsigned word; /* first message word, if it has any */
};

struct method {
    const struct row *row;
    struct parameter parameters[MAX_PARAMETERS];
    unsigned nr_parameters;
    struct parameter results[MAX_RESULTS]; /* kind PARAMETER_WORD */
    unsigned nr_results;
    unsigned nr_caps;
    unsigned length; /* message words that the stub sends */
};

extern const struct row rows[];
extern const size_t nr_rows;

_Noreturn void fail(const struct row *row, const char *message) __attribute__((cold));

struct method parse_method(const struct row *row);

/* The user library's type of a capability to such an object, and its name in the reference. */
const char *object_type(const struct row *row);
const char *object_title(const struct row *row);

void write_labels(FILE *out, const struct method *methods, size_t count);
void write_stubs(FILE *out, const struct method *methods, size_t count);
void write_reference(FILE *out, const struct method *methods, size_t count);

#endif
