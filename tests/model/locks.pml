/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks, requests, and the stop of what another core runs.
 *
 * Follows   ticket_take, ticket_wait, ticket_release, lock_this_core, lock_all_cores, unlock
 *                                                          kernel/core/lock.[ch]
 *           remote_run, remote_serve                       kernel/core/remote.c
 *           stop_here, sched_stop_remote                   kernel/sched/remote.c
 *           handle_syscall, handle_other_core              kernel/api/syscall.c
 *           leave_now, idle                                kernel/x86/entry.S
 *
 * Each core has a thread of its own. In user mode the thread makes system calls: one that needs its
 * core only; one that finds so and then takes all locks; one that needs all from the start. With all
 * locks held it stops the thread of another core and does with it what it likes, or it leaves
 * another core something new to choose from. A core without its thread idles (STI; HLT) until an
 * interrupt comes.
 *
 * Promises  Mutual exclusion. Nobody waits for ever: no deadlock, and while a core waits for a lock
 *           each other core gets that lock at most once. No request is lost, and none is answered
 *           while the core that is asked holds a lock or runs the thread. From the answer until the
 *           asker releases its locks nobody uses the thread that was stopped. News reach the core
 *           they are for: when nothing can happen any more, there are none.
 *
 * Mistakes, which the model must find: NO_INTERRUPT (unlock sends none), NO_SERVICE (a core that waits
 * for a lock answers nothing), KEEP_OWN (lock_all_cores keeps the own lock), NO_SECOND_LOOK (the
 * handler goes on though its thread was stopped while it waited), UNFAIR (a lock goes to anybody).
 */

#ifndef CORES
#define CORES 3
#endif
#define TICKETS 4 /* more than there are cores: numbers come again only when nobody holds them */
#ifndef CALLS
#define CALLS 1 /* system calls of each thread */
#endif
#ifndef CALLERS
#define CALLERS 2 /* the threads that make any; others compute */
#endif

#define NOBODY 7

byte next_ticket[CORES];
byte now_serving[CORES];
bool asked[CORES];
bool irq[CORES];     /* VECTOR_CORE is pending */
bool choose_new[CORES];
bool idles[CORES];   /* current is the idle thread */
bool ready[CORES];   /* the thread is in its core's ready queue */

/* --- what we watch --------------------------------------------------------------------------- */

byte holder[CORES] = NOBODY; /* of each lock */
byte seized[CORES] = NOBODY; /* by which core the thread was stopped, and is being changed */
bool in_user[CORES];
byte overtaken[CORES * CORES]; /* [lock * CORES + core]: others that got it while the core waits */
bool waits[CORES * CORES];

#define USES_THREAD(c) assert(!idles[c] && (seized[c] == NOBODY || seized[c] == c))

inline note_taken(it, taker)
{
    assert(holder[it] == NOBODY);
    holder[it] = taker;
    waits[it * CORES + taker] = false;
    overtaken[it * CORES + taker] = 0;
    k = 0;
    do
    :: k < CORES ->
        if
        :: waits[it * CORES + k] ->
            overtaken[it * CORES + k]++;
            assert(overtaken[it * CORES + k] < CORES)
        :: else
        fi;
        k++
    :: else -> break
    od;
    k = 0
}

/* --- a core ---------------------------------------------------------------------------------- */

/* stop_here. */
inline serve(c)
{
    assert(!in_user[c]);
    k = 0;
    do
    :: k < CORES -> assert(holder[k] != c); k++
    :: else -> break
    od;
    k = 0;
    idles[c] = true;
    choose_new[c] = true;
    asked[c] = false
}

inline take(n, me)
{
    d_step {
        ticket = next_ticket[n];
        next_ticket[n] = (next_ticket[n] + 1) % TICKETS;
        waits[n * CORES + me] = true
    }
    do
#ifdef UNFAIR
    :: d_step { holder[n] == NOBODY -> now_serving[n] = ticket; note_taken(n, me) } break
#else
    :: d_step { now_serving[n] == ticket -> note_taken(n, me) } break
#endif
#ifndef NO_SERVICE
    :: d_step { now_serving[n] != ticket && asked[me] -> serve(me) }
#endif
    od;
    ticket = 0
}

inline release(n, me)
{
    d_step {
        assert(holder[n] == me);
        holder[n] = NOBODY;
        now_serving[n] = (now_serving[n] + 1) % TICKETS
    }
}

inline lock_all(c)
{
    i = 0;
    do
    :: i < CORES ->
#ifdef KEEP_OWN
        if
        :: holder[i] == c
        :: else -> take(i, c)
        fi;
#else
        take(i, c);
#endif
        i++
    :: else -> i = 0; break
    od
}

inline look_for_news(c)
{
    k = 0;
    news = 0;
    do
    :: k < CORES ->
        if
        :: k != c && choose_new[k] -> news = news | (1 << k)
        :: else
        fi;
        k++
    :: else -> break
    od;
    k = 0
}

inline unlock_all(c)
{
    d_step { look_for_news(c) }
    i = CORES;
    do
    :: i > 0 -> i--; release(i, c)
    :: else -> break
    od;
    do
    :: i < CORES ->
        if
#ifndef NO_INTERRUPT
        :: (news >> i) & 1 -> irq[i] = true
#endif
        :: else
        fi;
        i++
    :: else -> i = 0; break
    od;
    news = 0
}

/* Under the core's own lock, or all. */
inline schedule(c)
{
    d_step {
        assert(holder[c] == c);
        if
        :: choose_new[c] ->
            choose_new[c] = false;
            if
            :: !idles[c] -> ready[c] = true
            :: else
            fi;
            if
            :: ready[c] -> ready[c] = false; idles[c] = false
            :: else -> idles[c] = true
            fi
        :: else
        fi
    }
}

/* remote_run(stop_here) on the thread of another core, and what is then done with it. */
inline stop_and_change(c)
{
    do
    :: i < CORES - 1 -> i++
    :: break
    od;
    if
    :: i != c && !idles[i] ->
        asked[i] = true;
        irq[i] = true;
        !asked[i];
        assert(idles[i] && !in_user[i]);
        seized[i] = c;
        if /* it may go on, or stays suspended until somebody resumes it */
        :: ready[i] = true
        :: true
        fi;
        seized[i] = NOBODY
    :: i != c && idles[i] && !ready[i] -> /* resume */
        ready[i] = true;
        choose_new[i] = true
    :: else
    fi;
    i = 0
}

inline handle_other_core(c)
{
    irq[c] = false;
    d_step {
        if
        :: asked[c] -> serve(c)
        :: else
        fi
    }
    take(c, c);
    schedule(c);
    release(c, c)
}

inline work_under_all(c)
{
#ifdef NO_SECOND_LOOK
    if
    :: true -> USES_THREAD(c); stop_and_change(c)
    fi;
#else
    if
    :: !idles[c] -> USES_THREAD(c); stop_and_change(c)
    :: idles[c]
    fi;
#endif
    schedule(c);
    unlock_all(c)
}

proctype core(byte c)
{
    byte ticket, i, k, news, calls = (c < CALLERS -> CALLS : 0);

    do
    :: idles[c] ->
        irq[c];
        handle_other_core(c)
    :: !idles[c] ->
        /* The lock is released, user mode not yet reached: nobody can have taken the thread. */
        d_step {
            USES_THREAD(c);
            in_user[c] = true
        }
        if
        :: d_step { irq[c] -> in_user[c] = false } handle_other_core(c)
        :: d_step {
               calls > 0 ->
               calls--;
               in_user[c] = false
           }
            if
            :: true -> /* its own core is enough */
                take(c, c);
                if
                :: !idles[c] -> USES_THREAD(c)
                :: else
                fi;
                schedule(c);
                release(c, c)
            :: true -> /* it is not: lock_all_cores gives up the own lock */
                take(c, c);
#ifndef KEEP_OWN
                release(c, c);
#endif
                lock_all(c);
                work_under_all(c)
            :: true ->
                lock_all(c);
                work_under_all(c)
            fi
        fi
    od
}

/* Each core idles or is in user mode with nothing pending, and all is done. */
proctype watch()
{
    byte c;

    timeout;
    do
    :: c < CORES ->
        assert(!choose_new[c] && !asked[c] && !irq[c] && holder[c] == NOBODY);
        assert(idles[c] || in_user[c]);
        assert(!(idles[c] && ready[c]));
#ifndef UNFAIR
        assert(now_serving[c] == next_ticket[c]);
#endif
        c++
    :: else -> break
    od
}

init
{
    atomic {
        byte c = 0;

        do
        :: c < CORES -> run core(c); c++
        :: else -> break
        od;
        run watch()
    }
}
