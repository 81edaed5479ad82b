/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel messages on the serial line; formats as in lib/format.h. */
#ifndef KERNEL_CORE_PRINT_H
#define KERNEL_CORE_PRINT_H

#include <stdarg.h>

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_arguments(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
void print_char(char c);

#endif
