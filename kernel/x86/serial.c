/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/serial.h"

#include "kernel/core/memory.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/io.h"

/* Registers, offsets from the port (National Semiconductor PC16550D, section 8). */
#define UART_DATA             0
#define UART_DIVISOR_LOW      0
#define UART_INTERRUPT_ENABLE 1
#define UART_DIVISOR_HIGH     1
#define UART_FIFO_CONTROL     2
#define UART_LINE_CONTROL     3
#define UART_MODEM_CONTROL    4
#define UART_LINE_STATUS      5
#define UART_SCRATCH          7

#define LINE_CONTROL_8N1      0x03
#define LINE_CONTROL_DIVISOR  0x80
#define FIFO_ENABLE_AND_CLEAR 0x07
#define MODEM_DTR_RTS         0x03
#define LINE_STATUS_CAN_SEND  0x20

#define BIOS_DATA_COM1 0x400
#define COM1           0x3f8

/* A transmitter that is not ready by then (its line is held up) loses the character. */
#define SEND_TRIES 100000

static u16 serial_port; /* 0: none */
static bool is_chosen;

u16 serial_default_port(void)
{
    u16 port = *(const volatile u16 *)hpa_to_ptr(hpa(BIOS_DATA_COM1));

    /* Firmware without a BIOS data area leaves anything there. */
    return port >= 0x200 && port <= 0xfff8 && (port & 7) == 0 ? port : COM1;
}

static bool is_there(u16 port)
{
    out8(port + UART_SCRATCH, 0x5a);
    return in8(port + UART_SCRATCH) == 0x5a;
}

void serial_init(u16 port)
{
    is_chosen = true;
    serial_port = 0;
    if (port > 0xfff8 || !is_there(port))
        return;
    out8(port + UART_INTERRUPT_ENABLE, 0);
    out8(port + UART_LINE_CONTROL, LINE_CONTROL_DIVISOR);
    out8(port + UART_DIVISOR_LOW, 1);
    out8(port + UART_DIVISOR_HIGH, 0);
    out8(port + UART_LINE_CONTROL, LINE_CONTROL_8N1);
    out8(port + UART_FIFO_CONTROL, FIFO_ENABLE_AND_CLEAR);
    out8(port + UART_MODEM_CONTROL, MODEM_DTR_RTS);
    serial_port = port;
}

static void send(u8 byte)
{
    for (unsigned i = 0; i < SEND_TRIES; i++) {
        if (in8(serial_port + UART_LINE_STATUS) & LINE_STATUS_CAN_SEND) {
            out8(serial_port + UART_DATA, byte);
            return;
        }
        cpu_pause();
    }
}

void serial_put(char c)
{
    if (!is_chosen)
        serial_init(serial_default_port());
    if (!serial_port)
        return;
    if (c == '\n')
        send('\r');
    send((u8)c);
}
