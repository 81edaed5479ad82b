/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/apic.h"

#include "kernel/core/core.h"
#include "kernel/core/panic.h"
#include "kernel/core/remote.h"
#include "kernel/core/time.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/io.h"
#include "kernel/x86/kernel_tables.h"

enum apic_register {
    APIC_ID = 0x20,
    APIC_TASK_PRIORITY = 0x80,
    APIC_END_OF_INTERRUPT = 0xb0,
    APIC_SPURIOUS_VECTOR = 0xf0,
    APIC_REQUESTED = 0x200, /* eight registers of 32 vectors, 16 bytes apart */
    APIC_ERROR_STATUS = 0x280,
    APIC_COMMAND = 0x300, /* x2APIC: one register of 64 bits */
    APIC_COMMAND_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};

#define APIC_BASE_ENABLED BIT(11)
#define APIC_BASE_X2APIC  BIT(10)
#define SPURIOUS_ENABLED  BIT(8)
#define LVT_MASKED        BIT(16)
#define LVT_NMI           0x400
#define TIMER_DEADLINE    (2u << 17)
#define TIMER_PERIODIC    (1u << 17)
#define TIMER_DIVIDE_BY_1 0xb
#define APIC_PAGE_BYTES   4096

static volatile u8 *apic_page; /* NULL: x2APIC */

static inline u32 apic_read(enum apic_register at)
{
    return apic_page ? mmio_read32(apic_page + at) : (u32)rdmsr(MSR_X2APIC + at / 16);
}

static inline void apic_write(enum apic_register at, u32 value)
{
    if (apic_page)
        mmio_write32(apic_page + at, value);
    else
        wrmsr(MSR_X2APIC + at / 16, value);
}

/* --- the old interrupt controllers ----------------------------------------------------------- */

#define PIC1             0x20 /* command port; the next one is for data */
#define PIC2             0xa0
#define PIC_FIRST_VECTOR 32

/* Moved away from the exceptions before they are masked: a spurious one may still come. */
static void mask_8259(u16 pic, u8 first_vector, u8 cascade)
{
    out8(pic, 0x11); /* initialisation: three more words follow */
    out8(pic + 1, first_vector);
    out8(pic + 1, cascade);
    out8(pic + 1, 1);    /* 8086 mode */
    out8(pic + 1, 0xff); /* masks all */
}

/* --- set-up ---------------------------------------------------------------------------------- */

void apic_init(u64 address)
{
    mask_8259(PIC1, PIC_FIRST_VECTOR, 4);
    mask_8259(PIC2, PIC_FIRST_VECTOR + 8, 2);
    /*
     * Firmware that has turned x2APIC on expects it to stay on; otherwise it is simply the faster.
     */
    if (cpu.x2apic)
        return;
    apic_page = kernel_window_device(address, APIC_PAGE_BYTES);
    if (!apic_page)
        panic("local APIC registers at 0x%lx are not device memory", address);
}

void apic_init_core(void)
{
    u64 base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLED;

    wrmsr(MSR_APIC_BASE, base);
    if (!apic_page)
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);

    apic_write(APIC_SPURIOUS_VECTOR, SPURIOUS_ENABLED | VECTOR_SPURIOUS);
    apic_write(APIC_TASK_PRIORITY, 0);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    apic_write(APIC_ERROR_STATUS, 0);
    apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    apic_write(APIC_TIMER_INITIAL, 0);
    apic_timer_use(cpu.tsc_deadline);
    apic_end_of_interrupt();

    u32 id = apic_read(APIC_ID);

    this_core()->apic_id = apic_page ? id >> 24 : id;
}

void apic_end_of_interrupt(void)
{
    apic_write(APIC_END_OF_INTERRUPT, 0);
}

bool interrupt_is_pending(void)
{
    /* Vectors below 32 are never requested. */
    for (unsigned i = 1; i < 8; i++)
        if (apic_read(APIC_REQUESTED + 16 * i))
            return true;
    return false;
}

/* --- messages to other processors ------------------------------------------------------------ */

#define COMMAND_FIXED             0u
#define COMMAND_NMI               (4u << 8)
#define COMMAND_INIT              (5u << 8)
#define COMMAND_STARTUP           (6u << 8)
#define COMMAND_PENDING           BIT(12)
#define COMMAND_ASSERT            BIT(14)
#define COMMAND_TO_OTHERS         (3u << 18)
#define COMMAND_DESTINATION_SHIFT 24

static void send(u32 apic_id, u32 command)
{
    command |= (u32)COMMAND_ASSERT;
    if (!apic_page) {
        /* What was written before must be seen by the receiver: unlike a write to memory, this
         * WRMSR does not wait for it (SDM volume 3, "MSR Access in x2APIC Mode"). */
        __asm__ volatile("mfence; lfence" : : : "memory");
        wrmsr(MSR_X2APIC + APIC_COMMAND / 16, (u64)apic_id << 32 | command);
        return;
    }
    while (apic_read(APIC_COMMAND) & COMMAND_PENDING)
        cpu_pause();
    apic_write(APIC_COMMAND_HIGH, apic_id << COMMAND_DESTINATION_SHIFT);
    apic_write(APIC_COMMAND, command);
}

void core_interrupt(unsigned core)
{
    send(cores[core].apic_id, COMMAND_FIXED | VECTOR_CORE);
}

void apic_send_init(u32 apic_id)
{
    send(apic_id, COMMAND_INIT);
}

void apic_send_startup(u32 apic_id, u8 page)
{
    send(apic_id, COMMAND_STARTUP | page);
}

void apic_send_nmi_to_others(void)
{
    send(0, COMMAND_NMI | COMMAND_TO_OTHERS);
}

/* Any write of the priority has the APIC compare anew what it holds. */
void apic_look_again(void)
{
    apic_write(APIC_TASK_PRIORITY, 0);
}

/* --- timer ----------------------------------------------------------------------------------- */

void apic_timer_use(bool deadline)
{
    apic_write(APIC_LVT_TIMER, (deadline ? TIMER_DEADLINE : TIMER_PERIODIC) | VECTOR_TIMER);
    /*
     * The mode must be in effect before the first deadline is written (SDM, "TSC-Deadline Mode").
     */
    __asm__ volatile("mfence" : : : "memory");
}

void apic_timer_count(u32 ticks)
{
    apic_write(APIC_TIMER_INITIAL, ticks);
}

u32 apic_timer_remaining(void)
{
    return apic_read(APIC_TIMER_CURRENT);
}
