/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/console/port.h"

enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, MCR = 4, LSR = 5, SCR = 7 };

#define IER_RECEIVE        0x01u
#define IER_TRANSMIT       0x02u
#define LSR_DATA           0x01u
#define LSR_THRE           0x20u
#define LCR_DLAB           0x80u
#define LCR_8N1            0x03u
#define FCR_ON_CLEAR_INPUT 0x03u
#define MCR_ON             0x0bu /* DTR, RTS, and OUT2, which connects the interrupt */

/* Without a port, reads give all ones, and no register keeps a value. */
static bool is_there(void)
{
    port_out(SCR, 0x5a);
    if (port_in(SCR) != 0x5a) {
        return false;
    }
    port_out(SCR, 0xa5);
    return port_in(SCR) == 0xa5;
}

static void set_line_up(void)
{
    port_out(LCR, LCR_DLAB);
    port_out(0, 1); /* 115200 baud */
    port_out(1, 0);
    port_out(LCR, LCR_8N1);
}

/*
 * A kernel that prints has set the line up, and may be printing: neither what it has in the FIFO
 * may be cleared nor may the divisor take the place of the data register.
 */
void port_init(struct port *port)
{
    *port = (struct port){ .present = is_there() };
    port_out(IER, 0);
    if (port_in(LCR) != LCR_8N1) {
        set_line_up();
    }
    port_out(FCR, FCR_ON_CLEAR_INPUT);
    port_out(MCR, MCR_ON);
}

bool port_receive(const struct port *port, uint8_t *byte)
{
    if (!port->present || (port_in(LSR) & LSR_DATA) == 0) {
        return false;
    }
    *byte = port_in(DATA);
    return true;
}

bool port_is_ready(const struct port *port)
{
    return !port->present || (port_in(LSR) & LSR_THRE) != 0;
}

void port_send(const struct port *port, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; port->present && i < count; i++) {
        port_out(DATA, bytes[i]);
    }
}

void port_want(struct port *port, bool receive, bool transmit)
{
    uint8_t interrupts = (uint8_t)((receive ? IER_RECEIVE : 0) | (transmit ? IER_TRANSMIT : 0));

    if (interrupts != port->interrupts) {
        port->interrupts = interrupts;
        port_out(IER, interrupts);
    }
}
