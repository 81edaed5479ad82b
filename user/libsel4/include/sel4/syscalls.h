/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls. Each comes twice: with the message in the IPC buffer, whose first four words
 * the call carries to and from registers; and with those four words as arguments (...WithMRs; a
 * null pointer: not wanted), which leaves the buffer alone. abi/syscalls.h has numbers and
 * registers.
 *
 * A pointer to a badge may be null.
 */
#ifndef SEL4_SYSCALLS_H
#define SEL4_SYSCALLS_H

#include "abi/bootinfo.h"
#include "abi/syscalls.h"
#include "abi/vcpu.h"

#include <sel4/functions.h>

/* --- entering the kernel --------------------------------------------------------------------- */

/* Registers of a system call, in and out. */
struct sel4_registers {
    seL4_Word rdi, rsi;
    seL4_Word mr0, mr1, mr2, mr3;
};

/* All registers that a system call can carry; r12 and r13 only go in. */
static inline void sel4_syscall(seL4_Int64 number, struct sel4_registers *registers, seL4_Word r12_,
                                seL4_Word r13_)
{
    register seL4_Word r10 __asm__("r10") = registers->mr0;
    register seL4_Word r8 __asm__("r8") = registers->mr1;
    register seL4_Word r9 __asm__("r9") = registers->mr2;
    register seL4_Word r15 __asm__("r15") = registers->mr3;
    register seL4_Word r12 __asm__("r12") = r12_;
    register seL4_Word r13 __asm__("r13") = r13_;

    __asm__ volatile("syscall"
                     : "+D"(registers->rdi), "+S"(registers->rsi), "+r"(r10), "+r"(r8), "+r"(r9),
                       "+r"(r15)
                     : "d"(number), "r"(r12), "r"(r13)
                     : "rcx", "r11", "memory");
    registers->mr0 = r10;
    registers->mr1 = r8;
    registers->mr2 = r9;
    registers->mr3 = r15;
}

static inline seL4_Word sel4_read_optional(const seL4_Word *word)
{
    return word ? *word : 0;
}

static inline void sel4_write_optional(seL4_Word *word, seL4_Word value)
{
    if (word)
        *word = value;
}

/* A send whose first words are given; nothing comes back. */
static inline void sel4_send(seL4_Int64 number, seL4_CPtr dest, seL4_MessageInfo_t info,
                             seL4_Word mr0, seL4_Word mr1, seL4_Word mr2, seL4_Word mr3)
{
    struct sel4_registers registers = { dest, info.words[0], mr0, mr1, mr2, mr3 };

    sel4_syscall(number, &registers, 0, 0);
}

/* A call that both takes a message and brings one, words in registers. */
static inline seL4_MessageInfo_t sel4_exchange_mrs(seL4_Int64 number, seL4_CPtr rdi,
                                                   seL4_MessageInfo_t info, seL4_Word *sender,
                                                   seL4_Word *mr0, seL4_Word *mr1, seL4_Word *mr2,
                                                   seL4_Word *mr3, seL4_CPtr r12, seL4_CPtr r13)
{
    struct sel4_registers registers = { rdi,
                                        info.words[0],
                                        sel4_read_optional(mr0),
                                        sel4_read_optional(mr1),
                                        sel4_read_optional(mr2),
                                        sel4_read_optional(mr3) };

    sel4_syscall(number, &registers, r12, r13);
    sel4_write_optional(sender, registers.rdi);
    sel4_write_optional(mr0, registers.mr0);
    sel4_write_optional(mr1, registers.mr1);
    sel4_write_optional(mr2, registers.mr2);
    sel4_write_optional(mr3, registers.mr3);
    return (seL4_MessageInfo_t){ { registers.rsi } };
}

/* The same with the IPC buffer. */
static inline seL4_MessageInfo_t sel4_exchange(seL4_Int64 number, seL4_CPtr rdi,
                                               seL4_MessageInfo_t info, seL4_Word *sender,
                                               seL4_CPtr r12, seL4_CPtr r13)
{
    struct sel4_registers registers = { rdi,           info.words[0], seL4_GetMR(0),
                                        seL4_GetMR(1), seL4_GetMR(2), seL4_GetMR(3) };

    sel4_syscall(number, &registers, r12, r13);
    sel4_write_optional(sender, registers.rdi);
    sel4_mirror_message(registers.mr0, registers.mr1, registers.mr2, registers.mr3);
    return (seL4_MessageInfo_t){ { registers.rsi } };
}

/* --- sending --------------------------------------------------------------------------------- */

/* Blocks until a receiver has taken the message. */
static inline void seL4_Send(seL4_CPtr dest, seL4_MessageInfo_t msgInfo)
{
    sel4_send(seL4_SysSend, dest, msgInfo, seL4_GetMR(0), seL4_GetMR(1), seL4_GetMR(2),
              seL4_GetMR(3));
}

static inline void seL4_SendWithMRs(seL4_CPtr dest, seL4_MessageInfo_t msgInfo, seL4_Word *mr0,
                                    seL4_Word *mr1, seL4_Word *mr2, seL4_Word *mr3)
{
    sel4_send(seL4_SysSend, dest, msgInfo, sel4_read_optional(mr0), sel4_read_optional(mr1),
              sel4_read_optional(mr2), sel4_read_optional(mr3));
}

/* Does nothing if no receiver waits. */
static inline void seL4_NBSend(seL4_CPtr dest, seL4_MessageInfo_t msgInfo)
{
    sel4_send(seL4_SysNBSend, dest, msgInfo, seL4_GetMR(0), seL4_GetMR(1), seL4_GetMR(2),
              seL4_GetMR(3));
}

static inline void seL4_NBSendWithMRs(seL4_CPtr dest, seL4_MessageInfo_t msgInfo, seL4_Word *mr0,
                                      seL4_Word *mr1, seL4_Word *mr2, seL4_Word *mr3)
{
    sel4_send(seL4_SysNBSend, dest, msgInfo, sel4_read_optional(mr0), sel4_read_optional(mr1),
              sel4_read_optional(mr2), sel4_read_optional(mr3));
}

static inline void seL4_Signal(seL4_CPtr dest)
{
    sel4_send(seL4_SysSend, dest, seL4_MessageInfo_new(0, 0, 0, 0), 0, 0, 0, 0);
}

/* --- calling --------------------------------------------------------------------------------- */

/* Sends and waits for the answer; to a kernel object: an invocation. */
static inline seL4_MessageInfo_t seL4_Call(seL4_CPtr dest, seL4_MessageInfo_t msgInfo)
{
    return sel4_exchange(seL4_SysCall, dest, msgInfo, NULL, 0, 0);
}

static inline seL4_MessageInfo_t seL4_CallWithMRs(seL4_CPtr dest, seL4_MessageInfo_t msgInfo,
                                                  seL4_Word *mr0, seL4_Word *mr1, seL4_Word *mr2,
                                                  seL4_Word *mr3)
{
    return sel4_exchange_mrs(seL4_SysCall, dest, msgInfo, NULL, mr0, mr1, mr2, mr3, 0, 0);
}

/* --- receiving ------------------------------------------------------------------------------- */

/* Blocks until a message or signal arrives; a call's answer goes to the reply object. */
static inline seL4_MessageInfo_t seL4_Recv(seL4_CPtr src, seL4_Word *sender, seL4_CPtr reply)
{
    return sel4_exchange(seL4_SysRecv, src, seL4_MessageInfo_new(0, 0, 0, 0), sender, reply, 0);
}

static inline seL4_MessageInfo_t seL4_RecvWithMRs(seL4_CPtr src, seL4_Word *sender, seL4_Word *mr0,
                                                  seL4_Word *mr1, seL4_Word *mr2, seL4_Word *mr3,
                                                  seL4_CPtr reply)
{
    return sel4_exchange_mrs(seL4_SysRecv, src, seL4_MessageInfo_new(0, 0, 0, 0), sender, mr0, mr1,
                             mr2, mr3, reply, 0);
}

/* Badge 0 if nothing is there. */
static inline seL4_MessageInfo_t seL4_NBRecv(seL4_CPtr src, seL4_Word *sender, seL4_CPtr reply)
{
    return sel4_exchange(seL4_SysNBRecv, src, seL4_MessageInfo_new(0, 0, 0, 0), sender, reply, 0);
}

static inline seL4_MessageInfo_t seL4_NBRecvWithMRs(seL4_CPtr src, seL4_Word *sender,
                                                    seL4_Word *mr0, seL4_Word *mr1, seL4_Word *mr2,
                                                    seL4_Word *mr3, seL4_CPtr reply)
{
    return sel4_exchange_mrs(seL4_SysNBRecv, src, seL4_MessageInfo_new(0, 0, 0, 0), sender, mr0,
                             mr1, mr2, mr3, reply, 0);
}

/* As Recv, without a reply object: takes no calls. */
static inline seL4_MessageInfo_t seL4_Wait(seL4_CPtr src, seL4_Word *sender)
{
    return sel4_exchange(seL4_SysWait, src, seL4_MessageInfo_new(0, 0, 0, 0), sender, 0, 0);
}

static inline seL4_MessageInfo_t seL4_WaitWithMRs(seL4_CPtr src, seL4_Word *sender, seL4_Word *mr0,
                                                  seL4_Word *mr1, seL4_Word *mr2, seL4_Word *mr3)
{
    return sel4_exchange_mrs(seL4_SysWait, src, seL4_MessageInfo_new(0, 0, 0, 0), sender, mr0, mr1,
                             mr2, mr3, 0, 0);
}

/* As NBRecv, without a reply object. */
static inline seL4_MessageInfo_t seL4_NBWait(seL4_CPtr src, seL4_Word *sender)
{
    return sel4_exchange(seL4_SysNBWait, src, seL4_MessageInfo_new(0, 0, 0, 0), sender, 0, 0);
}

static inline seL4_MessageInfo_t seL4_NBWaitWithMRs(seL4_CPtr src, seL4_Word *sender,
                                                    seL4_Word *mr0, seL4_Word *mr1, seL4_Word *mr2,
                                                    seL4_Word *mr3)
{
    return sel4_exchange_mrs(seL4_SysNBWait, src, seL4_MessageInfo_new(0, 0, 0, 0), sender, mr0,
                             mr1, mr2, mr3, 0, 0);
}

static inline seL4_MessageInfo_t seL4_Poll(seL4_CPtr src, seL4_Word *sender)
{
    return seL4_NBWait(src, sender);
}

/* --- both ------------------------------------------------------------------------------------ */

/* Answers through the reply object, then receives. */
static inline seL4_MessageInfo_t seL4_ReplyRecv(seL4_CPtr src, seL4_MessageInfo_t msgInfo,
                                                seL4_Word *sender, seL4_CPtr reply)
{
    return sel4_exchange(seL4_SysReplyRecv, src, msgInfo, sender, reply, 0);
}

static inline seL4_MessageInfo_t seL4_ReplyRecvWithMRs(seL4_CPtr src, seL4_MessageInfo_t msgInfo,
                                                       seL4_Word *sender, seL4_Word *mr0,
                                                       seL4_Word *mr1, seL4_Word *mr2,
                                                       seL4_Word *mr3, seL4_CPtr reply)
{
    return sel4_exchange_mrs(seL4_SysReplyRecv, src, msgInfo, sender, mr0, mr1, mr2, mr3, reply, 0);
}

/* Sends without blocking, then receives on another capability. */
static inline seL4_MessageInfo_t seL4_NBSendRecv(seL4_CPtr dest, seL4_MessageInfo_t msgInfo,
                                                 seL4_CPtr src, seL4_Word *sender, seL4_CPtr reply)
{
    return sel4_exchange(seL4_SysNBSendRecv, src, msgInfo, sender, reply, dest);
}

static inline seL4_MessageInfo_t seL4_NBSendRecvWithMRs(seL4_CPtr dest, seL4_MessageInfo_t msgInfo,
                                                        seL4_CPtr src, seL4_Word *sender,
                                                        seL4_Word *mr0, seL4_Word *mr1,
                                                        seL4_Word *mr2, seL4_Word *mr3,
                                                        seL4_CPtr reply)
{
    return sel4_exchange_mrs(seL4_SysNBSendRecv, src, msgInfo, sender, mr0, mr1, mr2, mr3, reply,
                             dest);
}

static inline seL4_MessageInfo_t seL4_NBSendWait(seL4_CPtr dest, seL4_MessageInfo_t msgInfo,
                                                 seL4_CPtr src, seL4_Word *sender)
{
    return sel4_exchange(seL4_SysNBSendWait, src, msgInfo, sender, dest, 0);
}

static inline seL4_MessageInfo_t seL4_NBSendWaitWithMRs(seL4_CPtr dest, seL4_MessageInfo_t msgInfo,
                                                        seL4_CPtr src, seL4_Word *sender,
                                                        seL4_Word *mr0, seL4_Word *mr1,
                                                        seL4_Word *mr2, seL4_Word *mr3)
{
    return sel4_exchange_mrs(seL4_SysNBSendWait, src, msgInfo, sender, mr0, mr1, mr2, mr3, dest, 0);
}

/* --- others ---------------------------------------------------------------------------------- */

/* Gives up what is left of the present refill. */
static inline void seL4_Yield(void)
{
    sel4_send(seL4_SysYield, 0, seL4_MessageInfo_new(0, 0, 0, 0), 0, 0, 0, 0);
}

/*
 * Runs the guest of the caller's VCPU until something happens. Words 0 to 2 of the IPC buffer go
 * in. Returns SEL4_VMENTER_RESULT_NOTIF or _FAULT; the words that come back are in the buffer
 * (abi/vcpu.h). *sender is set after a notification only.
 */
static inline seL4_Word seL4_VMEnter(seL4_Word *sender)
{
    struct sel4_registers registers = { 0, 0, seL4_GetMR(0), seL4_GetMR(1), seL4_GetMR(2), 0 };

    sel4_syscall(seL4_SysVMEnter, &registers, 0, 0);
    if (registers.rsi == SEL4_VMENTER_RESULT_NOTIF)
        sel4_write_optional(sender, registers.rdi);
    else
        seL4_SetMR(3, registers.mr3);
    seL4_SetMR(0, registers.mr0);
    seL4_SetMR(1, registers.mr1);
    seL4_SetMR(2, registers.mr2);
    return registers.rsi;
}

/* --- debugging: debug builds of the kernel only ---------------------------------------------- */

static inline void seL4_DebugPutChar(char c)
{
    sel4_send(seL4_SysDebugPutChar, (seL4_Word)(unsigned char)c, seL4_MessageInfo_new(0, 0, 0, 0),
              0, 0, 0, 0);
}

static inline void seL4_DebugPutString(const char *text)
{
    while (*text)
        seL4_DebugPutChar(*text++);
    seL4_DebugPutChar('\n');
}

static inline void seL4_DebugDumpScheduler(void)
{
    sel4_send(seL4_SysDebugDumpScheduler, 0, seL4_MessageInfo_new(0, 0, 0, 0), 0, 0, 0, 0);
}

static inline void seL4_DebugHalt(void)
{
    sel4_send(seL4_SysDebugHalt, 0, seL4_MessageInfo_new(0, 0, 0, 0), 0, 0, 0, 0);
}

static inline void seL4_DebugSnapshot(void)
{
    sel4_send(seL4_SysDebugSnapshot, 0, seL4_MessageInfo_new(0, 0, 0, 0), 0, 0, 0, 0);
}

/* The capability's kind, 0 for none. */
static inline seL4_Uint32 seL4_DebugCapIdentify(seL4_CPtr cap)
{
    struct sel4_registers registers = { .rdi = cap };

    sel4_syscall(seL4_SysDebugCapIdentify, &registers, 0, 0);
    return (seL4_Uint32)registers.rdi;
}

/* Overwrites the IPC buffer's message. The name is cut to what fits there. */
static inline void seL4_DebugNameThread(seL4_CPtr tcb, const char *name)
{
    char *to = (char *)seL4_GetIPCBuffer()->msg;
    seL4_Word i = 0;

    for (; i < seL4_MsgMaxLength * sizeof(seL4_Word) - 1 && name[i]; i++)
        to[i] = name[i];
    to[i] = '\0';

    struct sel4_registers registers = { .rdi = tcb };

    sel4_syscall(seL4_SysDebugNameThread, &registers, 0, 0);
}

static inline seL4_Word seL4_DebugGetThreadAffinity(seL4_CPtr tcb)
{
    struct sel4_registers registers = { .rdi = tcb };

    sel4_syscall(seL4_SysDebugGetThreadAffinity, &registers, 0, 0);
    return registers.rdi;
}

#endif
