/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and string functions, with the C library's names and meaning, because compilers call four
 * of them (memcpy, memmove, memset, memcmp) by themselves. On the host these names are the C
 * library's, and lib/string.c is compiled under other ones (tests/unit/lib).
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
void *memchr(const void *in, int value, size_t bytes);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max);
char *strchr(const char *s, int c);
char *strstr(const char *s, const char *what);

/*
 * Copies text to a buffer of room bytes, cut if need be, always terminated when room > 0. Returns
 * whether it fitted.
 */
_Bool string_copy(char *to, const char *from, size_t room);

#endif
