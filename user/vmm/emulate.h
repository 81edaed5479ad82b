/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carries out the instruction at which a vCPU has stopped: fetches it through the guest's page
 * tables, decodes it, does what it does. For accesses to device registers, string I/O and moves to
 * control registers.
 *
 * String instructions do at most EMULATE_MAX_REPEATS rounds in one exit; the rest is a new exit, so
 * that interrupts get through and no guest keeps its monitor busy.
 *
 * Errors  a fault that the guest earns is queued for it; what cannot be emulated stops the VM
 */
#ifndef USER_VMM_EMULATE_H
#define USER_VMM_EMULATE_H

#include "user/vmm/vm.h"

#define EMULATE_MAX_REPEATS 256u

/* The instruction at rip accesses the registers of device; message->gpa is the address. */
enum vcpu_stop emulate_mmio(struct vcpu *vcpu, const struct mmio_device *device);
/* INS or OUTS at rip, for which the I/O exit has named the port. */
enum vcpu_stop emulate_string_io(struct vcpu *vcpu, uint16_t port);
/* Decodes the instruction at rip into *insn; sets message->length. False if that is not possible.
 */
bool emulate_decode(struct vcpu *vcpu, struct insn *insn);
/* Asks for the modes that the message of this exit does not have, and adds them to it. */
void emulate_read_modes(struct vcpu *vcpu);

#endif
