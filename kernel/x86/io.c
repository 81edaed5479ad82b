/* SPDX-License-Identifier: BSD-2-Clause */
/* What the I/O port object does to the hardware. */
#include "kernel/object/io_port.h"
#include "kernel/x86/io.h"

u32 port_read(u16 port, unsigned width)
{
    switch (width) {
    case 1:
        return in8(port);
    case 2:
        return in16(port);
    default:
        return in32(port);
    }
}

void port_write(u16 port, unsigned width, u32 value)
{
    switch (width) {
    case 1:
        out8(port, (u8)value);
        break;
    case 2:
        out16(port, (u16)value);
        break;
    default:
        out32(port, value);
    }
}
