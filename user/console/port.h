/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial port: a 16550A at 115200 baud, 8N1. The kernel of a debug build prints there, too, so
 * the transmitter is looked at each time.
 *
 * Errors   none; a port that is not there swallows output
 * Sources  PC16550D data sheet, section 8 "Registers"
 */
#ifndef USER_CONSOLE_PORT_H
#define USER_CONSOLE_PORT_H

#include <stdbool.h>
#include <stdint.h>

/* One less than the FIFO takes: the kernel may put a character in after port_is_ready(). */
#define PORT_BURST 15u

struct port {
    bool present;
    uint8_t interrupts; /* as last written to the port */
};

/* How registers 0 - 7 are reached (main.c; faked in host tests). */
uint8_t port_in(unsigned reg);
void port_out(unsigned reg, uint8_t value);

void port_init(struct port *port);
/* Whether there was a byte. */
bool port_receive(const struct port *port, uint8_t *byte);
/* Whether PORT_BURST bytes can be sent. */
bool port_is_ready(const struct port *port);
/* At most PORT_BURST, after port_is_ready(). */
void port_send(const struct port *port, const uint8_t *bytes, uint32_t count);
/* What the port is to interrupt for: bytes that came, a transmitter that is empty. */
void port_want(struct port *port, bool receive, bool transmit);

#endif
