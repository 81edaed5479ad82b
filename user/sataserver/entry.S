/* SPDX-License-Identifier: BSD-2-Clause */
/* Both threads start here, each with its number as argument and a stack of its own. */
#include "user/start/stack.h"

#define NR_STACKS   2
#define STACK_BYTES START_STACK_BYTES

#include "user/start/entry.S"
