/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reply objects: whom they answer, reuse, deletion, and the scheduling context that goes with a
 * call.
 */
#include "tests/kernel/calls.h"

static seL4_CPtr endpoint;

static void begin(void)
{
    endpoint = object_new(seL4_EndpointObject, 0);
}

static struct message receive(seL4_CPtr reply)
{
    return sys(seL4_SysNBRecv, endpoint, INFO(0x77, 0), 0, 0, 0, 0, reply, 0);
}

static void send(seL4_CPtr reply, seL4_Word label)
{
    sys(seL4_SysSend, reply, INFO(label, 0), 0, 0, 0, 0, 0, 0);
}

static struct call caller(seL4_Word label)
{
    return (struct call){ .number = seL4_SysCall, .rdi = endpoint, .info = INFO(label, 0) };
}

/* Nobody waits for it: nothing happens, successfully. */
static void empty(void)
{
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);
    struct message m;

    send(reply, 1);
    m = sys(seL4_SysCall, reply, INFO(5, 1), 3, 0, 0, 0, 0, 0);
    CHECK_EQ(LABEL(m), seL4_NoError);
}

/* Each answers its own caller, in any order, and only once. */
static void several(void)
{
    begin();
    static struct call call[3];
    seL4_CPtr reply[3];

    for (unsigned i = 0; i < 3; i++) {
        call[i] = caller(i + 1);
        reply[i] = object_new(seL4_ReplyObject, 0);
        call_start(i, &call[i]);
        CHECK_EQ(LABEL(receive(reply[i])), i + 1);
    }
    send(reply[1], 11);
    CHECK(call[1].returned && !call[0].returned && !call[2].returned);
    send(reply[1], 12);
    CHECK(!call[0].returned && !call[2].returned);
    send(reply[2], 13);
    CHECK(call[2].returned && !call[0].returned);
    send(reply[0], 14);
    CHECK(call[0].returned);
    CHECK_EQ(LABEL(call[0].answer), 14);
    CHECK_EQ(LABEL(call[1].answer), 11);
    CHECK_EQ(LABEL(call[2].answer), 13);
}

/* Receiving with one that still holds a caller drops that caller. */
static void reuse(void)
{
    begin();
    static struct call first, second;
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);

    first = caller(1);
    second = caller(2);
    struct thread *t = call_start(0, &first);

    CHECK_EQ(LABEL(receive(reply)), 1);
    call_start(1, &second);
    CHECK_EQ(LABEL(receive(reply)), 2);
    send(reply, 5);
    CHECK(second.returned);
    CHECK(!first.returned);
    /* The first is inactive: resumed, it calls again. */
    CHECK_OK(seL4_TCB_Resume(t->tcb));
    CHECK_EQ(LABEL(receive(reply)), 1);
    send(reply, 6);
    CHECK(first.returned);
    CHECK_EQ(LABEL(first.answer), 6);
}

static void deleted(void)
{
    begin();
    struct call call = caller(1);
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);

    call_start(0, &call);
    CHECK_EQ(LABEL(receive(reply)), 1);
    CHECK_OK(cap_delete(reply));
    CHECK(!call.returned);
    /* Nothing is left in the endpoint's queue. */
    CHECK_EQ(LABEL(receive(object_new(seL4_ReplyObject, 0))), 0x77);
}

/* A copy answers as well; deleting one of two capabilities changes nothing. */
static void copies(void)
{
    begin();
    struct call call = caller(1);
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);
    seL4_CPtr copy = cap_copy(reply, seL4_AllRights);

    call_start(0, &call);
    CHECK_EQ(LABEL(receive(reply)), 1);
    CHECK_OK(cap_delete(reply));
    send(copy, 2);
    CHECK(call.returned);
}

/* A caller that is suspended or deleted leaves the reply object empty. */
static void caller_goes(void)
{
    begin();
    static struct call call[2];
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);

    for (unsigned i = 0; i < 2; i++) {
        call[i] = caller(1);
        struct thread *t = call_start(i, &call[i]);

        CHECK_EQ(LABEL(receive(reply)), 1);
        if (i)
            CHECK_OK(cap_delete(t->tcb));
        else
            CHECK_OK(seL4_TCB_Suspend(t->tcb));
        send(reply, 1);
        CHECK(!call[i].returned);
    }
}

/* A waiting receiver's reply object is in use: nobody else can wait with it. */
static void in_use_by_receiver(void)
{
    begin();
    static struct call receiver[2];
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);
    struct call call = caller(3);

    for (unsigned i = 0; i < 2; i++) {
        receiver[i] = (struct call){ .number = seL4_SysRecv, .rdi = endpoint, .r12 = reply };
        call_start(i, &receiver[i]);
    }
    /* The second took it over: the first's wait was cancelled. */
    call_start(2, &call);
    CHECK(!receiver[0].returned);
    CHECK(receiver[1].returned);
    send(reply, 1);
    CHECK(call.returned);
}

/* --- donation -------------------------------------------------------------------------------- */

/* A server without a scheduling context of its own, in its receive. */
static void passive_main(struct thread *self, seL4_Word reply)
{
    struct message m;

    /* NBSend nothing, then wait: by then the creator may take the context away. */
    m = sys(seL4_SysRecv, endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);
    for (;;) {
        self->result[0]++;
        busy_wait(LABEL(m) == 1 ? 2000 : LABEL(m) == 2 ? 100000 : 0);
        m = sys(seL4_SysReplyRecv, endpoint, INFO(LABEL(m), 1), m.word[0] + 1, 0, 0, 0, reply, 0);
    }
}

static struct thread *passive_server(unsigned n, unsigned priority, seL4_CPtr reply)
{
    struct thread *t = thread_create(n, passive_main, reply, priority, 5000, 5000, 0);

    thread_start(t);
    sleep_us(2000);
    REQUIRE_OK(seL4_SchedContext_UnbindObject(t->sc, t->tcb));
    return t;
}

static void passive(void)
{
    begin();
    struct thread *t = passive_server(0, HELPER_PRIORITY, object_new(seL4_ReplyObject, 0));

    for (seL4_Word i = 0; i < 10; i++)
        CHECK_EQ(sys(seL4_SysCall, endpoint, INFO(0, 1), i, 0, 0, 0, 0, 0).word[0], i + 1);
    CHECK_EQ(t->result[0], 10);
    /* It consumed nothing of its own. */
    CHECK_EQ(seL4_SchedContext_Consumed(t->sc).error, 0);
    CHECK_EQ(seL4_SchedContext_Consumed(t->sc).consumed, 0);
}

/* What the server does is charged to the caller. */
static void charged_to_caller(void)
{
    begin();
    passive_server(0, HELPER_PRIORITY, object_new(seL4_ReplyObject, 0));
    struct call call = caller(1);
    struct thread *t =
        thread_create(1, thread_call, (seL4_Word)&call, HELPER_PRIORITY, 50000, 50000, 0);

    thread_start(t);
    REQUIRE(thread_wait(t, PATIENCE_US));
    seL4_SchedContext_Consumed_t used = seL4_SchedContext_Consumed(t->sc);

    CHECK_TIME(used.consumed >= 2000 && used.consumed < 5000);
    /* Once asked, it counts from zero. */
    CHECK_TIME(seL4_SchedContext_Consumed(t->sc).consumed < 100);
}

/* Along a chain of passive servers and back. */
static seL4_CPtr inner_endpoint;

static void middle_main(struct thread *self, seL4_Word reply)
{
    struct message m = sys(seL4_SysRecv, endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);

    for (;;) {
        m = sys(seL4_SysCall, inner_endpoint, INFO(0, 1), m.word[0] * 2, 0, 0, 0, 0, 0);
        self->result[0]++;
        m = sys(seL4_SysReplyRecv, endpoint, INFO(0, 1), m.word[0] * 2, 0, 0, 0, reply, 0);
    }
}

static void inner_main(struct thread *self, seL4_Word reply)
{
    struct message m = sys(seL4_SysRecv, inner_endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);

    for (;;) {
        self->result[0]++;
        m = sys(seL4_SysReplyRecv, inner_endpoint, INFO(0, 1), m.word[0] + 1, 0, 0, 0, reply, 0);
    }
}

static void chain(void)
{
    begin();
    inner_endpoint = object_new(seL4_EndpointObject, 0);
    struct thread *middle = thread_create(0, middle_main, object_new(seL4_ReplyObject, 0),
                                          HELPER_PRIORITY, 5000, 5000, 0);
    struct thread *inner = thread_create(1, inner_main, object_new(seL4_ReplyObject, 0),
                                         HELPER_PRIORITY, 5000, 5000, 0);

    thread_start(middle);
    thread_start(inner);
    REQUIRE_OK(seL4_SchedContext_Unbind(middle->sc));
    REQUIRE_OK(seL4_SchedContext_Unbind(inner->sc));
    for (seL4_Word i = 0; i < 20; i++)
        CHECK_EQ(sys(seL4_SysCall, endpoint, INFO(0, 1), i, 0, 0, 0, 0, 0).word[0],
                 (2 * i + 1) * 2);
    CHECK_EQ(inner->result[0], 20);
}

/* --- what a switch between caller and server exchanges beside the general registers ----------- */

#define ROUNDS       20
#define USER_DATA    0x2b
#define HAS_FSGSBASE 1u /* CPUID leaf 7, EBX */

static const seL4_Word client_areas[2] = { 0x11111, 0x22222 },
                       server_areas[2] = { 0x33333, 0x44444 };

static seL4_Word fs_word(void)
{
    seL4_Word value;

    __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
    return value;
}

static seL4_Word gs_word(void)
{
    seL4_Word value;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
    return value;
}

static seL4_Word data_selectors(void)
{
    seL4_Uint32 ds, es;

    __asm__ volatile("mov %%ds, %0; mov %%es, %1" : "=r"(ds), "=r"(es));
    return ds | es;
}

static void bases_server(struct thread *self, seL4_Word reply)
{
    sys(seL4_SysRecv, endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);
    for (;;) {
        self->result[0] += fs_word() == server_areas[0] && gs_word() == server_areas[1];
        self->result[1] |= data_selectors();
        sys(seL4_SysReplyRecv, endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);
    }
}

static bool has_bases(unsigned which)
{
    return fs_word() == client_areas[which] && gs_word() == client_areas[1 - which];
}

static void write_bases(unsigned which)
{
    __asm__ volatile("wrfsbase %0; wrgsbase %1"
                     :
                     : "r"(&client_areas[which]), "r"(&client_areas[1 - which]));
}

/* Where user code can change its bases, it does so before each switch: the kernel has to notice. */
static void bases_client(struct thread *self, seL4_Word writes)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (writes)
            write_bases(0);
        sys(seL4_SysYield, 0, INFO(0, 0), 0, 0, 0, 0, 0, 0);
        self->result[0] += has_bases(0);
        if (writes)
            write_bases(1);
        if (i % 2) /* not always: the kernel has a short way if there are none */
            __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(USER_DATA));
        sys(seL4_SysCall, endpoint, INFO(0, 0), 0, 0, 0, 0, 0, 0);
        self->result[1] += has_bases(writes ? 1 : 0);
    }
    self->done = 1;
}

static void set_bases(const struct thread *thread, const seL4_Word areas[2])
{
    seL4_UserContext regs;

    REQUIRE_OK(seL4_TCB_ReadRegisters(thread->tcb, 0, 0, 20, &regs));
    regs.fs_base = (seL4_Word)&areas[0];
    regs.gs_base = (seL4_Word)&areas[1];
    REQUIRE_OK(seL4_TCB_WriteRegisters(thread->tcb, 0, 0, 20, &regs));
}

static void bases_and_selectors(void)
{
    begin();
    struct thread *server = thread_create(0, bases_server, object_new(seL4_ReplyObject, 0),
                                          HELPER_PRIORITY, 5000, 5000, 0);
    struct thread *client = thread_create(1, bases_client, cpuid(7, 0).ebx & HAS_FSGSBASE,
                                          HELPER_PRIORITY, 50000, 50000, 0);

    set_bases(server, server_areas);
    set_bases(client, client_areas);
    thread_start(server);
    REQUIRE_OK(seL4_SchedContext_Unbind(server->sc));
    thread_start(client);
    REQUIRE(thread_wait(client, PATIENCE_US));
    CHECK_EQ(client->result[0], ROUNDS);
    CHECK_EQ(client->result[1], ROUNDS);
    CHECK_EQ(server->result[0], ROUNDS);
    CHECK_EQ(server->result[1], 0);
}

/* --- a server that is moved while it waits ---------------------------------------------------- */

static seL4_CPtr moved_reply;
seL4_Word moved_rcx, moved_r11; /* as it has them at its new place */

static __attribute__((used)) void moved_main(void)
{
    sys(seL4_SysReplyRecv, endpoint, INFO(0, 1), 77, 0, 0, 0, moved_reply, 0);
}

static __attribute__((naked)) void moved_entry(void)
{
    __asm__("mov %rcx, moved_rcx(%rip); mov %r11, moved_r11(%rip); jmp moved_main");
}

/* It has finished no system call when it goes on: all its registers are what was written. */
static void moved_while_waiting(void)
{
    begin();
    moved_reply = object_new(seL4_ReplyObject, 0);

    struct thread *server = passive_server(0, HELPER_PRIORITY, moved_reply);
    seL4_UserContext regs;

    REQUIRE_OK(seL4_TCB_ReadRegisters(server->tcb, 0, 0, 20, &regs));
    regs.rip = (seL4_Word)moved_entry;
    regs.rcx = 0x1234;
    regs.r11 = 0x5678;
    REQUIRE_OK(seL4_TCB_WriteRegisters(server->tcb, 0, 0, 20, &regs));
    CHECK_EQ(sys(seL4_SysCall, endpoint, INFO(0, 1), 5, 0, 0, 0, 0, 0).word[0], 77);
    CHECK_EQ(moved_rcx, 0x1234);
    CHECK_EQ(moved_r11, 0x5678);
}

/* The server goes while it runs on our context: we get it back. */
static void server_deleted_inside(void)
{
    begin();
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);
    struct thread *server = passive_server(0, TEST_PRIORITY - 20, reply);
    struct call call = caller(2);
    struct thread *t =
        thread_create(1, thread_call, (seL4_Word)&call, TEST_PRIORITY - 20, 5000, 5000, 0);

    thread_start(t);
    /* The caller is in its call, the server on its context, busy for long. */
    for (unsigned i = 0; i < 100 && !server->result[0]; i++)
        sleep_us(5000);
    CHECK_EQ(server->result[0], 1);
    CHECK_OK(cap_delete(server->tcb));
    sleep_us(5000);
    CHECK(!call.returned);
    /* The reply object still answers, and the caller runs again on what is its own. */
    send(reply, 7);
    CHECK(thread_wait(t, PATIENCE_US));
    CHECK_EQ(LABEL(call.answer), 7);
}

TEST_SUITE(reply, { "empty", empty }, { "several", several }, { "reuse", reuse },
           { "deleted", deleted }, { "copies", copies }, { "caller goes", caller_goes },
           { "in use by receiver", in_use_by_receiver }, { "passive server", passive },
           { "charged to caller", charged_to_caller }, { "chain", chain },
           { "bases and selectors", bases_and_selectors },
           { "moved while waiting", moved_while_waiting },
           { "server deleted inside", server_deleted_inside });
