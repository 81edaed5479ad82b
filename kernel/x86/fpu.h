/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who owns the FPU. The CPU holds one owner's state: a thread's (XCR0 = 3, area in the TCB) or a
 * guest's (its own XCR0, area in the VCPU), or nobody's. Switching threads saves nothing: CR0.TS is
 * set when the running thread is not the owner, and the first use (#NM) switches. Thus nothing is
 * saved twice and nothing leaks.
 * Locking: this core's lock.
 */
#ifndef KERNEL_X86_FPU_H
#define KERNEL_X86_FPU_H

#include "kernel/core/core.h"

struct tcb;
struct vcpu;

/* Writes a fresh state (x87 control word 0x37f, MXCSR 0x1f80) into an area of a TCB. */
void fpu_area_init(u8 *area);
/* #NM of user code. Returns false if the thread may not use the FPU: a user exception. */
bool fpu_switch_to_thread(struct tcb *tcb);
/* Gives the FPU to the VCPU about to run. */
void fpu_switch_to_vcpu(struct vcpu *vcpu);
/* The running thread has changed: sets CR0.TS as needed. */
void fpu_thread_changed(struct tcb *tcb);
/* The object goes, or moves to another core, or its state is wanted in memory. A thread's: on
 * whatever core, all cores' locks; a VCPU's: on this core. */
void fpu_release_thread(struct tcb *tcb);
void fpu_release_vcpu(struct vcpu *vcpu);
/* vcpu->xcr0 becomes what the guest has, which this core's processor may hold. */
void fpu_settle_xcr0(struct vcpu *vcpu);

#endif
