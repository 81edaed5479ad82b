/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One invocation of a kernel object: what the caller asked, and what it will be told. A handler
 * checks everything first and changes nothing until it can no longer fail.
 * Objects: lives on the stack of handle_invocation. Locking: all cores' locks are held.
 */
#ifndef KERNEL_API_REQUEST_H
#define KERNEL_API_REQUEST_H

#include "abi/errors.h"
#include "kernel/api/ipc.h"
#include "kernel/object/ipc_objects.h"

/* What a failed invocation reports (ABI section 6). */
struct api_error {
    u64 code;    /* seL4_Error */
    u64 word[2]; /* argument number, or minimum and maximum, or bytes available, or 1 if a lookup of
                    the source failed */
    struct lookup_failure lookup; /* for seL4_FailedLookup */
};

struct request {
    struct tcb *caller;
    struct slot *slot; /* holds the invoked capability */
    struct cap cap;    /* its copy */
    u64 label;
    u64 length;            /* message words; at most 4 if there is no buffer */
    struct slot *extra[3]; /* looked up; NULL beyond nr_extra */
    unsigned nr_extra;
    const u64 *buffer; /* sender's IPC buffer in the physical window, or NULL */
    struct send_kind kind;
    struct api_error error;
    unsigned reply_length; /* words of an answer, which are in the caller's registers and buffer */
};

/* Message word i; the caller has checked i < length. */
static inline u64 request_word(const struct request *request, unsigned i)
{
    return ipc_word(request->caller, request->buffer, i);
}

/* Each records the error and returns STATUS_ERROR, so that a check reads `return error_range(...)`.
 */
static inline enum status error_code(struct request *request, u64 code)
{
    request->error.code = code;
    return STATUS_ERROR;
}

static inline enum status error_argument(struct request *request, u64 argument)
{
    request->error.word[0] = argument;
    return error_code(request, seL4_InvalidArgument);
}

static inline enum status error_capability(struct request *request, u64 number)
{
    request->error.word[0] = number;
    return error_code(request, seL4_InvalidCapability);
}

static inline enum status error_range(struct request *request, u64 min, u64 max)
{
    request->error.word[0] = min;
    request->error.word[1] = max;
    return error_code(request, seL4_RangeError);
}

static inline enum status error_lookup(struct request *request, bool source,
                                       struct lookup_failure failure)
{
    request->error.word[0] = source;
    request->error.lookup = failure;
    return error_code(request, seL4_FailedLookup);
}

/* There should be a capability where none is. */
static inline enum status error_missing(struct request *request, bool source, u64 bits_left)
{
    return error_lookup(
        request, source,
        (struct lookup_failure){ .type = seL4_MissingCapability, .bits_left = bits_left });
}

/* One of at most four words of an answer. It takes the place of a word of the request. */
static inline void reply_word(struct request *request, u64 value)
{
    if (request->kind.is_call)
        *ipc_register(request->caller, request->reply_length++) = value;
}

/*
 * The handler of a method: kernel/api/inv_*.c. dispatch.c has the table, from abi/invocations.def.
 * It has checked that the message has as many words and capabilities as that asks for.
 */
typedef enum status (*invocation_handler)(struct request *request);

#define METHOD(number, label, object, handler, ...)                                                \
    enum status invoke_##handler(struct request *request) MUST_CHECK;
#include "abi/invocations.def"

/* Finds and runs the handler of request->cap and label. Unknown: IllegalOperation /
 * InvalidCapability. */
enum status invocation_dispatch(struct request *request) MUST_CHECK;

/* What several methods check in the same way; each sets the request's error. */

/* The slot whose index and depth below root are message words word and word + 1, or NULL. source
 * goes into the error. */
struct slot *request_slot(struct request *request, struct cap root, unsigned word,
                          bool source) MUST_CHECK;
/* The same for an empty slot that is to take a new capability. */
struct slot *request_empty_slot(struct request *request, struct cap root, unsigned word) MUST_CHECK;

#endif
