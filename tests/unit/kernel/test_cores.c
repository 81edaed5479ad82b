/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several cores, played one at a time: threads and guests that another core runs are stopped,
 * moved, signalled and deleted.
 */
#include <setjmp.h>

#include "tests/unit/kernel/thread_world.h"

#include "abi/vmcs.h"
#include "kernel/api/syscall.h"
#include "kernel/core/lock.h"
#include "kernel/object/vcpu.h"
#include "kernel/x86/virt/virt.h"

/* --- a guest that does what the test says ---------------------------------------------------- */

static enum guest_outcome outcome; /* of the next entry */
static bool stops_before_entry;    /* the core is left where it is about to enter */
static bool other_takes_lock;      /* another core, while the guest runs */
static jmp_buf before_entry;
static unsigned entries;
static unsigned left_core[CONFIG_MAX_CORES]; /* how often a VCPU was taken out of a core */

static void guest_create(struct vcpu *vcpu)
{
    (void)vcpu;
}

static void guest_leave_core(struct vcpu *vcpu)
{
    (void)vcpu;
    left_core[host_core]++;
}

static void guest_set_entry(struct vcpu *vcpu, u64 rip, u64 primary_controls, u64 interruption_info)
{
    (void)vcpu;
    (void)rip;
    (void)primary_controls;
    (void)interruption_info;
}

static enum guest_outcome guest_run(struct vcpu *vcpu, hpa_t nested_root, const u64 *registers)
{
    (void)nested_root;
    vcpu_take_registers(vcpu, registers);
    unlock_this_core();
    if (stops_before_entry)
        longjmp(before_entry, 1);
    entries++;
    if (other_takes_lock)
        this_core()->lock.next_ticket++;
    if (outcome == GUEST_EXIT)
        vcpu->exit = (struct vcpu_exit){ .reason = VMX_EXIT_CPUID };
    return outcome;
}

static void guest_answer_state(struct vcpu *vcpu, struct user_context *context, u64 words[3])
{
    (void)vcpu;
    (void)context;
    words[0] = words[1] = words[2] = 0;
}

static const struct virt_backend guest_backend = {
    .name = "test",
    .nested_format = NESTED_NPT,
    .create = guest_create,
    .leave_core = guest_leave_core,
    .set_entry = guest_set_entry,
    .run = guest_run,
    .answer_state = guest_answer_state,
};

/* --- cores ----------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    thread_world_set_up(state);
    nr_cores = 3;
    for (unsigned i = 0; i < nr_cores; i++)
        cores[i].now = fakes.now;
    virt = &guest_backend;
    entries = 0;
    memset(left_core, 0, sizeof left_core);
    return 0;
}

/* Core and handler of an interrupt: from the kernel's entry to its end. */
static void interrupt(unsigned core, void (*handler)(void))
{
    unsigned was = host_core;

    host_core = core;
    handler();
    unlock();
    check_threads();
    host_core = was;
}

/* The interrupt that unlock sends to a core with news. */
static void tell(unsigned core)
{
    assert_true(cores[core].choose_new || cores[core].reprogram);
    interrupt(core, handle_other_core);
}

static bool runs_on(unsigned core, unsigned thread)
{
    return cores[core].current == tcb_at(thread) && tcb_at(thread)->core == core;
}

/* A thread of another core with that budget, which runs there. */
static unsigned make_thread_on(unsigned core, u8 priority, u64 budget_us, u64 period_us)
{
    unsigned thread = make_passive_thread(priority);
    struct sched_context *sc = sched_context_at(make_sched_context(budget_us, period_us));

    sc->core = (u16)core;
    sched_context_bind_tcb(sc, tcb_at(thread));
    tcb_restart(tcb_at(thread));
    tell(core);
    assert_true(runs_on(core, thread));
    return thread;
}

static unsigned busy_thread_on(unsigned core, u8 priority)
{
    return make_thread_on(core, priority, 5000, 5000);
}

static unsigned sched_control_of(unsigned core)
{
    unsigned slot = empty_slot();

    slot_insert_root(&world.slots[slot], cap_make(CAP_SCHED_CONTROL, hpa(0), 0, core));
    return slot;
}

static u64 move(unsigned by, unsigned thread, unsigned core)
{
    return invoke(by, sched_control_of(core), SchedControlConfigureFlags,
                  EXTRA((int)sched_context_slot_of(thread)), 5000, 5000, 0, 0, 0);
}

/* --- guests ---------------------------------------------------------------------------------- */

/* A VCPU for the thread. */
static struct vcpu *give_guest(unsigned thread)
{
    struct vcpu *vcpu = cap_vcpu(cap_at(make(seL4_X86_VCPUObject, 0)));

    vcpu_bind(vcpu, tcb_at(thread));
    tell(tcb_at(thread)->core);
    return vcpu;
}

static struct notification *bind_notification(unsigned thread)
{
    struct notification *notification = notification_at(make_notification());

    notification_bind(notification, tcb_at(thread));
    return notification;
}

/* The monitor's VMEnter; the core stands before VMRUN. */
static void enter_guest(unsigned thread)
{
    volatile unsigned was = host_core;

    host_core = tcb_at(thread)->core;
    assert_int_equal(tcb_at(thread)->state, THREAD_RUNNING);
    stops_before_entry = true;
    if (setjmp(before_entry) == 0) {
        lock_on_entry(this_core());
        assert_true(vcpu_enter());
        unlock();
    }
    stops_before_entry = false;
    host_core = was;
}

/* From before VMRUN to the guest's next exit, or to the interrupt that waits. */
static void run_guest(unsigned core, enum guest_outcome result)
{
    unsigned was = host_core;

    outcome = result;
    host_core = core;
    vcpu_run();
    unlock();
    if (result == GUEST_EXIT)
        check_threads();
    host_core = was;
}

static bool was_signalled(unsigned thread, u64 badge)
{
    const struct tcb *tcb = tcb_at(thread);

    return tcb->state == THREAD_RUNNING && tcb->context.rsi == 0 && tcb->context.rdi == badge;
}

static bool was_told_of_exit(unsigned thread)
{
    const struct tcb *tcb = tcb_at(thread);

    return tcb->state == THREAD_RUNNING && tcb->context.rsi == 1 &&
           tcb->context.r15 == VMX_EXIT_CPUID;
}

static void test_signal_ends_a_guest_elsewhere(void **state)
{
    unsigned monitor = busy_thread_on(1, 100);
    struct notification *notification = bind_notification(monitor);

    (void)state;
    give_guest(monitor);
    enter_guest(monitor);
    notification_signal(notification, 5);
    notification_signal(notification, 2);
    assert_true(cores[1].choose_new);
    run_guest(1, GUEST_INTERRUPT);
    tell(1);
    assert_true(was_signalled(monitor, 7) && runs_on(1, monitor));
    assert_int_equal(notification->state, NOTIFICATION_IDLE);
}

/* The interrupt comes when another thread runs already: the signal waits for the monitor's turn. */
static void test_signal_survives_a_change_of_threads(void **state)
{
    unsigned monitor = busy_thread_on(1, 100), other = make_passive_thread(200);
    struct notification *notification = bind_notification(monitor);
    struct sched_context *sc = sched_context_at(make_sched_context(5000, 5000));

    (void)state;
    give_guest(monitor);
    enter_guest(monitor);
    notification_signal(notification, 5);
    sc->core = 1;
    sched_context_bind_tcb(sc, tcb_at(other));
    tcb_restart(tcb_at(other));
    run_guest(1, GUEST_INTERRUPT);
    tell(1);
    assert_true(runs_on(1, other));
    assert_int_equal(tcb_at(monitor)->state, THREAD_RUNNING_VM);

    tcb_suspend(tcb_at(other));
    tell(1);
    assert_true(runs_on(1, monitor) && was_signalled(monitor, 5));
}

static void test_signal_survives_a_move(void **state)
{
    unsigned mover = make_thread(50), monitor = busy_thread_on(1, 100);
    struct notification *notification = bind_notification(monitor);

    (void)state;
    give_guest(monitor);
    enter_guest(monitor);
    notification_signal(notification, 5);
    assert_int_equal(move(mover, monitor, 2), seL4_NoError);
    assert_int_equal(left_core[1], 1);
    tell(2);
    assert_true(runs_on(2, monitor) && was_signalled(monitor, 5));
}

static struct {
    unsigned monitor;
    struct notification *notification;
} stopped;

/* Core 0 has the lock that core 1 waits for. */
static void stop_and_signal(void)
{
    unsigned was = host_core;

    host_core = 0;
    sched_stop_remote(tcb_at(stopped.monitor));
    assert_ptr_equal(cores[1].current, cores[1].idle);
    if (stopped.notification)
        notification_signal(stopped.notification, 5);
    host_core = was;
}

/* The guest has exited; before the monitor hears of it, it is stopped, and signalled. */
static void exit_and_stop(unsigned monitor, struct notification *notification)
{
    stopped.monitor = monitor;
    stopped.notification = notification;
    fakes.on_lock_wait = stop_and_signal;
    other_takes_lock = true;
    run_guest(1, GUEST_EXIT);
    other_takes_lock = false;
    fakes.on_lock_wait = NULL;
    assert_true(runs_on(1, monitor));
    assert_int_equal(tcb_at(monitor)->state, THREAD_RUNNING_VM);
    assert_int_equal(entries, 1);
}

static void test_exit_comes_before_a_signal(void **state)
{
    unsigned monitor = busy_thread_on(1, 100);
    struct notification *notification = bind_notification(monitor);

    (void)state;
    give_guest(monitor);
    enter_guest(monitor);
    exit_and_stop(monitor, notification);
    interrupt(1, handle_other_core);
    run_guest(1, GUEST_RESUME);
    assert_int_equal(entries, 1);
    assert_true(was_told_of_exit(monitor));
    enter_guest(monitor);
    assert_true(was_signalled(monitor, 5));
}

/* It is stopped and signalled on the way back into its guest: the guest does not run. */
static void test_stop_on_the_way_into_the_guest(void **state)
{
    unsigned monitor = busy_thread_on(1, 100);

    (void)state;
    stopped.monitor = monitor;
    stopped.notification = bind_notification(monitor);
    give_guest(monitor);
    enter_guest(monitor);
    fakes.on_lock_wait = stop_and_signal;
    cores[1].lock.next_ticket++;
    run_guest(1, GUEST_EXIT);
    fakes.on_lock_wait = NULL;
    assert_int_equal(entries, 0);
    assert_true(runs_on(1, monitor) && was_signalled(monitor, 5));
}

static void test_exit_comes_before_the_timer(void **state)
{
    unsigned monitor = busy_thread_on(1, 100);
    struct vcpu *vcpu = give_guest(monitor);

    (void)state;
    enter_guest(monitor);
    vcpu->deadline = fakes.now;
    exit_and_stop(monitor, NULL);
    interrupt(1, handle_timer);
    run_guest(1, GUEST_RESUME);
    assert_true(was_told_of_exit(monitor));
    assert_int_equal(vcpu->deadline, fakes.now);
    enter_guest(monitor);
    interrupt(1, handle_timer);
    assert_int_equal(tcb_at(monitor)->context.r15, VMX_EXIT_PREEMPTION_TIMER);
}

static void test_signal_wakes_a_halted_guest_elsewhere(void **state)
{
    unsigned monitor = busy_thread_on(1, 100);
    struct notification *notification = bind_notification(monitor);
    struct vcpu *vcpu = give_guest(monitor);

    (void)state;
    vcpu->activity = 1;
    enter_guest(monitor);
    assert_ptr_equal(cores[1].halted_vms, vcpu);
    interrupt(1, handle_timer);
    assert_ptr_equal(cores[1].current, cores[1].idle);
    notification_signal(notification, 5);
    assert_null(cores[1].halted_vms);
    tell(1);
    assert_true(runs_on(1, monitor) && was_signalled(monitor, 5));
}

static void test_halted_guest_moves_with_its_thread(void **state)
{
    unsigned mover = make_thread(50), monitor = busy_thread_on(1, 100);
    struct vcpu *vcpu = give_guest(monitor);

    (void)state;
    vcpu->activity = 1;
    enter_guest(monitor);
    interrupt(1, handle_timer);
    assert_int_equal(move(mover, monitor, 2), seL4_NoError);
    assert_null(cores[1].halted_vms);
    assert_ptr_equal(cores[2].halted_vms, vcpu);
    vcpu_set_deadline(vcpu, fakes.now);
    interrupt(2, handle_timer);
    assert_null(cores[2].halted_vms);
    assert_true(runs_on(2, monitor));
}

/* --- threads --------------------------------------------------------------------------------- */

static void test_waking_a_thread_tells_its_core(void **state)
{
    unsigned low = busy_thread_on(1, 50), high = make_passive_thread(100);
    struct sched_context *sc = sched_context_at(make_sched_context(5000, 5000));

    (void)state;
    sc->core = 1;
    sched_context_bind_tcb(sc, tcb_at(high));
    assert_false(cores[1].choose_new);
    tcb_restart(tcb_at(high));
    assert_true(cores[1].choose_new && !cores[0].choose_new);
    assert_true(tcb_at(high)->in_ready_queue && runs_on(1, low));
    tell(1);
    assert_true(runs_on(1, high));
    assert_true(tcb_at(low)->in_ready_queue);
}

/* From user code it goes on where it was; what it used until then is charged. */
static void test_stop_and_go_on(void **state)
{
    unsigned thread = busy_thread_on(1, 100);
    struct sched_context *sc = tcb_at(thread)->sched_context;

    (void)state;
    fakes.now += us_to_ticks(1000);
    this_core()->now = fakes.now;
    sched_stop_remote(tcb_at(thread));
    assert_ptr_equal(cores[1].current, cores[1].idle);
    assert_null(cores[1].current_sc);
    assert_int_equal(sc->consumed, us_to_ticks(1000));
    assert_true(tcb_at(thread)->in_ready_queue);
    tell(1);
    assert_true(runs_on(1, thread));
    assert_int_equal(tcb_at(thread)->state, THREAD_RUNNING);
    assert_int_equal(tcb_at(thread)->context.rip, CODE);
}

/* A thread that had entered the kernel, and waited for the lock, makes its system call again. */
static unsigned waiting_thread;

static void stop_waiting_thread(void)
{
    unsigned was = host_core;

    host_core = 0;
    tcb_suspend(tcb_at(waiting_thread));
    host_core = was;
}

static void test_stop_of_a_thread_that_waits_for_the_lock(void **state)
{
    unsigned thread = busy_thread_on(1, 100), endpoint = make_endpoint();
    struct user_context *context = &tcb_at(thread)->context;

    (void)state;
    waiting_thread = thread;
    fakes.on_lock_wait = stop_waiting_thread;
    host_core = 1;
    cores[1].lock.next_ticket++;
    context->rdi = endpoint;
    context->rsi = 0;
    context->by_syscall = 1;
    context->rip = CODE + CONTEXT_SYSCALL_LENGTH;
    syscall_entry(seL4_SysCall);
    unlock();
    check_threads();
    assert_idle();
    host_core = 0;
    fakes.on_lock_wait = NULL;
    assert_int_equal(tcb_at(thread)->state, THREAD_INACTIVE);
    assert_int_equal(endpoint_state(endpoint_at(endpoint)), ENDPOINT_IDLE);
    tcb_restart(tcb_at(thread));
    tell(1);
    assert_true(runs_on(1, thread));
    assert_int_equal(context->rip, CODE);
}

static void test_move_of_a_running_thread(void **state)
{
    unsigned mover = make_thread(50), thread = busy_thread_on(1, 100);

    (void)state;
    assert_int_equal(move(mover, thread, 2), seL4_NoError);
    assert_int_equal(tcb_at(thread)->core, 2);
    assert_ptr_equal(cores[1].current, cores[1].idle);
    tell(1);
    assert_ptr_equal(cores[1].current, cores[1].idle);
    tell(2);
    assert_true(runs_on(2, thread));
    assert_int_equal(move(mover, thread, 0), seL4_NoError);
    assert_running(thread);
}

/* Both ends of a YieldTo are on one core: a move of either ends it. */
static void test_move_ends_yield_to(void **state)
{
    unsigned mover = busy_thread_on(1, 100), caller = make_thread(100), target = make_thread(100);
    unsigned yielded = sched_context_slot_of(target);

    (void)state;
    do_yield(caller);
    do_yield(target);
    assert_int_equal(invoke(caller, yielded, SchedContextYieldTo, NO_EXTRA), seL4_NoError);
    assert_running(target);
    assert_ptr_equal(tcb_at(caller)->yield_to, sched_context_at(yielded));
    host_core = 1;
    assert_int_equal(move(mover, target, 2), seL4_NoError);
    host_core = 0;
    assert_null(tcb_at(caller)->yield_to);
    assert_null(sched_context_at(yielded)->yield_from);
    tell(0);
    assert_running(caller);
    tell(2);
    assert_true(runs_on(2, target));
}

/* It runs already: it is neither queued, nor postponed although its budget is spent. */
static void test_yield_to_a_thread_that_runs_elsewhere(void **state)
{
    unsigned caller = make_thread(100), target = busy_thread_on(1, 50);
    unsigned sc = sched_context_slot_of(target);

    (void)state;
    assert_int_equal(invoke(caller, sc, SchedContextYieldTo, NO_EXTRA), seL4_NoError);
    assert_true(runs_on(1, target) && !tcb_at(target)->in_ready_queue);
    fakes.now += us_to_ticks(4999);
    this_core()->now = fakes.now;
    cores[1].choose_new = false;
    host_core = 1;
    time_update();
    host_core = 0;
    assert_int_equal(invoke(caller, sc, SchedContextYieldTo, NO_EXTRA), seL4_NoError);
    assert_true(runs_on(1, target) && !tcb_at(target)->in_release_queue);
    interrupt(1, handle_timer);
    assert_true(runs_on(1, target));
}

/* --- time ------------------------------------------------------------------------------------ */

static void test_timer_without_handler_keeps_to_its_core(void **state)
{
    unsigned thread = make_thread_on(1, 100, 1000, 10000);

    (void)state;
    fakes.now += us_to_ticks(1000);
    interrupt(1, handle_timer);
    assert_ptr_equal(cores[1].current, cores[1].idle);
    assert_true(tcb_at(thread)->in_release_queue);
    assert_false(cores[0].choose_new);
}

static void test_timer_with_handler_elsewhere(void **state)
{
    unsigned endpoint = make_endpoint(), reply = make_reply(), handler = make_thread(50), thread;

    (void)state;
    do_recv(handler, endpoint, reply);
    assert_idle();
    thread = make_thread_on(1, 100, 1000, 10000);
    slot_insert(cap_at(endpoint), &world.slots[endpoint],
                &tcb_at(thread)->slots[TCB_TIMEOUT_HANDLER]);
    fakes.now += us_to_ticks(1000);
    interrupt(1, handle_timer);
    assert_int_equal(tcb_at(thread)->state, THREAD_BLOCKED_ON_REPLY);
    assert_true(cores[0].choose_new);
    tell(0);
    assert_running(handler);
    assert_int_equal(tcb_at(handler)->context.rsi >> 12, seL4_Fault_Timeout);
}

/* While it waits for all locks to tell the handler, the thread is stopped and suspended. */
static void test_timer_of_a_thread_that_is_stopped(void **state)
{
    unsigned endpoint = make_endpoint(), thread = make_thread_on(1, 100, 1000, 10000);

    (void)state;
    slot_insert(cap_at(endpoint), &world.slots[endpoint],
                &tcb_at(thread)->slots[TCB_TIMEOUT_HANDLER]);
    fakes.now += us_to_ticks(1000);
    waiting_thread = thread;
    fakes.on_lock_wait = stop_waiting_thread;
    cores[1].lock.next_ticket++;
    interrupt(1, handle_timer);
    fakes.on_lock_wait = NULL;
    assert_ptr_equal(cores[1].current, cores[1].idle);
    assert_int_equal(tcb_at(thread)->state, THREAD_INACTIVE);
    assert_int_equal(endpoint_state(endpoint_at(endpoint)), ENDPOINT_IDLE);
}

static void test_consumed_of_a_context_in_use_elsewhere(void **state)
{
    unsigned caller = make_thread(50), thread = busy_thread_on(1, 100);

    (void)state;
    fakes.now += us_to_ticks(700);
    assert_int_equal(invoke(caller, sched_context_slot_of(thread), SchedContextConsumed, NO_EXTRA),
                     seL4_NoError);
    assert_int_equal(tcb_at(caller)->context.r10, 700);
    assert_true(runs_on(1, thread));
}

/* --- the end of what another core runs ------------------------------------------------------- */

static void test_delete_thread_that_runs_elsewhere(void **state)
{
    unsigned thread = busy_thread_on(1, 100);
    struct sched_context *sc = tcb_at(thread)->sched_context;
    struct tcb *tcb = tcb_at(thread);

    (void)state;
    assert_int_equal(slot_delete(&world.slots[thread]), STATUS_OK);
    assert_ptr_equal(cores[1].current, cores[1].idle);
    assert_false(tcb->in_ready_queue);
    assert_null(sc->tcb);
    tell(1);
    assert_ptr_equal(cores[1].current, cores[1].idle);
}

static void test_delete_context_in_use_elsewhere(void **state)
{
    unsigned thread = busy_thread_on(1, 100);
    unsigned sc = sched_context_slot_of(thread);

    (void)state;
    assert_int_equal(slot_delete(&world.slots[sc]), STATUS_OK);
    assert_null(cores[1].current_sc);
    assert_null(tcb_at(thread)->sched_context);
    tell(1);
    assert_ptr_equal(cores[1].current, cores[1].idle);
    assert_int_equal(tcb_at(thread)->state, THREAD_RESTART);
}

static void test_delete_guest_that_runs_elsewhere(void **state)
{
    unsigned monitor = busy_thread_on(1, 100);
    unsigned slot = make(seL4_X86_VCPUObject, 0);

    (void)state;
    vcpu_bind(cap_vcpu(cap_at(slot)), tcb_at(monitor));
    tell(1);
    enter_guest(monitor);
    assert_int_equal(slot_delete(&world.slots[slot]), STATUS_OK);
    assert_null(tcb_at(monitor)->vcpu);
    assert_int_equal(tcb_at(monitor)->state, THREAD_INACTIVE);
    assert_ptr_equal(cores[1].current, cores[1].idle);
    assert_int_equal(left_core[1], 1);
    tell(1);
    assert_ptr_equal(cores[1].current, cores[1].idle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_signal_ends_a_guest_elsewhere, set_up),
        cmocka_unit_test_setup(test_signal_survives_a_change_of_threads, set_up),
        cmocka_unit_test_setup(test_signal_survives_a_move, set_up),
        cmocka_unit_test_setup(test_exit_comes_before_a_signal, set_up),
        cmocka_unit_test_setup(test_exit_comes_before_the_timer, set_up),
        cmocka_unit_test_setup(test_stop_on_the_way_into_the_guest, set_up),
        cmocka_unit_test_setup(test_signal_wakes_a_halted_guest_elsewhere, set_up),
        cmocka_unit_test_setup(test_halted_guest_moves_with_its_thread, set_up),
        cmocka_unit_test_setup(test_waking_a_thread_tells_its_core, set_up),
        cmocka_unit_test_setup(test_stop_and_go_on, set_up),
        cmocka_unit_test_setup(test_stop_of_a_thread_that_waits_for_the_lock, set_up),
        cmocka_unit_test_setup(test_move_of_a_running_thread, set_up),
        cmocka_unit_test_setup(test_move_ends_yield_to, set_up),
        cmocka_unit_test_setup(test_yield_to_a_thread_that_runs_elsewhere, set_up),
        cmocka_unit_test_setup(test_timer_without_handler_keeps_to_its_core, set_up),
        cmocka_unit_test_setup(test_timer_with_handler_elsewhere, set_up),
        cmocka_unit_test_setup(test_timer_of_a_thread_that_is_stopped, set_up),
        cmocka_unit_test_setup(test_consumed_of_a_context_in_use_elsewhere, set_up),
        cmocka_unit_test_setup(test_delete_thread_that_runs_elsewhere, set_up),
        cmocka_unit_test_setup(test_delete_context_in_use_elsewhere, set_up),
        cmocka_unit_test_setup(test_delete_guest_that_runs_elsewhere, set_up),
    };

    return cmocka_run_group_tests_name("cores", tests, NULL, NULL);
}
