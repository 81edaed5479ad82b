/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages through endpoints: words, order, rights, capabilities, the combined calls. */
#include "tests/kernel/calls.h"

static seL4_CPtr endpoint;

static void begin(void)
{
    endpoint = object_new(seL4_EndpointObject, 0);
}

static struct message receive(void)
{
    return sys(seL4_SysNBWait, endpoint, INFO(0x77, 4), 91, 92, 93, 94, 0, 0);
}

static void send_and_receive(void)
{
    begin();
    struct call send = { .number = seL4_SysSend,
                         .rdi = cap_mint(endpoint, seL4_AllRights, 0x123),
                         .info = INFO(0x4321, 3),
                         .word = { 1, 2, 3, 4 } };

    call_start(0, &send);
    CHECK(!send.returned);
    struct message m = receive();

    CHECK(send.returned);
    CHECK_EQ(m.badge, 0x123);
    CHECK_EQ(LABEL(m), 0x4321);
    CHECK_EQ(LENGTH(m), 3);
    CHECK_EQ(m.info.words[0], INFO(0x4321, 3).words[0]);
    CHECK_EQ(m.word[0], 1);
    CHECK_EQ(m.word[1], 2);
    CHECK_EQ(m.word[2], 3);
    /* The sender's registers come back as they were. */
    CHECK_EQ(send.answer.word[0], 1);
    CHECK_EQ(send.answer.word[3], 4);
}

static void receive_first(void)
{
    begin();
    struct call wait = { .number = seL4_SysWait, .rdi = endpoint };

    call_start(0, &wait);
    sys(seL4_SysSend, cap_mint(endpoint, seL4_AllRights, 5), INFO(6, 4), 10, 11, 12, 13, 0, 0);
    CHECK(wait.returned);
    CHECK_EQ(wait.answer.badge, 5);
    CHECK_EQ(LABEL(wait.answer), 6);
    CHECK_EQ(wait.answer.word[0], 10);
    CHECK_EQ(wait.answer.word[3], 13);
}

/* Nobody there: NBSend drops, NBRecv says badge 0 and leaves the rest. */
static void non_blocking(void)
{
    begin();
    struct message m;

    sys(seL4_SysNBSend, endpoint, INFO(1, 1), 1, 0, 0, 0, 0, 0);
    m = receive();
    CHECK_EQ(m.badge, 0);
    CHECK_EQ(m.info.words[0], INFO(0x77, 4).words[0]);
    CHECK_EQ(m.word[0], 91);
    CHECK_EQ(m.word[3], 94);
    m = sys(seL4_SysNBRecv, endpoint, INFO(0x77, 4), 91, 92, 93, 94,
            object_new(seL4_ReplyObject, 0), 0);
    CHECK_EQ(m.badge, 0);
    CHECK_EQ(m.word[0], 91);

    struct call wait = { .number = seL4_SysWait, .rdi = endpoint };

    call_start(0, &wait);
    sys(seL4_SysNBSend, endpoint, INFO(2, 1), 8, 0, 0, 0, 0, 0);
    CHECK(wait.returned);
    CHECK_EQ(wait.answer.word[0], 8);
}

/* All 120 words; longer is cut. */
static void long_messages(void)
{
    begin();
    struct call send = { .number = seL4_SysSend, .rdi = endpoint, .info = INFO(0, 120) };
    struct thread *t =
        thread_create(0, thread_call, (seL4_Word)&send, HELPER_PRIORITY, 5000, 5000, 0);
    seL4_IPCBuffer *own = seL4_GetIPCBuffer();

    for (unsigned i = 0; i < seL4_MsgMaxLength; i++) {
        t->ipc->msg[i] = 1000 + i;
        own->msg[i] = 0;
    }
    own->userData = 99;
    thread_start(t);
    struct message m = receive();

    CHECK_EQ(LENGTH(m), 120);
    CHECK_EQ(own->msg[3], 0);
    for (unsigned i = 4; i < seL4_MsgMaxLength; i++)
        CHECK_EQ(own->msg[i], 1000 + i);
    CHECK_EQ(own->userData, 99);

    send.info = INFO(0, 127);
    call_start(1, &send);
    m = receive();
    CHECK_EQ(LENGTH(m), 120);
}

/* Without a buffer on either side: four words. */
static void no_buffer(void)
{
    begin();
    struct call send = {
        .number = seL4_SysSend, .rdi = endpoint, .info = INFO(0, 10), .word = { 1, 2, 3, 4 }
    };
    struct thread *t =
        thread_create(0, thread_call, (seL4_Word)&send, HELPER_PRIORITY, 5000, 5000, 0);

    REQUIRE_OK(seL4_TCB_SetIPCBuffer(t->tcb, 0, 0));
    thread_start(t);
    struct message m = receive();

    CHECK_EQ(LENGTH(m), 4);
    CHECK_EQ(m.word[3], 4);

    struct call wait = { .number = seL4_SysWait, .rdi = endpoint };

    t = thread_create(1, thread_call, (seL4_Word)&wait, HELPER_PRIORITY, 5000, 5000, 0);
    REQUIRE_OK(seL4_TCB_SetIPCBuffer(t->tcb, 0, 0));
    thread_start(t);
    sys(seL4_SysSend, endpoint, INFO(0, 10), 5, 6, 7, 8, 0, 0);
    CHECK(wait.returned);
    CHECK_EQ(LENGTH(wait.answer), 4);
    CHECK_EQ(wait.answer.word[3], 8);
}

/* First come first served; higher priorities overtake. */
static void order(void)
{
    begin();
    static struct call send[4];
    static const unsigned priority[4] = { 210, 211, 210, 211 };
    static const seL4_Word expected[4] = { 1, 3, 0, 2 };

    for (unsigned i = 0; i < 4; i++) {
        send[i] = (struct call){
            .number = seL4_SysSend, .rdi = endpoint, .info = INFO(0, 1), .word = { i }
        };
        thread_run(i, thread_call, (seL4_Word)&send[i], priority[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        CHECK_EQ(receive().word[0], expected[i]);
    CHECK_EQ(receive().word[0], 91);
}

/* A priority changed while waiting counts. */
static void order_after_change(void)
{
    begin();
    static struct call send[2];
    struct thread *t[2];

    for (unsigned i = 0; i < 2; i++) {
        send[i] = (struct call){
            .number = seL4_SysSend, .rdi = endpoint, .info = INFO(0, 1), .word = { i }
        };
        t[i] = call_start(i, &send[i]);
    }
    CHECK_OK(seL4_TCB_SetPriority(t[1]->tcb, seL4_CapInitThreadTCB, HELPER_PRIORITY + 1));
    CHECK_EQ(receive().word[0], 1);
    CHECK_EQ(receive().word[0], 0);
}

/* Without write right nothing is sent, and a Call is told so. */
static void rights(void)
{
    begin();
    seL4_CPtr no_write = cap_copy(endpoint, seL4_NoWrite);
    struct message m;

    sys(seL4_SysSend, no_write, INFO(0, 0), 0, 0, 0, 0, 0, 0);
    CHECK_EQ(receive().word[0], 91);
    m = sys(seL4_SysCall, no_write, INFO(0, 0), 0, 0, 0, 0, 0, 0);
    CHECK_EQ(LABEL(m), seL4_InvalidCapability);
    CHECK_EQ(m.word[0], 0);
}

/* --- calls ----------------------------------------------------------------------------------- */

static void call_and_reply(void)
{
    begin();
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);
    struct call call = { .number = seL4_SysCall,
                         .rdi = cap_mint(endpoint, seL4_AllRights, 3),
                         .info = INFO(9, 2),
                         .word = { 1, 2 } };

    call_start(0, &call);
    struct message m = sys(seL4_SysRecv, endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);

    CHECK_EQ(m.badge, 3);
    CHECK_EQ(LABEL(m), 9);
    CHECK_EQ(m.word[1], 2);
    CHECK(!call.returned);
    sys(seL4_SysSend, reply, INFO(0x99, 4), 21, 22, 23, 24, 0, 0);
    CHECK(call.returned);
    CHECK_EQ(LABEL(call.answer), 0x99);
    CHECK_EQ(LENGTH(call.answer), 4);
    CHECK_EQ(call.answer.badge, 0);
    CHECK_EQ(call.answer.word[0], 21);
    CHECK_EQ(call.answer.word[3], 24);
}

static void echo_server(struct thread *self, seL4_Word reply)
{
    struct message m = sys(seL4_SysRecv, endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);

    for (;;) {
        self->result[0]++;
        m = sys(seL4_SysReplyRecv, endpoint, INFO(LABEL(m) + 1, LENGTH(m)), m.word[0] + 1,
                m.word[1], m.word[2], m.word[3], reply, 0);
    }
}

static void reply_recv(void)
{
    begin();
    struct thread *t = thread_run(0, echo_server, object_new(seL4_ReplyObject, 0), HELPER_PRIORITY);

    for (seL4_Word i = 0; i < 100; i++) {
        struct message m = sys(seL4_SysCall, endpoint, INFO(i, 4), i, 7, 8, 9, 0, 0);

        CHECK_EQ(LABEL(m), i + 1);
        CHECK_EQ(m.word[0], i + 1);
        CHECK_EQ(m.word[3], 9);
    }
    CHECK_EQ(t->result[0], 100);
}

/* The same with a server that is not above us. */
static void reply_recv_lower(void)
{
    begin();
    thread_run(0, echo_server, object_new(seL4_ReplyObject, 0), TEST_PRIORITY - 10);
    for (seL4_Word i = 0; i < 20; i++) {
        struct message m = sys(seL4_SysCall, endpoint, INFO(i, 1), i, 0, 0, 0, 0, 0);

        CHECK_EQ(m.word[0], i + 1);
    }
}

/*
 * A call needs grant or grantReply; without, the caller is lost, and the reply object stays
 * empty. /
 */
static void call_rights(void)
{
    begin();
    static const seL4_Word rights[] = { 1, 3, 5, 9 }; /* write; +read; +grant; +grantReply */

    for (unsigned i = 0; i < 4; i++) {
        seL4_CPtr reply = object_new(seL4_ReplyObject, 0);
        struct call call = { .number = seL4_SysCall,
                             .rdi = cap_copy(endpoint, (seL4_CapRights_t){ { rights[i] } }),
                             .info = INFO(4, 0) };

        call_start(i, &call);
        struct message m = sys(seL4_SysNBRecv, endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);

        CHECK_EQ(LABEL(m), 4);
        sys(seL4_SysSend, reply, INFO(5, 0), 0, 0, 0, 0, 0, 0);
        CHECK_EQ(call.returned, rights[i] >= 4);
    }
    /* Nor is there an answer without a reply object. */
    struct call call = { .number = seL4_SysCall, .rdi = endpoint, .info = INFO(4, 0) };

    call_start(4, &call);
    CHECK_EQ(LABEL(receive()), 4);
    CHECK(!call.returned);
}

/* NBSendRecv sends to r13 and receives on rdi; NBSendWait sends to r12. */
static void send_and_wait(void)
{
    begin();
    seL4_CPtr other = object_new(seL4_EndpointObject, 0);
    struct call wait = { .number = seL4_SysWait, .rdi = other };
    struct call send = {
        .number = seL4_SysSend, .rdi = endpoint, .info = INFO(3, 1), .word = { 33 }
    };
    struct message m;

    call_start(0, &wait);
    call_start(1, &send);
    m = sys(seL4_SysNBSendRecv, endpoint, INFO(8, 1), 44, 0, 0, 0, object_new(seL4_ReplyObject, 0),
            other);
    CHECK(wait.returned);
    CHECK_EQ(LABEL(wait.answer), 8);
    CHECK_EQ(wait.answer.word[0], 44);
    CHECK_EQ(LABEL(m), 3);
    CHECK_EQ(m.word[0], 33);

    call_start(2, &wait);
    call_start(3, &send);
    m = sys(seL4_SysNBSendWait, endpoint, INFO(8, 1), 45, 0, 0, 0, other, 0);
    CHECK(wait.returned);
    CHECK_EQ(wait.answer.word[0], 45);
    CHECK_EQ(m.word[0], 33);

    /*
     * Nobody takes the message, or there is no such capability: the second half happens all the
     * same.
     */
    call_start(4, &send);
    m = sys(seL4_SysNBSendWait, endpoint, INFO(8, 1), 45, 0, 0, 0, other, 0);
    CHECK_EQ(m.word[0], 33);
    CHECK_EQ(sys(seL4_SysNBWait, other, INFO(0, 1), 1, 0, 0, 0, 0, 0).word[0], 1);
    call_start(5, &send);
    m = sys(seL4_SysNBSendWait, endpoint, INFO(8, 1), 45, 0, 0, 0, slot_new(), 0);
    CHECK_EQ(m.word[0], 33);
}

/* --- capabilities in messages ---------------------------------------------------------------- */

/* One thread sends the capabilities given through cap; we receive into the slot. */
static struct message transfer(unsigned n, seL4_CPtr through, seL4_CPtr slot, unsigned nr_caps,
                               const seL4_CPtr *caps)
{
    static struct call send;
    struct thread *t;

    send = (struct call){ .number = seL4_SysSend,
                          .rdi = through,
                          .info = seL4_MessageInfo_new(1, 0, nr_caps, 1) };
    t = thread_create(n, thread_call, (seL4_Word)&send, HELPER_PRIORITY, 5000, 5000, 0);
    for (unsigned i = 0; i < nr_caps; i++)
        t->ipc->caps_or_badges[i] = caps[i];
    thread_start(t);
    seL4_SetCapReceivePath(ROOT, slot, DEPTH);
    return sys(seL4_SysNBWait, endpoint, INFO(0, 0), 0, 0, 0, 0, 0, 0);
}

static void capability_transfer(void)
{
    begin();
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0);
    seL4_CPtr badged = cap_mint(notification, seL4_AllRights, 0x55);
    seL4_CPtr slot = slot_new();
    struct message m = transfer(0, endpoint, slot, 1, &badged);

    CHECK_EQ(seL4_MessageInfo_get_extraCaps(m.info), 1);
    CHECK_EQ(seL4_MessageInfo_get_capsUnwrapped(m.info), 0);
    CHECK_EQ(cap_tag(slot), TAG_NOTIFICATION);
    seL4_Signal(slot);
    CHECK_EQ(sys(seL4_SysNBWait, notification, INFO(0, 0), 0, 0, 0, 0, 0, 0).badge, 0x55);

    /* The slot is occupied now: the message comes, the capability does not. */
    m = transfer(1, endpoint, slot, 1, &badged);
    CHECK_EQ(LABEL(m), 1);
    CHECK_EQ(seL4_MessageInfo_get_extraCaps(m.info), 0);

    /* No grant right, no capability. */
    slot = slot_new();
    m = transfer(2, cap_copy(endpoint, seL4_NoWrite), slot, 0, NULL);
    CHECK_EQ(LABEL(m), 0);
    m = transfer(3, cap_copy(endpoint, seL4_ReadWrite), slot, 1, &badged);
    CHECK_EQ(LABEL(m), 1);
    CHECK_EQ(seL4_MessageInfo_get_extraCaps(m.info), 0);
    CHECK_EQ(cap_tag(slot), TAG_NULL);

    /* Nowhere to put it. */
    m = transfer(4, endpoint, 1ul << 40, 1, &badged);
    CHECK_EQ(LABEL(m), 1);
    CHECK_EQ(seL4_MessageInfo_get_extraCaps(m.info), 0);
}

/* Capabilities to the endpoint itself arrive as badges; of the others the first is moved. */
static void unwrapping(void)
{
    begin();
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0);
    seL4_CPtr caps[3] = { cap_mint(endpoint, seL4_AllRights, 7), notification,
                          cap_mint(endpoint, seL4_AllRights, 8) };
    seL4_CPtr slot = slot_new();
    struct message m = transfer(0, endpoint, slot, 3, caps);

    CHECK_EQ(seL4_MessageInfo_get_extraCaps(m.info), 3);
    CHECK_EQ(seL4_MessageInfo_get_capsUnwrapped(m.info), 5);
    CHECK_EQ(seL4_GetBadge(0), 7);
    CHECK_EQ(seL4_GetBadge(2), 8);
    CHECK_EQ(cap_tag(slot), TAG_NOTIFICATION);

    /* A second one that would have to be moved ends the transfer. */
    seL4_CPtr two[3] = { notification, notification, cap_mint(endpoint, seL4_AllRights, 9) };

    slot = slot_new();
    m = transfer(1, endpoint, slot, 3, two);
    CHECK_EQ(seL4_MessageInfo_get_extraCaps(m.info), 1);
    CHECK_EQ(cap_tag(slot), TAG_NOTIFICATION);
}

/* A capability that cannot be copied is not transferred. */
static void untransferable(void)
{
    begin();
    seL4_CPtr caps[1] = { seL4_CapIRQControl };
    seL4_CPtr slot = slot_new();
    struct message m = transfer(0, endpoint, slot, 1, caps);

    CHECK_EQ(LABEL(m), 1);
    CHECK_EQ(seL4_MessageInfo_get_extraCaps(m.info), 0);
    CHECK_EQ(cap_tag(slot), TAG_NULL);
}

/* An answer carries capabilities, too, unless the reply capability lacks grant. */
static void transfer_with_reply(void)
{
    begin();
    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0);
    seL4_CPtr slot = slot_new();
    struct call call = { .number = seL4_SysCall, .rdi = endpoint, .info = INFO(4, 0) };
    struct thread *t =
        thread_create(0, thread_call, (seL4_Word)&call, HELPER_PRIORITY, 5000, 5000, 0);

    t->ipc->receiveCNode = ROOT;
    t->ipc->receiveIndex = slot;
    t->ipc->receiveDepth = DEPTH;
    thread_start(t);
    sys(seL4_SysRecv, endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);
    seL4_SetCap(0, notification);
    sys(seL4_SysSend, reply, seL4_MessageInfo_new(0, 0, 1, 0), 0, 0, 0, 0, 0, 0);
    CHECK(call.returned);
    CHECK_EQ(seL4_MessageInfo_get_extraCaps(call.answer.info), 1);
    CHECK_EQ(cap_tag(slot), TAG_NOTIFICATION);

    /* A reply capability without grant does not. */
    seL4_CPtr masked = cap_copy(reply, seL4_CanWrite);

    slot = slot_new();
    t = thread_create(1, thread_call, (seL4_Word)&call, HELPER_PRIORITY, 5000, 5000, 0);
    t->ipc->receiveCNode = ROOT;
    t->ipc->receiveIndex = slot;
    t->ipc->receiveDepth = DEPTH;
    call.returned = false;
    thread_start(t);
    sys(seL4_SysRecv, endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);
    seL4_SetCap(0, notification);
    sys(seL4_SysSend, masked, seL4_MessageInfo_new(0, 0, 1, 0), 0, 0, 0, 0, 0, 0);
    CHECK(call.returned);
    CHECK_EQ(seL4_MessageInfo_get_extraCaps(call.answer.info), 0);
    CHECK_EQ(cap_tag(slot), TAG_NULL);
}

/* --- ends ------------------------------------------------------------------------------------ */

/*
 * Waiting sends with one badge are repeated when they are cancelled, and so come after the
 * others. /
 */
static void cancel_badged_sends(void)
{
    begin();
    static struct call send[3];
    seL4_CPtr one = cap_mint(endpoint, seL4_AllRights, 1),
              two = cap_mint(endpoint, seL4_AllRights, 2);

    for (unsigned i = 0; i < 3; i++) {
        send[i] =
            (struct call){ .number = seL4_SysSend, .rdi = i == 1 ? two : one, .info = INFO(i, 0) };
        call_start(i, &send[i]);
    }
    CHECK_OK(seL4_CNode_CancelBadgedSends(ROOT, one, DEPTH));
    CHECK_EQ(LABEL(receive()), 1);
    CHECK(send[1].returned);
    CHECK(!send[0].returned);
    CHECK_EQ(receive().badge, 1);
    CHECK_EQ(receive().badge, 1);
    CHECK(send[0].returned);
    CHECK(send[2].returned);
}

/*
 * Revoking a badge leaves a send that waits already; it is cancelled explicitly. Repeated with a
 * capability that is gone, it does nothing.
 */
static void revoked_badge(void)
{
    begin();
    seL4_CPtr badged = cap_mint(endpoint, seL4_AllRights, 1);
    struct call send = { .number = seL4_SysSend,
                         .rdi = cap_copy(badged, seL4_AllRights),
                         .info = INFO(1, 0) };

    call_start(0, &send);
    CHECK_OK(cap_revoke(badged));
    CHECK_EQ(cap_tag(send.rdi), TAG_NULL);
    CHECK(!send.returned);
    CHECK_OK(seL4_CNode_CancelBadgedSends(ROOT, badged, DEPTH));
    CHECK(send.returned);
    CHECK_EQ(LABEL(receive()), 0x77);
}

/*
 * The end of the endpoint ends what waits for it: sends do nothing, a Call is told, a receive
 * faults.
 */
static void deleted_endpoint(void)
{
    static const seL4_Int64 numbers[3] = { seL4_SysSend, seL4_SysCall, seL4_SysWait };
    seL4_CPtr faults = object_new(seL4_EndpointObject, 0);
    static struct call call[3];

    for (unsigned i = 0; i < 3; i++) {
        begin();
        call[i] = (struct call){ .number = numbers[i], .rdi = endpoint };
        thread_start(thread_create(i, thread_call, (seL4_Word)&call[i], HELPER_PRIORITY, 5000, 5000,
                                   faults));
        CHECK(!call[i].returned);
        CHECK_OK(cap_delete(endpoint));
        CHECK_EQ(call[i].returned, i < 2);
    }
    CHECK_EQ(LABEL(call[1].answer), seL4_InvalidCapability);
    struct message m = sys(seL4_SysNBWait, faults, INFO(0, 0), 0, 0, 0, 0, 0, 0);

    CHECK_EQ(LABEL(m), seL4_Fault_CapFault);
    CHECK_EQ(m.word[seL4_CapFault_Addr], call[2].rdi);
    CHECK_EQ(m.word[seL4_CapFault_InRecvPhase], 1);
    CHECK_EQ(m.word[seL4_CapFault_LookupFailureType], seL4_MissingCapability);
    CHECK_EQ(seL4_GetMR(seL4_CapFault_BitsLeft), 0);
}

TEST_SUITE(endpoint, { "send and receive", send_and_receive }, { "receive first", receive_first },
           { "non-blocking", non_blocking }, { "long messages", long_messages },
           { "no buffer", no_buffer }, { "order", order },
           { "order after change", order_after_change }, { "rights", rights },
           { "call and reply", call_and_reply }, { "reply recv", reply_recv },
           { "reply recv, lower server", reply_recv_lower }, { "call rights", call_rights },
           { "send and wait", send_and_wait }, { "capability transfer", capability_transfer },
           { "unwrapping", unwrapping }, { "untransferable", untransferable },
           { "transfer with reply", transfer_with_reply },
           { "cancel badged sends", cancel_badged_sends }, { "revoked badge", revoked_badge },
           { "deleted endpoint", deleted_endpoint });
