/* SPDX-License-Identifier: BSD-2-Clause */
/* Scheduling: priorities, budgets, timeouts, yielding; and the methods of TCBs and scheduling
 * contexts. */
#include "tests/unit/kernel/thread_world.h"

#include "kernel/api/syscall.h"
#include "kernel/core/lock.h"

static void set_handler(unsigned thread, enum tcb_slot which, unsigned endpoint)
{
    slot_insert(cap_at(endpoint), &world.slots[endpoint], &tcb_at(thread)->slots[which]);
}

static struct user_context *context_of(unsigned thread)
{
    return &tcb_at(thread)->context;
}

/* --- time ------------------------------------------------------------------------------------ */

static void test_round_robin_shares(void **state)
{
    unsigned a = make_thread(50), b = make_thread(50);
    u64 time_of_a = 0;

    (void)state;
    for (unsigned ms = 0; ms < 1000; ms++) {
        time_of_a += running() == tcb_at(a);
        assert_true(running() == tcb_at(a) || running() == tcb_at(b));
        pass_us(1000);
    }
    assert_in_range(time_of_a, 495, 505);
}

static void test_budget_of_a_tenth(void **state)
{
    unsigned limited = make_thread_with_budget(100, 10000, 100000), busy = make_thread(50);
    u64 time_of_limited = 0;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        time_of_limited += running() == tcb_at(limited);
        assert_true(running() == tcb_at(limited) || running() == tcb_at(busy));
        pass_us(100);
    }
    /* 2 s, of which a tenth. */
    assert_in_range(time_of_limited, 1990, 2010);
}

static void test_higher_priority_runs_at_once(void **state)
{
    unsigned low = make_thread(10), high = make_thread(20);

    (void)state;
    assert_running(high);
    assert_true(tcb_at(low)->in_ready_queue);
    (void)invoke(high, high, TCBSetPriority, EXTRA((int)high), 5);
    assert_running(low);
}

static void test_spent_budget_repeats_the_system_call(void **state)
{
    unsigned thread = make_thread_with_budget(100, 1000, 10000), endpoint = make_endpoint();

    (void)state;
    fakes.now += us_to_ticks(995);
    do_nb_send(thread, endpoint, 0);
    assert_idle();
    assert_int_equal(tcb_at(thread)->state, THREAD_RESTART);
    assert_true(tcb_at(thread)->in_release_queue);
    pass_us(9500);
    assert_running(thread);
    assert_int_equal(context_of(thread)->rip, CODE);
}

static void test_yield_gives_up_the_head_refill(void **state)
{
    unsigned thread = make_thread_with_budget(100, 1000, 10000), other = make_thread(50);

    (void)state;
    pass_us(100);
    do_yield(thread);
    assert_running(other);
    assert_int_equal(tcb_at(thread)->state, THREAD_RUNNING);
    /* Only what was used counts as used. */
    assert_int_equal(ticks_to_us(sched_context_at(sched_context_slot_of(thread))->consumed), 100);
    pass_us(9000);
    assert_running(other);
    pass_us(1000);
    assert_running(thread);
}

static void test_yield_round_robin(void **state)
{
    unsigned a = make_thread(50), b = make_thread(50);

    (void)state;
    assert_running(a);
    do_yield(a);
    assert_running(b);
    do_yield(b);
    assert_running(a);
}

static void test_thread_without_context_waits_for_one(void **state)
{
    unsigned passive = make_passive_thread(100), master = make_thread(50), sc;

    (void)state;
    assert_int_equal(invoke(master, passive, TCBResume, NO_EXTRA), 0);
    assert_running(master);
    sc = make_sched_context(0, 0);
    assert_int_equal(invoke(master, sc, SchedContextBind, EXTRA((int)passive)), 0);
    assert_running(master);
    assert_int_equal(invoke(master, SLOT_SCHED_CONTROL, SchedControlConfigureFlags, EXTRA((int)sc),
                            1000, 10000, 0, 0, 0),
                     0);
    assert_running(passive);
}

/* --- timeout faults -------------------------------------------------------------------------- */

static void test_timeout_fault(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(),
             badged = mint(endpoint, 3, RIGHTS_ALL);
    unsigned handler = make_thread(200), thread;

    (void)state;
    do_recv(handler, endpoint, reply);
    thread = make_thread_with_budget(100, 1000, 10000);
    set_handler(thread, TCB_TIMEOUT_HANDLER, badged);
    tcb_at(thread)->sched_context->badge = 0x77;
    pass_us(1500);
    assert_running(handler);
    assert_int_equal(context_of(handler)->rdi, 3);
    assert_int_equal(context_of(handler)->rsi, info_of(seL4_Fault_Timeout, 0, 2));
    assert_int_equal(context_of(handler)->r10, 0x77);
    assert_in_range(context_of(handler)->r8, 980, 1000);
    assert_int_equal(tcb_at(thread)->state, THREAD_BLOCKED_ON_REPLY);

    /* The answer sets registers, sanitised; the budget is still spent. */
    context_of(handler)->r10 = 0xdead000000000000;
    context_of(handler)->r8 = 0x1234;
    context_of(handler)->r9 = ~0ull;
    do_reply_recv(handler, endpoint, reply, info_of(0, 0, 3));
    assert_idle();
    assert_int_equal(context_of(thread)->rip, 0);
    assert_int_equal(context_of(thread)->rsp, 0x1234);
    assert_int_equal(context_of(thread)->rflags, 0xed7);
    pass_us(9000);
    assert_running(thread);
}

static void test_no_timeout_fault_for_round_robin(void **state)
{
    unsigned endpoint = make_endpoint(), thread = make_thread(100);

    (void)state;
    set_handler(thread, TCB_TIMEOUT_HANDLER, endpoint);
    pass_us(20000);
    assert_running(thread);
}

/* A server's time is its client's: the answer finds the client without any, and tells its handler.
 */
static void test_reply_to_a_client_without_time(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), server = make_thread(100), client;
    unsigned timeout_ep = make_endpoint(), timeout_reply = make_reply(), handler = make_thread(200),
             sc;

    (void)state;
    sc = sched_context_slot_of(server);
    do_recv(handler, timeout_ep, timeout_reply);
    do_recv(server, endpoint, reply);
    client = make_thread_with_budget(50, 1000, 10000);
    set_handler(client, TCB_TIMEOUT_HANDLER, timeout_ep);
    do_call(client, endpoint, 0);
    assert_running(server); /* on its own context: it is not passive */
    assert_int_equal(sched_context_slot_of(server), sc);
    refill_charge(tcb_at(client)->sched_context, us_to_ticks(1000), fakes.now);
    context_of(server)->r10 = 5;
    do_reply_recv(server, endpoint, reply, info_of(0, 0, 1));
    assert_running(handler);
    assert_int_equal(context_of(handler)->rsi, info_of(seL4_Fault_Timeout, 0, 2));
    /* Going on, the client has its answer, and does not call again. */
    do_reply_recv(handler, timeout_ep, timeout_reply, 0);
    assert_idle();
    pass_us(10000);
    assert_running(client);
    assert_int_equal(context_of(client)->r10, 5);
    assert_int_equal(context_of(client)->rip, CODE + 2);
}

/* --- faults ---------------------------------------------------------------------------------- */

static unsigned handler_of(unsigned *endpoint, unsigned *reply)
{
    unsigned handler;

    *endpoint = make_endpoint();
    *reply = make_reply();
    handler = make_thread(200);
    do_recv(handler, *endpoint, *reply);
    return handler;
}

static void test_page_fault(void **state)
{
    unsigned endpoint, reply, handler = handler_of(&endpoint, &reply), thread = make_thread(100);

    (void)state;
    set_handler(thread, TCB_FAULT_HANDLER, endpoint);
    handle_page_fault(0x1234, 0x14);
    unlock();
    assert_running(handler);
    assert_int_equal(context_of(handler)->rsi, info_of(seL4_Fault_VMFault, 0, 4));
    assert_int_equal(context_of(handler)->r10, CODE);
    assert_int_equal(context_of(handler)->r8, 0x1234);
    assert_int_equal(context_of(handler)->r9, 1);
    assert_int_equal(context_of(handler)->r15, 0x14);
    /* Any label lets it go on. */
    do_reply_recv(handler, endpoint, reply, info_of(5, 0, 0));
    assert_running(thread);
    assert_int_equal(context_of(thread)->rip, CODE);
}

static void test_user_exception(void **state)
{
    unsigned endpoint, reply, handler = handler_of(&endpoint, &reply), thread = make_thread(100);

    (void)state;
    set_handler(thread, TCB_FAULT_HANDLER, endpoint);
    context_of(thread)->rsp = 0x8000;
    handle_user_exception(6, 0);
    unlock();
    assert_running(handler);
    assert_int_equal(context_of(handler)->rsi, info_of(seL4_Fault_UserException, 0, 5));
    assert_int_equal(context_of(handler)->r10, CODE);
    assert_int_equal(context_of(handler)->r8, 0x8000);
    assert_int_equal(context_of(handler)->r15, 6);
    context_of(handler)->r10 = 0x500000;
    do_reply_recv(handler, endpoint, reply, info_of(0, 0, 1));
    assert_running(thread);
    assert_int_equal(context_of(thread)->rip, 0x500000);
    assert_int_equal(context_of(thread)->rsp, 0x8000);

    handle_user_exception(6, 0);
    unlock();
    do_reply_recv(handler, endpoint, reply, info_of(1, 0, 0));
    assert_int_equal(tcb_at(thread)->state, THREAD_INACTIVE);
}

static void test_unknown_system_call(void **state)
{
    unsigned endpoint, reply, handler = handler_of(&endpoint, &reply), thread = make_thread(100);

    (void)state;
    set_handler(thread, TCB_FAULT_HANDLER, endpoint);
    context_of(thread)->rbx = 0xb;
    syscall_by(thread, seL4_SysVMEnter);
    assert_running(handler);
    assert_int_equal(context_of(handler)->rsi, info_of(seL4_Fault_UnknownSyscall, 0, 19));
    assert_int_equal(context_of(handler)->r8, 0xb);
    assert_int_equal(buffer_of(tcb_at(handler))[1 + seL4_UnknownSyscall_FaultIP], CODE);
    assert_int_equal(buffer_of(tcb_at(handler))[1 + seL4_UnknownSyscall_Syscall], (u64)-32);
    /* The handler goes behind the instruction, and answers in rax. */
    context_of(handler)->r10 = 99;
    buffer_of(tcb_at(handler))[1 + seL4_UnknownSyscall_FaultIP] = CODE + 2;
    do_reply_recv(handler, endpoint, reply, info_of(0, 0, 16));
    assert_running(thread);
    assert_int_equal(context_of(thread)->rax, 99);
    assert_int_equal(context_of(thread)->rip, CODE + 2);
}

static void test_fault_without_handler_stops_the_thread(void **state)
{
    unsigned thread = make_thread(100);

    (void)state;
    handle_page_fault(0, 4);
    unlock();
    assert_int_equal(tcb_at(thread)->state, THREAD_INACTIVE);
    assert_idle();
}

/* --- methods --------------------------------------------------------------------------------- */

static void test_yield_to(void **state)
{
    unsigned caller = make_thread(50), target = make_passive_thread(50),
             sc = make_sched_context(1000, 10000);

    (void)state;
    assert_int_equal(invoke(caller, sc, SchedContextYieldTo, NO_EXTRA), seL4_IllegalOperation);
    sched_context_bind_tcb(sched_context_at(sc), tcb_at(target));
    tcb_restart(tcb_at(target));
    schedule();
    activate_current();
    assert_running(caller);
    (void)invoke(caller, sc, SchedContextYieldTo, NO_EXTRA);
    assert_running(target);
    pass_us(2000);
    assert_running(caller);
    assert_int_equal(context_of(caller)->rsi, info_of(0, 0, 1));
    assert_in_range(context_of(caller)->r10, 980, 1000);
    assert_int_equal(invoke(caller, sched_context_slot_of(caller), SchedContextYieldTo, NO_EXTRA),
                     seL4_IllegalOperation);
    assert_int_equal(invoke(caller, caller, TCBSetMCPriority, EXTRA((int)caller), 40), 0);
    assert_int_equal(invoke(caller, sc, SchedContextYieldTo, NO_EXTRA), seL4_IllegalOperation);
}

static void test_configure_checks(void **state)
{
    unsigned thread = make_thread(50), sc = make_sched_context(0, 0),
             longest_slot = make_endpoint();
    u64 longest = UINT64_MAX / tsc_mhz / 8;

    (void)state;
#define CONFIGURE(sc, ...)                                                                         \
    invoke(thread, SLOT_SCHED_CONTROL, SchedControlConfigureFlags, EXTRA((int)(sc)), __VA_ARGS__)
    assert_int_equal(CONFIGURE(longest_slot, 100, 100, 0, 0, 0), seL4_InvalidCapability);
    assert_int_equal(context_of(thread)->r10, 1);
    assert_int_equal(CONFIGURE(sc, 19, 100, 0, 0, 0), seL4_RangeError);
    assert_int_equal(context_of(thread)->r10, 20);
    assert_int_equal(context_of(thread)->r8, longest);
    assert_int_equal(CONFIGURE(sc, 20, longest + 1, 0, 0, 0), seL4_RangeError);
    assert_int_equal(CONFIGURE(sc, 200, 100, 0, 0, 0), seL4_RangeError);
    assert_int_equal(context_of(thread)->r8, 100);
    assert_int_equal(CONFIGURE(sc, 100, 200, 9, 0, 0), seL4_RangeError);
    assert_int_equal(context_of(thread)->r10, 0);
    assert_int_equal(context_of(thread)->r8, 8);
    assert_int_equal(CONFIGURE(sc, 100, 200, 8, 5, 1), 0);
    assert_int_equal(sched_context_at(sc)->badge, 5);
    assert_true(sched_context_at(sc)->sporadic);
    assert_int_equal(sched_context_at(sc)->refill_max, 10);
    /* Its own, while it runs. */
    assert_int_equal(CONFIGURE(sched_context_slot_of(thread), 1000, 2000, 0, 0, 0), 0);
    assert_running(thread);
}

static void test_registers(void **state)
{
    unsigned master = make_thread(50), thread = make_passive_thread(100),
             sc = make_sched_context(5000, 5000);
    u64 words[22] = { 1, 20 };

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        words[2 + i] = 0x1000 + i;
    words[2 + 18] = 1ull << 60;
    sched_context_bind_tcb(sched_context_at(sc), tcb_at(thread));
    assert_int_equal(invoke_by(master, thread, TCBWriteRegisters, 22, words, NO_EXTRA), 0);
    assert_running(thread);
    assert_int_equal(context_of(thread)->rip, 0x1000);
    assert_int_equal(context_of(thread)->rsp, 0x1001);
    assert_int_equal(context_of(thread)->rflags, 0x1002 % 0x1000 | 0x202);
    assert_int_equal(context_of(thread)->r15, 0x1011);
    assert_int_equal(context_of(thread)->fs_base, 0);
    assert_int_equal(context_of(thread)->gs_base, 0x1013);
    tcb_suspend(tcb_at(thread));
    schedule();
    activate_current();
    assert_running(master);
    assert_int_equal(invoke(master, thread, TCBReadRegisters, NO_EXTRA, 0, 20), 0);
    assert_int_equal(context_of(master)->rsi, 20);
    assert_int_equal(context_of(master)->r10, 0x1000);
    assert_int_equal(buffer_of(tcb_at(master))[1 + 17], 0x1011);
    assert_int_equal(invoke(master, thread, TCBReadRegisters, NO_EXTRA, 0, 21), seL4_RangeError);
    assert_int_equal(invoke(master, master, TCBReadRegisters, NO_EXTRA, 0, 2),
                     seL4_IllegalOperation);
    assert_int_equal(invoke_by(master, thread, TCBWriteRegisters, 21, words, NO_EXTRA),
                     seL4_TruncatedMessage);
    assert_int_equal(invoke_by(master, master, TCBWriteRegisters, 22, words, NO_EXTRA),
                     seL4_IllegalOperation);
}

static void test_suspending_itself_finishes_the_call(void **state)
{
    unsigned thread = make_thread(50);

    (void)state;
    (void)invoke(thread, thread, TCBSuspend, NO_EXTRA);
    assert_int_equal(tcb_at(thread)->state, THREAD_INACTIVE);
    tcb_restart(tcb_at(thread));
    schedule();
    activate_current();
    assert_running(thread);
    assert_int_equal(context_of(thread)->rip, CODE + 2);
    assert_int_equal(context_of(thread)->rsi, 0);
}

static void test_set_sched_params(void **state)
{
    unsigned master = make_thread(50), thread = make_passive_thread(10),
             sc = make_sched_context(5000, 5000);
    unsigned endpoint = make_endpoint(), plain = mint(endpoint, 0, RIGHT_WRITE),
             other = make_sched_context(1, 1);

    (void)state;
#define PARAMS(mcp, priority, authority, sc, handler)                                              \
    invoke(master, thread, TCBSetSchedParams, EXTRA((int)(authority), (int)(sc), (int)(handler)),  \
           mcp, priority)
    assert_int_equal(PARAMS(10, 10, sc, sc, endpoint), seL4_InvalidCapability);
    assert_int_equal(context_of(master)->r10, 1);
    assert_int_equal(PARAMS(256, 10, master, sc, endpoint), seL4_RangeError);
    assert_int_equal(context_of(master)->r8, 255);
    assert_int_equal(PARAMS(10, 10, master, endpoint, endpoint), seL4_InvalidCapability);
    assert_int_equal(context_of(master)->r10, 2);
    assert_int_equal(PARAMS(10, 10, master, sc, plain), seL4_InvalidCapability);
    assert_int_equal(context_of(master)->r10, 3);
    assert_int_equal(PARAMS(11, 10, master, sc, endpoint), 0);
    assert_int_equal(tcb_at(thread)->max_priority, 11);
    assert_ptr_equal(tcb_at(thread)->sched_context, sched_context_at(sc));
    assert_int_equal(tcb_at(thread)->slots[TCB_FAULT_HANDLER].cap.type, CAP_ENDPOINT);
    assert_int_equal(PARAMS(11, 10, master, other, endpoint), seL4_IllegalOperation);
    assert_int_equal(PARAMS(11, 10, master, sc, endpoint), 0);
    assert_int_equal(PARAMS(11, 10, master, 0, 0), 0);
    assert_null(tcb_at(thread)->sched_context);
    assert_int_equal(tcb_at(thread)->slots[TCB_FAULT_HANDLER].cap.type, CAP_NULL);
}

static void test_bind_and_unbind(void **state)
{
    unsigned master = make_thread(50), thread = make_thread(100), endpoint = make_endpoint();
    unsigned reply = make_reply(), own = sched_context_slot_of(master),
             sc = make_sched_context(0, 0);

    (void)state;
    do_recv(thread, endpoint, reply);
    assert_int_equal(invoke(master, sc, SchedContextBind, EXTRA((int)thread)),
                     seL4_IllegalOperation);
    assert_int_equal(invoke(master, sc, SchedContextBind, EXTRA((int)endpoint)),
                     seL4_InvalidCapability);
    assert_int_equal(invoke(master, own, SchedContextUnbind, NO_EXTRA), seL4_IllegalOperation);
    assert_int_equal(invoke(master, own, SchedContextUnbindObject, EXTRA((int)master)),
                     seL4_IllegalOperation);
    assert_int_equal(invoke(master, own, SchedContextUnbindObject, EXTRA((int)thread)),
                     seL4_IllegalOperation);
    assert_int_equal(
        invoke(master, sched_context_slot_of(thread), SchedContextUnbindObject, EXTRA((int)thread)),
        0);
    assert_null(tcb_at(thread)->sched_context);
    /* Blocked, and the context gives no time. */
    assert_int_equal(invoke(master, sc, SchedContextBind, EXTRA((int)thread)),
                     seL4_IllegalOperation);
    assert_int_equal(invoke(master, own, SchedContextBind, EXTRA((int)thread)),
                     seL4_IllegalOperation);
}

static void test_consumed(void **state)
{
    unsigned thread = make_thread(50), sc = sched_context_slot_of(thread);

    (void)state;
    pass_us(777);
    assert_int_equal(invoke(thread, sc, SchedContextConsumed, NO_EXTRA), 0);
    assert_int_equal(context_of(thread)->r10, 777);
    assert_int_equal(invoke(thread, sc, SchedContextConsumed, NO_EXTRA), 0);
    assert_int_equal(context_of(thread)->r10, 0);
}

static void test_debug_system_calls(void **state)
{
    unsigned thread = make_thread(50);

    (void)state;
    context_of(thread)->rdi = thread;
    syscall_by(thread, seL4_SysDebugCapIdentify);
    assert_int_equal(context_of(thread)->rdi, CAP_TCB);
    strcpy((char *)(buffer_of(tcb_at(thread)) + 1), "worker");
    context_of(thread)->rdi = thread;
    syscall_by(thread, seL4_SysDebugNameThread);
    assert_string_equal(tcb_at(thread)->name, "worker");
    context_of(thread)->rdi = thread;
    syscall_by(thread, seL4_SysDebugGetThreadAffinity);
    assert_int_equal(context_of(thread)->rdi, 0);
    syscall_by(thread, seL4_SysDebugDumpScheduler);
    assert_running(thread);
}

#define TEST(name) cmocka_unit_test_setup(name, thread_world_set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_robin_shares),
        TEST(test_budget_of_a_tenth),
        TEST(test_higher_priority_runs_at_once),
        TEST(test_spent_budget_repeats_the_system_call),
        TEST(test_yield_gives_up_the_head_refill),
        TEST(test_yield_round_robin),
        TEST(test_thread_without_context_waits_for_one),
        TEST(test_timeout_fault),
        TEST(test_no_timeout_fault_for_round_robin),
        TEST(test_reply_to_a_client_without_time),
        TEST(test_page_fault),
        TEST(test_user_exception),
        TEST(test_unknown_system_call),
        TEST(test_fault_without_handler_stops_the_thread),
        TEST(test_yield_to),
        TEST(test_configure_checks),
        TEST(test_registers),
        TEST(test_suspending_itself_finishes_the_call),
        TEST(test_set_sched_params),
        TEST(test_bind_and_unbind),
        TEST(test_consumed),
        TEST(test_debug_system_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
