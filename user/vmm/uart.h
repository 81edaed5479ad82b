/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model of a 16550A serial port with its 16-byte FIFOs. Sending takes no time: a byte written by
 * the guest is handed to the caller at once, who says through `room` when no more can be taken (the
 * guest then sees a transmitter that is busy). Receiving goes through a FIFO of 16.
 *
 * Invariants  I1  rx_count <= UART_FIFO, or <= 1 while FIFOs are off
 *             I2  thre_latched implies that the transmitter has room
 * Locking     none: one thread
 * Errors      none: every access is answered, as by hardware
 * Sources     National Semiconductor PC16550D data sheet, section 8 "Registers"
 */
#ifndef USER_VMM_UART_H
#define USER_VMM_UART_H

#include <stdbool.h>
#include <stdint.h>

#define UART_FIFO  16u
#define UART_PORTS 8u

struct uart {
    uint8_t ier, lcr, mcr, scr, fcr, dll, dlm;
    uint8_t modem_delta; /* low half of MSR */
    bool overrun;
    bool room;         /* whoever takes the bytes has room for at least a FIFO of them */
    bool thre_latched; /* the "transmitter empty" interrupt is pending */
    bool changed;      /* line or room for input may have changed: for the caller to clear */
    uint8_t rx[UART_FIFO];
    uint8_t rx_first, rx_count;
};

void uart_reset(struct uart *uart);
/* reg < UART_PORTS */
uint8_t uart_read(struct uart *uart, unsigned reg);
/* True if *out is a byte that the guest sends. */
bool uart_write(struct uart *uart, unsigned reg, uint8_t value, uint8_t *out);
/* How many more bytes uart_receive() can take without an overrun. */
unsigned uart_receive_room(const struct uart *uart);
void uart_receive(struct uart *uart, uint8_t byte);
void uart_set_room(struct uart *uart, bool room);
/* The level of the interrupt line. */
bool uart_line(const struct uart *uart);

#endif
