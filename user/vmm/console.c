/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/console.h"

#include "lib/format.h"
#include "lib/string.h"
#include "user/vmm/vcpu.h"

/* What the guest's port may send after it has been told that there is room, and more. */
#define ROOM_BYTES 64u
/* With so much room the guest goes on: a quarter of the ring. */
#define WAKE_BYTES (CONSOLE_OUTPUT_BYTES / 4)
/* Longest mark of a loss. */
#define MARK_BYTES 48u

/* A server that takes nothing for so many ticks of the TSC, about a second, is not waited for. */
#define PATIENCE (1ull << 31)

void console_init(struct console *console, struct console_channel *channel)
{
    *console = (struct console){ 0 };
    ring_init(&console->out, RING_PRODUCER, &channel->output, channel->output_bytes, 1,
              CONSOLE_OUTPUT_BYTES);
    ring_init(&console->in, RING_CONSUMER, &channel->input, channel->input_bytes, 1,
              CONSOLE_INPUT_BYTES);
    ring_may_sleep(&console->in, 1);
    console->show = &channel->show;
}

bool console_is_asked(struct console *console)
{
    uint32_t show = __atomic_load_n(console->show, __ATOMIC_RELAXED);
    bool asked = show != console->shown;

    console->shown = show;
    return asked;
}

void console_lose(struct console *console, uint64_t count)
{
    uint32_t most = UINT32_MAX - console->lost;

    console->lost += count < most ? (uint32_t)count : most;
}

void console_put(struct console *console, uint8_t byte)
{
    if (console->lost != 0 || ring_put(&console->out, &byte, 1) == 0) {
        console_lose(console, 1);
    }
}

bool console_has_room(struct console *console)
{
    return ring_available(&console->out) >= ROOM_BYTES ||
           !ring_may_sleep(&console->out, WAKE_BYTES);
}

bool console_has_drained(struct console *console)
{
    return ring_available(&console->out) >= WAKE_BYTES;
}

bool console_has_input(struct console *console)
{
    return ring_available(&console->in) != 0 || !ring_may_sleep(&console->in, 1);
}

uint32_t console_read(struct console *console, void *bytes, uint32_t count)
{
    return ring_get(&console->in, bytes, count);
}

/* Once there is room for the mark, the output may go on. */
static void mark_loss(struct console *console)
{
    char mark[MARK_BYTES];
    int length;

    if (console->lost == 0 || ring_available(&console->out) < MARK_BYTES) {
        return;
    }
    length = format_text(mark, sizeof(mark), "\r\n[%u bytes of output lost]\r\n", console->lost);
    ring_put(&console->out, mark, (uint32_t)length);
    console->lost = 0;
}

uint32_t console_write(struct console *console, const void *bytes, uint32_t count)
{
    mark_loss(console);
    return console->lost == 0 ? ring_put(&console->out, bytes, count) : 0;
}

void console_pump(struct console *console)
{
    bool waits;

    mark_loss(console);
    waits = ring_must_signal(&console->out);
    waits |= ring_must_signal(&console->in);
    if (waits) {
        console_signal();
    }
}

/* Bytes that the server has taken so far. */
static uint32_t taken(struct console *console)
{
    return console->out.index - (CONSOLE_OUTPUT_BYTES - ring_available(&console->out));
}

void console_flush(struct console *console)
{
    uint64_t since = host_tsc();

    console_pump(console);
    while (!ring_is_broken(&console->out) &&
           ring_available(&console->out) != CONSOLE_OUTPUT_BYTES) {
        uint32_t now_taken = taken(console);

        if (now_taken != console->taken) {
            console->taken = now_taken;
            console->given_up = false;
            since = host_tsc();
        } else if (console->given_up || host_tsc() - since > PATIENCE) {
            console->given_up = true;
            return;
        }
        console_relax();
    }
    console->given_up = false;
    mark_loss(console);
}

void console_print(struct console *console, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            console_put(console, '\r');
        }
        console_put(console, (uint8_t)*text);
        if (!console_has_room(console)) {
            console_flush(console);
        }
    }
    console_pump(console);
}
