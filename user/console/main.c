/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console server: lets its clients share the serial port (mux.h). All that speaks to the kernel
 * is here.
 *
 * Time       The server has a small budget in a short period (tools/bulkhead/console.c). After it
 *            had something to do it does not wait for the next signal at once but lets its period
 *            pass and looks again, for LINGER_MS: a client that puts out a byte at a time costs a
 *            switch for each period, not for each byte. Nobody signals it during that time, because
 *            it has not asked for it.
 */
#include <sel4/sel4.h>

#include "user/console/mux.h"
#include "user/console/port.h"
#include "user/libserver/reset.h"
#include "user/libserver/serve.h"
#include "user/start/start.h"

#define LINGER_MS 10u
/* Bytes of input in one round: more than the port's FIFO, so that nothing waits for the next. */
#define INPUT_ROUND 64u

static const struct console_config *const config =
    (const struct console_config *)SERVER_CONFIG_VADDR;
static struct control_channel *const control = (struct control_channel *)SERVER_CONTROL_VADDR;
static struct resets resets;
static struct mux mux;
static struct port port;

/* --- the kernel's side of port.h --- */

uint8_t port_in(unsigned reg)
{
    seL4_X86_IOPort_In8_t result =
        seL4_X86_IOPort_In8(CONSOLE_SLOT_PORT, (seL4_Uint16)(config->port + reg));

    return result.error == seL4_NoError ? result.result : 0xff;
}

void port_out(unsigned reg, uint8_t value)
{
    seL4_X86_IOPort_Out8(CONSOLE_SLOT_PORT, config->port + reg, value);
}

/* --- a round --- */

static bool receive(uint64_t now)
{
    unsigned count = 0;
    uint8_t byte;

    while (count < INPUT_ROUND && mux_wants_input(&mux, now) && port_receive(&port, &byte)) {
        mux_input(&mux, byte);
        count++;
    }
    return count != 0;
}

static void send(void)
{
    uint8_t bytes[PORT_BURST];

    while (mux_has_output(&mux) && port_is_ready(&port)) {
        port_send(&port, bytes, mux_take_output(&mux, bytes, sizeof(bytes)));
    }
    if (!mux_has_output(&mux)) {
        mux_sent(&mux);
    }
}

static void begin_resets(void)
{
    uint32_t clients = resets_take(&resets);

    for (unsigned i = 0; clients >> i != 0; i++) {
        if ((clients >> i & 1) != 0) {
            mux_reset(&mux, i);
        }
    }
}

static void tell_supervisor(void)
{
    uint32_t done = mux_take_resets(&mux);
    bool commanded = mux_take_commanded(&mux);

    resets_end(&resets, done);
    if (done != 0 || commanded) {
        seL4_Signal(SERVER_SLOT_SUPERVISOR);
    }
}

/* Whether there was something to do. */
static bool serve(uint64_t now)
{
    bool any = receive(now);

    begin_resets();
    any |= mux_pump(&mux, now);
    send();
    tell_supervisor();
    port_want(&port, mux_wants_input(&mux, now), mux_has_output(&mux));
    server_signal_clients(mux_take_signals(&mux));
    return any;
}

/* The interrupt is an edge: whoever acknowledges it looks at the port afterwards. */
static void acknowledge(seL4_Word badge)
{
    if ((badge & SERVER_BADGE_INTERRUPT) != 0) {
        seL4_IRQHandler_Ack(CONSOLE_SLOT_IRQ);
    }
}

static void wait_for_signal(void)
{
    seL4_Word badge = 0;

    seL4_Wait(SERVER_SLOT_NOTIFICATION, &badge);
    acknowledge(badge);
}

/* Until the next period, or, if there is still budget in this one, not at all. */
static void let_time_pass(void)
{
    seL4_Word badge = 0;

    seL4_Poll(SERVER_SLOT_NOTIFICATION, &badge);
    acknowledge(badge);
    seL4_Yield();
}

static _Noreturn void run(uint64_t linger)
{
    uint64_t last = time_stamp();

    for (;;) {
        uint64_t now = time_stamp();
        enum mux_rest rest;

        if (serve(now)) {
            last = now;
            continue;
        }
        if (mux_has_output(&mux)) {
            wait_for_signal(); /* the port's */
            continue;
        }
        rest = mux_rest(&mux, now);
        if (rest == MUX_POLL || (rest == MUX_WAIT && now - last < linger)) {
            let_time_pass();
        } else if (rest == MUX_WAIT) {
            wait_for_signal();
        }
    }
}

int main(seL4_Word argument)
{
    (void)argument;
    seL4_SetIPCBuffer((seL4_IPCBuffer *)SERVER_IPC_BUFFER_VADDR);
    /* Written by the host tool that was built with this program; init reports the fault. */
    if (config->magic != CONSOLE_CONFIG_MAGIC || config->version != CONSOLE_CONFIG_VERSION ||
        config->nr_clients == 0 || config->nr_clients > SERVER_MAX_CLIENTS || config->nr_vms == 0 ||
        config->nr_vms > config->nr_clients || config->first >= config->nr_vms ||
        config->escape >= ' ') {
        return 1;
    }
    resets = (struct resets){ .channel = control, .nr_clients = config->nr_clients };
    mux_init(&mux, config, control);
    for (unsigned i = 0; i < config->nr_clients; i++) {
        mux_add(&mux, config->names[i],
                (struct console_channel *)(SERVER_CHANNEL_VADDR + i * SERVER_CHANNEL_SPAN));
    }
    mux_greet(&mux);
    port_init(&port);
    acknowledge(SERVER_BADGE_INTERRUPT);
    run((seL4_Uint64)config->tsc_mhz * 1000 * LINGER_MS);
}
