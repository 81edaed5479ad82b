/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One serial line for several clients: who is shown when, and who gets what is typed. Pure: bytes
 * come from the clients' rings and from mux_input(), and leave by mux_take_output().
 *
 * View       One client has the keyboard. What it puts out is passed on as it is, at once. Of the
 *            others whole lines are shown, each after its client's name, with nothing in them that
 *            a terminal would obey. Their lines go between lines of the first one; when that one
 *            has stood in the middle of a line for QUIET_MS (a prompt), on a line of their own
 *            before it, and what had stood there is shown again below. An unfinished line of a
 *            client without the keyboard is shown when it gets the keyboard.
 * Keys       Only VMs can have the keyboard. The escape key and then a key is for us: keys.c. Twice
 *            the escape key sends it on. While we answer, at length, nobody else is shown.
 * Typed      What is typed while the VM's ring is full stays in the port as long as the VM reads:
 *            MUX_HOLD_BYTES in each MUX_HOLD_MS. Then it is dropped, and a line says so, until half
 *            of the ring is free. So a reader loses nothing, and the escape key is heard, however
 *            little a VM reads.
 * Bounds     Each turn of a client is at most a line of MUX_LINE_BYTES; turns go round. A client
 *            that puts out more waits in its own ring. Half of the output's room is kept for what
 *            we say; what is typed waits when that is used up.
 * Reset      A client whose channel is to be as it was at first has the next turns, for what it had
 *            put out by then: its next start waits for that. Nothing else is taken from it.
 * Trust      Clients are hostile: rings bound what they can do (lib/ring.h). One that breaks its
 *            ring is named once and then ignored.
 * Done       A byte counts as consumed for its client once it has left by mux_take_output() and
 *            mux_sent() was called; or was stored as part of an unfinished line.
 * Units      time in ticks of the time stamp counter
 */
#ifndef USER_CONSOLE_MUX_H
#define USER_CONSOLE_MUX_H

#include <stdbool.h>
#include <stdint.h>

#include "user/libserver/console.h"
#include "user/libserver/control.h"

#define MUX_LINE_BYTES 256u
#define MUX_OUT_BYTES  4096u
#define MUX_QUIET_MS   50u
#define MUX_HOLD_MS    1000u
#define MUX_HOLD_BYTES 256u

struct mux_client {
    char name[SERVER_NAME_BYTES];
    struct console_channel *channel;
    struct ring output;
    struct ring input;
    uint8_t line[MUX_LINE_BYTES]; /* since the last line end, as it came */
    uint32_t line_length;
    bool line_cut;     /* of the one with the keyboard: more of this line was shown than is held */
    bool known_bad;    /* it was said that it broke its ring */
    uint32_t done;     /* bytes taken and dealt with that its ring does not know of yet */
    uint32_t show;     /* how often its counters were asked for */
    uint32_t commands; /* how often the supervisor was told of a command for it */
    bool resetting;    /* its reset is wanted, and not done */
    uint32_t left;     /* while it is: bytes that are still shown */
};

/* What takes more than a line is said as there is room. */
enum mux_listing {
    MUX_LISTING_NONE,
    MUX_LISTING_HELP,
    MUX_LISTING_CLIENTS,
};

struct mux {
    struct control_channel *control;
    uint32_t tsc_mhz;
    struct mux_client clients[SERVER_MAX_CLIENTS];
    unsigned nr_clients;
    unsigned nr_vms; /* the first ones */
    unsigned focus;  /* has the keyboard */
    unsigned turn;   /* had the last turn */
    uint8_t escape;  /* the key that makes the next one a command: a control character */
    bool colour;     /* of labels */
    bool escaped;    /* it was pressed */
    /* Of the ring of what was typed for the VM that has the keyboard. */
    bool full;           /* since full_since, though perhaps not all the time */
    bool held;           /* what is typed is to stay in the port for a while */
    bool drops, told;    /* and is dropped, and that was said */
    uint32_t full_index; /* how far the ring was then */
    uint64_t full_since;
    enum mux_listing listing;
    unsigned listing_line; /* the next one */
    uint8_t out[MUX_OUT_BYTES];
    uint32_t out_head, out_tail; /* free running */
    uint64_t ticks_quiet, ticks_hold;
    uint64_t last_shown;  /* when the client with the keyboard last put something out */
    uint32_t signals;     /* clients that wait for a signal */
    uint32_t resets_done; /* clients, as bits */
    bool commanded;       /* the supervisor is to be signalled */
};

/* What to do when there is nothing more to move. */
enum mux_rest {
    MUX_AGAIN, /* something came meanwhile */
    MUX_POLL,  /* something is held back for a while: look again soon, nobody will signal */
    MUX_WAIT,  /* whoever has news will signal */
};

/* The configuration has been checked (main.c). */
void mux_init(struct mux *mux, const struct console_config *config,
              struct control_channel *control);
/* For clients 0, 1, ... before anything else. The name is cut if it is too long. */
void mux_add(struct mux *mux, const char *name, struct console_channel *channel);
/* Says how to use the keys. */
void mux_greet(struct mux *mux);

/* Whether a typed byte can be taken: else leave it in the port. */
bool mux_wants_input(struct mux *mux, uint64_t now);
void mux_input(struct mux *mux, uint8_t byte);

/* Moves what can be moved from the clients to the output; whether there was anything. */
bool mux_pump(struct mux *mux, uint64_t now);

static inline bool mux_has_output(const struct mux *mux)
{
    return mux->out_head != mux->out_tail;
}
/* Up to count bytes for the port. */
uint32_t mux_take_output(struct mux *mux, uint8_t *bytes, uint32_t count);
/* All output has left: tells the clients that theirs is consumed. */
void mux_sent(struct mux *mux);

/* Without output left: whether one may sleep. */
enum mux_rest mux_rest(struct mux *mux, uint64_t now);

/* Begins a client's reset; may be asked again before it is done. */
void mux_reset(struct mux *mux, unsigned index);
/* The clients whose reset is done, as bits; asked after each round. */
uint32_t mux_take_resets(struct mux *mux);

/* Whether the supervisor is to be signalled of commands; asked after each round. */
bool mux_take_commanded(struct mux *mux);

/* The clients to be signalled, as bits; asked after each round. */
uint32_t mux_take_signals(struct mux *mux);

#endif
