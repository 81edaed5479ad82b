/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/vcpu.h"

#include "abi/vcpu.h"
#include "abi/vmcs.h"
#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/core/remote.h"
#include "kernel/core/time.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/tcb.h"
#include "kernel/sched/sched.h"
#include "kernel/vspace/vspace.h"
#include "kernel/x86/entry.h"
#include "kernel/x86/fpu.h"
#include "kernel/x86/virt/virt.h"
#include "lib/string.h"

/* rsi of an answer to VMEnter (ABI section 11.2). */
enum vmenter_result { VMENTER_NOTIFICATION = 0, VMENTER_EXIT = 1 };

/* --- life ------------------------------------------------------------------------------------ */

void vcpu_create(void *base)
{
    struct vcpu *vcpu = (struct vcpu *)((u8 *)base + VCPU_STATE_OFFSET);

    vcpu->deadline = VCPU_DEADLINE_OFF;
    vcpu->xcr0 = 1;
    if (virt_available())
        virt->create(vcpu);
}

/* What this core's processor holds of the VCPU goes to memory. */
static void leave_here(u64 address, u64 unused)
{
    struct vcpu *vcpu = (struct vcpu *)(uintptr_t)address;

    (void)unused;
    fpu_release_vcpu(vcpu);
    if (virt_available())
        virt->leave_core(vcpu);
}

/* The core that runs its thread, and no other, has something of it. */
static void to_memory(struct vcpu *vcpu)
{
    sched_stop_remote(vcpu->tcb);
    remote_run(BIT(vcpu->tcb->core), leave_here, (u64)(uintptr_t)vcpu, 0);
}

void vcpu_settle(struct vcpu *vcpu)
{
    if (vcpu->tcb && vcpu->tcb->core != this_core()->id)
        to_memory(vcpu);
}

void vcpu_bind(struct vcpu *vcpu, struct tcb *tcb)
{
    sched_stop_remote(tcb);
    if (tcb->vcpu)
        vcpu_unbind(tcb->vcpu);
    vcpu_unbind(vcpu);
    vcpu->tcb = tcb;
    tcb->vcpu = vcpu;
}

void vcpu_unbind(struct vcpu *vcpu)
{
    struct tcb *tcb = vcpu->tcb;

    if (!tcb)
        return;
    to_memory(vcpu);
    /* A thread in its guest cannot go on without it: it stands before its VMEnter again. */
    if (tcb->state == THREAD_RUNNING_VM || tcb->state == THREAD_HALTED_VM)
        tcb_suspend(tcb);
    tcb->in_guest = false;
    tcb->vcpu = NULL;
    vcpu->tcb = NULL;
}

static void io_handle_free(struct vcpu *vcpu);

void vcpu_finalise(struct vcpu *vcpu)
{
    vcpu_unbind(vcpu);
    io_handle_free(vcpu);
}

/* --- halted VMs ------------------------------------------------------------------------------ */

static void halted_insert(struct vcpu *vcpu)
{
    struct core *core = &cores[vcpu->tcb->core];
    struct vcpu **place = &core->halted_vms;

    while (*place && (*place)->deadline <= vcpu->deadline)
        place = &(*place)->halted_next;
    vcpu->halted_next = *place;
    vcpu->halted_at = place;
    if (*place)
        (*place)->halted_at = &vcpu->halted_next;
    *place = vcpu;
    core->reprogram = true;
}

static void halted_remove(struct vcpu *vcpu)
{
    *vcpu->halted_at = vcpu->halted_next;
    if (vcpu->halted_next)
        vcpu->halted_next->halted_at = vcpu->halted_at;
}

static bool is_halted(const struct vcpu *vcpu)
{
    return vcpu->tcb && vcpu->tcb->state == THREAD_HALTED_VM;
}

void vcpu_stop(struct tcb *thread)
{
    if (thread->state == THREAD_HALTED_VM)
        halted_remove(thread->vcpu);
}

void vcpu_leave_core(struct vcpu *vcpu)
{
    to_memory(vcpu);
    if (is_halted(vcpu))
        halted_remove(vcpu);
}

void vcpu_enter_core(struct vcpu *vcpu)
{
    if (is_halted(vcpu))
        halted_insert(vcpu);
}

void vcpu_set_deadline(struct vcpu *vcpu, ticks_t deadline)
{
    if (is_halted(vcpu))
        halted_remove(vcpu);
    vcpu->deadline = deadline;
    if (is_halted(vcpu))
        halted_insert(vcpu);
}

/* --- answers to the monitor ------------------------------------------------------------------ */

/* Words 4 and up of a message lie behind the tag in the IPC buffer. */
static u64 *message_words(u64 *buffer)
{
    return buffer + 1;
}

static void write_registers(struct vcpu *vcpu, u64 *words)
{
#pragma GCC unroll 15
    for (unsigned i = 0; i < VCPU_GPR_COUNT; i++)
        words[VMENTER_MR_RAX + i] = vcpu->gpr[i];
}

/* What an extended VMEnter gets to send the message back. */
static void write_extended_words(struct vcpu *vcpu, u64 *words)
{
    words[VMENTER_MR_ACTIVITY] = vcpu->activity;
    words[VMENTER_MR_DEADLINE] = vcpu->deadline;
}

/* And after an exit that has a qualification: events, and modes but where rip tells them. */
static void write_details(struct vcpu *vcpu, u64 *words, u64 rip)
{
    const struct vcpu_exit *exit = &vcpu->exit;

    words[VMENTER_MR_VECTORING_INFO] = exit->vectoring_info;
    words[VMENTER_MR_VECTORING_ERROR] = exit->vectoring_error;
    words[VMENTER_MR_INTERRUPTION_INFO] = exit->interruption_info;
    words[VMENTER_MR_INTERRUPTION_ERROR] = exit->interruption_error;
    if (exit->reason != VMX_EXIT_EPT_VIOLATION || rip < VMENTER_64_BIT_CODE)
        virt->decode_state(vcpu, words + VMENTER_MR_CR0);
}

/* Words 0 to 2, and 7 to 9 if there is where to put them. */
static inline void write_state(struct vcpu *vcpu, struct user_context *context, u64 *buffer)
{
    static u64 nowhere[3];

    virt->answer_state(vcpu, context, buffer ? message_words(buffer) + VMENTER_MR_RFLAGS : nowhere);
}

/* Inline where each exit passes. */
static inline __attribute__((always_inline)) void write_exit(struct tcb *tcb, struct vcpu *vcpu)
{
    struct user_context *context = &tcb->context;
    u64 *buffer = tcb_known(tcb)->buffer;

    context->r15 = vcpu->exit.reason;
    context->rsi = VMENTER_EXIT;
    write_state(vcpu, context, buffer);
    if (!buffer)
        return;

    u64 *words = message_words(buffer);

    words[VMENTER_MR_QUALIFICATION] = vcpu->exit.qualification;
    words[VMENTER_MR_INSTRUCTION_LENGTH] = vcpu->exit.instruction_length;
    words[VMENTER_MR_GUEST_PHYSICAL] = vcpu->exit.guest_physical;
    write_registers(vcpu, words);
    if (!vcpu->extended)
        return;
    write_extended_words(vcpu, words);
    if (vcpu->exit.detailed)
        write_details(vcpu, words, context->r10);
}

static void write_notification(struct tcb *tcb, struct vcpu *vcpu, u64 badge)
{
    struct user_context *context = &tcb->context;
    u64 *buffer = tcb_known(tcb)->buffer;

    context->rsi = VMENTER_NOTIFICATION;
    context->rdi = badge;
    write_state(vcpu, context, vcpu->extended ? buffer : NULL);
    if (!vcpu->extended || !buffer)
        return;

    u64 *words = message_words(buffer);

    write_registers(vcpu, words);
    write_extended_words(vcpu, words);
}

void vcpu_notify(struct tcb *thread, u64 badge)
{
    vcpu_stop(thread);
    write_notification(thread, thread->vcpu, badge);
    thread_set_state(thread, THREAD_RUNNING);
}

static void timer_exit(struct tcb *thread)
{
    struct vcpu *vcpu = thread->vcpu;

    vcpu_stop(thread);
    vcpu->deadline = VCPU_DEADLINE_OFF;
    vcpu_exit_begin(&vcpu->exit);
    vcpu->exit.reason = VMX_EXIT_PREEMPTION_TIMER;
    write_exit(thread, vcpu);
    thread_set_state(thread, THREAD_RUNNING);
}

/* --- entry ----------------------------------------------------------------------------------- */

/* But for the guest's general registers. */
static void read_extended_words(struct vcpu *vcpu, const u64 *words)
{
    vcpu->activity =
        __atomic_load_n(&words[VMENTER_MR_ACTIVITY], __ATOMIC_RELAXED) == VCPU_ACTIVITY_HLT;
    vcpu->deadline = __atomic_load_n(&words[VMENTER_MR_DEADLINE], __ATOMIC_RELAXED);
}

/* Interrupts that the monitor posts: whether the message is one that does. Done once, should the
 * thread be stopped and repeat its VMEnter. */
static __attribute__((noinline, cold)) bool take_posted(struct tcb *thread, const u64 *words)
{
    u64 set[VMENTER_POSTED_WORDS];

    if (!thread->vcpu->virtual_apic || thread->context.rsi != VMENTER_POSTING_LENGTH)
        return false;
    for (unsigned i = 0; i < VMENTER_POSTED_WORDS; i++)
        set[i] = __atomic_load_n(&words[VMENTER_MR_POSTED + i], __ATOMIC_RELAXED);
    virt->post_interrupts(thread->vcpu, set);
    thread->context.rsi = VMENTER_EXTENDED_LENGTH;
    return true;
}

/* Whether the guest is to sleep, or sleeps on. */
static bool is_to_sleep(struct vcpu *vcpu)
{
    if (vcpu->activity != VCPU_ACTIVITY_HLT)
        return false;
    if (vcpu->virtual_apic && virt->interrupt_wakes(vcpu))
        vcpu->activity = VCPU_ACTIVITY_ACTIVE;
    return vcpu->activity == VCPU_ACTIVITY_HLT;
}

/* HLT: other threads run until the timer or a notification. The monitor knows what these mean, but
 * where it is not the one who wakes the guest. */
static void halt(struct tcb *thread, struct vcpu *vcpu)
{
    vcpu->activity = vcpu->virtual_apic ? VCPU_ACTIVITY_HLT : VCPU_ACTIVITY_ACTIVE;
    halted_insert(vcpu);
    thread_set_state(thread, THREAD_HALTED_VM);
}

/* A notification came first: the message stays as it was passed, but nobody sleeps any more. */
static bool was_notified(struct tcb *thread, u64 *buffer)
{
    if (!notification_poll(thread->notification, &thread->context.rdi))
        return false;
    if (thread->vcpu->extended && !thread->vcpu->virtual_apic)
        message_words(buffer)[VMENTER_MR_ACTIVITY] = VCPU_ACTIVITY_ACTIVE;
    thread->context.rsi = VMENTER_NOTIFICATION;
    return true;
}

/*
 * Only a buffer that the answer can be written to counts as one. Returns where the guest's general
 * registers are: those of a message are not copied before the entry.
 */
static inline __attribute__((always_inline)) const u64 *enter(struct core *core, struct tcb *thread,
                                                              struct vcpu *vcpu)
{
    const struct user_context *context = &thread->context;
    u64 *buffer = tcb_known(thread)->buffer;
    const u64 *registers = vcpu->gpr;

    vcpu->exited = false;
    if (__builtin_expect(buffer && context->rsi == VMENTER_EXTENDED_LENGTH, true))
        vcpu->extended = true;
    else
        vcpu->extended = buffer && take_posted(thread, message_words(buffer));
    if (thread->notification && was_notified(thread, buffer))
        return registers;
    if (buffer)
        virt->set_entry(vcpu, context->r10, context->r8, context->r9);
    if (vcpu->extended) {
        read_extended_words(vcpu, message_words(buffer));
        registers = message_words(buffer) + VMENTER_MR_RAX;
    }

    /* A timer set too early finds nothing to do and is set anew; that is cheaper than always
     * setting it. */
    if (vcpu->deadline < core->timer_deadline)
        core->reprogram = true;
    if (is_to_sleep(vcpu))
        halt(thread, vcpu);
    else
        thread->state = THREAD_RUNNING_VM; /* from RUNNING: the queues do not care */
    return registers;
}

static __attribute__((noinline, cold)) void choose_again(void)
{
    time_update();
    sched_choose();
}

/* Somebody else may run first. */
static __attribute__((noinline, cold)) void enter_later(struct vcpu *vcpu, const u64 *registers)
{
    vcpu_take_registers(vcpu, registers);
    choose_again();
}

/* The exit goes to the monitor. */
static inline __attribute__((always_inline)) void deliver_exit(struct tcb *thread,
                                                               struct vcpu *vcpu)
{
    write_exit(thread, vcpu);
    vcpu->exited = false;
    thread->state = THREAD_RUNNING;
}

/* Dealt with in the backend: the guest goes on, if its thread has not been stopped meanwhile. */
static __attribute__((noinline, cold)) enum guest_outcome go_on(struct core *core,
                                                                struct tcb *thread,
                                                                struct vcpu *vcpu)
{
    enum guest_outcome outcome = GUEST_RESUME;

    while (outcome == GUEST_RESUME) {
        lock_on_entry(core);
        if (core->current != thread) {
            unlock_this_core();
            return GUEST_INTERRUPT;
        }
        outcome = virt->run(vcpu, tcb_known(thread)->nested_root, vcpu->gpr);
    }
    return outcome;
}

/*
 * Begins and ends with this core's lock, which it gives up while the guest runs. True: the monitor
 * is told of an exit, and goes on. Until this core has its lock again, the thread may be stopped by
 * another: then the exit waits in the VCPU until the thread runs again.
 */
static inline __attribute__((always_inline)) bool run(struct core *core, struct tcb *thread,
                                                      struct vcpu *vcpu, hpa_t nested_root,
                                                      const u64 *registers)
{
    enum guest_outcome outcome;

    if (core->fpu_owner_vcpu != vcpu || !core->guest_xcr0_loaded)
        fpu_switch_to_vcpu(vcpu);
    outcome = virt->run(vcpu, nested_root, registers);
    if (outcome == GUEST_RESUME)
        outcome = go_on(core, thread, vcpu);
    if (outcome == GUEST_EXIT) /* otherwise it may be somebody else's by now */
        vcpu->exited = true;
    lock_on_entry(core);
    if (core->current != thread) {
        choose_again();
        return false;
    }
    if (outcome != GUEST_EXIT)
        return false;
    deliver_exit(thread, vcpu);
    return true;
}

void vcpu_run(void)
{
    struct core *core = this_core();
    struct tcb *thread = core->current;

    lock_on_entry(core);
    if (core->current != thread)
        choose_again();
    else if (thread->vcpu->exited)
        deliver_exit(thread, thread->vcpu);
    else
        (void)run(core, thread, thread->vcpu, tcb_known(thread)->nested_root, thread->vcpu->gpr);
}

bool vcpu_enter(void)
{
    struct core *core = this_core();
    const u64 *registers;
    struct tcb *thread;
    struct vcpu *vcpu;

    thread = core->current;
    vcpu = thread->vcpu;
    if (!vcpu)
        return false;
    registers = enter(core, thread, vcpu);
    if (core->reprogram || core->choose_new || thread->state == THREAD_HALTED_VM) {
        enter_later(vcpu, registers);
        return true;
    }
    if (thread->state != THREAD_RUNNING_VM)
        return true;
    if (run(core, thread, vcpu, thread->known.nested_root, registers))
        kernel_resume(thread);
    else if (core->current->state == THREAD_RUNNING_VM)
        kernel_leave_by_interrupt();
    return true;
}

/* --- timers ---------------------------------------------------------------------------------- */

ticks_t vcpu_next_deadline(void)
{
    const struct core *core = this_core();
    ticks_t running = core->current->state == THREAD_RUNNING_VM ? core->current->vcpu->deadline
                                                                : VCPU_DEADLINE_OFF;
    ticks_t halted = core->halted_vms ? core->halted_vms->deadline : VCPU_DEADLINE_OFF;

    return running < halted ? running : halted;
}

void vcpu_timers_expire(ticks_t now)
{
    struct core *core = this_core();

    if (core->current->state == THREAD_RUNNING_VM && core->current->vcpu->deadline <= now &&
        !core->current->vcpu->exited)
        timer_exit(core->current);
    while (core->halted_vms && core->halted_vms->deadline <= now) {
        struct tcb *thread = core->halted_vms->tcb;

        timer_exit(thread);
        possible_switch_to(thread);
    }
}

/* --- I/O ports ------------------------------------------------------------------------------- */

/*
 * An I/O port capability names the VCPU it is mapped to by a handle, not by address: the VCPU may
 * be gone, and its memory somebody's, when the capability goes. Handles count up, and the lower
 * bits say where the VCPU is; when all places are taken the oldest is, and its VCPU's ports are
 * intercepted again (as on seL4, ABI section 11.1).
 */
#define IO_HANDLES 1024

static struct vcpu *io_handles[IO_HANDLES];
static u32 io_handle_last;

/* The first port that is opened: until then the guest has the backend's bitmap without any. */
static void io_bitmap_begin(struct vcpu *vcpu)
{
    if (vcpu->has_io_bitmap)
        return;
    memset(vcpu_io_bitmap(vcpu), 0xff, VCPU_IO_BITMAP_BYTES + VCPU_GUARD_BYTES);
    vcpu->has_io_bitmap = true;
    virt->use_io_bitmap(vcpu);
}

static struct vcpu *io_handle_find(u32 handle)
{
    struct vcpu *vcpu = io_handles[handle % IO_HANDLES];

    return vcpu && vcpu->io_handle == handle ? vcpu : NULL;
}

static void io_handle_free(struct vcpu *vcpu)
{
    if (!vcpu->io_handle)
        return;
    io_handles[vcpu->io_handle % IO_HANDLES] = NULL;
    vcpu->io_handle = 0;
    memset(vcpu_io_bitmap(vcpu), 0xff, VCPU_IO_BITMAP_BYTES);
}

static u32 io_handle_of(struct vcpu *vcpu)
{
    struct vcpu **place;

    if (vcpu->io_handle)
        return vcpu->io_handle;
    io_handle_last = io_handle_last % UINT32_MAX + 1; /* 0 is no handle */
    place = &io_handles[io_handle_last % IO_HANDLES];
    if (*place)
        io_handle_free(*place);
    *place = vcpu;
    vcpu->io_handle = io_handle_last;
    return io_handle_last;
}

u32 vcpu_map_io_ports(struct vcpu *vcpu, u16 first, u16 last)
{
    u8 *bitmap = vcpu_io_bitmap(vcpu);

    io_bitmap_begin(vcpu);
    for (unsigned port = first; port <= last; port++)
        bitmap[port / 8] &= (u8) ~(1u << (port % 8));
    return io_handle_of(vcpu);
}

void vcpu_intercept_io_ports(struct vcpu *vcpu, u16 first, u16 last)
{
    u8 *bitmap = vcpu_io_bitmap(vcpu);

    if (!vcpu->has_io_bitmap)
        return;
    for (unsigned port = first; port <= last; port++)
        bitmap[port / 8] |= (u8)(1u << (port % 8));
}

void vcpu_unmap_io_ports(struct cap io_port)
{
    struct vcpu *vcpu = io_handle_find(io_port_vcpu(io_port));

    if (vcpu)
        vcpu_intercept_io_ports(vcpu, io_port_first(io_port), io_port_last(io_port));
}
