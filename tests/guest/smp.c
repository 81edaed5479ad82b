/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guest/smp.h"

#include "lib/string.h"
#include "tests/guest/guest.h"

#define MSR_APIC_BASE    0x1b
#define APIC_BASE_X2APIC (3u << 10) /* enabled, in x2APIC mode */
#define SVR_ENABLE       0x1ff
#define ICR_INIT         0x4500
#define ICR_STARTUP      0x4600

#define CODE_SELECTOR  0x10 /* of Linux's boot protocol, and of smp.S */
#define GATE_INTERRUPT 0x8e00ull

struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct gate {
    uint64_t low, high;
};

extern const uint8_t smp_trampoline[], smp_trampoline_end[];
extern const uint32_t smp_trampoline_cr3;
void smp_on_first(void);
void smp_on_second(void);
void smp_main(void);

volatile uint32_t smp_interrupts[2];
static volatile uint32_t second_is_up;
static struct gate idt[256];

static void set_gate(unsigned vector, void (*handler)(void))
{
    uint64_t address = (uintptr_t)handler;

    idt[vector].low = (address & 0xffff) | CODE_SELECTOR << 16 | GATE_INTERRUPT << 32 |
                      (address >> 16 & 0xffff) << 48;
    idt[vector].high = address >> 32;
}

/* This processor's interrupt table and local APIC. */
static void take_interrupts(void)
{
    const struct descriptor_pointer pointer = { sizeof(idt) - 1, (uintptr_t)idt };

    __asm__ volatile("lidt %0" ::"m"(pointer));
    guest_wrmsr(MSR_APIC_BASE, guest_rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
    guest_wrmsr(SMP_MSR_SVR, SVR_ENABLE);
}

void smp_start(void)
{
    uint8_t *page = (uint8_t *)(uintptr_t)SMP_TRAMPOLINE;
    uint64_t cr3;

    set_gate(SMP_VECTOR_FIRST, smp_on_first);
    set_gate(SMP_VECTOR_SECOND, smp_on_second);
    take_interrupts();
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    memcpy(page, smp_trampoline, (size_t)(smp_trampoline_end - smp_trampoline));
    memcpy(page + ((const uint8_t *)&smp_trampoline_cr3 - smp_trampoline), &cr3, sizeof(uint32_t));
    smp_send(ICR_INIT, 1);
    smp_send(ICR_STARTUP | SMP_TRAMPOLINE >> 12, 1);
    while (!second_is_up)
        __asm__ volatile("pause");
}

/* From smp.S, on the second processor. */
void smp_main(void)
{
    take_interrupts();
    second_is_up = 1;
    smp_second();
}
