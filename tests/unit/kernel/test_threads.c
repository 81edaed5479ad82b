/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints, replies, notifications and donation, by system calls of faked threads. */
#include "tests/unit/kernel/thread_world.h"

static struct tcb *state_of(unsigned thread, enum thread_state state)
{
    assert_int_equal(tcb_at(thread)->state, state);
    return tcb_at(thread);
}

/* --- rendezvous ------------------------------------------------------------------------------ */

static void test_call_and_reply(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply();
    unsigned badged = mint(endpoint, 77, RIGHTS_ALL);
    unsigned server = make_thread(100), client;

    (void)state;
    assert_running(server);
    do_recv(server, endpoint, reply);
    assert_idle();
    client = make_thread(50);
    assert_running(client);

    tcb_at(client)->context.r10 = 1;
    tcb_at(client)->context.r8 = 2;
    tcb_at(client)->context.r9 = 3;
    tcb_at(client)->context.r15 = 4;
    buffer_of(tcb_at(client))[5] = 5;
    do_call(client, badged, info_of(9, 0, 5));
    assert_running(server);
    state_of(client, THREAD_BLOCKED_ON_REPLY);
    assert_int_equal(tcb_at(server)->context.rdi, 77);
    assert_int_equal(tcb_at(server)->context.rsi, info_of(9, 0, 5));
    assert_int_equal(tcb_at(server)->context.r10, 1);
    assert_int_equal(tcb_at(server)->context.r15, 4);
    assert_int_equal(buffer_of(tcb_at(server))[5], 5);

    tcb_at(server)->context.r10 = 42;
    do_reply_recv(server, endpoint, reply, info_of(3, 0, 1));
    assert_running(client);
    assert_int_equal(tcb_at(client)->context.r10, 42);
    assert_int_equal(tcb_at(client)->context.rdi, 0);
    assert_int_equal(tcb_at(client)->context.rsi, info_of(3, 0, 1));
    assert_int_equal(tcb_at(client)->context.rip, CODE + 2);
}

static void test_queue_is_by_priority_then_order(void **state)
{
    static const u8 priorities[] = { 10, 30, 20, 30, 10, 20, 30 };
    static const unsigned order[] = { 1, 3, 6, 2, 5, 0, 4 };
    unsigned endpoint = make_endpoint(), reply = make_reply(), threads[7], server;

    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        unsigned badged = mint(endpoint, i + 1, RIGHTS_ALL);

        threads[i] = make_thread(priorities[i]);
        assert_running(threads[i]);
        do_send(threads[i], badged, 0);
        assert_idle();
    }
    server = make_thread(200);
    for (unsigned i = 0; i < 7; i++) {
        do_recv(server, endpoint, reply);
        assert_running(server);
        assert_int_equal(tcb_at(server)->context.rdi, order[i] + 1);
        state_of(threads[order[i]], THREAD_RUNNING);
    }
    do_nb_recv(server, endpoint, reply);
    assert_int_equal(tcb_at(server)->context.rdi, 0);
}

static void test_requeue_on_new_priority(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), threads[3], server;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        unsigned badged = mint(endpoint, i + 1, RIGHTS_ALL);

        threads[i] = make_thread((u8)(30 - i));
        do_send(threads[i], badged, 0);
    }
    server = make_thread(200);
    assert_int_equal(invoke(server, threads[2], TCBSetPriority, EXTRA((int)server), 99), 0);
    do_recv(server, endpoint, reply);
    assert_int_equal(tcb_at(server)->context.rdi, 3);
}

static void test_nonblocking_send_without_receiver_is_lost(void **state)
{
    unsigned endpoint = make_endpoint(), thread = make_thread(10);

    (void)state;
    do_nb_send(thread, endpoint, 0);
    assert_running(thread);
    assert_int_equal(endpoint_state(endpoint_at(endpoint)), ENDPOINT_IDLE);
}

static void test_call_without_grant_stops_for_good(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), server = make_thread(100), client;
    unsigned plain = mint(endpoint, 0, RIGHT_WRITE);

    (void)state;
    do_recv(server, endpoint, reply);
    client = make_thread(50);
    do_call(client, plain, 0);
    state_of(client, THREAD_INACTIVE);
    assert_running(server);
    assert_null(reply_at(reply)->tcb);
}

static void test_missing_rights(void **state)
{
    unsigned endpoint = make_endpoint(), handler_ep = make_endpoint(), reply = make_reply();
    unsigned no_write = mint(endpoint, 0, RIGHT_READ), no_read = mint(endpoint, 0, RIGHT_WRITE);
    unsigned handler = make_thread(200), thread;

    (void)state;
    do_recv(handler, handler_ep, reply);
    thread = make_thread(100);
    slot_insert(cap_at(handler_ep), &world.slots[handler_ep],
                &tcb_at(thread)->slots[TCB_FAULT_HANDLER]);
    assert_int_equal(invoke(thread, no_write, 1, NO_EXTRA), seL4_InvalidCapability);
    assert_int_equal(tcb_at(thread)->context.r10, 0);

    do_recv(thread, no_read, reply);
    assert_running(handler);
    assert_int_equal(tcb_at(handler)->context.rsi, info_of(seL4_Fault_CapFault, 0, 5));
    assert_int_equal(tcb_at(handler)->context.r10, tcb_at(thread)->context.rip - 2);
    assert_int_equal(tcb_at(handler)->context.r8, no_read);
    assert_int_equal(tcb_at(handler)->context.r9, 1);
    assert_int_equal(tcb_at(handler)->context.r15, seL4_MissingCapability);
    assert_int_equal(buffer_of(tcb_at(handler))[5], 0);
}

static void test_reply_capability_is_looked_up_for_endpoints_only(void **state)
{
    unsigned endpoint = make_endpoint(), notification = make_notification(),
             thread = make_thread(9);

    (void)state;
    notification_signal(notification_at(notification), 5);
    do_recv(thread, notification, 0);
    assert_running(thread);
    assert_int_equal(tcb_at(thread)->context.rdi, 5);
    do_recv(thread, endpoint, notification);
    state_of(thread, THREAD_INACTIVE); /* a fault without handler */
}

/* --- donation -------------------------------------------------------------------------------- */

/* Makes a passive server that waits on the endpoint with the reply object. */
static unsigned passive_server(u8 priority, unsigned endpoint, unsigned reply)
{
    unsigned server = make_thread(priority);
    unsigned sc = sched_context_slot_of(server);

    do_recv(server, endpoint, reply);
    sched_context_unbind_tcb(sched_context_at(sc));
    assert_null(tcb_at(server)->sched_context);
    return server;
}

static void test_donation_along_a_chain_and_back(void **state)
{
    unsigned endpoints[3], replies[3], servers[3], client;
    struct sched_context *sc;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        endpoints[i] = make_endpoint();
        replies[i] = make_reply();
        servers[i] = passive_server((u8)(100 + i), endpoints[i], replies[i]);
    }
    client = make_thread(50);
    sc = tcb_at(client)->sched_context;
    do_call(client, endpoints[0], 0);
    assert_running(servers[0]);
    do_call(servers[0], endpoints[1], 0);
    do_call(servers[1], endpoints[2], 0);
    assert_running(servers[2]);
    assert_ptr_equal(tcb_at(servers[2])->sched_context, sc);
    assert_ptr_equal(sc->reply, reply_at(replies[2]));
    assert_ptr_equal(reply_at(replies[2])->prev, reply_at(replies[1]));
    assert_ptr_equal(reply_at(replies[1])->prev, reply_at(replies[0]));

    do_reply_recv(servers[2], endpoints[2], replies[2], 0);
    assert_running(servers[1]);
    assert_ptr_equal(tcb_at(servers[1])->sched_context, sc);
    do_reply_recv(servers[1], endpoints[1], replies[1], 0);
    do_reply_recv(servers[0], endpoints[0], replies[0], 0);
    assert_running(client);
    assert_ptr_equal(tcb_at(client)->sched_context, sc);
    assert_null(sc->reply);
}

static void test_broken_chain_keeps_the_context_where_it_is(void **state)
{
    unsigned endpoints[2], replies[2], servers[2], client;
    struct sched_context *sc;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        endpoints[i] = make_endpoint();
        replies[i] = make_reply();
        servers[i] = passive_server((u8)(100 + i), endpoints[i], replies[i]);
    }
    client = make_thread(50);
    sc = tcb_at(client)->sched_context;
    do_call(client, endpoints[0], 0);
    do_call(servers[0], endpoints[1], 0);
    assert_running(servers[1]);
    /* The older reply object goes: the client stops, the newer part of the chain stays. */
    assert_int_equal(slot_delete(&world.slots[replies[0]]), STATUS_OK);
    state_of(client, THREAD_INACTIVE);
    assert_ptr_equal(sc->reply, reply_at(replies[1]));
    do_reply_recv(servers[1], endpoints[1], replies[1], 0);
    assert_running(servers[0]);
    assert_ptr_equal(tcb_at(servers[0])->sched_context, sc);
}

static void test_deleting_the_newest_reply_returns_the_context(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), client;
    unsigned server = passive_server(100, endpoint, reply);
    struct sched_context *sc;

    (void)state;
    client = make_thread(50);
    sc = tcb_at(client)->sched_context;
    do_call(client, endpoint, 0);
    assert_running(server);
    assert_int_equal(slot_delete(&world.slots[reply]), STATUS_OK);
    state_of(client, THREAD_INACTIVE);
    assert_ptr_equal(tcb_at(client)->sched_context, sc);
    assert_null(tcb_at(server)->sched_context);
    schedule();
    activate_current();
    check_threads();
    assert_idle();
}

static void test_reusing_a_reply_object_drops_its_caller(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), server = make_thread(100), client;

    (void)state;
    do_recv(server, endpoint, reply);
    client = make_thread(50);
    do_call(client, endpoint, 0);
    assert_running(server);
    do_recv(server, endpoint, reply);
    state_of(client, THREAD_INACTIVE);
    state_of(server, THREAD_BLOCKED_ON_RECEIVE);
    assert_idle();
}

static void test_empty_reply_object_is_a_no_op(void **state)
{
    unsigned reply = make_reply(), thread = make_thread(100);

    (void)state;
    do_send(thread, reply, info_of(5, 0, 0));
    assert_running(thread);
    do_call(thread, reply, info_of(5, 0, 1));
    assert_running(thread);
    assert_int_equal(tcb_at(thread)->context.rsi, 0);
}

/* --- notifications --------------------------------------------------------------------------- */

static void test_signals_gather(void **state)
{
    unsigned notification = make_notification(), thread = make_thread(10);
    unsigned one = mint(notification, 1, RIGHTS_ALL), two = mint(notification, 2, RIGHTS_ALL);

    (void)state;
    do_send(thread, one, 0);
    do_send(thread, two, 0);
    tcb_at(thread)->context.r10 = 1234;
    do_wait(thread, notification);
    assert_int_equal(tcb_at(thread)->context.rdi, 3);
    assert_int_equal(tcb_at(thread)->context.r10, 1234);
    do_wait(thread, notification);
    state_of(thread, THREAD_BLOCKED_ON_NOTIFICATION);
}

static void test_bound_notification_wakes_a_receiver(void **state)
{
    unsigned notification = make_notification(), endpoint = make_endpoint(), reply = make_reply();
    unsigned badged = mint(notification, 8, RIGHTS_ALL), thread = make_thread(100), other;

    (void)state;
    assert_int_equal(invoke(thread, thread, TCBBindNotification, EXTRA((int)notification)), 0);
    assert_int_equal(invoke(thread, thread, TCBBindNotification, EXTRA((int)notification)),
                     seL4_IllegalOperation);
    do_recv(thread, endpoint, reply);
    other = make_thread(10);
    do_send(other, badged, 0);
    assert_running(thread);
    assert_int_equal(tcb_at(thread)->context.rdi, 8);
    assert_null(reply_at(reply)->tcb);

    /* Active before: taken instead of waiting. */
    do_send(thread, badged, 0);
    do_recv(thread, endpoint, reply);
    assert_running(thread);
    assert_int_equal(tcb_at(thread)->context.rdi, 8);
    assert_int_equal(invoke(thread, thread, TCBUnbindNotification, NO_EXTRA), 0);
    assert_null(notification_at(notification)->bound);
}

static void test_notification_lends_its_context(void **state)
{
    unsigned notification = make_notification(), sc = make_sched_context(1000, 10000);
    unsigned badged = mint(notification, 4, RIGHTS_ALL), thread = make_thread(100), own, other;

    (void)state;
    own = sched_context_slot_of(thread);
    do_wait(thread, notification);
    sched_context_unbind_tcb(sched_context_at(own));
    other = make_thread(10);
    assert_int_equal(invoke(other, sc, SchedContextBind, EXTRA((int)notification)), 0);
    do_send(other, badged, 0);
    assert_running(thread);
    assert_ptr_equal(tcb_at(thread)->sched_context, sched_context_at(sc));
    do_wait(thread, notification);
    assert_null(tcb_at(thread)->sched_context);
    assert_running(other);
}

/* --- the end of things ----------------------------------------------------------------------- */

enum wait { WAIT_SEND, WAIT_CALL, WAIT_RECEIVE, WAIT_REPLY, WAIT_NOTIFICATION, WAIT_KINDS };

static void block(enum wait how, unsigned thread, unsigned endpoint, unsigned reply,
                  unsigned notification)
{
    unsigned server;

    switch (how) {
    case WAIT_SEND:
        do_send(thread, endpoint, 0);
        break;
    case WAIT_CALL:
        do_call(thread, endpoint, 0);
        break;
    case WAIT_RECEIVE:
        do_recv(thread, endpoint, reply);
        break;
    case WAIT_REPLY:
        do_call(thread, endpoint, 0);
        server = make_thread(240);
        do_recv(server, endpoint, reply);
        do_wait(server, notification);
        break;
    default:
        do_wait(thread, notification);
        break;
    }
}

static void test_suspend_and_resume_in_each_state(void **state)
{
    for (enum wait how = 0; how < WAIT_KINDS; how++) {
        unsigned endpoint, reply, notification, thread, master;

        thread_world_set_up(state);
        endpoint = make_endpoint();
        reply = make_reply();
        notification = make_notification();
        thread = make_thread(100);
        block(how, thread, endpoint, reply, notification);
        assert_idle();
        master = make_thread(10);
        assert_int_equal(invoke(master, thread, TCBSuspend, NO_EXTRA), 0);
        state_of(thread, THREAD_INACTIVE);
        assert_int_equal(endpoint_state(endpoint_at(endpoint)), ENDPOINT_IDLE);
        if (how != WAIT_REPLY)
            assert_null(notification_at(notification)->queue.head);
        assert_null(reply_at(reply)->tcb);
        /* It repeats its system call. */
        assert_int_equal(invoke(master, thread, TCBResume, NO_EXTRA), 0);
        assert_running(thread);
        assert_int_equal(tcb_at(thread)->context.rip, CODE);
        assert_int_equal(tcb_at(thread)->context.by_syscall, 0);
    }
}

static void test_delete_a_thread_in_each_state(void **state)
{
    for (enum wait how = 0; how < WAIT_KINDS; how++) {
        unsigned endpoint, reply, notification, thread;

        thread_world_set_up(state);
        endpoint = make_endpoint();
        reply = make_reply();
        notification = make_notification();
        thread = make_thread(100);
        block(how, thread, endpoint, reply, notification);
        assert_int_equal(slot_delete(&world.slots[thread]), STATUS_OK);
        world.nr_tcbs = 0;
        schedule();
        check_threads();
    }
}

static void test_delete_objects_that_threads_wait_for(void **state)
{
    for (enum wait how = 0; how < WAIT_KINDS; how++) {
        unsigned endpoint, reply, notification, thread;

        thread_world_set_up(state);
        endpoint = make_endpoint();
        reply = make_reply();
        notification = make_notification();
        thread = make_thread(100);
        block(how, thread, endpoint, reply, notification);
        assert_int_equal(slot_delete(&world.slots[endpoint]), STATUS_OK);
        if (how == WAIT_SEND || how == WAIT_CALL || how == WAIT_RECEIVE)
            state_of(thread, THREAD_RESTART);
        assert_int_equal(slot_delete(&world.slots[reply]), STATUS_OK);
        if (how == WAIT_REPLY)
            state_of(thread, THREAD_INACTIVE);
        assert_int_equal(slot_delete(&world.slots[notification]), STATUS_OK);
        if (how == WAIT_NOTIFICATION)
            state_of(thread, THREAD_RESTART);
        schedule();
        activate_current();
        check_threads();
    }
}

static void test_delete_scheduling_contexts(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), notification = make_notification();
    unsigned server = passive_server(100, endpoint, reply), client = make_thread(50), sc, bound;

    (void)state;
    sc = sched_context_slot_of(client);
    do_call(client, endpoint, 0);
    assert_running(server);
    assert_int_equal(slot_delete(&world.slots[sc]), STATUS_OK);
    schedule();
    check_threads();
    assert_idle();
    assert_null(tcb_at(server)->sched_context);
    assert_null(reply_at(reply)->sched_context);

    bound = make_sched_context(100, 1000);
    sched_context_bind_notification(sched_context_at(bound), notification_at(notification));
    assert_int_equal(slot_delete(&world.slots[bound]), STATUS_OK);
    assert_null(notification_at(notification)->sched_context);
}

/* --- long queues ----------------------------------------------------------------------------- */

#define MANY 2000

static struct tcb *many[MANY];

/* Senders straight into the queue, without capabilities of their own. */
static void queue_many(struct endpoint *endpoint)
{
    for (unsigned i = 0; i < MANY; i++) {
        many[i] = hpa_to_ptr(hpa(BIT(24) + i * 2048));
        tcb_create(many[i]);
        many[i]->priority = (u8)(i * 7);
        many[i]->state = THREAD_RUNNING;
        endpoint_send(cap_make(CAP_ENDPOINT, ptr_to_hpa(endpoint), 0, 1 + i % 3), many[i],
                      (struct send_kind){ .is_blocking = true });
    }
}

static unsigned count_waiting(u64 badge)
{
    unsigned found = 0;

    for (unsigned i = 0; i < MANY; i++)
        found += many[i]->state == THREAD_BLOCKED_ON_SEND && many[i]->send_badge == badge;
    return found;
}

static void test_cancel_badged_sends_goes_on_after_preemption(void **state)
{
    unsigned slot = make_endpoint(), caller = make_passive_thread(1), rounds = 0;
    struct endpoint *endpoint = endpoint_at(slot);
    unsigned before;

    (void)state;
    queue_many(endpoint);
    before = count_waiting(1);
    fakes.interrupt_pending = true; /* always */
    while (endpoint_cancel_badged_sends(endpoint, 2, tcb_at(caller)) == STATUS_PREEMPTED) {
        rounds++;
        assert_true(rounds < MANY);
        check_threads();
        /* The thread where the search stopped leaves the queue by itself now and then. */
        if (rounds % 3 == 0 && tcb_at(caller)->cancel_cursor)
            tcb_suspend(tcb_at(caller)->cancel_cursor);
    }
    assert_true(rounds >= MANY / CONFIG_WORK_UNITS_PER_PREEMPTION - 1);
    assert_true(rounds <= MANY / CONFIG_WORK_UNITS_PER_PREEMPTION + 1);
    assert_int_equal(count_waiting(2), 0);
    assert_true(before - count_waiting(1) <= rounds);
    check_threads();
}

static void test_requeue_during_cancel_misses_nobody(void **state)
{
    unsigned slot = make_endpoint(), caller = make_passive_thread(1);
    struct endpoint *endpoint = endpoint_at(slot);

    (void)state;
    queue_many(endpoint);
    fakes.interrupt_pending = true;
    assert_int_equal(endpoint_cancel_badged_sends(endpoint, 2, tcb_at(caller)), STATUS_PREEMPTED);
    /* The last of the queue, not yet looked at, becomes the first. */
    thread_set_priority((struct tcb *)(uintptr_t)endpoint->tail, 255);
    fakes.interrupt_pending = false;
    assert_int_equal(endpoint_cancel_badged_sends(endpoint, 2, tcb_at(caller)), STATUS_OK);
    assert_int_equal(count_waiting(2), 0);
}

static void test_endpoint_with_a_long_queue_goes_in_steps(void **state)
{
    unsigned slot = make_endpoint(), rounds = 0;

    (void)state;
    queue_many(endpoint_at(slot));
    fakes.interrupt_pending = true;
    while (slot_delete(&world.slots[slot]) == STATUS_PREEMPTED) {
        rounds++;
        assert_true(rounds < MANY);
        check_threads();
    }
    assert_true(rounds >= MANY / CONFIG_WORK_UNITS_PER_PREEMPTION - 1);
    assert_int_equal(cap_at(slot).type, CAP_NULL);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(many[i]->state, THREAD_RESTART);
}

/* --- messages with capabilities -------------------------------------------------------------- */

static void set_receive_slot(unsigned thread, u64 index)
{
    seL4_IPCBuffer *buffer = (seL4_IPCBuffer *)buffer_of(tcb_at(thread));

    buffer->receiveCNode = SLOT_CNODE;
    buffer->receiveIndex = index;
    buffer->receiveDepth = 64;
}

static seL4_IPCBuffer *ipc_buffer(unsigned thread)
{
    return (seL4_IPCBuffer *)buffer_of(tcb_at(thread));
}

static void test_capability_transfer_and_unwrapping(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), other = make_notification();
    unsigned badged = mint(endpoint, 5, RIGHTS_ALL), server = make_thread(100), client, target;

    (void)state;
    target = empty_slot();
    set_receive_slot(server, target);
    do_recv(server, endpoint, reply);
    client = make_thread(50);
    /* Unwrapped, moved, and then nothing more: there is no second slot. */
    ipc_buffer(client)->caps_or_badges[0] = badged;
    ipc_buffer(client)->caps_or_badges[1] = other;
    ipc_buffer(client)->caps_or_badges[2] = other;
    do_call(client, endpoint, info_of(0, 3, 0));
    assert_running(server);
    assert_int_equal(tcb_at(server)->context.rsi, 1 << 9 | 2 << 7);
    assert_int_equal(ipc_buffer(server)->caps_or_badges[0], 5);
    assert_int_equal(cap_at(target).type, CAP_NOTIFICATION);
    assert_ptr_equal(cap_object(cap_at(target)), cap_object(cap_at(other)));
}

static void test_no_capabilities_without_grant(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), other = make_notification();
    unsigned plain = mint(endpoint, 0, RIGHT_WRITE | RIGHT_GRANT_REPLY), server = make_thread(100);
    unsigned target = empty_slot(), client;

    (void)state;
    set_receive_slot(server, target);
    do_recv(server, endpoint, reply);
    client = make_thread(50);
    ipc_buffer(client)->caps_or_badges[0] = other;
    do_call(client, plain, info_of(7, 1, 1));
    assert_running(server);
    assert_int_equal(tcb_at(server)->context.rsi, info_of(7, 0, 1));
    assert_int_equal(cap_at(target).type, CAP_NULL);
}

static void test_message_is_cut_without_buffer(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), server = make_thread(100), client;

    (void)state;
    slot_delete_simple(&tcb_at(server)->slots[TCB_IPC_BUFFER]);
    do_recv(server, endpoint, reply);
    client = make_thread(50);
    do_call(client, endpoint, info_of(1, 3, 127));
    assert_int_equal(tcb_at(server)->context.rsi, info_of(1, 0, 4));
}

static void test_extra_capability_not_found_is_a_fault(void **state)
{
    unsigned endpoint = make_endpoint(), client = make_thread(50);

    (void)state;
    ipc_buffer(client)->caps_or_badges[0] = WORLD_SLOTS + 5;
    do_nb_send(client, endpoint, info_of(0, 1, 0));
    assert_running(client);
    do_send(client, endpoint, info_of(0, 1, 0));
    state_of(client, THREAD_INACTIVE);
}

#define TEST(name) cmocka_unit_test_setup(name, thread_world_set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_call_and_reply),
        TEST(test_queue_is_by_priority_then_order),
        TEST(test_requeue_on_new_priority),
        TEST(test_nonblocking_send_without_receiver_is_lost),
        TEST(test_call_without_grant_stops_for_good),
        TEST(test_missing_rights),
        TEST(test_reply_capability_is_looked_up_for_endpoints_only),
        TEST(test_donation_along_a_chain_and_back),
        TEST(test_broken_chain_keeps_the_context_where_it_is),
        TEST(test_deleting_the_newest_reply_returns_the_context),
        TEST(test_reusing_a_reply_object_drops_its_caller),
        TEST(test_empty_reply_object_is_a_no_op),
        TEST(test_signals_gather),
        TEST(test_bound_notification_wakes_a_receiver),
        TEST(test_notification_lends_its_context),
        TEST(test_suspend_and_resume_in_each_state),
        TEST(test_delete_a_thread_in_each_state),
        TEST(test_delete_objects_that_threads_wait_for),
        TEST(test_delete_scheduling_contexts),
        TEST(test_cancel_badged_sends_goes_on_after_preemption),
        TEST(test_requeue_during_cancel_misses_nobody),
        TEST(test_endpoint_with_a_long_queue_goes_in_steps),
        TEST(test_capability_transfer_and_unwrapping),
        TEST(test_no_capabilities_without_grant),
        TEST(test_message_is_cut_without_buffer),
        TEST(test_extra_capability_not_found_is_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
