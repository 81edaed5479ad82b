/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 * 1024)
#define ALIGNMENT   _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t bytes;
    max_align_t memory[];
};

static void arena_grow(struct arena *arena, size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct arena_block *block = calloc(1, sizeof(*block) + size);

    if (block == NULL) {
        fputs("bulkhead: out of memory\n", stderr);
        exit(3);
    }
    block->next = arena->blocks;
    block->bytes = size;
    arena->blocks = block;
    arena->left = size;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    uint8_t *end;

    bytes = (bytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (arena->blocks == NULL || arena->left < bytes) {
        arena_grow(arena, bytes);
    }
    end = (uint8_t *)arena->blocks->memory + arena->blocks->bytes;
    arena->left -= bytes;
    return end - arena->left - bytes;
}

char *arena_copy(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_take(arena, length + 1);

    memcpy(copy, text, length);
    return copy;
}

char *arena_format_v(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    int length;
    char *text;

    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text = arena_take(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = arena_format_v(arena, format, arguments);
    va_end(arguments);
    return text;
}

void arena_release(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
    arena->left = 0;
}

size_t buffer_append(struct buffer *buffer, const void *from, size_t bytes)
{
    size_t offset = buffer->length;

    if (bytes > buffer->capacity - buffer->length) {
        size_t capacity = (buffer->length + bytes) * 2;
        uint8_t *grown = arena_take(buffer->arena, capacity);

        if (buffer->length != 0) {
            memcpy(grown, buffer->bytes, buffer->length);
        }
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    if (bytes != 0 && from != NULL) {
        memcpy(buffer->bytes + offset, from, bytes);
    }
    buffer->length += bytes;
    return offset;
}

void buffer_align(struct buffer *buffer, size_t alignment)
{
    size_t over = buffer->length % alignment;

    if (over != 0) {
        buffer_append(buffer, NULL, alignment - over);
    }
}
