/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One guest that ends itself in the way the build chose (HOSTILE_CASE): each must cost only its own
 * VM, and the monitor reports it with the guest's registers.
 */
#include "tests/guest/guest.h"

#define TRIPLE_FAULT 1
#define GARBAGE      2
#define UNMAPPED     3
#define STUCK        4

#if HOSTILE_CASE == STUCK

#define MSR_APIC_BASE    0x1b
#define APIC_X2APIC      0xc00u
#define MSR_APIC_SVR     0x80f
#define MSR_APIC_TIMER   0x832
#define MSR_APIC_INITIAL 0x838

/* The interrupt that it never takes. */
static void start_timer(void)
{
    guest_wrmsr(MSR_APIC_BASE, guest_rdmsr(MSR_APIC_BASE) | APIC_X2APIC);
    guest_wrmsr(MSR_APIC_SVR, 0x1ff);
    guest_wrmsr(MSR_APIC_TIMER, 0x20);
    guest_wrmsr(MSR_APIC_INITIAL, 1000);
}

#endif

void guest_main(void)
{
    guest_print("guest: about to go wrong\n");
#if HOSTILE_CASE == TRIPLE_FAULT
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } no_idt = { 0, 0 };

    __asm__ volatile("lidt %0; ud2" ::"m"(no_idt));
#elif HOSTILE_CASE == GARBAGE
    static const uint8_t bytes[] = { 0xf0, 0xf0, 0xc5, 0xf8, 0x77, 0x0f, 0x0b, 0xff, 0xff, 0xff };

    ((void (*)(void))(uintptr_t)bytes)();
#elif HOSTILE_CASE == UNMAPPED
    *(volatile uint64_t *)(uintptr_t)0xd0000000u = 0x1234;
    __asm__ volatile("lock addq $1, %0" : "+m"(*(volatile uint64_t *)(uintptr_t)0xd0000000u));
#elif HOSTILE_CASE == STUCK
    start_timer();
    for (;;) {
    }
#else
#error "HOSTILE_CASE names no case"
#endif
    guest_print("guest: still alive\n");
}
