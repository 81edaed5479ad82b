/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/sataserver/window.h"

#include <stddef.h>

static bool ends_by(uint64_t start, uint64_t bytes)
{
    uint64_t end;

    return !__builtin_add_overflow(start, bytes, &end);
}

bool windows_add(struct window *rows, uint32_t *count, uint32_t room, struct window window)
{
    if (*count != 0) {
        struct window *last = &rows[*count - 1];

        if (last->client + last->bytes == window.client && last->bus + last->bytes == window.bus) {
            last->bytes += window.bytes;
            return true;
        }
    }
    if (*count == room) {
        return false;
    }
    rows[(*count)++] = window;
    return true;
}

bool windows_valid(const struct windows *windows)
{
    uint64_t free_from = 0;

    for (uint32_t i = 0; i < windows->count; i++) {
        const struct window *row = &windows->rows[i];

        if (row->bytes == 0 || ((row->client | row->bus | row->bytes) & 1) != 0 ||
            row->client < free_from || !ends_by(row->client, row->bytes) ||
            !ends_by(row->bus, row->bytes)) {
            return false;
        }
        free_from = row->client + row->bytes;
    }
    return true;
}

/* The window that has this address, or null. */
static const struct window *find(const struct windows *windows, uint64_t address)
{
    uint32_t low = 0, high = windows->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct window *row = &windows->rows[middle];

        if (address < row->client) {
            high = middle;
        } else if (address - row->client >= row->bytes) {
            low = middle + 1;
        } else {
            return row;
        }
    }
    return NULL;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Longer, if the last segment ends at this address and is not full. Returns how many bytes. */
static uint64_t join(struct segment_list *list, uint64_t bus, uint64_t bytes)
{
    struct dma_segment *last = list->count == 0 ? NULL : &list->segments[list->count - 1];
    uint64_t taken;

    if (last == NULL || last->address + last->bytes != bus) {
        return 0;
    }
    taken = least(bytes, PRD_MAX_LENGTH - last->bytes);
    last->bytes += taken;
    return taken;
}

/* One piece at this bus address. Returns how many bytes of it; 0: no room. */
static uint64_t put(struct segment_list *list, uint64_t bus, uint64_t bytes)
{
    uint64_t taken = join(list, bus, bytes);

    if (taken == 0 && list->count < TRANSFER_MAX_SEGMENTS) {
        taken = least(bytes, PRD_MAX_LENGTH);
        list->segments[list->count++] = (struct dma_segment){ bus, taken };
    }
    list->bytes += taken;
    return taken;
}

static bool append(const struct windows *windows, uint64_t address, uint64_t bytes,
                   struct segment_list *list)
{
    while (bytes != 0) {
        const struct window *row = find(windows, address);
        uint64_t inside, taken;

        if (row == NULL) {
            return false;
        }
        inside = address - row->client;
        taken = put(list, row->bus + inside, least(bytes, row->bytes - inside));
        if (taken == 0) {
            return false;
        }
        address += taken;
        bytes -= taken;
    }
    return true;
}

bool window_append(const struct windows *windows, uint64_t address, uint64_t bytes,
                   struct segment_list *list)
{
    uint32_t count = list->count;
    uint64_t total = list->bytes, last = count == 0 ? 0 : list->segments[count - 1].bytes;

    if (bytes == 0 || ((address | bytes) & 1) != 0 || !ends_by(address, bytes)) {
        return false;
    }
    if (append(windows, address, bytes, list)) {
        return true;
    }
    list->count = count;
    list->bytes = total;
    if (count != 0) {
        list->segments[count - 1].bytes = last;
    }
    return false;
}
