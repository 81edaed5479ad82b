/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/kernel/invariants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/core/core.h"
#include "kernel/core/time.h"
#include "kernel/object/cnode.h"
#include "kernel/object/derivation.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/irq.h"
#include "kernel/object/object.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/object/untyped.h"
#include "kernel/object/vcpu.h"
#include "kernel/sched/queues.h"
#include "kernel/vspace/asid.h"
#include "tests/unit/kernel/fakes.h"

/* The fuzzer shall look for new ways through the kernel, not through this file. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

#define must(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            violated(#condition, __LINE__, "" __VA_ARGS__);                                        \
    } while (0)

static _Noreturn void violated(const char *condition, int line, const char *what)
{
    fprintf(stderr, "invariant violated: %s (line %d) %s\n", condition, line, what);
    abort();
}

/* --- finding the capabilities ---------------------------------------------------------------- */

struct live_slots live;
const struct sched_context *initial_context;

#define SEEN_SIZE (2 * MAX_LIVE_SLOTS)

static struct slot *seen[SEEN_SIZE];
static unsigned seen_positions[SEEN_SIZE];
static unsigned nr_lists;

static unsigned hash(const struct slot *slot)
{
    return (unsigned)((u64)(uintptr_t)slot / sizeof *slot * 0x9e3779b97f4a7c15ULL >> 40) %
           SEEN_SIZE;
}

static unsigned seen_find(const struct slot *slot)
{
    unsigned at = hash(slot);

    while (seen[at] && seen[at] != slot)
        at = (at + 1) % SEEN_SIZE;
    return at;
}

/* The position in `live`, or MAX_LIVE_SLOTS. */
static unsigned live_position(const struct slot *slot)
{
    unsigned at = seen_find(slot);

    return seen[at] ? seen_positions[at] : MAX_LIVE_SLOTS;
}

static void add_slot(struct slot *slot, unsigned list)
{
    unsigned at = seen_find(slot);

    must(!seen[at], "a slot is in two lists, or twice in one");
    must(live.count < MAX_LIVE_SLOTS);
    seen[at] = slot;
    seen_positions[at] = live.count;
    live.slot[live.count] = slot;
    live.list[live.count++] = list;
}

static void add_list_of(struct slot *slot)
{
    struct slot *head = slot;
    unsigned steps = 0;

    if (slot_is_empty(slot)) {
        must(slot->prev == 0 && slot->next == 0, "an empty slot has links");
        return;
    }
    if (live_position(slot) < MAX_LIVE_SLOTS)
        return;
    while (slot_prev(head)) {
        must(++steps < MAX_LIVE_SLOTS, "a list goes in circles");
        head = slot_prev(head);
    }
    for (struct slot *at = head; at; at = slot_next(at)) {
        must(!slot_is_empty(at), "an empty slot is in a list");
        must(!slot_next(at) || slot_prev(slot_next(at)) == at, "links disagree");
        add_slot(at, nr_lists);
    }
    nr_lists++;
}

/* The slots inside an object. */
static u64 inner_slots(struct cap cap)
{
    switch (cap.type) {
    case CAP_CNODE:
        return BIT(cnode_radix(cap));
    case CAP_TCB:
        return TCB_SLOT_COUNT;
    case CAP_ZOMBIE:
        must(zombie_kind(cap) != ZOMBIE_SLOTS ||
                 cap.data * sizeof(struct slot) <= BIT(cap_aux_get(cap, 0, 6)),
             "a zombie has more slots than its object");
        return cap.data;
    default:
        return 0;
    }
}

void invariants_collect(struct slot *root, u64 nr_slots)
{
    memset(seen, 0, sizeof seen);
    live.count = 0;
    nr_lists = 0;
    for (u64 i = 0; i < nr_slots; i++)
        add_list_of(&root[i]);
    for (unsigned i = 0; i < IRQ_COUNT; i++)
        add_list_of(&irqs[i].notification);
    for (unsigned i = 0; i < live.count; i++) {
        struct slot *slots = cap_object(live.slot[i]->cap);
        u64 count = inner_slots(live.slot[i]->cap);

        if (slots == root)
            count = 0;
        for (u64 s = 0; s < count; s++)
            add_list_of(&slots[s]);
    }
}

/* --- memory ---------------------------------------------------------------------------------- */

struct object {
    u64 start, end;
    struct cap cap;
    unsigned position;
};

static struct object objects[MAX_LIVE_SLOTS]; /* without untypeds */
static unsigned nr_objects;
static struct object extents[MAX_LIVE_SLOTS]; /* with them */
static unsigned nr_extents;

static int by_start(const void *a, const void *b)
{
    const struct object *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static void list_objects(void)
{
    nr_objects = nr_extents = 0;
    for (unsigned i = 0; i < live.count; i++) {
        struct cap cap = live.slot[i]->cap;
        unsigned bits = cap_size_bits(cap);

        if (bits)
            extents[nr_extents++] =
                (struct object){ cap_hpa(cap).raw, cap_hpa(cap).raw + BIT(bits), cap, i };
    }
    qsort(extents, nr_extents, sizeof *extents, by_start);
    for (unsigned i = 0; i < nr_extents; i++) {
        if (extents[i].cap.type != CAP_UNTYPED)
            objects[nr_objects++] = extents[i];
    }
}

static void check_overlap(void)
{
    for (unsigned i = 1; i < nr_objects; i++) {
        const struct object *a = &objects[i - 1], *b = &objects[i];

        if (a->start == b->start && a->end == b->end)
            must(a->cap.type == b->cap.type, "two objects in one place");
        else
            must(a->end <= b->start, "objects overlap");
    }
}

/* The first in a sorted list that starts at or after the address. */
static unsigned first_from(const struct object *list, unsigned count, u64 start)
{
    unsigned low = 0, high = count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (list[middle].start < start)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whatever lies in an untyped's memory is among its descendants, which have no gap. */
static void check_untyped(unsigned at)
{
    struct slot *slot = live.slot[at];
    struct cap untyped = slot->cap;
    u64 start = cap_hpa(untyped).raw, end = start + untyped_bytes(untyped);
    unsigned last = at;

    must(untyped_free_offset(untyped) <= untyped_bytes(untyped));
    while (last + 1 < live.count && live.list[last + 1] == live.list[at] &&
           cap_same_region(untyped, live.slot[last + 1]->cap))
        last++;
    must((last > at) == slot_has_children(slot), "untyped and its descendants");
    for (unsigned i = first_from(extents, nr_extents, start);
         i < nr_extents && extents[i].start < end; i++) {
        const struct object *inner = &extents[i];

        /* An untyped around this one, this one itself, or a copy: above or below. */
        if (inner->end > end ||
            (inner->cap.type == CAP_UNTYPED && inner->start == start && inner->end == end))
            continue;
        must(inner->position > at && inner->position <= last,
             "an object outside its untyped's descendants");
        must(inner->end <= start + untyped_free_offset(untyped),
             "an object in the unused part of its untyped");
    }
}

static void check_unused_memory(struct cap untyped)
{
    const u8 *memory = cap_object(untyped);
    u64 size = untyped_bytes(untyped), used = untyped_free_offset(untyped);

    if (untyped_is_device(untyped) || used >= size)
        return;
    must(memory[used] == 0 && memcmp(memory + used, memory + used + 1, size - used - 1) == 0,
         "unused memory is not zero");
}

static void check_memory(bool thorough)
{
    list_objects();
    check_overlap();
    for (unsigned i = 0; i < live.count; i++) {
        if (live.slot[i]->cap.type != CAP_UNTYPED)
            continue;
        check_untyped(i);
        if (thorough)
            check_unused_memory(live.slot[i]->cap);
    }
}

/* Is there a live object of the type here? */
static bool is_live(const void *object, enum cap_type type)
{
    u64 base = ptr_to_hpa(object).raw;
    unsigned at = first_from(objects, nr_objects, base);

    if (at < nr_objects && objects[at].start == base)
        return objects[at].cap.type == type;
    return type == CAP_SCHED_CONTEXT && object == initial_context;
}

static bool is_live_vcpu(const struct vcpu *vcpu)
{
    return is_live((const u8 *)vcpu - VCPU_STATE_OFFSET, CAP_VCPU);
}

/* A queue of a zombie is still a queue. */
static bool is_live_or_zombie(const void *object, enum cap_type type)
{
    return is_live(object, type) || is_live(object, CAP_ZOMBIE);
}

/* --- address spaces -------------------------------------------------------------------------- */

#define ENTRY_ADDRESS 0x000ffffffffff000ULL
#define ENTRY_PRESENT 7ULL /* read, write, execute in EPT; bit 0 elsewhere, with others */
#define ENTRY_LARGE   BIT(7)

struct space {
    unsigned asid;
    bool nested;
};

static bool frame_is_there(struct cap cap, struct space space, u64 address, u64 entry,
                           unsigned level)
{
    enum frame_map map = space.nested ? FRAME_IN_EPT : FRAME_IN_VSPACE;

    return cap.type == CAP_FRAME && frame_map(cap) == map && map_asid(cap) == space.asid &&
           map_address(cap) == address && frame_size(cap) == level &&
           cap_hpa(cap).raw == (entry & ENTRY_ADDRESS & ~MASK(frame_size_bits(cap)));
}

static bool table_is_there(struct cap cap, struct space space, u64 address, u64 entry,
                           unsigned level)
{
    static const enum cap_type types[2][4] = {
        { CAP_NULL, CAP_PAGE_TABLE, CAP_PAGE_DIRECTORY, CAP_PDPT },
        { CAP_NULL, CAP_EPT_PT, CAP_EPT_PD, CAP_EPT_PDPT },
    };

    return cap.type == types[space.nested][level] && table_is_mapped(cap) &&
           map_asid(cap) == space.asid && map_address(cap) == address &&
           cap_hpa(cap).raw == (entry & ENTRY_ADDRESS);
}

static void check_entry(struct space space, u64 address, u64 entry, unsigned level, bool is_leaf)
{
    for (unsigned i = 0; i < live.count; i++) {
        struct cap cap = live.slot[i]->cap;

        if (is_leaf ? frame_is_there(cap, space, address, entry, level)
                    : table_is_there(cap, space, address, entry, level))
            return;
    }
    violated("found", __LINE__, "a present entry without capability");
}

/* level of the table's entries: 0 for those of a page table, 3 for those of a root. */
static void check_table(struct space space, const u64 *table, u64 address, unsigned level)
{
    unsigned count = level == 3 && !space.nested ? 511 : 512;

    for (unsigned i = 0; i < count; i++) {
        u64 entry = table[i], at = address + ((u64)i << (PAGE_BITS + 9 * level));
        bool is_leaf = level == 0 || (entry & ENTRY_LARGE);

        if (!(entry & ENTRY_PRESENT))
            continue;
        if (!space.nested && at >> 47)
            at |= ~MASK(48);
        check_entry(space, at, entry, level, is_leaf);
        if (!is_leaf)
            check_table(space, hpa_to_ptr(hpa(entry & ENTRY_ADDRESS)), at, level - 1);
    }
}

static void check_spaces(void)
{
    for (unsigned i = 0; i < nr_objects; i++) {
        struct cap cap = objects[i].cap;
        struct space space = { map_asid(cap), cap.type == CAP_EPT_PML4 };
        bool again = i > 0 && objects[i - 1].start == objects[i].start;

        if ((cap.type != CAP_PML4 && cap.type != CAP_EPT_PML4) || !table_is_mapped(cap) || again)
            continue;
        if (asid_root(space.asid, space.nested ? ASID_NESTED : ASID_NATIVE) == cap_object(cap))
            check_table(space, cap_object(cap), 0, 3);
    }
}

/* --- threads --------------------------------------------------------------------------------- */

static void check_waiting(const struct tcb *head, const struct tcb *tail, const void *object)
{
    const struct tcb *prev = NULL;

    for (const struct tcb *tcb = head; tcb; prev = tcb, tcb = tcb->queue_next) {
        must(is_live(tcb, CAP_TCB), "a dead thread waits");
        must(tcb->queue_prev == prev && (const void *)tcb->blocked_on == object);
        must(!prev || prev->priority >= tcb->priority, "queue out of order");
    }
    must(tail == prev, "the queue's end");
}

static void check_endpoint(struct endpoint *endpoint)
{
    const struct tcb *head = endpoint_head(endpoint);
    enum thread_state state = endpoint_state(endpoint) == ENDPOINT_SENDING
                                  ? THREAD_BLOCKED_ON_SEND
                                  : THREAD_BLOCKED_ON_RECEIVE;

    must((endpoint_state(endpoint) == ENDPOINT_IDLE) == (head == NULL));
    check_waiting(head, (const struct tcb *)(uintptr_t)endpoint->tail, endpoint);
    for (const struct tcb *tcb = head; tcb; tcb = tcb->queue_next)
        must(tcb->state == state, "a waiting thread's state");
}

static void check_notification(struct notification *notification)
{
    must((notification->state == NOTIFICATION_WAITING) == (notification->queue.head != NULL));
    check_waiting(notification->queue.head, notification->queue.tail, notification);
    for (const struct tcb *tcb = notification->queue.head; tcb; tcb = tcb->queue_next)
        must(tcb->state == THREAD_BLOCKED_ON_NOTIFICATION);
    if (notification->bound)
        must(is_live(notification->bound, CAP_TCB) &&
             notification->bound->notification == notification);
    if (notification->sched_context)
        must(is_live(notification->sched_context, CAP_SCHED_CONTEXT) &&
             notification->sched_context->notification == notification);
}

static bool is_waiting(const struct tcb *tcb)
{
    const struct tcb *head;

    if (tcb->state == THREAD_BLOCKED_ON_NOTIFICATION) {
        must(is_live_or_zombie(tcb->blocked_on, CAP_NOTIFICATION));
        head = ((struct notification *)tcb->blocked_on)->queue.head;
    } else {
        must(is_live_or_zombie(tcb->blocked_on, CAP_ENDPOINT));
        head = endpoint_head(tcb->blocked_on);
    }
    while (head && head != tcb)
        head = head->queue_next;
    return head;
}

static void check_known(struct tcb *tcb)
{
    struct known known = tcb->known;

    if (!tcb_is_known(tcb))
        return;
    known_learn(tcb);
    must(memcmp(&known, &tcb->known, sizeof(known)) == 0, "what is known is not so");
}

static void check_tcb(struct tcb *tcb)
{
    check_known(tcb);
    must(!tcb->in_guest || (tcb->state == THREAD_INACTIVE && tcb->vcpu), "in a guest, and not");
    switch (tcb->state) {
    case THREAD_BLOCKED_ON_SEND:
    case THREAD_BLOCKED_ON_RECEIVE:
    case THREAD_BLOCKED_ON_NOTIFICATION:
        must(is_waiting(tcb), "a waiting thread is in no queue");
        break;
    case THREAD_BLOCKED_ON_REPLY:
        must(tcb->reply, "waits for an answer that cannot come");
        break;
    case THREAD_RUNNING_VM:
    case THREAD_HALTED_VM:
        must(tcb->vcpu, "a guest without VCPU");
        break;
    case THREAD_IDLE:
        violated("state", __LINE__, "a thread is idle");
        break;
    default:
        break;
    }
    if (tcb->reply)
        must(is_live(tcb->reply, CAP_REPLY) && tcb->reply->tcb == tcb);
    if (tcb->sched_context)
        must(is_live(tcb->sched_context, CAP_SCHED_CONTEXT) && tcb->sched_context->tcb == tcb);
    if (tcb->notification)
        must(is_live(tcb->notification, CAP_NOTIFICATION) && tcb->notification->bound == tcb);
    if (tcb->vcpu)
        must(is_live_vcpu(tcb->vcpu) && tcb->vcpu->tcb == tcb);
    if (tcb->yield_to)
        must(is_live(tcb->yield_to, CAP_SCHED_CONTEXT) && tcb->yield_to->yield_from == tcb);
    must(!(tcb->in_ready_queue && tcb->in_release_queue));
}

static void check_reply(struct reply *reply)
{
    if (reply->tcb)
        must(is_live(reply->tcb, CAP_TCB) && reply->tcb->reply == reply);
    if (reply->sched_context)
        must(is_live(reply->sched_context, CAP_SCHED_CONTEXT) &&
             reply->sched_context->reply == reply);
    if (reply->prev)
        must(is_live(reply->prev, CAP_REPLY) && reply->prev->next == reply);
    if (reply->next)
        must(is_live(reply->next, CAP_REPLY) && reply->next->prev == reply);
}

static void check_refills(struct sched_context *sc, unsigned size_bits)
{
    const struct refill *refills = sched_context_refills(sc), *prev = NULL;
    ticks_t sum = 0;

    must(sc->refill_count >= 1 && sc->refill_count <= sc->refill_max &&
         sc->refill_head < sc->refill_max && sc->refill_max <= refills_in_size(size_bits));
    for (unsigned i = 0; i < sc->refill_count; i++) {
        const struct refill *refill = &refills[(sc->refill_head + i) % sc->refill_max];

        sum += refill->amount;
        if (prev && sc->period)
            must(prev->time + prev->amount <= refill->time, "refills overlap");
        prev = refill;
    }
    must(sum == sc->budget, "refills do not sum to the budget");
}

static void check_sched_context(struct sched_context *sc, unsigned size_bits)
{
    if (sc->tcb)
        must(is_live(sc->tcb, CAP_TCB) && sc->tcb->sched_context == sc);
    if (sc->notification)
        must(is_live(sc->notification, CAP_NOTIFICATION) && sc->notification->sched_context == sc);
    if (sc->reply)
        must(is_live(sc->reply, CAP_REPLY) && sc->reply->sched_context == sc);
    if (sc->yield_from)
        must(is_live(sc->yield_from, CAP_TCB) && sc->yield_from->yield_to == sc);
    if (sc->refill_max)
        check_refills(sc, size_bits);
}

static void check_objects(void)
{
    for (unsigned i = 0; i < nr_objects; i++) {
        struct cap cap = objects[i].cap;

        if (i > 0 && objects[i - 1].start == objects[i].start)
            continue;
        switch (cap.type) {
        case CAP_ENDPOINT:
            check_endpoint(cap_object(cap));
            break;
        case CAP_NOTIFICATION:
            check_notification(cap_object(cap));
            break;
        case CAP_TCB:
            check_tcb(cap_object(cap));
            break;
        case CAP_REPLY:
            check_reply(cap_object(cap));
            break;
        case CAP_SCHED_CONTEXT:
            check_sched_context(cap_object(cap), sched_context_size_bits(cap));
            break;
        case CAP_VCPU:
            if (cap_vcpu(cap)->tcb)
                must(cap_vcpu(cap)->tcb->vcpu == cap_vcpu(cap));
            break;
        default:
            break;
        }
    }
}

/* --- the scheduler --------------------------------------------------------------------------- */

static unsigned check_ready_queue(const struct core *core, unsigned priority)
{
    const struct ready_queue *queue = &core->ready[priority];
    const struct tcb *prev = NULL;
    unsigned count = 0;

    must(!!queue->head == !!(core->ready_words[priority / 64] & BIT(priority % 64)));
    for (const struct tcb *tcb = queue->head; tcb; prev = tcb, tcb = tcb->sched_next, count++) {
        must(is_live(tcb, CAP_TCB), "a dead thread is ready");
        must(tcb->in_ready_queue && tcb->priority == priority && tcb->core == core->id);
        must(tcb->sched_prev == prev);
        must(tcb->sched_context && tcb->sched_context->refill_max, "ready without context");
        must(tcb->state == THREAD_RUNNING || tcb->state == THREAD_RESTART ||
                 tcb->state == THREAD_RUNNING_VM,
             "a thread that cannot run is ready");
        must(tcb != core->current, "the running thread is queued");
    }
    if (queue->head)
        must(queue->tail == prev);
    return count;
}

static ticks_t refill_time(const struct tcb *tcb)
{
    return sched_context_refills(tcb->sched_context)[tcb->sched_context->refill_head].time;
}

/* A heap (kernel/sched/release.c). */
static unsigned check_release_queue(const struct core *core)
{
    must(!core->release_head == !core->release_count);
    for (unsigned node = 1; node <= core->release_count; node++) {
        const struct tcb *tcb = release_at(core, node), *parent = tcb->heap.parent;

        must(is_live(tcb, CAP_TCB) && tcb->in_release_queue && tcb->sched_context);
        must(parent == (node > 1 ? release_at(core, node / 2) : NULL));
        must(!parent || refill_time(parent) <= refill_time(tcb), "release queue out of order");
    }
    return core->release_count;
}

static void check_current(const struct core *core)
{
    const struct tcb *current = core->current;

    must(!core->next, "the choice has not been made");
    must(!core->current_sc || is_live(core->current_sc, CAP_SCHED_CONTEXT));
    must(core->current_sc == current->sched_context, "another thread's time");
    if (current == core->idle)
        return;
    must(is_live(current, CAP_TCB), "a dead thread runs");
    must(current->core == core->id, "a thread runs where it does not belong");
    must(!current->in_ready_queue && !current->in_release_queue, "the running thread is queued");
    must(current->state == THREAD_RUNNING || current->state == THREAD_RUNNING_VM,
         "a blocked thread runs");
}

/* The core that was played last has made its choice; others may have news. */
static void check_scheduler(bool thorough)
{
    unsigned ready = 0, released = 0;

    for (unsigned id = 0; id < CONFIG_MAX_CORES; id++) {
        const struct core *core = &cores[id];

        for (unsigned word = 0; word < CONFIG_PRIORITIES / 64; word++)
            must(!!core->ready_words[word] == !!(core->ready_top & BIT(word)));
        must(core->ready_floor == (core->ready_top ? ready_highest_priority(core) : 0));
        for (unsigned priority = 0; priority < CONFIG_PRIORITIES; priority++) {
            if (thorough || id == 0 || core->ready_top)
                ready += check_ready_queue(core, priority);
        }
        released += check_release_queue(core);
    }
    for (unsigned i = 0; i < nr_objects; i++) {
        const struct tcb *tcb = cap_object(objects[i].cap);

        if (objects[i].cap.type != CAP_TCB || (i > 0 && objects[i - 1].start == objects[i].start))
            continue;
        ready -= tcb->in_ready_queue;
        released -= tcb->in_release_queue;
    }
    must(ready == 0 && released == 0, "flags and queues disagree");
    for (unsigned id = 0; id < nr_cores; id++)
        check_current(&cores[id]);
    must(!this_core()->choose_new, "the choice has not been made");
}

static void check_irqs(void)
{
    bool has_handler[IRQ_COUNT] = { false };

    for (unsigned i = 0; i < live.count; i++) {
        if (live.slot[i]->cap.type == CAP_IRQ_HANDLER)
            has_handler[irq_handler_irq(live.slot[i]->cap)] = true;
    }
    for (unsigned irq = 0; irq < IRQ_COUNT; irq++) {
        must(has_handler[irq] == (irqs[irq].state != IRQ_FREE), "an irq and its handler");
        must(has_handler[irq] || slot_is_empty(&irqs[irq].notification));
    }
}

void invariants_check(struct slot *root, u64 nr_slots, bool thorough)
{
    invariants_collect(root, nr_slots);
    check_memory(thorough);
    check_spaces();
    check_objects();
    check_scheduler(thorough);
    check_irqs();
}

#ifdef __clang__
#pragma clang attribute pop
#endif
