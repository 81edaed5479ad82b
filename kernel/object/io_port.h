/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O ports: which have been issued. A port is issued at most once; copies of the capability share
 * it, and it becomes free again with the last of them. Ranges are inclusive. Locking: all cores'
 * locks.
 */
#ifndef KERNEL_OBJECT_IO_PORT_H
#define KERNEL_OBJECT_IO_PORT_H

#include "kernel/object/cap.h"

/* Whether some port of first..last (inclusive) has been issued. */
bool io_port_is_issued(u16 first, u16 last);
/* They have been issued, or the last capability of the range has gone. */
void io_port_set_issued(u16 first, u16 last, bool is_issued);

/* kernel/x86/io.h implements them; width in bytes 1, 2, 4. Host tests fake them. */
u32 port_read(u16 port, unsigned width);
void port_write(u16 port, unsigned width, u32 value);

#endif
