/* SPDX-License-Identifier: BSD-2-Clause */
#define RENAMED_STRING_KEEP
#include "tests/unit/lib/renamed_string.h"
#include "lib/string.c"
