/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/untyped.h"

#include "kernel/core/config.h"
#include "kernel/core/preempt.h"
#include "lib/string.h"

enum status untyped_reset(struct slot *slot)
{
    u8 *memory = cap_object(slot->cap);
    u64 chunk = CONFIG_RESET_CHUNK_BYTES;

    if (untyped_is_device(slot->cap)) {
        slot->cap.data = 0;
        return STATUS_OK;
    }
    while (untyped_free_offset(slot->cap) > 0) {
        u64 end = untyped_free_offset(slot->cap);
        u64 start = (end - 1) & ~(chunk - 1);

        memset(memory + start, 0, end - start);
        slot->cap.data = start;

        enum status status = preemption_point();

        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
