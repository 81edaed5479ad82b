/* SPDX-License-Identifier: BSD-2-Clause */
/* user/console/port: taking the serial port over loses nothing of what the kernel is printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "user/console/port.h"

enum { DATA = 0, IER = 1, FCR = 2, LCR = 3, LSR = 5, SCR = 7, NR_REGISTERS = 8 };

#define LCR_DIVISOR_LATCH  0x80u
#define FCR_CLEAR_TRANSMIT 0x04u

static struct {
    uint8_t registers[NR_REGISTERS];
    uint8_t divisor[2];
    bool is_there, transmit_cleared, divisor_seen;
} uart;

uint8_t port_in(unsigned reg)
{
    return uart.is_there ? uart.registers[reg] : 0xff;
}

void port_out(unsigned reg, uint8_t value)
{
    if (!uart.is_there) {
        return;
    }
    if (reg < 2 && (uart.registers[LCR] & LCR_DIVISOR_LATCH) != 0) {
        uart.divisor[reg] = value;
        return;
    }
    uart.registers[reg] = value;
    uart.divisor_seen |= reg == LCR && (value & LCR_DIVISOR_LATCH) != 0;
    uart.transmit_cleared |= reg == FCR && (value & FCR_CLEAR_TRANSMIT) != 0;
}

static void set_up(bool is_there, uint8_t line_control)
{
    memset(&uart, 0, sizeof(uart));
    uart.is_there = is_there;
    uart.registers[LCR] = line_control;
}

static void test_a_line_in_use_is_left_as_it_is(void **state)
{
    struct port port;

    (void)state;
    set_up(true, 0x03);
    port_init(&port);
    assert_true(port.present);
    assert_false(uart.divisor_seen);
    assert_false(uart.transmit_cleared);
}

static void test_a_fresh_line_is_set_up(void **state)
{
    struct port port;

    (void)state;
    set_up(true, 0);
    port_init(&port);
    assert_int_equal(uart.divisor[0], 1);
    assert_int_equal(uart.divisor[1], 0);
    assert_int_equal(uart.registers[LCR], 0x03);
    assert_int_equal(uart.registers[FCR] & 1, 1);
}

static void test_a_port_that_is_not_there_swallows_output(void **state)
{
    struct port port;
    uint8_t byte = 'x';

    (void)state;
    set_up(false, 0);
    port_init(&port);
    assert_false(port.present);
    assert_true(port_is_ready(&port));
    port_send(&port, &byte, 1);
    assert_false(port_receive(&port, &byte));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_in_use_is_left_as_it_is),
        cmocka_unit_test(test_a_fresh_line_is_set_up),
        cmocka_unit_test(test_a_port_that_is_not_there_swallows_output),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
