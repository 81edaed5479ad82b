/* SPDX-License-Identifier: BSD-2-Clause */
/* Macros that programs for seL4 use. */
#ifndef SEL4_MACROS_H
#define SEL4_MACROS_H

#define LIBSEL4_BIT(n)                       (1ul << (n))
#define LIBSEL4_INLINE                       static inline
#define LIBSEL4_INLINE_FUNC                  static inline
#define LIBSEL4_NOINLINE                     __attribute__((noinline))
#define LIBSEL4_UNUSED                       __attribute__((unused))
#define SEL4_COMPILE_ASSERT(name, condition) _Static_assert(condition, #name);
#define SEL4_OFFSETOF(type, member)          __builtin_offsetof(type, member)

#endif
