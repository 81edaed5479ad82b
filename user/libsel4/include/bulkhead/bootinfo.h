/* SPDX-License-Identifier: BSD-2-Clause */
/* The extra blocks behind the boot information. */
#ifndef BULKHEAD_BOOTINFO_H
#define BULKHEAD_BOOTINFO_H

#include "abi/bootinfo.h"

/* The block with this id, with its header, or NULL. Blocks need not be aligned. */
static inline const void *bootinfo_find(const seL4_BootInfo *info, seL4_Word id)
{
    const char *at = (const char *)info + seL4_BootInfoFrameSize;
    const char *end = at + info->extraLen;

    while ((size_t)(end - at) >= sizeof(seL4_BootInfoHeader)) {
        seL4_BootInfoHeader header;

        __builtin_memcpy(&header, at, sizeof(header));
        if (header.id == id)
            return at;
        if (header.len < sizeof(header) || header.len > (size_t)(end - at))
            return NULL;
        at += header.len;
    }
    return NULL;
}

/* Bits of enum bulkhead_extension; 0 on a kernel without any. */
static inline seL4_Word bootinfo_extensions(const seL4_BootInfo *info)
{
    const void *found = bootinfo_find(info, SEL4_BOOTINFO_HEADER_BULKHEAD);
    struct bulkhead_bootinfo block;

    if (!found)
        return 0;
    __builtin_memcpy(&block, found, sizeof(block));
    return block.extensions;
}

/* TSC ticks in a microsecond, or 0. */
static inline seL4_Uint32 bootinfo_tsc_mhz(const seL4_BootInfo *info)
{
    const void *found = bootinfo_find(info, SEL4_BOOTINFO_HEADER_X86_TSC_FREQ);
    seL4_X86_BootInfo_tsc block;

    if (!found)
        return 0;
    __builtin_memcpy(&block, found, sizeof(block));
    return block.mhz;
}

#endif
