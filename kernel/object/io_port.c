/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/io_port.h"

#define PORT_COUNT 65536u
#define WORD_BITS  64u

/* One bit for each port; set: issued. */
static u64 issued[PORT_COUNT / WORD_BITS];

/* The bits of ports first..last that lie in this word. */
static u64 word_mask(unsigned word, u16 first, u16 last)
{
    u64 mask = ~0ULL;

    if (first / WORD_BITS == word)
        mask &= ~0ULL << first % WORD_BITS;
    if (last / WORD_BITS == word)
        mask &= ~0ULL >> (WORD_BITS - 1 - last % WORD_BITS);
    return mask;
}

bool io_port_is_issued(u16 first, u16 last)
{
    for (unsigned word = first / WORD_BITS; word <= last / WORD_BITS; word++) {
        if (issued[word] & word_mask(word, first, last))
            return true;
    }
    return false;
}

void io_port_set_issued(u16 first, u16 last, bool is_issued)
{
    for (unsigned word = first / WORD_BITS; word <= last / WORD_BITS; word++) {
        u64 mask = word_mask(word, first, last);

        issued[word] = is_issued ? issued[word] | mask : issued[word] & ~mask;
    }
}
