/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several cores: threads run where their scheduling contexts say, can be stopped, changed and
 * moved from elsewhere, and meet each other across cores.
 */
#include "tests/kernel/smp.h"

#include "tests/kernel/calls.h"

/* --- what the suites of several cores share -------------------------------------------------- */

unsigned cores_required(void)
{
    if (boot->numNodes < 2)
        group_skip("one core");
    return (unsigned)boot->numNodes;
}

seL4_Error sc_on_core(struct thread *t, unsigned core)
{
    return seL4_SchedControl_ConfigureFlags(boot->schedcontrol.start + core, t->sc, 5000, 5000, 0,
                                            0, 0);
}

struct thread *thread_on_core(unsigned n, unsigned core, thread_function function,
                              seL4_Word argument, seL4_CPtr fault_ep)
{
    struct thread *t =
        thread_create(n, function, argument, TEST_PRIORITY - 5, 5000, 5000, fault_ep);

    REQUIRE_OK(sc_on_core(t, core));
    return t;
}

bool comes_true(bool (*condition)(seL4_Word), seL4_Word argument)
{
    seL4_Word end = us_now() + PATIENCE_US;

    while (!condition(argument)) {
        if (us_now() > end)
            return false;
        __asm__ volatile("pause");
    }
    return true;
}

bool differs(volatile seL4_Word *word, seL4_Word from)
{
    seL4_Word end = us_now() + PATIENCE_US;

    while (*word == from) {
        if (us_now() > end)
            return false;
        __asm__ volatile("pause");
    }
    return true;
}

void count_main(struct thread *self, seL4_Word argument)
{
    (void)argument;
    for (;;)
        self->result[0]++;
}

/* --- running --------------------------------------------------------------------------------- */

static void apic_id_main(struct thread *self, seL4_Word argument)
{
    (void)argument;
    self->result[0] = cpuid(1, 0).ebx >> 24;
    self->done = 1;
}

static bool is_done(seL4_Word t)
{
    return ((struct thread *)t)->done;
}

static void placement(void)
{
    unsigned nr_cores = cores_required();
    seL4_Word ids = 0;

    for (unsigned core = 0; core < nr_cores; core++) {
        struct thread *t = thread_on_core(core % MAX_THREADS, core, apic_id_main, 0, 0);

        thread_start(t);
        CHECK(thread_wait(t, PATIENCE_US));
        CHECK_EQ(seL4_DebugGetThreadAffinity(t->tcb), core);
        CHECK_EQ(ids & 1ul << t->result[0], 0);
        ids |= 1ul << t->result[0];
    }
    struct thread *t = thread_create(7, count_main, 0, TEST_PRIORITY - 5, 5000, 5000, 0);

    CHECK_ILLEGAL(seL4_SchedControl_ConfigureFlags(boot->schedcontrol.start + nr_cores, t->sc, 5000,
                                                   5000, 0, 0, 0));
}

/* While this core does not yield for a moment, the others make progress. */
static void parallel(void)
{
    unsigned nr_cores = cores_required();

    for (unsigned core = 1; core < nr_cores && core < MAX_THREADS; core++) {
        struct thread *t = thread_on_core(core, core, count_main, 0, 0);

        thread_start(t);
        CHECK(differs(&t->result[0], 0));
        CHECK(differs(&t->result[0], t->result[0]));
    }
}

static void arrive_main(struct thread *self, seL4_Word argument)
{
    (void)argument;
    self->done = 1;
    for (;;)
        __asm__ volatile("pause");
}

/* What a suspended thread has can be read and changed; it stands still until it is resumed. */
static void stop_and_go(void)
{
    struct thread *t;
    seL4_UserContext regs;

    cores_required();
    t = thread_on_core(0, 1, count_main, 0, 0);
    thread_start(t);
    for (unsigned i = 0; i < 200; i++) {
        seL4_Word count;

        CHECK(differs(&t->result[0], t->result[0]));
        REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
        count = t->result[0];
        REQUIRE_OK(seL4_TCB_ReadRegisters(t->tcb, 0, 0, seL4_UserContextWords, &regs));
        CHECK(regs.rip >= (seL4_Word)count_main && regs.rip < (seL4_Word)count_main + 256);
        busy_wait(20);
        REQUIRE(CHECK_EQ(t->result[0], count));
        REQUIRE_OK(seL4_TCB_Resume(t->tcb));
    }
    /* Read without a stop, it goes on by itself; sent elsewhere, it goes there. */
    REQUIRE_OK(seL4_TCB_ReadRegisters(t->tcb, 0, 0, seL4_UserContextWords, &regs));
    CHECK(differs(&t->result[0], t->result[0]));
    regs.rip = (seL4_Word)arrive_main;
    regs.rdi = (seL4_Word)t;
    regs.rsp = (seL4_Word)t->stack_top - 8;
    REQUIRE_OK(seL4_TCB_WriteRegisters(t->tcb, 1, 0, seL4_UserContextWords, &regs));
    CHECK(comes_true(is_done, (seL4_Word)t));
    REQUIRE_OK(seL4_TCB_Suspend(t->tcb));
}

/* A higher priority given from elsewhere counts at once. */
static void priorities(void)
{
    struct thread *low, *high;

    cores_required();
    low = thread_on_core(0, 1, count_main, 0, 0);
    high = thread_on_core(1, 1, count_main, 0, 0);
    REQUIRE_OK(seL4_TCB_SetPriority(low->tcb, seL4_CapInitThreadTCB, 10));
    thread_start(low);
    CHECK(differs(&low->result[0], 0));
    thread_start(high);
    CHECK(differs(&high->result[0], 0));
    for (unsigned i = 0; i < 100; i++) {
        seL4_Word count;

        REQUIRE_OK(seL4_TCB_SetPriority(high->tcb, seL4_CapInitThreadTCB, i % 2 ? 20 : 5));
        if (i % 2 == 0) {
            REQUIRE(CHECK(differs(&low->result[0], low->result[0])));
            continue;
        }
        REQUIRE(CHECK(differs(&high->result[0], high->result[0])));
        count = low->result[0];
        busy_wait(20);
        REQUIRE(CHECK_EQ(low->result[0], count));
    }
}

/* --- moving ---------------------------------------------------------------------------------- */

/* Registers that the processor keeps for a thread: x87, SSE, FS base. */
static void keep_main(struct thread *self, seL4_Word seed)
{
    while (!self->result[1]) {
        seL4_Word xmm = 0, x87 = 0, fs = 0;

        __asm__ volatile("movq %3, %%xmm5; fninit; fildq %4\n\t"
                         "mov $200, %%ecx\n"
                         "1: pause; dec %%ecx; jnz 1b\n\t"
                         "movq %%xmm5, %0; fistpq %1; mov %%fs:0, %2"
                         : "=&r"(xmm), "=m"(x87), "=&r"(fs)
                         : "r"(seed), "m"(seed)
                         : "ecx");
        self->result[2] += xmm != seed;
        self->result[3] += x87 != seed;
        self->result[4] += fs != seed;
        self->result[0]++;
    }
    self->done = 1;
}

static void migration(void)
{
    unsigned nr_cores = cores_required();
    static seL4_Word tls[3];
    struct thread *t[3];

    for (unsigned n = 0; n < 3; n++) {
        tls[n] = 0x1000 + n;
        t[n] = thread_on_core(n, n % nr_cores, keep_main, tls[n], 0);
        REQUIRE_OK(seL4_TCB_SetPriority(t[n]->tcb, seL4_CapInitThreadTCB, TEST_PRIORITY));
        REQUIRE_OK(seL4_TCB_SetTLSBase(t[n]->tcb, (seL4_Word)&tls[n]));
        thread_start(t[n]);
    }
    for (unsigned i = 0; i < 600; i++) {
        REQUIRE_OK(sc_on_core(t[i % 3], (i / 3 + i) % nr_cores));
        if (i % 7 == 0)
            seL4_Yield();
    }
    for (unsigned n = 0; n < 3; n++) {
        t[n]->result[1] = 1;
        CHECK(thread_wait(t[n], PATIENCE_US));
        CHECK(t[n]->result[0] > 0);
        CHECK_EQ(t[n]->result[2], 0);
        CHECK_EQ(t[n]->result[3], 0);
        CHECK_EQ(t[n]->result[4], 0);
    }
}

/* A thread that gives its own context to another core goes on there. */
static void travel_main(struct thread *self, seL4_Word nr_cores)
{
    for (unsigned i = 0; i < 200; i++) {
        unsigned core = i % (unsigned)nr_cores;
        struct message m = { 0 };

        /* Five words: the last lies in the buffer, the context's capability, too. */
        self->ipc->msg[4] = 0;
        self->ipc->caps_or_badges[0] = self->sc;
        m = sys(seL4_SysCall, boot->schedcontrol.start + core,
                seL4_MessageInfo_new(SchedControlConfigureFlags, 0, 1, 5), 5000, 5000, 0, 0, 0, 0);
        self->result[0] += LABEL(m) != seL4_NoError;
        self->result[core + 1] = cpuid(1, 0).ebx >> 24;
    }
    self->done = 1;
}

static void travelling(void)
{
    unsigned nr_cores = cores_required();
    struct thread *t = thread_create(0, travel_main, nr_cores < 4 ? nr_cores : 4, TEST_PRIORITY - 5,
                                     5000, 5000, 0);

    thread_start(t);
    CHECK(thread_wait(t, PATIENCE_US));
    CHECK_EQ(t->result[0], 0);
    CHECK(t->result[1] != t->result[2]);
}

/* --- meeting --------------------------------------------------------------------------------- */

#define CALLS 50ul

struct service {
    seL4_CPtr endpoint, reply;
};

/* Answers with the number plus one. */
static void serve_main(struct thread *self, seL4_Word argument)
{
    const struct service *s = (const struct service *)argument;
    struct message m = sys(seL4_SysRecv, s->endpoint, INFO(0, 0), 0, 0, 0, 0, s->reply, 0);

    for (;;) {
        self->result[0]++;
        self->result[1] = cpuid(1, 0).ebx >> 24;
        m = sys(seL4_SysReplyRecv, s->endpoint, INFO(0, 1), m.word[0] + 1, 0, 0, 0, s->reply, 0);
    }
}

static void call_main(struct thread *self, seL4_Word endpoint)
{
    for (seL4_Word i = 0; i < CALLS; i++) {
        struct message m = sys(seL4_SysCall, endpoint, INFO(0, 1), i, 0, 0, 0, 0, 0);

        self->result[0] += LENGTH(m) != 1 || m.word[0] != i + 1;
    }
    self->result[1] = cpuid(1, 0).ebx >> 24;
    self->done = 1;
}

/* Clients on all cores call a server that has a context of its own on the last. */
static void active_server(void)
{
    unsigned nr_cores = cores_required(), nr_clients = nr_cores < 6 ? nr_cores : 6;
    struct service s = { object_new(seL4_EndpointObject, 0), object_new(seL4_ReplyObject, 0) };
    struct thread *server = thread_on_core(0, nr_cores - 1, serve_main, (seL4_Word)&s, 0);
    struct thread *client[6];

    thread_start(server);
    for (unsigned n = 0; n < nr_clients; n++) {
        client[n] = thread_on_core(n + 1, n, call_main, s.endpoint, 0);
        thread_start(client[n]);
    }
    for (unsigned n = 0; n < nr_clients; n++) {
        CHECK(thread_wait(client[n], PATIENCE_US));
        CHECK_EQ(client[n]->result[0], 0);
    }
    CHECK_EQ(server->result[0], CALLS * nr_clients);
}

/* A passive server runs where its client does, on the client's time. */
static void passive_server(void)
{
    unsigned nr_cores = cores_required();
    struct service s = { object_new(seL4_EndpointObject, 0), object_new(seL4_ReplyObject, 0) };
    struct thread *server = thread_on_core(0, 0, serve_main, (seL4_Word)&s, 0);

    thread_start(server);
    sleep_us(2000);
    REQUIRE_OK(seL4_SchedContext_Unbind(server->sc));
    for (unsigned round = 0; round < 2 * nr_cores; round++) {
        struct thread *client =
            thread_on_core(1 + round % 6, round % nr_cores, call_main, s.endpoint, 0);

        thread_start(client);
        CHECK(thread_wait(client, PATIENCE_US));
        CHECK_EQ(client->result[0], 0);
        CHECK_EQ(server->result[1], client->result[1]);
        REQUIRE_OK(cap_delete(client->tcb));
        REQUIRE_OK(cap_delete(client->sc));
    }
}

struct table_tennis {
    seL4_CPtr notification[2];
};

static void play_main(struct thread *self, seL4_Word argument)
{
    const struct table_tennis *game = (const struct table_tennis *)(argument & ~1ul);
    unsigned side = argument & 1;

    for (unsigned i = 0; i < 500; i++) {
        sys(seL4_SysWait, game->notification[side], INFO(0, 0), 0, 0, 0, 0, 0, 0);
        self->result[0]++;
        sys(seL4_SysSend, game->notification[!side], INFO(0, 0), 0, 0, 0, 0, 0, 0);
    }
    self->done = 1;
}

/* No signal is lost, whoever is about to sleep. */
static void signals(void)
{
    unsigned nr_cores = cores_required();
    struct table_tennis game = { { object_new(seL4_NotificationObject, 0),
                                   object_new(seL4_NotificationObject, 0) } };
    struct thread *t[2];

    for (unsigned n = 0; n < 2; n++) {
        t[n] = thread_on_core(n, nr_cores - 1 - n, play_main, (seL4_Word)&game | n, 0);
        thread_start(t[n]);
    }
    seL4_Signal(game.notification[0]);
    for (unsigned n = 0; n < 2; n++) {
        CHECK(thread_wait(t[n], PATIENCE_US));
        CHECK_EQ(t[n]->result[0], 500);
    }
}

/* A context's thread on another core uses what it says, and whoever asks is told. */
static void consumed_elsewhere(void)
{
    struct thread *t;
    seL4_SchedContext_Consumed_t used;

    cores_required();
    t = thread_on_core(0, 1, count_main, 0, 0);
    thread_start(t);
    CHECK(differs(&t->result[0], 0));
    busy_wait(1000);
    used = seL4_SchedContext_Consumed(t->sc);
    CHECK_OK(used.error);
    CHECK(used.consumed > 0);
    CHECK(differs(&t->result[0], t->result[0]));
    REQUIRE_OK(seL4_SchedContext_Unbind(t->sc));
    seL4_Word count = t->result[0];

    busy_wait(20);
    CHECK_EQ(t->result[0], count);
}

TEST_SUITE(smp, { "placement", placement }, { "in parallel", parallel },
           { "stop and go", stop_and_go }, { "priorities", priorities }, { "migration", migration },
           { "travelling", travelling }, { "active server", active_server },
           { "passive server", passive_server }, { "signals", signals },
           { "time used elsewhere", consumed_elsewhere });
