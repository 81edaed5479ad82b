/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vocabulary of VT-x that is part of the API on both vendors: encodings of VMCS fields are the
 * names of a VCPU's fields, exit reasons and qualifications are VMX's, and so are the bits of the
 * control fields. On AMD-V the kernel translates.
 *
 * Sources: Intel SDM volume 3, chapter 25 (VMCS), chapter 28 (VM exits), appendix B (field
 * encodings) and appendix C (basic exit reasons).
 */
#ifndef ABI_VMCS_H
#define ABI_VMCS_H

/* --- field encodings (appendix B) ------------------------------------------------------------ */

enum vmcs_field {
    /* 16-bit, control (not accessible by the API) */
    VMCS_VPID = 0x0000,
    /* 16-bit, guest: selectors */
    VMCS_GUEST_ES_SELECTOR = 0x0800,
    VMCS_GUEST_CS_SELECTOR = 0x0802,
    VMCS_GUEST_SS_SELECTOR = 0x0804,
    VMCS_GUEST_DS_SELECTOR = 0x0806,
    VMCS_GUEST_FS_SELECTOR = 0x0808,
    VMCS_GUEST_GS_SELECTOR = 0x080a,
    VMCS_GUEST_LDTR_SELECTOR = 0x080c,
    VMCS_GUEST_TR_SELECTOR = 0x080e,
    VMCS_GUEST_INTERRUPT_STATUS = 0x0810, /* not accessible */
    /* 16-bit, host */
    VMCS_HOST_ES_SELECTOR = 0x0c00,
    VMCS_HOST_CS_SELECTOR = 0x0c02,
    VMCS_HOST_SS_SELECTOR = 0x0c04,
    VMCS_HOST_DS_SELECTOR = 0x0c06,
    VMCS_HOST_FS_SELECTOR = 0x0c08,
    VMCS_HOST_GS_SELECTOR = 0x0c0a,
    VMCS_HOST_TR_SELECTOR = 0x0c0c,
    /* 64-bit, control */
    VMCS_IO_BITMAP_A = 0x2000,
    VMCS_IO_BITMAP_B = 0x2002,
    VMCS_MSR_BITMAP = 0x2004,
    VMCS_EXIT_MSR_STORE = 0x2006,
    VMCS_EXIT_MSR_LOAD = 0x2008,
    VMCS_ENTRY_MSR_LOAD = 0x200a,
    VMCS_TSC_OFFSET = 0x2010, /* Bulkhead: accessible (BULKHEAD_EXT_VCPU_STATE) */
    VMCS_VIRTUAL_APIC = 0x2012,
    VMCS_APIC_ACCESS = 0x2014,
    VMCS_EPT_POINTER = 0x201a,
    VMCS_EOI_EXIT_BITMAP0 = 0x201c, /* Bulkhead: accessible (BULKHEAD_EXT_VIRTUAL_APIC) */
    VMCS_EOI_EXIT_BITMAP1 = 0x201e,
    VMCS_EOI_EXIT_BITMAP2 = 0x2020,
    VMCS_EOI_EXIT_BITMAP3 = 0x2022,
#define VMCS_EOI_EXIT_BITMAP(n) (VMCS_EOI_EXIT_BITMAP0 + 2 * (n))
    VMCS_XSS_EXITING_BITMAP = 0x202c,
    /* 64-bit, read only */
    VMCS_GUEST_PHYSICAL_ADDRESS = 0x2400,
    /* 64-bit, guest */
    VMCS_LINK_POINTER = 0x2800,
    VMCS_GUEST_DEBUGCTL = 0x2802,
    VMCS_GUEST_PAT = 0x2804,
    VMCS_GUEST_EFER = 0x2806,
    VMCS_GUEST_PERF_GLOBAL_CTRL = 0x2808,
    VMCS_GUEST_PDPTE0 = 0x280a,
    VMCS_GUEST_PDPTE1 = 0x280c,
    VMCS_GUEST_PDPTE2 = 0x280e,
    VMCS_GUEST_PDPTE3 = 0x2810,
#define VMCS_GUEST_PDPTE(n) (VMCS_GUEST_PDPTE0 + 2 * (n))
    /* 64-bit, host */
    VMCS_HOST_PAT = 0x2c00,
    VMCS_HOST_EFER = 0x2c02,
    VMCS_HOST_PERF_GLOBAL_CTRL = 0x2c04,
    /* 32-bit, control */
    VMCS_PIN_CONTROLS = 0x4000,
    VMCS_PRIMARY_CONTROLS = 0x4002,
    VMCS_EXCEPTION_BITMAP = 0x4004,
    VMCS_PAGE_FAULT_ERROR_MASK = 0x4006,
    VMCS_PAGE_FAULT_ERROR_MATCH = 0x4008,
    VMCS_CR3_TARGET_COUNT = 0x400a,
    VMCS_EXIT_CONTROLS = 0x400c,
    VMCS_EXIT_MSR_STORE_COUNT = 0x400e,
    VMCS_EXIT_MSR_LOAD_COUNT = 0x4010,
    VMCS_ENTRY_CONTROLS = 0x4012,
    VMCS_ENTRY_MSR_LOAD_COUNT = 0x4014,
    VMCS_ENTRY_INTERRUPTION_INFO = 0x4016,
    VMCS_ENTRY_EXCEPTION_ERROR = 0x4018,    /* write only */
    VMCS_ENTRY_INSTRUCTION_LENGTH = 0x401a, /* Bulkhead: accessible (BULKHEAD_EXT_VCPU_STATE) */
    VMCS_TPR_THRESHOLD = 0x401c,
    VMCS_SECONDARY_CONTROLS = 0x401e,
    /* 32-bit, read only */
    VMCS_INSTRUCTION_ERROR = 0x4400,
    VMCS_EXIT_REASON = 0x4402,
    VMCS_EXIT_INTERRUPTION_INFO = 0x4404,
    VMCS_EXIT_INTERRUPTION_ERROR = 0x4406,
    VMCS_IDT_VECTORING_INFO = 0x4408,
    VMCS_IDT_VECTORING_ERROR = 0x440a,
    VMCS_EXIT_INSTRUCTION_LENGTH = 0x440c,
    VMCS_EXIT_INSTRUCTION_INFO = 0x440e,
    /* 32-bit, guest */
    VMCS_GUEST_ES_LIMIT = 0x4800,
    VMCS_GUEST_CS_LIMIT = 0x4802,
    VMCS_GUEST_SS_LIMIT = 0x4804,
    VMCS_GUEST_DS_LIMIT = 0x4806,
    VMCS_GUEST_FS_LIMIT = 0x4808,
    VMCS_GUEST_GS_LIMIT = 0x480a,
    VMCS_GUEST_LDTR_LIMIT = 0x480c,
    VMCS_GUEST_TR_LIMIT = 0x480e,
    VMCS_GUEST_GDTR_LIMIT = 0x4810,
    VMCS_GUEST_IDTR_LIMIT = 0x4812,
    VMCS_GUEST_ES_ACCESS_RIGHTS = 0x4814,
    VMCS_GUEST_CS_ACCESS_RIGHTS = 0x4816,
    VMCS_GUEST_SS_ACCESS_RIGHTS = 0x4818,
    VMCS_GUEST_DS_ACCESS_RIGHTS = 0x481a,
    VMCS_GUEST_FS_ACCESS_RIGHTS = 0x481c,
    VMCS_GUEST_GS_ACCESS_RIGHTS = 0x481e,
    VMCS_GUEST_LDTR_ACCESS_RIGHTS = 0x4820,
    VMCS_GUEST_TR_ACCESS_RIGHTS = 0x4822,
    VMCS_GUEST_INTERRUPTIBILITY = 0x4824,
    VMCS_GUEST_ACTIVITY = 0x4826,
    VMCS_GUEST_SMBASE = 0x4828,
    VMCS_GUEST_SYSENTER_CS = 0x482a,
    VMCS_PREEMPTION_TIMER = 0x482e,
    /* 32-bit, host */
    VMCS_HOST_SYSENTER_CS = 0x4c00,
    /* natural width, control */
    VMCS_CR0_MASK = 0x6000,
    VMCS_CR4_MASK = 0x6002,
    VMCS_CR0_SHADOW = 0x6004,
    VMCS_CR4_SHADOW = 0x6006,
    /* natural width, read only */
    VMCS_EXIT_QUALIFICATION = 0x6400,
    VMCS_IO_RCX = 0x6402,
    VMCS_IO_RSI = 0x6404,
    VMCS_IO_RDI = 0x6406,
    VMCS_IO_RIP = 0x6408,
    VMCS_GUEST_LINEAR_ADDRESS = 0x640a,
    /* natural width, guest */
    VMCS_GUEST_CR0 = 0x6800,
    VMCS_GUEST_CR3 = 0x6802,
    VMCS_GUEST_CR4 = 0x6804,
    VMCS_GUEST_ES_BASE = 0x6806,
    VMCS_GUEST_CS_BASE = 0x6808,
    VMCS_GUEST_SS_BASE = 0x680a,
    VMCS_GUEST_DS_BASE = 0x680c,
    VMCS_GUEST_FS_BASE = 0x680e,
    VMCS_GUEST_GS_BASE = 0x6810,
    VMCS_GUEST_LDTR_BASE = 0x6812,
    VMCS_GUEST_TR_BASE = 0x6814,
    VMCS_GUEST_GDTR_BASE = 0x6816,
    VMCS_GUEST_IDTR_BASE = 0x6818,
    VMCS_GUEST_DR7 = 0x681a,
    VMCS_GUEST_RSP = 0x681c,
    VMCS_GUEST_RIP = 0x681e,
    VMCS_GUEST_RFLAGS = 0x6820,
    VMCS_GUEST_PENDING_DEBUG = 0x6822,
    VMCS_GUEST_SYSENTER_ESP = 0x6824,
    VMCS_GUEST_SYSENTER_EIP = 0x6826,
    /* natural width, host */
    VMCS_HOST_CR0 = 0x6c00,
    VMCS_HOST_CR3 = 0x6c02,
    VMCS_HOST_CR4 = 0x6c04,
    VMCS_HOST_FS_BASE = 0x6c06,
    VMCS_HOST_GS_BASE = 0x6c08,
    VMCS_HOST_TR_BASE = 0x6c0a,
    VMCS_HOST_GDTR_BASE = 0x6c0c,
    VMCS_HOST_IDTR_BASE = 0x6c0e,
    VMCS_HOST_SYSENTER_ESP = 0x6c10,
    VMCS_HOST_SYSENTER_EIP = 0x6c12,
    VMCS_HOST_RSP = 0x6c14,
    VMCS_HOST_RIP = 0x6c16,
};

/* Segment fields come in the order ES CS SS DS FS GS LDTR TR, two apart. */
enum vmcs_segment {
    VMCS_SEGMENT_ES,
    VMCS_SEGMENT_CS,
    VMCS_SEGMENT_SS,
    VMCS_SEGMENT_DS,
    VMCS_SEGMENT_FS,
    VMCS_SEGMENT_GS,
    VMCS_SEGMENT_LDTR,
    VMCS_SEGMENT_TR,
    VMCS_SEGMENT_COUNT,
};
#define VMCS_GUEST_SELECTOR(segment)      (VMCS_GUEST_ES_SELECTOR + 2 * (segment))
#define VMCS_GUEST_LIMIT(segment)         (VMCS_GUEST_ES_LIMIT + 2 * (segment))
#define VMCS_GUEST_ACCESS_RIGHTS(segment) (VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * (segment))
#define VMCS_GUEST_BASE(segment)          (VMCS_GUEST_ES_BASE + 2 * (segment))

/* --- access rights (section 25.4.1): descriptor bits 40-47 and 52-55 in 0-7 and 12-15 -------- */

#define VMX_AR_TYPE_MASK 0x000fu
#define VMX_AR_S         0x0010u /* code or data */
#define VMX_AR_DPL_SHIFT 5
#define VMX_AR_DPL_MASK  0x0060u
#define VMX_AR_P         0x0080u
#define VMX_AR_AVL       0x1000u
#define VMX_AR_L         0x2000u
#define VMX_AR_DB        0x4000u
#define VMX_AR_G         0x8000u
#define VMX_AR_UNUSABLE  0x10000u

/* --- control bits (sections 25.6 to 25.8) ---------------------------------------------------- */

/* pin-based */
#define VMX_PIN_EXTERNAL_INTERRUPT (1u << 0)
#define VMX_PIN_NMI                (1u << 3)
#define VMX_PIN_VIRTUAL_NMI        (1u << 5)
#define VMX_PIN_PREEMPTION_TIMER   (1u << 6)
#define VMX_PIN_POSTED_INTERRUPTS  (1u << 7)

/* primary processor-based */
#define VMX_PRIMARY_INTERRUPT_WINDOW (1u << 2)
#define VMX_PRIMARY_TSC_OFFSETTING   (1u << 3)
#define VMX_PRIMARY_HLT              (1u << 7)
#define VMX_PRIMARY_INVLPG           (1u << 9)
#define VMX_PRIMARY_MWAIT            (1u << 10)
#define VMX_PRIMARY_RDPMC            (1u << 11)
#define VMX_PRIMARY_RDTSC            (1u << 12)
#define VMX_PRIMARY_CR3_LOAD         (1u << 15)
#define VMX_PRIMARY_CR3_STORE        (1u << 16)
#define VMX_PRIMARY_CR8_LOAD         (1u << 19)
#define VMX_PRIMARY_CR8_STORE        (1u << 20)
#define VMX_PRIMARY_TPR_SHADOW       (1u << 21)
#define VMX_PRIMARY_NMI_WINDOW       (1u << 22)
#define VMX_PRIMARY_MOV_DR           (1u << 23)
#define VMX_PRIMARY_UNCONDITIONAL_IO (1u << 24)
#define VMX_PRIMARY_IO_BITMAPS       (1u << 25)
#define VMX_PRIMARY_MONITOR_TRAP     (1u << 27)
#define VMX_PRIMARY_MSR_BITMAPS      (1u << 28)
#define VMX_PRIMARY_MONITOR          (1u << 29)
#define VMX_PRIMARY_PAUSE            (1u << 30)
#define VMX_PRIMARY_SECONDARY        (1u << 31)

/* secondary processor-based */
#define VMX_SECONDARY_APIC_ACCESS        (1u << 0)
#define VMX_SECONDARY_EPT                (1u << 1)
#define VMX_SECONDARY_DESCRIPTOR_TABLE   (1u << 2)
#define VMX_SECONDARY_RDTSCP             (1u << 3)
#define VMX_SECONDARY_X2APIC             (1u << 4)
#define VMX_SECONDARY_VPID               (1u << 5)
#define VMX_SECONDARY_WBINVD             (1u << 6)
#define VMX_SECONDARY_UNRESTRICTED_GUEST (1u << 7)
#define VMX_SECONDARY_APIC_REGISTERS     (1u << 8)
#define VMX_SECONDARY_VIRTUAL_INTERRUPTS (1u << 9)
#define VMX_SECONDARY_VIRTUAL_APIC                                                                 \
    (VMX_SECONDARY_X2APIC | VMX_SECONDARY_APIC_REGISTERS | VMX_SECONDARY_VIRTUAL_INTERRUPTS)
#define VMX_SECONDARY_PAUSE_LOOP (1u << 10)
#define VMX_SECONDARY_RDRAND     (1u << 11)
#define VMX_SECONDARY_INVPCID    (1u << 12)
#define VMX_SECONDARY_RDSEED     (1u << 16)
#define VMX_SECONDARY_XSAVES     (1u << 20)

/* VM exit */
#define VMX_EXIT_CTL_SAVE_DEBUG    (1u << 2)
#define VMX_EXIT_CTL_HOST_64       (1u << 9)
#define VMX_EXIT_CTL_LOAD_PERF     (1u << 12)
#define VMX_EXIT_CTL_ACK_INTERRUPT (1u << 15)
#define VMX_EXIT_CTL_SAVE_PAT      (1u << 18)
#define VMX_EXIT_CTL_LOAD_PAT      (1u << 19)
#define VMX_EXIT_CTL_SAVE_EFER     (1u << 20)
#define VMX_EXIT_CTL_LOAD_EFER     (1u << 21)
#define VMX_EXIT_CTL_SAVE_TIMER    (1u << 22)

/* VM entry */
#define VMX_ENTRY_CTL_LOAD_DEBUG (1u << 2)
#define VMX_ENTRY_CTL_GUEST_64   (1u << 9)
#define VMX_ENTRY_CTL_LOAD_PERF  (1u << 13)
#define VMX_ENTRY_CTL_LOAD_PAT   (1u << 14)
#define VMX_ENTRY_CTL_LOAD_EFER  (1u << 15)

/* --- events (sections 25.8.3, 25.9.2, 25.9.3): vector, type, error code, valid --------------- */

#define VMX_EVENT_VECTOR_MASK          0x000000ffu
#define VMX_EVENT_TYPE_SHIFT           8
#define VMX_EVENT_TYPE_MASK            0x00000700u
#define VMX_EVENT_EXTERNAL             0x00000000u
#define VMX_EVENT_NMI                  0x00000200u
#define VMX_EVENT_EXCEPTION            0x00000300u
#define VMX_EVENT_SOFTWARE_INTERRUPT   0x00000400u
#define VMX_EVENT_PRIVILEGED_EXCEPTION 0x00000500u
#define VMX_EVENT_SOFTWARE_EXCEPTION   0x00000600u
#define VMX_EVENT_OTHER                0x00000700u
#define VMX_EVENT_ERROR_CODE           0x00000800u
#define VMX_EVENT_NMI_UNBLOCKING       0x00001000u /* exits only */
#define VMX_EVENT_VALID                0x80000000u

/* Interruptibility state (section 25.4.2). */
#define VMX_INTERRUPTIBILITY_STI    1u
#define VMX_INTERRUPTIBILITY_MOV_SS 2u
#define VMX_INTERRUPTIBILITY_SMI    4u
#define VMX_INTERRUPTIBILITY_NMI    8u

/* Activity state (section 25.4.2). */
#define VMX_ACTIVITY_ACTIVE        0u
#define VMX_ACTIVITY_HLT           1u
#define VMX_ACTIVITY_SHUTDOWN      2u
#define VMX_ACTIVITY_WAIT_FOR_SIPI 3u

/* --- basic exit reasons (appendix C) --------------------------------------------------------- */

enum vmx_exit_reason {
    VMX_EXIT_EXCEPTION_NMI = 0,
    VMX_EXIT_EXTERNAL_INTERRUPT = 1,
    VMX_EXIT_TRIPLE_FAULT = 2,
    VMX_EXIT_INIT = 3,
    VMX_EXIT_SIPI = 4,
    VMX_EXIT_IO_SMI = 5,
    VMX_EXIT_SMI = 6,
    VMX_EXIT_INTERRUPT_WINDOW = 7,
    VMX_EXIT_NMI_WINDOW = 8,
    VMX_EXIT_TASK_SWITCH = 9,
    VMX_EXIT_CPUID = 10,
    VMX_EXIT_GETSEC = 11,
    VMX_EXIT_HLT = 12,
    VMX_EXIT_INVD = 13,
    VMX_EXIT_INVLPG = 14,
    VMX_EXIT_RDPMC = 15,
    VMX_EXIT_RDTSC = 16,
    VMX_EXIT_RSM = 17,
    VMX_EXIT_VMCALL = 18,
    VMX_EXIT_VMCLEAR = 19,
    VMX_EXIT_VMLAUNCH = 20,
    VMX_EXIT_VMPTRLD = 21,
    VMX_EXIT_VMPTRST = 22,
    VMX_EXIT_VMREAD = 23,
    VMX_EXIT_VMRESUME = 24,
    VMX_EXIT_VMWRITE = 25,
    VMX_EXIT_VMXOFF = 26,
    VMX_EXIT_VMXON = 27,
    VMX_EXIT_CR_ACCESS = 28,
    VMX_EXIT_MOV_DR = 29,
    VMX_EXIT_IO = 30,
    VMX_EXIT_RDMSR = 31,
    VMX_EXIT_WRMSR = 32,
    VMX_EXIT_INVALID_GUEST_STATE = 33,
    VMX_EXIT_MSR_LOADING = 34,
    VMX_EXIT_MWAIT = 36,
    VMX_EXIT_MONITOR_TRAP = 37,
    VMX_EXIT_MONITOR = 39,
    VMX_EXIT_PAUSE = 40,
    VMX_EXIT_MACHINE_CHECK_ENTRY = 41,
    VMX_EXIT_TPR_BELOW_THRESHOLD = 43,
    VMX_EXIT_APIC_ACCESS = 44,
    VMX_EXIT_VIRTUALIZED_EOI = 45,
    VMX_EXIT_GDTR_IDTR = 46,
    VMX_EXIT_LDTR_TR = 47,
    VMX_EXIT_EPT_VIOLATION = 48,
    VMX_EXIT_EPT_MISCONFIGURATION = 49,
    VMX_EXIT_INVEPT = 50,
    VMX_EXIT_RDTSCP = 51,
    VMX_EXIT_PREEMPTION_TIMER = 52,
    VMX_EXIT_INVVPID = 53,
    VMX_EXIT_WBINVD = 54,
    VMX_EXIT_XSETBV = 55,
    VMX_EXIT_APIC_WRITE = 56,
    VMX_EXIT_RDRAND = 57,
    VMX_EXIT_INVPCID = 58,
    VMX_EXIT_VMFUNC = 59,
    VMX_EXIT_RDSEED = 61,
    VMX_EXIT_XSAVES = 63,
    VMX_EXIT_XRSTORS = 64,
};

/* The processor refused to enter at all; qualification all ones. */
#define VMX_EXIT_ENTRY_REFUSED 0xffffffffULL

/* VMCS_INSTRUCTION_ERROR after such an entry (section 31.4). */
#define VMX_ERROR_INVALID_CONTROL 7u

/* --- exit qualifications (section 28.2.1) ---------------------------------------------------- */

/* I/O instruction (table 28-5) */
#define VMX_IO_SIZE_MASK  7u /* bytes minus one */
#define VMX_IO_IN         (1u << 3)
#define VMX_IO_STRING     (1u << 4)
#define VMX_IO_REP        (1u << 5)
#define VMX_IO_IMMEDIATE  (1u << 6)
#define VMX_IO_PORT_SHIFT 16

/* Control register access (table 28-3) */
#define VMX_CR_NUMBER_MASK 0xfu
#define VMX_CR_TYPE_SHIFT  4
#define VMX_CR_TYPE_MASK   3u
#define VMX_CR_TYPE_WRITE  0u
#define VMX_CR_TYPE_READ   1u
#define VMX_CR_TYPE_CLTS   2u
#define VMX_CR_TYPE_LMSW   3u
#define VMX_CR_GPR_SHIFT                                                                           \
    8 /* in the instruction set's numbering: 0 rax 1 rcx 2 rdx 3 rbx 4 rsp ... */
#define VMX_CR_GPR_MASK 0xfu

/* MOV DR (table 28-4) */
#define VMX_DR_NUMBER_MASK 7u
#define VMX_DR_READ        (1u << 4)
#define VMX_DR_GPR_SHIFT   8

/* EPT violation (table 28-7) */
#define VMX_EPT_READ         (1u << 0)
#define VMX_EPT_WRITE        (1u << 1)
#define VMX_EPT_FETCH        (1u << 2)
#define VMX_EPT_READABLE     (1u << 3)
#define VMX_EPT_WRITABLE     (1u << 4)
#define VMX_EPT_EXECUTABLE   (1u << 5)
#define VMX_EPT_LINEAR_VALID (1u << 7)
#define VMX_EPT_TRANSLATED   (1u << 8) /* else an access to a guest paging structure */

#endif
