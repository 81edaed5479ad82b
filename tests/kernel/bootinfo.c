/* SPDX-License-Identifier: BSD-2-Clause */
/* What the initial task finds: boot information, its capabilities, its registers and memory. */
#include <bulkhead/bootinfo.h>

#include "tests/kernel/harness.h"

#include "lib/string.h"

extern char __image_start[], __image_end[];

static void fields(void)
{
    CHECK_EQ((seL4_Word)boot % PAGE_BYTES, 0);
    CHECK_EQ(boot->nodeID, 0);
    CHECK(boot->numNodes >= 1 && boot->numNodes <= 64);
    CHECK_EQ(boot->initThreadCNodeSizeBits, 17);
    CHECK_EQ(boot->initThreadDomain, 0);
    CHECK_EQ(boot->sharedFrames.start, 0);
    CHECK_EQ(boot->sharedFrames.end, 0);
    CHECK_EQ(boot->ioSpaceCaps.start, 0);
    CHECK_EQ(boot->ioSpaceCaps.end, 0);
    CHECK_EQ(boot->schedcontrol.start, 16); /* one for each core that could be */
    CHECK_EQ(boot->schedcontrol.end - boot->schedcontrol.start,
             64); /* one for each core that could be */
    CHECK_EQ(boot->empty.end, 1 << 17);
}

/* Image, IPC buffer, boot information, extra blocks follow each other. */
static void memory_layout(void)
{
    seL4_Word image_end = ((seL4_Word)__image_end + PAGE_BYTES - 1) & ~(seL4_Word)(PAGE_BYTES - 1);

    CHECK_EQ(boot->ipcBuffer, image_end);
    CHECK_EQ(boot, image_end + PAGE_BYTES);
    CHECK_EQ(boot->userImageFrames.end - boot->userImageFrames.start,
             (image_end - (seL4_Word)__image_start) / PAGE_BYTES);
    /* The size is a power of two pages. */
    seL4_Word pages = boot->extraBIPages.end - boot->extraBIPages.start;

    CHECK(pages * PAGE_BYTES >= boot->extraLen);
    CHECK(!boot->extraLen || (pages & (pages - 1)) == 0);
}

static void slot_order(void)
{
    CHECK_EQ(boot->userImagePaging.start, boot->schedcontrol.end);
    CHECK_EQ(boot->extraBIPages.start, boot->userImagePaging.end);
    CHECK_EQ(boot->userImageFrames.start, boot->extraBIPages.end);
    CHECK_EQ(boot->untyped.start, boot->userImageFrames.end);
    CHECK_EQ(boot->empty.start, boot->untyped.end);
}

static void fixed_capabilities(void)
{
    static const struct {
        seL4_CPtr slot;
        seL4_Word tag;
    } expected[] = {
        { seL4_CapNull, TAG_NULL },
        { seL4_CapInitThreadTCB, TAG_TCB },
        { seL4_CapInitThreadCNode, TAG_CNODE },
        { seL4_CapInitThreadVSpace, TAG_PML4 },
        { seL4_CapIRQControl, TAG_IRQ_CONTROL },
        { seL4_CapASIDControl, TAG_ASID_CONTROL },
        { seL4_CapInitThreadASIDPool, TAG_ASID_POOL },
        { seL4_CapIOPortControl, TAG_IO_PORT_CONTROL },
        { seL4_CapBootInfoFrame, TAG_FRAME },
        { seL4_CapInitThreadIPCBuffer, TAG_FRAME },
        { seL4_CapDomain, TAG_DOMAIN },
        { seL4_CapSMMUSIDControl, TAG_NULL },
        { seL4_CapSMMUCBControl, TAG_NULL },
        { seL4_CapInitThreadSC, TAG_SCHED_CONTEXT },
        { seL4_CapSMC, TAG_NULL },
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(expected); i++) {
        if (!CHECK_EQ(cap_tag(expected[i].slot), expected[i].tag))
            print("     slot %lu\n", expected[i].slot);
    }
    CHECK_EQ(cap_tag(seL4_CapIOSpace), boot->numIOPTLevels ? TAG_IO_SPACE : TAG_NULL);
    for (seL4_CPtr slot = boot->schedcontrol.start; slot < boot->schedcontrol.end; slot++)
        CHECK_EQ(cap_tag(slot), TAG_SCHED_CONTROL);
    for (seL4_CPtr slot = boot->userImageFrames.start; slot < boot->userImageFrames.end; slot++)
        CHECK_EQ(cap_tag(slot), TAG_FRAME);
    for (seL4_CPtr slot = boot->extraBIPages.start; slot < boot->extraBIPages.end; slot++)
        CHECK_EQ(cap_tag(slot), TAG_FRAME);
    for (seL4_CPtr slot = boot->untyped.start; slot < boot->untyped.end; slot++)
        CHECK_EQ(cap_tag(slot), TAG_UNTYPED);
    CHECK_EQ(cap_tag(boot->userImagePaging.start), TAG_PDPT);
    CHECK_EQ(cap_tag(boot->userImagePaging.start + 1), TAG_PAGE_DIRECTORY);
    CHECK_EQ(cap_tag(boot->userImagePaging.end - 1), TAG_PAGE_TABLE);
    CHECK_EQ(cap_tag(boot->empty.end - 1), TAG_NULL);
}

/* Naturally aligned, devices before RAM, both ascending, none overlapping another. */
static void untypeds(void)
{
    seL4_Word count = boot->untyped.end - boot->untyped.start;
    bool ram_seen = false;
    seL4_Word ram_bytes = 0;

    CHECK(count > 0 && count <= CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS);
    for (seL4_Word i = 0; i < count; i++) {
        const seL4_UntypedDesc *d = &boot->untypedList[i];
        seL4_Word size = 1ul << d->sizeBits;

        CHECK(d->sizeBits >= 4 && d->sizeBits <= 47);
        CHECK_EQ(d->paddr & (size - 1), 0);
        CHECK(d->paddr + size <= 1ul << 47);
        CHECK(d->isDevice <= 1);
        CHECK(!(ram_seen && d->isDevice));
        if (!d->isDevice) {
            if (!ram_seen)
                CHECK_EQ(d->paddr, 1 << 20); /* the boot section */
            ram_seen = true;
            ram_bytes += size;
            CHECK(d->paddr >= 1 << 20);
        }
        for (seL4_Word j = 0; j < i; j++) {
            const seL4_UntypedDesc *e = &boot->untypedList[j];

            if (d->paddr < e->paddr + (1ul << e->sizeBits) && e->paddr < d->paddr + size)
                CHECK_EQ(d->paddr, e->paddr + 1);
        }
        if (i && d->isDevice)
            CHECK(d->paddr > boot->untypedList[i - 1].paddr);
    }
    CHECK(ram_bytes > 32ul << 20);
    /* The first megabyte is one device untyped. */
    CHECK_EQ(boot->untypedList[0].paddr, 0);
    CHECK_EQ(boot->untypedList[0].sizeBits, 20);
    CHECK_EQ(boot->untypedList[0].isDevice, 1);
    CHECK_EQ(boot->untypedList[0].padding[0], 0);
}

/* The kernel's own registers are in no untyped. */
static void reserved_memory(void)
{
    static const seL4_Word reserved[] = { 0xfee00000, 0xfec00000, 0xfffffff8 };

    for (seL4_Word i = 0; i < boot->untyped.end - boot->untyped.start; i++) {
        const seL4_UntypedDesc *d = &boot->untypedList[i];

        for (unsigned r = 0; r < ARRAY_LENGTH(reserved); r++)
            CHECK(!(reserved[r] >= d->paddr && reserved[r] < d->paddr + (1ul << d->sizeBits)));
    }
}

static void extra_blocks(void)
{
    seL4_Word used = 0;
    const char *at = (const char *)boot + PAGE_BYTES;

    while (used < boot->extraLen) {
        seL4_BootInfoHeader header;

        memcpy(&header, at + used, sizeof(header));
        REQUIRE(header.len >= sizeof(header) && used + header.len <= boot->extraLen);
        switch (header.id) {
        case SEL4_BOOTINFO_HEADER_X86_VBE:
            CHECK_EQ(header.len, 800);
            break;
        case SEL4_BOOTINFO_HEADER_X86_MBMMAP:
            CHECK_EQ(header.len, 1220);
            break;
        case SEL4_BOOTINFO_HEADER_X86_ACPI_RSDP:
            CHECK_EQ(header.len, 52);
            CHECK_EQ(memcmp(at + used + 16, "RSD PTR ", 8), 0);
            break;
        case SEL4_BOOTINFO_HEADER_X86_FRAMEBUFFER:
            CHECK_EQ(header.len, 38);
            break;
        case SEL4_BOOTINFO_HEADER_X86_TSC_FREQ:
            CHECK_EQ(header.len, 20);
            break;
        case SEL4_BOOTINFO_HEADER_BULKHEAD:
            CHECK_EQ(header.len, 24);
            CHECK_EQ(used + header.len, boot->extraLen);
            break;
        default:
            CHECK_EQ(header.id, SEL4_BOOTINFO_HEADER_PADDING);
        }
        used += header.len;
    }
    CHECK_EQ(used, boot->extraLen);
    CHECK(bootinfo_find(boot, SEL4_BOOTINFO_HEADER_X86_ACPI_RSDP));
    CHECK(bootinfo_find(boot, SEL4_BOOTINFO_HEADER_X86_MBMMAP));
    CHECK(bootinfo_find(boot, SEL4_BOOTINFO_HEADER_X86_TSC_FREQ));
    CHECK(tsc_mhz >= 10 && tsc_mhz <= 10000);
    if (have_virtualisation())
        CHECK(extensions & BULKHEAD_EXT_VMENTER);
    else
        CHECK_EQ(extensions & (BULKHEAD_EXT_VMENTER | BULKHEAD_EXT_VCPU_TIMER), 0);
}

/* The initial thread: IPC buffer, priorities, image mapped for reading, writing. */
static void initial_thread(void)
{
    static volatile char in_bss;

    CHECK_EQ(in_bss, 0);
    in_bss = 2;
    CHECK_EQ(in_bss, 2);
    CHECK_EQ(seL4_DebugGetThreadAffinity(seL4_CapInitThreadTCB), 0);
    /* 255 is within the own maximum controlled priority. */
    CHECK_OK(seL4_TCB_SetMCPriority(seL4_CapInitThreadTCB, seL4_CapInitThreadTCB, 255));
    CHECK_RANGE(seL4_TCB_SetPriority(seL4_CapInitThreadTCB, seL4_CapInitThreadTCB, 256), 0, 255);
}

/* --- the CPU as user code sees it ------------------------------------------------------------ */

static void processor_state(void)
{
    uint16_t cs, ss;
    seL4_Word flags;
    uint32_t mxcsr;

    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    __asm__ volatile("mov %%ss, %0" : "=r"(ss));
    __asm__ volatile("pushf; pop %0" : "=r"(flags));
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    CHECK_EQ(cs & 3, 3);
    CHECK_EQ(ss & 3, 3);
    CHECK_EQ(flags & 0x3000, 0); /* IOPL */
    CHECK_EQ(flags & 0x200, 0x200);
    CHECK_EQ(mxcsr, 0x1f80);
    /* Time can be read. */
    seL4_Word before = ticks_now();

    CHECK(ticks_now() >= before);
}

TEST_SUITE(bootinfo, { "fields", fields }, { "memory layout", memory_layout },
           { "slot order", slot_order }, { "fixed capabilities", fixed_capabilities },
           { "untypeds", untypeds }, { "reserved memory", reserved_memory },
           { "extra blocks", extra_blocks }, { "initial thread", initial_thread },
           { "processor state", processor_state });
