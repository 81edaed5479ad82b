/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Texts that stand for numbers, and how far two words are apart. Pure; false means that the text is
 * not of that form or that the number does not fit.
 */
#ifndef TOOLS_BULKHEAD_VALUE_H
#define TOOLS_BULKHEAD_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#define MEBIBYTE (1ull << 20)

/* Decimal digits, nothing else. */
bool value_number(const char *text, uint64_t *number);
/* Bytes: digits and K, M, G or T (powers of 1024), with or without "iB" or "B" behind it. */
bool value_size(const char *text, uint64_t *bytes);
/* Microseconds: digits and us, ms or s. */
bool value_time(const char *text, uint64_t *microseconds);
/* "true" is 1, "false" is 0. */
bool value_flag(const char *text, uint64_t *flag);

/* Whether all of it is what an extended regular expression describes. */
bool value_matches(const char *text, const char *pattern);

/* Fewest insertions, deletions, replacements and swaps of neighbours that make a into b. */
unsigned value_distance(const char *a, const char *b);
/* Up to which distance another word may be what was meant by this one. */
unsigned value_tolerance(const char *word);

#endif
