/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/guest_ram.h"

#include "lib/string.h"
#include "user/vmm/config.h"

_Static_assert(GUEST_RAM_HIGH_BASE == VMM_RAM_HIGH_BASE, "one place for high RAM");

void guest_ram_init(struct guest_ram *ram, void *base, uint64_t ram_bytes)
{
    ram->base = base;
    ram->low_bytes = ram_bytes < VMM_RAM_LOW_MAX ? ram_bytes : VMM_RAM_LOW_MAX;
    ram->high_bytes = ram_bytes - ram->low_bytes;
}

bool guest_ram_read(const struct guest_ram *ram, gpa_t from, void *to, uint64_t length)
{
    const void *source = guest_ram_at(ram, from, length);

    if (source == NULL) {
        return false;
    }
    memcpy(to, source, length);
    return true;
}

bool guest_ram_write(const struct guest_ram *ram, gpa_t to, const void *from, uint64_t length)
{
    void *destination = guest_ram_at(ram, to, length);

    if (destination == NULL) {
        return false;
    }
    memcpy(destination, from, length);
    return true;
}

bool guest_ram_fill(const struct guest_ram *ram, gpa_t to, uint8_t value, uint64_t length)
{
    void *destination = guest_ram_at(ram, to, length);

    if (destination == NULL) {
        return false;
    }
    memset(destination, value, length);
    return true;
}

void guest_ram_clear(const struct guest_ram *ram)
{
    memset(ram->base, 0, ram->low_bytes);
    if (ram->high_bytes != 0) {
        memset(ram->base + GUEST_RAM_HIGH_BASE, 0, ram->high_bytes);
    }
}
