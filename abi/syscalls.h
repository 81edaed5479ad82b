/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System call numbers. They are passed in rdx and compared as signed 64-bit values; whatever is not
 * listed raises an unknown-syscall fault.
 *
 *      register            in                                  out
 *      rdx                 number                              preserved
 *      rdi                 cptr (of the receive phase, if any) badge
 *      rsi                 message information                 message information
 *      r10 r8 r9 r15       message words 0 to 3                message words 0 to 3
 *      r12                 reply cptr, or what NBSendWait sends to     preserved
 *      r13                 what NBSendRecv sends to            preserved
 *      rcx r11             -                                   clobbered
 */
#ifndef ABI_SYSCALLS_H
#define ABI_SYSCALLS_H

typedef enum {
    seL4_SysCall = -1,
    seL4_SysReplyRecv = -2,
    seL4_SysNBSendRecv = -3,
    seL4_SysNBSendWait = -4,
    seL4_SysSend = -5,
    seL4_SysNBSend = -6,
    seL4_SysRecv = -7,
    seL4_SysNBRecv = -8,
    seL4_SysWait = -9,
    seL4_SysNBWait = -10,
    seL4_SysYield = -11,
    /* Only in debug builds of the kernel. */
    seL4_SysDebugPutChar = -12, /* rdi = character */
    seL4_SysDebugDumpScheduler = -13,
    seL4_SysDebugHalt = -14,
    seL4_SysDebugCapIdentify = -15, /* rdi = cptr; answers rdi = the capability's tag */
    seL4_SysDebugSnapshot = -16,
    seL4_SysDebugNameThread = -17,        /* rdi = TCB cptr; name in the IPC buffer from word 0 */
    seL4_SysDebugSendIPI = -18,           /* other architectures */
    seL4_SysDebugGetThreadAffinity = -19, /* rdi = TCB cptr; answers rdi = core */
    seL4_SysVMEnter = -32,
} seL4_Syscall_ID;

/*
 * Numbers that other configurations use are unknown system calls here; nothing else may take
 * them. /
 */
#define seL4_SysReservedFirst      (-20) /* DebugRun; Benchmark* follow */
#define seL4_SysReservedLast       (-31)
#define seL4_SysSetTLSBaseReserved (-33)

#endif
