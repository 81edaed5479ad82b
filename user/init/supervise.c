/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What init does for the rest of its life: nothing but listen. README.md explains how its authority
 * ends.
 */
#include "user/init/boot.h"
#include "user/init/events.h"
#include "user/init/failure.h"
#include "user/start/start.h"

/* A monitor that floods init with messages must not take other VMs' time. */
static void limit_own_time(const struct boot *boot)
{
    const struct plan_supervisor *supervisor = &boot->plan.header->supervisor;

    if (supervisor->budget_us != 0) {
        require(seL4_SchedControl_ConfigureFlags(
                    boot->bootinfo->schedcontrol.start, seL4_CapInitThreadSC, supervisor->budget_us,
                    supervisor->period_us, 0, 0, seL4_SchedContext_NoFlag),
                "limit the time of", "init", 0);
    }
}

static void exchange_cspace(const struct boot *boot)
{
    const struct plan_supervisor *supervisor = &boot->plan.header->supervisor;
    seL4_Word guard = seL4_CNode_CapData_new(0, seL4_WordBits - supervisor->cnode_bits).words[0];

    require(seL4_TCB_SetSpace(seL4_CapInitThreadTCB, seL4_CapNull,
                              boot_cap(boot, supervisor->cnode), guard, seL4_CapInitThreadVSpace,
                              0),
            "exchange the CSpace of", "init", 0);
}

#ifdef BULKHEAD_DEBUG

/* What seL4_DebugCapIdentify says. */
enum cap_tag {
    TAG_NULL = 0,
    TAG_ENDPOINT = 4,
    TAG_REPLY = 8,
    TAG_IO_PORT = 19,
};

static enum cap_tag expected_tag(const struct plan_supervisor *supervisor, uint64_t index)
{
    if (index == 0) {
        return TAG_NULL;
    }
    if (index == supervisor->endpoint_index) {
        return TAG_ENDPOINT;
    }
    if (index == supervisor->reply_index) {
        return TAG_REPLY;
    }
    if (index == supervisor->debug_exit_index || index == supervisor->shutdown_index) {
        return TAG_IO_PORT;
    }
    return TAG_NULL;
}

/* No untyped memory, no control over interrupts, ports, ASIDs, time or threads, no frame is left.
 */
static void verify(const struct boot *boot)
{
    const struct plan_supervisor *supervisor = &boot->plan.header->supervisor;
    const seL4_BootInfo *bootinfo = boot->bootinfo;

    for (uint64_t index = 0; index < 1ull << supervisor->cnode_bits; index++) {
        seL4_Uint32 tag = seL4_DebugCapIdentify(index);

        if (tag != (seL4_Uint32)expected_tag(supervisor, index)) {
            panic("init holds a capability that is not in the plan: slot %lu, kind %u\n", index,
                  tag);
        }
    }
    for (seL4_CPtr cap = bootinfo->untyped.start; cap < bootinfo->untyped.end; cap++) {
        if (cap >> supervisor->cnode_bits != 0 && seL4_DebugCapIdentify(cap) != TAG_NULL) {
            panic("init can still reach untyped memory: %lu\n", cap);
        }
    }
}

#else

static void verify(const struct boot *boot)
{
    (void)boot;
}

#endif

/* A fault is left without an answer, so its thread stands still for good. */
static struct event_message receive(const struct plan_supervisor *supervisor)
{
    struct event_message message = { 0 };
    seL4_MessageInfo_t info =
        seL4_Recv(supervisor->endpoint_index, &message.badge, supervisor->reply_index);
    seL4_Word length = seL4_MessageInfo_get_length(info);

    message.label = seL4_MessageInfo_get_label(info);
    for (seL4_Word i = 0; i < length && i < EVENT_WORDS; i++) {
        message.words[i] = seL4_GetMR((int)i);
    }
    return message;
}

/* Bochs ends when it reads this word, QEMU when anything comes to its debug port. */
static void leave_emulator(const struct plan_supervisor *supervisor)
{
    static const char word[] = "Shutdown";

    for (const char *at = word; supervisor->shutdown_index != 0 && *at != '\0'; at++) {
        seL4_X86_IOPort_Out8(supervisor->shutdown_index, 0x8900, (seL4_Word)*at);
    }
    if (supervisor->debug_exit_index != 0) {
        seL4_X86_IOPort_Out8(supervisor->debug_exit_index, 0xf4, 0);
    }
}

static void all_have_ended(const struct plan_header *header)
{
    if (header->end_action == PLAN_END_EXIT) {
        print("[bulkhead] all virtual machines have ended; leaving\n");
        leave_emulator(&header->supervisor);
    }
    print("[bulkhead] all virtual machines have ended; the system is idle\n");
}

_Noreturn void supervise(const struct boot *boot)
{
    static struct events events;
    char line[EVENT_LINE_BYTES];
    bool said = false;

    limit_own_time(boot);
    exchange_cspace(boot);
    verify(boot);
    events_init(&events, &boot->plan);
    for (;;) {
        struct event_message message = receive(&boot->plan.header->supervisor);

        if (events_take(&events, &boot->plan, &message, line)) {
            print("[bulkhead] %s\n", line);
        }
        if (events.running == 0 && !said) {
            all_have_ended(boot->plan.header);
            said = true;
        }
    }
}
