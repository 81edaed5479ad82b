/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the header of a Linux kernel image (bzImage). The image is untrusted bytes: everything that
 * is used later has been checked against the image's length here.
 *
 * Invariants after BZIMAGE_OK
 *   I1  payload_offset + payload_bytes <= image_bytes, payload_bytes > BZIMAGE_ENTRY_64
 *   I2  alignment is a power of two, at least 4096; init_bytes >= payload_bytes, less than 2^31
 * Sources  Linux Documentation/arch/x86/boot.rst, "The real-mode kernel header", "64-bit boot
 * protocol"
 */
#ifndef USER_VMM_BZIMAGE_H
#define USER_VMM_BZIMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define BZIMAGE_ENTRY_64     0x200u  /* of the 64-bit entry point, from the payload's start */
#define BZIMAGE_HEADER       0x1f1u  /* where the setup header starts, in image and zero page */
#define BZIMAGE_HEADER_MAX   0x290u  /* where it ends at the latest */
#define BZIMAGE_MIN_PROTOCOL 0x020cu /* the first with the 64-bit entry point announced */

enum bzimage_answer {
    BZIMAGE_OK,
    BZIMAGE_TRUNCATED,
    BZIMAGE_NOT_LINUX,
    BZIMAGE_TOO_OLD,
    BZIMAGE_NOT_64,
    BZIMAGE_BAD_SIZE,
    BZIMAGE_BAD_ALIGNMENT,
};

struct bzimage {
    uint32_t header_end; /* offset after the last byte of the setup header */
    uint16_t protocol;
    bool relocatable;
    uint64_t payload_offset, payload_bytes;
    uint64_t preferred_address;
    uint64_t init_bytes; /* memory that the kernel needs from its load address on */
    uint64_t alignment;
    uint64_t command_line_max; /* bytes without the NUL */
    uint64_t initrd_max;       /* highest address of the initial RAM disk's last byte */
};

enum bzimage_answer bzimage_parse(const uint8_t *image, uint64_t image_bytes,
                                  struct bzimage *parsed);
const char *bzimage_explain(enum bzimage_answer answer);

#endif
