/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the initial task is told: its address is in rdi at entry. One page, followed at 4096 by the
 * extra blocks, which follow each other without padding until extraLen bytes are used up.
 *
 * Units      regions of slots are half open, [start, end)
 */
#ifndef ABI_BOOTINFO_H
#define ABI_BOOTINFO_H

#include "abi/types.h"

/* Capabilities with a fixed place in the initial CNode. */
enum {
    seL4_CapNull = 0,
    seL4_CapInitThreadTCB = 1,
    seL4_CapInitThreadCNode = 2,
    seL4_CapInitThreadVSpace = 3,
    seL4_CapIRQControl = 4,
    seL4_CapASIDControl = 5,
    seL4_CapInitThreadASIDPool = 6,
    seL4_CapIOPortControl = 7,
    seL4_CapIOSpace = 8, /* null without an IOMMU */
    seL4_CapBootInfoFrame = 9,
    seL4_CapInitThreadIPCBuffer = 10,
    seL4_CapDomain = 11,
    seL4_CapSMMUSIDControl = 12, /* null */
    seL4_CapSMMUCBControl = 13,  /* null */
    seL4_CapInitThreadSC = 14,
    seL4_CapSMC = 15, /* null */
    seL4_NumInitialCaps = 16,
};

#define seL4_CapInitThreadPD seL4_CapInitThreadVSpace

/* The initial CNode: one level, so that capability addresses are slot numbers. */
#define SEL4_ROOT_CNODE_BITS 17

typedef struct seL4_SlotRegion {
    seL4_SlotPos start;
    seL4_SlotPos end;
} seL4_SlotRegion;

typedef struct seL4_UntypedDesc {
    seL4_Word paddr;
    seL4_Uint8 sizeBits;
    seL4_Uint8 isDevice;
    seL4_Uint8 padding[6];
} seL4_UntypedDesc;

typedef struct seL4_BootInfo {
    seL4_Word extraLen; /* bytes of extra blocks */
    seL4_NodeId nodeID;
    seL4_Word numNodes;      /* cores started */
    seL4_Word numIOPTLevels; /* 0 without an IOMMU */
    seL4_IPCBuffer *ipcBuffer;
    seL4_SlotRegion empty;
    seL4_SlotRegion sharedFrames;
    seL4_SlotRegion userImageFrames;
    seL4_SlotRegion userImagePaging;
    seL4_SlotRegion ioSpaceCaps;
    seL4_SlotRegion extraBIPages;
    seL4_Word initThreadCNodeSizeBits;
    seL4_Domain initThreadDomain;
    seL4_SlotRegion schedcontrol; /* one for each configured core, started or not */
    seL4_SlotRegion untyped;
    seL4_UntypedDesc untypedList[CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS];
} seL4_BootInfo;

_Static_assert(sizeof(seL4_UntypedDesc) == 16, "published size");
_Static_assert(sizeof(seL4_BootInfo) == 3864, "published size");
_Static_assert(offsetof(seL4_BootInfo, ipcBuffer) == 32, "published offset");
_Static_assert(offsetof(seL4_BootInfo, empty) == 40, "published offset");
_Static_assert(offsetof(seL4_BootInfo, sharedFrames) == 56, "published offset");
_Static_assert(offsetof(seL4_BootInfo, userImageFrames) == 72, "published offset");
_Static_assert(offsetof(seL4_BootInfo, userImagePaging) == 88, "published offset");
_Static_assert(offsetof(seL4_BootInfo, ioSpaceCaps) == 104, "published offset");
_Static_assert(offsetof(seL4_BootInfo, extraBIPages) == 120, "published offset");
_Static_assert(offsetof(seL4_BootInfo, initThreadCNodeSizeBits) == 136, "published offset");
_Static_assert(offsetof(seL4_BootInfo, initThreadDomain) == 144, "published offset");
_Static_assert(offsetof(seL4_BootInfo, schedcontrol) == 152, "published offset");
_Static_assert(offsetof(seL4_BootInfo, untyped) == 168, "published offset");
_Static_assert(offsetof(seL4_BootInfo, untypedList) == 184, "published offset");

/* --- extra blocks ---------------------------------------------------------------------------- */

typedef struct seL4_BootInfoHeader {
    seL4_Word id;
    seL4_Word len; /* bytes, with this header */
} seL4_BootInfoHeader;

typedef enum {
    SEL4_BOOTINFO_HEADER_PADDING = 0,
    SEL4_BOOTINFO_HEADER_X86_VBE = 1,
    SEL4_BOOTINFO_HEADER_X86_MBMMAP = 2,
    SEL4_BOOTINFO_HEADER_X86_ACPI_RSDP = 3,
    SEL4_BOOTINFO_HEADER_X86_FRAMEBUFFER = 4,
    SEL4_BOOTINFO_HEADER_X86_TSC_FREQ = 5, /* contents: u32 MHz */
    SEL4_BOOTINFO_HEADER_FDT = 6,
    SEL4_BOOTINFO_HEADER_BULKHEAD = 0xb0000001, /* struct bulkhead_bootinfo */
} seL4_BootInfoID;

typedef struct seL4_X86_BootInfo_VBE {
    seL4_BootInfoHeader header;
    seL4_Uint8 vbeInfoBlock[512];
    seL4_Uint8 vbeModeInfoBlock[256];
    seL4_Uint32 vbeMode;
    seL4_Uint32 vbeInterfaceSeg;
    seL4_Uint32 vbeInterfaceOff;
    seL4_Uint32 vbeInterfaceLen;
} __attribute__((packed)) seL4_X86_BootInfo_VBE;
_Static_assert(sizeof(seL4_X86_BootInfo_VBE) == 800, "published size");

#define SEL4_MULTIBOOT_MAX_MMAP_ENTRIES 50

typedef struct seL4_X86_mb_mmap {
    seL4_Uint32 size;
    seL4_Uint64 base_addr;
    seL4_Uint64 length;
    seL4_Uint32 type;
} __attribute__((packed)) seL4_X86_mb_mmap_t;

typedef struct seL4_X86_BootInfo_mmap {
    seL4_BootInfoHeader header;
    seL4_Uint32 mmap_length; /* bytes of entries that are filled in */
    seL4_X86_mb_mmap_t mmap[SEL4_MULTIBOOT_MAX_MMAP_ENTRIES];
} __attribute__((packed)) seL4_X86_BootInfo_mmap_t;
_Static_assert(sizeof(seL4_X86_BootInfo_mmap_t) == 1220, "published size");

typedef struct seL4_X86_BootInfo_RSDP {
    seL4_BootInfoHeader header;
    seL4_Uint8 rsdp[36];
} __attribute__((packed)) seL4_X86_BootInfo_RSDP;
_Static_assert(sizeof(seL4_X86_BootInfo_RSDP) == 52, "published size");

typedef struct seL4_X86_BootInfo_fb {
    seL4_BootInfoHeader header;
    seL4_Uint64 addr;
    seL4_Uint32 pitch;
    seL4_Uint32 width;
    seL4_Uint32 height;
    seL4_Uint8 bpp;
    seL4_Uint8 type;
} __attribute__((packed)) seL4_X86_BootInfo_fb_t;
_Static_assert(sizeof(seL4_X86_BootInfo_fb_t) == 38, "published size");

typedef struct seL4_X86_BootInfo_tsc {
    seL4_BootInfoHeader header;
    seL4_Uint32 mhz;
} __attribute__((packed)) seL4_X86_BootInfo_tsc;
_Static_assert(sizeof(seL4_X86_BootInfo_tsc) == 20, "published size");

/* What Bulkhead's kernel offers beyond seL4. The block comes last; a seL4 kernel has none. */
struct bulkhead_bootinfo {
    seL4_BootInfoHeader header;
    seL4_Uint64 extensions; /* enum bulkhead_extension */
};
_Static_assert(sizeof(struct bulkhead_bootinfo) == 24, "layout of the extension block");

enum bulkhead_extension {
    BULKHEAD_EXT_VCPU_TIMER = 1 << 0,      /* deadline that ends guest execution */
    BULKHEAD_EXT_VCPU_HLT = 1 << 1,        /* entering in HLT blocks in the kernel */
    BULKHEAD_EXT_VMENTER = 1 << 2,         /* VMEnter that takes the registers back */
    BULKHEAD_EXT_VCPU_STATE = 1 << 3,      /* more fields and MSRs (abi/vcpu.h) */
    BULKHEAD_EXT_EXECUTE_NEVER = 1 << 4,   /* bulkhead_X86_ExecuteNever */
    BULKHEAD_EXT_GUEST_1G_FRAMES = 1 << 5, /* X86_Page_MapEPT takes 1 GiB frames */
    BULKHEAD_EXT_VIRTUAL_APIC = 1 << 6,    /* a VCPU may have a local APIC in the processor */
};

#endif
