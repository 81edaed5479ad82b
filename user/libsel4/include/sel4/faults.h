/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fault messages taken apart. seL4_getFault copies the message that the tag belongs to from the IPC
 * buffer; the seL4_Fault_*_get_* functions read the copy.
 */
#ifndef SEL4_FAULTS_H
#define SEL4_FAULTS_H

#include "abi/faults.h"

#include <sel4/functions.h>

struct seL4_Fault {
    seL4_Uint64 type;
    seL4_Uint64 words[seL4_UnknownSyscall_Length]; /* the longest */
};
typedef struct seL4_Fault seL4_Fault_t;
typedef seL4_FaultType seL4_Fault_tag_t;

static inline seL4_Uint64 seL4_Fault_get_seL4_FaultType(seL4_Fault_t fault)
{
    return fault.type;
}

static inline seL4_Fault_t seL4_getFault(seL4_MessageInfo_t tag)
{
    seL4_Fault_t fault = { .type = seL4_MessageInfo_get_label(tag) };
    seL4_Word length = seL4_MessageInfo_get_length(tag);

    for (seL4_Word i = 0; i < length && i < seL4_UnknownSyscall_Length; i++)
        fault.words[i] = seL4_GetMR((int)i);
    return fault;
}

static inline seL4_Fault_t seL4_getArchFault(seL4_MessageInfo_t tag)
{
    return seL4_getFault(tag);
}

/* Is this the tag of a fault of that type? */
static inline seL4_Bool seL4_isNullFault_tag(seL4_MessageInfo_t tag)
{
    return seL4_MessageInfo_get_label(tag) == seL4_Fault_NullFault;
}

static inline seL4_Bool seL4_isCapFault_tag(seL4_MessageInfo_t tag)
{
    return seL4_MessageInfo_get_label(tag) == seL4_Fault_CapFault;
}

static inline seL4_Bool seL4_isUnknownSyscall_tag(seL4_MessageInfo_t tag)
{
    return seL4_MessageInfo_get_label(tag) == seL4_Fault_UnknownSyscall;
}

static inline seL4_Bool seL4_isUserException_tag(seL4_MessageInfo_t tag)
{
    return seL4_MessageInfo_get_label(tag) == seL4_Fault_UserException;
}

static inline seL4_Bool seL4_isTimeoutFault_tag(seL4_MessageInfo_t tag)
{
    return seL4_MessageInfo_get_label(tag) == seL4_Fault_Timeout;
}

static inline seL4_Bool seL4_isVMFault_tag(seL4_MessageInfo_t tag)
{
    return seL4_MessageInfo_get_label(tag) == seL4_Fault_VMFault;
}

/* seL4_Fault_<type>_get_<word> */
#define SEL4_FAULT_WORD(type, word, place)                                                         \
    static inline seL4_Uint64 seL4_Fault_##type##_get_##word(seL4_Fault_t fault)                   \
    {                                                                                              \
        return fault.words[place];                                                                 \
    }
SEL4_FAULT_WORD(CapFault, IP, seL4_CapFault_IP)
SEL4_FAULT_WORD(CapFault, Addr, seL4_CapFault_Addr)
SEL4_FAULT_WORD(CapFault, InRecvPhase, seL4_CapFault_InRecvPhase)
SEL4_FAULT_WORD(CapFault, LookupFailureType, seL4_CapFault_LookupFailureType)
SEL4_FAULT_WORD(CapFault, MR4, seL4_CapFault_BitsLeft)
SEL4_FAULT_WORD(CapFault, MR5, seL4_CapFault_GuardMismatch_GuardFound)
SEL4_FAULT_WORD(CapFault, MR6, seL4_CapFault_GuardMismatch_BitsFound)
SEL4_FAULT_WORD(UnknownSyscall, RAX, seL4_UnknownSyscall_RAX)
SEL4_FAULT_WORD(UnknownSyscall, RBX, seL4_UnknownSyscall_RBX)
SEL4_FAULT_WORD(UnknownSyscall, RCX, seL4_UnknownSyscall_RCX)
SEL4_FAULT_WORD(UnknownSyscall, RDX, seL4_UnknownSyscall_RDX)
SEL4_FAULT_WORD(UnknownSyscall, RSI, seL4_UnknownSyscall_RSI)
SEL4_FAULT_WORD(UnknownSyscall, RDI, seL4_UnknownSyscall_RDI)
SEL4_FAULT_WORD(UnknownSyscall, RBP, seL4_UnknownSyscall_RBP)
SEL4_FAULT_WORD(UnknownSyscall, R8, seL4_UnknownSyscall_R8)
SEL4_FAULT_WORD(UnknownSyscall, R9, seL4_UnknownSyscall_R9)
SEL4_FAULT_WORD(UnknownSyscall, R10, seL4_UnknownSyscall_R10)
SEL4_FAULT_WORD(UnknownSyscall, R11, seL4_UnknownSyscall_R11)
SEL4_FAULT_WORD(UnknownSyscall, R12, seL4_UnknownSyscall_R12)
SEL4_FAULT_WORD(UnknownSyscall, R13, seL4_UnknownSyscall_R13)
SEL4_FAULT_WORD(UnknownSyscall, R14, seL4_UnknownSyscall_R14)
SEL4_FAULT_WORD(UnknownSyscall, R15, seL4_UnknownSyscall_R15)
SEL4_FAULT_WORD(UnknownSyscall, FaultIP, seL4_UnknownSyscall_FaultIP)
SEL4_FAULT_WORD(UnknownSyscall, SP, seL4_UnknownSyscall_SP)
SEL4_FAULT_WORD(UnknownSyscall, FLAGS, seL4_UnknownSyscall_FLAGS)
SEL4_FAULT_WORD(UnknownSyscall, Syscall, seL4_UnknownSyscall_Syscall)
SEL4_FAULT_WORD(UserException, FaultIP, seL4_UserException_FaultIP)
SEL4_FAULT_WORD(UserException, Stack, seL4_UserException_SP)
SEL4_FAULT_WORD(UserException, FLAGS, seL4_UserException_FLAGS)
SEL4_FAULT_WORD(UserException, Number, seL4_UserException_Number)
SEL4_FAULT_WORD(UserException, Code, seL4_UserException_Code)
SEL4_FAULT_WORD(Timeout, data, seL4_Timeout_Data)
SEL4_FAULT_WORD(Timeout, consumed, seL4_Timeout_Consumed)
SEL4_FAULT_WORD(VMFault, IP, seL4_VMFault_IP)
SEL4_FAULT_WORD(VMFault, Addr, seL4_VMFault_Addr)
SEL4_FAULT_WORD(VMFault, PrefetchFault, seL4_VMFault_PrefetchFault)
SEL4_FAULT_WORD(VMFault, FSR, seL4_VMFault_FSR)
#undef SEL4_FAULT_WORD

/* Writes an answer to a timeout into the IPC buffer and returns its tag. */
static inline seL4_MessageInfo_t seL4_TimeoutReply_new(seL4_Bool resume, seL4_UserContext regs,
                                                       seL4_Word length)
{
    for (seL4_Word i = 0; i < length && i < seL4_TimeoutReply_Length; i++)
        seL4_SetMR((int)i, ((const seL4_Word *)&regs)[i]);
    return seL4_MessageInfo_new(!resume, 0, 0, length);
}

#endif
