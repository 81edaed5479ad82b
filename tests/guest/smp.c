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
extern void *smp_stack;

#define STACK_BYTES 4096

volatile uint32_t smp_interrupts[2];

static uint8_t stacks[SMP_MAX_PROCESSORS][STACK_BYTES] __attribute__((aligned(16)));
/* Of the processor that is started; and which one has come up last. */
void *smp_stack;
static unsigned starting;
static volatile uint32_t last_up;

static void start_one(unsigned processor)
{
    starting = processor;
    smp_stack = stacks[processor] + STACK_BYTES;
    smp_send(ICR_INIT, processor);
    smp_send(ICR_STARTUP | SMP_TRAMPOLINE >> 12, processor);
    while (last_up != processor)
        __asm__ volatile("pause");
}

void smp_start(unsigned count)
{
    uint8_t *page = (uint8_t *)(uintptr_t)SMP_TRAMPOLINE;
    uint64_t cr3;

    interrupt_set(SMP_VECTOR_FIRST, smp_on_first);
    interrupt_set(SMP_VECTOR_SECOND, smp_on_second);
    interrupt_begin();
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    memcpy(page, smp_trampoline, (size_t)(smp_trampoline_end - smp_trampoline));
    memcpy(page + ((const uint8_t *)&smp_trampoline_cr3 - smp_trampoline), &cr3, sizeof(uint32_t));
    for (unsigned processor = 1; processor < count; processor++)
        start_one(processor);
}

/* From smp.S, on the processor that has been started. */
void smp_main(void)
{
    unsigned processor = starting;

    interrupt_begin();
    last_up = processor;
    smp_other(processor);
}
