/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many ticks a guest loses to each kind of exit that its monitor answers. Under the emulator's
 * -icount a tick is an instruction, so the figures are path lengths: kernel, monitor and back.
 */
#include "tests/guest/guest.h"

#define ROUNDS          64
#define IO_APIC         0xfec00000u
#define COM1_SCRATCH    0x3ff
#define MSR_MISC_ENABLE 0x1a0

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

/* The least of several rounds: whatever else happens only adds. */
static uint64_t least(void (*operation)(void))
{
    uint64_t best = ~0ull;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t start = guest_tsc();

        operation();

        uint64_t ticks = guest_tsc() - start;

        if (ticks < best)
            best = ticks;
    }
    return best;
}

static void report(const char *name, void (*operation)(void))
{
    guest_print("bench: %s %lu\n", name, least(operation) - least(do_nothing));
}

void guest_main(void)
{
    report("exit.cpuid", do_cpuid);
    report("exit.rdmsr", do_rdmsr);
    report("exit.port", do_port_out);
    report("exit.mmio", do_mmio_read);
    guest_print("bench: done\n");
}
