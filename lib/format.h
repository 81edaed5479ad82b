/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formatted text: a subset of the C library's printf with its meaning, so that compilers check the
 * arguments.
 *
 *      %[-0+ #][width|*][.precision|.*][hh h l ll z t j]  d i u x X o c s p %
 *
 * No floating point, no %n. An unknown conversion is copied as it stands. Without state; safe
 * everywhere.
 */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Takes one character of the result. */
typedef void (*format_put)(void *context, char c);

/* Sends the result through put. Returns the number of characters. */
int format_to(format_put put, void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/*
 * Writes at most size - 1 characters and a terminating NUL (nothing if size is 0). Returns how many
 * characters the whole result has.
 */
int format_text(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int format_text_v(char *buffer, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

#endif
