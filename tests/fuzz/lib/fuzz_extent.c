/* SPDX-License-Identifier: BSD-2-Clause */
/* Any numbers as extent, disk and request: no translated sector leaves the extent or the disk. */
#include <stdlib.h>
#include <string.h>

#include "lib/extent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t numbers[5] = { 0 };
    struct extent extent;
    sector_t disk = 0;
    unsigned __int128 end;

    memcpy(numbers, data, size < sizeof numbers ? size : sizeof numbers);
    extent = (struct extent){ numbers[0], numbers[1] };
    if (!extent_valid(extent, numbers[2]) ||
        !extent_translate(extent, numbers[3], numbers[4], &disk)) {
        return 0;
    }
    end = (unsigned __int128)disk + numbers[4];
    if (disk < extent.first || disk - extent.first != numbers[3] || end > numbers[2] ||
        end > (unsigned __int128)extent.first + extent.count) {
        abort();
    }
    return 0;
}
