/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guest/interrupt.h"

#include "tests/guest/guest.h"

#define MSR_APIC_BASE    0x1b
#define APIC_BASE_X2APIC (3u << 10) /* enabled, in x2APIC mode */
#define SVR_ENABLE       0x1ff

#define CODE_SELECTOR  0x10 /* of Linux's boot protocol, and of smp.S */
#define GATE_INTERRUPT 0x8e00ull

struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct gate {
    uint64_t low, high;
};

static struct gate idt[256];

void interrupt_set(unsigned vector, void (*handler)(void))
{
    uint64_t address = (uintptr_t)handler;

    idt[vector].low = (address & 0xffff) | CODE_SELECTOR << 16 | GATE_INTERRUPT << 32 |
                      (address >> 16 & 0xffff) << 48;
    idt[vector].high = address >> 32;
}

void interrupt_begin(void)
{
    const struct descriptor_pointer pointer = { sizeof(idt) - 1, (uintptr_t)idt };

    __asm__ volatile("lidt %0" ::"m"(pointer));
    guest_wrmsr(MSR_APIC_BASE, guest_rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
    guest_wrmsr(MSR_X2APIC_SVR, SVR_ENABLE);
}
