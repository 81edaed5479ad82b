/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/console/mux.h"

#include "lib/format.h"
#include "lib/string.h"
#include "user/console/mux_priv.h"
#include "user/console/plain.h"

/* What a turn may put out at most: a line with its label, on a line of its own, and a line again.
 */
#define TURN_BYTES (2 * MUX_LINE_BYTES + SERVER_NAME_BYTES + 24)

_Static_assert(TURN_BYTES + OWN_BYTES < MUX_OUT_BYTES, "a turn fits");
_Static_assert(SERVER_MAX_CLIENTS <= 32, "a bit for each");

/* --- Output --------------------------------------------------------------------------------------
 */

uint32_t mux_room(const struct mux *mux)
{
    return MUX_OUT_BYTES - (mux->out_tail - mux->out_head);
}

/* The caller has seen that there is room. */
static void mux_put(struct mux *mux, const void *bytes, uint32_t count)
{
    const uint8_t *from = bytes;

    for (uint32_t i = 0; i < count; i++) {
        mux->out[mux->out_tail++ % MUX_OUT_BYTES] = from[i];
    }
}

void mux_text(struct mux *mux, const char *text)
{
    mux_put(mux, text, (uint32_t)strlen(text));
}

uint32_t mux_take_output(struct mux *mux, uint8_t *bytes, uint32_t count)
{
    uint32_t taken = 0;

    while (taken < count && mux->out_head != mux->out_tail) {
        bytes[taken++] = mux->out[mux->out_head++ % MUX_OUT_BYTES];
    }
    return taken;
}

struct mux_client *mux_focus(struct mux *mux)
{
    return &mux->clients[mux->focus];
}

static bool in_mid_line(const struct mux *mux)
{
    const struct mux_client *client = &mux->clients[mux->focus];

    return client->line_length != 0 || client->line_cut;
}

void mux_leave_line(struct mux *mux)
{
    if (in_mid_line(mux)) {
        mux_text(mux, "\r\n");
    }
}

void mux_resume_line(struct mux *mux)
{
    uint8_t again[MUX_LINE_BYTES] = { 0 };

    if (!mux_focus(mux)->line_cut) {
        mux_put(mux, again, plain_repeat(again, mux_focus(mux)->line, mux_focus(mux)->line_length));
    }
}

void mux_say(struct mux *mux, const char *text)
{
    if (mux_room(mux) >= strlen(text) + MUX_LINE_BYTES + 2) {
        mux_leave_line(mux);
        mux_text(mux, text);
        mux_resume_line(mux);
    }
}

/* --- Clients -------------------------------------------------------------------------------------
 */

void mux_init(struct mux *mux, const struct console_config *config, struct control_channel *control)
{
    memset(mux, 0, sizeof(*mux));
    mux->control = control;
    mux->tsc_mhz = config->tsc_mhz;
    mux->nr_vms = config->nr_vms;
    mux->focus = config->first;
    mux->escape = config->escape;
    mux->colour = config->colour != 0;
    mux->ticks_quiet = (uint64_t)config->tsc_mhz * 1000 * MUX_QUIET_MS;
    mux->ticks_hold = (uint64_t)config->tsc_mhz * 1000 * MUX_HOLD_MS;
}

void mux_open_rings(struct mux_client *client)
{
    struct console_channel *channel = client->channel;

    ring_init(&client->output, RING_CONSUMER, &channel->output, channel->output_bytes, 1,
              CONSOLE_OUTPUT_BYTES);
    ring_init(&client->input, RING_PRODUCER, &channel->input, channel->input_bytes, 1,
              CONSOLE_INPUT_BYTES);
}

void mux_add(struct mux *mux, const char *name, struct console_channel *channel)
{
    struct mux_client *client = &mux->clients[mux->nr_clients++];

    memcpy(client->name, name, strnlen(name, sizeof(client->name) - 1));
    client->channel = channel;
    mux_open_rings(client);
}

void mux_signal(struct mux *mux, const struct mux_client *client)
{
    mux->signals |= 1u << (client - mux->clients);
}

void mux_note_signal(struct mux *mux, const struct mux_client *client, struct ring *ring)
{
    if (ring_must_signal(ring)) {
        mux_signal(mux, client);
    }
}

uint32_t mux_take_signals(struct mux *mux)
{
    uint32_t signals = mux->signals;

    mux->signals = 0;
    return signals;
}

/* Tells the client that it may overwrite what we are done with. */
static void give_back(struct mux *mux, struct mux_client *client, uint32_t count)
{
    if (count != 0) {
        ring_release(&client->output, count);
        client->done -= count;
        mux_note_signal(mux, client, &client->output);
    }
}

void mux_sent(struct mux *mux)
{
    for (unsigned i = 0; i < mux->nr_clients; i++) {
        give_back(mux, &mux->clients[i], mux->clients[i].done);
    }
}

/* For clients that never let the output run empty: all that cannot be in there any more. */
static void give_back_early(struct mux *mux, struct mux_client *client)
{
    uint32_t waiting = mux->out_tail - mux->out_head;

    if (client->done >= CONSOLE_OUTPUT_BYTES / 2 && client->done > waiting) {
        give_back(mux, client, client->done - waiting);
    }
}

static void name_bad_ring(struct mux *mux, struct mux_client *client)
{
    char text[SAID_BYTES];

    if ((ring_is_broken(&client->output) || ring_is_broken(&client->input)) && !client->known_bad) {
        client->known_bad = true;
        format_text(text, sizeof(text),
                    "[console] %s broke its channel and is not listened to any more\r\n",
                    client->name);
        mux_say(mux, text);
    }
}

/* --- Turns ---------------------------------------------------------------------------------------
 */

/* The next byte of the client's output, if there is one. */
static bool next_byte(struct mux_client *client, uint8_t *byte)
{
    if (client->resetting && client->left == 0) {
        return false;
    }
    if (ring_take(&client->output, byte, 1) == 0) {
        client->left = 0;
        return false;
    }
    client->left -= client->resetting;
    client->done++;
    return true;
}

static void hold_byte(struct mux_client *client, uint8_t byte)
{
    if (byte == '\n') {
        client->line_length = 0;
        client->line_cut = false;
    } else if (client->line_length < MUX_LINE_BYTES) {
        client->line[client->line_length++] = byte;
    } else {
        client->line_cut = true;
    }
}

/* Of the client with the keyboard: what there is, up to the end of a line. */
static bool turn_of_focus(struct mux *mux, uint64_t now)
{
    struct mux_client *client = mux_focus(mux);
    uint32_t count = 0;
    uint8_t byte = 0;

    while (count < MUX_LINE_BYTES && byte != '\n' && next_byte(client, &byte)) {
        mux_put(mux, &byte, 1);
        hold_byte(client, byte);
        count++;
    }
    if (count != 0) {
        mux->last_shown = now;
    }
    return count != 0;
}

/* In one of the terminal's colours, without black, white and what is hard to tell from them. */
static void show_label(struct mux *mux, const struct mux_client *client)
{
    static const char *const colours[] = { "\x1b[36m", "\x1b[33m", "\x1b[32m",
                                           "\x1b[35m", "\x1b[34m", "\x1b[31m" };

    if (mux->colour) {
        mux_text(mux, colours[(unsigned)(client - mux->clients) % 6]);
    }
    mux_text(mux, client->name);
    mux_text(mux, mux->colour ? "|\x1b[0m " : "| ");
}

static void show_labelled(struct mux *mux, struct mux_client *client)
{
    uint8_t text[MUX_LINE_BYTES] = { 0 };
    uint32_t length = plain_text(text, client->line, client->line_length);

    mux_leave_line(mux);
    show_label(mux, client);
    mux_put(mux, text, length);
    mux_text(mux, "\r\n");
    mux_resume_line(mux);
}

/* A line of another client has ended, or is as long as lines may be. */
static void end_of_other(struct mux *mux, struct mux_client *client, bool newline)
{
    /* All of it was shown when it had become too long. */
    bool nothing_left = client->line_cut && client->line_length == 0;

    if (!nothing_left) {
        show_labelled(mux, client);
    }
    client->line_length = 0;
    client->line_cut = !newline;
}

void mux_end_line(struct mux *mux, struct mux_client *client)
{
    if (client == mux_focus(mux)) {
        mux_leave_line(mux);
    } else if (client->line_length != 0) {
        show_labelled(mux, client);
    }
    client->line_length = 0;
    client->line_cut = false;
}

/* Of another client: what there is, up to the end of a line, which is then shown. */
static bool turn_of_other(struct mux *mux, struct mux_client *client)
{
    bool any = false;
    uint8_t byte;

    while (next_byte(client, &byte)) {
        any = true;
        if (byte != '\n' && client->line_length < MUX_LINE_BYTES) {
            client->line[client->line_length++] = byte;
        }
        if (byte == '\n' || client->line_length == MUX_LINE_BYTES) {
            end_of_other(mux, client, byte == '\n');
            break;
        }
    }
    return any;
}

/* Whether the one with the keyboard is about to finish its line. */
static bool holds_back(const struct mux *mux, uint64_t now)
{
    return in_mid_line(mux) && !mux->clients[mux->focus].line_cut &&
           now - mux->last_shown < mux->ticks_quiet;
}

static bool turn_of(struct mux *mux, unsigned index, uint64_t now)
{
    return index == mux->focus ? turn_of_focus(mux, now) : turn_of_other(mux, &mux->clients[index]);
}

/* Of the clients whose start waits for it. */
static bool turn_before_reset(struct mux *mux, uint64_t now)
{
    for (unsigned i = 0; i < mux->nr_clients; i++) {
        if (mux->clients[i].resetting && turn_of(mux, i, now)) {
            return true;
        }
    }
    return false;
}

static bool turn(struct mux *mux, uint64_t now)
{
    if (turn_before_reset(mux, now)) {
        return true;
    }
    if (holds_back(mux, now)) {
        return turn_of_focus(mux, now);
    }
    for (unsigned i = 1; i <= mux->nr_clients; i++) {
        unsigned next = (mux->turn + i) % mux->nr_clients;

        if (turn_of(mux, next, now)) {
            mux->turn = next;
            return true;
        }
    }
    return false;
}

bool mux_may_say(const struct mux *mux)
{
    return mux->listing == MUX_LISTING_NONE && mux_room(mux) >= TURN_BYTES;
}

bool mux_pump(struct mux *mux, uint64_t now)
{
    bool any = list_go_on(mux, now);

    while (mux->listing == MUX_LISTING_NONE && mux_room(mux) >= TURN_BYTES + OWN_BYTES &&
           turn(mux, now)) {
        any = true;
    }
    reset_finish(mux);
    for (unsigned i = 0; i < mux->nr_clients; i++) {
        give_back_early(mux, &mux->clients[i]);
        name_bad_ring(mux, &mux->clients[i]);
    }
    return any;
}

enum mux_rest mux_rest(struct mux *mux, uint64_t now)
{
    if (mux_has_output(mux)) {
        return MUX_AGAIN;
    }
    for (unsigned i = 0; i < mux->nr_clients; i++) {
        if (!mux->clients[i].resetting && !ring_may_sleep(&mux->clients[i].output, 1)) {
            return i == mux->focus || !holds_back(mux, now) ? MUX_AGAIN : MUX_POLL;
        }
    }
    return mux->held ? MUX_POLL : MUX_WAIT;
}
