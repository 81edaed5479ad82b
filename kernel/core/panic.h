/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stopping the machine when the kernel itself is wrong, and assertions that say when it is.
 * Never assert on what a user, guest or device supplies.
 */
#ifndef KERNEL_CORE_PANIC_H
#define KERNEL_CORE_PANIC_H

#include "kernel/core/types.h"

/* Prints the message, registers, a symbolised backtrace and the core's number, stops all cores. */
NORETURN void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define kernel_assert(condition)                                                                   \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            panic("assertion failed: %s (%s:%d)", #condition, __FILE__, __LINE__);                 \
    } while (0)

#endif
