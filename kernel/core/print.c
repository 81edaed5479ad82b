/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/print.h"

#include "kernel/x86/serial.h"
#include "lib/format.h"

void print_char(char c)
{
    serial_put(c);
}

static void put(void *context, char c)
{
    (void)context;
    print_char(c);
}

void print_arguments(const char *format, va_list arguments)
{
    format_to(put, NULL, format, arguments);
}

void print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    print_arguments(format, arguments);
    va_end(arguments);
}
