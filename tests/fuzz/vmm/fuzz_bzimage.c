/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a kernel image: refused, or laid entirely inside the guest's memory. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vmm/fake_host.h"
#include "user/vmm/bzimage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Makes the input a little more like an image, or nothing would get past the first check. */
static void dress_up(uint8_t *image, size_t size)
{
    if (size >= 0x264) {
        memcpy(image + 0x1fe, "\x55\xaa", 2);
        memcpy(image + 0x202, "HdrS", 4);
        image[0x207] |= 2;
        image[0x211] |= 1;
        image[0x236] |= 1;
        image[0x1f1] %= 4;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct guest_ram ram;
    uint8_t *image = malloc(size == 0 ? 1 : size);
    const struct linux_images images = {
        .kernel = image,
        .kernel_bytes = size,
        .initrd = image,
        .initrd_bytes = size,
        .command_line = "x",
    };
    struct linux_entry entry;

    if (ram.base == NULL) {
        guest_ram_init(&ram, malloc(FAKE_RAM_BYTES), FAKE_RAM_BYTES);
    }
    memcpy(image, data, size);
    if (size > 0 && data[0] % 2 == 0) {
        dress_up(image, size);
    }
    if (linux_boot_load(&ram, &images, false, &entry) == NULL &&
        guest_ram_at(&ram, gpa(entry.rip), 1) == NULL) {
        abort();
    }
    free(image);
    return 0;
}
