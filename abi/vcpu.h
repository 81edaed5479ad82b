/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages of VMEnter, and what Bulkhead's VCPU object offers beyond seL4's. VMEnter takes no
 * capability: it runs the guest of the calling thread's own VCPU.
 *
 *      in       MR0 rip, MR1 primary processor-based controls, MR2 VM-entry interruption
 * information answer   rsi 0: a notification, badge in rdi, MR0..2 as above rsi 1: a VM exit,
 * MR0..24; rsi counts nothing, whatever its name says
 *
 * An entry that the processor refuses is an exit with reason VMX_EXIT_ENTRY_REFUSED and a
 * qualification of all ones; guest state that it refuses is reason 33.
 *
 * Extended VMEnter (BULKHEAD_EXT_VMENTER): the length in rsi is VMENTER_EXTENDED_LENGTH at entry.
 * The message is then the last answer, sent back with the monitor's changes: MR10..MR24 are loaded
 * into the guest's registers, MR25 is its activity state, MR26 the VCPU timer's deadline. The
 * answer to it carries MR27..MR34, too, if the exit reason is one that has a qualification; after
 * IN and OUT only if they are string instructions. After an EPT violation (48) MR27..MR30 are
 * written only if rip is below VMENTER_64_BIT_CODE: above it the guest is in 64-bit mode, and a
 * monitor that wants to know more reads the fields; MR5 is a software event's, if the exit
 * interrupted the delivery of one. After a notification the words of MR3..MR26 are
 * written as well (MR3 without meaning), so that they can be sent back as they are. An extended
 * VMEnter whose rip is not the last exit's ends blocking by STI and MOV SS: the monitor has done
 * the instruction that it covered. On AMD-V so does a plain one.
 *
 * NMIs are virtual: one that is injected blocks further ones until the guest has executed IRET
 * (interruptibility bit 3; the primary controls' NMI-window exiting tells when that is over, reason
 * 8). One that an exit kept from being delivered (IDT-vectoring information) blocks nothing.
 *
 * Virtual APIC (BULKHEAD_EXT_VIRTUAL_APIC), where VCPU_FIELD_VIRTUAL_APIC is 1: the processor has
 * the guest's TPR, PPR, ISR and IRR, in x2APIC mode, and delivers from IRR what priorities, RFLAGS
 * and shadows allow. RDMSR of these registers, WRMSR of TPR, EOI and SELF_IPI, and MOV CR8 do not
 * exit; all other registers are the monitor's. Reason 45 (qualification: the vector) is an EOI of a
 * vector in VMCS_EOI_EXIT_BITMAP, reason 56 (0x3f0) a self-IPI with a vector below 16; in both rip
 * is behind the WRMSR already. Writing VCPU_FIELD_VIRTUAL_APIC, either way, empties the registers.
 *      posting    an extended VMEnter of length VMENTER_POSTING_LENGTH: the set of vectors in
 *                 MR35..MR38 (bit n of the set: vector n) is added to IRR, whatever the answer is;
 *                 with any other length nothing is
 *      HLT        an entry with activity HLT wakes the guest at once if IRR has what may interrupt
 *                 it; MR25 of each answer says whether it still sleeps
 *      injection  by MR2 as ever; IRR and ISR have no part in it. Interrupt-window exiting keeps
 *                 IRR's interrupts out.
 *
 * Units      deadlines are absolute TSC values of the host
 */
#ifndef ABI_VCPU_H
#define ABI_VCPU_H

#include "abi/types.h"

/* Places of a message's words. */
enum vmenter_word {
    VMENTER_MR_RIP = 0,
    VMENTER_MR_PRIMARY_CONTROLS = 1,
    VMENTER_MR_ENTRY_INFO = 2,
    VMENTER_MR_REASON = 3, /* basic exit reason, 16 bits */
    VMENTER_MR_QUALIFICATION = 4,
    VMENTER_MR_INSTRUCTION_LENGTH = 5, /* 0: not known, decode the instruction */
    VMENTER_MR_GUEST_PHYSICAL = 6,
    VMENTER_MR_RFLAGS = 7,
    VMENTER_MR_INTERRUPTIBILITY = 8,
    VMENTER_MR_CR3 = 9,
    VMENTER_MR_RAX = 10,
    VMENTER_MR_RBX = 11,
    VMENTER_MR_RCX = 12,
    VMENTER_MR_RDX = 13,
    VMENTER_MR_RSI = 14,
    VMENTER_MR_RDI = 15,
    VMENTER_MR_RBP = 16,
    VMENTER_MR_R8 = 17,
    VMENTER_MR_R9 = 18,
    VMENTER_MR_R10 = 19,
    VMENTER_MR_R11 = 20,
    VMENTER_MR_R12 = 21,
    VMENTER_MR_R13 = 22,
    VMENTER_MR_R14 = 23,
    VMENTER_MR_R15 = 24,
    /* Extended messages only. */
    VMENTER_MR_ACTIVITY = 25, /* VCPU_ACTIVITY_* */
    VMENTER_MR_DEADLINE = 26,
    VMENTER_MR_CR0 = 27,
    VMENTER_MR_CR4 = 28,
    VMENTER_MR_EFER = 29,
    VMENTER_MR_CS_ACCESS_RIGHTS = 30, /* VMX format */
    VMENTER_MR_VECTORING_INFO = 31,
    VMENTER_MR_VECTORING_ERROR = 32,
    VMENTER_MR_INTERRUPTION_INFO = 33,
    VMENTER_MR_INTERRUPTION_ERROR = 34,
    VMENTER_MR_POSTED = 35, /* to 38; of a posting VMEnter only */
    VMENTER_MR_END = 39,
};

#define VMENTER_NOTIFICATION_LENGTH 3
#define VMENTER_EXIT_LENGTH         25
#define VMENTER_EXTENDED_LENGTH     27
#define VMENTER_POSTING_LENGTH      39
#define VMENTER_POSTED_WORDS        4

_Static_assert((int)VMENTER_MR_END <= (int)seL4_MsgMaxLength, "an exit fits a message");
_Static_assert((int)VMENTER_MR_POSTED + VMENTER_POSTED_WORDS == (int)VMENTER_MR_END, "a set fits");

/* Only 64-bit code can lie there: elsewhere rip has 32 bits at most (SDM 27.3.1.4). */
#define VMENTER_64_BIT_CODE 0x100000000ULL

#define VCPU_ACTIVITY_ACTIVE 0
#define VCPU_ACTIVITY_HLT    1
#define VCPU_DEADLINE_OFF    0xffffffffffffffffULL

/* The published names. */
#define SEL4_VMENTER_CALL_EIP_MR              0
#define SEL4_VMENTER_CALL_CONTROL_PPC_MR      1
#define SEL4_VMENTER_CALL_CONTROL_ENTRY_MR    2
#define SEL4_VMENTER_FAULT_REASON_MR          3
#define SEL4_VMENTER_FAULT_QUALIFICATION_MR   4
#define SEL4_VMENTER_FAULT_INSTRUCTION_LEN_MR 5
#define SEL4_VMENTER_FAULT_GUEST_PHYSICAL_MR  6
#define SEL4_VMENTER_FAULT_RFLAGS_MR          7
#define SEL4_VMENTER_FAULT_GUEST_INT_MR       8
#define SEL4_VMENTER_FAULT_CR3_MR             9
#define SEL4_VMENTER_FAULT_EAX                10
#define SEL4_VMENTER_FAULT_EBX                11
#define SEL4_VMENTER_FAULT_ECX                12
#define SEL4_VMENTER_FAULT_EDX                13
#define SEL4_VMENTER_FAULT_ESI                14
#define SEL4_VMENTER_FAULT_EDI                15
#define SEL4_VMENTER_FAULT_EBP                16
#define SEL4_VMENTER_FAULT_R8                 17
#define SEL4_VMENTER_FAULT_R9                 18
#define SEL4_VMENTER_FAULT_R10                19
#define SEL4_VMENTER_FAULT_R11                20
#define SEL4_VMENTER_FAULT_R12                21
#define SEL4_VMENTER_FAULT_R13                22
#define SEL4_VMENTER_FAULT_R14                23
#define SEL4_VMENTER_FAULT_R15                24
#define SEL4_VMENTER_RESULT_NOTIF             0
#define SEL4_VMENTER_RESULT_FAULT             1
#define SEL4_VMENTER_RESULT_NOTIF_LEN         VMENTER_NOTIFICATION_LENGTH
#define SEL4_VMENTER_RESULT_FAULT_LEN         VMENTER_EXIT_LENGTH

/*
 * Fields that ReadVMCS and WriteVMCS take beyond the published ones (BULKHEAD_EXT_VCPU_STATE and
 * BULKHEAD_EXT_VCPU_TIMER). VMCS_TSC_OFFSET and VMCS_ENTRY_INSTRUCTION_LENGTH (abi/vmcs.h) keep
 * their architectural encodings; these are not fields of any VMCS: bit 31 is reserved in an
 * encoding.
 */
enum vcpu_private_field {
    VCPU_FIELD_DEADLINE = 0x80000000,
    VCPU_FIELD_XCR0 = 0x80000002,
    VCPU_FIELD_CR2 = 0x80000004,
    VCPU_FIELD_DR0 = 0x80000006,
    VCPU_FIELD_DR1 = 0x80000008,
    VCPU_FIELD_DR2 = 0x8000000a,
    VCPU_FIELD_DR3 = 0x8000000c,
    VCPU_FIELD_DR6 = 0x8000000e,
    /* BULKHEAD_EXT_VIRTUAL_APIC; a word of a set has vectors 64 n to 64 n + 63. */
    VCPU_FIELD_VIRTUAL_APIC = 0x80000010, /* 0 or 1 */
    VCPU_FIELD_APIC_TPR = 0x80000012,
    VCPU_FIELD_APIC_ISR0 = 0x80000014,
    VCPU_FIELD_APIC_ISR3 = 0x8000001a,
    VCPU_FIELD_APIC_IRR0 = 0x8000001c,
    VCPU_FIELD_APIC_IRR3 = 0x80000022,
};

#define VCPU_FIELD_APIC_ISR(n) (VCPU_FIELD_APIC_ISR0 + 2 * (n))
#define VCPU_FIELD_APIC_IRR(n) (VCPU_FIELD_APIC_IRR0 + 2 * (n))

/* What ReadMSR and WriteMSR take; the last two with BULKHEAD_EXT_VCPU_STATE only. */
enum vcpu_msr {
    VCPU_MSR_VMX_MISC = 0x485, /* read only; bits 0-4: scale of the preemption timer */
    VCPU_MSR_STAR = 0xc0000081,
    VCPU_MSR_LSTAR = 0xc0000082,
    VCPU_MSR_CSTAR = 0xc0000083,
    VCPU_MSR_SFMASK = 0xc0000084,
    VCPU_MSR_KERNEL_GS_BASE = 0xc0000102,
    VCPU_MSR_TSC_AUX = 0xc0000103, /* if the processor has RDTSCP */
};

#endif
