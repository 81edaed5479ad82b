/* SPDX-License-Identifier: BSD-2-Clause */
/* What mux.c and keys.c share: what we say ourselves, among what clients put out. */
#ifndef USER_CONSOLE_MUX_PRIV_H
#define USER_CONSOLE_MUX_PRIV_H

#include "user/console/mux.h"

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
/* The client is to be signalled if it waits for this. */
void mux_note_signal(struct mux *mux, const struct mux_client *client, struct ring *ring);

#endif
