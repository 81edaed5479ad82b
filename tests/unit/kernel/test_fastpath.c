/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast path against the general one. Threads that call, answer, wait and signal at random; each
 * Call and ReplyRecv is done twice from the same state, once by each path: memory and the core must
 * be the same afterwards, to the last byte.
 */
#include "tests/unit/kernel/thread_world.h"

#include <stdio.h>

#include "kernel/api/syscall.h"
#include "kernel/core/lock.h"

#define THREADS   8
#define ENDPOINTS 3
#define STEPS     30000

static unsigned threads[THREADS], replies[THREADS], endpoints[ENDPOINTS], badged[ENDPOINTS];
static unsigned rights_less[ENDPOINTS], notification, high_reply;

static u64 random_below(u64 n)
{
    return (u64)random() % n;
}

/* --- states ---------------------------------------------------------------------------------- */

struct snapshot {
    u8 *memory;
    struct core core;
    struct fakes fakes;
};

static u64 used_bytes(void)
{
    return world.next_paddr;
}

static void save(struct snapshot *to)
{
    to->memory = realloc(to->memory, used_bytes());
    memcpy(to->memory, hpa_to_ptr(hpa(0)), used_bytes());
    to->core = *this_core();
    to->core.lock = (struct ticket_lock){ 0 }; /* free; how often it was taken does not matter */
    to->fakes = fakes;
}

static void restore(const struct snapshot *from)
{
    memcpy(hpa_to_ptr(hpa(0)), from->memory, used_bytes());
    *this_core() = from->core;
    fakes = from->fakes;
}

/* What the fast path alone keeps for itself does not count. */
static void forget_known(const struct snapshot *snapshot)
{
    for (unsigned i = 0; i < THREADS; i++) {
        u64 offset = ptr_to_hpa(tcb_at(threads[i])).raw + offsetof(struct tcb, known);

        memset(snapshot->memory + offset, 0, sizeof(struct known));
    }
}

static void assert_same(const struct snapshot *a, const struct snapshot *b)
{
    forget_known(a);
    forget_known(b);
    assert_memory_equal(&a->core, &b->core, sizeof(a->core));
    assert_ptr_equal(a->fakes.running[0], b->fakes.running[0]);
    if (memcmp(a->memory, b->memory, used_bytes()) == 0)
        return;
    for (u64 i = 0; i < used_bytes(); i++)
        if (a->memory[i] != b->memory[i])
            fail_msg("byte 0x%llx: fast %02x, general %02x", (unsigned long long)i, a->memory[i],
                     b->memory[i]);
}

/* --- random behaviour ------------------------------------------------------------------------ */

static void choose(void)
{
    schedule();
    activate_current();
}

static void build(void)
{
    high_reply = make_reply();
    notification = make_notification();
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        endpoints[i] = make_endpoint();
        badged[i] = mint(endpoints[i], 0x100 + i, RIGHTS_ALL);
        rights_less[i] = mint(endpoints[i], 0, (unsigned)random_below(16));
    }
    for (unsigned i = 0; i < THREADS; i++) {
        replies[i] = make_reply();
        threads[i] = make_passive_thread((u8)(1 + random_below(3)));
        if (random_below(2))
            sched_context_bind_tcb(
                sched_context_at(make_sched_context(5000, random_below(2) ? 5000 : 50000)),
                tcb_at(threads[i]));
        tcb_restart(tcb_at(threads[i]));
    }
    notification_bind(notification_at(notification), tcb_at(threads[0]));
    choose();
}

static unsigned index_of(const struct tcb *tcb)
{
    for (unsigned i = 0; i < THREADS; i++)
        if (tcb_at(threads[i]) == tcb)
            return i;
    fail_msg("nobody's thread");
    return 0;
}

static u64 random_info(void)
{
    return info_of(random_below(1000), random_below(16) ? 0 : random_below(4),
                   random_below(8) ? random_below(5) : random_below(128));
}

static unsigned random_endpoint(void)
{
    unsigned i = (unsigned)random_below(ENDPOINTS);

    switch (random_below(8)) {
    case 0:
        return rights_less[i];
    case 1:
        return notification;
    case 2:
        return endpoints[i];
    default:
        return badged[i];
    }
}

/* Its own reply object, mostly. */
static unsigned random_reply(unsigned thread)
{
    return random_below(16) ? replies[thread] : random_below(2) ? high_reply : endpoints[0];
}

static void twice(s64 number)
{
    static struct snapshot before, fast, general;

    /* The general path reads the time first, and begins with the end of a budget; the fast ones
     * leave both to the timer. */
    time_update();
    if (!budget_check_restart()) {
        choose();
        return;
    }
    save(&before);
    handle_syscall_general(number);
    unlock();
    save(&general);
    restore(&before);
    syscall_entry(number);
    unlock();
    save(&fast);
    assert_same(&fast, &general);
}

static s64 random_number(void)
{
    static const s64 numbers[] = { seL4_SysCall,      seL4_SysCall,       seL4_SysCall,
                                   seL4_SysReplyRecv, seL4_SysReplyRecv,  seL4_SysReplyRecv,
                                   seL4_SysRecv,      seL4_SysNBSendRecv, seL4_SysSend,
                                   seL4_SysNBSend,    seL4_SysYield,      seL4_SysNBRecv,
                                   seL4_SysWait,      seL4_SysNBWait };

    return numbers[random_below(sizeof(numbers) / sizeof(numbers[0]))];
}

/* Another root, in which nothing has the addresses used here; and the first one again. */
static void change_guard(struct tcb *tcb, u64 guard)
{
    tcb->slots[TCB_CSPACE].cap.data ^= guard;
    known_advance();
}

static void act(struct tcb *tcb)
{
    struct user_context *c = &tcb->context;
    unsigned thread = index_of(tcb);
    s64 number = random_number();

    c->rdi = random_endpoint();
    c->r12 = random_reply(thread);
    c->r13 = random_endpoint();
    c->rsi = random_info();
    c->r10 = (u64)random();
    c->r8 = (u64)random();
    c->r9 = (u64)random();
    c->r15 = (u64)random();
    c->rip = CODE + 2;
    c->by_syscall = 1;

    if (random_below(32)) {
        twice(number);
    } else {
        change_guard(tcb, 1);
        twice(number);
        change_guard(tcb, 1);
    }
    check_threads();
}

/* Nobody can go on: something from outside. */
static void stir(void)
{
    struct tcb *tcb = tcb_at(threads[random_below(THREADS)]);

    if (random_below(4) == 0)
        notification_signal(notification_at(notification), 1);
    else if (tcb->state == THREAD_INACTIVE || random_below(4) == 0)
        tcb_restart(tcb);
    choose();
    check_threads();
}

static void test_both_paths_give_the_same(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 6; seed++) {
        srandom(seed);
        thread_world_set_up(NULL);
        build();
        for (unsigned step = 0; step < STEPS / 6; step++) {
            if (running() == this_core()->idle)
                stir();
            else
                act(running());
            if (random_below(8) == 0)
                pass_us(random_below(3000));
        }
    }
}

/* --- that it is taken ------------------------------------------------------------------------ */

/* The general path alone reads the time. */
static bool was_fast(unsigned thread, s64 number)
{
    ticks_t before = this_core()->now;

    fakes.now++;
    syscall_by(thread, number);
    return this_core()->now == before;
}

static void test_the_usual_case_is_fast(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), server = make_thread(100), client;
    unsigned sc = sched_context_slot_of(server);

    (void)state;
    do_recv(server, endpoint, reply);
    sched_context_unbind_tcb(sched_context_at(sc));
    client = make_thread(50);
    for (unsigned i = 0; i < 3; i++) {
        tcb_at(client)->context.rdi = endpoint;
        tcb_at(client)->context.rsi = info_of(1, 0, 4);
        assert_true(was_fast(client, seL4_SysCall)); /* the first, which learns the CSpace, too */
        tcb_at(server)->context.rdi = endpoint;
        tcb_at(server)->context.r12 = reply;
        tcb_at(server)->context.rsi = info_of(2, 0, 1);
        assert_true(was_fast(server, seL4_SysReplyRecv));
        assert_running(client);
        assert_int_equal(tcb_at(client)->context.rsi, info_of(2, 0, 1));
    }
    tcb_at(client)->context.rdi = endpoint;
    tcb_at(client)->context.rsi = info_of(1, 0, 5);
    assert_false(was_fast(client, seL4_SysCall));
}

/* The state in which an event loop finds its own notification. */
static void test_signals_on_one_core_are_fast(void **state)
{
    unsigned object = make_notification(), other = make_thread(50), thread = make_thread(100);

    (void)state;
    notification_bind(notification_at(object), tcb_at(thread));
    for (unsigned i = 0; i < 3; i++) {
        tcb_at(other)->context.rdi = object;
        tcb_at(thread)->context.rdi = object;
        syscall_by(thread, seL4_SysWait);
        assert_int_equal(tcb_at(thread)->state, THREAD_BLOCKED_ON_NOTIFICATION);
        syscall_by(other, seL4_SysSend);
        assert_int_equal(tcb_at(thread)->state, THREAD_RUNNING);
        tcb_at(thread)->context.rdi = object; /* where the badge came */
        assert_true(was_fast(thread, seL4_SysNBSend));
        assert_true(was_fast(thread, seL4_SysNBWait));
    }
}

/*
 * A fast path does not look at the budget. Whoever has spent it meanwhile goes on until the next
 * entry that does, and is not put where those wait who do not run.
 */
static void test_a_spent_budget_ends_later(void **state)
{
    unsigned object = make_notification(), thread = make_thread(100);
    struct tcb *tcb = tcb_at(thread);

    (void)state;
    schedule();
    for (unsigned i = 0; i < 3; i++) {
        tcb->context.rdi = object;
        syscall_by(thread, seL4_SysNBSend);
        this_core()->consumed = refill_head(tcb->sched_context)->amount;
        assert_true(was_fast(thread, seL4_SysNBWait));
        assert_false(tcb->in_release_queue);
        assert_ptr_equal(this_core()->current, tcb);
        tcb->context.rdi = object;
        syscall_by(thread, seL4_SysNBSendRecv); /* the general path: the budget ends here */
        assert_int_equal(this_core()->consumed, 0);
    }
}

/* --- what is known of a thread --------------------------------------------------------------- */

static struct tcb *known_thread(void)
{
    struct tcb *tcb = tcb_at(make_thread(100));

    known_learn(tcb);
    assert_true(tcb_is_known(tcb));
    assert_true(tcb->known.count != 0 && tcb->known.buffer);
    return tcb;
}

static void test_a_lost_capability_is_not_known(void **state)
{
    static const enum tcb_slot slots[] = { TCB_CSPACE, TCB_IPC_BUFFER };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LENGTH(slots); i++) {
        struct tcb *tcb = known_thread();

        slot_delete_simple(&tcb->slots[slots[i]]);
        assert_false(tcb_is_known(tcb));
        known_learn(tcb);
        assert_int_equal(tcb->known.count == 0, slots[i] == TCB_CSPACE);
        assert_int_equal(tcb->known.buffer == NULL, slots[i] == TCB_IPC_BUFFER);
    }
}

/* A CNode that is worked off is no CSpace any more, although its last capability is still there. */
static void test_a_zombie_is_not_known(void **state)
{
    struct tcb *tcb = known_thread();
    struct slot *slot = &tcb->slots[TCB_CSPACE];
    unsigned cnode = make(seL4_CapTableObject, 2);

    (void)state;
    slot_delete_simple(slot);
    slot_move(cap_at(cnode), &world.slots[cnode], slot);
    known_learn(tcb);
    this_core()->work_units = CONFIG_WORK_UNITS_PER_PREEMPTION;
    fakes.interrupt_pending = true;
    assert_int_equal(slot_delete(slot), STATUS_PREEMPTED);
    assert_int_equal(slot->cap.type, CAP_ZOMBIE);
    assert_false(tcb_is_known(tcb));
}

#define TEST(name) cmocka_unit_test_setup(name, thread_world_set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_paths_give_the_same),       TEST(test_the_usual_case_is_fast),
        TEST(test_signals_on_one_core_are_fast),   TEST(test_a_spent_budget_ends_later),
        TEST(test_a_lost_capability_is_not_known), TEST(test_a_zombie_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
