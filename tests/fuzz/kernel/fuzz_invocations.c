/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's portable half as a whole, with an initial task made by boot_initial_task on a small
 * machine of two cores, which take turns: its threads make system calls, fault, and enter guests;
 * time passes, interrupts come, also in the middle of long operations. After each step the
 * invariants of tests/fuzz/kernel/invariants.h must hold; at the end everything is deleted.
 *
 * The input's bytes are the choices (messages.h). A long run:
 *
 *      cmake --build build --target fuzz_invocations
 *      build/fuzz/fuzz_invocations -max_len=8192 -jobs=2 build/fuzz/fuzz_invocations.corpus
 *
 * With FUZZ_STATISTICS in the environment, it ends with how often each method was answered how:
 * what never succeeds is not being tested.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/bootinfo.h"
#include "abi/errors.h"
#include "abi/gen/labels.h"
#include "abi/syscalls.h"
#include "kernel/api/syscall.h"
#include "kernel/core/boot.h"
#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/memory.h"
#include "kernel/object/derivation.h"
#include "kernel/object/io_port.h"
#include "kernel/object/irq.h"
#include "kernel/object/object.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/object/vcpu.h"
#include "kernel/sched/sched.h"
#include "kernel/vspace/asid.h"
#include "tests/fuzz/kernel/invariants.h"
#include "tests/fuzz/kernel/messages.h"
#include "tests/unit/kernel/elf64.h"
#include "tests/unit/kernel/fakes.h"

#define MIB           BIT(20)
#define NR_CORES      2
#define RAM_START     MIB
#define MODULE_AT     (RAM_START + 64 * PAGE_SIZE)
#define RAM_END       (12 * MIB)
#define IMAGE_AT      0x400000ULL
#define PLAY_SLOTS    64
#define SPENT_STEPS   300 /* with pseudo-random choices, after the input's */
#define MAX_STEPS     1000
#define SYSCALL_AT    (IMAGE_AT + 0x100)
#define SCHED_CONTROL 16 /* its slot for core 0; the others follow */

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* --- the machine ----------------------------------------------------------------------------- */

static const struct elf64_file image = ELF64_FILE(IMAGE_AT, SYSCALL_AT);

static u64 nr_slots; /* of the root CNode, in use */

/* --- system calls ---------------------------------------------------------------------------- */

static void call(struct tcb *thread, s64 number, const struct message *message)
{
    struct user_context *c = &thread->context;
    u64 *buffer = tcb_buffer_for_send(thread);

    c->rdx = (u64)number;
    c->rdi = message->cptr;
    c->rsi = message->label << 12 | message->nr_extra << 7 | message->length;
    c->r10 = message->word[0];
    c->r8 = message->word[1];
    c->r9 = message->word[2];
    c->r15 = message->word[3];
    if (buffer) {
        for (unsigned i = 4; i < message->length && i < MESSAGE_MAX_WORDS; i++)
            buffer[1 + i] = message->word[i];
        memcpy(&buffer[122], message->extra, sizeof message->extra);
        buffer[125] = seL4_CapInitThreadCNode;
        buffer[126] = choose_play_slot();
        buffer[127] = 64;
    }
    c->rip = SYSCALL_AT + CONTEXT_SYSCALL_LENGTH;
    c->by_syscall = 1;
    syscall_entry(number);
    unlock();
}

/* An invocation that must succeed. */
#define ask(slot, invocation, caps, ...)                                                           \
    ask_message(                                                                                   \
        &(struct message){ .cptr = slot,                                                           \
                           .label = invocation,                                                    \
                           .length = sizeof((u64[]){ 0, ##__VA_ARGS__ }) / sizeof(u64) - 1,        \
                           .word = { __VA_ARGS__ } },                                              \
        caps)
#define CAPS(...)                                                                                  \
    (const u64[])                                                                                  \
    {                                                                                              \
        __VA_ARGS__, 0                                                                             \
    }

static void ask_message(struct message *message, const u64 *caps)
{
    struct tcb *thread = this_core()->current;

    while (caps[message->nr_extra]) {
        message->extra[message->nr_extra] = caps[message->nr_extra];
        message->nr_extra++;
    }
    call(thread, seL4_SysCall, message);
    if (thread != this_core()->current || thread->context.rsi >> 12) {
        fprintf(stderr, "setting up: label %lu answered %lu\n", message->label,
                thread->context.rsi >> 12);
        abort();
    }
}

/* --- what the fuzzer finds ------------------------------------------------------------------- */

/* Play slots, from the first. */
enum {
    UNTYPEDS,
    UNTYPED_SMALL = UNTYPEDS + 2,
    ENDPOINTS,
    BADGED = ENDPOINTS + 2,
    NOTIFICATIONS,
    CNODE = NOTIFICATIONS + 2,
    TCBS,
    CONTEXTS = TCBS + 3,
    REPLIES = CONTEXTS + 3,
    FRAMES = REPLIES + 2,
    PML4 = FRAMES + 3,
    PDPT,
    PD,
    PT,
    EPT_PML4,
    EPT_PDPT,
    EPT_PD,
    EPT_PT,
    VCPU,
};

static u64 play(unsigned slot)
{
    return playground.start + slot;
}

static u64 big_untyped(void)
{
    u64 slot = playground.untyped_start;

    while (playground.slots[slot].cap.type == CAP_UNTYPED &&
           (cap_aux_get(playground.slots[slot].cap, 6, 1) ||
            cap_aux_get(playground.slots[slot].cap, 0, 6) < 20))
        slot++;
    return slot;
}

static void make(u64 type, u64 size, unsigned slot, u64 count)
{
    ask(big_untyped(), UntypedRetype, CAPS(seL4_CapInitThreadCNode), type, size, 0, 0, play(slot),
        count);
}

static void make_objects(void)
{
    make(seL4_UntypedObject, 16, UNTYPEDS, 2);
    make(seL4_UntypedObject, 12, UNTYPED_SMALL, 1);
    make(seL4_EndpointObject, 0, ENDPOINTS, 2);
    make(seL4_NotificationObject, 0, NOTIFICATIONS, 2);
    make(seL4_CapTableObject, 3, CNODE, 1);
    make(seL4_TCBObject, 0, TCBS, 3);
    make(seL4_SchedContextObject, 8, CONTEXTS, 3);
    make(seL4_ReplyObject, 0, REPLIES, 2);
    make(seL4_X86_4K, 0, FRAMES, 3);
    make(seL4_X64_PML4Object, 0, PML4, 1);
    make(seL4_X86_PDPTObject, 0, PDPT, 1);
    make(seL4_X86_PageDirectoryObject, 0, PD, 1);
    make(seL4_X86_PageTableObject, 0, PT, 1);
    make(seL4_X86_EPTPML4Object, 0, EPT_PML4, 1);
    make(seL4_X86_EPTPDPTObject, 0, EPT_PDPT, 1);
    make(seL4_X86_EPTPDObject, 0, EPT_PD, 1);
    make(seL4_X86_EPTPTObject, 0, EPT_PT, 1);
    make(seL4_X86_VCPUObject, 0, VCPU, 1);
    ask(seL4_CapInitThreadCNode, CNodeMint, CAPS(seL4_CapInitThreadCNode), play(BADGED), 64,
        play(ENDPOINTS), 64, 15, 7);
}

static void make_spaces(void)
{
    ask(seL4_CapInitThreadASIDPool, X86ASIDPoolAssign, CAPS(play(PML4)));
    ask(seL4_CapInitThreadASIDPool, X86ASIDPoolAssign, CAPS(play(EPT_PML4)));
    ask(play(PDPT), X86PDPTMap, CAPS(play(PML4)), BIT(28), 0);
    ask(play(PD), X86PageDirectoryMap, CAPS(play(PML4)), BIT(28), 0);
    ask(play(PT), X86PageTableMap, CAPS(play(PML4)), BIT(28), 0);
    ask(play(EPT_PDPT), X86EPTPDPTMap, CAPS(play(EPT_PML4)), BIT(28), 0);
    ask(play(EPT_PD), X86EPTPDMap, CAPS(play(EPT_PML4)), BIT(28), 0);
    ask(play(EPT_PT), X86EPTPTMap, CAPS(play(EPT_PML4)), BIT(28), 0);
}

static void make_threads(void)
{
    for (unsigned i = 0; i < 3; i++) {
        u64 sc = play(CONTEXTS + i), tcb = play(TCBS + i);

        ask(SCHED_CONTROL + i % NR_CORES, SchedControlConfigureFlags, CAPS(sc), 1000,
            1000 + 2000 * i, 4, i, i & 1);
        ask(tcb, TCBConfigure,
            CAPS(seL4_CapInitThreadCNode, seL4_CapInitThreadVSpace, play(FRAMES + i)), 0, 0,
            IMAGE_AT + 1024);
        ask(tcb, TCBSetSchedParams, CAPS(seL4_CapInitThreadTCB, sc, play(ENDPOINTS)), 200, 100 + i);
        ask(tcb, TCBResume, CAPS(0));
    }
    ask(play(VCPU), X86VCPUSetTCB, CAPS(play(TCBS)));
    ask(play(TCBS), TCBSetEPTRoot, CAPS(play(EPT_PML4)));
}

static void begin(void)
{
    struct boot_machine machine = {
        .ram = { 1, { { RAM_START, RAM_END } } },
        .free = { 2, { { RAM_START, MODULE_AT }, { MODULE_AT + PAGE_SIZE, RAM_END } } },
        .module = { MODULE_AT, MODULE_AT + sizeof image },
    };
    struct tcb *initial;
    seL4_BootInfo *bootinfo;

    fakes_reset(RAM_END);
    nr_cores = NR_CORES;
    fakes.quiet = true;
    nested_format = NESTED_NPT;
    nested_has_1g = true;
    memcpy(hpa_to_ptr(hpa(MODULE_AT)), &image, sizeof image);
    initial = boot_initial_task(&machine);
    initial_context = initial->sched_context;
    playground.slots = cnode_slots(initial->slots[TCB_CSPACE].cap);
    bootinfo = cap_object(playground.slots[seL4_CapBootInfoFrame].cap);
    playground.untyped_start = bootinfo->untyped.start;
    playground.start = bootinfo->empty.start;
    playground.end = playground.start + PLAY_SLOTS;
    playground.image_address = IMAGE_AT;
    nr_slots = playground.end;
    for (host_core = NR_CORES; host_core-- > 1;)
        sched_start_core();
    host_core = 0;
    sched_start(initial);
    make_objects();
    make_spaces();
    make_threads();
}

/* --- steps ----------------------------------------------------------------------------------- */

static unsigned answers[nInvocationLabels][seL4_NumErrors];

static void print_statistics(void)
{
    for (unsigned label = 1; label < nInvocationLabels; label++) {
        fprintf(stderr, "label %2u:", label);
        for (unsigned error = 0; error < seL4_NumErrors; error++)
            fprintf(stderr, " %6u", answers[label][error]);
        fprintf(stderr, "\n");
    }
}

static void step_invocation(struct tcb *thread)
{
    struct message message;
    bool is_call = !chance(8);

    message_invocation(&message);
    call(thread, is_call ? seL4_SysCall : seL4_SysSend, &message);
    if (is_call && this_core()->current == thread && thread->context.rip != SYSCALL_AT &&
        thread->context.rsi >> 12 < seL4_NumErrors)
        answers[message.label][thread->context.rsi >> 12]++;
}

static void step_ipc(struct tcb *thread)
{
    static const s64 numbers[] = {
        seL4_SysCall,   seL4_SysSend,      seL4_SysNBSend,     seL4_SysRecv,
        seL4_SysNBRecv, seL4_SysReplyRecv, seL4_SysNBSendRecv, seL4_SysNBSendWait,
        seL4_SysWait,   seL4_SysNBWait,    seL4_SysYield,
    };
    struct message message;

    message_ipc(&message);
    thread->context.r12 = choose_slot_of(chance(2) ? CAP_REPLY : CAP_ENDPOINT);
    thread->context.r13 = choose_slot_of(CAP_ENDPOINT);
    call(thread, numbers[choose(ARRAY_LENGTH(numbers))], &message);
}

static void step_debug(struct tcb *thread)
{
    static const s64 numbers[] = { seL4_SysDebugCapIdentify, seL4_SysDebugDumpScheduler,
                                   seL4_SysDebugPutChar };
    struct message message = { .cptr = chance(2) ? choose_play_slot() : choose_word() };

    call(thread, numbers[choose(ARRAY_LENGTH(numbers))], &message);
}

static void step_unknown(struct tcb *thread)
{
    struct message message = { .cptr = choose_word() };

    call(thread, -40 - (s64)choose(8), &message);
}

static void step_guest(struct tcb *thread)
{
    struct message message = { .length = chance(2) ? 27 : 3, .word = { choose(256) } };

    call(thread, seL4_SysVMEnter, &message);
}

static void step_fault(struct tcb *thread)
{
    thread->context.by_syscall = 0;
    if (chance(2))
        handle_page_fault(choose_word(), choose(32));
    else
        handle_user_exception(choose(32), choose(4));
}

static void step_interrupt(void)
{
    fakes.interrupt_pending = false;
    if (chance(2))
        handle_timer();
    else
        handle_interrupt(choose(8));
    unlock(); /* as the kernel is left */
}

static void pass_time(void)
{
    fakes.now += chance(16) ? choose(65536) * 512ULL : choose(256) * 16ULL;
    if (fakes.now >= this_core()->timer_deadline)
        handle_timer();
    unlock();
}

/*
 * Somebody from outside puts a thread right and resumes it, as a supervisor would: else a fuzzer's
 * threads soon all sleep.
 */
static void give_context(struct tcb *tcb)
{
    for (unsigned i = 0; i < live.count && !tcb->sched_context; i++) {
        struct cap cap = live.slot[i]->cap;
        struct sched_context *sc = cap_object(cap);

        if (cap.type == CAP_SCHED_CONTEXT && !sc->tcb && !sc->notification &&
            sc->core == host_core && sched_context_is_active(sc))
            sched_context_bind_tcb(sc, tcb);
    }
}

static void give_cspace(struct tcb *tcb)
{
    struct slot *root = &playground.slots[seL4_CapInitThreadCNode];
    struct slot *slot = &tcb->slots[TCB_CSPACE];

    if (root->cap.type != CAP_CNODE ||
        (slot->cap.type == CAP_CNODE && slot->cap.base == root->cap.base))
        return;
    while (slot_delete(slot) == STATUS_PREEMPTED)
        continue;
    slot_insert(root->cap, root, slot);
    known_advance();
}

static bool wake_somebody(void)
{
    unsigned first, count;

    invariants_collect(playground.slots, nr_slots);
    count = live.count;
    first = count ? choose(count) : 0;
    for (unsigned i = 0; i < count; i++) {
        struct cap cap = live.slot[(first + i) % count]->cap;

        if (cap.type != CAP_TCB)
            continue;
        give_context(cap_tcb(cap));
        if (!cap_tcb(cap)->sched_context || cap_tcb(cap)->core != host_core)
            continue;
        give_cspace(cap_tcb(cap));
        tcb_restart(cap_tcb(cap));
        schedule();
        activate_current();
        return true;
    }
    return false;
}

static bool step_idle(void)
{
    if (this_core()->release_head && !chance(4)) {
        if (fakes.now < this_core()->timer_deadline)
            fakes.now = this_core()->timer_deadline;
        handle_timer();
        unlock();
        return true;
    }
    if (chance(4))
        step_interrupt();
    return this_core()->current != this_core()->idle || wake_somebody();
}

static bool all_idle(void)
{
    for (unsigned i = 0; i < NR_CORES; i++)
        if (cores[i].current != cores[i].idle || cores[i].choose_new || cores[i].release_head)
            return false;
    return true;
}

static void step_thread(struct tcb *thread)
{
    static void (*const steps[])(struct tcb *) = {
        step_invocation, step_invocation, step_invocation, step_invocation,
        step_invocation, step_invocation, step_invocation, step_invocation,
        step_invocation, step_ipc,        step_ipc,        step_ipc,
        step_ipc,        step_guest,      step_fault,      step_debug,
    };

    /* It stands at a system call that is to be repeated. */
    if (thread->context.rip == SYSCALL_AT && !thread->context.by_syscall && !chance(8)) {
        thread->context.rip += CONTEXT_SYSCALL_LENGTH;
        thread->context.by_syscall = 1;
        syscall_entry((s64)thread->context.rdx);
    } else if (chance(64)) {
        step_unknown(thread);
    } else {
        steps[choose(ARRAY_LENGTH(steps))](thread);
    }
}

static bool step(void)
{
    struct tcb *thread;

    host_core = choose(NR_CORES);
    if (this_core()->choose_new || this_core()->reprogram) {
        handle_other_core();
        unlock();
        return true;
    }
    thread = this_core()->current;
    if (chance(4))
        fakes.interrupt_pending = true;
    if (thread == this_core()->idle)
        return step_idle() || !all_idle();
    if (thread->state == THREAD_RUNNING_VM) {
        vcpu_run();
        unlock(); /* as the kernel is left */
        return true;
    }
    step_thread(thread);
    unlock();
    if (fakes.interrupt_pending)
        step_interrupt();
    pass_time();
    return true;
}

/* --- the end --------------------------------------------------------------------------------- */

/* Deletes all that can be found; what then is left can be found by nobody. */
static void delete_everything(void)
{
    fakes.interrupt_pending = false;
    do {
        invariants_collect(playground.slots, nr_slots);
        for (unsigned i = live.count; i-- > 0;) {
            if (slot_is_empty(live.slot[i]) || live.slot[i]->cap.type == CAP_CNODE)
                continue;
            while (slot_revoke(live.slot[i]) == STATUS_PREEMPTED)
                continue;
            while (slot_delete(live.slot[i]) == STATUS_PREEMPTED)
                continue;
        }
        for (u64 i = 0; i < nr_slots; i++) {
            while (i != seL4_CapInitThreadCNode &&
                   slot_delete(&playground.slots[i]) == STATUS_PREEMPTED)
                continue;
        }
        invariants_collect(playground.slots, nr_slots);
    } while (live.count > 1);
    for (host_core = NR_CORES; host_core-- > 1;)
        schedule();
    host_core = 0;
    schedule();
}

/* What a lost CNode (see derivation.c) may still hold: its pools, IRQs and ports. */
static void forget_the_lost(void)
{
    for (unsigned i = 0; i < ASID_POOLS; i++) {
        for (u64 at = RAM_START; at < RAM_END; at += PAGE_SIZE) {
            struct cap pool = cap_make(CAP_ASID_POOL, hpa(at), i, 0);

            if (asid_pool_is_installed(i, cap_object(pool)))
                asid_pool_finalise(pool);
        }
    }
    memset(irqs, 0, sizeof irqs);
    io_port_set_issued(0, 0xffff, false);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
    static bool started;
    unsigned spent = 0;

    if (!started && getenv("FUZZ_STATISTICS"))
        atexit(print_statistics);
    started = true;
    choices_begin(data, size);
    begin();
    for (unsigned i = 0; i < MAX_STEPS && spent < SPENT_STEPS; i++) {
        if (!step())
            break;
        invariants_check(playground.slots, nr_slots, i % 16 == 0);
        spent += choices_spent();
    }
    delete_everything();
    forget_the_lost();
    return 0;
}
