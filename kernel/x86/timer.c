/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/timer.h"

#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/core/time.h"
#include "kernel/x86/acpi.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/io.h"
#include "kernel/x86/kernel_tables.h"

#define MEASURE_US 20000
#define READINGS   16
/*
 * The shortest countdown. It begins anew at its end, and when the host has kept QEMU from running,
 * QEMU delivers all that has ended since, a microsecond each (docs/emulators.md, section 3).
 */
#define COUNTDOWN_MIN_US 20

u32 tsc_mhz = 1;

/* APIC timer ticks for each TSC tick, with 32 bits after the point. */
static u64 countdown_per_tick;
static u32 countdown_min;

/* --- clocks of known rate -------------------------------------------------------------------- */

/*
 * A counter that counts up at `hertz` and wraps at `mask`. Counts are taken as near as possible to
 * the TSC reading that belongs to them.
 */
struct reference_clock {
    const char *name;
    u64 hertz;
    u64 mask;
    u64 (*read)(void);
};

#define PM_TIMER_HERTZ 3579545
#define PM_TIMER_MASK  MASK(24) /* bits above are optional */

static u64 pm_timer_read(void)
{
    return in32(acpi.pm_timer_port);
}

#define HPET_CAPABILITIES  0x000
#define HPET_CONFIGURATION 0x010
#define HPET_COUNTER       0x0f0
#define HPET_ENABLE        1
#define FEMTOSECONDS       1000000000000000ull
#define HPET_MAX_PERIOD    100000000u /* 100 ns in femtoseconds */

static volatile u8 *hpet;

static u64 hpet_read(void)
{
    return mmio_read32(hpet + HPET_COUNTER);
}

static bool counts(const struct reference_clock *clock)
{
    u64 first = clock->read();

    for (unsigned i = 0; i < 100000; i++) {
        if (((clock->read() - first) & clock->mask) != 0)
            return true;
        cpu_pause();
    }
    return false;
}

static bool choose_hpet(struct reference_clock *clock)
{
    hpet = acpi.hpet ? kernel_window_device(acpi.hpet, 1024) : NULL;
    if (!hpet)
        return false;

    u32 period = mmio_read32(hpet + HPET_CAPABILITIES + 4);

    if (period == 0 || period > HPET_MAX_PERIOD)
        return false;
    mmio_write32(hpet + HPET_CONFIGURATION, mmio_read32(hpet + HPET_CONFIGURATION) | HPET_ENABLE);
    *clock = (struct reference_clock){ "HPET", FEMTOSECONDS / period, MASK(32), hpet_read };
    return counts(clock);
}

static bool choose_pm_timer(struct reference_clock *clock)
{
    *clock = (struct reference_clock){ "ACPI timer", PM_TIMER_HERTZ, PM_TIMER_MASK, pm_timer_read };
    return acpi.pm_timer_port && counts(clock);
}

/* --- measuring ------------------------------------------------------------------------------- */

struct rates {
    u64 tsc_hertz;
    u64 countdown_hertz;
};

/* All clocks at the same time. */
struct reading {
    u64 reference;
    u64 tsc;
    u32 left;
};

/*
 * The quickest of several: between one clock and the next a hypervisor, or firmware in SMM, may
 * have stopped us for longer than we measure, and then every timer would be wrong by that factor.
 */
static struct reading read_clocks(const struct reference_clock *clock)
{
    struct reading best = { 0 };
    u64 shortest = UINT64_MAX;

    for (unsigned i = 0; i < READINGS; i++) {
        struct reading reading;
        u64 begin = rdtsc();

        reading.reference = clock->read();
        reading.tsc = rdtsc();
        reading.left = apic_timer_remaining();

        u64 took = rdtsc() - begin;

        if (took < shortest) {
            shortest = took;
            best = reading;
        }
    }
    return best;
}

/* The timer counts down all the while, so that both are measured over the same interval. */
static struct rates measure(const struct reference_clock *clock)
{
    u64 target = clock->hertz * MEASURE_US / 1000000;
    struct reading first = read_clocks(clock);

    do {
        cpu_pause();
    } while (((clock->read() - first.reference) & clock->mask) < target);

    struct reading last = read_clocks(clock);
    u64 passed = (last.reference - first.reference) & clock->mask;

    kernel_assert(passed > 0); /* each of the clocks counts more than once in MEASURE_US */
    return (struct rates){ (last.tsc - first.tsc) * clock->hertz / passed,
                           (u64)(first.left - last.left) * clock->hertz / passed };
}

void timer_init(void)
{
    struct reference_clock clock;

    if (!choose_hpet(&clock) && !choose_pm_timer(&clock))
        panic("no clock to measure the processor's against: neither HPET nor ACPI timer counts");

    apic_timer_use(false);
    apic_timer_count(UINT32_MAX);

    struct rates rates = measure(&clock);

    apic_timer_count(0);
    apic_timer_use(cpu.tsc_deadline);
    tsc_mhz = (u32)((rates.tsc_hertz + 500000) / 1000000);
    if (tsc_mhz == 0 || rates.countdown_hertz == 0)
        panic("the processor's clocks stand still (TSC %lu Hz, APIC timer %lu Hz)", rates.tsc_hertz,
              rates.countdown_hertz);
    countdown_per_tick = (rates.countdown_hertz << 32) / rates.tsc_hertz;
    countdown_min = (u32)(rates.countdown_hertz * COUNTDOWN_MIN_US / 1000000) + 1;
    print("TSC %u MHz by %s; timer by %s (%lu MHz)\n", tsc_mhz, clock.name,
          cpu.tsc_deadline ? "TSC deadline" : "APIC countdown", rates.countdown_hertz / 1000000);
}

ticks_t time_now(void)
{
    return rdtsc();
}

static void countdown_set(ticks_t deadline)
{
    ticks_t now = rdtsc();
    u64 count = 0;

    if (deadline > now)
        count = (u64)(((unsigned __int128)(deadline - now) * countdown_per_tick) >> 32) + 1;
    if (count < countdown_min)
        count = countdown_min;
    /* Longer than the counter: it interrupts early and is set again. */
    if (count > UINT32_MAX)
        count = UINT32_MAX;
    apic_timer_count((u32)count);
}

void timer_set(ticks_t deadline)
{
    /* A deadline of 0 would turn the timer off; one in the past interrupts at once. */
    if (cpu.tsc_deadline)
        wrmsr(MSR_TSC_DEADLINE, deadline ? deadline : 1);
    else
        countdown_set(deadline);
}
