/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The initial task (ABI sections 8.2 to 8.6): its objects are taken from the top of RAM, its
 * capabilities laid out in the published order, and all memory that is left handed out as untypeds.
 *
 *      virtual      image | IPC buffer | bootinfo | extra bootinfo
 *      CNode        16 fixed slots | SchedControls | PDPTs, PDs, PTs | extra bootinfo frames |
 *                   image frames | device untypeds | RAM untypeds | empty
 *
 * Each capability made here is an original without parent in the derivation tree; those in the
 * thread's own slots are copies.
 */
#include "abi/bootinfo.h"
#include "kernel/core/boot.h"
#include "kernel/core/config.h"
#include "kernel/core/core.h"
#include "kernel/core/elf.h"
#include "kernel/core/memory.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/core/regions.h"
#include "kernel/core/time.h"
#include "kernel/object/derivation.h"
#include "kernel/object/object.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/object/untyped.h"
#include "kernel/sched/refill.h"
#include "kernel/sched/sched.h"
#include "kernel/vspace/tlb.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/vspace.h"
#include "kernel/x86/virt/virt.h"
#include "lib/bits.h"
#include "lib/string.h"

#define INITIAL_ASID     1
#define INITIAL_SC_BITS  7
#define INITIAL_PRIORITY (CONFIG_PRIORITIES - 1)
#define ROOT_SLOTS       BIT(CONFIG_ROOT_CNODE_BITS)
/* Writes there are interrupts: no memory, whatever the memory map says. */
#define MSI_HOLE_START 0xfffffff8ULL
#define MSI_HOLE_END   0x100000000ULL

/* Of use only until boot_initial_task returns; too big for the stack. */
static struct boot_task {
    struct boot_machine *machine;
    struct elf_image image;
    struct boot_regions device;
    struct slot *slots; /* of the root CNode */
    u64 next_slot;
    u64 *pml4;
    hpa_t image_memory;
    seL4_BootInfo *bootinfo;
    u64 ipc_buffer, bootinfo_address, end; /* virtual; the end of all that is mapped */
    u8 *extra;                             /* extra bootinfo blocks: one page */
    unsigned dropped_untypeds;
} task;

/* --- memory ---------------------------------------------------------------------------------- */

/* The module has been read. The pages in which the loader put it, which modules do not share, are
 * free as far as they are RAM. */
static void return_module(void)
{
    const struct boot_regions *ram = &task.machine->ram;
    u64 first = round_down_bits(task.machine->module.start, PAGE_BITS);
    u64 last = round_up_bits(task.machine->module.end, PAGE_BITS);

    for (unsigned i = 0; i < ram->count; i++) {
        u64 start = first > ram->at[i].start ? first : ram->at[i].start;
        u64 end = last < ram->at[i].end ? last : ram->at[i].end;

        regions_add(&task.machine->free, start, end);
    }
}

/* Zeroed memory from the top of RAM. */
static hpa_t take(u64 bytes, unsigned align_bits)
{
    u64 start = regions_take(&task.machine->free, bytes, align_bits, PADDR_TOP);

    if (!start)
        panic("boot: no %lu KiB of free memory in one piece for the initial task", bytes / 1024);
    memset(hpa_to_ptr(hpa(start)), 0, bytes);
    return hpa(start);
}

static hpa_t take_object(unsigned size_bits)
{
    return take(BIT(size_bits), size_bits);
}

/* --- capabilities ---------------------------------------------------------------------------- */

static void provide_at(u64 slot, struct cap cap)
{
    slot_insert_root(&task.slots[slot], cap);
}

static void provide(struct cap cap)
{
    if (task.next_slot == ROOT_SLOTS)
        panic("boot: the initial task's image has more pages than its CNode has slots");
    provide_at(task.next_slot++, cap);
}

static struct cap control(enum cap_type type)
{
    return cap_make(type, hpa(0), 0, 0);
}

static void make_cnode(void)
{
    hpa_t memory = take_object(CONFIG_ROOT_CNODE_BITS + seL4_SlotBits);
    struct cap cap = object_create(seL4_CapTableObject, memory, CONFIG_ROOT_CNODE_BITS, false);

    task.slots = cnode_slots(cap);
    task.next_slot = seL4_NumInitialCaps;
    provide_at(seL4_CapInitThreadCNode,
               cnode_set_guard(cap, seL4_WordBits - CONFIG_ROOT_CNODE_BITS));
}

static void make_controls(void)
{
    seL4_SlotRegion *region = &task.bootinfo->schedcontrol;

    provide_at(seL4_CapIRQControl, control(CAP_IRQ_CONTROL));
    provide_at(seL4_CapASIDControl, control(CAP_ASID_CONTROL));
    provide_at(seL4_CapIOPortControl, control(CAP_IO_PORT_CONTROL));
    provide_at(seL4_CapDomain, control(CAP_DOMAIN));
    region->start = task.next_slot;
    for (unsigned core = 0; core < CONFIG_MAX_CORES; core++)
        provide(cap_make(CAP_SCHED_CONTROL, hpa(0), 0, core));
    region->end = task.next_slot;
}

/* --- address space --------------------------------------------------------------------------- */

static u64 image_bytes(void)
{
    return round_up_bits(task.image.end, PAGE_BITS) - task.image.start;
}

/* Addresses behind the image. */
static void plan_addresses(void)
{
    task.ipc_buffer = task.image.start + image_bytes();
    task.bootinfo_address = task.ipc_buffer + PAGE_SIZE;
    task.end = task.bootinfo_address + 2 * PAGE_SIZE;
    if (task.end > USER_TOP)
        panic("boot: the initial task's image leaves no room for bootinfo behind it");
    if (image_bytes() / PAGE_SIZE > ROOT_SLOTS / 2 + ROOT_SLOTS / 4)
        panic("boot: the initial task's image has more pages than its CNode has slots for");
}

static void make_vspace(void)
{
    hpa_t root = take_object(seL4_PML4Bits);
    hpa_t pool = take_object(seL4_ASIDPoolBits);

    task.pml4 = hpa_to_ptr(root);
    (void)object_create(seL4_X64_PML4Object, root, 0, false);
    asid_pool_install(0, hpa_to_ptr(pool));
    asid_assign(INITIAL_ASID, ASID_NATIVE, task.pml4);
    provide_at(seL4_CapInitThreadVSpace, cap_make(CAP_PML4, root, 1, INITIAL_ASID));
    provide_at(seL4_CapInitThreadASIDPool, cap_make(CAP_ASID_POOL, pool, 0, 0));
}

static void make_tables_of(enum cap_type type, unsigned span_bits)
{
    for (u64 vaddr = round_down_bits(task.image.start, span_bits); vaddr < task.end;
         vaddr += BIT(span_bits)) {
        hpa_t table = take_object(PAGE_BITS);

        vspace_boot_map_table(task.pml4, vaddr, table, type);
        provide(cap_make(type, table, 1, vaddr | INITIAL_ASID));
    }
}

static void make_tables(void)
{
    seL4_SlotRegion *region = &task.bootinfo->userImagePaging;

    region->start = task.next_slot;
    make_tables_of(CAP_PDPT, 39);
    make_tables_of(CAP_PAGE_DIRECTORY, 30);
    make_tables_of(CAP_PAGE_TABLE, 21);
    region->end = task.next_slot;
}

static struct cap map_page(u64 vaddr, hpa_t frame)
{
    unsigned rights = RIGHT_READ | RIGHT_WRITE;

    vspace_boot_map(task.pml4, vaddr, frame, FRAME_4K, rights);
    return cap_make(CAP_FRAME, frame, FRAME_4K | rights << 3 | FRAME_IN_VSPACE << 5,
                    vaddr | INITIAL_ASID);
}

static void provide_pages(u64 vaddr, const void *memory, u64 bytes, seL4_SlotRegion *region)
{
    u64 frame = ptr_to_hpa(memory).raw;

    region->start = task.next_slot;
    for (u64 offset = 0; offset < bytes; offset += PAGE_SIZE)
        provide(map_page(vaddr + offset, hpa(frame + offset)));
    region->end = task.next_slot;
}

static void make_mappings(void)
{
    provide_at(seL4_CapInitThreadIPCBuffer, map_page(task.ipc_buffer, take_object(PAGE_BITS)));
    provide_at(seL4_CapBootInfoFrame, map_page(task.bootinfo_address, ptr_to_hpa(task.bootinfo)));
    provide_pages(task.bootinfo_address + PAGE_SIZE, task.extra, PAGE_SIZE,
                  &task.bootinfo->extraBIPages);
    provide_pages(task.image.start, hpa_to_ptr(task.image_memory), image_bytes(),
                  &task.bootinfo->userImageFrames);
}

/* --- bootinfo -------------------------------------------------------------------------------- */

_Static_assert(sizeof(seL4_X86_BootInfo_VBE) + sizeof(seL4_X86_BootInfo_RSDP) +
                       sizeof(seL4_X86_BootInfo_fb_t) + sizeof(seL4_X86_BootInfo_mmap_t) +
                       sizeof(seL4_X86_BootInfo_tsc) + sizeof(struct bulkhead_bootinfo) <=
                   PAGE_SIZE,
               "the extra blocks fit a page");

/* Puts a block of the size given behind the others, unless there are no contents for it. */
static void add_block(u64 id, u64 bytes, const void *contents)
{
    seL4_BootInfoHeader header = { .id = id, .len = bytes };
    u8 *block = task.extra + task.bootinfo->extraLen;

    if (!contents)
        return;
    memcpy(block, &header, sizeof header);
    memcpy(block + sizeof header, contents, bytes - sizeof header);
    task.bootinfo->extraLen += bytes;
}

static u64 extensions(void)
{
    u64 mask = 0;

    if (virt_available())
        mask |= BULKHEAD_EXT_VCPU_TIMER | BULKHEAD_EXT_VCPU_HLT | BULKHEAD_EXT_VMENTER |
                BULKHEAD_EXT_VCPU_STATE;
    if (virt_available() && nested_has_1g)
        mask |= BULKHEAD_EXT_GUEST_1G_FRAMES;
    if (virt_available() && virt_has_virtual_apic)
        mask |= BULKHEAD_EXT_VIRTUAL_APIC;
    if (paging_has_nx())
        mask |= BULKHEAD_EXT_EXECUTE_NEVER;
    return mask;
}

static void add_blocks(void)
{
    const struct boot_machine *machine = task.machine;
    u32 mhz = tsc_mhz;
    u64 mask = extensions();

    add_block(SEL4_BOOTINFO_HEADER_X86_VBE, sizeof(seL4_X86_BootInfo_VBE), machine->vbe);
    add_block(SEL4_BOOTINFO_HEADER_X86_ACPI_RSDP, sizeof(seL4_X86_BootInfo_RSDP), machine->rsdp);
    add_block(SEL4_BOOTINFO_HEADER_X86_FRAMEBUFFER, sizeof(seL4_X86_BootInfo_fb_t),
              machine->framebuffer);
    add_block(SEL4_BOOTINFO_HEADER_X86_MBMMAP, sizeof(seL4_X86_BootInfo_mmap_t),
              machine->memory_map);
    add_block(SEL4_BOOTINFO_HEADER_X86_TSC_FREQ, sizeof(seL4_X86_BootInfo_tsc), &mhz);
    add_block(SEL4_BOOTINFO_HEADER_BULKHEAD, sizeof(struct bulkhead_bootinfo), &mask);
}

static void make_bootinfo(void)
{
    seL4_BootInfo *bootinfo = hpa_to_ptr(take_object(PAGE_BITS));

    bootinfo->numNodes = nr_cores;
    bootinfo->ipcBuffer = (seL4_IPCBuffer *)(uintptr_t)task.ipc_buffer;
    bootinfo->initThreadCNodeSizeBits = CONFIG_ROOT_CNODE_BITS;
    task.bootinfo = bootinfo;
    task.extra = hpa_to_ptr(take_object(PAGE_BITS));
    add_blocks();
}

/* --- untypeds -------------------------------------------------------------------------------- */

static void provide_untyped(u64 start, unsigned size_bits, bool is_device)
{
    seL4_BootInfo *bootinfo = task.bootinfo;
    u64 i = task.next_slot - bootinfo->untyped.start;

    if (i == CONFIG_MAX_UNTYPEDS || task.next_slot == ROOT_SLOTS) {
        task.dropped_untypeds++;
        return;
    }
    bootinfo->untypedList[i] = (seL4_UntypedDesc){ .paddr = start,
                                                   .sizeBits = (seL4_Uint8)size_bits,
                                                   .isDevice = is_device };
    provide(untyped_cap(hpa(start), size_bits, is_device, BIT(size_bits)));
}

static void provide_untypeds(u64 start, u64 end, bool is_device)
{
    _Static_assert(PADDR_TOP >> seL4_MaxUntypedBits <= 1, "no block is too large");

    while (start < end) {
        unsigned size_bits = block_bits(start, end);

        if (size_bits >= seL4_MinUntypedBits)
            provide_untyped(start, size_bits, is_device);
        start += BIT(size_bits);
    }
}

static void provide_all_untypeds(const struct boot_regions *regions, bool is_device)
{
    for (unsigned i = 0; i < regions->count; i++)
        provide_untypeds(regions->at[i].start, regions->at[i].end, is_device);
}

static void make_untypeds(void)
{
    task.bootinfo->untyped.start = task.next_slot;
    regions_add(&task.device, 0, PADDR_TOP);
    regions_remove_all(&task.device, &task.machine->ram);
    regions_remove_all(&task.device, &task.machine->reserved);
    regions_remove(&task.device, MSI_HOLE_START, MSI_HOLE_END);
    provide_all_untypeds(&task.device, true);
    provide_all_untypeds(&task.machine->free, false);
    task.bootinfo->untyped.end = task.next_slot;
    if (task.dropped_untypeds)
        print("boot: memory in too many pieces: %u untypeds dropped\n", task.dropped_untypeds);
}

/* --- the thread ------------------------------------------------------------------------------ */

static struct sched_context *make_sched_context(void)
{
    struct cap cap = object_create(seL4_SchedContextObject, take_object(INITIAL_SC_BITS),
                                   INITIAL_SC_BITS, false);
    struct sched_context *sc = cap_object(cap);

    provide_at(seL4_CapInitThreadSC, cap);
    refill_new(sc, 2, us_to_ticks(CONFIG_BOOT_TIMESLICE_US), 0, time_now());
    return sc;
}

/* The thread's own copy of a capability. */
static void give_thread(struct tcb *tcb, enum tcb_slot which, unsigned from)
{
    struct slot *source = &task.slots[from];
    struct cap cap = source->cap;

    if (cap_derive(source, &cap) != seL4_NoError)
        panic("boot: slot %u cannot be copied", from);
    slot_insert(cap, source, &tcb->slots[which]);
}

static struct tcb *make_thread(void)
{
    struct cap cap = object_create(seL4_TCBObject, take_object(seL4_TCBBits), 0, false);
    struct sched_context *sc = make_sched_context();
    struct tcb *tcb = cap_tcb(cap);

    provide_at(seL4_CapInitThreadTCB, cap);
    give_thread(tcb, TCB_CSPACE, seL4_CapInitThreadCNode);
    give_thread(tcb, TCB_VSPACE, seL4_CapInitThreadVSpace);
    give_thread(tcb, TCB_IPC_BUFFER, seL4_CapInitThreadIPCBuffer);
    tcb->ipc_buffer = task.ipc_buffer;
    tcb->priority = INITIAL_PRIORITY;
    tcb->max_priority = INITIAL_PRIORITY;
    tcb->context.rip = task.image.entry;
    tcb->context.rdi = task.bootinfo_address;
    tcb->sched_context = sc;
    sc->tcb = tcb;
    memcpy(tcb->name, "rootserver", sizeof "rootserver");
    return tcb;
}

/* --------------------------------------------------------------------------------------------- */

static void load_image(void)
{
    task.image_memory = take(image_bytes(), PAGE_BITS);
    elf_load(&task.image, hpa_to_ptr(task.image_memory));
}

struct tcb *boot_initial_task(struct boot_machine *machine)
{
    struct boot_region module = machine->module;
    const char *problem;
    struct tcb *tcb;

    memset(&task, 0, sizeof task);
    task.machine = machine;
    problem = elf_check(hpa_to_ptr(hpa(module.start)), module.end - module.start, &task.image);
    if (problem)
        panic("boot: the first module is no usable initial task: %s", problem);
    plan_addresses();

    make_cnode();
    make_bootinfo();
    make_controls();
    make_vspace();
    load_image();
    make_tables();
    make_mappings();
    tcb = make_thread();
    return_module();
    make_untypeds();
    task.bootinfo->empty = (seL4_SlotRegion){ task.next_slot, ROOT_SLOTS };
    tcb->state = THREAD_RUNNING;
    return tcb;
}
