/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IRQ handlers and I/O ports: issue, use, free; every answer and its precedence (ABI section 5.1).
 */
#include "tests/unit/kernel/memory_world.h"

#include "abi/gen/labels.h"
#include "kernel/core/core.h"
#include "kernel/object/io_port.h"

enum { CONTROL = 1, PORTS, CNODE, NOTIFICATION, READ_ONLY, HANDLER, OTHER, FREE };

static int setup(void **state)
{
    world_reset(state);
    cores[0].apic_id = 3;
    world_put(CONTROL, cap_make(CAP_IRQ_CONTROL, hpa(0), 0, 0));
    world_put(PORTS, cap_make(CAP_IO_PORT_CONTROL, hpa(0), 0, 0));
    world_put(CNODE, world_root());
    world_put(NOTIFICATION, cap_make(CAP_NOTIFICATION, world_page(1), RIGHT_READ | RIGHT_WRITE, 0));
    world_put(READ_ONLY, cap_make(CAP_NOTIFICATION, world_page(2), RIGHT_READ, 77));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_slots[CNODE].cap = cap_make(CAP_DOMAIN, hpa(0), 0, 0);
    return 0;
}

static u64 get_pin(u64 slot, u64 ioapic, u64 pin, u64 level, u64 polarity, u64 vector)
{
    return INVOKE(X86IRQIssueIRQHandlerIOAPIC, CONTROL, EXTRA(CNODE), slot, 64, ioapic, pin, level,
                  polarity, vector);
}

static u64 get_msi(u64 slot, u64 bus, u64 dev, u64 func, u64 vector)
{
    return INVOKE(X86IRQIssueIRQHandlerMSI, CONTROL, EXTRA(CNODE), slot, 64, bus, dev, func, 0,
                  vector);
}

static void test_pin(void **state)
{
    (void)state;
    assert_answer(get_pin(HANDLER, 0, 4, 0, 0, 20), seL4_NoError);
    assert_int_equal(world_slots[HANDLER].cap.type, CAP_IRQ_HANDLER);
    assert_int_equal(irq_handler_irq(world_slots[HANDLER].cap), 20);
    assert_int_equal(fakes.pin_vector[4], 20 + 0x30);
    assert_true(fakes.pin_masked[4]);

    assert_answer(INVOKE(IRQAckIRQ, HANDLER, NULL, 0), seL4_NoError);
    assert_false(fakes.pin_masked[4]);
    /* Without a notification: masked, and nobody hears of it. */
    irq_deliver(20);
    assert_true(fakes.pin_masked[4]);
    assert_int_equal(signals.count, 0);

    assert_answer(INVOKE(IRQSetIRQHandler, HANDLER, EXTRA(NOTIFICATION), 0), seL4_NoError);
    assert_answer(INVOKE(IRQAckIRQ, HANDLER, NULL, 0), seL4_NoError);
    irq_deliver(20);
    assert_true(fakes.pin_masked[4]);
    assert_int_equal(signals.count, 1);

    assert_answer(INVOKE(IRQClearIRQHandler, HANDLER, NULL, 0), seL4_NoError);
    assert_answer(INVOKE(IRQClearIRQHandler, HANDLER, NULL, 0), seL4_NoError);
    irq_deliver(20);
    assert_int_equal(signals.count, 1);

    /* One capability of two goes, then the other. */
    assert_answer(INVOKE(IRQSetIRQHandler, HANDLER, EXTRA(NOTIFICATION), 0), seL4_NoError);
    assert_true(world_copy(HANDLER, OTHER));
    assert_answer(INVOKE(IRQAckIRQ, HANDLER, NULL, 0), seL4_NoError);
    world_delete(HANDLER);
    assert_false(fakes.pin_masked[4]);
    assert_int_equal(irqs[20].state, IRQ_IO_APIC);
    world_delete(OTHER);
    assert_true(fakes.pin_masked[4]);
    assert_int_equal(irqs[20].state, IRQ_FREE);
    assert_true(slot_is_empty(&irqs[20].notification));
    irq_deliver(20); /* one that was on its way */
    assert_int_equal(signals.count, 1);
    assert_answer(get_pin(HANDLER, 0, 5, 1, 1, 20), seL4_NoError);
}

static void test_vector_errors(void **state)
{
    (void)state;
    assert_answer(INVOKE(IRQIssueIRQHandler, CONTROL, EXTRA(CNODE), 5, HANDLER, 64),
                  seL4_IllegalOperation);
    assert_answer(
        INVOKE(X86IRQIssueIRQHandlerIOAPIC, CONTROL, EXTRA(CNODE), HANDLER, 64, 0, 4, 0, 0),
        seL4_TruncatedMessage);
    assert_answer(INVOKE(X86IRQIssueIRQHandlerIOAPIC, CONTROL, NULL, HANDLER, 64, 0, 4, 0, 0, 1),
                  seL4_TruncatedMessage);
    assert_answer(INVOKE(X86IRQIssueIRQHandlerMSI, CONTROL, EXTRA(CNODE), HANDLER, 64, 0, 0, 0, 0),
                  seL4_TruncatedMessage);

    /* Vector, then in use, then the slot, then the source. */
    assert_range(get_pin(CONTROL, 99, 99, 2, 2, 108), 0, 107);
    assert_range(get_pin(CONTROL, 99, 99, 2, 2, ~0ULL), 0, 107);
    assert_range(get_msi(CONTROL, 256, 0, 0, 108), 0, 107);
    assert_answer(get_msi(HANDLER, 255, 31, 7, 107), seL4_NoError);
    assert_answer(get_pin(CONTROL, 99, 99, 2, 2, 107), seL4_RevokeFirst);
    assert_answer(get_msi(CONTROL, 256, 0, 0, 107), seL4_RevokeFirst);
    assert_answer(get_pin(CONTROL, 99, 99, 2, 2, 0), seL4_DeleteFirst);
    assert_answer(get_pin(1000, 99, 99, 2, 2, 0), seL4_FailedLookup);
    assert_answer(get_msi(CONTROL, 256, 0, 0, 0), seL4_DeleteFirst);

    assert_range(get_pin(OTHER, 1, 99, 2, 2, 0), 0, 0);
    assert_range(get_pin(OTHER, 0, 24, 2, 2, 0), 0, 23);
    assert_range(get_pin(OTHER, 0, 23, 2, 2, 0), 0, 1);
    assert_range(get_pin(OTHER, 0, 23, 1, 2, 0), 0, 1);
    assert_range(get_pin(OTHER, ~0ULL, 0, 0, 0, 0), 0, 0);
    assert_range(get_pin(OTHER, BIT(32), 0, 0, 0, 0), 0, 0);
    assert_range(get_msi(OTHER, 256, 32, 8, 0), 0, 255);
    assert_range(get_msi(OTHER, 255, 32, 8, 0), 0, 31);
    assert_range(get_msi(OTHER, 255, 31, 8, 0), 0, 7);
    assert_int_equal(irqs[0].state, IRQ_FREE);
    assert_true(slot_is_empty(&world_slots[OTHER]));
}

static void test_set_notification_errors(void **state)
{
    (void)state;
    assert_answer(get_msi(HANDLER, 0, 0, 0, 1), seL4_NoError);
    assert_answer(INVOKE(IRQSetIRQHandler, HANDLER, NULL, 0), seL4_TruncatedMessage);
    assert_answer_word(INVOKE(IRQSetIRQHandler, HANDLER, EXTRA(CNODE), 0), seL4_InvalidCapability,
                       0);
    assert_answer_word(INVOKE(IRQSetIRQHandler, HANDLER, EXTRA(READ_ONLY), 0),
                       seL4_InvalidCapability, 0);
    assert_true(slot_is_empty(&irqs[1].notification));

    /* Setting it again replaces; the badge is the capability's. */
    assert_answer(INVOKE(IRQSetIRQHandler, HANDLER, EXTRA(NOTIFICATION), 0), seL4_NoError);
    world_put(OTHER, cap_make(CAP_NOTIFICATION, world_page(3), RIGHT_WRITE, 55));
    assert_answer(INVOKE(IRQSetIRQHandler, HANDLER, EXTRA(OTHER), 0), seL4_NoError);
    irq_deliver(1);
    assert_int_equal(signals.badge, 55);
    /* What is revoked from the handler's client is gone here too. */
    assert_int_equal(slot_revoke(&world_slots[OTHER]), STATUS_OK);
    world_delete(OTHER);
    assert_true(slot_is_empty(&irqs[1].notification) ||
                irqs[1].notification.cap.type == CAP_NOTIFICATION);
}

/* The later handler of a pin has it to itself. */
static void test_pin_taken_over(void **state)
{
    (void)state;
    assert_answer(get_pin(HANDLER, 0, 9, 1, 1, 1), seL4_NoError);
    assert_answer(INVOKE(IRQAckIRQ, HANDLER, NULL, 0), seL4_NoError);
    assert_answer(get_pin(OTHER, 0, 9, 0, 0, 2), seL4_NoError);
    assert_int_equal(fakes.pin_vector[9], 0x32);
    assert_true(fakes.pin_masked[9]);
    assert_answer(INVOKE(IRQAckIRQ, HANDLER, NULL, 0), seL4_NoError);
    assert_true(fakes.pin_masked[9]);
    assert_answer(INVOKE(IRQAckIRQ, OTHER, NULL, 0), seL4_NoError);
    assert_false(fakes.pin_masked[9]);
    irq_deliver(1);
    world_delete(HANDLER);
    assert_false(fakes.pin_masked[9]);
    world_delete(OTHER);
    assert_true(fakes.pin_masked[9]);
}

static void test_msi(void **state)
{
    (void)state;
    assert_answer(get_msi(HANDLER, 0, 1, 2, 50), seL4_NoError);
    assert_answer(INVOKE(IRQSetIRQHandler, HANDLER, EXTRA(NOTIFICATION), 0), seL4_NoError);
    irq_deliver(50);
    irq_deliver(50); /* cannot be masked */
    assert_int_equal(signals.count, 2);
    assert_answer(INVOKE(IRQAckIRQ, HANDLER, NULL, 0), seL4_NoError);
    world_delete(HANDLER);
    assert_int_equal(irqs[50].state, IRQ_FREE);
}

static void test_irq_revoke(void **state)
{
    (void)state;
    for (unsigned irq = 0; irq < IRQ_COUNT; irq++)
        assert_answer(get_msi(FREE + irq, 0, 0, 0, irq), seL4_NoError);
    assert_int_equal(slot_revoke(&world_slots[CONTROL]), STATUS_OK);
    for (unsigned irq = 0; irq < IRQ_COUNT; irq++)
        assert_int_equal(irqs[irq].state, IRQ_FREE);
}

/* --- ports ----------------------------------------------------------------------------------- */

static u64 issue(u64 first, u64 last, u64 slot)
{
    return INVOKE(X86IOPortControlIssue, PORTS, EXTRA(CNODE), first, last, slot, 64);
}

static void test_port_issue(void **state)
{
    (void)state;
    assert_answer(INVOKE(X86IOPortControlIssue, PORTS, EXTRA(CNODE), 1, 2, FREE),
                  seL4_TruncatedMessage);
    assert_answer(INVOKE(X86IOPortControlIssue, PORTS, NULL, 1, 2, FREE, 64),
                  seL4_TruncatedMessage);
    assert_answer_word(issue(0x60, 0x5f, CNODE), seL4_InvalidArgument, 1);
    assert_answer(issue(0x3f8, 0x3ff, FREE), seL4_NoError);
    assert_int_equal(io_port_first(world_slots[FREE].cap), 0x3f8);
    assert_int_equal(io_port_last(world_slots[FREE].cap), 0x3ff);
    /* Overlap comes before the slot. */
    assert_answer(issue(0x3ff, 0x400, CNODE), seL4_RevokeFirst);
    assert_answer(issue(0, 0xffff, CNODE), seL4_RevokeFirst);
    assert_answer(issue(0x400, 0x400, CNODE), seL4_DeleteFirst);
    assert_answer(issue(0x400, 0x400, 1000), seL4_FailedLookup);
    assert_false(io_port_is_issued(0x400, 0x400));
    assert_answer(issue(0x3f0, 0x3f7, FREE + 1), seL4_NoError);
    assert_answer(issue(0x400, 0xffff, FREE + 2), seL4_NoError);
    assert_answer(issue(0, 0x3ef, FREE + 3), seL4_NoError);

    /* The range is free when its last capability has gone. */
    assert_true(world_copy(FREE, OTHER));
    world_delete(FREE);
    assert_true(io_port_is_issued(0x3f8, 0x3ff));
    world_delete(OTHER);
    assert_false(io_port_is_issued(0x3f8, 0x3ff));
    assert_true(io_port_is_issued(0x3f7, 0x3f8));
    assert_answer(issue(0x3f8, 0x3ff, FREE), seL4_NoError);
}

static void test_port_access(void **state)
{
    (void)state;
    assert_answer(issue(0xcf8, 0xcff, FREE), seL4_NoError);
    fakes.port_value = 0x12345678;
    assert_answer(INVOKE(X86IOPortIn32, FREE, NULL, 0xcf8), seL4_NoError);
    assert_int_equal(world_reply.reply_length, 1);
    assert_int_equal(*ipc_register(world_reply.caller, 0), 0x12345678);
    assert_int_equal(fakes.port_width, 4);
    assert_answer(INVOKE(X86IOPortIn16, FREE, NULL, 0xcfe), seL4_NoError);
    assert_int_equal(fakes.port_width, 2);
    assert_answer(INVOKE(X86IOPortIn8, FREE, NULL, 0xcff), seL4_NoError);
    assert_int_equal(fakes.port_width, 1);
    assert_answer(INVOKE(X86IOPortOut8, FREE, NULL, 0xcf9, 0x1ff), seL4_NoError);
    assert_int_equal(fakes.port_value, 0xff);
    assert_answer(INVOKE(X86IOPortOut16, FREE, NULL, 0xcf8, 0x12345), seL4_NoError);
    assert_int_equal(fakes.port_value, 0x2345);
    assert_answer(INVOKE(X86IOPortOut32, FREE, NULL, 0xcfc, ~0ULL), seL4_NoError);
    assert_int_equal(fakes.port_value, 0xffffffff);
    assert_int_equal(fakes.port, 0xcfc);
    assert_int_equal(fakes.port_width, 4);

    assert_answer(INVOKE(X86IOPortIn8, FREE, NULL, 0xcf7), seL4_IllegalOperation);
    assert_answer(INVOKE(X86IOPortIn8, FREE, NULL, 0xd00), seL4_IllegalOperation);
    assert_answer(INVOKE(X86IOPortIn16, FREE, NULL, 0xcff), seL4_IllegalOperation);
    assert_answer(INVOKE(X86IOPortIn32, FREE, NULL, 0xcfd), seL4_IllegalOperation);
    assert_answer(INVOKE(X86IOPortOut32, FREE, NULL, 0xcfd, 0), seL4_IllegalOperation);
    assert_answer(INVOKE(X86IOPortOut8, FREE, NULL, 0xcf8), seL4_TruncatedMessage);

    /* An access never wraps to port 0. */
    assert_answer(issue(0xfff0, 0xffff, OTHER), seL4_NoError);
    assert_answer(INVOKE(X86IOPortIn32, OTHER, NULL, 0xfffc), seL4_NoError);
    assert_answer(INVOKE(X86IOPortIn32, OTHER, NULL, 0xfffd), seL4_IllegalOperation);
    assert_answer(INVOKE(X86IOPortIn16, OTHER, NULL, 0xffff), seL4_IllegalOperation);
}

/* The set of issued ports against a naive one. */
static void test_port_set(void **state)
{
    static bool naive[65536];

    (void)state;
    memset(naive, 0, sizeof(naive));
    for (unsigned n = 0; n < 3000; n++) {
        u16 first = (u16)world_below(65536), length = (u16)world_below(300);
        u16 last = first + length > 0xffff ? 0xffff : (u16)(first + length);
        bool any = false;

        for (unsigned port = first; port <= last; port++)
            any |= naive[port];
        assert_int_equal(io_port_is_issued(first, last), any);
        if (world_below(2))
            io_port_set_issued(first, last, true);
        else
            io_port_set_issued(first, last, false);
        for (unsigned port = first; port <= last; port++)
            naive[port] = io_port_is_issued((u16)port, (u16)port);
        for (unsigned port = first; port < last; port++)
            assert_int_equal(naive[port], naive[port + 1]);
    }
    io_port_set_issued(0, 0xffff, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pin),
        TEST(test_vector_errors),
        TEST(test_set_notification_errors),
        TEST(test_pin_taken_over),
        TEST(test_msi),
        TEST(test_irq_revoke),
        TEST(test_port_issue),
        TEST(test_port_access),
        TEST(test_port_set),
    };

    return cmocka_run_group_tests_name("devices", tests, NULL, world_reset);
}
