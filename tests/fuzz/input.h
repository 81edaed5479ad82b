/* SPDX-License-Identifier: BSD-2-Clause */
/* A fuzzer's bytes, taken piece by piece; behind their end there are zeros. */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct input {
    const uint8_t *data;
    size_t left;
};

/* bytes: at most 8 */
static inline uint64_t take(struct input *input, size_t bytes)
{
    uint64_t value = 0;

    bytes = bytes < input->left ? bytes : input->left;
    memcpy(&value, input->data, bytes);
    input->data += bytes;
    input->left -= bytes;
    return value;
}

#endif
