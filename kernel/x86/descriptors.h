/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segment and interrupt descriptors, task state and the MSRs of SYSCALL: how the processor finds
 * its way into the kernel. Sources: Intel SDM volume 3, sections 3.4.5, 6.14 and 8.7; AMD APM
 * volume 2, 6.1.1.
 */
#ifndef KERNEL_X86_DESCRIPTORS_H
#define KERNEL_X86_DESCRIPTORS_H

#include "kernel/core/config.h"
#include "kernel/core/types.h"

extern u8 kernel_stacks[CONFIG_MAX_CORES][CONFIG_KERNEL_STACK_BYTES];

/* Each core, on its own: loads them; from here on exceptions are reported. Sets GS base. */
void descriptors_init_core(unsigned core);

#endif
