/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical serial port behind the guest's: two bounded rings and the port's interrupt. Bytes
 * leave as fast as the port takes them; when the ring is nearly full the guest's port says busy.
 * What arrives while the guest does not read stays in the port: its interrupt is switched off, so
 * a flood of input costs nothing.
 *
 * Locking  none: one thread
 * Errors   none; a port that cannot be reached swallows output
 * Sources  PC16550D data sheet
 */
#ifndef USER_VMM_CONSOLE_H
#define USER_VMM_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#define CONSOLE_OUT_BYTES 8192u
#define CONSOLE_IN_BYTES  256u

struct console {
    uint8_t out[CONSOLE_OUT_BYTES];
    uint8_t in[CONSOLE_IN_BYTES];
    uint32_t out_head, out_tail; /* free running */
    uint32_t in_head, in_tail;
    uint8_t ier; /* as last written to the port */
};

/* How the port is reached (console_sel4.c; faked in host tests). reg: 0-7 */
uint8_t console_port_in(unsigned reg);
void console_port_out(unsigned reg, uint8_t value);

void console_init(struct console *console);
/* Takes one byte; the caller has seen console_has_room(). Without room it is dropped. */
void console_put(struct console *console, uint8_t byte);
/* Whether a whole FIFO fits. */
static inline bool console_has_room(const struct console *console)
{
    return CONSOLE_OUT_BYTES - (console->out_tail - console->out_head) >= 64;
}
/* Whether there is input, and the next byte of it. */
bool console_get(struct console *console, uint8_t *byte);
/* Moves bytes between rings and port, sets the port's interrupts to what is wanted. */
void console_pump(struct console *console);
/* Waits until all output has left. For last words. */
void console_flush(struct console *console);
void console_print(struct console *console, const char *text);

#endif
