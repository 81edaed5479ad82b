/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that lives until the program ends its work: taken in pieces, given back all at once, so
 * that no pass has anything to clean up. Also the growing byte buffers made of it.
 *
 * Errors     when the machine has no memory left, the program says so and exits
 */
#ifndef TOOLS_BULKHEAD_ARENA_H
#define TOOLS_BULKHEAD_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t left; /* in the newest block */
};

/* Zeroed, aligned for any type. */
void *arena_take(struct arena *arena, size_t bytes);
char *arena_copy(struct arena *arena, const char *text, size_t length);
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *arena_format_v(struct arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
void arena_release(struct arena *arena);

struct buffer {
    struct arena *arena;
    uint8_t *bytes;
    size_t length;
    size_t capacity;
};

/* Appends bytes (zeros if from is null); returns the offset at which they begin. */
size_t buffer_append(struct buffer *buffer, const void *from, size_t bytes);
void buffer_align(struct buffer *buffer, size_t alignment);

#endif
