/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SEL4_BOOTINFO_H
#define SEL4_BOOTINFO_H

#include "abi/bootinfo.h"

/* What the start-up code was given; NULL in programs that are not the initial task. */
void seL4_InitBootInfo(seL4_BootInfo *info);
seL4_BootInfo *seL4_GetBootInfo(void);

#endif
