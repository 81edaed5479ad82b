/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one core has others do: forget a translation, save a register, stop a thread.
 *
 * Only a core that holds all cores' locks asks, so there is one request at a time in the machine
 * and no two cores ever wait for each other. The others run user code or a guest, sleep, wait for a
 * lock, or are between these; they answer from the interrupt that the request sends, or from the
 * loop in which they wait for a lock, and then have nothing in hand that the request could pull
 * away from under them.
 *
 * The work runs on each core that was asked, interrupts off, while the asker waits and holds all
 * locks in its name. It must be short, and neither lock nor ask in its turn.
 * Pairing: the release store of core->asked by the asker with the acquire load in remote_serve,
 * and the release store there with the acquire load in remote_run.
 */
#ifndef KERNEL_CORE_REMOTE_H
#define KERNEL_CORE_REMOTE_H

#include "kernel/core/core.h"

typedef void remote_work(u64 a, u64 b);

/* Has the cores of the mask (bit i: core i), this one possibly among them, do the work; returns
 * when all have done it. */
void remote_run(u64 core_mask, remote_work *work, u64 a, u64 b);
/* Answers a request if there is one. */
void remote_serve(void);

/* Interrupts another core: it looks for a request, and at what it is to run (kernel/x86/apic.c). */
void core_interrupt(unsigned core);

#endif
