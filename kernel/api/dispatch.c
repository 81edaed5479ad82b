/* SPDX-License-Identifier: BSD-2-Clause */
/* From the invoked capability's type and the label to the handler, by the ABI's one table. */
#include "kernel/api/request.h"

struct method {
    u8 cap_type;
    u8 min_length;
    u8 min_caps;
    invocation_handler handler;
};

/* By label. Row 0, the invalid label, has no handler. */
static const struct method methods[] = {
#define METHOD(number, label, object, handler, min_length, min_caps, ...)                          \
    [number] = { CAP_##object, min_length, min_caps, invoke_##handler },
#include "abi/invocations.def"
};

/* Objects that answer only a Call, Send or NBSend, not the send phase of a combined system call. */
static bool is_refused_in_combined_send(struct cap cap)
{
    return cap_is_one_of(cap, BIT(CAP_TCB) | BIT(CAP_DOMAIN) | BIT(CAP_CNODE) |
                                  BIT(CAP_SCHED_CONTROL) | BIT(CAP_SCHED_CONTEXT));
}

/*
 * Methods for which there is nothing yet, or no more: I/O spaces have no IOMMU driver, and no
 * legacy interrupt controller has handlers to get.
 */
enum status invoke_refused(struct request *request)
{
    return error_code(request, seL4_IllegalOperation);
}

enum status invocation_dispatch(struct request *request)
{
    u64 type = request->cap.type;
    const struct method *method =
        &methods[request->label < ARRAY_LENGTH(methods) ? request->label : 0];

    if (request->kind.is_combined_send && is_refused_in_combined_send(request->cap))
        return error_capability(request, 0);
    if (!method->handler || method->cap_type != type)
        return type == CAP_NULL || type == CAP_ZOMBIE ? error_capability(request, 0)
                                                      : error_code(request, seL4_IllegalOperation);
    if (request->length < method->min_length || request->nr_extra < method->min_caps)
        return error_code(request, seL4_TruncatedMessage);
    return method->handler(request);
}
