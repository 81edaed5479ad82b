/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copying and filling use the string instructions: without vector registers they are the fastest
 * way for long blocks. Eight bytes at a time: emulators, and processors without fast byte strings,
 * pay for each step.
 */
#include "lib/string.h"

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    void *result = to;
    size_t words = bytes / 8;
    size_t rest = bytes % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    return result;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    /*
     * Unsigned: true exactly when the target does not begin inside the source. Forwards is right
     * then.
     */
    if ((uintptr_t)to - (uintptr_t)from >= bytes)
        return memcpy(to, from, bytes);

    unsigned char *d = to;
    const unsigned char *s = from;

    while (bytes--) {
        d[bytes] = s[bytes];
        __asm__ volatile(""); /* or the compiler makes this a call of memmove */
    }
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    void *result = to;
    uint64_t pattern = (uint8_t)value * 0x0101010101010101ULL;
    size_t words = bytes / 8;
    size_t rest = bytes % 8;

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return result;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const unsigned char *x = a;
    const unsigned char *y = b;

    for (size_t i = 0; i < bytes; i++) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

void *memchr(const void *in, int value, size_t bytes)
{
    const unsigned char *p = in;

    for (size_t i = 0; i < bytes; i++) {
        if (p[i] == (unsigned char)value)
            return (void *)(uintptr_t)(p + i);
    }
    return NULL;
}

size_t strlen(const char *s)
{
    const char *end = s;

    while (*end) {
        end++;
        __asm__ volatile(""); /* or the compiler makes this a call of strlen */
    }
    return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        unsigned char x = (unsigned char)a[i];
        unsigned char y = (unsigned char)b[i];

        if (x != y)
            return x < y ? -1 : 1;
        if (!x)
            break;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (!*s)
            return NULL;
    }
}

char *strstr(const char *s, const char *what)
{
    size_t length = strlen(what);

    for (;; s++) {
        if (!strncmp(s, what, length))
            return (char *)(uintptr_t)s;
        if (!*s)
            return NULL;
    }
}

_Bool string_copy(char *to, const char *from, size_t room)
{
    if (!room)
        return 0;

    size_t length = strnlen(from, room);
    _Bool fits = length < room;

    if (!fits)
        length = room - 1;
    memcpy(to, from, length);
    to[length] = '\0';
    return fits;
}
