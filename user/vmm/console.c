/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/console.h"

enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5 };

#define IER_RECEIVE  0x01u
#define IER_TRANSMIT 0x02u
#define LSR_DATA     0x01u
#define LSR_THRE     0x20u
#define LCR_DLAB     0x80u
#define LCR_8N1      0x03u
#define FCR_ON_CLEAR 0x07u
#define MCR_ON       0x0bu /* DTR, RTS, and OUT2, which connects the interrupt */
#define PORT_FIFO    16u

/* A port that never gets ready (absent: reads as ff, says data for ever) must not hold us up. */
#define FLUSH_ROUNDS 10000000u

void console_init(struct console *console)
{
    *console = (struct console){ 0 };
    console_port_out(IER, 0);
    console_port_out(LCR, LCR_DLAB);
    console_port_out(0, 1); /* 115200 baud */
    console_port_out(1, 0);
    console_port_out(LCR, LCR_8N1);
    console_port_out(FCR, FCR_ON_CLEAR);
    console_port_out(MCR, MCR_ON);
    console->ier = 0;
    console_pump(console);
}

void console_put(struct console *console, uint8_t byte)
{
    if (console->out_tail - console->out_head < CONSOLE_OUT_BYTES) {
        console->out[console->out_tail++ % CONSOLE_OUT_BYTES] = byte;
    }
}

bool console_get(struct console *console, uint8_t *byte)
{
    if (console->in_head == console->in_tail) {
        return false;
    }
    *byte = console->in[console->in_head++ % CONSOLE_IN_BYTES];
    return true;
}

/* True if the port's transmitter was ready. The kernel prints there, too: so look each time. */
static bool send(struct console *console, uint8_t status)
{
    if ((status & LSR_THRE) == 0) {
        return false;
    }
    for (unsigned i = 0; i < PORT_FIFO && console->out_head != console->out_tail; i++) {
        console_port_out(DATA, console->out[console->out_head++ % CONSOLE_OUT_BYTES]);
    }
    return true;
}

static void receive(struct console *console, uint8_t status)
{
    while ((status & LSR_DATA) != 0 && console->in_tail - console->in_head < CONSOLE_IN_BYTES) {
        console->in[console->in_tail++ % CONSOLE_IN_BYTES] = console_port_in(DATA);
        status = console_port_in(LSR);
    }
}

void console_pump(struct console *console)
{
    uint8_t status = console_port_in(LSR);
    uint8_t ier = 0;

    receive(console, status);
    while (console->out_head != console->out_tail && send(console, status)) {
        status = console_port_in(LSR);
    }
    if (console->in_tail - console->in_head < CONSOLE_IN_BYTES) {
        ier |= IER_RECEIVE;
    }
    if (console->out_head != console->out_tail) {
        ier |= IER_TRANSMIT;
    }
    if (ier != console->ier) {
        console->ier = ier;
        console_port_out(IER, ier);
    }
}

void console_flush(struct console *console)
{
    for (unsigned i = 0; i < FLUSH_ROUNDS && console->out_head != console->out_tail; i++) {
        send(console, console_port_in(LSR));
    }
}

void console_print(struct console *console, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            console_put(console, '\r');
        }
        console_put(console, (uint8_t)*text);
        if (!console_has_room(console)) {
            console_flush(console);
        }
    }
}
