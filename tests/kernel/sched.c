/* SPDX-License-Identifier: BSD-2-Clause */
/* Scheduling contexts: configuration, binding, budgets, timeouts, donation, yielding. */
#include "tests/kernel/calls.h"

#define CONTROL boot->schedcontrol.start

static seL4_Error configure(seL4_CPtr sc, seL4_Word budget, seL4_Word period, seL4_Word extra)
{
    return sc_configure(sc, budget, period, extra, 0, 0);
}

static void configuration(void)
{
    seL4_CPtr sc = object_new(seL4_SchedContextObject, 7),
              large = object_new(seL4_SchedContextObject, 8);
    seL4_Word max = ~0ul / tsc_mhz / 8;

    CHECK_CAPABILITY(configure(ROOT, 1000, 1000, 0), 1);
    CHECK_RANGE(configure(sc, 19, 1000, 0), 20, max);
    CHECK_RANGE(configure(sc, max + 1, max + 1, 0), 20, max);
    CHECK_RANGE(configure(sc, 20, 19, 0), 20, max);
    CHECK_RANGE(configure(sc, 20, max + 1, 0), 20, max);
    CHECK_RANGE(configure(sc, 1001, 1000, 0), 20, 1000);
    CHECK_RANGE(configure(sc, 1000, 1000, 1), 0, 0);
    CHECK_RANGE(configure(large, 1000, 1000, 9), 0, 8);
    CHECK_RANGE(configure(large, 1000, 1000, ~0ul), 0, 8);
    /* budget, period, their order, refills */
    CHECK_RANGE(configure(sc, 0, 0, 99), 20, max);
    CHECK_RANGE(configure(sc, 1001, 1000, 99), 20, 1000);
    CHECK_OK(configure(sc, 20, 20, 0));
    CHECK_OK(configure(sc, max, max, 0));
    CHECK_OK(configure(sc, 20, max, 0));
    CHECK_OK(configure(large, 1000, 10000, 8));
    CHECK_OK(seL4_SchedControl_ConfigureFlags(CONTROL, large, 1000, 10000, 8, 77,
                                              seL4_SchedContext_Sporadic));
}

static void binding(void)
{
    seL4_CPtr sc = object_new(seL4_SchedContextObject, 7),
              sc2 = object_new(seL4_SchedContextObject, 7);
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0),
              notification = object_new(seL4_NotificationObject, 0);
    seL4_CPtr own = seL4_CapInitThreadSC, self = seL4_CapInitThreadTCB;

    CHECK_CAPABILITY(seL4_SchedContext_Bind(sc, ROOT), 1);
    CHECK_OK(seL4_SchedContext_Bind(sc, tcb));
    CHECK_ILLEGAL(seL4_SchedContext_Bind(sc, tcb));
    CHECK_ILLEGAL(seL4_SchedContext_Bind(sc, notification));
    CHECK_ILLEGAL(seL4_SchedContext_Bind(sc2, tcb));
    CHECK_CAPABILITY(seL4_SchedContext_UnbindObject(sc, ROOT), 1);
    CHECK_ILLEGAL(seL4_SchedContext_UnbindObject(sc, notification));
    CHECK_ILLEGAL(seL4_SchedContext_UnbindObject(sc2, tcb));
    CHECK_OK(seL4_SchedContext_UnbindObject(sc, tcb));
    CHECK_OK(seL4_SchedContext_Bind(sc, notification));
    CHECK_ILLEGAL(seL4_SchedContext_Bind(sc2, notification));
    CHECK_ILLEGAL(seL4_SchedContext_Bind(sc, tcb));
    CHECK_OK(seL4_SchedContext_Unbind(sc));
    CHECK_OK(seL4_SchedContext_Unbind(sc));
    CHECK_OK(seL4_SchedContext_Bind(sc, tcb));
    /* Not the branch one sits on. */
    CHECK_ILLEGAL(seL4_SchedContext_Unbind(own));
    CHECK_ILLEGAL(seL4_SchedContext_UnbindObject(own, self));
    CHECK_ILLEGAL(seL4_SchedContext_Bind(own, tcb));
    CHECK_ILLEGAL(seL4_SchedContext_Bind(sc2, self));
    /* The TCB goes: the context is free. */
    CHECK_OK(cap_delete(tcb));
    CHECK_OK(seL4_SchedContext_Bind(sc, object_new(seL4_TCBObject, 0)));
}

/* Without a context a thread does not run; with one bound it does; without again it stops. */
static void spin(struct thread *self, seL4_Word argument)
{
    (void)argument;
    for (;;)
        self->result[0]++;
}

/* It runs within a second: on a busy host sooner is not certain. */
static bool makes_progress(struct thread *t)
{
    seL4_Word before = t->result[0];

    for (unsigned i = 0; i < 100 && t->result[0] == before; i++)
        sleep_us(10000);
    return t->result[0] != before;
}

static void no_context_no_run(void)
{
    struct thread *t = thread_create(0, spin, 0, TEST_PRIORITY - 5, 0, 0, 0);
    seL4_CPtr sc = object_new(seL4_SchedContextObject, 7);

    thread_start(t);
    sleep_us(3000);
    CHECK_EQ(t->result[0], 0);
    /* A context that was never configured has no budget. */
    CHECK_OK(seL4_SchedContext_Bind(sc, t->tcb));
    sleep_us(3000);
    CHECK_EQ(t->result[0], 0);
    CHECK_OK(configure(sc, 5000, 5000, 0));
    CHECK(makes_progress(t));
    CHECK_OK(seL4_SchedContext_Unbind(sc));
    seL4_Word before = t->result[0];

    sleep_us(3000);
    CHECK_EQ(t->result[0], before);
}

/* --- shares of time -------------------------------------------------------------------------- */

static seL4_Word consumed(struct thread *t)
{
    seL4_SchedContext_Consumed_t answer = seL4_SchedContext_Consumed(t->sc);

    CHECK_EQ(answer.error, 0);
    return answer.consumed;
}

/*
 * 10 of 100 ms: a tenth, although a busy thread would take everything, and that one gets the
 * rest. /
 */
static void ten_percent(void)
{
    struct thread *limited = thread_create(0, spin, 0, TEST_PRIORITY - 5, 10000, 100000, 0);
    struct thread *busy = thread_create(1, spin, 0, TEST_PRIORITY - 10, 5000, 5000, 0);

    thread_start(limited);
    thread_start(busy);
    seL4_Word start = us_now();

    sleep_us(1000000);
    CHECK_OK(seL4_TCB_Suspend(limited->tcb));
    CHECK_OK(seL4_TCB_Suspend(busy->tcb));
    seL4_Word time = us_now() - start;
    seL4_Word share = consumed(limited) * 1000 / time, rest = consumed(busy) * 1000 / time;

    print("     shares: %lu and %lu of 1000\n", share, rest);
    CHECK_TIME(share >= 80 && share <= 120);
    CHECK_TIME(rest >= 820 && rest <= 925);
}

/* The same below the busy one gets nothing; equal priorities share by turns. */
static void priorities(void)
{
    struct thread *low = thread_create(0, spin, 0, TEST_PRIORITY - 10, 10000, 10000, 0);
    struct thread *high = thread_create(1, spin, 0, TEST_PRIORITY - 5, 10000, 10000, 0);

    thread_start(low);
    thread_start(high);
    CHECK(makes_progress(high));
    CHECK_EQ(low->result[0], 0);
    CHECK_OK(seL4_TCB_SetPriority(low->tcb, seL4_CapInitThreadTCB, TEST_PRIORITY - 4));
    seL4_Word before = high->result[0];

    CHECK(makes_progress(low));
    CHECK_EQ(high->result[0], before);
}

static void round_robin(void)
{
    struct thread *t[3];
    seL4_Word used[3], total = 0;

    for (unsigned i = 0; i < 3; i++) {
        t[i] = thread_create(i, spin, 0, TEST_PRIORITY - 5, 2000, 2000, 0);
        thread_start(t[i]);
    }
    sleep_us(300000);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_OK(seL4_TCB_Suspend(t[i]->tcb));
        used[i] = consumed(t[i]);
        total += used[i];
    }
    for (unsigned i = 0; i < 3; i++)
        CHECK_TIME(used[i] * 100 / total >= 25 && used[i] * 100 / total <= 42);
}

/* --- the law of refills ---------------------------------------------------------------------- */

#define MAX_PIECES 400

/* Records when it ran: a gap in time is when it did not. */
static struct {
    seL4_Word begin, end;
} pieces[MAX_PIECES];
static volatile unsigned nr_pieces;

static void recorder(struct thread *self, seL4_Word pause_ticks)
{
    seL4_Word gap = 30 * tsc_mhz, last = ticks_now();

    pieces[0].begin = last;
    while (nr_pieces < MAX_PIECES - 1) {
        seL4_Word now = ticks_now();

        if (now - last > gap) {
            pieces[nr_pieces].end = last;
            pieces[++nr_pieces].begin = now;
        }
        last = now;
        /* Giving up the processor cuts refills into pieces. */
        if (pause_ticks && now - pieces[nr_pieces].begin > pause_ticks)
            sys(seL4_SysWait, self->result[7], INFO(0, 0), 0, 0, 0, 0, 0, 0);
    }
    self->done = 1;
}

/* What it ran in [from, to). */
static seL4_Word ran_within(seL4_Word from, seL4_Word to)
{
    seL4_Word sum = 0;

    for (unsigned i = 0; i < nr_pieces; i++) {
        seL4_Word begin = pieces[i].begin > from ? pieces[i].begin : from;
        seL4_Word end = pieces[i].end < to ? pieces[i].end : to;

        if (end > begin)
            sum += end - begin;
    }
    return sum;
}

/*
 * In no window of one period more than the budget, plus what the measuring itself and the
 * emulator's clock cost: time for which the host stops the machine looks like time that the thread
 * ran.
 */
static void check_windows(seL4_Word budget, seL4_Word period, seL4_Word slack)
{
    seL4_Word most = 0;

    for (unsigned i = 0; i < nr_pieces; i++) {
        seL4_Word ran = ran_within(pieces[i].begin, pieces[i].begin + period * tsc_mhz) / tsc_mhz;

        if (ran > most)
            most = ran;
    }
    print("     most in a window of %lu us: %lu us of %lu us, %u pieces\n", period, most, budget,
          nr_pieces);
    CHECK_TIME(most <= budget + slack);
    CHECK_TIME(most >= budget / 2);
}

static void refill_windows(void)
{
    struct thread *t = thread_create(0, recorder, 0, TEST_PRIORITY - 5, 3000, 20000, 0);

    nr_pieces = 0;
    thread_start(t);
    for (unsigned i = 0; i < 100 && nr_pieces <= 5; i++)
        sleep_us(400000);
    CHECK_OK(seL4_TCB_Suspend(t->tcb));
    REQUIRE(nr_pieces > 5);
    check_windows(3000, 20000, 200);
}

/* A thread that blocks in the middle of its budget, with few and with many refills. */
static void refill_windows_in_pieces(void)
{
    for (unsigned extra = 0; extra <= 8; extra += 8) {
        struct thread *t =
            thread_create(0, recorder, 700 * tsc_mhz, TEST_PRIORITY - 5, 3000, 20000, 0);
        seL4_CPtr notification = object_new(seL4_NotificationObject, 0);

        REQUIRE_OK(configure(t->sc, 3000, 20000, extra));
        t->result[7] = notification;
        nr_pieces = 0;
        thread_start(t);
        for (unsigned i = 0; i < 100 || (i < 10000 && nr_pieces <= 5); i++) {
            sleep_us(2500);
            seL4_Signal(notification);
        }
        CHECK_OK(seL4_TCB_Suspend(t->tcb));
        REQUIRE(nr_pieces > 5);
        check_windows(3000, 20000, 200);
    }
}

/* Changing budget and period of a running thread takes effect. */
static void reconfigured(void)
{
    struct thread *t = thread_create(0, spin, 0, TEST_PRIORITY - 5, 5000, 50000, 0);

    thread_start(t);
    sleep_us(100000);
    consumed(t);
    CHECK_OK(configure(t->sc, 20000, 50000, 0));
    sleep_us(500000);
    seL4_Word share = consumed(t) * 1000 / 500000;

    print("     share: %lu of 1000\n", share);
    CHECK_TIME(share >= 330 && share <= 460);
}

/* --- consumed, yield ------------------------------------------------------------------------- */

static void work(struct thread *self, seL4_Word us)
{
    busy_wait(us);
    self->done = 1;
}

static void consumed_time(void)
{
    struct thread *t = thread_create(0, work, 5000, TEST_PRIORITY - 5, 50000, 50000, 0);

    thread_start(t);
    REQUIRE(thread_wait(t, PATIENCE_US));
    seL4_Word used = consumed(t);

    CHECK_TIME(used >= 4900 && used < 15000);
    CHECK_TIME(consumed(t) < 50);
    /* Our own counts, too. */
    seL4_SchedContext_Consumed(seL4_CapInitThreadSC);
    busy_wait(3000);
    used = seL4_SchedContext_Consumed(seL4_CapInitThreadSC).consumed;
    CHECK_TIME(used >= 2900 && used < 15000);
}

/* Yield gives up the rest of the refill: the next begins a period later. */
static void yielder(struct thread *self, seL4_Word argument)
{
    (void)argument;
    for (unsigned i = 0; i < 6; i++) {
        self->result[i] = us_now();
        seL4_Yield();
    }
    self->done = 1;
}

static void yield(void)
{
    struct thread *t = thread_create(0, yielder, 0, TEST_PRIORITY - 5, 5000, 20000, 0);

    thread_start(t);
    REQUIRE(thread_wait(t, PATIENCE_US));
    for (unsigned i = 1; i < 6; i++) {
        seL4_Word gap = t->result[i] - t->result[i - 1];

        CHECK_TIME(gap >= 19000 && gap < 40000);
    }
}

static void yield_to(void)
{
    struct thread *t = thread_create(0, work, 1000, TEST_PRIORITY, 50000, 50000, 0);
    seL4_CPtr unbound = object_new(seL4_SchedContextObject, 7);
    seL4_SchedContext_YieldTo_t answer;

    CHECK_ILLEGAL(seL4_SchedContext_YieldTo(unbound).error);
    CHECK_ILLEGAL(seL4_SchedContext_YieldTo(seL4_CapInitThreadSC).error);
    /* Not runnable: nothing happens. */
    answer = seL4_SchedContext_YieldTo(t->sc);
    CHECK_EQ(answer.error, 0);
    CHECK_EQ(answer.consumed, 0);
    thread_start(t);
    answer = seL4_SchedContext_YieldTo(t->sc);
    CHECK_EQ(answer.error, 0);
    CHECK(t->done);
    CHECK_TIME(answer.consumed >= 900 && answer.consumed < 10000);
    /* A priority above the caller's maximum. */
    struct call call = { .number = seL4_SysCall,
                         .rdi = t->sc,
                         .info = INFO(SchedContextYieldTo, 0) };
    struct thread *low =
        thread_create(1, thread_call, (seL4_Word)&call, HELPER_PRIORITY, 5000, 5000, 0);

    CHECK_OK(seL4_TCB_SetMCPriority(low->tcb, seL4_CapInitThreadTCB, TEST_PRIORITY - 1));
    thread_start(low);
    CHECK(call.returned);
    CHECK_EQ(LABEL(call.answer), seL4_IllegalOperation);
}

/* --- timeouts -------------------------------------------------------------------------------- */

static void timeout_fault(void)
{
    seL4_CPtr timeouts = object_new(seL4_EndpointObject, 0),
              reply = object_new(seL4_ReplyObject, 0);
    struct thread *t = thread_create(0, spin, 0, TEST_PRIORITY - 5, 2000, 1000000, 0);

    REQUIRE_OK(seL4_TCB_SetTimeoutEndpoint(t->tcb, cap_mint(timeouts, seL4_AllRights, 0x60)));
    REQUIRE_OK(sc_configure(t->sc, 2000, 1000000, 0, 0xbad9e, 0));
    thread_start(t);
    struct message m = sys(seL4_SysRecv, timeouts, INFO(0, 0), 0, 0, 0, 0, reply, 0);

    CHECK_EQ(m.badge, 0x60);
    CHECK_EQ(LABEL(m), seL4_Fault_Timeout);
    CHECK_EQ(LENGTH(m), 2);
    CHECK_EQ(m.word[seL4_Timeout_Data], 0xbad9e);
    CHECK_TIME(m.word[seL4_Timeout_Consumed] >= 1900 && m.word[seL4_Timeout_Consumed] < 20000);
    /* It does not go on before it is answered, whatever budget it gets. */
    seL4_Word before = t->result[0];

    CHECK_OK(sc_configure(t->sc, 3000, 1000000, 0, 0xbad9f, 0));
    sleep_us(5000);
    CHECK_EQ(t->result[0], before);
    sys(seL4_SysSend, reply, INFO(0, 0), 0, 0, 0, 0, 0, 0);
    m = sys(seL4_SysRecv, timeouts, INFO(0, 0), 0, 0, 0, 0, reply, 0);
    CHECK_TIME(t->result[0] > before);
    CHECK_EQ(m.word[seL4_Timeout_Data], 0xbad9f);
    /* Label 1: left alone. */
    sys(seL4_SysSend, reply, INFO(1, 0), 0, 0, 0, 0, 0, 0);
    CHECK_OK(sc_configure(t->sc, 3000, 1000000, 0, 0, 0));
    before = t->result[0];
    sleep_us(5000);
    CHECK_EQ(t->result[0], before);
}

/* An answer with words sets registers. */
static void after_timeout(struct thread *self)
{
    self->done = 1;
    sys(seL4_SysCall, self->tcb, INFO(TCBSuspend, 0), 0, 0, 0, 0, 0, 0);
}

static void timeout_answer(void)
{
    seL4_CPtr timeouts = object_new(seL4_EndpointObject, 0),
              reply = object_new(seL4_ReplyObject, 0);
    struct thread *t = thread_create(0, spin, 0, TEST_PRIORITY - 5, 2000, 1000000, 0);
    seL4_UserContext regs = {
        .rip = (seL4_Word)after_timeout,
        .rsp = (seL4_Word)t->stack_top - 8,
        .rflags = 0x202,
        .rdi = (seL4_Word)t,
    };

    REQUIRE_OK(seL4_TCB_SetTimeoutEndpoint(t->tcb, timeouts));
    thread_start(t);
    seL4_Recv(timeouts, NULL, reply);
    REQUIRE_OK(configure(t->sc, 5000, 5000, 0));
    seL4_Send(reply, seL4_TimeoutReply_new(1, regs, seL4_TimeoutReply_Length));
    CHECK(thread_wait(t, PATIENCE_US));
}

/* No handler, or round robin: it waits for its refill, without a fault. */
static void no_timeout_fault(void)
{
    seL4_CPtr timeouts = object_new(seL4_EndpointObject, 0);
    struct thread *t = thread_create(0, spin, 0, TEST_PRIORITY - 5, 2000, 2000, 0);

    REQUIRE_OK(seL4_TCB_SetTimeoutEndpoint(t->tcb, timeouts));
    thread_start(t);
    CHECK(makes_progress(t));
    sleep_us(20000);
    CHECK_EQ(LABEL(sys(seL4_SysNBWait, timeouts, INFO(0x77, 0), 0, 0, 0, 0, 0, 0)), 0x77);
    t = thread_create(1, spin, 0, TEST_PRIORITY - 4, 2000, 10000, 0);
    thread_start(t);
    sleep_us(5000);
    CHECK(makes_progress(t));
}

/* A client whose budget ends inside a passive server: the server's handler hears of it. */
static seL4_CPtr server_endpoint;

static void endless_server(struct thread *self, seL4_Word reply)
{
    sys(seL4_SysRecv, server_endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);
    spin(self, 0);
}

static void timeout_in_passive_server(void)
{
    seL4_CPtr timeouts = object_new(seL4_EndpointObject, 0);
    seL4_CPtr server_reply = object_new(seL4_ReplyObject, 0),
              reply = object_new(seL4_ReplyObject, 0);
    struct call call;

    server_endpoint = object_new(seL4_EndpointObject, 0);
    call = (struct call){ .number = seL4_SysCall, .rdi = server_endpoint };
    struct thread *server =
        thread_create(0, endless_server, server_reply, HELPER_PRIORITY, 5000, 5000, 0);
    struct thread *client =
        thread_create(1, thread_call, (seL4_Word)&call, TEST_PRIORITY - 5, 2000, 1000000, 0);

    REQUIRE_OK(sc_configure(client->sc, 2000, 1000000, 0, 0xc1, 0));
    REQUIRE_OK(seL4_TCB_SetTimeoutEndpoint(server->tcb, timeouts));
    thread_start(server);
    REQUIRE_OK(seL4_SchedContext_Unbind(server->sc));
    thread_start(client);
    struct message m = sys(seL4_SysRecv, timeouts, INFO(0, 0), 0, 0, 0, 0, reply, 0);

    CHECK_EQ(LABEL(m), seL4_Fault_Timeout);
    CHECK_EQ(m.word[seL4_Timeout_Data], 0xc1);
    /* The handler answers the client in the server's place. */
    sys(seL4_SysSend, server_reply, INFO(0x55, 0), 0, 0, 0, 0, 0, 0);
    CHECK_OK(configure(client->sc, 5000, 5000, 0));
    CHECK(thread_wait(client, PATIENCE_US));
    CHECK_EQ(LABEL(call.answer), 0x55);
}

/* --- a notification with a context lends it to whom it wakes --------------------------------- */

static void notification_context(void)
{
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0),
              sc = object_new(seL4_SchedContextObject, 7);
    struct call wait = { .number = seL4_SysWait, .rdi = notification };
    struct thread *t =
        thread_create(0, thread_call, (seL4_Word)&wait, HELPER_PRIORITY, 5000, 5000, 0);

    thread_start(t);
    REQUIRE_OK(seL4_SchedContext_Unbind(t->sc));
    seL4_Signal(notification);
    CHECK(!wait.returned);

    t = thread_create(1, thread_call, (seL4_Word)&wait, HELPER_PRIORITY, 5000, 5000, 0);
    thread_start(t);
    REQUIRE_OK(seL4_SchedContext_Unbind(t->sc));
    REQUIRE_OK(configure(sc, 5000, 5000, 0));
    REQUIRE_OK(seL4_SchedContext_Bind(sc, notification));
    seL4_Signal(notification);
    CHECK(wait.returned);
}

/*
 * The initial thread's own: 5 ms round robin; another of its priority gets its turn while it
 * spins. /
 */
static void initial_context(void)
{
    struct thread *t = thread_create(0, work, 0, TEST_PRIORITY, 5000, 5000, 0);

    thread_start(t);
    seL4_Word start = us_now();

    while (!t->done && us_now() - start < 200000)
        ;
    CHECK(t->done);
}

TEST_SUITE(sched, { "configuration", configuration }, { "binding", binding },
           { "no context, no run", no_context_no_run }, { "ten percent", ten_percent },
           { "priorities", priorities }, { "round robin", round_robin },
           { "refill windows", refill_windows },
           { "refill windows in pieces", refill_windows_in_pieces },
           { "reconfigured", reconfigured }, { "consumed", consumed_time }, { "yield", yield },
           { "timeout fault", timeout_fault }, { "timeout answer", timeout_answer },
           { "no timeout fault", no_timeout_fault },
           { "timeout in passive server", timeout_in_passive_server },
           { "notification context", notification_context }, { "initial context", initial_context },
           { "yield to", yield_to });
