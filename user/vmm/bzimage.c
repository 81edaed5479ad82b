/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/bzimage.h"

/* Offsets in the image of the fields that are read. */
enum {
    OFF_SETUP_SECTS = 0x1f1,
    OFF_SYSSIZE = 0x1f4,
    OFF_BOOT_FLAG = 0x1fe,
    OFF_JUMP = 0x200,
    OFF_MAGIC = 0x202,
    OFF_VERSION = 0x206,
    OFF_LOADFLAGS = 0x211,
    OFF_INITRD_MAX = 0x22c,
    OFF_ALIGNMENT = 0x230,
    OFF_RELOCATABLE = 0x234,
    OFF_XLOADFLAGS = 0x236,
    OFF_CMDLINE_SIZE = 0x238,
    OFF_PREF_ADDRESS = 0x258,
    OFF_INIT_SIZE = 0x260,
    HEADER_NEEDED = 0x264,
};

#define BOOT_FLAG   0xaa55u
#define MAGIC       0x53726448u /* "HdrS" */
#define LOADED_HIGH 0x01u
#define KERNEL_64   0x01u
#define SECTOR      512u
#define PARAGRAPH   16u

static uint64_t number(const uint8_t *image, unsigned offset, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)image[offset + i] << (8 * i);
    }
    return value;
}

static bool is_power_of_two(uint64_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static enum bzimage_answer parse_sizes(const uint8_t *image, uint64_t image_bytes,
                                       struct bzimage *parsed)
{
    uint64_t setup_sectors = image[OFF_SETUP_SECTS] == 0 ? 4 : image[OFF_SETUP_SECTS];
    uint64_t announced = number(image, OFF_SYSSIZE, 4) * PARAGRAPH;

    parsed->payload_offset = (setup_sectors + 1) * SECTOR;
    if (parsed->payload_offset >= image_bytes) {
        return BZIMAGE_TRUNCATED;
    }
    parsed->payload_bytes = image_bytes - parsed->payload_offset;
    /* The announced size is rounded up to paragraphs; what follows it (a signature) is not loaded.
     */
    if (announced > parsed->payload_bytes + PARAGRAPH - 1) {
        return BZIMAGE_TRUNCATED;
    }
    if (announced < parsed->payload_bytes) {
        parsed->payload_bytes = announced;
    }
    if (parsed->payload_bytes <= BZIMAGE_ENTRY_64 || parsed->init_bytes < parsed->payload_bytes ||
        parsed->init_bytes >= 1ull << 31) {
        return BZIMAGE_BAD_SIZE;
    }
    return BZIMAGE_OK;
}

enum bzimage_answer bzimage_parse(const uint8_t *image, uint64_t image_bytes,
                                  struct bzimage *parsed)
{
    *parsed = (struct bzimage){ 0 };
    if (image_bytes < HEADER_NEEDED) {
        return BZIMAGE_TRUNCATED;
    }
    if (number(image, OFF_BOOT_FLAG, 2) != BOOT_FLAG || number(image, OFF_MAGIC, 4) != MAGIC) {
        return BZIMAGE_NOT_LINUX;
    }
    parsed->protocol = (uint16_t)number(image, OFF_VERSION, 2);
    if (parsed->protocol < BZIMAGE_MIN_PROTOCOL) {
        return BZIMAGE_TOO_OLD;
    }
    if ((image[OFF_XLOADFLAGS] & KERNEL_64) == 0 || (image[OFF_LOADFLAGS] & LOADED_HIGH) == 0) {
        return BZIMAGE_NOT_64;
    }
    /* The short jump at the header's start leaps over the rest of it. */
    parsed->header_end = OFF_MAGIC + image[OFF_JUMP + 1];
    if (parsed->header_end < HEADER_NEEDED) {
        return BZIMAGE_NOT_LINUX;
    }
    if (parsed->header_end > BZIMAGE_HEADER_MAX) {
        parsed->header_end = BZIMAGE_HEADER_MAX;
    }
    if (parsed->header_end > image_bytes) {
        return BZIMAGE_TRUNCATED;
    }
    parsed->relocatable = image[OFF_RELOCATABLE] != 0;
    parsed->preferred_address = number(image, OFF_PREF_ADDRESS, 8);
    parsed->init_bytes = number(image, OFF_INIT_SIZE, 4);
    parsed->alignment = number(image, OFF_ALIGNMENT, 4);
    parsed->command_line_max = number(image, OFF_CMDLINE_SIZE, 4);
    parsed->initrd_max = number(image, OFF_INITRD_MAX, 4);
    if (!is_power_of_two(parsed->alignment) || parsed->alignment < 4096 ||
        parsed->preferred_address % parsed->alignment != 0) {
        return BZIMAGE_BAD_ALIGNMENT;
    }
    return parse_sizes(image, image_bytes, parsed);
}

const char *bzimage_explain(enum bzimage_answer answer)
{
    static const char *const texts[] = {
        [BZIMAGE_OK] = "ok",
        [BZIMAGE_TRUNCATED] = "the kernel image is cut short",
        [BZIMAGE_NOT_LINUX] = "the kernel image is not a Linux bzImage",
        [BZIMAGE_TOO_OLD] = "the kernel's boot protocol is older than 2.12",
        [BZIMAGE_NOT_64] = "the kernel has no 64-bit entry point",
        [BZIMAGE_BAD_SIZE] = "the kernel image contradicts itself about its size",
        [BZIMAGE_BAD_ALIGNMENT] = "the kernel image asks for an impossible alignment",
    };

    return texts[answer];
}
