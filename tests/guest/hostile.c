/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One guest that ends itself in the way the build chose (HOSTILE_CASE): each must cost only its own
 * VM, and the monitor reports it with the guest's registers.
 */
#include "tests/guest/guest.h"

#define TRIPLE_FAULT 1
#define GARBAGE      2
#define UNMAPPED     3

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
#else
#error "HOSTILE_CASE names no case"
#endif
    guest_print("guest: still alive\n");
}
