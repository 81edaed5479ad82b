/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the kernel sees physical memory: one window that maps all of it, writable, never
 * executable. Objects are reached through it; the kernel's own image is linked elsewhere.
 * Host tests point the window at a buffer of their own.
 */
#ifndef KERNEL_CORE_MEMORY_H
#define KERNEL_CORE_MEMORY_H

#include "kernel/core/types.h"

#ifdef BULKHEAD_HOST
extern u64 host_physical_window;
#define PHYSICAL_WINDOW host_physical_window
#else
#define PHYSICAL_WINDOW 0xffffff8000000000ULL
#endif

/*
 * First address that no user mapping may reach (ABI section 9), and the end of physical addresses.
 */
#define USER_TOP  0x7fffffffffffULL
#define PADDR_TOP BIT(47)

static inline void *hpa_to_ptr(hpa_t address)
{
    return (void *)(uintptr_t)(PHYSICAL_WINDOW + address.raw);
}

static inline hpa_t ptr_to_hpa(const void *pointer)
{
    return hpa((u64)(uintptr_t)pointer - PHYSICAL_WINDOW);
}

#endif
