/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Named baselines of the processor: what a guest may be shown so that it finds the same
 * instructions on every machine that has them. Level n has all features of the levels up to n.
 *
 * What programs use is the level's, exactly. Beside it remains what every 64-bit processor has for
 * kernels, what the monitor itself adds, and MD_CLEAR, by which a kernel knows how to protect
 * itself.
 *
 * Source  System V ABI, AMD64 supplement 1.0, 3.1.1 "Processor Architecture", table 3.1. Level 4
 *         takes AVX-512, whose state the kernel does not switch.
 */
#ifndef USER_VMM_BASELINE_H
#define USER_VMM_BASELINE_H

#include "user/vmm/cpuid.h"

/* The level: struct vmm_config's baseline; with VMM_BASELINE_HOST nothing is asked and hidden. */

/* Takes from the processor's answer for the leaf what a guest is not to see. */
void baseline_limit(unsigned level, uint32_t leaf, uint32_t subleaf, struct cpuid_registers *value);

/*
 * False if the processor lacks a feature of the level; then the text says so and names all that are
 * missing, as far as they fit.
 */
bool baseline_is_there(unsigned level, cpuid_source *source, char *text, size_t bytes);

#endif
