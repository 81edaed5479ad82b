/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The image that machines boot from, by BIOS or UEFI, as a CD or copied onto a USB stick: GRUB,
 * with all that it needs in its two core images, and kernel and boot image as files.
 *
 * Reproducible: the same kernel, boot image and GRUB give the same bytes. So nothing in it is taken
 * from the clock or from files' dates, which is why grub-mkrescue does not make it.
 *
 * Calls grub-mkimage (of the platforms i386-pc and x86_64-efi), mformat, mmd, mcopy and xorriso.
 */
#ifndef TOOLS_BULKHEAD_ISO_H
#define TOOLS_BULKHEAD_ISO_H

#include <stdbool.h>

#include "tools/bulkhead/arena.h"

struct iso {
    struct arena *arena;
    const char *folder; /* gets image.iso; its other new files are gone afterwards */
    const char *kernel;
    const char *image;
    uint64_t console_port; /* of the kernel and of GRUB's menu */
    const char *where;     /* of an error: a program or file, */
    const char *why;       /* and what is wrong */
};

bool iso_write(struct iso *iso);

#endif
