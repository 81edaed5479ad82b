/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Powers of two, rounding, bit fields and bit maps.
 * Units: alignments and sizes are powers of two where a name says so; positions count from bit 0.
 */
#ifndef LIB_BITS_H
#define LIB_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The width lowest bits set; width 0 .. 64. */
static inline uint64_t bits_mask(unsigned width)
{
    return width >= 64 ? ~0ULL : (1ULL << width) - 1;
}

/* Bits [shift, shift + width) of value. */
static inline uint64_t bits_get(uint64_t value, unsigned shift, unsigned width)
{
    return (value >> shift) & bits_mask(width);
}

static inline uint64_t bits_set(uint64_t value, unsigned shift, unsigned width, uint64_t field)
{
    uint64_t mask = bits_mask(width) << shift;

    return (value & ~mask) | ((field << shift) & mask);
}

static inline bool is_power_of_two(uint64_t value)
{
    return value && !(value & (value - 1));
}

/* Position of the highest or lowest set bit; value is not 0. */
static inline unsigned bits_highest(uint64_t value)
{
    return 63u - (unsigned)__builtin_clzll(value);
}

static inline unsigned bits_lowest(uint64_t value)
{
    return (unsigned)__builtin_ctzll(value);
}

/* The smallest n with 2^n >= value; value is at most 2^63. */
static inline unsigned bits_to_hold(uint64_t value)
{
    return value <= 1 ? 0 : bits_highest(value - 1) + 1;
}

/* To a multiple of 2^bits. Rounding up wraps to 0 above the last multiple. */
static inline uint64_t round_down_bits(uint64_t value, unsigned bits)
{
    return value & ~bits_mask(bits);
}

static inline uint64_t round_up_bits(uint64_t value, unsigned bits)
{
    return (value + bits_mask(bits)) & ~bits_mask(bits);
}

static inline bool is_aligned_bits(uint64_t value, unsigned bits)
{
    return !(value & bits_mask(bits));
}

/* Is [start, start + size) inside [0, limit)? No sum overflows. */
static inline bool range_fits(uint64_t start, uint64_t size, uint64_t limit)
{
    return size <= limit && start <= limit - size;
}

/* The size, as a power of two, of the largest naturally aligned block at start that ends by end. */
static inline unsigned block_bits(uint64_t start, uint64_t end)
{
    unsigned fits = bits_highest(end - start);
    unsigned aligned = start ? bits_lowest(start) : 63;

    return fits < aligned ? fits : aligned;
}

/* --- bit maps: arrays of 64-bit words -------------------------------------------------------- */

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline bool bitmap_get(const uint64_t *map, size_t bit)
{
    return (map[bit / 64] >> (bit % 64)) & 1;
}

static inline void bitmap_set(uint64_t *map, size_t bit)
{
    map[bit / 64] |= 1ULL << (bit % 64);
}

static inline void bitmap_clear(uint64_t *map, size_t bit)
{
    map[bit / 64] &= ~(1ULL << (bit % 64));
}

/* The first set bit, or nr_bits. Bits beyond nr_bits in the last word do not count. */
static inline size_t bitmap_first(const uint64_t *map, size_t nr_bits)
{
    for (size_t word = 0; word < BITMAP_WORDS(nr_bits); word++) {
        if (map[word]) {
            size_t bit = word * 64 + bits_lowest(map[word]);

            return bit < nr_bits ? bit : nr_bits;
        }
    }
    return nr_bits;
}

#endif
