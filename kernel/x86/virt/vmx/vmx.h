/* SPDX-License-Identifier: BSD-2-Clause */
/* The VT-x backend, for the one place that chooses (kernel/x86/virt/virt.c). */
#ifndef KERNEL_X86_VIRT_VMX_VMX_H
#define KERNEL_X86_VIRT_VMX_VMX_H

#include "kernel/x86/virt/virt.h"

/* Whether the CPU has what the backend needs; says on the console what it lacks. */
bool vmx_probe(void);

extern const struct virt_backend vmx_backend;

#endif
