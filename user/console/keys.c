/* SPDX-License-Identifier: BSD-2-Clause */
/* What is typed: for the client that has the keyboard, or, after the escape key, for us. */
#include "lib/format.h"
#include "user/console/mux_priv.h"

/* Ctrl and this is the escape key. */
static char escape_letter(const struct mux *mux)
{
    return (char)(mux->escape + '@');
}

void mux_greet(struct mux *mux)
{
    char text[SAID_BYTES];

    if (mux->nr_clients > 1) {
        format_text(
            text, sizeof(text),
            "[console] the keyboard goes to %s; Ctrl-%c n: to the next one, Ctrl-%c ?: help\r\n",
            mux_focus(mux)->name, escape_letter(mux), escape_letter(mux));
        mux_say(mux, text);
    }
}

static void move_keyboard(struct mux *mux, unsigned to)
{
    char text[SAID_BYTES];

    format_text(text, sizeof(text), "[console] the keyboard goes to %s\r\n", mux->clients[to].name);
    if (to != mux->focus && mux_room(mux) >= SAID_BYTES + MUX_LINE_BYTES + 2) {
        mux_leave_line(mux);
        if (mux_focus(mux)->line_cut) {
            /* The rest will be a line of its own. */
            mux_focus(mux)->line_cut = false;
            mux_focus(mux)->line_length = 0;
        }
        mux->focus = to;
        mux_text(mux, text);
        mux_resume_line(mux);
    }
}

static void show_help(struct mux *mux)
{
    char text[SAID_BYTES], key = escape_letter(mux);

    if (mux_room(mux) <
        2 * SAID_BYTES + SERVER_MAX_CLIENTS * (SERVER_NAME_BYTES + 32) + MUX_LINE_BYTES) {
        return;
    }
    mux_leave_line(mux);
    mux_text(mux, "[console]\r\n");
    for (unsigned i = 0; i < mux->nr_clients; i++) {
        format_text(text, sizeof(text), "  %2u %s%s\r\n", i + 1, mux->clients[i].name,
                    i == mux->focus ? " (has the keyboard)" : "");
        mux_text(mux, text);
    }
    format_text(text, sizeof(text),
                "  Ctrl-%c 1 .. 9  the keyboard goes to that one\r\n"
                "  Ctrl-%c n, p    to the next, to the previous one\r\n",
                key, key);
    mux_text(mux, text);
    format_text(text, sizeof(text), "  Ctrl-%c Ctrl-%c  sends Ctrl-%c\r\n", key, key, key);
    mux_text(mux, text);
    mux_resume_line(mux);
}

static void pass_on(struct mux *mux, uint8_t byte)
{
    if (ring_put(&mux_focus(mux)->input, &byte, 1) != 0) {
        mux_note_signal(mux, mux_focus(mux), &mux_focus(mux)->input);
    }
}

static void command(struct mux *mux, uint8_t key)
{
    if (key == mux->escape) {
        pass_on(mux, key);
    } else if (key == 'n') {
        move_keyboard(mux, (mux->focus + 1) % mux->nr_clients);
    } else if (key == 'p') {
        move_keyboard(mux, (mux->focus + mux->nr_clients - 1) % mux->nr_clients);
    } else if (key >= '1' && key <= '9' && key - '1' < (int)mux->nr_clients) {
        move_keyboard(mux, (unsigned)(key - '1'));
    } else {
        show_help(mux);
    }
}

void mux_input(struct mux *mux, uint8_t byte)
{
    if (mux->escaped) {
        mux->escaped = false;
        command(mux, byte);
    } else if (byte == mux->escape && mux->nr_clients > 1) {
        mux->escaped = true;
    } else {
        pass_on(mux, byte);
    }
}

bool mux_wants_input(struct mux *mux)
{
    return mux->nr_clients > 1 || !ring_may_sleep(&mux_focus(mux)->input, 1);
}
