/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: which commands and options there are, what they are for, and what was given.
 * --help, here, the manual page (bulkhead.1) and the completion (bulkhead.bash) say the same; a
 * test compares them.
 */
#ifndef TOOLS_BULKHEAD_OPTIONS_H
#define TOOLS_BULKHEAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_MAX_ARTIFACTS 16u
#define OPTIONS_MAX_DISKS     8u /* as many as the disk server drives */

enum command {
    COMMAND_NONE, /* of help: all of them */
    COMMAND_CHECK,
    COMMAND_BUILD,
    COMMAND_GRAPH,
    COMMAND_REPORT,
    COMMAND_LABELS,
    COMMAND_MACHINE,
    COMMAND_SCHEMA,
    NR_COMMANDS,
};

struct options {
    enum command command;
    const char *description; /* null for commands that take none */
    const char *output;
    const char *components;
    const char *kernel;
    const char *artifacts[OPTIONS_MAX_ARTIFACTS];
    size_t nr_artifacts;
    const char *disks[OPTIONS_MAX_DISKS];
    size_t nr_disks;
    bool iso;
    bool json;
    bool help;
};

/* False if the command line is wrong: that has been said on standard error. */
bool options_read(struct options *options, int count, char **arguments);
/* On standard output: of one command, or of all. */
void options_help(enum command command);

#endif
