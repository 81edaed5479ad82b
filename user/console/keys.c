/* SPDX-License-Identifier: BSD-2-Clause */
/* What is typed: for the VM that has the keyboard, or, after the escape key, for us. */
#include "lib/format.h"
#include "user/console/mux_priv.h"

/* What a key's answer may take, with what is shown of the line that it interrupts. */
#define ANSWER_BYTES 1024u

_Static_assert(OWN_BYTES >= 2 * ANSWER_BYTES, "an answer finds room");

void mux_greet(struct mux *mux)
{
    char text[SAID_BYTES], key = escape_letter(mux);

    if (mux->nr_vms > 1) {
        format_text(
            text, sizeof(text),
            "[console] the keyboard goes to %s; Ctrl-%c n: to the next one, Ctrl-%c ?: help\r\n",
            mux_focus(mux)->name, key, key);
    } else {
        format_text(text, sizeof(text), "[console] Ctrl-%c ?: help\r\n", key);
    }
    mux_say(mux, text);
}

/* --- the console's own keys --- */

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
        hold_begin(mux);
        mux_text(mux, text);
        mux_resume_line(mux);
    }
}

static void go_to_next(struct mux *mux)
{
    move_keyboard(mux, (mux->focus + 1) % mux->nr_vms);
}

static void go_to_previous(struct mux *mux)
{
    move_keyboard(mux, (mux->focus + mux->nr_vms - 1) % mux->nr_vms);
}

static void list_clients(struct mux *mux)
{
    list_begin(mux, MUX_LISTING_CLIENTS);
}

static void show_help(struct mux *mux)
{
    list_begin(mux, MUX_LISTING_HELP);
}

static void say_asked(struct mux *mux, const char *whom, const char *what)
{
    char text[SAID_BYTES];

    format_text(text, sizeof(text), "[console] %s: %s\r\n", whom, what);
    mux_say(mux, text);
}

static void ask_for_counters(struct mux *mux, struct mux_client *client)
{
    if (client->resetting) {
        return;
    }
    client->show++;
    __atomic_store_n(&client->channel->show, client->show, __ATOMIC_RELEASE);
    mux_signal(mux, client);
}

static void show_vm(struct mux *mux)
{
    say_asked(mux, mux_focus(mux)->name, "counters");
    ask_for_counters(mux, mux_focus(mux));
}

static void show_servers(struct mux *mux)
{
    say_asked(mux, "servers", "counters");
    for (unsigned i = mux->nr_vms; i < mux->nr_clients; i++) {
        ask_for_counters(mux, &mux->clients[i]);
    }
}

/* Of the VM that has the keyboard. What becomes of it the supervisor says. */
static void command(struct mux *mux, enum control_command what, const char *said)
{
    struct mux_client *client = mux_focus(mux);

    say_asked(mux, client->name, said);
    client->commands++;
    __atomic_store_n(&mux->control->commands[mux->focus],
                     client->commands << CONTROL_COMMAND_BITS | (uint32_t)what, __ATOMIC_RELEASE);
    mux->commanded = true;
}

static void pause_vm(struct mux *mux)
{
    command(mux, CONTROL_PAUSE, "pause");
}

static void resume_vm(struct mux *mux)
{
    command(mux, CONTROL_RESUME, "resume");
}

static void restart_vm(struct mux *mux)
{
    command(mux, CONTROL_RESTART, "restart");
}

static void stop_vm(struct mux *mux)
{
    command(mux, CONTROL_STOP, "stop");
}

bool mux_take_commanded(struct mux *mux)
{
    bool commanded = mux->commanded;

    mux->commanded = false;
    return commanded;
}

const struct key keys[NR_KEYS] = {
    { 'l', "lists VMs, with their states, and servers", list_clients },
    { 'n', "the keyboard goes to the next VM", go_to_next },
    { 'p', "the keyboard goes to the previous VM", go_to_previous },
    { 'i', "shows the counters of the VM that has the keyboard", show_vm },
    { 'd', "shows the counters of the disk server", show_servers },
    { 'z', "pauses the VM that has the keyboard", pause_vm },
    { 'c', "lets it continue", resume_vm },
    { 'R', "starts it anew, or again if it has ended", restart_vm },
    { 'K', "stops it, as if its power were cut", stop_vm },
    { '?', "shows this help", show_help },
};

/* --- what is typed --- */

static void drop(struct mux *mux, const char *why)
{
    if (!mux->told) {
        mux->told = true;
        say_asked(mux, mux_focus(mux)->name, why);
    }
}

/* What is typed for a VM that is off is not for its next run. */
static bool is_on(const struct mux *mux)
{
    uint32_t state = __atomic_load_n(&mux->control->vms[mux->focus].state, __ATOMIC_RELAXED);

    return state == CONTROL_NONE || state == CONTROL_RUNNING || state == CONTROL_PAUSED;
}

static void pass_on(struct mux *mux, uint8_t byte)
{
    struct mux_client *client = mux_focus(mux);

    if (client->resetting || !is_on(mux)) {
        drop(mux, "it is off; what is typed is dropped");
    } else if (ring_put(&client->input, &byte, 1) != 0) {
        mux_note_signal(mux, client, &client->input);
    } else {
        drop(mux, "it does not read; what is typed is dropped");
    }
}

static void press(struct mux *mux, uint8_t key)
{
    for (unsigned i = 0; i < NR_KEYS; i++) {
        if ((uint8_t)keys[i].key == key) {
            keys[i].press(mux);
            return;
        }
    }
    if (key == mux->escape) {
        pass_on(mux, key);
    } else if (key >= '1' && key <= '9' && key - '1' < (int)mux->nr_vms) {
        move_keyboard(mux, (unsigned)(key - '1'));
    } else {
        show_help(mux);
    }
}

void mux_input(struct mux *mux, uint8_t byte)
{
    if (mux->escaped) {
        mux->escaped = false;
        press(mux, byte);
    } else if (byte == mux->escape) {
        mux->escaped = true;
    } else {
        pass_on(mux, byte);
    }
}

/* The ring is full: whether its VM has read so little for so long that it is not waited for. */
static bool has_stopped_reading(struct mux *mux, uint64_t now)
{
    uint32_t index = mux_focus(mux)->input.index;

    if (mux->full && now - mux->full_since < mux->ticks_hold) {
        return mux->drops;
    }
    mux->drops = mux->full && index - mux->full_index < MUX_HOLD_BYTES;
    mux->full = true;
    mux->full_since = now;
    mux->full_index = index;
    return mux->drops;
}

/* Whether there is no room for what is typed, but soon may be. */
static bool holds_input(struct mux *mux, uint64_t now)
{
    struct ring *input = &mux_focus(mux)->input;

    if (mux_focus(mux)->resetting) {
        return !has_stopped_reading(mux, now);
    }
    if (is_on(mux) && ring_available(input) >= CONSOLE_INPUT_BYTES / 2) {
        hold_begin(mux);
    }
    return ring_may_sleep(input, 1) && !has_stopped_reading(mux, now);
}

bool mux_wants_input(struct mux *mux, uint64_t now)
{
    mux->held = !mux->escaped && holds_input(mux, now);
    return !mux->held && mux->listing == MUX_LISTING_NONE && mux_room(mux) >= ANSWER_BYTES;
}
