/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods of I/O port control and I/O ports (ABI section 5.1). */
#include "abi/gen/labels.h"
#include "kernel/api/request.h"
#include "kernel/object/derivation.h"
#include "kernel/object/io_port.h"

enum status invoke_io_port_control_issue(struct request *request)
{
    u16 first = (u16)request_word(request, 0);
    u16 last = (u16)request_word(request, 1);
    struct slot *slot;

    if (last < first)
        return error_argument(request, 1);
    if (io_port_is_issued(first, last))
        return error_code(request, seL4_RevokeFirst);
    slot = request_empty_slot(request, request->extra[0]->cap, 2);
    if (!slot)
        return STATUS_ERROR;

    io_port_set_issued(first, last, true);
    slot_insert_new(request->slot, slot, cap_make(CAP_IO_PORT, hpa(0), 0, first | (u64)last << 16));
    return STATUS_OK;
}

/* Bytes of an access. In's labels follow each other, then Out's: 8, 16 and 32 bits. */
static unsigned access_width(u64 label)
{
    _Static_assert(X86IOPortOut8 == X86IOPortIn8 + 3, "three of each");
    return 1u << (label - X86IOPortIn8) % 3;
}

/* Whether every port that the access touches is the capability's. */
static bool access_is_allowed(struct cap cap, u16 port, unsigned width)
{
    return port >= io_port_first(cap) && port + width - 1 <= io_port_last(cap);
}

enum status invoke_io_port_in(struct request *request)
{
    unsigned width = access_width(request->label);
    u16 port = (u16)request_word(request, 0);

    if (!access_is_allowed(request->cap, port, width))
        return error_code(request, seL4_IllegalOperation);
    reply_word(request, port_read(port, width));
    return STATUS_OK;
}

enum status invoke_io_port_out(struct request *request)
{
    unsigned width = access_width(request->label);
    u16 port = (u16)request_word(request, 0);
    u32 value = (u32)(request_word(request, 1) & MASK(8 * width));

    if (!access_is_allowed(request->cap, port, width))
        return error_code(request, seL4_IllegalOperation);
    port_write(port, width, value);
    return STATUS_OK;
}
