/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/io_port.h"

#define PORT_COUNT 65536u
#define WORD_BITS  64u

/* One bit for each port; set: issued. */
static u64 issued[PORT_COUNT / WORD_BITS];

bool io_port_is_issued(u16 first, u16 last)
{
    for (unsigned port = first; port <= last; port++) {
        if (issued[port / WORD_BITS] & BIT(port % WORD_BITS))
            return true;
    }
    return false;
}

void io_port_set_issued(u16 first, u16 last, bool is_issued)
{
    for (unsigned port = first; port <= last; port++) {
        if (is_issued)
            issued[port / WORD_BITS] |= BIT(port % WORD_BITS);
        else
            issued[port / WORD_BITS] &= ~BIT(port % WORD_BITS);
    }
}
