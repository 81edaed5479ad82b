/* SPDX-License-Identifier: BSD-2-Clause */
/* Each vCPU's thread starts at the entry point, with the vCPU's number in rdi. */
#include "user/vmm/stack.h"

#define NR_STACKS   VMM_MAX_VCPUS
#define STACK_BYTES VMM_STACK_BYTES
#include "user/start/entry.S"
