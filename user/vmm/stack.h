/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes for C and the assembler alike. */
#ifndef USER_VMM_STACK_H
#define USER_VMM_STACK_H

#define VMM_MAX_VCPUS   16
#define VMM_STACK_BYTES 16384

#endif
