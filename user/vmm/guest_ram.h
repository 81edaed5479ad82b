/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest physical memory as the monitor sees it. Every access that starts from an address a guest
 * has chosen goes through guest_ram_at(), which answers for the whole length or not at all.
 *
 * Objects     one struct guest_ram for each VM, filled once before the guest runs
 * Invariants  I1  low_bytes <= 3 GiB: [0, low_bytes) is mapped at base
 *             I2  [4 GiB, 4 GiB + high_bytes) is mapped at base + 4 GiB; between them nothing is
 *             I3  low_bytes + high_bytes does not overflow (VMM_RAM_MAX)
 * Sharing     the guest may write this memory at any time. Copy once, check the copy, use the copy.
 * Units       bytes; ranges are base and length; an empty range is inside wherever its base is
 * Errors      a null pointer or false; nothing has been copied then
 */
#ifndef USER_VMM_GUEST_RAM_H
#define USER_VMM_GUEST_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Guest physical and guest virtual addresses are different things: distinct types. */
typedef struct {
    uint64_t raw;
} gpa_t;

typedef struct {
    uint64_t raw;
} gva_t;

static inline gpa_t gpa(uint64_t raw)
{
    return (gpa_t){ raw };
}

static inline gva_t gva(uint64_t raw)
{
    return (gva_t){ raw };
}

struct guest_ram {
    uint8_t *base;       /* where guest physical address 0 is */
    uint64_t low_bytes;  /* from guest physical address 0 */
    uint64_t high_bytes; /* from guest physical address 4 GiB */
};

#define GUEST_RAM_HIGH_BASE 0x100000000ull

/* Splits ram_bytes around the hole below 4 GiB. */
void guest_ram_init(struct guest_ram *ram, void *base, uint64_t ram_bytes);

/* The first of length bytes at address, or null unless all of them are RAM in one piece. */
static inline void *guest_ram_at(const struct guest_ram *ram, gpa_t address, uint64_t length)
{
    uint64_t offset = address.raw;
    uint64_t bytes = ram->low_bytes;

    if (offset >= GUEST_RAM_HIGH_BASE) {
        offset -= GUEST_RAM_HIGH_BASE;
        bytes = ram->high_bytes;
    }
    if (offset > bytes || length > bytes - offset) {
        return NULL;
    }
    return ram->base + address.raw;
}

bool guest_ram_read(const struct guest_ram *ram, gpa_t from, void *to, uint64_t length);
bool guest_ram_write(const struct guest_ram *ram, gpa_t to, const void *from, uint64_t length);
bool guest_ram_fill(const struct guest_ram *ram, gpa_t to, uint8_t value, uint64_t length);
/* Everything to zero, as after power-on. */
void guest_ram_clear(const struct guest_ram *ram);

#endif
