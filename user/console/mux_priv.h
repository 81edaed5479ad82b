/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files that make up mux.h share: what we say ourselves, among what clients put out. */
#ifndef USER_CONSOLE_MUX_PRIV_H
#define USER_CONSOLE_MUX_PRIV_H

#include "user/console/mux.h"

/* Kept free of clients' output for what we say ourselves. */
#define OWN_BYTES  (MUX_OUT_BYTES / 2)
#define SAID_BYTES 128u /* of one of our lines, and its end */

uint32_t mux_room(const struct mux *mux);
/* The caller has seen that there is room. */
void mux_text(struct mux *mux, const char *text);
/* To a line of our own, and back to what was being shown. */
void mux_leave_line(struct mux *mux);
void mux_resume_line(struct mux *mux);
/* Something of our own, in its place; left out when even the room for that is used up. */
void mux_say(struct mux *mux, const char *text);

/* The client that has the keyboard. */
struct mux_client *mux_focus(struct mux *mux);
/* The server's ends of rings whose words are zero. */
void mux_open_rings(struct mux_client *client);
/* What there is of the client's line is all of it. For mux_may_say(). */
void mux_end_line(struct mux *mux, struct mux_client *client);
/* Whether there is room for a line of anybody, with what belongs to it. */
bool mux_may_say(const struct mux *mux);
void mux_signal(struct mux *mux, const struct mux_client *client);
/* The client is to be signalled if it waits for this. */
void mux_note_signal(struct mux *mux, const struct mux_client *client, struct ring *ring);

/* --- reset.c --- */

/* Of those who have nothing more to show. */
void reset_finish(struct mux *mux);

/* --- keys.c --- */

/* A key after the escape key, and what it does. */
struct key {
    char key;
    const char *help;
    void (*press)(struct mux *mux);
};

#define NR_KEYS 10u
extern const struct key keys[NR_KEYS];

/* Ctrl and this is the escape key. */
static inline char escape_letter(const struct mux *mux)
{
    return (char)(mux->escape + '@');
}

/* Whether the VM with the keyboard reads what is typed is found out anew. */
static inline void hold_begin(struct mux *mux)
{
    mux->full = mux->drops = mux->told = false;
}

/* --- list.c --- */

void list_begin(struct mux *mux, enum mux_listing what);
/* As far as there is room. True: there was something to say. */
bool list_go_on(struct mux *mux, uint64_t now);

#endif
