/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting the other processors. Each is brought by INIT and start-up messages from its reset state
 * into ap_main, sets itself up as the first one did, and then waits in the idle loop for work.
 *
 * Boot only, on the first core, before any user code; afterwards nr_cores is fixed. One that does
 * not come up in time is named on the console and left out.
 * Sources: Intel SDM volume 3, "MP Initialization Protocol"; MultiProcessor Specification 1.4,
 * appendix B.4.
 */
#ifndef KERNEL_X86_SMP_H
#define KERNEL_X86_SMP_H

#include "kernel/core/boot.h"

/* usable: RAM, below 1 MiB too, where a processor's first instructions must lie. */
void smp_start(struct boot_regions *usable);
/* The initial task is made: the others begin to idle, and may be given work. */
void smp_release(void);

#endif
