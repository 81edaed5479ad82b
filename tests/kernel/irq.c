/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts: issuing handlers for I/O APIC pins and MSIs, delivery, masking, acknowledging. */
#include "tests/kernel/calls.h"

#define CONTROL       seL4_CapIRQControl
#define PIT_PIN       2
#define PIT_COMMAND   0x43
#define PIT_CHANNEL_0 0x40

static seL4_Error get_pin(seL4_CPtr slot, seL4_Word ioapic, seL4_Word pin, seL4_Word level,
                          seL4_Word polarity, seL4_Word vector)
{
    return seL4_IRQControl_GetIOAPIC(CONTROL, ROOT, slot, DEPTH, ioapic, pin, level, polarity,
                                     vector);
}

static seL4_Error get_msi(seL4_CPtr slot, seL4_Word bus, seL4_Word dev, seL4_Word func,
                          seL4_Word vector)
{
    return seL4_IRQControl_GetMSI(CONTROL, ROOT, slot, DEPTH, bus, dev, func, 0, vector);
}

static void io_apic_checks(void)
{
    seL4_CPtr slot = slot_new(), other = slot_new();

    CHECK_RANGE(get_pin(slot, 0, 2, 0, 0, 108), 0, 107);
    CHECK_RANGE(get_pin(slot, 0, 2, 0, 0, ~0ul), 0, 107);
    CHECK_ERROR(get_pin(ROOT, 0, 2, 0, 0, 10), seL4_DeleteFirst);
    CHECK_LOOKUP(get_pin(1ul << 40, 0, 2, 0, 0, 10), 0, seL4_GuardMismatch, 64, 0, 47);
    CHECK_ERROR(get_pin(slot, 1, 2, 0, 0, 10), seL4_RangeError, 0, 0);
    CHECK_ERROR(get_pin(slot, 0, 24, 0, 0, 10), seL4_RangeError, 0, 23);
    CHECK_RANGE(get_pin(slot, 0, 2, 2, 0, 10), 0, 1);
    CHECK_RANGE(get_pin(slot, 0, 2, 0, 2, 10), 0, 1);
    /* vector, slot, ioapic, pin, level, polarity */
    CHECK_RANGE(get_pin(ROOT, 9, 99, 9, 9, 108), 0, 107);
    CHECK_ERROR(get_pin(ROOT, 9, 99, 9, 9, 10), seL4_DeleteFirst);
    CHECK_ERROR(get_pin(slot, 9, 99, 9, 9, 10), seL4_RangeError, 0, 0);
    CHECK_ERROR(get_pin(slot, 0, 99, 9, 9, 10), seL4_RangeError, 0, 23);
    CHECK_OK(get_pin(slot, 0, 2, 0, 0, 10));
    CHECK_EQ(cap_tag(slot), TAG_IRQ_HANDLER);
    CHECK_ERROR(get_pin(other, 0, 3, 0, 0, 10), seL4_RevokeFirst);
    CHECK_ERROR(get_pin(ROOT, 0, 3, 0, 0, 10), seL4_RevokeFirst);
    CHECK_OK(get_pin(other, 0, 3, 1, 1, 0));
    CHECK_OK(get_pin(slot_new(), 0, 4, 0, 0, 107));
    CHECK_OK(cap_delete(slot));
    CHECK_OK(get_pin(slot, 0, 2, 0, 0, 10));
}

static void msi_checks(void)
{
    seL4_CPtr slot = slot_new();

    CHECK_RANGE(get_msi(slot, 0, 0, 0, 108), 0, 107);
    CHECK_RANGE(get_msi(slot, 256, 0, 0, 20), 0, 255);
    CHECK_RANGE(get_msi(slot, 0, 32, 0, 20), 0, 31);
    CHECK_RANGE(get_msi(slot, 0, 0, 8, 20), 0, 7);
    CHECK_RANGE(get_msi(slot, 256, 32, 8, 20), 0, 255);
    CHECK_ERROR(get_msi(ROOT, 256, 0, 0, 20), seL4_DeleteFirst);
    CHECK_OK(get_msi(slot, 255, 31, 7, 20));
    CHECK_ERROR(get_msi(slot_new(), 0, 0, 0, 20), seL4_RevokeFirst);
    CHECK_ERROR(get_pin(slot_new(), 0, 5, 0, 0, 20), seL4_RevokeFirst);
    CHECK_OK(seL4_IRQHandler_Ack(slot));
}

static void notifications(void)
{
    seL4_CPtr handler = slot_new(), notification = object_new(seL4_NotificationObject, 0);

    REQUIRE_OK(get_pin(handler, 0, 5, 0, 0, 11));
    CHECK_CAPABILITY(seL4_IRQHandler_SetNotification(handler, ROOT), 0);
    CHECK_CAPABILITY(seL4_IRQHandler_SetNotification(handler, cap_copy(notification, seL4_NoWrite)),
                     0);
    CHECK_OK(seL4_IRQHandler_SetNotification(handler, notification));
    CHECK_OK(seL4_IRQHandler_SetNotification(handler, notification));
    CHECK_OK(seL4_IRQHandler_Clear(handler));
    CHECK_OK(seL4_IRQHandler_Clear(handler));
}

/* --- the timer of old, through pin 2 --------------------------------------------------------- */

static seL4_CPtr pit;

/* One interrupt after that many of its ticks (1.193 MHz). */
static void pit_start(unsigned ticks)
{
    seL4_X86_IOPort_Out8(pit, PIT_COMMAND, 0x30); /* channel 0, both bytes, mode 0 */
    seL4_X86_IOPort_Out8(pit, PIT_CHANNEL_0, ticks & 0xff);
    seL4_X86_IOPort_Out8(pit, PIT_CHANNEL_0, ticks >> 8);
}

static bool wait_for(seL4_CPtr notification, seL4_Word badge)
{
    seL4_Word end = us_now() + 500000;

    while (us_now() < end) {
        seL4_Word got = sys(seL4_SysNBWait, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge;

        if (got)
            return got == badge;
    }
    return false;
}

static void pit_interrupt(void)
{
    seL4_CPtr handler = slot_new(), notification = object_new(seL4_NotificationObject, 0);

    pit = slot_new();
    REQUIRE_OK(seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, 0x40, 0x43, ROOT, pit, DEPTH));
    /* Quiet it before anything is unmasked. */
    seL4_X86_IOPort_Out8(pit, PIT_COMMAND, 0x30);
    REQUIRE_OK(get_pin(handler, 0, PIT_PIN, 0, 0, 12));
    REQUIRE_OK(
        seL4_IRQHandler_SetNotification(handler, cap_mint(notification, seL4_AllRights, 0x8)));
    REQUIRE_OK(seL4_IRQHandler_Ack(handler));
    for (unsigned round = 0; round < 5; round++) {
        pit_start(1193);
        CHECK(wait_for(notification, 8));
        CHECK_OK(seL4_IRQHandler_Ack(handler));
    }
    /* Without a notification it is lost; the next one with one comes. */
    CHECK_OK(seL4_IRQHandler_Clear(handler));
    pit_start(200);
    busy_wait(2000);
    CHECK_EQ(sys(seL4_SysNBWait, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge, 0);
    REQUIRE_OK(seL4_IRQHandler_SetNotification(handler, notification));
    CHECK_OK(seL4_IRQHandler_Ack(handler));
    /* Unbadged: badge 0. A blocked thread shows that it came. */
    struct call wait = { .number = seL4_SysWait, .rdi = notification };

    call_start(0, &wait);
    pit_start(1193);
    busy_wait(20000);
    CHECK(wait.returned);
    CHECK_EQ(wait.answer.badge, 0);
    CHECK_OK(seL4_IRQHandler_Ack(handler));
    /* After deletion nothing comes any more. */
    CHECK_OK(cap_delete(handler));
    call_start(1, &wait);
    pit_start(200);
    busy_wait(5000);
    CHECK(!wait.returned);
}

/* Until it is acknowledged, no second one: the pin is masked. */
static void masked_until_acknowledged(void)
{
    seL4_CPtr handler = slot_new(), notification = object_new(seL4_NotificationObject, 0);

    pit = slot_new();
    REQUIRE_OK(seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, 0x40, 0x43, ROOT, pit, DEPTH));
    seL4_X86_IOPort_Out8(pit, PIT_COMMAND, 0x30);
    REQUIRE_OK(get_pin(handler, 0, PIT_PIN, 0, 0, 12));
    REQUIRE_OK(seL4_IRQHandler_SetNotification(handler, cap_mint(notification, seL4_AllRights, 8)));
    /* Pins begin masked. */
    pit_start(200);
    busy_wait(5000);
    CHECK_EQ(sys(seL4_SysNBWait, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge, 0);
    seL4_X86_IOPort_Out8(pit, PIT_COMMAND, 0x30);
    CHECK_OK(seL4_IRQHandler_Ack(handler));
    pit_start(1193);
    CHECK(wait_for(notification, 8));
    pit_start(200);
    busy_wait(5000);
    CHECK_EQ(sys(seL4_SysNBWait, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge, 0);
}

TEST_SUITE(irq, { "I/O APIC checks", io_apic_checks }, { "MSI checks", msi_checks },
           { "notifications", notifications }, { "PIT", pit_interrupt },
           { "masked until acknowledged", masked_until_acknowledged });
