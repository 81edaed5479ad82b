/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way out when the kernel refuses a step: says which object, which step and which error, and
 * stops. What has been started until then goes on; usually that is nothing.
 */
#ifndef USER_INIT_FAILURE_H
#define USER_INIT_FAILURE_H

#include <stdint.h>

#include <sel4/sel4.h>

#include "user/init/plan.h"

/* The published name without its prefix. */
const char *error_name(seL4_Error error);

/* Returns if there is no error. part: which of the objects of that name, counted from 0. */
void require(seL4_Error error, const char *step, const char *name, uint64_t part);

/* Something that is not the kernel's refusal of one object. */
_Noreturn void stop(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
