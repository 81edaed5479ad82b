/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are read: mapped, not copied, because guest images may be large.
 */
#ifndef TOOLS_BULKHEAD_FILE_H
#define TOOLS_BULKHEAD_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/bulkhead/model.h"

struct file {
    const uint8_t *bytes;
    uint64_t length;
};

/* False with errno when it cannot be read. The bytes stay until the program ends. */
bool file_map(const char *path, struct file *file);

/* Where a description's files are looked for: beside it, then in these folders, in order. */
struct file_search {
    const char *description; /* its path */
    const char *const *folders;
    size_t nr_folders;
    bool missing_is_error; /* else a warning: what is named may be built later */
};

/* Finds and maps what the model names. */
void file_find_all(struct report *report, const struct file_search *search, struct model *model);

#endif
