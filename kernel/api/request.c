/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/api/request.h"

#include "abi/types.h"
#include "kernel/object/derivation.h"

struct slot *request_slot(struct request *request, struct cap root, unsigned word, bool source)
{
    struct slot_lookup lookup =
        cnode_lookup_target(root, request_word(request, word), request_word(request, word + 1));

    if (lookup.slot)
        return lookup.slot;
    if (lookup.failure.type == seL4_NoFailure)
        (void)error_range(request, 1, seL4_WordBits);
    else
        (void)error_lookup(request, source, lookup.failure);
    return NULL;
}

struct slot *request_empty_slot(struct request *request, struct cap root, unsigned word)
{
    struct slot *slot = request_slot(request, root, word, false);

    if (!slot || slot_is_empty(slot))
        return slot;
    (void)error_code(request, seL4_DeleteFirst);
    return NULL;
}
