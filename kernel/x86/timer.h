/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time: the TSC, measured once against a clock of known rate, and the local APIC's timer, which
 * either compares with the TSC (deadline mode) or counts down at a rate that is measured too.
 */
#ifndef KERNEL_X86_TIMER_H
#define KERNEL_X86_TIMER_H

/* Boot, first core: measures; sets tsc_mhz. The timer's interrupt is as apic_init_core left it. */
void timer_init(void);

#endif
