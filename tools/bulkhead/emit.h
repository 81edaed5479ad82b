/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Last pass: the boot image, one ELF64 file: init's own segments and behind them, on the next page,
 * the plan and the files. Nothing in it depends on when, where or by whom it was made.
 */
#ifndef TOOLS_BULKHEAD_EMIT_H
#define TOOLS_BULKHEAD_EMIT_H

#include "tools/bulkhead/compile.h"

/* False with errno when the file cannot be written; the old one is then still there. */
bool emit_image(struct arena *arena, const char *path, const struct program *init,
                const struct compiled *compiled);

#endif
