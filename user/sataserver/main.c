/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SATA server: lets its clients share the drives of one AHCI controller (service.h). All that
 * speaks to the kernel is here.
 *
 * Time       The server waits for its notification: interrupts, clients, and the ticks of its
 *            clock. The kernel has no timer that signals, and a thread that lets its own period
 *            pass (seL4_Yield) hears no interrupt meanwhile: so the clock is a second thread that
 *            does nothing but that, every HBA_TICK_US, as long as the driver has something to time
 *            or a client's limit holds something up.
 *            It shares nothing with the first but one flag, and leaves the IPC buffer alone.
 */
#include <sel4/sel4.h>

#include "abi/plan.h"
#include "lib/string.h"
#include "user/libserver/console.h"
#include "user/libserver/reset.h"
#include "user/libserver/serve.h"
#include "user/sataserver/service.h"
#include "user/start/start.h"

#define CLOCK_THREAD 1u
#define MAX_WINDOWS  4096u

static struct hba hba;
static struct service service;
static struct resets resets;
static struct window window_rows[MAX_WINDOWS];
static struct ring console;
static const uint32_t *show; /* in the channel to the console: how often counters were wanted */
static uint32_t shown;
static bool clock_runs; /* both threads */

static const struct sata_config *const config = (const struct sata_config *)SERVER_CONFIG_VADDR;

/* --- the clock --- */

/* The IPC buffer is the first thread's, and may not be set yet: only calls that need none. */
static _Noreturn void run_clock(void)
{
    for (;;) {
        seL4_WaitWithMRs(SATA_SLOT_CLOCK, NULL, NULL, NULL, NULL, NULL);
        while (__atomic_load_n(&clock_runs, __ATOMIC_RELAXED)) {
            seL4_Yield();
            seL4_Signal(SATA_SLOT_SELF);
        }
    }
}

/* It is stopped at a tick only: requests one after the other do not start it again each time. */
static void keep_clock(bool ticked)
{
    bool busy;

    if (clock_runs && !ticked) {
        return; /* between two ticks there is nothing to decide */
    }
    busy = hba_is_busy(&hba) || service_waits_for_time(&service);
    if (busy == clock_runs) {
        return;
    }
    __atomic_store_n(&clock_runs, busy, __ATOMIC_RELAXED);
    if (busy) {
        seL4_Signal(SATA_SLOT_CLOCK);
    }
}

static uint64_t microseconds(void)
{
    return time_stamp() / config->tsc_mhz;
}

/* --- what it says --- */

static void say(const char *line)
{
    server_say(&console, SATA_SLOT_CONSOLE, line);
}

/* Whoever changes it signals. */
static void show_counters(void)
{
    uint32_t wanted = __atomic_load_n(show, __ATOMIC_ACQUIRE);

    if (wanted != shown) {
        shown = wanted;
        service_report(&service);
    }
}

static void open_console(void)
{
    struct console_channel *channel = (struct console_channel *)SATA_CONSOLE_VADDR;

    ring_init(&console, RING_PRODUCER, &channel->output, channel->output_bytes, 1,
              CONSOLE_OUTPUT_BYTES);
    show = &channel->show;
}

/* --- what it was given --- */

/*
 * The first frame is for tables and zeros, the others are the driver's, as far as they follow each
 * other.
 */
static void share_memory(void)
{
    uint64_t frames = 1;

    while (frames + 1 < SATA_DMA_FRAMES &&
           config->dma_addresses[frames + 1] == config->dma_addresses[frames] + SATA_FRAME_BYTES) {
        frames++;
    }
    hba.memory = (struct dma_memory){
        .base = (uint8_t *)(SATA_DMA_VADDR + SATA_FRAME_BYTES),
        .address = config->dma_addresses[1],
        .bytes = frames * SATA_FRAME_BYTES,
    };
    service.tables = (struct dma_memory){
        .base = (uint8_t *)SATA_DMA_VADDR,
        .address = config->dma_addresses[0],
        .bytes = SATA_FRAME_BYTES - SERVICE_ZERO_BYTES,
    };
    service.zeros = config->dma_addresses[0] + SATA_FRAME_BYTES - SERVICE_ZERO_BYTES;
}

/* From `rows` on; returns how many, or 0 if there is not room for so many. */
static uint32_t make_windows(uint32_t memory, struct window *rows, uint32_t room)
{
    const uint64_t *address =
        (const uint64_t *)(SATA_ADDRESSES_VADDR + memory * SATA_ADDRESSES_SPAN);
    uint32_t count = 0;

    for (unsigned i = 0; i < SATA_MEMORY_RANGES; i++) {
        for (uint64_t n = 0; n < config->memories[memory].ranges[i].nr_frames; n++) {
            struct window window = {
                .client = config->memories[memory].ranges[i].client + n * SATA_FRAME_BYTES,
                .bus = *address++,
                .bytes = SATA_FRAME_BYTES,
            };

            if (!windows_add(rows, &count, room, window)) {
                return 0;
            }
        }
    }
    return count;
}

static void make_memories(struct windows memories[SATA_MAX_CLIENTS])
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < config->nr_memories; i++) {
        struct windows *memory = &memories[i];

        memory->rows = &window_rows[used];
        memory->count = make_windows(i, &window_rows[used], MAX_WINDOWS - used);
        used += memory->count;
    }
}

static void make_clients(void)
{
    struct windows memories[SATA_MAX_CLIENTS] = { 0 };

    make_memories(memories);
    service.nr_clients = config->nr_clients;
    resets = (struct resets){
        .channel = (struct control_channel *)SERVER_CONTROL_VADDR,
        .nr_clients = config->nr_clients,
    };
    for (uint32_t i = 0; i < config->nr_clients; i++) {
        struct client *client = &service.clients[i];

        client->config = &config->clients[i];
        client->channel =
            (struct disk_channel *)(SERVER_CHANNEL_VADDR + (uint64_t)i * SERVER_CHANNEL_SPAN);
        client->windows = memories[client->config->memory];
        if (client->windows.count == 0) {
            client->impossible = "the machine's memory is in too many pieces";
        } else if (!windows_valid(&client->windows)) {
            client->impossible = "its memory's addresses make no sense";
        }
    }
}

static const char *device_problem(void)
{
    switch (config->device_state) {
    case PLAN_DEVICE_FOUND:
        return NULL;
    case PLAN_DEVICE_MISSING:
        return "there is no AHCI controller";
    case PLAN_DEVICE_NO_REGISTERS:
        return "the AHCI controller's registers cannot be used";
    default:
        return "the AHCI controller has no message-signalled interrupts";
    }
}

/* Written by the host tool that was built with this program; init reports the fault. */
static bool config_is_sane(void)
{
    if (config->magic != SATA_CONFIG_MAGIC || config->version != SATA_CONFIG_VERSION ||
        config->tsc_mhz == 0 || config->nr_clients == 0 || config->nr_clients > SATA_MAX_CLIENTS ||
        config->nr_memories > SATA_MAX_CLIENTS) {
        return false;
    }
    for (uint32_t i = 0; i < config->nr_clients; i++) {
        if (config->clients[i].memory >= config->nr_memories) {
            return false;
        }
    }
    return true;
}

/* --- the loop --- */

/* The interrupt is an edge: whoever acknowledges it looks at the controller afterwards. */
static void hear(seL4_Word badge)
{
    uint64_t now = microseconds();

    if ((badge & SERVER_BADGE_INTERRUPT) != 0) {
        seL4_IRQHandler_Ack(SATA_SLOT_IRQ);
        hba_interrupt(&hba, now);
    }
    if ((badge & SATA_BADGE_CLOCK) != 0) {
        hba_tick(&hba, now);
    }
}

static void begin_resets(void)
{
    uint32_t clients = resets_take(&resets);

    for (uint32_t i = 0; clients >> i != 0; i++) {
        if ((clients >> i & 1) != 0) {
            service_reset(&service, i);
        }
    }
}

static void end_resets(void)
{
    uint32_t done = service_take_resets(&service);

    if (done != 0) {
        resets_end(&resets, done);
        seL4_Signal(SERVER_SLOT_SUPERVISOR);
    }
}

static _Noreturn void run(void)
{
    seL4_Word badge = 0;

    for (;;) {
        bool more;

        begin_resets();
        more = service_run(&service, microseconds());
        end_resets();
        server_signal_clients(service_take_signals(&service));
        keep_clock((badge & SATA_BADGE_CLOCK) != 0);
        badge = 0;
        show_counters();
        if (more || !service_may_sleep(&service)) {
            seL4_Poll(SERVER_SLOT_NOTIFICATION, &badge);
        } else {
            seL4_Wait(SERVER_SLOT_NOTIFICATION, &badge);
        }
        hear(badge);
    }
}

int main(seL4_Word number)
{
    const char *problem;

    if (number == CLOCK_THREAD) {
        run_clock();
    }
    seL4_SetIPCBuffer((seL4_IPCBuffer *)SERVER_IPC_BUFFER_VADDR);
    if (!config_is_sane()) {
        return 1;
    }
    open_console();
    share_memory();
    make_clients();
    service.hba = &hba;
    service.say = say;
    service.problems_only = config->log == SERVER_LOG_PROBLEMS;
    problem = device_problem();
    service_start(&service, problem);
    if (problem == NULL) {
        hba.registers = (volatile uint32_t *)SATA_REGISTERS_VADDR;
        hba.register_bytes = config->register_pages * 4096;
        seL4_IRQHandler_Ack(SATA_SLOT_IRQ);
        hba_start(&hba, microseconds());
    }
    run();
}
