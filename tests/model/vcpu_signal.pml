/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals to a monitor whose guest is about to run, runs, has just been left, sleeps in HLT, or
 * whose thread is stopped and moved to another core meanwhile.
 *
 * Follows   deliver_to_bound, notification_take         kernel/object/notification.c
 *           vcpu_enter, vcpu_run, deliver_exit, vcpu_timers_expire   kernel/object/vcpu.c
 *           vm_enter, handle_timer, handle_other_core    kernel/api/syscall.c
 *           schedule, activate_current, possible_switch_to, thread_set_core   kernel/sched/sched.c
 *           stop_here, sched_stop_remote                 kernel/sched/remote.c
 *           fastpath_signal                              kernel/api/fastpath.c
 *           leave_now, kernel_leave_by_interrupt         kernel/x86/entry.S
 *
 * The monitor T may run on cores 0 and 1. A third core signals it and moves it between them; of
 * that core only the system calls are of interest. On core 0 a thread U of higher priority wakes up
 * by the timer now and then, and signals the monitor if that is on its core. Locks are taken at once
 * or waited for, in any order (locks.pml has the tickets).
 *
 * Promises  A signal is seen by the monitor: when nothing can happen any more, none is left in the
 *           notification. A pending exit is delivered before the guest is entered again or the
 *           monitor hears of something else, and once.
 *
 * Mistakes, which the model must find: NO_INTERRUPT (unlock sends none), POLL_TOO_EARLY (VMEnter
 * looks at the notification before it has the lock), TAKE_BY_INTERRUPT (only the interrupt's handler
 * looks at the notification, and only of the thread it finds), FORGET_EXIT (a stopped thread hears
 * of a signal or a timer though its guest's exit waits), EXIT_WITHOUT_LOOK (deliver_exit does not
 * look who is current), HALT_IS_RUNNING (a signal to a halted guest is left to its core).
 */

#define CORES 2
#define SIGNALS 2
#define MOVES   1
#define EXITS   1
#define TIMERS  1

#define FREE  255
#define ACTOR 2

mtype = { IDLE, T, U };
mtype = { RUNNING, RUNNING_VM, HALTED_VM, RESTART };

/* --- the kernel's variables ------------------------------------------------------------------ */

byte lock_owner[CORES] = FREE;
mtype current[CORES] = IDLE;
bool choose_new[CORES];
bool asked[CORES];
bool core_irq[CORES];  /* VECTOR_CORE is pending */
bool timer_irq[CORES]; /* VECTOR_TIMER is pending */

mtype state = RUNNING; /* of T */
byte home;             /* T's core */
bool queued;           /* T is in its core's ready queue */
bool exited;           /* vcpu->exited */
bool has_deadline;
bool signalled; /* the notification is active */

bool u_ready; /* U, on core 0 only */

/* --- what we watch --------------------------------------------------------------------------- */

bool exit_owed; /* the guest has exited, and the monitor does not know yet */
byte signals_left = SIGNALS;
byte exits_left = EXITS;
byte timers_left = TIMERS;
bool actor_done;
byte runs_on = FREE; /* the core whose processor executes T or its guest */

inline answer_exit()
{
    assert(exit_owed);
    exit_owed = false;
    state = RUNNING;
}

/* write_notification, write_exit of timer_exit: the monitor hears of something else. */
inline answer_other()
{
    assert(!exit_owed);
    state = RUNNING;
}

/* --- core c ---------------------------------------------------------------------------------- */

#define RUNNABLE       (state == RUNNING || state == RUNNING_VM || state == RESTART)
#define T_IS_RUN_BY(c) (current[c] == T)

inline stop_here(c)
{
    if
    :: current[c] == T && state == RUNNING -> state = RESTART
    :: else
    fi;
    assert(runs_on != c);
    current[c] = IDLE;
    choose_new[c] = true;
}

/* ticket_wait: serves while it waits. */
inline lock_this(c)
{
    do
    :: atomic { lock_owner[c] == FREE -> lock_owner[c] = c; break }
    :: atomic { lock_owner[c] != FREE && asked[c] -> stop_here(c); asked[c] = false }
    od
}

inline unlock_this(c)
{
    lock_owner[c] = FREE;
}

inline notification_take(c)
{
    if
#ifdef FORGET_EXIT
    :: current[c] == T && state == RUNNING_VM && signalled -> signalled = false; answer_other()
#else
    :: current[c] == T && state == RUNNING_VM && !exited && signalled -> signalled = false; answer_other()
#endif
    :: else
    fi
}

inline activate_current(c)
{
    if
    :: current[c] == T && state == RESTART -> state = RUNNING
    :: else
    fi;
#ifndef TAKE_BY_INTERRUPT
    notification_take(c)
#endif
}

/* U first, then T. */
inline schedule(c)
{
    if
    :: choose_new[c] || (current[c] == T && !(home == c && RUNNABLE)) ||
       (current[c] == U && !u_ready) ->
        if
        :: current[c] == T && home == c && RUNNABLE -> queued = true
        :: else
        fi;
        if
        :: c == 0 && u_ready -> current[c] = U
        :: else ->
            if
            :: queued && home == c -> queued = false; current[c] = T
            :: else -> current[c] = IDLE
            fi
        fi;
        choose_new[c] = false
    :: else
    fi
}

inline sched_choose(c)
{
    atomic {
        schedule(c);
        activate_current(c)
    }
}

inline handle_timer(c)
{
    timer_irq[c] = false;
    lock_this(c);
    atomic {
        /* vcpu_timers_expire */
        if
#ifdef FORGET_EXIT
        :: has_deadline && current[c] == T && state == RUNNING_VM ->
#else
        :: has_deadline && current[c] == T && state == RUNNING_VM && !exited ->
#endif
            has_deadline = false;
            answer_other()
        :: has_deadline && home == c && state == HALTED_VM ->
            has_deadline = false;
            answer_other();
            queued = true;
            choose_new[c] = true
        :: else
        fi;
        /* release_due */
        if
        :: c == 0 && !u_ready -> u_ready = true; choose_new[c] = true
        :: true
        fi
    }
    sched_choose(c);
    unlock_this(c)
}

inline handle_other_core(c)
{
    core_irq[c] = false;
    atomic {
        if
        :: asked[c] -> stop_here(c); asked[c] = false
        :: else
        fi
    }
    lock_this(c);
#ifdef TAKE_BY_INTERRUPT
    atomic { notification_take(c) }
#endif
    sched_choose(c);
    unlock_this(c)
}

inline vm_enter(c)
{
#ifdef POLL_TOO_EARLY
    bool was_active = signalled;
#endif
    lock_this(c);
    atomic {
        if
        :: current[c] == T ->
            exited = false;
            if
#ifdef POLL_TOO_EARLY
            :: was_active ->
#else
            :: signalled ->
#endif
                signalled = false
            :: else ->
                if
                :: state = RUNNING_VM
                :: state = HALTED_VM /* the monitor passed HLT */
                fi;
                if
                :: has_deadline = true
                :: has_deadline = false
                fi
            fi
        :: else
        fi;
#ifdef POLL_TOO_EARLY
        was_active = false;
#endif
        schedule(c);
        activate_current(c)
    }
    unlock_this(c)
}

/* Ends with the lock held. */
inline vcpu_run(c)
{
    if
    :: exited -> goto exit_waits
    :: else -> assert(!exit_owed); runs_on = c
    fi;
    /* VMRUN: until an interrupt waits, or the guest does something; some guests never do. */
    if
    :: core_irq[c] || timer_irq[c] -> runs_on = FREE; lock_this(c)
    :: exits_left > 0 ->
        atomic {
            exits_left--;
            runs_on = FREE;
            exit_owed = true
        }
        exited = true;
exit_waits:
        lock_this(c);
        atomic {
            if
#ifdef EXIT_WITHOUT_LOOK
            :: true ->
#else
            :: current[c] == T ->
#endif
                answer_exit();
                exited = false
            :: else
            fi
        }
    fi;
    atomic {
        if
        :: current[c] != T -> schedule(c); activate_current(c)
        :: else
        fi
    }
}

inline possible_switch_to()
{
    if
    :: RUNNABLE && !queued && !T_IS_RUN_BY(home) -> queued = true; choose_new[home] = true
    :: else
    fi
}

inline notification_signal()
{
    if
    :: signalled
    :: !signalled && T_IS_RUN_BY(home) ->
        signalled = true;
        if
        :: state == RUNNING_VM -> choose_new[home] = true
        :: else
        fi
#ifdef HALT_IS_RUNNING
    :: !signalled && !T_IS_RUN_BY(home) && state == RUNNING_VM ->
#elif defined(FORGET_EXIT)
    :: !signalled && !T_IS_RUN_BY(home) && (state == RUNNING_VM || state == HALTED_VM) ->
#else
    :: !signalled && !T_IS_RUN_BY(home) &&
       ((state == RUNNING_VM && !exited) || state == HALTED_VM) ->
#endif
        answer_other();
        possible_switch_to()
    :: else -> signalled = true
    fi
}

/* The two interrupts in either order; in the window, in user mode, in HLT. */
inline interrupt(c)
{
    if
    :: core_irq[c] -> handle_other_core(c)
    :: timer_irq[c] -> handle_timer(c)
    fi
}

proctype core(byte c)
{
    do
    :: current[c] == IDLE || (current[c] == T && state == HALTED_VM) ->
        assert(current[c] == IDLE);
        interrupt(c)
    :: current[c] == U ->
        if
        :: core_irq[c] || timer_irq[c] -> interrupt(c)
        :: true ->
            lock_this(c);
            atomic {
                if
                :: current[c] == U -> u_ready = false /* it waits for its next turn */
                :: current[c] == U && home == c && signals_left > 0 -> /* fastpath_signal */
                    signals_left--;
                    notification_signal()
                :: current[c] != U
                fi
            }
            sched_choose(c);
            unlock_this(c)
        fi
    :: current[c] == T && state == RUNNING ->
        if
        :: core_irq[c] || timer_irq[c] -> interrupt(c)
        :: true -> vm_enter(c)
        fi
    :: current[c] == T && state == RUNNING_VM ->
        vcpu_run(c);
        if
        :: current[c] == T && state == RUNNING_VM ->
            unlock_this(c);
            if /* the window of kernel_leave_by_interrupt */
            :: core_irq[c] || timer_irq[c] -> interrupt(c)
            :: !core_irq[c] && !timer_irq[c]
            fi
        :: else -> unlock_this(c)
        fi
    od
}

/* --- the third core -------------------------------------------------------------------------- */

inline lock_all()
{
    atomic { lock_owner[0] == FREE -> lock_owner[0] = ACTOR }
    atomic { lock_owner[1] == FREE -> lock_owner[1] = ACTOR }
}

inline unlock_all()
{
    bool news0 = choose_new[0];
    bool news1 = choose_new[1];
    lock_owner[1] = FREE;
    lock_owner[0] = FREE;
#ifndef NO_INTERRUPT
    if :: news0 -> core_irq[0] = true :: else fi;
    if :: news1 -> core_irq[1] = true :: else fi;
#endif
    news0 = false;
    news1 = false
}

inline sched_stop_remote()
{
    if
    :: T_IS_RUN_BY(home) ->
        asked[home] = true;
        core_irq[home] = true;
        !asked[home];
        atomic {
            if
            :: RUNNABLE -> queued = true
            :: else
            fi
        }
    :: else
    fi;
    assert(runs_on == FREE)
}

proctype actor()
{
    byte moves = MOVES;

    do
    :: d_step { signals_left > 0 -> signals_left-- }
        lock_all();
        atomic { notification_signal() }
        unlock_all()
    :: moves > 0 ->
        moves--;
        lock_all();
        sched_stop_remote();
        atomic {
            queued = false;
            home = 1 - home;
            possible_switch_to()
        }
        unlock_all()
    :: signals_left == 0 && moves == 0 -> actor_done = true; break
    od
}

proctype clock()
{
    do
    :: timers_left > 0 ->
        atomic {
            timers_left--;
            if
            :: timer_irq[0] = true
            :: timer_irq[1] = true
            fi
        }
    :: timers_left == 0 -> break
    od
}

/* When nobody can go on, the guest runs, sleeps, or is not T's turn: and there is no news for it. */
proctype watch()
{
    timeout;
    assert(actor_done && lock_owner[0] == FREE && lock_owner[1] == FREE);
    assert(!signalled && !exit_owed);
    assert(!choose_new[0] && !choose_new[1] && !asked[0] && !asked[1]);
    assert(!RUNNABLE || queued || T_IS_RUN_BY(home));
    assert(!queued || current[home] != IDLE)
}

init
{
    atomic {
        current[0] = T;
        run core(0);
        run core(1);
        run actor();
        run clock();
        run watch()
    }
}
