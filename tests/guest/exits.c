/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many ticks a guest loses to each kind of exit that its monitor answers. In QEMU under
 * -icount, and in Bochs, a tick is an instruction, so the figures are path lengths: kernel, monitor
 * and back. Before and after each operation stands a mark, for an emulator that lists what it
 * executes.
 */
#include "tests/guest/guest.h"
#include "tests/guest/interrupt.h"
#include "tests/guest/kick.h"

#define ROUNDS          64
#define IO_APIC         0xfec00000u
#define LOCAL_APIC      0xfee00000u
#define APIC_TPR        0x80
#define APIC_EOI        0xb0
#define COM1_SCRATCH    0x3ff
#define MSR_MISC_ENABLE 0x1a0
#define MSR_APIC_BASE   0x1b
#define APIC_X2APIC     (1u << 10)
#define PM1_CONTROL     0x604
#define VECTOR          0x51
/* S5 has its own number in our monitor and in QEMU. */
#define PM1_SLEEP_S5      (5u << 10 | 1u << 13)
#define PM1_SLEEP_S5_QEMU (1u << 13)

/* The MSRs of SYSCALL as Debian's kernel has them: which values they are matters on VT-x. */
#define MSR_STAR    0xc0000081
#define MSR_LSTAR   0xc0000082
#define MSR_SFMASK  0xc0000084
#define LINUX_STAR  (0x00230010ull << 32)
#define LINUX_LSTAR 0xffffffff81e00080ull
#define LINUX_FLAGS 0x257fd5ull

/* A deadline that passed long ago: the timer is due at once. */
#define MSR_TSC_DEADLINE   0x6e0
#define LVT_TIMER_DEADLINE (2u << 17)
#define LONG_AGO           1
/* One that the guest is asleep by. */
#define SOON 50000

/* Memory that nothing has touched so far. */
#define UNTOUCHED  0x2000000ul
#define PAGE_BYTES 4096ul

void exits_on_interrupt(void);
volatile uint32_t exits_interrupts;

/* Bochs' debugger stops at this, if it has been told to; otherwise it is nothing. */
static void mark(void)
{
    __asm__ volatile("xchg %bx, %bx");
}

static void do_nothing(void)
{
    __asm__ volatile("");
}

static void do_cpuid(void)
{
    uint32_t a = 0, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void do_rdmsr(void)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_MISC_ENABLE));
}

static void do_port_out(void)
{
    guest_out8(COM1_SCRATCH, 0x55);
}

static void do_mmio_read(void)
{
    (void)*(volatile uint32_t *)(uintptr_t)IO_APIC;
}

static void do_apic_read(void)
{
    (void)*(volatile uint32_t *)(uintptr_t)(LOCAL_APIC + APIC_TPR);
}

static void do_apic_write(void)
{
    *(volatile uint32_t *)(uintptr_t)(LOCAL_APIC + APIC_EOI) = 0;
}

static void do_kick(void)
{
    *kick_register = KICK_QUEUE;
}

/* Another page in each round. */
static void do_touch(void)
{
    static uintptr_t page = UNTOUCHED;

    *(volatile uint8_t *)page = 1;
    page += PAGE_BYTES;
}

static void do_tpr(void)
{
    guest_wrmsr(MSR_X2APIC_TPR, 0);
}

static void do_eoi(void)
{
    guest_wrmsr(MSR_X2APIC_EOI, 0);
}

/* From here on interrupts are open, and a handler runs. */
static void do_self_ipi(void)
{
    uint32_t before = exits_interrupts;

    guest_wrmsr(MSR_X2APIC_SELF_IPI, VECTOR);
    while (exits_interrupts == before)
        ;
}

static void do_held_ipi(void)
{
    uint32_t before = exits_interrupts;

    __asm__ volatile("cli");
    guest_wrmsr(MSR_X2APIC_SELF_IPI, VECTOR);
    __asm__ volatile("sti");
    while (exits_interrupts == before)
        ;
}

static void do_timer(void)
{
    uint32_t before = exits_interrupts;

    guest_wrmsr(MSR_TSC_DEADLINE, LONG_AGO);
    while (exits_interrupts == before)
        ;
}

/* The least of several rounds: whatever else happens only adds. Inline, and so is the operation. */
static inline __attribute__((always_inline)) uint64_t least(void (*operation)(void))
{
    uint64_t best = ~0ull;

    for (unsigned i = 0; i < ROUNDS; i++) {
        mark();

        uint64_t start = guest_tsc();

        operation();

        uint64_t ticks = guest_tsc() - start;

        mark();
        if (ticks < best)
            best = ticks;
    }
    return best;
}

/* It sleeps until its timer is due; what counts is from then on until it has handled that. */
static uint64_t least_from_due_time(void)
{
    uint64_t best = ~0ull;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t due;

        __asm__ volatile("cli");
        due = guest_tsc() + SOON;
        guest_wrmsr(MSR_TSC_DEADLINE, due);
        mark();
        __asm__ volatile("sti; hlt" ::: "memory");

        uint64_t ticks = guest_tsc() - due;

        mark();
        if (ticks < best)
            best = ticks;
    }
    return best;
}

static inline __attribute__((always_inline)) void report(const char *name, void (*operation)(void))
{
    uint64_t ticks = least(operation);

    guest_print("bench: %s %lu\n", name, ticks - least(do_nothing));
}

static void report_wake_up(void)
{
    uint64_t ticks = least_from_due_time();

    guest_print("bench: exit.wake_up %lu\n", ticks - least(do_nothing));
}

/* The memory form of the local APIC's registers, which is there until x2APIC mode is on. */
static void report_xapic(void)
{
    report("exit.apic_read", do_apic_read);
    report("exit.apic_write", do_apic_write);
    guest_wrmsr(MSR_APIC_BASE, guest_rdmsr(MSR_APIC_BASE) | APIC_X2APIC);
}

static void report_interrupts(void)
{
    interrupt_set(VECTOR, exits_on_interrupt);
    interrupt_begin();
    guest_wrmsr(MSR_X2APIC_LVT_TIMER, LVT_TIMER_DEADLINE | VECTOR);
    report("exit.tpr", do_tpr);
    report("exit.eoi", do_eoi);
    __asm__ volatile("sti");
    report("exit.self_ipi", do_self_ipi);
    report("exit.held_ipi", do_held_ipi);
    report("exit.timer", do_timer);
    report_wake_up();
    __asm__ volatile("cli");
}

static void measure(void)
{
    guest_wrmsr(MSR_STAR, LINUX_STAR);
    guest_wrmsr(MSR_LSTAR, LINUX_LSTAR);
    guest_wrmsr(MSR_SFMASK, LINUX_FLAGS);
    report_xapic();
    report("exit.cpuid", do_cpuid);
    report("exit.rdmsr", do_rdmsr);
    report("exit.port", do_port_out);
    report("exit.mmio", do_mmio_read);
    if (kick_begin())
        report("exit.kick", do_kick);
    report("exit.touch", do_touch);
    report_interrupts();
    guest_print("bench: done\n");
    guest_out16(PM1_CONTROL, PM1_SLEEP_S5);
    guest_out16(PM1_CONTROL, PM1_SLEEP_S5_QEMU);
}

/* Above 4 GiB, as kernels are: a monitor knows then that it is 64-bit code. */
void guest_main(void)
{
    void (*high)(void) = (void (*)(void))(GUEST_HIGH_BASE + (uintptr_t)measure);

    high();
}
