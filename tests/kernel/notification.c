/* SPDX-License-Identifier: BSD-2-Clause */
/* Notifications: badges, waiters, polling, binding to a thread. */
#include "tests/kernel/calls.h"

static seL4_CPtr notification;

static void begin(void)
{
    notification = object_new(seL4_NotificationObject, 0);
}

static struct message poll(seL4_CPtr cap)
{
    return sys(seL4_SysNBWait, cap, INFO(0x77, 4), 91, 92, 93, 94, 0, 0);
}

/* Only the badge is written; everything else keeps what it had. */
static void signal_and_poll(void)
{
    begin();
    struct message m = poll(notification);

    CHECK_EQ(m.badge, 0);
    seL4_Signal(cap_mint(notification, seL4_AllRights, 6));
    m = poll(notification);
    CHECK_EQ(m.badge, 6);
    CHECK_EQ(m.info.words[0], INFO(0x77, 4).words[0]);
    CHECK_EQ(m.word[0], 91);
    CHECK_EQ(m.word[3], 94);
    CHECK_EQ(poll(notification).badge, 0);
}

static void badges_are_collected(void)
{
    begin();
    seL4_Signal(cap_mint(notification, seL4_AllRights, 1));
    seL4_Signal(cap_mint(notification, seL4_AllRights, 1ul << 63));
    seL4_Signal(cap_mint(notification, seL4_AllRights, 5));
    CHECK_EQ(poll(notification).badge, 1ul << 63 | 5);
    CHECK_EQ(poll(notification).badge, 0);
}

/*
 * A waiting thread takes the badge at once; one signal wakes one thread, the highest, then the
 * first.
 */
static void waiters(void)
{
    begin();
    static struct call wait[3];
    static const unsigned priority[3] = { 210, 210, 211 };
    seL4_CPtr badged = cap_mint(notification, seL4_AllRights, 9);

    for (unsigned i = 0; i < 3; i++) {
        wait[i] = (struct call){
            .number = seL4_SysWait, .rdi = notification, .info = INFO(5, 2), .word = { 1, 2, 3, 4 }
        };
        thread_run(i, thread_call, (seL4_Word)&wait[i], priority[i]);
        CHECK(!wait[i].returned);
    }
    seL4_Signal(badged);
    CHECK(wait[2].returned && !wait[0].returned && !wait[1].returned);
    seL4_Signal(badged);
    CHECK(wait[0].returned && !wait[1].returned);
    seL4_Signal(badged);
    CHECK(wait[1].returned);
    CHECK_EQ(wait[0].answer.badge, 9);
    CHECK_EQ(wait[0].answer.info.words[0], INFO(5, 2).words[0]);
    CHECK_EQ(wait[0].answer.word[3], 4);
    CHECK_EQ(poll(notification).badge, 0);
}

/*
 * Waiting on an active one returns at once. Recv and NBRecv work, too, with any reply capability.
 * /
 */
static void active_before_wait(void)
{
    begin();
    seL4_CPtr badged = cap_mint(notification, seL4_AllRights, 9);

    seL4_Signal(badged);
    CHECK_EQ(sys(seL4_SysWait, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge, 9);
    seL4_Signal(badged);
    CHECK_EQ(sys(seL4_SysRecv, notification, INFO(0, 0), 0, 0, 0, 0, slot_new(), 0).badge, 9);
    seL4_Signal(badged);
    CHECK_EQ(sys(seL4_SysNBRecv, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge, 9);
    CHECK_EQ(sys(seL4_SysNBRecv, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge, 0);
}

static void rights(void)
{
    begin();
    seL4_CPtr no_write = cap_mint(notification, seL4_NoWrite, 3);
    struct message m;

    seL4_Signal(no_write);
    CHECK_EQ(poll(notification).badge, 0);
    m = sys(seL4_SysCall, no_write, INFO(0, 0), 0, 0, 0, 0, 0, 0);
    CHECK_EQ(LABEL(m), seL4_InvalidCapability);
    CHECK_EQ(m.word[0], 0);
    /* NBSend and Call signal like Send. */
    seL4_CPtr badged = cap_mint(notification, seL4_AllRights, 3);

    sys(seL4_SysNBSend, badged, INFO(0, 0), 0, 0, 0, 0, 0, 0);
    CHECK_EQ(poll(notification).badge, 3);
}

/* A bound one ends a receive on an endpoint. */
static void bound(void)
{
    begin();
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);
    seL4_CPtr badged = cap_mint(notification, seL4_AllRights, 0x30);
    struct call wait = {
        .number = seL4_SysWait, .rdi = endpoint, .info = INFO(5, 2), .word = { 1, 2, 3, 4 }
    };
    struct thread *t =
        thread_create(0, thread_call, (seL4_Word)&wait, HELPER_PRIORITY, 5000, 5000, 0);

    REQUIRE_OK(seL4_TCB_BindNotification(t->tcb, notification));
    thread_start(t);
    CHECK(!wait.returned);
    seL4_Signal(badged);
    CHECK(wait.returned);
    CHECK_EQ(wait.answer.badge, 0x30);
    CHECK_EQ(wait.answer.info.words[0], INFO(5, 2).words[0]);
    CHECK_EQ(wait.answer.word[0], 1);

    /* Ourselves: active before the receive. */
    seL4_CPtr own = object_new(seL4_NotificationObject, 0);

    REQUIRE_OK(seL4_TCB_BindNotification(seL4_CapInitThreadTCB, own));
    seL4_Signal(cap_mint(own, seL4_AllRights, 0x40));
    CHECK_EQ(sys(seL4_SysWait, endpoint, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge, 0x40);
    CHECK_EQ(poll(endpoint).badge, 0);
    REQUIRE_OK(seL4_TCB_UnbindNotification(seL4_CapInitThreadTCB));
    seL4_Signal(own);
    CHECK_EQ(poll(endpoint).word[0], 91);
}

/* A signal does not reach a bound thread that waits for something else. */
static void bound_elsewhere(void)
{
    begin();
    seL4_CPtr other = object_new(seL4_NotificationObject, 0);
    struct call wait = { .number = seL4_SysWait, .rdi = other };
    struct thread *t =
        thread_create(0, thread_call, (seL4_Word)&wait, HELPER_PRIORITY, 5000, 5000, 0);

    REQUIRE_OK(seL4_TCB_BindNotification(t->tcb, notification));
    thread_start(t);
    seL4_Signal(cap_mint(notification, seL4_AllRights, 2));
    CHECK(!wait.returned);
    seL4_Signal(other);
    CHECK(wait.returned);
    REQUIRE_OK(seL4_TCB_UnbindNotification(t->tcb));
    CHECK_EQ(poll(notification).badge, 2);
}

/* Nobody else may wait on a bound one: a fault, as without read right. */
static void bound_is_private(void)
{
    begin();
    seL4_CPtr faults = object_new(seL4_EndpointObject, 0);
    struct call wait = { .number = seL4_SysWait, .rdi = notification };

    REQUIRE_OK(seL4_TCB_BindNotification(object_new(seL4_TCBObject, 0), notification));
    thread_start(
        thread_create(0, thread_call, (seL4_Word)&wait, HELPER_PRIORITY, 5000, 5000, faults));
    struct message m = sys(seL4_SysNBWait, faults, INFO(0, 0), 0, 0, 0, 0, 0, 0);

    CHECK_EQ(LABEL(m), seL4_Fault_CapFault);
    CHECK_EQ(m.word[seL4_CapFault_Addr], notification);
    CHECK_EQ(m.word[seL4_CapFault_LookupFailureType], seL4_MissingCapability);
}

static void deleted_with_waiter(void)
{
    begin();
    seL4_CPtr faults = object_new(seL4_EndpointObject, 0);
    struct call wait = { .number = seL4_SysWait, .rdi = notification };
    struct thread *t =
        thread_create(0, thread_call, (seL4_Word)&wait, HELPER_PRIORITY, 5000, 5000, faults);

    thread_start(t);
    CHECK_OK(cap_delete(notification));
    CHECK(!wait.returned);
    struct message m = sys(seL4_SysNBWait, faults, INFO(0, 0), 0, 0, 0, 0, 0, 0);

    CHECK_EQ(LABEL(m), seL4_Fault_CapFault);
    CHECK_EQ(m.word[seL4_CapFault_InRecvPhase], 1);
}

/* A thread deleted while it waits leaves the queue in order. */
static void deleted_waiter(void)
{
    begin();
    static struct call wait[3];
    struct thread *t[3];

    for (unsigned i = 0; i < 3; i++) {
        wait[i] = (struct call){ .number = seL4_SysWait, .rdi = notification };
        t[i] = call_start(i, &wait[i]);
    }
    CHECK_OK(cap_delete(t[1]->tcb));
    seL4_Signal(notification);
    CHECK(wait[0].returned);
    seL4_Signal(notification);
    CHECK(wait[2].returned);
    CHECK(!wait[1].returned);
}

TEST_SUITE(notification, { "signal and poll", signal_and_poll },
           { "badges are collected", badges_are_collected }, { "waiters", waiters },
           { "active before wait", active_before_wait }, { "rights", rights }, { "bound", bound },
           { "bound elsewhere", bound_elsewhere }, { "bound is private", bound_is_private },
           { "deleted with waiter", deleted_with_waiter }, { "deleted waiter", deleted_waiter });
