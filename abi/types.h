/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The types that kernel, user programs and host tools share: words, capability rights, message
 * information, the IPC buffer, object types and sizes, register contexts. Names and numbers are the
 * published ones of seL4 16 in the configuration x86-64, MCS, SMP, VT-x with 64-bit guests, IOMMU.
 *
 * Units      sizes end in Bits (log2 of bytes) or Bytes
 * Layout     one-word structures are read and written by the functions here only
 * Sources    the seL4 reference manual, appendix on the C types, and the numbers that the release
 *            16.0.0 generates for this configuration
 */
#ifndef ABI_TYPES_H
#define ABI_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef int8_t seL4_Int8;
typedef int16_t seL4_Int16;
typedef int32_t seL4_Int32;
typedef int64_t seL4_Int64;
typedef uint8_t seL4_Uint8;
typedef uint16_t seL4_Uint16;
typedef uint32_t seL4_Uint32;
typedef uint64_t seL4_Uint64;

typedef uint64_t seL4_Word;
typedef int8_t seL4_Bool;
typedef seL4_Word seL4_CPtr;
typedef seL4_Word seL4_SlotPos;
typedef seL4_Word seL4_NodeId;
typedef seL4_Word seL4_PAddr;
typedef seL4_Word seL4_Domain;
typedef seL4_Uint64 seL4_Time; /* microseconds */

#define seL4_True  1
#define seL4_False 0

/* One name for each kind of capability, for the reader; to the compiler all are addresses. */
typedef seL4_CPtr seL4_CNode;
typedef seL4_CPtr seL4_IRQHandler;
typedef seL4_CPtr seL4_IRQControl;
typedef seL4_CPtr seL4_TCB;
typedef seL4_CPtr seL4_Untyped;
typedef seL4_CPtr seL4_DomainSet;
typedef seL4_CPtr seL4_SchedContext;
typedef seL4_CPtr seL4_SchedControl;
typedef seL4_CPtr seL4_X64_PML4;
typedef seL4_CPtr seL4_X86_ASIDControl;
typedef seL4_CPtr seL4_X86_ASIDPool;
typedef seL4_CPtr seL4_X86_IOSpace;
typedef seL4_CPtr seL4_X86_IOPort;
typedef seL4_CPtr seL4_X86_IOPortControl;
typedef seL4_CPtr seL4_X86_Page;
typedef seL4_CPtr seL4_X86_PDPT;
typedef seL4_CPtr seL4_X86_PageDirectory;
typedef seL4_CPtr seL4_X86_PageTable;
typedef seL4_CPtr seL4_X86_IOPageTable;
typedef seL4_CPtr seL4_X86_EPTPML4;
typedef seL4_CPtr seL4_X86_EPTPDPT;
typedef seL4_CPtr seL4_X86_EPTPD;
typedef seL4_CPtr seL4_X86_EPTPT;
typedef seL4_CPtr seL4_X86_VCPU;

#define seL4_NilData ((seL4_Word)0)

/* --- configuration that user programs may ask about ------------------------------------------ */

#define CONFIG_NUM_PRIORITIES                256
#define CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS 230
#define CONFIG_NUM_DOMAINS                   1

enum {
    seL4_InvalidPrio = -1,
    seL4_MinPrio = 0,
    seL4_MaxPrio = CONFIG_NUM_PRIORITIES - 1,
};

/* --- object types ---------------------------------------------------------------------------- */

typedef enum {
    seL4_UntypedObject = 0,
    seL4_TCBObject,
    seL4_EndpointObject,
    seL4_NotificationObject,
    seL4_CapTableObject,
    seL4_SchedContextObject,
    seL4_ReplyObject,
    seL4_NonArchObjectTypeCount,
} seL4_ObjectType;

typedef enum {
    seL4_X86_PDPTObject = seL4_NonArchObjectTypeCount,
    seL4_X64_PML4Object,
    seL4_X64_HugePageObject,
    seL4_ModeObjectTypeCount,
} seL4_ModeObjectType;

typedef enum {
    seL4_X86_4K = seL4_ModeObjectTypeCount,
    seL4_X86_LargePageObject,
    seL4_X86_PageTableObject,
    seL4_X86_PageDirectoryObject,
    seL4_X86_IOPageTableObject,
    seL4_X86_VCPUObject,
    seL4_X86_EPTPML4Object,
    seL4_X86_EPTPDPTObject,
    seL4_X86_EPTPDObject,
    seL4_X86_EPTPTObject,
    seL4_ObjectTypeCount,
} seL4_ArchObjectType;

#define seL4_VSpaceObject seL4_X64_PML4Object

_Static_assert(seL4_X86_PDPTObject == 7 && seL4_X86_4K == 10 && seL4_X86_PageTableObject == 12 &&
                   seL4_X86_VCPUObject == 15 && seL4_ObjectTypeCount == 20,
               "published object types");

/* --- sizes (log2 of bytes) and limits -------------------------------------------------------- */

#define seL4_WordBits             64
#define seL4_WordSizeBits         3
#define seL4_ByteBits             8
#define seL4_SlotBits             5
#define seL4_TCBBits              11
#define seL4_EndpointBits         4
#define seL4_NotificationBits     6
#define seL4_ReplyBits            5
#define seL4_PageBits             12
#define seL4_LargePageBits        21
#define seL4_HugePageBits         30
#define seL4_PageTableBits        12
#define seL4_PageTableEntryBits   3
#define seL4_PageTableIndexBits   9
#define seL4_PageDirBits          12
#define seL4_PageDirEntryBits     3
#define seL4_PageDirIndexBits     9
#define seL4_PDPTBits             12
#define seL4_PDPTEntryBits        3
#define seL4_PDPTIndexBits        9
#define seL4_PML4Bits             12
#define seL4_PML4EntryBits        3
#define seL4_PML4IndexBits        9
#define seL4_VSpaceBits           seL4_PML4Bits
#define seL4_VSpaceIndexBits      seL4_PML4IndexBits
#define seL4_IOPageTableBits      12
#define seL4_NumASIDPoolsBits     3
#define seL4_ASIDPoolBits         12
#define seL4_ASIDPoolIndexBits    9
#define seL4_X86_VCPUBits         14
#define seL4_X86_EPTPML4Bits      12
#define seL4_X86_EPTPML4EntryBits 3
#define seL4_X86_EPTPML4IndexBits 9
#define seL4_X86_EPTPDPTBits      12
#define seL4_X86_EPTPDPTEntryBits 3
#define seL4_X86_EPTPDPTIndexBits 9
#define seL4_X86_EPTPDBits        12
#define seL4_X86_EPTPDEntryBits   3
#define seL4_X86_EPTPDIndexBits   9
#define seL4_X86_EPTPTBits        12
#define seL4_X86_EPTPTEntryBits   3
#define seL4_X86_EPTPTIndexBits   9
#define seL4_IPCBufferSizeBits    10
#define seL4_BootInfoFrameBits    12
#define seL4_BootInfoFrameSize    4096
#define seL4_MinUntypedBits       4
#define seL4_MaxUntypedBits       47

/* A scheduling context of 2^n bytes holds two refills and seL4_MaxExtraRefills(n) more. */
#define seL4_MinSchedContextBits   7
#define seL4_CoreSchedContextBytes 128
#define seL4_RefillSizeBytes       16

static inline seL4_Word seL4_MaxExtraRefills(seL4_Word size_bits)
{
    return ((1ULL << size_bits) - seL4_CoreSchedContextBytes) / seL4_RefillSizeBytes;
}

/* User addresses are below seL4_UserTop. */
#define seL4_UserTop       0x00007ffffffff000
#define seL4_UserVSpaceTop (seL4_UserTop - 1)

/* Interrupt numbers for IRQControl_GetIOAPIC and _GetMSI: vector 0 .. VECTOR_MAX. */
#define VECTOR_MIN 0
#define VECTOR_MAX 107

enum {
    seL4_MsgLengthBits = 7,
    seL4_MsgExtraCapBits = 2,
    seL4_MsgMaxLength = 120,
};
#define seL4_MsgMaxExtraCaps      ((1 << seL4_MsgExtraCapBits) - 1)
#define seL4_FastMessageRegisters 4

/* SchedControl_ConfigureFlags, TCB_SetFlags */
typedef enum {
    seL4_SchedContext_NoFlag = 0,
    seL4_SchedContext_Sporadic = 1,
} seL4_SchedContextFlag;

typedef enum {
    seL4_TCBFlag_NoFlag = 0,
    seL4_TCBFlag_fpuDisabled = 1,
    seL4_TCBFlag_MASK = 1,
} seL4_TCBFlag;

/* Arguments that share the first message word of TCB_ReadRegisters and its relatives. */
enum {
    seL4_ReadRegisters_Suspend = 1,
    seL4_WriteRegisters_Resume = 1,
    seL4_CopyRegisters_SuspendSource = 1,
    seL4_CopyRegisters_ResumeTarget = 2,
    seL4_CopyRegisters_TransferFrame = 4,
    seL4_CopyRegisters_TransferInteger = 8,
};

/* --- memory attributes ----------------------------------------------------------------------- */

typedef enum {
    seL4_X86_Default_VMAttributes = 0,
    seL4_X86_WriteBack = 0,
    seL4_X86_WriteThrough = 1,
    seL4_X86_CacheDisabled = 2,
    seL4_X86_Uncacheable = 3,
    seL4_X86_WriteCombining = 4,
    /*
     * Bulkhead, if extension BULKHEAD_EXT_EXECUTE_NEVER is announced; may be or-ed to the others.
     * /
     */
    bulkhead_X86_ExecuteNever = 8,
} seL4_X86_VMAttributes;

typedef enum {
    seL4_X86_EPT_Uncacheable = 0,
    seL4_X86_EPT_WriteCombining = 1,
    seL4_X86_EPT_WriteThrough = 4,
    seL4_X86_EPT_WriteProtected = 5,
    seL4_X86_EPT_WriteBack = 6,
    seL4_X86_EPT_Default_VMAttributes = 6,
    seL4_X86_EPT_Uncached_VMAttributes = 6, /* the published value */
} seL4_X86_EPT_VMAttributes;

/* --- message information: 0-6 length, 7-8 extra caps, 9-11 unwrapped, 12-63 label ------------ */

struct seL4_MessageInfo {
    seL4_Uint64 words[1];
};
typedef struct seL4_MessageInfo seL4_MessageInfo_t;

static inline seL4_MessageInfo_t seL4_MessageInfo_new(seL4_Uint64 label, seL4_Uint64 capsUnwrapped,
                                                      seL4_Uint64 extraCaps, seL4_Uint64 length)
{
    return (seL4_MessageInfo_t){ { (label << 12) | ((capsUnwrapped & 7) << 9) |
                                   ((extraCaps & 3) << 7) | (length & 0x7f) } };
}

static inline seL4_Uint64 seL4_MessageInfo_get_label(seL4_MessageInfo_t info)
{
    return info.words[0] >> 12;
}

static inline seL4_Uint64 seL4_MessageInfo_get_capsUnwrapped(seL4_MessageInfo_t info)
{
    return (info.words[0] >> 9) & 7;
}

static inline seL4_Uint64 seL4_MessageInfo_get_extraCaps(seL4_MessageInfo_t info)
{
    return (info.words[0] >> 7) & 3;
}

static inline seL4_Uint64 seL4_MessageInfo_get_length(seL4_MessageInfo_t info)
{
    return info.words[0] & 0x7f;
}

static inline seL4_MessageInfo_t seL4_MessageInfo_set_label(seL4_MessageInfo_t info, seL4_Uint64 v)
{
    info.words[0] = (info.words[0] & 0xfff) | (v << 12);
    return info;
}

static inline seL4_MessageInfo_t seL4_MessageInfo_set_capsUnwrapped(seL4_MessageInfo_t info,
                                                                    seL4_Uint64 v)
{
    info.words[0] = (info.words[0] & ~0xe00ULL) | ((v & 7) << 9);
    return info;
}

static inline seL4_MessageInfo_t seL4_MessageInfo_set_extraCaps(seL4_MessageInfo_t info,
                                                                seL4_Uint64 v)
{
    info.words[0] = (info.words[0] & ~0x180ULL) | ((v & 3) << 7);
    return info;
}

static inline seL4_MessageInfo_t seL4_MessageInfo_set_length(seL4_MessageInfo_t info, seL4_Uint64 v)
{
    info.words[0] = (info.words[0] & ~0x7fULL) | (v & 0x7f);
    return info;
}

/* --- capability rights: 0 write, 1 read, 2 grant, 3 grant reply ------------------------------ */

struct seL4_CapRights {
    seL4_Uint64 words[1];
};
typedef struct seL4_CapRights seL4_CapRights_t;
#define seL4_CapRightsBits 4

static inline seL4_CapRights_t seL4_CapRights_new(seL4_Uint64 grantReply, seL4_Uint64 grant,
                                                  seL4_Uint64 read, seL4_Uint64 write)
{
    return (seL4_CapRights_t){ { ((grantReply & 1) << 3) | ((grant & 1) << 2) | ((read & 1) << 1) |
                                 (write & 1) } };
}

static inline seL4_Uint64 seL4_CapRights_get_capAllowWrite(seL4_CapRights_t rights)
{
    return rights.words[0] & 1;
}

static inline seL4_Uint64 seL4_CapRights_get_capAllowRead(seL4_CapRights_t rights)
{
    return (rights.words[0] >> 1) & 1;
}

static inline seL4_Uint64 seL4_CapRights_get_capAllowGrant(seL4_CapRights_t rights)
{
    return (rights.words[0] >> 2) & 1;
}

static inline seL4_Uint64 seL4_CapRights_get_capAllowGrantReply(seL4_CapRights_t rights)
{
    return (rights.words[0] >> 3) & 1;
}

#define seL4_NoRights      seL4_CapRights_new(0, 0, 0, 0)
#define seL4_CanWrite      seL4_CapRights_new(0, 0, 0, 1)
#define seL4_CanRead       seL4_CapRights_new(0, 0, 1, 0)
#define seL4_CanGrant      seL4_CapRights_new(0, 1, 0, 0)
#define seL4_CanGrantReply seL4_CapRights_new(1, 0, 0, 0)
#define seL4_ReadWrite     seL4_CapRights_new(0, 0, 1, 1)
#define seL4_NoWrite       seL4_CapRights_new(1, 1, 1, 0)
#define seL4_NoRead        seL4_CapRights_new(1, 1, 0, 1)
#define seL4_AllRights     seL4_CapRights_new(1, 1, 1, 1)

/* --- CNode capability data: 0-5 guard size, 6-63 guard --------------------------------------- */

struct seL4_CNode_CapData {
    seL4_Uint64 words[1];
};
typedef struct seL4_CNode_CapData seL4_CNode_CapData_t;

static inline seL4_CNode_CapData_t seL4_CNode_CapData_new(seL4_Uint64 guard, seL4_Uint64 guardSize)
{
    return (seL4_CNode_CapData_t){ { (guard << 6) | (guardSize & 0x3f) } };
}

static inline seL4_Uint64 seL4_CNode_CapData_get_guard(seL4_CNode_CapData_t data)
{
    return data.words[0] >> 6;
}

static inline seL4_Uint64 seL4_CNode_CapData_get_guardSize(seL4_CNode_CapData_t data)
{
    return data.words[0] & 0x3f;
}

/* I/O space capability data: 0-2 function, 3-7 device, 8-15 bus, 16-31 domain id. */
static inline seL4_Word seL4_X86_IOSpace_CapData(seL4_Word domain, seL4_Word bus, seL4_Word device,
                                                 seL4_Word function)
{
    return ((domain & 0xffff) << 16) | ((bus & 0xff) << 8) | ((device & 0x1f) << 3) |
           (function & 7);
}

/* --- IPC buffer ------------------------------------------------------------------------------ */

/*
 * 1024 bytes, aligned to their size, in a frame that is not device memory. The kernel reads and
 * writes message words 4 and up; words 0 to 3 travel in registers and the user library mirrors
 * them.
 */
typedef struct seL4_IPCBuffer_ {
    seL4_MessageInfo_t tag; /* not used by the kernel */
    seL4_Word msg[seL4_MsgMaxLength];
    seL4_Word userData;
    seL4_Word caps_or_badges[seL4_MsgMaxExtraCaps]; /* sent: cptrs; received: unwrapped badges */
    seL4_CPtr receiveCNode;
    seL4_CPtr receiveIndex;
    seL4_Word receiveDepth;
} __attribute__((aligned(1024))) seL4_IPCBuffer;

_Static_assert(sizeof(seL4_IPCBuffer) == 1 << seL4_IPCBufferSizeBits, "published size");
_Static_assert(offsetof(seL4_IPCBuffer, msg) == 8, "published offset");
_Static_assert(offsetof(seL4_IPCBuffer, userData) == 968, "published offset");
_Static_assert(offsetof(seL4_IPCBuffer, caps_or_badges) == 976, "published offset");
_Static_assert(offsetof(seL4_IPCBuffer, receiveCNode) == 1000, "published offset");
_Static_assert(offsetof(seL4_IPCBuffer, receiveIndex) == 1008, "published offset");
_Static_assert(offsetof(seL4_IPCBuffer, receiveDepth) == 1016, "published offset");

/* --- register contexts ----------------------------------------------------------------------- */

/*
 * What TCB_ReadRegisters and TCB_WriteRegisters transfer, in this order. The first 18 are the
 * "frame" set of TCB_CopyRegisters, the last two its "integer" set.
 */
typedef struct seL4_UserContext_ {
    seL4_Word rip, rsp, rflags, rax, rbx, rcx, rdx, rsi, rdi, rbp;
    seL4_Word r8, r9, r10, r11, r12, r13, r14, r15;
    union {
        seL4_Word fs_base;
        seL4_Word tls_base;
    };
    seL4_Word gs_base;
} seL4_UserContext;

#define seL4_UserContextWords      20
#define seL4_UserContextFrameWords 18
_Static_assert(sizeof(seL4_UserContext) == seL4_UserContextWords * 8, "published size");
_Static_assert(offsetof(seL4_UserContext, rbp) == 9 * 8, "published order");
_Static_assert(offsetof(seL4_UserContext, fs_base) == 18 * 8, "published order");

/* What X86_VCPU_WriteRegisters transfers. */
typedef struct seL4_VCPUContext_ {
    seL4_Word rax, rbx, rcx, rdx, rsi, rdi, rbp;
    seL4_Word r8, r9, r10, r11, r12, r13, r14, r15;
} seL4_VCPUContext;

#define seL4_VCPUContextWords 15
_Static_assert(sizeof(seL4_VCPUContext) == seL4_VCPUContextWords * 8, "published size");

#endif
