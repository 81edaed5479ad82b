/* SPDX-License-Identifier: BSD-2-Clause */
/* The AMD-V backend, for the one place that chooses (kernel/x86/virt/virt.c). */
#ifndef KERNEL_X86_VIRT_SVM_SVM_H
#define KERNEL_X86_VIRT_SVM_SVM_H

#include "kernel/x86/virt/virt.h"

/* Whether the CPU has what the backend needs; says on the console what it lacks. */
bool svm_probe(void);

extern const struct virt_backend svm_backend;

#endif
