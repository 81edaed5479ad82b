/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line of a client as text that no terminal obeys: printable ASCII and tabs. Control sequences
 * are left out, other bytes become '?'. Source  ECMA-48, 5.4 "Control sequences"; xterm's OSC
 * strings
 */
#ifndef USER_CONSOLE_PLAIN_H
#define USER_CONSOLE_PLAIN_H

#include <stdint.h>

/*
 * The bytes of a line that was shown before, for showing them again: all but sequences that do more
 * than move within the line, colour or erase it; above all none that a terminal answers. Writes at
 * most `length` bytes to `again`; returns how many.
 */
uint32_t plain_repeat(uint8_t *again, const uint8_t *line, uint32_t length);

/* Writes at most `length` bytes to `plain`; returns how many. */
uint32_t plain_text(uint8_t *plain, const uint8_t *line, uint32_t length);

#endif
