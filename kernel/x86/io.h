/* SPDX-License-Identifier: BSD-2-Clause */
/* Port and memory-mapped I/O, one instruction each. */
#ifndef KERNEL_X86_IO_H
#define KERNEL_X86_IO_H

#include "kernel/core/types.h"

static inline u8 in8(u16 port)
{
    u8 value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline u16 in16(u16 port)
{
    u16 value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline u32 in32(u16 port)
{
    u32 value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void out8(u16 port, u8 value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out16(u16 port, u16 value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(u16 port, u32 value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline u32 mmio_read32(const volatile void *address)
{
    return *(const volatile u32 *)address;
}

static inline void mmio_write32(volatile void *address, u32 value)
{
    *(volatile u32 *)address = value;
}

#endif
