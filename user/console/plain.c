/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/console/plain.h"

#include <stdbool.h>

#include "lib/string.h"

#define BELL 0x07u
#define ESC  0x1bu

/* Where a control sequence that begins at `at` (an ESC) ends: the first byte behind it. */
static uint32_t sequence_end(const uint8_t *line, uint32_t at, uint32_t length)
{
    uint8_t kind;

    if (++at >= length) {
        return length;
    }
    kind = line[at++];
    if (kind == '[') {
        while (at < length && (line[at] < 0x40 || line[at] > 0x7e)) {
            at++;
        }
        return at < length ? at + 1 : length;
    }
    if (kind == ']') {
        while (at < length && line[at] != BELL && line[at] != ESC) {
            at++;
        }
        return at < length && line[at] == BELL ? at + 1 : at;
    }
    return at;
}

/* Cursor left and right, characters inserted and deleted, line erased, colours. */
static bool may_repeat(const uint8_t *sequence, uint32_t length)
{
    static const uint8_t finals[] = { 'C', 'D', '@', 'P', 'K', 'm' };
    uint8_t final = sequence[length - 1];

    for (uint32_t i = 0; length > 2 && sequence[1] == '[' && i < sizeof(finals); i++) {
        if (final == finals[i]) {
            return true;
        }
    }
    return false;
}

uint32_t plain_repeat(uint8_t *again, const uint8_t *line, uint32_t length)
{
    uint32_t count = 0;

    for (uint32_t at = 0; at < length;) {
        uint32_t end = line[at] == ESC ? sequence_end(line, at, length) : at + 1;

        if (line[at] != ESC || may_repeat(line + at, end - at)) {
            memcpy(again + count, line + at, end - at);
            count += end - at;
        }
        at = end;
    }
    return count;
}

uint32_t plain_text(uint8_t *plain, const uint8_t *line, uint32_t length)
{
    uint32_t count = 0;

    for (uint32_t at = 0; at < length;) {
        uint8_t byte = line[at];
        bool printable = (byte >= 0x20 && byte < 0x7f) || byte == '\t';

        if (byte == ESC) {
            at = sequence_end(line, at, length);
            continue;
        }
        at++;
        if (printable || byte >= 0x7f) {
            plain[count++] = printable ? byte : '?';
        }
    }
    return count;
}
