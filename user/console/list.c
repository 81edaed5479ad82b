/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers that take more than a line: help, and who is there. They are said in pieces, as the
 * output leaves; the place in them is all that is remembered.
 */
#include "lib/format.h"
#include "user/console/mux_priv.h"

#define LINE_BYTES 192u

/* --- help --- */

static bool help_line(const struct mux *mux, unsigned line, char text[LINE_BYTES])
{
    char key = escape_letter(mux);

    if (line < NR_KEYS) {
        format_text(text, LINE_BYTES, "  Ctrl-%c %c       %s", key, keys[line].key,
                    keys[line].help);
        return true;
    }
    switch (line - NR_KEYS) {
    case 0:
        format_text(text, LINE_BYTES,
                    "  Ctrl-%c 1 .. 9  the keyboard goes to the VM of that number", key);
        return true;
    case 1:
        format_text(text, LINE_BYTES, "  Ctrl-%c Ctrl-%c  sends Ctrl-%c", key, key, key);
        return true;
    default:
        return false;
    }
}

/* --- who is there --- */

static bool client_line(const struct mux *mux, unsigned line, char text[LINE_BYTES])
{
    if (line >= mux->nr_clients) {
        return false;
    }
    if (line < mux->nr_vms) {
        format_text(text, LINE_BYTES, "  %2u %s%s", line + 1, mux->clients[line].name,
                    line == mux->focus ? " (has the keyboard)" : "");
    } else {
        format_text(text, LINE_BYTES, "     %s (server)", mux->clients[line].name);
    }
    return true;
}

/* --- in pieces --- */

static bool make_line(const struct mux *mux, char text[LINE_BYTES])
{
    unsigned line = mux->listing_line;

    if (line == 0) {
        format_text(text, LINE_BYTES, "[console]");
        return true;
    }
    return mux->listing == MUX_LISTING_HELP ? help_line(mux, line - 1, text)
                                            : client_line(mux, line - 1, text);
}

static void say_next(struct mux *mux)
{
    char text[LINE_BYTES];

    if (!make_line(mux, text)) {
        mux->listing = MUX_LISTING_NONE;
        mux_resume_line(mux);
        return;
    }
    if (mux->listing_line == 0) {
        mux_leave_line(mux);
    }
    mux->listing_line++;
    mux_text(mux, text);
    mux_text(mux, "\r\n");
}

void list_begin(struct mux *mux, enum mux_listing what)
{
    mux->listing = what;
    mux->listing_line = 0;
}

bool list_go_on(struct mux *mux)
{
    bool any = false;

    /* For a line between two line ends, or for what had been shown of another one. */
    while (mux->listing != MUX_LISTING_NONE && mux_room(mux) >= MUX_LINE_BYTES) {
        say_next(mux);
        any = true;
    }
    return any;
}
