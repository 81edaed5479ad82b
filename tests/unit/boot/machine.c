/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/boot/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/core/panic.h"
#include "kernel/core/print.h"

#define BYTES BIT(32)

u64 host_physical_window;
jmp_buf machine_panic;
char machine_message[256];
static u64 seed = 1;

void machine_reset(void)
{
    void *old = (void *)(uintptr_t)host_physical_window;
    void *memory = mmap(old, BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (old ? MAP_FIXED : 0), -1, 0);

    assert_true(memory != MAP_FAILED);
    host_physical_window = (u64)(uintptr_t)memory;
}

void *machine_at(u64 address)
{
    return hpa_to_ptr(hpa(address));
}

void machine_put(u64 address, const void *bytes, size_t count)
{
    memcpy(machine_at(address), bytes, count);
}

u64 machine_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(machine_message, sizeof(machine_message), format, arguments);
    va_end(arguments);
    longjmp(machine_panic, 1);
}

void print(const char *format, ...)
{
    (void)format;
}
