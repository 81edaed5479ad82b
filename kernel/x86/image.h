/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the kernel's image: symbols of link.ld. */
#ifndef KERNEL_X86_IMAGE_H
#define KERNEL_X86_IMAGE_H

#include "kernel/core/types.h"

/* Boot code and data: physical addresses. */
extern const u8 kernel_boot_start[], kernel_boot_end[];

extern const u8 kernel_code_start[], kernel_code_end[];
extern const u8 kernel_constants_start[], kernel_constants_end[];
extern const u8 kernel_data_start[], kernel_end[];

/* Text of lines "address name", ascending; absent while it is being made. */
extern const char kernel_symbols_start[], kernel_symbols_end[];

#endif
