/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's translation is removed by one core while another is on its way into that guest.
 *
 * Follows   tlb_flush_nested                                kernel/x86/tlb.c
 *           svm_flush_nested, is_prepared, prepare_entry, assign_asid, svm_run
 *                                                           kernel/x86/virt/svm/svm.c
 *           vm_enter, vcpu_run, handle_other_core           kernel/api/syscall.c, object/vcpu.c
 *           remote_run, remote_serve, ticket_wait           kernel/core
 *
 * Core B runs two VCPUs by turns, both in one nested space of one page. Core A maps the other of two
 * frames there, flushes, and then gives the old frame to somebody else. B has three ASIDs, 0 being
 * the host's, so that they wrap around; generations are counted as far as they can be told apart.
 * While a guest runs, the processor may translate at any time, and remembers under its ASID.
 *
 * Promise   No guest uses a frame that has been given away.
 *
 * Mistakes, which the model must find: NO_REQUEST (a running guest is not asked out), STALE_TOO_LATE
 * (ASIDs grow old when the locks are released), LOOK_AT_STATE_FIRST (A looks who is in a guest before it has
 * the locks), NO_STALE_LOOK (is_prepared does not look how old the ASID is), NO_WRAP_FLUSH (ASIDs start anew
 * without a flush).
 */

#define VCPUS 2
#define ASIDS 3
#define NONE  7
#define FLUSHES 3

mtype = { RUNNING, RUNNING_VM };

bool lock_b; /* B's lock is held */
bool asked, irq;
mtype state = RUNNING; /* of B's current thread */

/* svm_core, svm_state */
bool flush_pending;
byte next_asid = 1;
byte asid[VCPUS];
bool is_fresh[VCPUS]; /* state->asid_generation == core->asid_generation */
byte loaded = NONE;

/* The tables, the processor, and what became of the frames. */
byte mapped;         /* the frame that the table names: 0 or 1 */
byte cached[ASIDS] = NONE;
bool given_away[2];
byte flushes_left = FLUSHES;

#define SERVE d_step { asked -> asked = false }

inline lock_own()
{
    do
    :: d_step { !lock_b -> lock_b = true } break
    :: SERVE
    od
}

inline new_generation()
{
    is_fresh[0] = false;
    is_fresh[1] = false
}

inline prepare_entry(v)
{
    d_step {
        if
        :: !is_fresh[v] ->
            if
            :: next_asid >= ASIDS ->
                new_generation();
                next_asid = 1;
#ifndef NO_WRAP_FLUSH
                flush_pending = true
#endif
            :: else
            fi;
            asid[v] = next_asid;
            next_asid++;
            is_fresh[v] = true
        :: else
        fi;
        loaded = v
    }
}

/* The processor remembers what the table says, and uses what it remembers. */
inline guest_access(v)
{
    d_step {
        if
        :: cached[asid[v]] == NONE -> cached[asid[v]] = mapped
        :: else
        fi;
        assert(!given_away[cached[asid[v]]])
    }
}

inline svm_run(v)
{
    if
#ifdef NO_STALE_LOOK
    :: loaded == v
#else
    :: loaded == v && is_fresh[v]
#endif
    :: else -> prepare_entry(v)
    fi;
    lock_b = false;
    /* VMRUN; what follows it is as good as here. */
    d_step {
        if
        :: flush_pending -> cached[1] = NONE; cached[2] = NONE; flush_pending = false
        :: else
        fi
    }
    do
    :: guest_access(v)
    :: irq -> break  /* an interrupt ends it */
    :: true -> break /* another exit */
    od
}

proctype core_b()
{
    byte v = 0;

    do
    :: state == RUNNING ->
        if
        :: irq ->
            irq = false;
            if
            :: SERVE
            :: else
            fi;
            lock_own();
            lock_b = false
        :: true -> /* VMEnter */
            if
            :: v = 0
            :: v = 1
            fi;
            lock_own();
            state = RUNNING_VM;
            lock_b = false
        fi
    :: state == RUNNING_VM ->
        lock_own();
        svm_run(v);
        lock_own();
        state = RUNNING;
        lock_b = false
    od
}

proctype core_a()
{
    do
    :: flushes_left > 0 ->
        flushes_left--;
#ifdef LOOK_AT_STATE_FIRST
        bool in_guest = (state == RUNNING_VM);
#endif
        d_step { !lock_b -> lock_b = true }
        given_away[1 - mapped] = false;
        mapped = 1 - mapped;
#ifndef STALE_TOO_LATE
        new_generation();
#endif
        if
#ifdef NO_REQUEST
        :: true
#else
#ifdef LOOK_AT_STATE_FIRST
        :: in_guest ->
#else
        :: state == RUNNING_VM ->
#endif
            asked = true;
            irq = true;
            !asked
        :: else
#endif
        fi;
        given_away[1 - mapped] = true;
        lock_b = false;
#ifdef STALE_TOO_LATE
        new_generation()
#endif
    :: flushes_left == 0 -> break
    od
}

init
{
    atomic {
        given_away[1] = true;
        run core_a();
        run core_b()
    }
}
