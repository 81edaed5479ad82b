/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/api/request.h"

#include "abi/types.h"
#include "kernel/object/derivation.h"

enum status request_slot(struct request *request, struct cap root, u64 index, u64 depth,
                         bool source, struct slot **slot)
{
    struct slot_lookup lookup = cnode_lookup_target(root, index, depth);

    *slot = lookup.slot;
    if (lookup.slot)
        return STATUS_OK;
    if (lookup.failure.type == seL4_NoFailure)
        return error_range(request, 1, seL4_WordBits);
    return error_lookup(request, source, lookup.failure);
}

enum status request_empty_slot(struct request *request, struct cap root, u64 index, u64 depth,
                               struct slot **slot)
{
    enum status status = request_slot(request, root, index, depth, false, slot);

    if (status != STATUS_OK)
        return status;
    return slot_is_empty(*slot) ? STATUS_OK : error_code(request, seL4_DeleteFirst);
}
