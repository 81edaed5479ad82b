/* SPDX-License-Identifier: BSD-2-Clause */
/* Every method with too short a message, and every object with every label that is not its own. */
#include "tests/kernel/harness.h"

enum kind {
    KIND_UNTYPED,
    KIND_TCB,
    KIND_CNODE,
    KIND_IRQ_CONTROL,
    KIND_IRQ_HANDLER,
    KIND_DOMAIN,
    KIND_SCHED_CONTROL,
    KIND_SCHED_CONTEXT,
    KIND_PDPT,
    KIND_PAGE_DIRECTORY,
    KIND_PAGE_TABLE,
    KIND_IO_PAGE_TABLE,
    KIND_FRAME,
    KIND_ASID_CONTROL,
    KIND_ASID_POOL,
    KIND_IO_PORT_CONTROL,
    KIND_IO_PORT,
    KIND_VCPU,
    KIND_EPT_PDPT,
    KIND_EPT_PD,
    KIND_EPT_PT,
    KIND_COUNT,
};

static const struct method {
    seL4_Word label;
    const char *name;
    enum kind kind;
    unsigned min_length, min_caps;
} methods[] = {
#define METHOD(number, label, object, handler, min_length, min_caps, ...)                          \
    { number, #label, KIND_##object, min_length, min_caps },
#include "abi/invocations.def"
};

/* A capability of each kind; 0 where this machine has none. */
static void make_objects(seL4_CPtr objects[KIND_COUNT])
{
    for (unsigned i = 0; i < KIND_COUNT; i++)
        objects[i] = 0;
    objects[KIND_UNTYPED] = object_new(seL4_UntypedObject, 12);
    objects[KIND_TCB] = object_new(seL4_TCBObject, 0);
    objects[KIND_CNODE] = object_new(seL4_CapTableObject, 4);
    objects[KIND_IRQ_CONTROL] = seL4_CapIRQControl;
    objects[KIND_IRQ_HANDLER] = slot_new();
    REQUIRE_OK(seL4_IRQControl_GetIOAPIC(seL4_CapIRQControl, ROOT, objects[KIND_IRQ_HANDLER], DEPTH,
                                         0, 23, 0, 0, 30));
    objects[KIND_DOMAIN] = seL4_CapDomain;
    objects[KIND_SCHED_CONTROL] = boot->schedcontrol.start;
    objects[KIND_SCHED_CONTEXT] = object_new(seL4_SchedContextObject, 7);
    objects[KIND_PDPT] = object_new(seL4_X86_PDPTObject, 0);
    objects[KIND_PAGE_DIRECTORY] = object_new(seL4_X86_PageDirectoryObject, 0);
    objects[KIND_PAGE_TABLE] = object_new(seL4_X86_PageTableObject, 0);
    objects[KIND_FRAME] = object_new(seL4_X86_4K, 0);
    objects[KIND_ASID_CONTROL] = seL4_CapASIDControl;
    objects[KIND_ASID_POOL] = seL4_CapInitThreadASIDPool;
    objects[KIND_IO_PORT_CONTROL] = seL4_CapIOPortControl;
    objects[KIND_IO_PORT] = slot_new();
    REQUIRE_OK(seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, 0x80, 0x80, ROOT,
                                            objects[KIND_IO_PORT], DEPTH));
    if (!have_virtualisation())
        return;
    objects[KIND_VCPU] = object_new(seL4_X86_VCPUObject, 0);
    objects[KIND_EPT_PDPT] = object_new(seL4_X86_EPTPDPTObject, 0);
    objects[KIND_EPT_PD] = object_new(seL4_X86_EPTPDObject, 0);
    objects[KIND_EPT_PT] = object_new(seL4_X86_EPTPTObject, 0);
}

static void check_answer(seL4_Word got, seL4_Word expected, const char *method, unsigned kind)
{
    if (!CHECK_EQ(got, expected))
        print("     %s on object kind %u\n", method, kind);
}

static void truncated(void)
{
    seL4_CPtr objects[KIND_COUNT];

    make_objects(objects);
    for (unsigned i = 0; i < ARRAY_LENGTH(methods); i++) {
        const struct method *m = &methods[i];
        seL4_CPtr object = objects[m->kind];
        static const seL4_CPtr caps[3] = { ROOT, ROOT, ROOT };

        if (!object)
            continue;
        if (m->min_length)
            check_answer(invoke(object, m->label, 3, caps, m->min_length - 1, NULL),
                         seL4_TruncatedMessage, m->name, m->kind);
        if (m->min_caps)
            check_answer(invoke(object, m->label, m->min_caps - 1, caps, 30, NULL),
                         seL4_TruncatedMessage, m->name, m->kind);
    }
}

static void foreign_labels(void)
{
    seL4_CPtr objects[KIND_COUNT];

    make_objects(objects);
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        if (!objects[kind])
            continue;
        for (unsigned i = 0; i < ARRAY_LENGTH(methods); i++) {
            if (methods[i].kind != kind)
                check_answer(invoke(objects[kind], methods[i].label, 0, NULL, 0, NULL),
                             seL4_IllegalOperation, methods[i].name, kind);
        }
        check_answer(invoke(objects[kind], 0, 0, NULL, 0, NULL), seL4_IllegalOperation, "label 0",
                     kind);
        check_answer(invoke(objects[kind], nInvocationLabels, 0, NULL, 0, NULL),
                     seL4_IllegalOperation, "label 78", kind);
        check_answer(invoke(objects[kind], (1ul << 52) - 1, 0, NULL, 0, NULL),
                     seL4_IllegalOperation, "the last label", kind);
    }
}

static void answers_only_to_call(void)
{
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0);
    struct message m;

    /* Registers come back as they were: nothing is answered. */
    m = sys(seL4_SysSend, tcb, INFO(TCBSetPriority, 0), 1, 2, 3, 4, 0, 0);
    CHECK_EQ(m.word[0], 1);
    CHECK_EQ(m.word[3], 4);
    m = sys(seL4_SysNBSend, tcb, INFO(TCBSetPriority, 0), 1, 2, 3, 4, 0, 0);
    CHECK_EQ(m.word[0], 1);
    m = sys(seL4_SysNBSend, slot_new(), INFO(TCBSetPriority, 0), 1, 2, 3, 4, 0, 0);
    CHECK_EQ(m.word[0], 1);
    m = sys(seL4_SysCall, tcb, INFO(TCBSetPriority, 0), 1, 2, 3, 4, 0, 0);
    CHECK_EQ(LABEL(m), seL4_TruncatedMessage);
    CHECK_EQ(m.badge, 0);
    m = sys(seL4_SysCall, tcb, INFO(TCBSuspend, 0), 1, 2, 3, 4, 0, 0);
    CHECK_EQ(m.info.words[0], 0);
    CHECK_EQ(m.badge, 0);
}

/* With a Send the method works as with a Call. */
static void send_works(void)
{
    seL4_CPtr slot = object_new(seL4_EndpointObject, 0);

    sys(seL4_SysSend, ROOT, INFO(CNodeDelete, 2), slot, DEPTH, 0, 0, 0, 0);
    CHECK_EQ(cap_tag(slot), TAG_NULL);
    slot = object_new(seL4_EndpointObject, 0);
    sys(seL4_SysNBSend, ROOT, INFO(CNodeDelete, 2), slot, DEPTH, 0, 0, 0, 0);
    CHECK_EQ(cap_tag(slot), TAG_NULL);
}

/* The send phase of a combined call refuses CNodes and others, not untypeds. */
static void combined_calls(void)
{
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);
    seL4_CPtr notification = object_new(seL4_NotificationObject, 0);
    seL4_CPtr made = slot_new();
    seL4_CPtr untyped = object_new(seL4_UntypedObject, 12);

    seL4_Signal(notification);
    sys(seL4_SysNBSendWait, notification, INFO(CNodeDelete, 2), endpoint, DEPTH, 0, 0, ROOT, 0);
    CHECK_EQ(cap_tag(endpoint), TAG_ENDPOINT);

    seL4_Signal(notification);
    seL4_SetCap(0, ROOT);
    seL4_SetMR(4, made);
    seL4_SetMR(5, 1);
    sys(seL4_SysNBSendWait, notification, seL4_MessageInfo_new(UntypedRetype, 0, 1, 6),
        seL4_EndpointObject, 0, 0, 0, untyped, 0);
    CHECK_EQ(cap_tag(made), TAG_ENDPOINT);
}

/* IO spaces come later; their methods have their places. */
static void not_yet(void)
{
    seL4_CPtr frame = object_new(seL4_X86_4K, 0);

    CHECK_ILLEGAL(seL4_X86_Page_MapIO(frame, seL4_CapIOSpace ? ROOT : 0, seL4_ReadWrite, 0));
    CHECK_ILLEGAL(seL4_IRQControl_Get(seL4_CapIRQControl, 5, ROOT, slot_new(), DEPTH));
    CHECK_ARGUMENT(seL4_DomainSet_Set(seL4_CapDomain, 1, object_new(seL4_TCBObject, 0)), 0);
    CHECK_OK(seL4_DomainSet_Set(seL4_CapDomain, 0, object_new(seL4_TCBObject, 0)));
}

TEST_SUITE(dispatch, { "truncated messages", truncated }, { "foreign labels", foreign_labels },
           { "answers only to call", answers_only_to_call }, { "send works", send_works },
           { "combined calls", combined_calls }, { "not yet", not_yet });
