/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's configuration, as programs for seL4 ask for it. */
#ifndef SEL4_CONFIG_H
#define SEL4_CONFIG_H

#include "abi/types.h"

#define CONFIG_ARCH_X86_64             1
#define CONFIG_ARCH_X86                1
#define CONFIG_WORD_SIZE               64
#define CONFIG_KERNEL_MCS              1
#define CONFIG_VTX                     1
#define CONFIG_X86_64_VTX_64BIT_GUESTS 1
#define CONFIG_IOMMU                   1
#define CONFIG_HUGE_PAGE               1
#define CONFIG_ENABLE_SMP_SUPPORT      1
#define CONFIG_MAX_NUM_NODES           16
#define CONFIG_ROOT_CNODE_SIZE_BITS    17
#define CONFIG_RETYPE_FAN_OUT_LIMIT    256
#define CONFIG_FSGSBASE_INST           1
#ifdef BULKHEAD_DEBUG
#define CONFIG_DEBUG_BUILD 1
#define CONFIG_PRINTING    1
#endif

#define CONFIG_CONCAT_(a, b)                a##b
#define CONFIG_PLACEHOLDER_1                0,
#define CONFIG_SECOND_(ignored, value, ...) value
#define CONFIG_IS_SET_(x)                   CONFIG_SECOND_(x 1, 0, 0)
#define CONFIG_IS_SET(x)                    CONFIG_IS_SET_(CONFIG_CONCAT_(CONFIG_PLACEHOLDER_, x))
/* 1 if the option is defined as 1, else 0; usable in expressions. */
#define config_set(option) CONFIG_IS_SET(option)

#endif
