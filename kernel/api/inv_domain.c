/* SPDX-License-Identifier: BSD-2-Clause */
/* Domains: there is one, and its schedule has two entries (ABI sections 1 and 5.1). */
#include "abi/types.h"
#include "kernel/api/request.h"

#define DOMAIN_SCHEDULE_ENTRIES 2

enum status invoke_domain_set(struct request *request)
{
    if (request_word(request, 0) >= CONFIG_NUM_DOMAINS)
        return error_argument(request, 0);
    if (request->extra[0]->cap.type != CAP_TCB)
        return error_argument(request, 1);
    return STATUS_OK;
}

static enum status check_index(struct request *request)
{
    if (request_word(request, 0) >= DOMAIN_SCHEDULE_ENTRIES)
        return error_range(request, 0, DOMAIN_SCHEDULE_ENTRIES - 1);
    return STATUS_OK;
}

/* With one domain the schedule has no effect; its entries are checked all the same. */
enum status invoke_domain_schedule_configure(struct request *request)
{
    enum status status = check_index(request);

    if (status == STATUS_OK && request_word(request, 1) >= CONFIG_NUM_DOMAINS)
        return error_argument(request, 1);
    return status;
}

enum status invoke_domain_schedule_set_start(struct request *request)
{
    return check_index(request);
}
