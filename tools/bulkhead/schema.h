/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The language as a JSON Schema (2020-12), for editors that complete and check YAML. It knows each
 * value by itself and which keys go together; what takes arithmetic or files is left to check.
 */
#ifndef TOOLS_BULKHEAD_SCHEMA_H
#define TOOLS_BULKHEAD_SCHEMA_H

#include <stdio.h>

#include "tools/bulkhead/arena.h"

void schema_print(struct arena *arena, FILE *to);

#endif
