/* SPDX-License-Identifier: BSD-2-Clause */
/* The device models by themselves: local APIC, I/O APIC, serial port, clock, platform. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "user/vmm/cmos.h"
#include "user/vmm/ioapic.h"
#include "user/vmm/lapic.h"
#include "user/vmm/platform.h"
#include "user/vmm/uart.h"

/* --- local APIC --- */

static void lapic_make(struct lapic *lapic, bool x2apic)
{
    lapic_reset(lapic, 0);
    if (x2apic) {
        assert_true(lapic_write_base(lapic, lapic->base | APIC_BASE_X2APIC, 40));
    }
    lapic_write(lapic, LAPIC_REG_SVR, x2apic, 0, 0x1ff);
}

static uint64_t lapic_get(const struct lapic *lapic, unsigned number, bool x2apic, uint64_t now)
{
    uint64_t value = ~0ull;

    assert_true(lapic_read(lapic, number, x2apic, now, &value));
    return value;
}

static void test_lapic_priorities(void **state)
{
    struct lapic lapic;

    (void)state;
    lapic_make(&lapic, true);
    assert_int_equal(lapic_pending(&lapic), LAPIC_NONE);
    lapic_set_irr(&lapic, 0x41, false);
    lapic_set_irr(&lapic, 0x45, false);
    lapic_set_irr(&lapic, 0x30, false);
    assert_int_equal(lapic_pending(&lapic), 0x45);
    lapic_accept(&lapic, 0x45);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_PPR, true, 0), 0x40);
    assert_int_equal(lapic_pending(&lapic), LAPIC_NONE); /* 0x41 is of the same class */
    lapic_set_irr(&lapic, 0x51, false);
    assert_int_equal(lapic_pending(&lapic), 0x51); /* nested */
    lapic_accept(&lapic, 0x51);
    assert_int_equal(lapic_end_of_interrupt(&lapic), LAPIC_NONE); /* edge: nothing to tell */
    assert_int_equal(lapic_end_of_interrupt(&lapic), LAPIC_NONE);
    assert_int_equal(lapic_pending(&lapic), 0x41);
    lapic_write_cr8(&lapic, 4);
    assert_int_equal(lapic_read_cr8(&lapic), 4);
    assert_int_equal(lapic_pending(&lapic), LAPIC_NONE);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_PPR, true, 0), 0x40);
    lapic_write_cr8(&lapic, 3);
    assert_int_equal(lapic_pending(&lapic), 0x41);
    lapic_accept(&lapic, 0x41);
    lapic_end_of_interrupt(&lapic);
    lapic_write_cr8(&lapic, 0);
    assert_int_equal(lapic_pending(&lapic), 0x30);
    lapic_write(&lapic, LAPIC_REG_SVR, true, 0, 0xff); /* switched off: nothing comes */
    assert_int_equal(lapic_pending(&lapic), LAPIC_NONE);
}

static void test_lapic_level(void **state)
{
    struct lapic lapic;

    (void)state;
    lapic_make(&lapic, false);
    lapic_set_irr(&lapic, 0x60, true);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_TMR + 3, false, 0), 1);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_IRR + 3, false, 0), 1);
    lapic_accept(&lapic, 0x60);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_ISR + 3, false, 0), 1);
    struct lapic_outcome outcome = lapic_write(&lapic, LAPIC_REG_EOI, false, 0, 0);
    assert_int_equal(outcome.effect, LAPIC_EOI);
    assert_int_equal(outcome.argument, 0x60);
    /* A vector below 16 is an error, seen after the next write of the error register. */
    lapic_set_irr(&lapic, 5, false);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_ESR, false, 0), 0);
    lapic_write(&lapic, LAPIC_REG_ESR, false, 0, 0);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_ESR, false, 0), 0x40);
}

static void test_lapic_timer_modes(void **state)
{
    struct lapic lapic;

    (void)state;
    lapic_make(&lapic, true);
    assert_int_equal(lapic_timer_deadline(&lapic), LAPIC_NEVER);
    /* One-shot, divide by 16. */
    lapic_write(&lapic, LAPIC_REG_TIMER_DIVIDE, true, 0, 3);
    lapic_write(&lapic, LAPIC_REG_LVT_TIMER, true, 0, 0xec);
    lapic_write(&lapic, LAPIC_REG_TIMER_INITIAL, true, 1000, 100);
    assert_int_equal(lapic_timer_deadline(&lapic), 1000 + 1600);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_TIMER_CURRENT, true, 1000 + 800), 50);
    lapic_timer_expire(&lapic, 2599);
    assert_int_equal(lapic_pending(&lapic), LAPIC_NONE);
    lapic_timer_expire(&lapic, 2600);
    assert_int_equal(lapic_pending(&lapic), 0xec);
    assert_int_equal(lapic_timer_deadline(&lapic), LAPIC_NEVER);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_TIMER_CURRENT, true, 3000), 0);
    lapic_accept(&lapic, 0xec);
    lapic_end_of_interrupt(&lapic);
    /* Periodic, divide by 1; late by several periods: one interrupt, still in step. */
    lapic_write(&lapic, LAPIC_REG_TIMER_DIVIDE, true, 0, 0xb);
    lapic_write(&lapic, LAPIC_REG_LVT_TIMER, true, 0, 0x200ec);
    lapic_write(&lapic, LAPIC_REG_TIMER_INITIAL, true, 10000, 1000000);
    lapic_timer_expire(&lapic, 4510000);
    assert_int_equal(lapic_pending(&lapic), 0xec);
    assert_int_equal(lapic_timer_deadline(&lapic), 5010000);
    /* Impossibly short: slowed down, the count never shows more than was set. */
    lapic_write(&lapic, LAPIC_REG_TIMER_INITIAL, true, 10000, 1);
    assert_int_equal(lapic_timer_deadline(&lapic), 10000 + LAPIC_MIN_PERIOD);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_TIMER_CURRENT, true, 10000), 1);
    lapic_timer_expire(&lapic, 10000 + LAPIC_MIN_PERIOD);
    assert_int_equal(lapic_timer_deadline(&lapic), 10000 + 2 * LAPIC_MIN_PERIOD);
    /* Deadline mode: the count is gone, the MSR works. */
    lapic_write(&lapic, LAPIC_REG_LVT_TIMER, true, 5020000, 0x400ed);
    assert_int_equal(lapic_timer_deadline(&lapic), LAPIC_NEVER);
    lapic_write(&lapic, LAPIC_REG_TIMER_INITIAL, true, 5020000, 77);
    assert_int_equal(lapic_timer_deadline(&lapic), LAPIC_NEVER);
    lapic_write_tsc_deadline(&lapic, 6000000);
    assert_int_equal(lapic_read_tsc_deadline(&lapic), 6000000);
    assert_int_equal(lapic_timer_deadline(&lapic), 6000000);
    lapic_timer_expire(&lapic, 6000001);
    assert_int_equal(lapic_pending(&lapic), 0xed);
    assert_int_equal(lapic_read_tsc_deadline(&lapic), 0);
    /* Masked: the timer runs out silently. */
    lapic_accept(&lapic, 0xed);
    lapic_end_of_interrupt(&lapic);
    lapic_accept(&lapic, 0xec);
    lapic_end_of_interrupt(&lapic);
    lapic_write(&lapic, LAPIC_REG_LVT_TIMER, true, 0, 0x500ed);
    lapic_write_tsc_deadline(&lapic, 7000000);
    lapic_timer_expire(&lapic, 7000000);
    assert_int_equal(lapic_pending(&lapic), LAPIC_NONE);
}

static void test_lapic_modes(void **state)
{
    struct lapic lapic;
    uint64_t value;

    (void)state;
    lapic_reset(&lapic, 3);
    assert_int_equal(lapic.base, LAPIC_BASE | APIC_BASE_ENABLE);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_ID, false, 0), 3u << 24);
    assert_false(lapic_write_base(&lapic, LAPIC_BASE | APIC_BASE_X2APIC, 40));
    assert_false(lapic_write_base(&lapic, lapic.base | 1, 40));
    assert_false(lapic_write_base(&lapic, lapic.base | 1ull << 41, 40));
    assert_true(lapic_write_base(&lapic, lapic.base | APIC_BASE_X2APIC, 40));
    assert_false(lapic_write_base(&lapic, LAPIC_BASE | APIC_BASE_ENABLE, 40));
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_ID, true, 0), 3);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_LDR, true, 0), 1u << 3);
    assert_false(lapic_read(&lapic, LAPIC_REG_DFR, true, 0, &value));
    assert_false(lapic_read(&lapic, LAPIC_REG_ICR_HIGH, true, 0, &value));
    assert_int_equal(lapic_write(&lapic, LAPIC_REG_EOI, true, 0, 1).effect, LAPIC_FAULT);
    assert_int_equal(lapic_write(&lapic, LAPIC_REG_ID, true, 0, 1).effect, LAPIC_FAULT);
    assert_int_equal(lapic_write(&lapic, LAPIC_REG_TPR, true, 0, 0x23).effect, LAPIC_OK);
    assert_int_equal(lapic_write(&lapic, LAPIC_REG_TPR, true, 0, 0x100).effect, LAPIC_FAULT);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_TPR, true, 0), 0x23);
    assert_true(lapic_write_base(&lapic, LAPIC_BASE, 40));
    assert_false(lapic_write_base(&lapic, LAPIC_BASE | APIC_BASE_ENABLE | APIC_BASE_X2APIC, 40));
    assert_true(lapic_write_base(&lapic, LAPIC_BASE | APIC_BASE_ENABLE, 40));
    assert_int_equal(lapic_write(&lapic, LAPIC_REG_TPR, false, 0, 0x12345).effect, LAPIC_OK);
    assert_int_equal(lapic_get(&lapic, LAPIC_REG_TPR, false, 0), 0x45);
}

static void test_lapic_destinations(void **state)
{
    struct lapic lapic;
    struct lapic_outcome outcome;

    (void)state;
    lapic_make(&lapic, false);
    assert_true(lapic_matches(&lapic, 0, false));
    assert_true(lapic_matches(&lapic, 0xff, false));
    assert_false(lapic_matches(&lapic, 1, false));
    lapic_write(&lapic, LAPIC_REG_LDR, false, 0, 0x04000000);
    assert_true(lapic_matches(&lapic, 0x06, true));
    assert_false(lapic_matches(&lapic, 0x01, true));
    lapic_write(&lapic, LAPIC_REG_DFR, false, 0, 0x0fffffff); /* cluster model */
    assert_true(lapic_matches(&lapic, 0x0c, true));
    assert_false(lapic_matches(&lapic, 0x1c, true));
    lapic_write(&lapic, LAPIC_REG_ICR_HIGH, false, 0, 0x07000000);
    outcome = lapic_write(&lapic, LAPIC_REG_ICR, false, 0, 0x000040fd);
    assert_int_equal(outcome.effect, LAPIC_IPI);
    assert_int_equal(outcome.argument, 7ull << 32 | 0x40fd);
    outcome = lapic_write(&lapic, LAPIC_REG_ICR, false, 0, 0x00004005);
    assert_int_equal(outcome.effect, LAPIC_OK); /* illegal vector: an error, no message */
    lapic_make(&lapic, true);
    assert_true(lapic_matches(&lapic, 0x00000001, true));
    assert_false(lapic_matches(&lapic, 0x00010001, true));
    outcome = lapic_write(&lapic, LAPIC_REG_ICR, true, 0, 0x123400000830);
    assert_int_equal(outcome.argument, 0x123400000830);
    lapic_write(&lapic, LAPIC_REG_SELF_IPI, true, 0, 0x88);
    assert_int_equal(lapic_pending(&lapic), 0x88);
}

/* --- I/O APIC --- */

static void ioapic_program(struct ioapic *ioapic, unsigned pin, uint64_t entry,
                           struct interrupt_messages *out)
{
    ioapic_write(ioapic, 0, 0x11 + 2 * pin, out);
    ioapic_write(ioapic, 0x10, (uint32_t)(entry >> 32), out);
    ioapic_write(ioapic, 0, 0x10 + 2 * pin, out);
    ioapic_write(ioapic, 0x10, (uint32_t)entry, out);
}

static void test_ioapic(void **state)
{
    struct interrupt_messages out = { 0 };
    struct ioapic ioapic;

    (void)state;
    ioapic_reset(&ioapic);
    ioapic_write(&ioapic, 0, 1, &out);
    assert_int_equal(ioapic_read(&ioapic, 0x10), 0x170011);
    ioapic_set_line(&ioapic, 4, true, &out);
    ioapic_set_line(&ioapic, 4, false, &out);
    assert_int_equal(out.nr, 0);                          /* masked */
    ioapic_program(&ioapic, 4, 0x0200000000000831, &out); /* edge, logical, destination 2 */
    ioapic_set_line(&ioapic, 4, true, &out);
    ioapic_set_line(&ioapic, 4, true, &out);
    assert_int_equal(out.nr, 1);
    assert_int_equal(out.list[0].vector, 0x31);
    assert_int_equal(out.list[0].destination, 2);
    assert_true(out.list[0].logical);
    assert_false(out.list[0].level);
    /* Level: one message until the end of interrupt, then again while the line is up. */
    out.nr = 0;
    ioapic_program(&ioapic, 9, 0x0000000000008039, &out);
    ioapic_set_line(&ioapic, 9, true, &out);
    ioapic_set_line(&ioapic, 9, true, &out);
    assert_int_equal(out.nr, 1);
    assert_true(out.list[0].level);
    ioapic_end_of_interrupt(&ioapic, 0x39, &out);
    assert_int_equal(out.nr, 2);
    ioapic_set_line(&ioapic, 9, false, &out);
    ioapic_end_of_interrupt(&ioapic, 0x39, &out);
    assert_int_equal(out.nr, 2);
    assert_int_equal(ioapic.redirection[9] & (1 << 14), 0);
    /* Read-only bits, registers that are not there. */
    ioapic_program(&ioapic, 1, ~0ull, &out);
    assert_int_equal(ioapic.redirection[1], 0xff0000000001afff);
    ioapic_write(&ioapic, 0, 0xff, &out);
    ioapic_write(&ioapic, 0x10, 1, &out);
    assert_int_equal(ioapic_read(&ioapic, 0x10), 0);
    assert_int_equal(ioapic_read(&ioapic, 0x40), 0);
}

/* --- serial port --- */

static void test_uart_identity(void **state)
{
    struct uart uart;
    uint8_t out;

    (void)state;
    uart_reset(&uart);
    assert_int_equal(uart_read(&uart, 2), 0x01);
    uart_write(&uart, 2, 0x01, &out);
    assert_int_equal(uart_read(&uart, 2), 0xc1); /* a 16550A, no 16750 */
    uart_write(&uart, 2, 0x21, &out);
    assert_int_equal(uart_read(&uart, 2), 0xc1);
    uart_write(&uart, 1, 0xff, &out);
    assert_int_equal(uart_read(&uart, 1), 0x0f);
    uart_write(&uart, 1, 0, &out);
    uart_write(&uart, 7, 0x5a, &out);
    assert_int_equal(uart_read(&uart, 7), 0x5a);
    uart_write(&uart, 3, 0x80, &out);
    uart_write(&uart, 0, 0x0c, &out);
    uart_write(&uart, 1, 0x01, &out);
    assert_int_equal(uart_read(&uart, 0), 0x0c);
    assert_int_equal(uart_read(&uart, 1), 0x01);
    uart_write(&uart, 3, 0x03, &out);
    assert_int_equal(uart_read(&uart, 5), 0x60);
    /* Loop-back: outputs come back as inputs, bytes are received. */
    uart_write(&uart, 4, 0x1a, &out);
    assert_int_equal(uart_read(&uart, 6) & 0xf0, 0x90);
    assert_false(uart_write(&uart, 0, 'x', &out));
    assert_int_equal(uart_read(&uart, 0), 'x');
}

static void test_uart_transmit_interrupt(void **state)
{
    struct uart uart;
    uint8_t out;

    (void)state;
    uart_reset(&uart);
    uart_write(&uart, 4, 0x08, &out);
    assert_false(uart_line(&uart));
    uart_write(&uart, 1, 0x02, &out); /* enabling the interrupt while empty raises it */
    assert_true(uart_line(&uart));
    assert_int_equal(uart_read(&uart, 2) & 0xf, 0x02);
    assert_int_equal(uart_read(&uart, 2) & 0xf, 0x01); /* reading it has cleared it */
    assert_false(uart_line(&uart));
    assert_true(uart_write(&uart, 0, 'a', &out));
    assert_int_equal(out, 'a');
    assert_true(uart_line(&uart)); /* sent at once: empty again */
    uart_set_room(&uart, false);
    assert_false(uart_line(&uart));
    assert_int_equal(uart_read(&uart, 5) & 0x60, 0);
    uart_write(&uart, 1, 0, &out);
    uart_write(&uart, 1, 0x02, &out);
    assert_false(uart_line(&uart)); /* not while it is full */
    uart_set_room(&uart, true);
    assert_true(uart_line(&uart));
    uart_write(&uart, 4, 0, &out); /* OUT2 disconnects the line */
    assert_false(uart_line(&uart));
}

static void test_uart_receive(void **state)
{
    struct uart uart;
    uint8_t out;

    (void)state;
    uart_reset(&uart);
    assert_int_equal(uart_receive_room(&uart), 1);
    uart_write(&uart, 2, 0x81, &out); /* FIFO, trigger at 8 */
    uart_write(&uart, 4, 0x08, &out);
    uart_write(&uart, 1, 0x05, &out);
    assert_int_equal(uart_receive_room(&uart), 16);
    for (uint8_t i = 0; i < 7; i++) {
        uart_receive(&uart, (uint8_t)('a' + i));
    }
    assert_true(uart_line(&uart));
    assert_int_equal(uart_read(&uart, 2), 0xcc); /* fewer than the trigger: time-out */
    uart_receive(&uart, 'h');
    assert_int_equal(uart_read(&uart, 2), 0xc4);
    assert_int_equal(uart_read(&uart, 5), 0x61);
    for (uint8_t i = 0; i < 8; i++) {
        assert_int_equal(uart_read(&uart, 0), 'a' + i);
    }
    assert_false(uart_line(&uart));
    for (uint8_t i = 0; i < 17; i++) {
        uart_receive(&uart, i);
    }
    assert_int_equal(uart_read(&uart, 2), 0xc6); /* overrun: line status */
    assert_int_equal(uart_read(&uart, 5), 0x63);
    assert_int_equal(uart_read(&uart, 5), 0x61);
    uart_write(&uart, 2, 0x83, &out);
    assert_int_equal(uart_receive_room(&uart), 16);
    assert_int_equal(uart_read(&uart, 0), 0);
}

/* --- clock --- */

static uint8_t cmos_get(struct cmos *cmos, uint8_t index, uint64_t now)
{
    cmos_select(cmos, index);
    return cmos_read(cmos, now);
}

static unsigned bcd(uint8_t value)
{
    return (value >> 4) * 10u + (value & 0xf);
}

static void check_date(struct cmos *cmos, uint64_t now, time_t expected)
{
    struct tm date;

    gmtime_r(&expected, &date);
    assert_int_equal(bcd(cmos_get(cmos, 0, now)), date.tm_sec);
    assert_int_equal(bcd(cmos_get(cmos, 2, now)), date.tm_min);
    assert_int_equal(bcd(cmos_get(cmos, 4, now)), date.tm_hour);
    assert_int_equal(bcd(cmos_get(cmos, 6, now)), date.tm_wday + 1);
    assert_int_equal(bcd(cmos_get(cmos, 7, now)), date.tm_mday);
    assert_int_equal(bcd(cmos_get(cmos, 8, now)), date.tm_mon + 1);
    assert_int_equal(bcd(cmos_get(cmos, 9, now)), date.tm_year % 100);
    assert_int_equal(bcd(cmos_get(cmos, 0x32, now)), 19 + date.tm_year / 100);
}

static void test_cmos_dates(void **state)
{
    struct cmos cmos;

    (void)state;
    /* Every day of two centuries at an odd time of day. */
    for (time_t day = 1; day < 200 * 366; day++) {
        time_t at = day * 86400 + day * 7919 % 86400;

        cmos_reset(&cmos, (uint64_t)at - 5);
        check_date(&cmos, 5, at);
    }
}

static void test_cmos_set(void **state)
{
    struct cmos cmos;

    (void)state;
    cmos_reset(&cmos, 1000000000);
    assert_int_equal(cmos_get(&cmos, 0x0b, 0), 0x02);
    assert_int_equal(cmos_get(&cmos, 0x0d, 0), 0x80);
    cmos_select(&cmos, 0x0b);
    cmos_write(&cmos, 0x82, 100); /* SET */
    static const uint8_t date[][2] = { { 0, 0x30 }, { 2, 0x59 }, { 4, 0x23 },   { 7, 0x29 },
                                       { 8, 0x02 }, { 9, 0x24 }, { 0x32, 0x20 } };
    for (size_t i = 0; i < sizeof(date) / sizeof(date[0]); i++) {
        cmos_select(&cmos, date[i][0]);
        cmos_write(&cmos, date[i][1], 100);
    }
    assert_int_equal(cmos_get(&cmos, 7, 300), 0x29); /* stands still */
    cmos_select(&cmos, 0x0b);
    cmos_write(&cmos, 0x02, 200);
    check_date(&cmos, 200, 1709251170); /* 2024-02-29 23:59:30 */
    check_date(&cmos, 240, 1709251210); /* and over into March */
    cmos_select(&cmos, 0x0b);
    cmos_write(&cmos, 0x04, 200); /* 12 hours, binary */
    assert_int_equal(cmos_get(&cmos, 4, 200), 0x80 | 11);
    assert_int_equal(cmos_get(&cmos, 4, 240), 12);
    cmos_select(&cmos, 0x70);
    cmos_write(&cmos, 0xab, 0);
    assert_int_equal(cmos_get(&cmos, 0x70, 0), 0xab);
    /* Nonsense in every register must not hurt. */
    cmos_select(&cmos, 0x0b);
    cmos_write(&cmos, 0x80, 0);
    for (uint8_t i = 0; i < 10; i++) {
        cmos_select(&cmos, i);
        cmos_write(&cmos, 0xff, 0);
    }
    cmos_select(&cmos, 0x0b);
    cmos_write(&cmos, 0, 0);
    cmos_get(&cmos, 9, ~0ull >> 1);
}

/* --- platform --- */

static void test_pic(void **state)
{
    struct platform platform;

    (void)state;
    platform_reset(&platform);
    pic_write(&platform, 0, 1, 0xfe);
    assert_int_equal(pic_read(&platform, 0, 1), 0xfe);
    pic_write(&platform, 0, 0, 0x11); /* ICW1 to ICW4: none of them is the mask */
    pic_write(&platform, 0, 1, 0x30);
    pic_write(&platform, 0, 1, 0x04);
    pic_write(&platform, 0, 1, 0x01);
    assert_int_equal(pic_read(&platform, 0, 1), 0);
    pic_write(&platform, 0, 1, 0xfb);
    assert_int_equal(pic_read(&platform, 0, 1), 0xfb);
    assert_int_equal(pic_read(&platform, 1, 1), 0xff);
    pic_write(&platform, 1, 0, 0x12); /* single, no ICW4 */
    pic_write(&platform, 1, 1, 0x38);
    pic_write(&platform, 1, 1, 0x55);
    assert_int_equal(pic_read(&platform, 1, 1), 0x55);
}

static void test_power(void **state)
{
    struct platform platform;

    (void)state;
    platform_reset(&platform);
    assert_int_equal(pm1_read(&platform, 4, 2), 1);
    assert_int_equal(pm1_write(&platform, 2, 2, 0xffff), PLATFORM_NONE);
    assert_int_equal(pm1_read(&platform, 2, 2), 0x720);
    assert_int_equal(pm1_write(&platform, 4, 2, 5 << 10), PLATFORM_NONE);
    assert_int_equal(pm1_read(&platform, 4, 2), 5 << 10 | 1);
    assert_int_equal(pm1_write(&platform, 4, 2, 1 << 13 | 3 << 10), PLATFORM_NONE); /* not S5 */
    assert_int_equal(pm1_write(&platform, 4, 2, 1 << 13 | 5 << 10), PLATFORM_POWEROFF);
    assert_int_equal(pm1_read(&platform, 5, 1), 5 << 2);
    assert_int_equal(pci_port_write(&platform, 1, 1, 0x02), PLATFORM_NONE);
    assert_int_equal(pci_port_read(&platform, 1, 1), 0x02);
    assert_int_equal(pci_port_write(&platform, 1, 1, 0x06), PLATFORM_RESET);
    assert_int_equal(board_write(&platform, 0x64, 0xfe), PLATFORM_RESET);
    assert_int_equal(board_write(&platform, 0x64, 0xd1), PLATFORM_NONE);
    assert_int_equal(board_write(&platform, 0x92, 0x02), PLATFORM_NONE);
    assert_int_equal(board_write(&platform, 0x92, 0x03), PLATFORM_RESET);
    assert_int_equal(board_read(&platform, 0x64), 0xff);
}

static void test_pci_ports(void **state)
{
    struct pci_target target;
    struct platform platform;

    (void)state;
    platform_reset(&platform);
    assert_false(pci_port_target(&platform, &target));
    pci_port_write(&platform, 0, 4, 0x80000000);
    assert_int_equal(pci_port_read(&platform, 0, 4), 0x80000000);
    pci_port_write(&platform, 0, 4, 0xff00080b); /* bus 0, device 1; reserved bits are not kept */
    assert_int_equal(pci_port_read(&platform, 0, 4), 0x80000808);
    assert_true(pci_port_target(&platform, &target));
    assert_int_equal(target.function, 8);
    assert_int_equal(target.offset, 8);
    pci_port_write(&platform, 0, 2, 0x1234); /* only whole */
    assert_int_equal(pci_port_read(&platform, 0, 4), 0x80000808);
    assert_int_equal(pci_port_read(&platform, 0, 2), 0xffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lapic_priorities),
        cmocka_unit_test(test_lapic_level),
        cmocka_unit_test(test_lapic_timer_modes),
        cmocka_unit_test(test_lapic_modes),
        cmocka_unit_test(test_lapic_destinations),
        cmocka_unit_test(test_ioapic),
        cmocka_unit_test(test_uart_identity),
        cmocka_unit_test(test_uart_transmit_interrupt),
        cmocka_unit_test(test_uart_receive),
        cmocka_unit_test(test_cmos_dates),
        cmocka_unit_test(test_cmos_set),
        cmocka_unit_test(test_pic),
        cmocka_unit_test(test_power),
        cmocka_unit_test(test_pci_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
