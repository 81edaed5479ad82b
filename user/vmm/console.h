/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's end of its channel to the console server: two rings of bytes, which the guest's
 * serial port and its virtio console share. When the output ring is nearly full the serial port
 * says busy, and what is sent all the same is lost, counted, and the loss marked in the output.
 * What arrives while the guest does not read stays in the ring.
 *
 * Locking  LOCK_SERIAL of vm.h, held by the caller
 * Errors   none; a server that breaks the rings swallows output
 */
#ifndef USER_VMM_CONSOLE_H
#define USER_VMM_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/ring.h"
#include "user/libserver/console.h"

struct console {
    struct ring out;
    struct ring in;
    uint32_t lost;        /* bytes of output since the last mark */
    uint32_t taken;       /* by the server, when console_flush() last looked */
    bool given_up;        /* it did not go on then */
    const uint32_t *show; /* the server counts it up for those who want to see counters */
    uint32_t shown;       /* what it was when they last were */
};

/* How the server is told to look, and how time is let pass (main.c; faked in host tests). */
void console_signal(void);
void console_relax(void);

/* The channel begins as zeros, and a monitor uses it from its start to its end. */
void console_init(struct console *console, struct console_channel *channel);

/* Takes one byte; without room it is lost. */
void console_put(struct console *console, uint8_t byte);
/* As many of these bytes as there is room for, which may change meanwhile; how many. */
uint32_t console_write(struct console *console, const void *bytes, uint32_t count);
/* So much was not even tried. */
void console_lose(struct console *console, uint64_t count);
/* Whether a whole FIFO fits. If not, the server will signal when there is room again. */
bool console_has_room(struct console *console);
/* Whether there is as much room as the server waits for until it signals. */
bool console_has_drained(struct console *console);
/* Whether there is input. If not, the server will signal when there is. */
bool console_has_input(struct console *console);
/* As much input as there is, at most count bytes; how much. */
uint32_t console_read(struct console *console, void *bytes, uint32_t count);
/* Whether counters are to be shown: once for each time that the server has asked, or several. */
bool console_is_asked(struct console *console);
/* After puts and gets: marks losses, tells the server if it waits. */
void console_pump(struct console *console);
/* Waits until all output has reached the serial port, or the server has stood still for a while. */
void console_flush(struct console *console);
void console_print(struct console *console, const char *text);

#endif
