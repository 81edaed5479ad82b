/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Untyped memory: a power of two of bytes, aligned to its size, handed out from its start. The
 * capability's free offset says up to where; what lies above is unused, and zero if it is RAM.
 *
 * Invariants
 *  I1  Objects made from an untyped lie below its free offset and do not overlap.
 *  I2  RAM at and above the free offset is zero.
 *  I3  An untyped without children may start again at 0, after its used part has been cleared.
 * At boot all untypeds count as used up: their first use clears them.
 * Locking: all cores' locks. Units: bytes.
 */
#ifndef KERNEL_OBJECT_UNTYPED_H
#define KERNEL_OBJECT_UNTYPED_H

#include "kernel/object/cap.h"

static inline u64 untyped_bytes(struct cap untyped)
{
    return BIT(untyped_size_bits(untyped));
}

static inline u64 untyped_free_offset(struct cap untyped)
{
    return untyped.data;
}

static inline struct cap untyped_cap(hpa_t base, unsigned size_bits, bool is_device,
                                     u64 free_offset)
{
    return cap_make(CAP_UNTYPED, base, size_bits | (is_device ? UNTYPED_DEVICE : 0), free_offset);
}

/* Bytes from offset to the end hold count objects of 2^size_bits bytes. */
static inline bool untyped_has_room(struct cap untyped, u64 offset, unsigned size_bits, u64 count)
{
    return (untyped_bytes(untyped) - offset) >> size_bits >= count;
}

static inline u64 untyped_align(u64 offset, unsigned size_bits)
{
    return (offset + MASK(size_bits)) & ~MASK(size_bits);
}

/*
 * Makes a childless untyped free again, clearing RAM from the top of the used part down, so that at
 * each preemption point the free offset is right. Preemptible.
 */
enum status untyped_reset(struct slot *slot) MUST_CHECK;

#endif
