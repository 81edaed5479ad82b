/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/kernel/thread_world.h"

#include "kernel/api/syscall.h"
#include "kernel/core/lock.h"
#include "kernel/sched/queues.h"
#include "kernel/x86/virt/virt.h"

struct thread_world world;

/* Machines of these tests have no virtualisation, unless a test says otherwise. */
const struct virt_backend *virt;

#define INITIAL_UNTYPED_BITS 26
#define BUFFER_ADDRESS       0x10000000u

int thread_world_set_up(void **state)
{
    (void)state;
    fakes_reset(WORLD_MEMORY);
    fakes.quiet = true;
    fakes.now = 1000000;
    memset(&world, 0, sizeof(world));
    world.slots = hpa_to_ptr(hpa(0x10000));
    world.next_paddr = 0x100000;
    world.next_slot = SLOT_FREE;
    slot_insert_root(&world.slots[SLOT_UNTYPED], cap_make(CAP_UNTYPED, hpa(0), INITIAL_UNTYPED_BITS,
                                                          BIT(INITIAL_UNTYPED_BITS)));
    slot_insert_new(&world.slots[SLOT_UNTYPED], &world.slots[SLOT_CNODE],
                    cap_make(CAP_CNODE, hpa(0x10000), WORLD_RADIX | (64 - WORLD_RADIX) << 6, 0));
    slot_insert_root(&world.slots[SLOT_SCHED_CONTROL], cap_make(CAP_SCHED_CONTROL, hpa(0), 0, 0));
    this_core()->now = fakes.now;
    return 0;
}

/* --- objects --------------------------------------------------------------------------------- */

unsigned empty_slot(void)
{
    assert_true(world.next_slot < WORLD_SLOTS);
    return world.next_slot++;
}

static hpa_t take_memory(unsigned size_bits)
{
    u64 base = (world.next_paddr + MASK(size_bits)) & ~MASK(size_bits);

    world.next_paddr = base + BIT(size_bits);
    assert_true(world.next_paddr <= WORLD_MEMORY);
    return hpa(base);
}

unsigned make(u64 type, unsigned size_bits)
{
    unsigned slot = empty_slot();
    hpa_t base = take_memory(object_size_bits(type, size_bits));

    slot_insert_new(&world.slots[SLOT_UNTYPED], &world.slots[slot],
                    object_create(type, base, size_bits, false));
    if (type == seL4_TCBObject)
        world.tcbs[world.nr_tcbs++] = hpa_to_ptr(base);
    return slot;
}

unsigned make_endpoint(void)
{
    return make(seL4_EndpointObject, 0);
}
unsigned make_notification(void)
{
    return make(seL4_NotificationObject, 0);
}
unsigned make_reply(void)
{
    return make(seL4_ReplyObject, 0);
}

unsigned make_sched_context(u64 budget_us, u64 period_us)
{
    unsigned slot = make(seL4_SchedContextObject, 8);

    if (budget_us)
        refill_new(sched_context_at(slot), budget_us == period_us ? 2 : 10, us_to_ticks(budget_us),
                   budget_us == period_us ? 0 : us_to_ticks(period_us), fakes.now);
    return slot;
}

unsigned mint(unsigned slot, u64 badge, unsigned rights)
{
    unsigned copy = empty_slot();
    struct cap cap = cap_mask_rights(cap_at(slot), rights);

    if (badge)
        cap = cap_update_data(cap, badge, false);
    slot_insert(cap, &world.slots[slot], &world.slots[copy]);
    return copy;
}

/* --- threads --------------------------------------------------------------------------------- */

static void give(struct tcb *tcb, enum tcb_slot index, unsigned slot)
{
    slot_insert(cap_at(slot), &world.slots[slot], &tcb->slots[index]);
}

unsigned make_passive_thread(u8 priority)
{
    unsigned slot = make(seL4_TCBObject, 0), frame = make(seL4_X86_4K, 0);
    struct tcb *tcb = tcb_at(slot);

    give(tcb, TCB_CSPACE, SLOT_CNODE);
    give(tcb, TCB_IPC_BUFFER, frame);
    tcb->ipc_buffer = BUFFER_ADDRESS;
    tcb->priority = priority;
    tcb->max_priority = 255;
    tcb->context.rip = CODE;
    return slot;
}

static void begin(struct tcb *tcb)
{
    this_core()->now = fakes.now;
    tcb_restart(tcb);
    schedule();
    activate_current();
}

unsigned make_thread_with_budget(u8 priority, u64 budget_us, u64 period_us)
{
    unsigned thread = make_passive_thread(priority);
    unsigned sc = make_sched_context(budget_us, period_us);

    sched_context_bind_tcb(sched_context_at(sc), tcb_at(thread));
    begin(tcb_at(thread));
    return thread;
}

unsigned make_thread(u8 priority)
{
    return make_thread_with_budget(priority, 5000, 5000);
}

unsigned sched_context_slot_of(unsigned thread)
{
    for (unsigned slot = SLOT_FREE; slot < world.next_slot; slot++)
        if (cap_at(slot).type == CAP_SCHED_CONTEXT &&
            cap_object(cap_at(slot)) == tcb_at(thread)->sched_context)
            return slot;
    fail_msg("the thread has no context");
    return 0;
}

u64 *buffer_of(struct tcb *tcb)
{
    return tcb_buffer_for_receive(tcb);
}

void assert_running(unsigned thread)
{
    assert_ptr_equal(running(), tcb_at(thread));
    assert_ptr_equal(fakes.running[host_core], tcb_at(thread));
}

void assert_idle(void)
{
    assert_ptr_equal(running(), this_core()->idle);
}

/* --- acting ---------------------------------------------------------------------------------- */

/* As the entry stub does; kernel_leave gives up the locks. */
void syscall_by(unsigned thread, s64 number)
{
    struct user_context *c = &tcb_at(thread)->context;

    assert_running(thread);
    assert_int_equal(running()->state, THREAD_RUNNING);
    c->rip += CONTEXT_SYSCALL_LENGTH;
    c->by_syscall = 1;
    c->rdx = (u64)number;
    syscall_entry(number);
    unlock();
    check_threads();
}

static void with(unsigned thread, u64 rdi, u64 r12, u64 info, s64 number)
{
    struct user_context *c = &tcb_at(thread)->context;

    c->rdi = rdi;
    c->r12 = r12;
    c->rsi = info;
    syscall_by(thread, number);
}

void do_call(unsigned thread, u64 cptr, u64 info)
{
    with(thread, cptr, 0, info, seL4_SysCall);
}
void do_send(unsigned thread, u64 cptr, u64 info)
{
    with(thread, cptr, 0, info, seL4_SysSend);
}
void do_nb_send(unsigned thread, u64 cptr, u64 info)
{
    with(thread, cptr, 0, info, seL4_SysNBSend);
}
void do_recv(unsigned thread, u64 cptr, u64 reply)
{
    with(thread, cptr, reply, 0, seL4_SysRecv);
}
void do_nb_recv(unsigned thread, u64 cptr, u64 reply)
{
    with(thread, cptr, reply, 0, seL4_SysNBRecv);
}
void do_wait(unsigned thread, u64 cptr)
{
    with(thread, cptr, 0, 0, seL4_SysWait);
}
void do_yield(unsigned thread)
{
    with(thread, 0, 0, 0, seL4_SysYield);
}

void do_reply_recv(unsigned thread, u64 cptr, u64 reply, u64 info)
{
    with(thread, cptr, reply, info, seL4_SysReplyRecv);
}

u64 invoke_by(unsigned thread, u64 cptr, u64 label, unsigned length, const u64 *words,
              const int *extra)
{
    struct tcb *tcb = tcb_at(thread);
    struct user_context *c = &tcb->context;
    u64 *buffer = buffer_of(tcb);
    unsigned caps = 0;

    c->r10 = length > 0 ? words[0] : 0;
    c->r8 = length > 1 ? words[1] : 0;
    c->r9 = length > 2 ? words[2] : 0;
    c->r15 = length > 3 ? words[3] : 0;
    for (unsigned i = 4; i < length; i++)
        buffer[i + 1] = words[i];
    for (; extra[caps] >= 0; caps++)
        buffer[offsetof(seL4_IPCBuffer, caps_or_badges) / 8 + caps] = (u64)extra[caps];
    do_call(thread, cptr, info_of(label, caps, length));
    return c->rsi >> 12;
}

void pass_us(u64 us)
{
    ticks_t end = fakes.now + us_to_ticks(us);

    while (fakes.timer <= end) {
        if (fakes.now < fakes.timer)
            fakes.now = fakes.timer;
        handle_timer();
        unlock();
        check_threads();
        assert_true(fakes.timer > fakes.now);
    }
    fakes.now = end;
}

/* --- invariants ------------------------------------------------------------------------------ */

static unsigned count_in_ready_queues(const struct tcb *tcb)
{
    unsigned found = 0;

    for (unsigned i = 0; i < nr_cores; i++)
        for (const struct tcb *at = cores[i].ready[tcb->priority].head; at; at = at->sched_next)
            found += at == tcb;
    return found;
}

static void check_ready_queues(const struct core *core)
{
    for (unsigned priority = 0; priority < CONFIG_PRIORITIES; priority++) {
        const struct tcb *prev = NULL;
        bool bit = core->ready_words[priority / 64] >> priority % 64 & 1;

        assert_int_equal(bit, core->ready[priority].head != NULL);
        for (const struct tcb *at = core->ready[priority].head; at; at = at->sched_next) {
            assert_true(at->in_ready_queue && !at->in_release_queue);
            assert_int_equal(at->priority, priority);
            assert_int_equal(at->core, core->id);
            assert_true(thread_is_runnable(at) && at->sched_context);
            assert_ptr_equal(at->sched_prev, prev);
            prev = at;
        }
        assert_ptr_equal(core->ready[priority].tail, prev);
    }
    for (unsigned word = 0; word < CONFIG_PRIORITIES / 64; word++)
        assert_int_equal(core->ready_top >> word & 1, core->ready_words[word] != 0);
    assert_int_equal(core->ready_floor, core->ready_top ? ready_highest_priority(core) : 0);
}

static void check_release_queue(const struct core *core)
{
    assert_int_equal(core->release_head != NULL, core->release_count != 0);
    for (unsigned node = 1; node <= core->release_count; node++) {
        const struct tcb *at = release_at(core, node), *parent = at->heap.parent;

        assert_true(at->in_release_queue && !at->in_ready_queue && thread_is_runnable(at));
        assert_int_equal(at->core, core->id);
        assert_ptr_equal(parent, node > 1 ? release_at(core, node / 2) : NULL);
        if (parent)
            assert_true(release_time(parent) <= release_time(at));
        for (unsigned side = 0; side < 2; side++)
            assert_int_equal(at->heap.child[side] != NULL, 2 * node + side <= core->release_count);
    }
}

static void check_wait_queue(const struct tcb *head, const struct tcb *tail,
                             enum thread_state state, const void *object)
{
    const struct tcb *prev = NULL;

    for (const struct tcb *at = head; at; at = at->queue_next) {
        assert_int_equal(at->state, state);
        assert_ptr_equal(at->blocked_on, object);
        assert_ptr_equal(at->queue_prev, prev);
        if (prev)
            assert_true(prev->priority >= at->priority);
        prev = at;
    }
    assert_ptr_equal(tail, prev);
}

static void check_endpoint(const struct endpoint *endpoint)
{
    switch (endpoint_state(endpoint)) {
    case ENDPOINT_IDLE:
        assert_null(endpoint_head(endpoint));
        assert_int_equal(endpoint->tail, 0);
        break;
    case ENDPOINT_SENDING:
        assert_non_null(endpoint_head(endpoint));
        check_wait_queue(endpoint_head(endpoint), (struct tcb *)(uintptr_t)endpoint->tail,
                         THREAD_BLOCKED_ON_SEND, endpoint);
        break;
    case ENDPOINT_RECEIVING:
        assert_non_null(endpoint_head(endpoint));
        check_wait_queue(endpoint_head(endpoint), (struct tcb *)(uintptr_t)endpoint->tail,
                         THREAD_BLOCKED_ON_RECEIVE, endpoint);
        break;
    }
}

static void check_notification(const struct notification *notification)
{
    assert_int_equal(notification->state == NOTIFICATION_WAITING, notification->queue.head != NULL);
    check_wait_queue(notification->queue.head, notification->queue.tail,
                     THREAD_BLOCKED_ON_NOTIFICATION, notification);
    if (notification->bound)
        assert_ptr_equal(notification->bound->notification, notification);
    if (notification->sched_context)
        assert_ptr_equal(notification->sched_context->notification, notification);
}

static void check_reply(const struct reply *reply)
{
    if (reply->tcb) {
        assert_ptr_equal(reply->tcb->reply, reply);
        assert_true(reply->tcb->state == THREAD_BLOCKED_ON_REPLY ||
                    reply->tcb->state == THREAD_BLOCKED_ON_RECEIVE);
    }
    if (reply->sched_context) {
        assert_ptr_equal(reply->sched_context->reply, reply);
        assert_null(reply->next);
    }
    if (reply->next)
        assert_ptr_equal(reply->next->prev, reply);
    if (reply->prev)
        assert_ptr_equal(reply->prev->next, reply);
    if (reply->prev || reply->next || reply->sched_context) {
        assert_non_null(reply->tcb);
        assert_int_equal(reply->tcb->state, THREAD_BLOCKED_ON_REPLY);
    }
}

static void check_sched_context(struct sched_context *sc)
{
    ticks_t sum = 0;

    if (sc->tcb)
        assert_ptr_equal(sc->tcb->sched_context, sc);
    if (sc->notification)
        assert_ptr_equal(sc->notification->sched_context, sc);
    if (sc->reply)
        assert_ptr_equal(sc->reply->sched_context, sc);
    if (!sc->refill_max)
        return;
    for (unsigned i = 0; i < sc->refill_count; i++)
        sum += sched_context_refills(sc)[(sc->refill_head + i) % sc->refill_max].amount;
    assert_int_equal(sum, sc->budget);
}

static bool is_current(const struct tcb *tcb)
{
    return cores[tcb->core].current == tcb;
}

/* known.h, I1. */
static void check_known(const struct tcb *tcb)
{
    struct tcb anew = *tcb;

    if (!tcb_is_known(tcb))
        return;
    known_learn(&anew);
    assert_memory_equal(&tcb->known, &anew.known, sizeof(anew.known));
}

static void check_tcb(const struct tcb *tcb)
{
    check_known(tcb);
    assert_int_equal(count_in_ready_queues(tcb), tcb->in_ready_queue);
    if (tcb->sched_context)
        assert_ptr_equal(tcb->sched_context->tcb, tcb);
    if (tcb->notification)
        assert_ptr_equal(tcb->notification->bound, tcb);
    if (tcb->reply)
        assert_ptr_equal(tcb->reply->tcb, tcb);
    if (tcb->yield_to)
        assert_ptr_equal(tcb->yield_to->yield_from, tcb);
    /* Nobody who could run is forgotten. */
    if (thread_is_runnable(tcb) && tcb->sched_context && tcb->sched_context->refill_max)
        assert_true(tcb->in_ready_queue || tcb->in_release_queue || is_current(tcb));
    if (is_current(tcb)) {
        assert_true(!tcb->in_ready_queue && !tcb->in_release_queue);
        assert_true(thread_is_runnable(tcb));
    }
}

/* A core that has been told of something new has not made its choice yet. */
static void check_core(const struct core *core)
{
    check_ready_queues(core);
    check_release_queue(core);
    assert_null(core->next);
    assert_ptr_equal(core->current_sc, core->current->sched_context);
    if (core->choose_new)
        return;
    for (unsigned priority = core->current->priority + 1u; priority < CONFIG_PRIORITIES; priority++)
        assert_null(core->ready[priority].head);
}

void check_threads(void)
{
    for (unsigned i = 0; i < nr_cores; i++)
        check_core(&cores[i]);
    assert_false(this_core()->choose_new);
    for (unsigned i = 0; i < world.nr_tcbs; i++)
        check_tcb(world.tcbs[i]);
    for (unsigned slot = 1; slot < world.next_slot; slot++) {
        struct cap cap = cap_at(slot);

        if (cap.type == CAP_ENDPOINT)
            check_endpoint(cap_object(cap));
        else if (cap.type == CAP_NOTIFICATION)
            check_notification(cap_object(cap));
        else if (cap.type == CAP_REPLY)
            check_reply(cap_object(cap));
        else if (cap.type == CAP_SCHED_CONTEXT)
            check_sched_context(cap_object(cap));
    }
}
