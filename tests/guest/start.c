/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>

#include "lib/format.h"
#include "tests/guest/guest.h"

#define COM1          0x3f8
#define LSR           5
#define LSR_THR_EMPTY 0x20

#define PAGE_PRESENT_WRITABLE 3ull
#define PAGE_LARGE            0x80ull

static uint64_t pml4[512] __attribute__((aligned(4096)));
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t page_directories[4][512] __attribute__((aligned(4096)));

extern const uint64_t __stack_chk_guard;
const uint64_t __stack_chk_guard = 0x5bd1e995c9f37a00;

_Noreturn void __stack_chk_fail(void);
void guest_start(void);

/* The loader's page tables need to map only the kernel: make our own. */
static void map_first_4g(void)
{
    pml4[0] = pml4[GUEST_HIGH_BASE >> 39] = (uint64_t)(uintptr_t)pdpt | PAGE_PRESENT_WRITABLE;
    for (uint64_t gib = 0; gib < 4; gib++) {
        pdpt[gib] = (uint64_t)(uintptr_t)page_directories[gib] | PAGE_PRESENT_WRITABLE;
        for (uint64_t i = 0; i < 512; i++)
            page_directories[gib][i] = (gib << 30) | (i << 21) | PAGE_PRESENT_WRITABLE | PAGE_LARGE;
    }
    __asm__ volatile("mov %0, %%cr3" ::"r"((uint64_t)(uintptr_t)pml4) : "memory");
}

static void put_char(void *unused, char c)
{
    (void)unused;
    if (c == '\n')
        put_char(NULL, '\r');
    while (!(guest_in8(COM1 + LSR) & LSR_THR_EMPTY))
        __asm__ volatile("pause");
    guest_out8(COM1, (uint8_t)c);
}

void guest_print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_to(put_char, NULL, format, arguments);
    va_end(arguments);
}

_Noreturn void __stack_chk_fail(void)
{
    guest_print("guest: stack overrun\n");
    for (;;)
        __asm__ volatile("hlt");
}

void guest_start(void)
{
    map_first_4g();
    guest_main();
}
