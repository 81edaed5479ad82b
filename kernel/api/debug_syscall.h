/* SPDX-License-Identifier: BSD-2-Clause */
/* The debug system calls of configuration D (ABI section 2.1). */
#ifndef KERNEL_API_DEBUG_SYSCALL_H
#define KERNEL_API_DEBUG_SYSCALL_H

#include "kernel/core/types.h"

/* Does it if number is one of them; false: an unknown system call, always so in release builds. */
bool debug_syscall(s64 number);

#endif
