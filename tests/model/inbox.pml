/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to a vCPU's thread in the monitor, by two senders, while the thread goes into its guest,
 * is in it, comes out for an exit of its own, or sleeps.
 *
 * Follows   inbox_post, inbox_enter, inbox_leave, inbox_take   user/vmm/inbox.h
 *           vcpu_run, wait_for_start_up                        user/vmm/main.c
 *
 * What a request is about (a bit of the IRR) is written before the request. Each step is one atomic
 * instruction; VMEnter is one step that returns at once if the notification has been signalled, as
 * the kernel promises (vcpu_signal.pml).
 *
 * Promises  When nothing can happen any more, no request waits while the owner is inside; whatever
 *           was written before a request has been seen by the owner. A sender that is done with its
 *           request depends on no other: the owner has been signalled, or will look by itself.
 *
 * Mistakes, which the model must find: LOOK_FIRST (O2 before O1), INSIDE_FIRST (a sender looks at
 * `inside` before it adds its request), TAKE_INSIDE (requests are taken before VMEnter, and only
 * afterwards does the owner say that it is inside), CLEAR_LATE (the owner takes the requests and
 * forgets what came between its look and its taking), FIRST_ONLY (a sender that finds a request
 * there leaves the signal to the one who brought it).
 */

#define SENDERS  2
#define REQUESTS 2
#define EXITS    1

byte requests; /* bits */
bool inside;
bool signalled;     /* the owner's notification */
bool in_guest;      /* the owner is in VMEnter */
byte irr;           /* what the requests are about: bits */
byte seen;          /* by the owner */
byte exits_left = EXITS;
byte senders_done;

proctype sender(byte mask)
{
#ifdef FIRST_ONLY
    byte before;
#endif
    bool was_inside;
    byte left = REQUESTS;

    do
    :: left > 0 ->
        left--;
        atomic {
            irr = irr | mask;
            seen = seen & (255 - mask)
        }
#ifdef INSIDE_FIRST
        was_inside = inside;
#endif
#ifdef FIRST_ONLY
        atomic {
            before = requests;
            requests = requests | mask
        }
#else
        requests = requests | mask; /* S1 */
#endif
#ifndef INSIDE_FIRST
        was_inside = inside; /* S2 */
#endif
        if
#ifdef FIRST_ONLY
        :: before == 0 && was_inside -> signalled = true
#else
        :: was_inside -> signalled = true
#endif
        :: else
        fi
        assert(!((requests & mask) && in_guest && !signalled))
    :: left == 0 -> break
    od
    senders_done++
}

inline take()
{
    byte taken;

#ifdef CLEAR_LATE
    taken = requests;
    requests = 0;
#else
    atomic {
        taken = requests;
        requests = 0
    }
#endif
    atomic {
        seen = seen | (irr & taken);
        taken = 0
    }
}

proctype owner()
{
    byte waiting;

end:
    do
    ::
#ifdef LOOK_FIRST
        waiting = requests;
        inside = true; /* O1 */
#else
#ifdef TAKE_INSIDE
        take();
        waiting = 0;
        inside = true;
#else
        inside = true; /* O1 */
        waiting = requests; /* O2 */
#endif
#endif
        if
        :: waiting != 0 ->
            inside = false;
            take()
        :: else ->
            in_guest = true;
            if
            :: atomic { signalled -> signalled = false; in_guest = false }
            :: atomic { exits_left > 0 -> exits_left--; in_guest = false }
            fi
            inside = false
        fi
    od
}

proctype watch()
{
    timeout;
    assert(senders_done == SENDERS);
    assert(in_guest && !signalled);
    assert(requests == 0);
    assert((irr & (255 - seen)) == 0)
}

init
{
    atomic {
        run sender(1);
        run sender(2);
        run owner();
        run watch()
    }
}
