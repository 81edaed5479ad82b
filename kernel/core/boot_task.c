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
/* The physical window ends where the kernel's image begins (ABI section 9). */
#define WINDOW_BYTES (0x8000000000ULL - 0x80000000ULL)
/* Writes there are interrupts: no memory, whatever the memory map says. */
#define MSI_HOLE_START 0xfffffff8ULL
#define MSI_HOLE_END   0x100000000ULL

/* Of use only until boot_initial_task returns; too big for the stack. */
static struct boot_task {
    const struct boot_machine *machine;
    struct elf_image image;
    struct boot_regions free; /* RAM that may be taken */
    struct boot_regions device;
    struct slot *slots; /* of the root CNode */
    u64 next_slot;
    u64 *pml4;
    hpa_t image_memory;
    seL4_BootInfo *bootinfo;
    u64 ipc_buffer, bootinfo_address, end; /* virtual; the end of all that is mapped */
    u8 *extra;                             /* extra bootinfo blocks */
    unsigned extra_pages;
    unsigned dropped_untypeds;
} task;

/* --- memory ---------------------------------------------------------------------------------- */

static void must_fit(bool fits)
{
    if (!fits)
        panic("boot: the machine's memory map has too many pieces");
}

static void free_remove(u64 start, u64 end)
{
    if (start < end)
        must_fit(regions_remove(&task.free, start, end));
}

/* The pages in which the loader put the module: modules do not share any. */
static struct boot_region module_region(void)
{
    u64 start = ptr_to_hpa(task.machine->module).raw;

    return (struct boot_region){ round_down_bits(start, PAGE_BITS),
                                 round_up_bits(start + task.machine->module_size, PAGE_BITS) };
}

static void find_free_memory(void)
{
    const struct boot_machine *machine = task.machine;

    task.free = machine->ram;
    for (unsigned i = 0; i < machine->in_use.count; i++)
        free_remove(machine->in_use.at[i].start, machine->in_use.at[i].end);
    for (unsigned i = 0; i < machine->reserved.count; i++)
        free_remove(machine->reserved.at[i].start, machine->reserved.at[i].end);
    free_remove(machine->discarded.start, machine->discarded.end);
    free_remove(WINDOW_BYTES, ~0ULL);
    free_remove(module_region().start, module_region().end);
}

/* The module has been read. Its pages count as free as far as they are RAM. */
static void return_module(void)
{
    struct boot_region module = module_region();

    for (unsigned i = 0; i < task.machine->ram.count; i++) {
        struct boot_region ram = task.machine->ram.at[i];
        u64 start = module.start > ram.start ? module.start : ram.start;
        u64 end = module.end < ram.end ? module.end : ram.end;

        if (start < end)
            must_fit(regions_add(&task.free, start, end));
    }
}

/* Zeroed memory from the top of RAM. */
static hpa_t take(u64 bytes, unsigned align_bits)
{
    for (unsigned i = task.free.count; i-- > 0;) {
        struct boot_region region = task.free.at[i];
        u64 start;

        if (region.end - region.start < bytes)
            continue;
        start = round_down_bits(region.end - bytes, align_bits);
        if (start < region.start)
            continue;
        free_remove(start, start + bytes);
        memset(hpa_to_ptr(hpa(start)), 0, bytes);
        return hpa(start);
    }
    panic("boot: no %lu KiB of free memory in one piece for the initial task", bytes / 1024);
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

static u64 image_pages(void)
{
    return round_up_bits(task.image.end, PAGE_BITS) - task.image.start;
}

/* Addresses behind the image; nr_extra pages of extra bootinfo. */
static void plan_addresses(void)
{
    task.ipc_buffer = task.image.start + image_pages();
    task.bootinfo_address = task.ipc_buffer + PAGE_SIZE;
    task.end = task.bootinfo_address + PAGE_SIZE + task.extra_pages * PAGE_SIZE;
    if (task.end > USER_TOP)
        panic("boot: the initial task's image leaves no room for bootinfo behind it");
    if (image_pages() / PAGE_SIZE > ROOT_SLOTS / 2 + ROOT_SLOTS / 4)
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
    provide_pages(task.bootinfo_address + PAGE_SIZE, task.extra, task.extra_pages * PAGE_SIZE,
                  &task.bootinfo->extraBIPages);
    provide_pages(task.image.start, hpa_to_ptr(task.image_memory), image_pages(),
                  &task.bootinfo->userImageFrames);
}

/* --- bootinfo -------------------------------------------------------------------------------- */

static u64 extra_bytes(void)
{
    const struct boot_machine *machine = task.machine;

    return (machine->vbe ? sizeof(seL4_X86_BootInfo_VBE) : 0) +
           (machine->has_rsdp ? sizeof(seL4_X86_BootInfo_RSDP) : 0) +
           (machine->has_framebuffer ? sizeof(seL4_X86_BootInfo_fb_t) : 0) +
           sizeof(seL4_X86_BootInfo_mmap_t) + sizeof(seL4_X86_BootInfo_tsc) +
           sizeof(struct bulkhead_bootinfo);
}

/* Starts a block of the size given behind the others; returns where its contents go. */
static u8 *extra_block(u64 id, u64 bytes)
{
    seL4_BootInfoHeader header = { .id = id, .len = bytes };
    u8 *block = task.extra + task.bootinfo->extraLen;

    memcpy(block, &header, sizeof header);
    task.bootinfo->extraLen += bytes;
    return block + sizeof header;
}

static void extra_copy(u64 id, u64 bytes, const void *contents)
{
    u8 *to = extra_block(id, bytes);

    memcpy(to, contents, bytes - sizeof(seL4_BootInfoHeader));
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

static void write_memory_map(void)
{
    u8 *to = extra_block(SEL4_BOOTINFO_HEADER_X86_MBMMAP, sizeof(seL4_X86_BootInfo_mmap_t));
    u32 room = SEL4_MULTIBOOT_MAX_MMAP_ENTRIES * sizeof(seL4_X86_mb_mmap_t);
    u32 bytes = task.machine->memory_map_bytes < room ? task.machine->memory_map_bytes : room;

    memcpy(to, &bytes, sizeof bytes);
    if (bytes)
        memcpy(to + sizeof bytes, task.machine->memory_map, bytes);
}

static void write_extra_blocks(void)
{
    const struct boot_machine *machine = task.machine;
    u32 mhz = tsc_mhz;
    u64 mask = extensions();

    if (machine->vbe)
        extra_copy(SEL4_BOOTINFO_HEADER_X86_VBE, sizeof(seL4_X86_BootInfo_VBE), machine->vbe);
    if (machine->has_rsdp)
        extra_copy(SEL4_BOOTINFO_HEADER_X86_ACPI_RSDP, sizeof(seL4_X86_BootInfo_RSDP),
                   machine->rsdp);
    if (machine->has_framebuffer)
        extra_copy(SEL4_BOOTINFO_HEADER_X86_FRAMEBUFFER, sizeof(seL4_X86_BootInfo_fb_t),
                   machine->framebuffer);
    write_memory_map();
    extra_copy(SEL4_BOOTINFO_HEADER_X86_TSC_FREQ, sizeof(seL4_X86_BootInfo_tsc), &mhz);
    extra_copy(SEL4_BOOTINFO_HEADER_BULKHEAD, sizeof(struct bulkhead_bootinfo), &mask);
}

static void make_bootinfo(void)
{
    seL4_BootInfo *bootinfo = hpa_to_ptr(take_object(PAGE_BITS));

    bootinfo->numNodes = task.machine->nr_cores;
    bootinfo->ipcBuffer = (seL4_IPCBuffer *)(uintptr_t)task.ipc_buffer;
    bootinfo->initThreadCNodeSizeBits = CONFIG_ROOT_CNODE_BITS;
    task.bootinfo = bootinfo;
    task.extra = hpa_to_ptr(take(task.extra_pages * PAGE_SIZE, PAGE_BITS));
    write_extra_blocks();
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
    while (start < end) {
        unsigned size_bits = block_bits(start, end);

        if (size_bits > seL4_MaxUntypedBits)
            size_bits = seL4_MaxUntypedBits;
        if (size_bits >= seL4_MinUntypedBits)
            provide_untyped(start, size_bits, is_device);
        start += BIT(size_bits);
    }
}

static void device_remove_all(const struct boot_regions *regions)
{
    for (unsigned i = 0; i < regions->count; i++)
        must_fit(regions_remove(&task.device, regions->at[i].start, regions->at[i].end));
}

static void make_untypeds(void)
{
    const struct boot_machine *machine = task.machine;

    task.bootinfo->untyped.start = task.next_slot;
    task.device = (struct boot_regions){ .count = 1, .at = { { 0, PADDR_TOP } } };
    device_remove_all(&machine->ram);
    device_remove_all(&machine->reserved);
    must_fit(regions_remove(&task.device, MSI_HOLE_START, MSI_HOLE_END));
    for (unsigned i = 0; i < task.device.count; i++)
        provide_untypeds(task.device.at[i].start, task.device.at[i].end, true);
    provide_untypeds(machine->discarded.start, machine->discarded.end, false);
    for (unsigned i = 0; i < task.free.count; i++)
        provide_untypeds(task.free.at[i].start, task.free.at[i].end, false);
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
    task.image_memory = take(image_pages(), PAGE_BITS);
    elf_load(&task.image, hpa_to_ptr(task.image_memory));
}

struct tcb *boot_initial_task(const struct boot_machine *machine)
{
    const char *problem;
    struct tcb *tcb;

    task = (struct boot_task){ .machine = machine };
    problem = elf_check(machine->module, machine->module_size, &task.image);
    if (problem)
        panic("boot: the first module is no usable initial task: %s", problem);
    task.extra_pages = (unsigned)BIT(bits_to_hold((extra_bytes() + PAGE_SIZE - 1) / PAGE_SIZE));
    plan_addresses();
    find_free_memory();

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
