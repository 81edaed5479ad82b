/* SPDX-License-Identifier: BSD-2-Clause */
/* The dispatcher for tests that link only some of the handlers: the others' methods answer like
 * unknown labels. */
#include "kernel/api/request.h"

#define METHOD(number, label, object, handler, ...)                                                \
    enum status invoke_##handler(struct request *request) __attribute__((weak));
#include "abi/invocations.def"
#include "kernel/api/dispatch.c"
