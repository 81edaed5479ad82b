/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC-32 with the reflected polynomial EDB88320h, start value and final complement all ones: the
 * one that GPT headers carry. A sum over several pieces starts with 0 and feeds each result back.
 * Sources  UEFI specification 2.10, section 4.2 "EFI Table Header"; ITU-T V.42 8.1.1.6.2
 */
#ifndef LIB_CRC32_H
#define LIB_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32(uint32_t so_far, const void *bytes, size_t length);

#endif
