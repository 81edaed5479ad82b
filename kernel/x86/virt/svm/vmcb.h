/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual machine control block of AMD-V, and the numbers that go with it.
 * Sources: AMD APM volume 2, appendix B (layout of VMCB), appendix C (exit codes), section 15.20
 * (event injection), 15.10 and 15.11 (I/O and MSR permission maps).
 */
#ifndef KERNEL_X86_VIRT_SVM_VMCB_H
#define KERNEL_X86_VIRT_SVM_VMCB_H

#include "kernel/core/types.h"

struct vmcb_segment {
    u16 selector;
    u16 attributes; /* descriptor bits 40-47 in 0-7, 52-55 in 8-11 */
    u32 limit;
    u64 base;
};

/* Appendix B, table B-1: the control area. */
struct vmcb_control {
    u32 intercepts[6]; /* enum vmcb_intercept_word */
    u8 reserved_018[0x40 - 0x18];
    u64 iopm_base;
    u64 msrpm_base;
    u64 tsc_offset;
    u32 asid;
    u8 tlb_control;
    u8 reserved_05d[3];
    u8 v_tpr;
    u8 v_irq;          /* bit 0 V_IRQ, bit 1 VGIF */
    u8 v_intr;         /* bits 0-3 priority, bit 4 ignore TPR */
    u8 v_intr_masking; /* bit 0 */
    u8 v_intr_vector;
    u8 reserved_065[3];
    u64 interrupt_shadow; /* bit 0 */
    u64 exit_code;
    u64 exit_info1;
    u64 exit_info2;
    u64 exit_int_info;
    u64 nested_control; /* bit 0: nested paging */
    u8 reserved_098[0xa8 - 0x98];
    u64 event_injection;
    u64 nested_cr3;
    u8 reserved_0b8[0xc8 - 0xb8];
    u64 next_rip;
    u8 reserved_0d0[0x400 - 0xd0];
};

/* Table B-2: the state save area, at offset 0x400. */
struct vmcb_save {
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    u8 reserved_0a0[0xcb - 0xa0];
    u8 cpl;
    u32 reserved_0cc;
    u64 efer;
    u8 reserved_0d8[0x148 - 0xd8];
    u64 cr4, cr3, cr0;
    u64 dr7, dr6;
    u64 rflags, rip;
    u8 reserved_180[0x1d8 - 0x180];
    u64 rsp;
    u8 reserved_1e0[0x1f8 - 0x1e0];
    u64 rax;
    u64 star, lstar, cstar, sfmask, kernel_gs_base;
    u64 sysenter_cs, sysenter_esp, sysenter_eip;
    u64 cr2;
    u8 reserved_248[0x268 - 0x248];
    u64 pat;
    u64 debugctl;
    u64 last_branch[4];
};

struct vmcb {
    struct vmcb_control control;
    struct vmcb_save save;
    u8 reserved[0x1000 - 0x400 - sizeof(struct vmcb_save)];
};
_Static_assert(sizeof(struct vmcb_control) == 0x400, "table B-1");
_Static_assert(offsetof(struct vmcb_control, iopm_base) == 0x40, "table B-1");
_Static_assert(offsetof(struct vmcb_control, asid) == 0x58, "table B-1");
_Static_assert(offsetof(struct vmcb_control, exit_code) == 0x70, "table B-1");
_Static_assert(offsetof(struct vmcb_control, nested_control) == 0x90, "table B-1");
_Static_assert(offsetof(struct vmcb_control, event_injection) == 0xa8, "table B-1");
_Static_assert(offsetof(struct vmcb_control, next_rip) == 0xc8, "table B-1");
_Static_assert(offsetof(struct vmcb_save, cpl) == 0xcb, "table B-2");
_Static_assert(offsetof(struct vmcb_save, efer) == 0xd0, "table B-2");
_Static_assert(offsetof(struct vmcb_save, cr4) == 0x148, "table B-2");
_Static_assert(offsetof(struct vmcb_save, rsp) == 0x1d8, "table B-2");
_Static_assert(offsetof(struct vmcb_save, rax) == 0x1f8, "table B-2");
_Static_assert(offsetof(struct vmcb_save, cr2) == 0x240, "table B-2");
_Static_assert(offsetof(struct vmcb_save, pat) == 0x268, "table B-2");
_Static_assert(sizeof(struct vmcb) == 0x1000, "one page");

/* An intercept's place follows from its exit code: the word is code / 32, the bit code % 32. */
enum vmcb_intercept_word {
    INTERCEPT_CR, /* bits 0-15 reads, 16-31 writes */
    INTERCEPT_DR, /* bits 0-15 reads, 16-31 writes */
    INTERCEPT_EXCEPTION,
    INTERCEPT_3,
    INTERCEPT_4,
    INTERCEPT_5,
};
#define INTERCEPT(exit) BIT(SVM_EXIT_##exit % 32)

/* Appendix C. */
enum svm_exit_code {
    SVM_EXIT_CR0_READ = 0x00,
    SVM_EXIT_CR0_WRITE = 0x10,
    SVM_EXIT_DR0_READ = 0x20,
    SVM_EXIT_DR0_WRITE = 0x30,
    SVM_EXIT_EXCEPTION = 0x40,
    SVM_EXIT_INTR = 0x60,
    SVM_EXIT_NMI = 0x61,
    SVM_EXIT_SMI = 0x62,
    SVM_EXIT_INIT = 0x63,
    SVM_EXIT_VINTR = 0x64,
    SVM_EXIT_IDTR_READ = 0x66,
    SVM_EXIT_TR_WRITE = 0x6d,
    SVM_EXIT_RDTSC = 0x6e,
    SVM_EXIT_RDPMC = 0x6f,
    SVM_EXIT_CPUID = 0x72,
    SVM_EXIT_RSM = 0x73,
    SVM_EXIT_IRET = 0x74,
    SVM_EXIT_INVD = 0x76,
    SVM_EXIT_PAUSE = 0x77,
    SVM_EXIT_HLT = 0x78,
    SVM_EXIT_INVLPG = 0x79,
    SVM_EXIT_INVLPGA = 0x7a,
    SVM_EXIT_IO = 0x7b,
    SVM_EXIT_MSR = 0x7c,
    SVM_EXIT_TASK_SWITCH = 0x7d,
    SVM_EXIT_SHUTDOWN = 0x7f,
    SVM_EXIT_VMRUN = 0x80,
    SVM_EXIT_VMMCALL = 0x81,
    SVM_EXIT_VMLOAD = 0x82,
    SVM_EXIT_VMSAVE = 0x83,
    SVM_EXIT_STGI = 0x84,
    SVM_EXIT_CLGI = 0x85,
    SVM_EXIT_SKINIT = 0x86,
    SVM_EXIT_RDTSCP = 0x87,
    SVM_EXIT_WBINVD = 0x89,
    SVM_EXIT_MONITOR = 0x8a,
    SVM_EXIT_MWAIT = 0x8b,
    SVM_EXIT_MWAIT_CONDITIONAL = 0x8c,
    SVM_EXIT_XSETBV = 0x8d,
    SVM_EXIT_RDPRU = 0x8e,
    SVM_EXIT_INVLPGB = 0xa0,
    SVM_EXIT_INVLPGB_ILLEGAL = 0xa1,
    SVM_EXIT_MCOMMIT = 0xa3,
    SVM_EXIT_TLBSYNC = 0xa4,
    SVM_EXIT_NESTED_PAGE_FAULT = 0x400,
};
#define SVM_EXIT_INVALID                                                                           \
    0xffffffffu /* low half; QEMU zeroes the upper half, the manual says all ones */

/* Event injection and exit interrupt information (15.20). */
#define EVENT_VECTOR(info) ((info)&0xff)
#define EVENT_TYPE(info)   (((info) >> 8) & 7)
#define EVENT_ERROR_VALID  BIT(11)
#define EVENT_VALID        BIT(31)

enum event_type {
    EVENT_INTERRUPT = 0,
    EVENT_NMI = 2,
    EVENT_EXCEPTION = 3,
    EVENT_SOFTWARE = 4,
};

#define TLB_CONTROL_NOTHING   0
#define TLB_CONTROL_FLUSH_ALL 1

#define NESTED_CONTROL_NP BIT(0)
#define V_IRQ             BIT(0)
#define V_INTR_IGNORE_TPR BIT(4)
#define V_INTR_MASKING    BIT(0)

/* Nested page fault, EXITINFO1 (15.25.6). */
#define NPF_PRESENT BIT(0)
#define NPF_WRITE   BIT(1)
#define NPF_FETCH   BIT(4)
#define NPF_FINAL   BIT(32)

#endif
