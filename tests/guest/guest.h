/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small guest: a program that a boot loader takes for a 64-bit Linux kernel. It runs in 64-bit
 * mode on its own identity mapping of the first 4 GiB, which are at GUEST_HIGH_BASE as well, on one
 * CPU (smp.h has a second one), interrupts off, and speaks on COM1.
 */
#ifndef TESTS_GUEST_GUEST_H
#define TESTS_GUEST_GUEST_H

#include <stdint.h>

/* Above 4 GiB, but not where Bulkhead's kernel is: tests/bench tells them apart by that. */
#define GUEST_HIGH_BASE (1ul << 40)

/* The guest's own part. Returning ends it in a halt. */
void guest_main(void);

void guest_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void guest_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline void guest_out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

static inline void guest_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}

static inline uint8_t guest_in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t guest_in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint64_t guest_rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void guest_wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t guest_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

#endif
