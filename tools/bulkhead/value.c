/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/value.h"

#include <regex.h>
#include <string.h>

#define MAX_WORD 40u

struct unit {
    const char *name;
    uint64_t factor;
};

/* The digits at the beginning; returns what follows them, null if there are none or too many. */
static const char *read_digits(const char *text, uint64_t *number)
{
    const char *at = text;

    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*at - '0'), number)) {
            return NULL;
        }
    }
    return at != text ? at : NULL;
}

bool value_number(const char *text, uint64_t *number)
{
    const char *rest = read_digits(text, number);

    return rest != NULL && *rest == '\0';
}

static bool with_unit(const char *text, const struct unit *units, uint64_t *number)
{
    const char *rest = read_digits(text, number);

    if (rest == NULL) {
        return false;
    }
    for (; units->name != NULL; units++) {
        if (strcmp(rest, units->name) == 0) {
            return !__builtin_mul_overflow(*number, units->factor, number);
        }
    }
    return false;
}

bool value_size(const char *text, uint64_t *bytes)
{
    static const struct unit units[] = {
        { "K", 1ull << 10 },   { "KB", 1ull << 10 },  { "KiB", 1ull << 10 }, { "M", 1ull << 20 },
        { "MB", 1ull << 20 },  { "MiB", 1ull << 20 }, { "G", 1ull << 30 },   { "GB", 1ull << 30 },
        { "GiB", 1ull << 30 }, { "T", 1ull << 40 },   { "TB", 1ull << 40 },  { "TiB", 1ull << 40 },
        { NULL, 0 },
    };

    return with_unit(text, units, bytes);
}

bool value_time(const char *text, uint64_t *microseconds)
{
    static const struct unit units[] = {
        { "us", 1 },
        { "ms", 1000 },
        { "s", 1000000 },
        { NULL, 0 },
    };

    return with_unit(text, units, microseconds);
}

bool value_flag(const char *text, uint64_t *flag)
{
    *flag = strcmp(text, "true") == 0;
    return *flag != 0 || strcmp(text, "false") == 0;
}

bool value_matches(const char *text, const char *pattern)
{
    regex_t regex;
    bool matches;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    matches = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return matches;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned value_distance(const char *a, const char *b)
{
    /* Three rows of the usual table: this one, the one before, and the one before that. */
    unsigned rows[3][MAX_WORD + 1];
    size_t m = strlen(a), n = strlen(b);

    if (m > MAX_WORD || n > MAX_WORD) {
        return MAX_WORD;
    }
    for (size_t j = 0; j <= n; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= m; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            row[j] = least(above[j], row[j - 1]) + 1;
            row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], second[j - 2] + 1);
            }
        }
    }
    return rows[m % 3][n];
}

unsigned value_tolerance(const char *word)
{
    size_t length = strlen(word);

    return length <= 3 ? 1 : length <= 8 ? 2 : 3;
}
