/* SPDX-License-Identifier: BSD-2-Clause */
/* A GPT, with its backup, on a drive of the model; its other sectors stay what they are. */
#ifndef TESTS_UNIT_SATASERVER_TABLE_MODEL_H
#define TESTS_UNIT_SATASERVER_TABLE_MODEL_H

#include <stdint.h>

struct model_part {
    uint64_t first, count;
    const char *label;
};

/* The UUID of a partition is its number, again and again: partition 1 is 01010101-0101-... */
void model_make_table(unsigned port, const struct model_part *parts, unsigned count);

#endif
