/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/kernel/memory_world.h"

#include "kernel/core/preempt.h"
#include "kernel/object/cnode.h"
#include "kernel/object/io_port.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/object.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/vcpu.h"
#include "kernel/vspace/asid.h"
#include "kernel/vspace/tlb.h"

/* The dispatcher, with only the handlers that are linked in. */
#define METHOD(number, label, object, handler, ...)                                                \
    enum status invoke_##handler(struct request *request) __attribute__((weak));
#include "abi/invocations.def"
#include "kernel/api/dispatch.c"

#define WORLD_CNODE_BITS 8
_Static_assert(1u << WORLD_CNODE_BITS == WORLD_SLOTS, "the CNode's size");

struct signals signals;
struct request world_reply;
struct slot *world_slots;

static struct tcb *caller;
/* All memory, used up: the parent of every object that a test makes. */
static struct slot *everything;

/* --- other objects --------------------------------------------------------------------------- */

enum status preemption_point(void)
{
    return STATUS_OK;
}

void notification_signal(struct notification *notification, u64 badge)
{
    (void)notification;
    signals.count++;
    signals.badge = badge;
}

void tcb_create(struct tcb *tcb)
{
    (void)tcb;
}

void tcb_finalise(struct tcb *tcb)
{
    (void)tcb;
}

bool endpoint_finalise(const struct endpoint *endpoint)
{
    (void)endpoint;
    return true;
}

bool notification_finalise(struct notification *notification)
{
    (void)notification;
    return true;
}

enum status object_drain(struct cap zombie)
{
    (void)zombie;
    return STATUS_OK;
}

void reply_finalise(struct reply *reply)
{
    (void)reply;
}

void sched_context_finalise(struct sched_context *sc)
{
    (void)sc;
}

void vcpu_create(void *base)
{
    (void)base;
}

void vcpu_finalise(struct vcpu *vcpu)
{
    (void)vcpu;
}

void vcpu_unmap_io_ports(struct cap io_port)
{
    (void)io_port;
}

/* --- the machine ----------------------------------------------------------------------------- */

/* Frees what the last test left: its pools, IRQs and ports. */
static void shut_down(void)
{
    for (unsigned i = 0; world_slots && i < WORLD_SLOTS; i++) {
        if (!slot_is_empty(&world_slots[i]))
            world_delete(i);
    }
    for (unsigned irq = 0; irq < IRQ_COUNT; irq++)
        assert_int_equal(irqs[irq].state, IRQ_FREE);
    assert_false(io_port_is_issued(0, 0xffff));
    assert_int_equal(asid_free_pool(), 0);
}

static void *aligned_zeroed(size_t alignment, size_t bytes)
{
    void *result = aligned_alloc(alignment, bytes);

    assert_non_null(result);
    return memset(result, 0, bytes);
}

int world_reset(void **state)
{
    (void)state;
    fakes.on_flush_page = NULL;
    fakes.on_flush_space = NULL;
    fakes.on_flush_nested = NULL;
    shut_down();
    fakes_reset(WORLD_BASE + WORLD_PAGES * PAGE_SIZE);
    if (!world_slots) {
        world_slots = aligned_zeroed(sizeof(struct slot), WORLD_SLOTS * sizeof(struct slot));
        caller = aligned_zeroed(2048, 2048);
        everything = aligned_zeroed(sizeof(struct slot), sizeof(struct slot));
    }
    memset(world_slots, 0, WORLD_SLOTS * sizeof(struct slot));
    memset(everything, 0, sizeof(*everything));
    slot_insert_root(everything, cap_make(CAP_UNTYPED, hpa(0), 47, BIT(47)));
    signals = (struct signals){ 0 };
    nested_format = NESTED_NPT;
    nested_has_1g = true;
    world_seed(1);
    return 0;
}

hpa_t world_page(unsigned index)
{
    assert_true(index < WORLD_PAGES);
    return hpa(WORLD_BASE + index * PAGE_SIZE);
}

u64 *world_table(hpa_t page)
{
    assert_true(page.raw >= WORLD_BASE && page.raw < WORLD_BASE + WORLD_PAGES * PAGE_SIZE);
    return hpa_to_ptr(page);
}

/* The slots are not in the machine's memory; the window reaches them all the same. */
struct cap world_root(void)
{
    struct cap cap =
        cap_make(CAP_CNODE, hpa(0), WORLD_CNODE_BITS | (64 - WORLD_CNODE_BITS) << 6, 0);

    cap.base = ptr_to_hpa(world_slots).raw >> 4 & MASK(44);
    return cap;
}

void world_put(unsigned slot, struct cap cap)
{
    slot_insert_new(everything, &world_slots[slot], cap);
}

struct cap world_frame(enum frame_size size, hpa_t at, unsigned rights)
{
    return cap_make(CAP_FRAME, at, size | rights << 3, 0);
}

bool world_copy(unsigned from, unsigned to)
{
    struct cap derived = world_slots[from].cap;

    if (cap_derive(&world_slots[from], &derived) != seL4_NoError)
        return false;
    slot_insert(derived, &world_slots[from], &world_slots[to]);
    return true;
}

void world_delete(unsigned slot)
{
    assert_int_equal(slot_delete(&world_slots[slot]), STATUS_OK);
}

unsigned world_free_slot(void)
{
    unsigned slot = 1;

    while (slot < WORLD_SLOTS && !slot_is_empty(&world_slots[slot]))
        slot++;
    return slot;
}

/* --- invocations ----------------------------------------------------------------------------- */

/*
 * The fake of the CNode lookup: index is the slot, depth 64. kernel/object/cnode.c has its own
 * tests.
 */
struct slot *request_empty_slot(struct request *request, struct cap root, unsigned word)
{
    u64 index = request_word(request, word), depth = request_word(request, word + 1);
    enum status status = STATUS_OK;

    if (root.type != CAP_CNODE || index >= WORLD_SLOTS)
        status = error_lookup(request, false, (struct lookup_failure){ .type = seL4_InvalidRoot });
    else if (depth < 1 || depth > 64)
        status = error_range(request, 1, 64);
    else if (!slot_is_empty(&world_slots[index]))
        status = error_code(request, seL4_DeleteFirst);
    return status == STATUS_OK ? &world_slots[index] : NULL;
}

u64 world_invoke(u64 label, unsigned slot, const u64 *words, unsigned length, const int *extra)
{
    u64 buffer[121] = { 0 };
    struct request request = {
        .caller = caller,
        .slot = &world_slots[slot],
        .cap = world_slots[slot].cap,
        .label = label,
        .length = length,
        .buffer = buffer,
        .kind = { .is_call = true, .is_blocking = true },
    };

    memcpy(buffer + 1, words, length * sizeof(u64));
    caller->context.r10 = buffer[1];
    caller->context.r8 = buffer[2];
    caller->context.r9 = buffer[3];
    caller->context.r15 = buffer[4];
    for (; extra && *extra >= 0; extra++)
        request.extra[request.nr_extra++] = &world_slots[*extra];

    enum status status = invocation_dispatch(&request);

    world_reply = request;
    return status == STATUS_OK ? seL4_NoError : request.error.code;
}

/* --- random numbers -------------------------------------------------------------------------- */

static u64 random_state;

void world_seed(u64 seed)
{
    random_state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

/* xorshift64* */
u64 world_random(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return random_state * 0x2545f4914f6cdd1dULL;
}
