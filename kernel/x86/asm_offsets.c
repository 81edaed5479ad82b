/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers that entry.S needs, taken from the C definitions: compiled to assembly, whose `->` lines
 * CMakeLists.txt turns into the header kernel/gen/asm_offsets.h.
 */
#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/object/tcb.h"
#include "kernel/object/vcpu.h"

#define EMIT(name, value)      __asm__ volatile("\n.ascii \"-> " name " %c0\"" : : "i"(value))
#define REGISTER(upper, lower) EMIT("TCB_" #upper, offsetof(struct tcb, context.lower))

void asm_offsets(void);

void asm_offsets(void)
{
    EMIT("CORE_KERNEL_STACK", offsetof(struct core, kernel_stack));
    EMIT("CORE_USER_RSP", offsetof(struct core, user_rsp));
    EMIT("CORE_CURRENT", offsetof(struct core, current));
    EMIT("CORE_HELD_LOCKS", offsetof(struct core, held_locks));
    EMIT("CORE_LOCK", offsetof(struct core, lock));
    EMIT("CORE_NEXT_TICKET", offsetof(struct core, lock.next_ticket));
    EMIT("CORE_NOW_SERVING", offsetof(struct core, lock.now_serving));
    EMIT("CORE_HOLDS_THIS_CORE", HOLDS_THIS_CORE);
    EMIT("CORE_HOLDS_NONE", HOLDS_NONE);
    EMIT("KERNEL_STACK_BYTES", CONFIG_KERNEL_STACK_BYTES);
    EMIT("CORES_BYTES", sizeof(cores));

    EMIT("TCB_STATE", offsetof(struct tcb, state));
    EMIT("TCB_STATE_RUNNING", THREAD_RUNNING);
    EMIT("TCB_STATE_RUNNING_VM", THREAD_RUNNING_VM);
    EMIT("TCB_STATE_IDLE", THREAD_IDLE);
    REGISTER(RAX, rax);
    REGISTER(RBX, rbx);
    REGISTER(RCX, rcx);
    REGISTER(RDX, rdx);
    REGISTER(RSI, rsi);
    REGISTER(RDI, rdi);
    REGISTER(RBP, rbp);
    REGISTER(R8, r8);
    REGISTER(R9, r9);
    REGISTER(R10, r10);
    REGISTER(R11, r11);
    REGISTER(R12, r12);
    REGISTER(R13, r13);
    REGISTER(R14, r14);
    REGISTER(R15, r15);
    REGISTER(RIP, rip);
    REGISTER(RSP, rsp);
    REGISTER(RFLAGS, rflags);
    REGISTER(FS_BASE, fs_base);
    REGISTER(GS_BASE, gs_base);
    REGISTER(ERROR_CODE, error_code);
    REGISTER(BY_SYSCALL, by_syscall);
    EMIT("SYSRET_END_HIGH", CONTEXT_SYSRET_END >> 32);

    _Static_assert(offsetof(struct vcpu, gpr) == 0, "vmx_enter.S finds the rest from there");
    EMIT("VCPU_BACKEND", offsetof(struct vcpu, backend));

    EMIT("SELECTOR_USER_CS", SELECTOR_USER_CS);
    EMIT("SELECTOR_USER_DS", SELECTOR_USER_DS);
}
