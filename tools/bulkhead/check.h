/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Third pass: what a well-formed description must not say. Each rule is a function of its own, in
 * the tables of check.c; all of them run, whatever the others found.
 */
#ifndef TOOLS_BULKHEAD_CHECK_H
#define TOOLS_BULKHEAD_CHECK_H

#include "tools/bulkhead/model.h"

void check_model(struct report *report, const struct model *model);

#endif
