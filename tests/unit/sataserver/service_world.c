/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/sataserver/service_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct hba hba;
struct service service;
struct sata_client_config configs[NR_CLIENTS];
struct disk_channel channels[NR_CLIENTS];
struct peer peers[NR_CLIENTS];
static struct window windows[NR_CLIENTS][2];
uint64_t now;
bool awake;
char said[8192];

/* --- the world --- */

static void say(const char *line)
{
    size_t length = strlen(said);

    snprintf(said + length, sizeof said - length, "%s\n", line);
}

void take_signals(void)
{
    uint32_t signals = service_take_signals(&service);

    for (unsigned i = 0; i < NR_CLIENTS; i++) {
        peers[i].wakes += signals >> i & 1;
    }
}

void step(void)
{
    bool woken = awake;

    model_step();
    now += STEP_US;
    if (model_has_interrupt()) {
        hba_interrupt(&hba, now);
        woken = true;
    }
    if (now % HBA_TICK_US == 0 && (hba_is_busy(&hba) || service_waits_for_time(&service))) {
        hba_tick(&hba, now);
        woken = true;
    }
    if (woken) {
        bool more = service_run(&service, now);

        take_signals();
        awake = more || !service_may_sleep(&service);
    }
    if (model.violation != NULL) {
        fail_msg("%s", model.violation);
    }
}

void steps(unsigned count)
{
    while (count-- > 0) {
        step();
    }
}

enum disk_state state_of(unsigned client)
{
    return (enum disk_state)__atomic_load_n(&channels[client].facts.state, __ATOMIC_ACQUIRE);
}

void run_until_decided(void)
{
    for (unsigned i = 0; i < 10 * LONG_TIME && !service.decided; i++) {
        step();
    }
    assert_true(service.decided);
}

void open_rings(unsigned client)
{
    struct disk_channel *channel = &channels[client];
    struct peer *peer = &peers[client];

    ring_init(&peer->requests, RING_PRODUCER, &channel->requests, channel->request_entries,
              sizeof(struct disk_request), DISK_MAX_REQUESTS);
    ring_init(&peer->segments, RING_PRODUCER, &channel->segments, channel->segment_entries,
              sizeof(struct disk_segment), DISK_SEGMENT_RING);
    ring_init(&peer->completions, RING_CONSUMER, &channel->completions, channel->completion_entries,
              sizeof(struct disk_completion), DISK_MAX_REQUESTS);
}

void add_client(const char *name, uint32_t select, const char *text, uint32_t number,
                uint32_t flags)
{
    unsigned i = service.nr_clients++;
    uint64_t bus = MODEL_ARENA_ADDRESS + CLIENT_AT + i * CLIENT_RAM;
    struct client *client = &service.clients[i];
    struct disk_channel *channel = &channels[i];

    configs[i] = (struct sata_client_config){ .select = select, .number = number, .flags = flags };
    snprintf(configs[i].name, sizeof configs[i].name, "%s", name);
    snprintf(configs[i].text, sizeof configs[i].text, "%s", text);
    windows[i][0] = (struct window){ 0, bus, CLIENT_RAM / 2 };
    windows[i][1] = (struct window){ HIGH, bus + CLIENT_RAM / 2, CLIENT_RAM / 2 };
    memset(channel, 0, sizeof *channel);
    client->config = &configs[i];
    client->channel = channel;
    client->windows = (struct windows){ windows[i], 2 };
    memset(&peers[i], 0, sizeof peers[i]);
    open_rings(i);
}

/* DMA may touch what the controller was given, and the clients' RAM. */
void allow_dma(void)
{
    model.allowed = calloc(1, MODEL_ARENA_BYTES / 4096);
    memset(model.allowed, 1, MODEL_ARENA_BYTES / 4096);
    for (unsigned i = service.nr_clients; i < NR_CLIENTS; i++) {
        memset(model.allowed + (CLIENT_AT + i * CLIENT_RAM) / 4096, 0, CLIENT_RAM / 4096);
    }
}

void begin(uint32_t ports)
{
    model_init(ports);
    memset(&hba, 0, sizeof hba);
    memset(&service, 0, sizeof service);
    memset(said, 0, sizeof said);
    hba.memory = (struct dma_memory){ model.arena, MODEL_ARENA_ADDRESS, TABLES_AT };
    hba.register_bytes = HBA_BYTES;
    service.hba = &hba;
    service.say = say;
    service.tables =
        (struct dma_memory){ model.arena + TABLES_AT, MODEL_ARENA_ADDRESS + TABLES_AT, 2 * MIB };
    service.zeros = MODEL_ARENA_ADDRESS + ZEROS_AT;
    now = 0;
    awake = true;
}

void start(void)
{
    allow_dma();
    service_start(&service, NULL);
    hba_start(&hba, now);
    run_until_decided();
    steps(10);
}

int teardown(void **state)
{
    (void)state;
    free(model.allowed);
    model.allowed = NULL;
    model_free();
    return 0;
}

/* --- drives --- */

const struct model_part parts[NR_PARTS] = { { 64, 1000, "one" },
                                            { 2048, 2000, "two" },
                                            { 4096, 8, "tiny" } };

void begin_usual(void)
{
    begin(1);
    model_add_drive(0, 512, 32);
    model_make_table(0, parts, 3);
}

void start_usual(void)
{
    begin_usual();
    add_client("one", SATA_SELECT_LABEL, "one", 0, 0);
    add_client("two", SATA_SELECT_LABEL, "two", 0, 0);
    start();
    assert_int_equal(state_of(0), DISK_READY);
    assert_int_equal(state_of(1), DISK_READY);
}

/* --- requests --- */

void wake_server(unsigned client)
{
    bool signal = ring_must_signal(&peers[client].requests);

    signal |= ring_must_signal(&peers[client].segments);
    awake |= signal;
}

void put_raw(unsigned client, const struct disk_request *request,
             const struct disk_segment *segments, uint32_t count)
{
    assert_int_equal(ring_put(&peers[client].segments, segments, count), count);
    assert_int_equal(ring_put(&peers[client].requests, request, 1), 1);
    wake_server(client);
}

void put(unsigned client, uint32_t tag, uint32_t kind, uint64_t sector, uint64_t count,
         uint64_t address)
{
    bool data = kind == DISK_READ || kind == DISK_WRITE;
    struct disk_segment segment = { address, count * channels[client].facts.sector_bytes };
    struct disk_request request = {
        .tag = tag, .kind = kind, .nr_segments = data, .sector = sector, .count = count
    };

    put_raw(client, &request, &segment, data);
}

int wait_for(unsigned client, uint32_t *tag)
{
    struct disk_completion completion;

    for (unsigned i = 0; i < LONG_TIME; i++) {
        if (ring_get(&peers[client].completions, &completion, 1) == 1) {
            *tag = completion.tag;
            return (int)completion.status;
        }
        step();
    }
    return -1;
}

int ask(unsigned client, uint32_t kind, uint64_t sector, uint64_t count, uint64_t address)
{
    uint32_t tag = 99;
    int status;

    put(client, 7, kind, sector, count, address);
    status = wait_for(client, &tag);
    assert_true(status < 0 || tag == 7);
    return status;
}

uint8_t *ram(unsigned client, uint64_t address)
{
    uint64_t at = address >= HIGH ? CLIENT_RAM / 2 + (address - HIGH) : address;

    return model.arena + CLIENT_AT + client * CLIENT_RAM + at;
}

bool all_are(const uint8_t *at, uint8_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] != value) {
            return false;
        }
    }
    return true;
}
