/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guest/smp.h"

#include "lib/string.h"
#include "tests/guest/interrupt.h"

#define ICR_INIT    0x4500
#define ICR_STARTUP 0x4600

extern const uint8_t smp_trampoline[], smp_trampoline_end[];
extern const uint32_t smp_trampoline_cr3;
void smp_on_first(void);
void smp_on_second(void);
void smp_main(void);

volatile uint32_t smp_interrupts[2];
static volatile uint32_t second_is_up;

void smp_start(void)
{
    uint8_t *page = (uint8_t *)(uintptr_t)SMP_TRAMPOLINE;
    uint64_t cr3;

    interrupt_set(SMP_VECTOR_FIRST, smp_on_first);
    interrupt_set(SMP_VECTOR_SECOND, smp_on_second);
    interrupt_begin();
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
    interrupt_begin();
    second_is_up = 1;
    smp_second();
}
