/* SPDX-License-Identifier: BSD-2-Clause */
/* All general registers across a SYSCALL; see registers.S. */
#ifndef TESTS_KERNEL_REGISTERS_H
#define TESTS_KERNEL_REGISTERS_H

#include "abi/types.h"

struct registers {
    seL4_Word rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};

void registers_syscall(struct registers *registers);

/* Address of the SYSCALL instruction in it. */
extern const char registers_syscall_ip[];

#endif
