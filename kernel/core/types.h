/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Basic types of the kernel.
 *
 * Address kinds have a type each, so that the compiler refuses a mix-up: hpa_t is a host-physical
 * address, gpa_t a guest-physical one. A user virtual address is a plain u64 named vaddr.
 */
#ifndef KERNEL_CORE_TYPES_H
#define KERNEL_CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

/* Time: TSC ticks since boot of the machine. Microseconds appear only in the API. */
typedef u64 ticks_t;

typedef struct {
    u64 raw;
} hpa_t;

typedef struct {
    u64 raw;
} gpa_t;

static inline hpa_t hpa(u64 raw)
{
    return (hpa_t){ raw };
}

static inline gpa_t gpa(u64 raw)
{
    return (gpa_t){ raw };
}

#define BIT(n)          (1ULL << (n))
#define MASK(n)         (BIT(n) - 1)
#define PAGE_BITS       12
#define PAGE_SIZE       BIT(PAGE_BITS)
#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN   __attribute__((noreturn))

/*
 * What a kernel operation says to its caller. It never travels in a global; what the API must
 * report beside it is in the request (kernel/api/request.h).
 */
enum status {
    STATUS_OK = 0,
    STATUS_ERROR,     /* the request's error says what is wrong; nothing was changed */
    STATUS_PREEMPTED, /* stopped at a preemption point, every invariant true; ask again to go on */
};

#endif
