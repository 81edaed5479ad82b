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
    seL4_Word end = us_now() + PATIENCE_US;

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

/* --- a device that sends messages: QEMU's "edu" ---------------------------------------------- */

#define PCI_ADDRESS            0xcf8
#define PCI_DATA               0xcfc
#define PCI_NR_DEVICES         32
#define PCI_COMMAND            0x04
#define PCI_COMMAND_MEMORY     2
#define PCI_COMMAND_BUS_MASTER 4
#define PCI_BAR0               0x10
#define PCI_CAPABILITIES       0x34
#define PCI_CAPABILITY_MSI     5
#define MSI_ENABLE             (1u << 16) /* of the capability's first word, and so is: */
#define MSI_64_BIT             (1u << 23)

#define EDU_ID          0x11e81234
#define EDU_RAISE       0x60
#define EDU_ACKNOWLEDGE 0x64

#define MSI_ADDRESS  0xfee00000u
#define MSI_VECTOR   21   /* and the next one */
#define FIRST_VECTOR 0x30 /* the processor's, of vector 0 of the API */
#define DEVICE_VADDR (TEST_VADDR + (5ul << 30))

static seL4_CPtr pci_port;

static void pci_select(unsigned device, unsigned offset)
{
    seL4_X86_IOPort_Out32(pci_port, PCI_ADDRESS, 0x80000000u | device << 11 | offset);
}

static uint32_t pci_read(unsigned device, unsigned offset)
{
    pci_select(device, offset);
    return (uint32_t)seL4_X86_IOPort_In32(pci_port, PCI_DATA).result;
}

static void pci_write(unsigned device, unsigned offset, uint32_t value)
{
    pci_select(device, offset);
    seL4_X86_IOPort_Out32(pci_port, PCI_DATA, value);
}

/* Its number on bus 0. */
static unsigned edu_find(void)
{
    pci_port = slot_new();
    REQUIRE_OK(seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, PCI_ADDRESS, PCI_DATA + 3, ROOT,
                                            pci_port, DEPTH));
    for (unsigned device = 0; device < PCI_NR_DEVICES; device++)
        if (pci_read(device, 0) == EDU_ID)
            return device;
    group_skip("the machine has no such device");
}

static unsigned msi_find(unsigned device)
{
    unsigned offset = pci_read(device, PCI_CAPABILITIES) & 0xfc;

    while (offset && (pci_read(device, offset) & 0xff) != PCI_CAPABILITY_MSI)
        offset = pci_read(device, offset) >> 8 & 0xfc;
    REQUIRE(offset);
    REQUIRE(pci_read(device, offset) & MSI_64_BIT);
    return offset;
}

/* The device untyped that covers this address, cut in halves until a page is left. */
static seL4_CPtr device_page(seL4_Word address)
{
    for (seL4_Word i = 0; i < boot->untyped.end - boot->untyped.start; i++) {
        const seL4_UntypedDesc *d = &boot->untypedList[i];
        seL4_CPtr untyped = boot->untyped.start + i;

        if (!d->isDevice || address - d->paddr >= 1ul << d->sizeBits)
            continue;
        for (seL4_Word bits = d->sizeBits; bits-- > seL4_PageBits;) {
            seL4_CPtr halves = slots_new(2);

            REQUIRE_OK(retype(untyped, seL4_UntypedObject, bits, halves, 2));
            untyped = halves + (address >> bits & 1);
        }
        seL4_CPtr page = slot_new();

        REQUIRE_OK(retype(untyped, seL4_X86_4K, 0, page, 1));
        return page;
    }
    group_abort();
}

static volatile uint32_t *edu_map(unsigned device)
{
    seL4_Word address = pci_read(device, PCI_BAR0) & ~0xful;

    REQUIRE(address);
    REQUIRE_OK(frame_map(device_page(address), seL4_CapInitThreadVSpace, DEVICE_VADDR,
                         seL4_ReadWrite, seL4_X86_Uncacheable));
    pci_write(device, PCI_COMMAND,
              pci_read(device, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
    return (volatile uint32_t *)DEVICE_VADDR;
}

/* To the processor that the test runs on: the first. */
static void msi_program(unsigned device, unsigned msi, unsigned vector)
{
    uint32_t apic_id = cpuid(1, 0).ebx >> 24;

    pci_write(device, msi + 4, MSI_ADDRESS | apic_id << 12);
    pci_write(device, msi + 8, 0);
    pci_write(device, msi + 12, FIRST_VECTOR + vector);
    pci_write(device, msi, pci_read(device, msi) | MSI_ENABLE);
}

static void edu_raise(volatile uint32_t *edu)
{
    edu[EDU_RAISE / 4] = 1;
    edu[EDU_ACKNOWLEDGE / 4] = 1;
}

static seL4_Word poll(seL4_CPtr notification)
{
    return sys(seL4_SysNBWait, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge;
}

/* Two handlers for messages of the same device: each signals for its own vector. */
static void msi_delivery(void)
{
    unsigned device = edu_find(), msi = msi_find(device);
    volatile uint32_t *edu = edu_map(device);
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0);
    seL4_CPtr handlers = slots_new(2);

    for (unsigned i = 0; i < 2; i++) {
        REQUIRE_OK(seL4_IRQControl_GetMSI(CONTROL, ROOT, handlers + i, DEPTH, 0, device, 0, i,
                                          MSI_VECTOR + i));
        REQUIRE_OK(seL4_IRQHandler_SetNotification(
            handlers + i, cap_mint(notification, seL4_AllRights, 1ul << i)));
    }
    for (unsigned round = 0; round < 6; round++) {
        unsigned i = round & 1;

        msi_program(device, msi, MSI_VECTOR + i);
        edu_raise(edu);
        CHECK(wait_for(notification, 1ul << i));
        CHECK_EQ(poll(notification), 0); /* once */
        CHECK_OK(seL4_IRQHandler_Ack(handlers + i));
    }
    /* Nothing masks a message: two of them without an acknowledgement between are two signals. */
    edu_raise(edu);
    CHECK(wait_for(notification, 2));
    edu_raise(edu);
    CHECK(wait_for(notification, 2));
    CHECK_OK(seL4_IRQHandler_Ack(handlers + 1));
    /* A thread that waits is woken. */
    struct call wait = { .number = seL4_SysWait, .rdi = notification };

    struct thread *waiter = call_start(0, &wait);

    CHECK(!wait.returned);
    edu_raise(edu);
    CHECK(thread_wait(waiter, PATIENCE_US));
    CHECK_EQ(wait.answer.badge, 2);
    /* Without its handler a message goes nowhere; the other vector's is as before. */
    CHECK_OK(cap_delete(handlers + 1));
    edu_raise(edu);
    busy_wait(5000);
    CHECK_EQ(poll(notification), 0);
    msi_program(device, msi, MSI_VECTOR);
    edu_raise(edu);
    CHECK(wait_for(notification, 1));
    pci_write(device, msi, pci_read(device, msi) & ~MSI_ENABLE);
}

TEST_SUITE(irq, { "I/O APIC checks", io_apic_checks }, { "MSI checks", msi_checks },
           { "notifications", notifications }, { "PIT", pit_interrupt },
           { "masked until acknowledged", masked_until_acknowledged },
           { "MSI delivery", msi_delivery });
