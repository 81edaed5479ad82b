/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processors that remember everything they are allowed to: after each operation they walk at will
 * and keep every entry they pass, leaves (as a TLB does) and tables (as paging-structure caches
 * do), under the root in CR3, and for a guest under its ASID. They forget just what the kernel's
 * own code tells them (kernel/x86/tlb.c and the AMD-V backend, in processors.c), and not a bit
 * more.
 *
 * Three cores run threads, enter guests and stay in them, and move threads with their guests to
 * other cores; any of them makes the next system call. After each operation nothing that a core
 * could use may be remembered that the tables do not say (vspace.h I2): under its CR3, while it is
 * in a guest under that guest's ASID, and at each entry. And each leaf and each hooked table must
 * be what some capability says (I1, and the reverse).
 *
 * Random operations with random capabilities; the model is also run with a broken kernel, one that
 * leaves out a kind of flush, or a part of one, and must then complain.
 */
#include "tests/unit/kernel/memory_world.h"
#include "tests/unit/kernel/processors.h"

#include "abi/gen/labels.h"
#include "abi/types.h"
#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/object/tcb.h"
#include "kernel/object/vcpu.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/pt_ept.h"
#include "kernel/vspace/pt_host.h"
#include "kernel/vspace/pt_npt.h"
#include "kernel/x86/virt/virt.h"

#define STEPS          30000
#define WALKS_PER_STEP 12 /* of each core */
#define TURNS_PER_STEP 3
#define NR_CORES       3u
#define NR_THREADS     6u
#define NR_ASIDS       4u /* 0 is the host's */

enum { PAGE_POOLS = 0, PAGE_ROOTS = 8, PAGE_TABLES = 40, PAGE_FRAMES = 300 };
enum { NR_ROOTS = 8, NR_TABLES = 120, NR_FRAMES = 60 };

/* --- what the processor remembers ------------------------------------------------------------ */

struct memory_of_entry {
    unsigned core;
    u32 asid; /* nested: what it is filed under; else it goes with the root in CR3 */
    u64 root;
    u64 base;       /* first address the entry is for */
    unsigned level; /* it lies in a table of this level */
    bool is_nested;
    bool is_leaf;
    u64 entry;
};

static struct tcb *threads[NR_THREADS];

/* The guest that a core is in. */
static struct {
    bool runs;
    u32 asid;
    u64 root;
} guests[NR_CORES];

const struct virt_backend *virt = &svm_backend;

#define MAX_REMEMBERED 16384
static struct memory_of_entry remembered[MAX_REMEMBERED];
static unsigned nr_remembered;

/* What a broken kernel leaves out. */
static enum mistake {
    NO_MISTAKE,
    NO_PAGE_FLUSH,
    NO_SPACE_FLUSH,
    NO_NESTED_FLUSH,
    ONE_CORE_PAGE_FLUSH, /* only core 0 is told */
    ONE_CORE_SPACE_FLUSH,
    ONE_CORE_NESTED_FLUSH,
    GUESTS_STAY,   /* guests that run are not asked out */
    NO_WRAP_FLUSH, /* ASIDs start anew without a flush */
    STALE_MOVES,   /* a VCPU takes its ASID to another core */
} mistake;
static unsigned violations;

/* The processor's own view of entries; accessed and dirty bits say nothing. */
static bool entry_is_present(u64 e, bool nested)
{
    return nested && nested_format == NESTED_EPT ? e & 7 : e & 1;
}

static bool entry_is_leaf(u64 e, unsigned level)
{
    return level == 0 || (level < 3 && (e & 0x80));
}

static u64 *entry_table(u64 e)
{
    return world_table(hpa(e & 0x000ffffffffff000ULL));
}

static void forget_if(bool (*matches)(const struct memory_of_entry *, u64 address), u64 address)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < nr_remembered; i++) {
        if (remembered[i].core != host_core || !matches(&remembered[i], address))
            remembered[kept++] = remembered[i];
    }
    nr_remembered = kept;
}

/* The page that holds the address; tables on the way are not promised to go. */
static bool is_page(const struct memory_of_entry *m, u64 address)
{
    return !m->is_nested && m->is_leaf && address >= m->base &&
           address - m->base < BIT(12 + 9 * m->level);
}

static bool is_native(const struct memory_of_entry *m, u64 address)
{
    (void)address;
    return !m->is_nested;
}

static bool is_guests(const struct memory_of_entry *m, u64 address)
{
    (void)address;
    return m->is_nested;
}

static void remember(struct memory_of_entry m)
{
    for (unsigned i = 0; i < nr_remembered; i++) {
        struct memory_of_entry *r = &remembered[i];

        if (r->core == m.core && r->is_nested == m.is_nested && r->asid == m.asid &&
            r->base == m.base && r->level == m.level && r->is_leaf == m.is_leaf)
            return;
    }
    assert_true(nr_remembered < MAX_REMEMBERED);
    remembered[nr_remembered++] = m;
}

static bool is_world_page(u64 root)
{
    return root >= WORLD_BASE && root < WORLD_BASE + WORLD_PAGES * PAGE_SIZE;
}

static void walk_and_remember(u64 root, bool nested, u32 asid, u64 address)
{
    u64 *table;

    if (!is_world_page(root))
        return;
    table = world_table(hpa(root));
    for (unsigned level = 3;; level--) {
        u64 e = table[address >> (12 + 9 * level) & 511];
        bool leaf = entry_is_leaf(e, level);

        if (!entry_is_present(e, nested))
            return;
        remember((struct memory_of_entry){ host_core, asid, root, address & ~MASK(12 + 9 * level),
                                           level, nested, leaf, e });
        if (leaf)
            return;
        table = entry_table(e);
    }
}

/* --- the random world ------------------------------------------------------------------------ */

/* Slots: 0 unused; pools; spaces and tables; frames; each with room for copies. */
enum { SLOT_POOLS = 1, SLOT_CNODE = 9, SLOT_CONTROL = 10, SLOT_REST = 16, SLOT_FRAMES = 160 };

static u64 random_vaddr(void)
{
    static const u64 high[] = { 0, 255 }, low[] = { 1, 511 };

    return high[world_below(2)] << 39 | low[world_below(2)] << 30 | low[world_below(2)] << 21 |
           low[world_below(2)] << 12;
}

static struct cap slot_cap(unsigned slot)
{
    return world_slots[slot].cap;
}

static bool page_is_in_use(hpa_t page)
{
    for (unsigned i = 0; i < WORLD_SLOTS; i++) {
        struct cap cap = slot_cap(i);

        if (cap.type != CAP_NULL && cap.type != CAP_CNODE && cap_hpa(cap).raw == page.raw)
            return true;
    }
    return false;
}

static unsigned free_slot_for(enum cap_type type)
{
    unsigned slot = type == CAP_FRAME ? SLOT_FRAMES : SLOT_REST;
    unsigned end = type == CAP_FRAME ? WORLD_SLOTS : SLOT_FRAMES;

    while (slot < end && !slot_is_empty(&world_slots[slot]))
        slot++;
    return slot < end ? slot : WORLD_SLOTS;
}

/* Makes an object in memory that no capability names, zeroed as Retype does. */
static void create(enum cap_type type, unsigned first_page, unsigned pages)
{
    hpa_t page = world_page(first_page + world_below(pages));
    unsigned slot = free_slot_for(type);

    if (slot == WORLD_SLOTS || page_is_in_use(page))
        return;
    memset(world_table(page), 0, PAGE_SIZE);
    if (type == CAP_PML4)
        pml4_create(world_table(page));
    world_put(slot, type == CAP_FRAME ? world_frame(FRAME_4K, page, RIGHT_READ | RIGHT_WRITE)
                                      : cap_make(type, page, 0, 0));
}

static void create_some(void)
{
    static const enum cap_type tables[] = { CAP_PAGE_TABLE, CAP_PAGE_DIRECTORY, CAP_PDPT,
                                            CAP_EPT_PT,     CAP_EPT_PD,         CAP_EPT_PDPT };

    switch (world_below(8)) {
    case 0:
        create(world_below(2) ? CAP_PML4 : CAP_EPT_PML4, PAGE_ROOTS, NR_ROOTS);
        break;
    case 1:
    case 2:
    case 3:
        create(CAP_FRAME, PAGE_FRAMES, NR_FRAMES);
        break;
    default:
        create(tables[world_below(6)], PAGE_TABLES, NR_TABLES);
    }
}

/* Large frames name memory that nobody looks into. */
static void create_large(void)
{
    unsigned slot = free_slot_for(CAP_FRAME);
    enum frame_size size = world_below(2) ? FRAME_2M : FRAME_1G;

    if (slot < WORLD_SLOTS)
        world_put(slot,
                  world_frame(size, hpa((1 + world_below(4)) * BIT(30)), RIGHT_READ | RIGHT_WRITE));
}

static unsigned random_slot_of(bool (*matches)(struct cap))
{
    unsigned start = world_below(WORLD_SLOTS);

    for (unsigned i = 0; i < WORLD_SLOTS; i++) {
        unsigned slot = (start + i) % WORLD_SLOTS;

        if (matches(slot_cap(slot)))
            return slot;
    }
    return WORLD_SLOTS;
}

static bool is_root(struct cap cap)
{
    return cap.type == CAP_PML4 || cap.type == CAP_EPT_PML4;
}

static bool is_native_root(struct cap cap)
{
    return cap.type == CAP_PML4;
}

static bool is_nested_root(struct cap cap)
{
    return cap.type == CAP_EPT_PML4;
}

static bool is_frame(struct cap cap)
{
    return cap.type == CAP_FRAME;
}

static bool is_native_table(struct cap cap)
{
    return cap.type == CAP_PAGE_TABLE || cap.type == CAP_PAGE_DIRECTORY || cap.type == CAP_PDPT;
}

static bool is_nested_table(struct cap cap)
{
    return cap.type == CAP_EPT_PT || cap.type == CAP_EPT_PD || cap.type == CAP_EPT_PDPT;
}

static bool is_pool(struct cap cap)
{
    return cap.type == CAP_ASID_POOL;
}

static u64 map_label(enum cap_type type)
{
    switch (type) {
    case CAP_PAGE_TABLE:
        return X86PageTableMap;
    case CAP_PAGE_DIRECTORY:
        return X86PageDirectoryMap;
    case CAP_PDPT:
        return X86PDPTMap;
    case CAP_EPT_PT:
        return X86EPTPTMap;
    case CAP_EPT_PD:
        return X86EPTPDMap;
    default:
        return X86EPTPDPTMap;
    }
}

static void make_pool(void)
{
    unsigned slot = free_slot_for(CAP_UNTYPED);
    unsigned pool = SLOT_POOLS + world_below(4);
    hpa_t page = world_page(PAGE_POOLS + world_below(8));

    if (slot == WORLD_SLOTS || page_is_in_use(page) || !slot_is_empty(&world_slots[pool]))
        return;
    world_put(slot, cap_make(CAP_UNTYPED, page, 12, 0));
    INVOKE(X86ASIDControlMakePool, SLOT_CONTROL, EXTRA((int)slot, SLOT_CNODE), pool, 64);
}

/* A pool and the untyped it was made of. */
static void delete_pool(void)
{
    unsigned pool = random_slot_of(is_pool);

    if (pool == WORLD_SLOTS || world_below(100))
        return;

    hpa_t page = cap_hpa(slot_cap(pool));

    for (unsigned i = 0; i < WORLD_SLOTS; i++) {
        if (slot_cap(i).type != CAP_NULL && slot_cap(i).type != CAP_CNODE &&
            cap_hpa(slot_cap(i)).raw == page.raw)
            world_delete(i);
    }
}

/* Mostly of the right kind. */
static unsigned random_root(bool nested)
{
    if (world_below(16) == 0)
        return random_slot_of(is_root);
    return random_slot_of(nested ? is_nested_root : is_native_root);
}

static void do_table_map(bool (*matches)(struct cap))
{
    unsigned table = random_slot_of(matches), root = random_root(matches == is_nested_table);

    if (table < WORLD_SLOTS && root < WORLD_SLOTS)
        INVOKE(map_label(slot_cap(table).type), table, EXTRA((int)root), random_vaddr(), 0);
}

static void do_frame_map(u64 label)
{
    unsigned frame = random_slot_of(is_frame), root = random_root(label == X86PageMapEPT);

    if (frame == WORLD_SLOTS || root == WORLD_SLOTS)
        return;

    u64 vaddr = random_vaddr();

    /* Half of the time just where it is. */
    if (frame_map(slot_cap(frame)) != FRAME_UNMAPPED && world_below(2))
        vaddr = map_address(slot_cap(frame));
    vaddr &= ~MASK(frame_size_bits(slot_cap(frame)));
    INVOKE(label, frame, EXTRA((int)root), vaddr, world_below(4), world_below(16));
}

static enum cap_type wanted;

static bool is_wanted(struct cap cap)
{
    if (cap.type == CAP_FRAME)
        return wanted == CAP_FRAME && frame_map(cap) == FRAME_UNMAPPED && frame_size(cap) == 0;
    return cap.type == wanted && !table_is_mapped(cap);
}

/* All levels and a page at one address, as far as there are free objects and places for them. */
static void do_build(void)
{
    static const enum cap_type levels[2][3] = { { CAP_PDPT, CAP_PAGE_DIRECTORY, CAP_PAGE_TABLE },
                                                { CAP_EPT_PDPT, CAP_EPT_PD, CAP_EPT_PT } };
    bool nested = world_below(2);
    unsigned root = random_slot_of(nested ? is_nested_root : is_native_root);
    u64 vaddr = random_vaddr();
    unsigned slot;

    if (root == WORLD_SLOTS)
        return;
    for (unsigned i = 0; i < 3; i++) {
        wanted = levels[nested][i];
        slot = random_slot_of(is_wanted);
        if (slot < WORLD_SLOTS)
            INVOKE(map_label(wanted), slot, EXTRA((int)root), vaddr, 0);
    }
    wanted = CAP_FRAME;
    slot = random_slot_of(is_wanted);
    if (slot < WORLD_SLOTS)
        INVOKE(nested ? X86PageMapEPT : X86PageMap, slot, EXTRA((int)root), vaddr, 3, 0);
}

static void do_unmap(void)
{
    unsigned slot = 1 + world_below(WORLD_SLOTS - 1);
    bool stale = !asid_root(map_asid(slot_cap(slot)), ASID_NATIVE) &&
                 !asid_root(map_asid(slot_cap(slot)), ASID_NESTED);

    if (is_frame(slot_cap(slot)))
        INVOKE(X86PageUnmap, slot, NULL, 0);
    else if ((stale || world_below(4) == 0) &&
             (is_native_table(slot_cap(slot)) || is_nested_table(slot_cap(slot))))
        INVOKE(map_label(slot_cap(slot).type) + 1, slot, NULL, 0);
}

static void do_copy(void)
{
    unsigned from = SLOT_REST + world_below(WORLD_SLOTS - SLOT_REST);
    unsigned to = free_slot_for(slot_cap(from).type);

    if (to < WORLD_SLOTS && slot_cap(from).type != CAP_NULL && slot_cap(from).type != CAP_UNTYPED)
        world_copy(from, to);
}

static u64 *live_root(struct cap cap)
{
    enum asid_kind kind = cap.type == CAP_PML4 ? ASID_NATIVE : ASID_NESTED;

    if (!is_root(cap) || !table_is_mapped(cap) || asid_root(map_asid(cap), kind) != cap_object(cap))
        return NULL;
    return cap_object(cap);
}

static void do_delete(void)
{
    unsigned slot = SLOT_REST + world_below(WORLD_SLOTS - SLOT_REST);

    /* Live spaces stay a while; those whose pool has gone are of no more use. */
    if (!live_root(slot_cap(slot)) || world_below(20) == 0)
        world_delete(slot);
}

static bool is_unassigned_root(struct cap cap)
{
    return is_root(cap) && !table_is_mapped(cap);
}

static void do_assign(void)
{
    unsigned pool = random_slot_of(is_pool);
    unsigned root = random_slot_of(world_below(4) ? is_unassigned_root : is_root);

    if (pool < WORLD_SLOTS && root < WORLD_SLOTS)
        INVOKE(X86ASIDPoolAssign, pool, EXTRA((int)root), 0);
}

static void random_operation(void)
{
    switch (world_below(24)) {
    case 0:
    case 1:
    case 2:
        create_some();
        break;
    case 3:
        create_large();
        break;
    case 4:
        do_build();
        break;
    case 5:
        do_table_map(is_nested_table);
        break;
    case 6:
    case 7:
    case 8:
        do_table_map(is_native_table);
        break;
    case 9:
        do_build();
        break;
    case 10:
    case 11:
    case 12:
    case 13:
        do_frame_map(X86PageMap);
        break;
    case 14:
    case 15:
        do_frame_map(X86PageMapEPT);
        break;
    case 16:
    case 17:
        do_unmap();
        break;
    case 18:
        do_copy();
        break;
    case 19:
    case 20:
        do_delete();
        break;
    case 21:
        make_pool();
        break;
    case 22:
        delete_pool();
        break;
    default:
        do_assign();
    }
}

/* --- checks ---------------------------------------------------------------------------------- */

static bool root_is_live(u64 root, bool nested)
{
    for (unsigned i = 0; i < WORLD_SLOTS; i++) {
        struct cap cap = slot_cap(i);

        if (cap_hpa(cap).raw == root && cap.type == (nested ? CAP_EPT_PML4 : CAP_PML4) &&
            live_root(cap))
            return true;
    }
    return false;
}

/* The entry that a walk finds at this level, or 0. */
static u64 entry_now(u64 root, bool nested, u64 address, unsigned at)
{
    u64 *table = world_table(hpa(root));

    for (unsigned level = 3;; level--) {
        u64 e = table[address >> (12 + 9 * level) & 511];

        if (level == at)
            return e;
        if (!entry_is_present(e, nested) || entry_is_leaf(e, level))
            return 0;
        table = entry_table(e);
    }
}

static bool is_true(const struct memory_of_entry *m)
{
    return root_is_live(m->root, m->is_nested) &&
           entry_now(m->root, m->is_nested, m->base, m->level) == m->entry;
}

/* What core m->core could use at this moment. */
static bool is_usable(const struct memory_of_entry *m)
{
    return !m->is_nested || (guests[m->core].runs && guests[m->core].asid == m->asid);
}

static void check_remembered(void)
{
    for (unsigned i = 0; i < nr_remembered; i++)
        if (is_usable(&remembered[i]) && !is_true(&remembered[i]))
            violations++;
}

/* Some frame capability says that it is mapped here. */
static bool leaf_has_capability(unsigned asid, bool nested, u64 address, unsigned level, u64 frame)
{
    for (unsigned i = 0; i < WORLD_SLOTS; i++) {
        struct cap cap = slot_cap(i);

        if (is_frame(cap) && frame_map(cap) == (nested ? FRAME_IN_EPT : FRAME_IN_VSPACE) &&
            map_asid(cap) == asid && map_address(cap) == address && frame_size(cap) == level &&
            cap_hpa(cap).raw == frame)
            return true;
    }
    return false;
}

static bool table_has_capability(unsigned asid, bool nested, u64 address, u64 page)
{
    for (unsigned i = 0; i < WORLD_SLOTS; i++) {
        struct cap cap = slot_cap(i);

        if ((nested ? is_nested_table(cap) : is_native_table(cap)) && table_is_mapped(cap) &&
            map_asid(cap) == asid && map_address(cap) == address && cap_hpa(cap).raw == page)
            return true;
    }
    return false;
}

static void check_table(unsigned asid, bool nested, const u64 *table, unsigned level, u64 base)
{
    for (unsigned i = 0; i < (level == 3 && !nested ? 256u : 512u); i++) {
        u64 e = table[i], address = base | (u64)i << (12 + 9 * level);

        if (!entry_is_present(e, nested))
            continue;
        if (entry_is_leaf(e, level)) {
            u64 frame = e & 0x000ffffffffff000ULL & ~MASK(12 + 9 * level);

            assert_true(leaf_has_capability(asid, nested, address, level, frame));
        } else {
            u64 page = e & 0x000ffffffffff000ULL;

            assert_true(table_has_capability(asid, nested, address, page));
            check_table(asid, nested, world_table(hpa(page)), level - 1, address);
        }
    }
}

static void check_spaces(void)
{
    for (unsigned i = 0; i < WORLD_SLOTS; i++) {
        struct cap cap = slot_cap(i);

        if (live_root(cap))
            check_table(map_asid(cap), cap.type == CAP_EPT_PML4, live_root(cap), 3, 0);
    }
}

/* --- cores ----------------------------------------------------------------------------------- */

static void leave_guest(void)
{
    guests[host_core].runs = false;
    if (this_core()->current->state == THREAD_RUNNING_VM)
        this_core()->current->state = THREAD_RUNNING;
}

/* The request's interrupt. */
static void on_asked(void)
{
    if (mistake != GUESTS_STAY)
        guests[host_core].runs = false;
}

void processor_invalidate_page(u64 vaddr)
{
    forget_if(is_page, vaddr);
}

void processor_write_cr3(u64 root)
{
    (void)root;
    forget_if(is_native, 0);
}

/* The guest is in until somebody ends it. */
void processor_run_guest(u32 asid, hpa_t nested_root, bool flushes_all)
{
    if (flushes_all && mistake != NO_WRAP_FLUSH)
        forget_if(is_guests, 0);
    guests[host_core].runs = true;
    guests[host_core].asid = asid;
    guests[host_core].root = nested_root.raw;
    /* What is filed under the ASID is the guest's, whatever root it was made for. */
    for (unsigned i = 0; i < nr_remembered; i++) {
        const struct memory_of_entry *m = &remembered[i];

        if (m->core == host_core && m->is_nested && m->asid == asid && m->root != nested_root.raw)
            violations++;
    }
}

/* As arch_switch_to_thread does (kernel/x86/switch.c), or arch_switch_to_idle. */
static void run_thread(struct tcb *tcb)
{
    struct core *core = this_core();

    core->current = tcb;
    if (tcb == core->idle)
        return;

    u64 root = vspace_root_for(tcb).raw;

    if (core->root != root) {
        core->root = root;
        processor_write_cr3(root);
    }
    if (core->loaded_vcpu && core->loaded_vcpu != tcb->vcpu)
        virt->unload();
}

static bool runs(const struct tcb *tcb)
{
    return cores[tcb->core].current == tcb;
}

static void choose_thread(void)
{
    struct tcb *tcb = threads[world_below(NR_THREADS)];

    leave_guest();
    run_thread(tcb->core == host_core ? tcb : this_core()->idle);
}

static void enter_guest(void)
{
    struct tcb *tcb = this_core()->current;

    if (tcb == this_core()->idle)
        return;
    tcb->state = THREAD_RUNNING_VM;
    lock_this_core();
    (void)virt->run(tcb->vcpu, nested_root_for(tcb), tcb->vcpu->gpr);
}

/* sched_stop_remote and thread_set_core, as far as translations are concerned. */
static void move_thread(struct tcb *tcb)
{
    unsigned was = host_core;

    host_core = tcb->core;
    if (runs(tcb)) {
        leave_guest();
        run_thread(this_core()->idle);
    }
    if (mistake == STALE_MOVES)
        virt->unload();
    else
        virt->leave_core(tcb->vcpu);
    host_core = was;
    tcb->core = (u16)world_below(NR_CORES);
}

/* Capabilities that are not in the derivation tree: they may become stale in the thread's slots. */
static void give_spaces(struct tcb *tcb)
{
    unsigned native = random_slot_of(is_native_root), nested = random_slot_of(is_nested_root);

    if (runs(tcb))
        return;
    tcb->slots[TCB_VSPACE].cap = native < WORLD_SLOTS ? slot_cap(native) : cap_null();
    tcb->slots[TCB_EPT_ROOT].cap = nested < WORLD_SLOTS ? slot_cap(nested) : cap_null();
}

/* One core does something; then all look around. */
static void cores_go_on(void)
{
    host_core = world_below(NR_CORES);
    switch (world_below(8)) {
    case 0:
        choose_thread();
        break;
    case 1:
        move_thread(threads[world_below(NR_THREADS)]);
        break;
    case 2:
        give_spaces(threads[world_below(NR_THREADS)]);
        break;
    default:
        if (guests[host_core].runs)
            leave_guest();
        else
            enter_guest();
    }
    for (host_core = 0; host_core < NR_CORES; host_core++)
        for (unsigned n = 0; n < WALKS_PER_STEP; n++) {
            walk_and_remember(this_core()->root, false, 0, random_vaddr() & ~MASK(12));
            if (guests[host_core].runs)
                walk_and_remember(guests[host_core].root, true, guests[host_core].asid,
                                  random_vaddr() & ~MASK(12));
        }
    /* The system call that follows is this one's: it is not in a guest. */
    host_core = world_below(NR_CORES);
    leave_guest();
}

/* --- flushes, as the kernel does them or with a mistake --------------------------------------- */

static void on_flush_page(hpa_t root, u64 vaddr)
{
    nr_cores = mistake == ONE_CORE_PAGE_FLUSH ? 1 : NR_CORES;
    if (mistake != NO_PAGE_FLUSH)
        cores_flush_page(root, vaddr);
    nr_cores = NR_CORES;
}

static void on_flush_space(hpa_t root)
{
    nr_cores = mistake == ONE_CORE_SPACE_FLUSH ? 1 : NR_CORES;
    if (mistake != NO_SPACE_FLUSH)
        cores_flush_space(root);
    nr_cores = NR_CORES;
}

static void on_flush_nested(hpa_t root)
{
    nr_cores = mistake == ONE_CORE_NESTED_FLUSH ? 1 : NR_CORES;
    if (mistake != NO_NESTED_FLUSH)
        cores_flush_nested(root);
    nr_cores = NR_CORES;
}

/* --- runs ------------------------------------------------------------------------------------ */

static void make_threads(void)
{
    static _Alignas(4096) u8 vcpus[NR_THREADS][BIT(VCPU_SIZE_BITS)];
    static _Alignas(2048) u8 tcbs[NR_THREADS][2048];

    memset(vcpus, 0, sizeof vcpus);
    memset(tcbs, 0, sizeof tcbs);
    for (unsigned i = 0; i < NR_THREADS; i++) {
        threads[i] = (struct tcb *)(void *)tcbs[i];
        threads[i]->core = (u16)(i % NR_CORES);
        threads[i]->state = THREAD_RUNNING;
        threads[i]->vcpu = (struct vcpu *)(void *)(vcpus[i] + VCPU_STATE_OFFSET);
        threads[i]->vcpu->tcb = threads[i];
        virt->create(threads[i]->vcpu);
    }
}

static int setup(void **state)
{
    world_reset(state);
    fakes.on_flush_page = on_flush_page;
    fakes.on_flush_space = on_flush_space;
    fakes.on_flush_nested = on_flush_nested;
    fakes.on_asked = on_asked;
    mistake = NO_MISTAKE;
    nr_remembered = 0;
    violations = 0;
    nr_cores = NR_CORES;
    memset(guests, 0, sizeof guests);
    processors_reset(NR_ASIDS);
    make_threads();
    world_put(SLOT_CNODE, world_root());
    world_put(SLOT_CONTROL, cap_make(CAP_ASID_CONTROL, hpa(0), 0, 0));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fakes.on_flush_page = NULL;
    fakes.on_flush_space = NULL;
    fakes.on_flush_nested = NULL;
    fakes.on_asked = NULL;
    host_core = 0;
    world_slots[SLOT_CNODE].cap = cap_make(CAP_DOMAIN, hpa(0), 0, 0);
    return 0;
}

static unsigned run(u64 seed, unsigned steps)
{
    unsigned most = 0;

    world_seed(seed);
    for (unsigned step = 0; step < steps && !violations; step++) {
        random_operation();
        check_remembered();
        if (step % 16 == 0)
            check_spaces();
        for (unsigned turn = 0; turn < TURNS_PER_STEP; turn++) {
            cores_go_on();
            check_remembered();
        }
        most = nr_remembered > most ? nr_remembered : most;
    }
    if (getenv("VERBOSE"))
        print_message("%u steps, at most %u entries remembered\n", steps, most);
    return most;
}

static void test_nothing_stale_npt(void **state)
{
    (void)state;
    nested_format = NESTED_NPT;
    assert_true(run(1, STEPS) > 50); /* the run has meaning only if something was remembered */
    assert_int_equal(violations, 0);
}

static void test_nothing_stale_ept(void **state)
{
    (void)state;
    nested_format = NESTED_EPT;
    assert_true(run(2, STEPS) > 50);
    assert_int_equal(violations, 0);
}

static void notices(enum mistake made)
{
    mistake = made;
    run(2 + made, STEPS);
    assert_int_not_equal(violations, 0);
}

/* The model notices each mistake. */
#define NOTICES(name)                                                                              \
    static void test_notices_##name(void **state)                                                  \
    {                                                                                              \
        (void)state;                                                                               \
        notices(name);                                                                             \
    }

NOTICES(NO_PAGE_FLUSH)
NOTICES(NO_SPACE_FLUSH)
NOTICES(NO_NESTED_FLUSH)
NOTICES(ONE_CORE_PAGE_FLUSH)
NOTICES(ONE_CORE_SPACE_FLUSH)
NOTICES(ONE_CORE_NESTED_FLUSH)
NOTICES(GUESTS_STAY)
NOTICES(NO_WRAP_FLUSH)
NOTICES(STALE_MOVES)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_stale_npt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_stale_ept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notices_NO_PAGE_FLUSH, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notices_NO_SPACE_FLUSH, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notices_NO_NESTED_FLUSH, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notices_ONE_CORE_PAGE_FLUSH, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notices_ONE_CORE_SPACE_FLUSH, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notices_ONE_CORE_NESTED_FLUSH, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notices_GUESTS_STAY, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notices_NO_WRAP_FLUSH, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notices_STALE_MOVES, setup, teardown),
    };

    return cmocka_run_group_tests_name("translations", tests, NULL, world_reset);
}
