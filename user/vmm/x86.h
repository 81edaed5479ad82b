/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Architectural constants of the processor a guest sees: control registers, flags, vectors,
 * event-information formats. Names are the manuals'.
 * Sources: Intel SDM vol. 3A 2.5 "Control registers", vol. 3C 24.8.3 and 24.9.2 (event
 * information); AMD APM vol. 2 ch. 3.
 */
#ifndef USER_VMM_X86_H
#define USER_VMM_X86_H

#include <stdbool.h>
#include <stdint.h>

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_VME        (1ull << 0)
#define CR4_PVI        (1ull << 1)
#define CR4_TSD        (1ull << 2)
#define CR4_DE         (1ull << 3)
#define CR4_PSE        (1ull << 4)
#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_PCE        (1ull << 8)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)

#define EFER_SCE   (1ull << 0)
#define EFER_LME   (1ull << 8)
#define EFER_LMA   (1ull << 10)
#define EFER_NXE   (1ull << 11)
#define EFER_FFXSR (1ull << 14)

#define RFLAGS_CF   (1ull << 0)
#define RFLAGS_ONE  (1ull << 1)
#define RFLAGS_PF   (1ull << 2)
#define RFLAGS_AF   (1ull << 4)
#define RFLAGS_ZF   (1ull << 6)
#define RFLAGS_SF   (1ull << 7)
#define RFLAGS_TF   (1ull << 8)
#define RFLAGS_IF   (1ull << 9)
#define RFLAGS_DF   (1ull << 10)
#define RFLAGS_OF   (1ull << 11)
#define RFLAGS_IOPL (3ull << 12)
#define RFLAGS_VM   (1ull << 17)
#define RFLAGS_AC   (1ull << 18)

#define DR6_SINGLE_STEP (1ull << 14)

#define XCR0_X87 (1ull << 0)
#define XCR0_SSE (1ull << 1)
#define XCR0_AVX (1ull << 2)

enum x86_vector {
    VECTOR_DB = 1,
    VECTOR_NMI = 2,
    VECTOR_UD = 6,
    VECTOR_GP = 13,
    VECTOR_PF = 14,
};

/* VM-entry interruption information and IDT-vectoring information. */
#define EVENT_VALID          (1u << 31)
#define EVENT_ERROR_CODE     (1u << 11)
#define EVENT_TYPE_MASK      (7u << 8)
#define EVENT_EXTERNAL       (0u << 8)
#define EVENT_NMI            (2u << 8)
#define EVENT_EXCEPTION      (3u << 8)
#define EVENT_SOFT_INTERRUPT (4u << 8)
#define EVENT_PRIV_EXCEPTION (5u << 8)
#define EVENT_SOFT_EXCEPTION (6u << 8)
#define EVENT_VECTOR_MASK    0xffu
/* Bits the architecture defines; the rest of an IDT-vectoring word is not to be sent back. */
#define EVENT_DEFINED (EVENT_VALID | EVENT_ERROR_CODE | EVENT_TYPE_MASK | EVENT_VECTOR_MASK)

/* Guest interruptibility state. */
#define BLOCKED_BY_STI    (1u << 0)
#define BLOCKED_BY_MOV_SS (1u << 1)
#define BLOCKED_BY_NMI    (1u << 3)
#define BLOCKED_SHADOW    (BLOCKED_BY_STI | BLOCKED_BY_MOV_SS)

/* Segment access rights, VMX format. */
#define SEGMENT_LONG     (1u << 13)
#define SEGMENT_BIG      (1u << 14)
#define SEGMENT_UNUSABLE (1u << 16)
#define SEGMENT_DPL(ar)  ((ar) >> 5 & 3)

/* Whether the processor runs 64-bit code: elsewhere in long mode, code is of 32 or 16 bits. */
static inline bool x86_is_64_bit(uint64_t efer, uint64_t cs_rights)
{
    return (efer & EFER_LMA) != 0 && (cs_rights & SEGMENT_LONG) != 0;
}

#endif
