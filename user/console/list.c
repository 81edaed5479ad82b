/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers that take more than a line: help, and who is there. They are said in pieces, as the
 * output leaves; the place in them is all that is remembered.
 */
#include "lib/format.h"
#include "user/console/mux_priv.h"

#define LINE_BYTES 192u
#define AGE_BYTES  48u

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

static const char *state_name(uint32_t state)
{
    static const char *const names[CONTROL_NR_STATES] = {
        [CONTROL_NONE] = "not started yet", [CONTROL_RUNNING] = "running",
        [CONTROL_PAUSED] = "paused",        [CONTROL_WAITING] = "waiting to be started again",
        [CONTROL_ENDED] = "powered off",    [CONTROL_STOPPED] = "stopped",
        [CONTROL_FAILED] = "failed",        [CONTROL_ENDING] = "ending",
    };

    return state < CONTROL_NR_STATES ? names[state] : "in an unknown state";
}

/* "3 d 4 h", "4 h 5 min", "5 min 6 s" or "6 s": of a time that may be nonsense. */
static void format_age(const struct mux *mux, uint64_t since, uint64_t now, char text[AGE_BYTES])
{
    uint64_t ticks_second = (uint64_t)mux->tsc_mhz * 1000000;
    unsigned long long s = since < now && ticks_second != 0 ? (now - since) / ticks_second : 0;

    if (s >= 86400) {
        format_text(text, AGE_BYTES, "%llu d %llu h", s / 86400, s / 3600 % 24);
    } else if (s >= 3600) {
        format_text(text, AGE_BYTES, "%llu h %llu min", s / 3600, s / 60 % 60);
    } else if (s >= 60) {
        format_text(text, AGE_BYTES, "%llu min %llu s", s / 60, s % 60);
    } else {
        format_text(text, AGE_BYTES, "%llu s", s);
    }
}

/* The supervisor may be changing it: each word is read once, and may not fit the others. */
static void vm_line(const struct mux *mux, unsigned vm, uint64_t now, char text[LINE_BYTES])
{
    const struct control_vm *told = &mux->control->vms[vm];
    uint32_t state = __atomic_load_n(&told->state, __ATOMIC_RELAXED);
    uint32_t runs = __atomic_load_n(&told->runs, __ATOMIC_RELAXED);
    bool is_up = state == CONTROL_RUNNING || state == CONTROL_PAUSED;
    char since[AGE_BYTES], up[AGE_BYTES], more[AGE_BYTES + 8] = "";

    format_age(mux, __atomic_load_n(&told->since, __ATOMIC_RELAXED), now, since);
    format_age(mux, __atomic_load_n(&told->begun, __ATOMIC_RELAXED), now, up);
    if (is_up) {
        format_text(more, sizeof(more), ", up %s", up);
    }
    format_text(text, LINE_BYTES, "  %2u %s: %s for %s%s, run %u%s", vm + 1, mux->clients[vm].name,
                state_name(state), since, more, runs,
                vm == mux->focus ? " (has the keyboard)" : "");
}

static bool client_line(const struct mux *mux, unsigned line, uint64_t now, char text[LINE_BYTES])
{
    if (line >= mux->nr_clients) {
        return false;
    }
    if (line < mux->nr_vms) {
        vm_line(mux, line, now, text);
    } else {
        format_text(text, LINE_BYTES, "     %s (server)", mux->clients[line].name);
    }
    return true;
}

/* --- in pieces --- */

static bool make_line(const struct mux *mux, uint64_t now, char text[LINE_BYTES])
{
    unsigned line = mux->listing_line;

    if (line == 0) {
        format_text(text, LINE_BYTES, "[console]");
        return true;
    }
    return mux->listing == MUX_LISTING_HELP ? help_line(mux, line - 1, text)
                                            : client_line(mux, line - 1, now, text);
}

static void say_next(struct mux *mux, uint64_t now)
{
    char text[LINE_BYTES];

    if (!make_line(mux, now, text)) {
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

bool list_go_on(struct mux *mux, uint64_t now)
{
    bool any = false;

    /* For a line between two line ends, or for what had been shown of another one. */
    while (mux->listing != MUX_LISTING_NONE && mux_room(mux) >= MUX_LINE_BYTES) {
        say_next(mux, now);
        any = true;
    }
    return any;
}
