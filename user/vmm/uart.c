/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/uart.h"

enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

#define IER_RX    0x01u
#define IER_THRE  0x02u
#define IER_LINE  0x04u
#define IER_MODEM 0x08u

#define IIR_NONE    0x01u
#define IIR_MODEM   0x00u
#define IIR_THRE    0x02u
#define IIR_RX      0x04u
#define IIR_LINE    0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFOS   0xc0u

#define FCR_ENABLE   0x01u
#define FCR_CLEAR_RX 0x02u
#define FCR_KEPT     0xc9u

#define LCR_DLAB 0x80u

#define MCR_OUT2     0x08u
#define MCR_LOOP     0x10u
#define MCR_WRITABLE 0x1fu

#define LSR_DATA    0x01u
#define LSR_OVERRUN 0x02u
#define LSR_THRE    0x20u
#define LSR_TEMT    0x40u

#define MSR_CTS 0x10u
#define MSR_DSR 0x20u
#define MSR_RI  0x40u
#define MSR_DCD 0x80u

void uart_reset(struct uart *uart)
{
    *uart = (struct uart){ .dll = 1, .room = true, .changed = true };
}

static unsigned rx_capacity(const struct uart *uart)
{
    return (uart->fcr & FCR_ENABLE) != 0 ? UART_FIFO : 1;
}

unsigned uart_receive_room(const struct uart *uart)
{
    unsigned capacity = rx_capacity(uart);

    if ((uart->mcr & MCR_LOOP) != 0 || uart->rx_count >= capacity) {
        return 0;
    }
    return capacity - uart->rx_count;
}

void uart_receive(struct uart *uart, uint8_t byte)
{
    if (uart->rx_count >= rx_capacity(uart)) {
        uart->overrun = true;
        return;
    }
    uart->rx[(uart->rx_first + uart->rx_count) % UART_FIFO] = byte;
    uart->rx_count++;
}

static void rx_clear(struct uart *uart)
{
    uart->rx_first = 0;
    uart->rx_count = 0;
}

static uint8_t rx_take(struct uart *uart)
{
    uint8_t byte = uart->rx[uart->rx_first];

    if (uart->rx_count == 0) {
        return 0;
    }
    uart->rx_first = (uint8_t)((uart->rx_first + 1) % UART_FIFO);
    uart->rx_count--;
    uart->changed = true;
    return byte;
}

static unsigned rx_trigger(const struct uart *uart)
{
    static const uint8_t levels[4] = { 1, 4, 8, 14 };

    return (uart->fcr & FCR_ENABLE) != 0 ? levels[uart->fcr >> 6] : 1;
}

void uart_set_room(struct uart *uart, bool room)
{
    if (room && !uart->room) {
        uart->thre_latched = true;
    } else if (!room) {
        uart->thre_latched = false;
    }
    uart->room = room;
}

/* The most important pending interrupt, as the interrupt identification register names it. */
static uint8_t pending(const struct uart *uart)
{
    if ((uart->ier & IER_LINE) != 0 && uart->overrun) {
        return IIR_LINE;
    }
    if ((uart->ier & IER_RX) != 0 && uart->rx_count != 0) {
        /* The time-out of the real chip passes at once here. */
        return uart->rx_count >= rx_trigger(uart) ? IIR_RX : IIR_TIMEOUT;
    }
    if ((uart->ier & IER_THRE) != 0 && uart->thre_latched) {
        return IIR_THRE;
    }
    if ((uart->ier & IER_MODEM) != 0 && uart->modem_delta != 0) {
        return IIR_MODEM;
    }
    return IIR_NONE;
}

bool uart_line(const struct uart *uart)
{
    return pending(uart) != IIR_NONE && (uart->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
}

static uint8_t modem_lines(const struct uart *uart)
{
    if ((uart->mcr & MCR_LOOP) == 0) {
        return MSR_CTS | MSR_DSR | MSR_DCD;
    }
    /* Loop-back: DTR, RTS, OUT1, OUT2 come back as DSR, CTS, RI, DCD. */
    return (uint8_t)(((uart->mcr & 1) != 0 ? MSR_DSR : 0) | ((uart->mcr & 2) != 0 ? MSR_CTS : 0) |
                     ((uart->mcr & 4) != 0 ? MSR_RI : 0) | ((uart->mcr & 8) != 0 ? MSR_DCD : 0));
}

static uint8_t read_iir(struct uart *uart)
{
    uint8_t id = pending(uart);

    if (id == IIR_THRE) {
        uart->thre_latched = false;
        uart->changed = true;
    }
    return (uint8_t)(id | ((uart->fcr & FCR_ENABLE) != 0 ? IIR_FIFOS : 0));
}

static uint8_t read_lsr(struct uart *uart)
{
    uint8_t value =
        (uint8_t)((uart->rx_count != 0 ? LSR_DATA : 0) | (uart->overrun ? LSR_OVERRUN : 0) |
                  (uart->room ? LSR_THRE | LSR_TEMT : 0));

    uart->changed |= uart->overrun;
    uart->overrun = false;
    return value;
}

static uint8_t read_msr(struct uart *uart)
{
    uint8_t value = (uint8_t)(modem_lines(uart) | uart->modem_delta);

    uart->changed |= uart->modem_delta != 0;
    uart->modem_delta = 0;
    return value;
}

uint8_t uart_read(struct uart *uart, unsigned reg)
{
    bool divisor = (uart->lcr & LCR_DLAB) != 0;

    switch (reg) {
    case RBR_THR:
        return divisor ? uart->dll : rx_take(uart);
    case IER:
        return divisor ? uart->dlm : uart->ier;
    case IIR_FCR:
        return read_iir(uart);
    case LCR:
        return uart->lcr;
    case MCR:
        return uart->mcr;
    case LSR:
        return read_lsr(uart);
    case MSR:
        return read_msr(uart);
    default:
        return uart->scr;
    }
}

static bool write_thr(struct uart *uart, uint8_t value, uint8_t *out)
{
    /* Gone at once: the transmitter is empty again, which is news for the guest. */
    uart->thre_latched = uart->room;
    if ((uart->mcr & MCR_LOOP) != 0) {
        uart_receive(uart, value);
        return false;
    }
    *out = value;
    return true;
}

static void write_ier(struct uart *uart, uint8_t value)
{
    bool thre_enabled = (value & IER_THRE) != 0 && (uart->ier & IER_THRE) == 0;

    uart->ier = value & 0x0f;
    if (thre_enabled && uart->room) {
        uart->thre_latched = true;
    }
}

static void write_fcr(struct uart *uart, uint8_t value)
{
    bool switched = ((value ^ uart->fcr) & FCR_ENABLE) != 0;

    if (switched || (value & FCR_CLEAR_RX) != 0) {
        rx_clear(uart);
    }
    uart->fcr = (value & FCR_ENABLE) != 0 ? value & FCR_KEPT : 0;
}

static void write_mcr(struct uart *uart, uint8_t value)
{
    uint8_t before = modem_lines(uart);

    uart->mcr = value & MCR_WRITABLE;
    /* DCTS, DDSR, TERI (trailing edge), DDCD are in the order of the lines, four bits lower. */
    uart->modem_delta |=
        (uint8_t)(((before ^ modem_lines(uart)) & (MSR_CTS | MSR_DSR | MSR_DCD)) >> 4);
    if ((before & MSR_RI) != 0 && (modem_lines(uart) & MSR_RI) == 0) {
        uart->modem_delta |= MSR_RI >> 4;
    }
}

bool uart_write(struct uart *uart, unsigned reg, uint8_t value, uint8_t *out)
{
    bool divisor = (uart->lcr & LCR_DLAB) != 0;

    uart->changed |= reg <= MCR && reg != LCR;
    switch (reg) {
    case RBR_THR:
        if (!divisor) {
            return write_thr(uart, value, out);
        }
        uart->dll = value;
        break;
    case IER:
        if (divisor) {
            uart->dlm = value;
        } else {
            write_ier(uart, value);
        }
        break;
    case IIR_FCR:
        write_fcr(uart, value);
        break;
    case LCR:
        uart->lcr = value;
        break;
    case MCR:
        write_mcr(uart, value);
        break;
    case SCR:
        uart->scr = value;
        break;
    default: /* LSR and MSR are not written */
        break;
    }
    return false;
}
