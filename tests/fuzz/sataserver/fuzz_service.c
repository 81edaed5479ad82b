/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hostile clients of the disk server, which write whatever they like to their channels between any
 * two steps of the server, against a model of a controller and a drive that goes wrong now and
 * then. A third client keeps to the rules. Whatever the hostile ones do:
 *
 *  - no DMA leaves what the controller was given (the model looks), no access leaves a channel
 *    (each is an allocation of its own);
 *  - a hostile client's memory never holds a byte of the disk outside its extent, and outside of it
 *    nothing on the disk changes;
 *  - the third one's requests all end, without an error, and with the right contents;
 *  - a hostile one whose channel is reset, at any moment, has a disk as at first;
 *  - when nothing happens any more, the server sleeps.
 *
 * The hostile clients' own bytes are OWN, the third one's HONEST, the rest of the disk OTHER.
 * Input: a line that begins with '#' is passed over (for seeds), then the configuration, then
 * steps.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/input.h"
#include "tests/unit/sataserver/ahci_model.h"
#include "tests/unit/sataserver/table_model.h"
#include "user/sataserver/service.h"

/* The arena: one port's, one table's, zeros, the clients' RAM. */
#define KIB        1024u
#define TABLES_AT  (512u * KIB)
#define ZEROS_AT   (768u * KIB)
#define CLIENT_AT  (1024u * KIB)
#define CLIENT_RAM (128u * KIB)
#define HIGH       (1ull << 32) /* a client's second half is there in its own addresses */

#define STEP_US  HBA_TICK_US
#define PATIENCE 40000u /* steps; a drive that hangs takes 6000 of them */

#define OWN    0x55u
#define HONEST 0x66u
#define OTHER  0x99u

enum { FIRST, THIRD, SECOND, NR_CLIENTS }; /* the third is honest, and decided before the second */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each run's drive and arena in the last one's place: fresh pages cost more than all the rest. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=0";
}

/* The first is long enough for zeroing in pieces. */
static const struct model_part small_sectors[] = { { 64, 640, "one" }, { 710, 100, "two" } };
static const struct model_part large_sectors[] = { { 64, 80, "one" }, { 150, 100, "two" } };
static const struct model_part *parts;

static struct hba hba;
static struct service service;
static struct sata_client_config configs[NR_CLIENTS];
static struct disk_channel *channels[NR_CLIENTS];
static struct window windows[NR_CLIENTS][2];
static uint8_t *before; /* the disk */
static uint64_t now;
static bool awake;

/* The honest client's side. */
static struct ring requests, segments, completions;
static uint64_t outstanding; /* tags */

static void expect(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* --- the world --- */

static void say(const char *line)
{
    expect(strlen(line) < SERVICE_LINE_BYTES);
}

static uint8_t *ram(unsigned client)
{
    return model.arena + CLIENT_AT + client * CLIENT_RAM;
}

static void add_client(unsigned i, uint32_t select, const char *text, uint32_t flags)
{
    uint64_t bus = MODEL_ARENA_ADDRESS + CLIENT_AT + i * CLIENT_RAM;
    struct client *client = &service.clients[i];

    configs[i] = (struct sata_client_config){ .name = "a", .select = select, .flags = flags };
    strcpy(configs[i].text, text);
    windows[i][0] = (struct window){ 0, bus, CLIENT_RAM / 2 };
    windows[i][1] = (struct window){ HIGH, bus + CLIENT_RAM / 2, CLIENT_RAM / 2 };
    memset(ram(i), i == THIRD ? HONEST : OWN, CLIENT_RAM);
    memset(channels[i], 0, sizeof(struct disk_channel));
    client->config = &configs[i];
    client->channel = channels[i];
    client->windows = (struct windows){ windows[i], 2 };
    service.nr_clients++;
}

static void add_clients(struct input *input)
{
    static const char *const wishes[] = { "one", "two", "none", "A1" };
    unsigned kind = (unsigned)take(input, 1), wish = (unsigned)take(input, 1) % 4;

    add_client(FIRST, SATA_SELECT_LABEL, "one", kind & 1 ? SATA_CLIENT_READ_ONLY : 0);
    add_client(THIRD, SATA_SELECT_LABEL, "two", 0);
    add_client(SECOND, wish == 3 ? SATA_SELECT_SERIAL : SATA_SELECT_LABEL, wishes[wish],
               kind & 2 ? SATA_CLIENT_READ_ONLY : 0);
    configs[FIRST].bandwidth = kind & 4 ? 1024 * KIB : 0;
    configs[SECOND].iops = kind & 8 ? 100 : 0;
}

static void add_drive(struct input *input)
{
    unsigned kind = (unsigned)take(input, 1);
    struct model_drive *drive = &model.ports[0].drive;

    model_add_drive(0, kind & 1 ? 4096 : 512, kind & 2 ? 32 : kind & 4 ? 3 : 0);
    parts = kind & 1 ? large_sectors : small_sectors;
    drive->fua = (kind & 8) != 0;
    drive->trim = (kind & 16) != 0;
    drive->write_cache = (kind & 32) != 0;
    memset(drive->medium, OTHER, MODEL_DISK_BYTES);
    memset(drive->medium + parts[0].first * drive->sector_bytes, OWN,
           parts[0].count * drive->sector_bytes);
    model_make_table(0, parts, 2);
    memcpy(before, drive->cache, MODEL_DISK_BYTES);
}

/* DMA may touch what the controller was given, and the clients' RAM. */
static void allow_dma(void)
{
    model.allowed = calloc(1, MODEL_ARENA_BYTES / 4096);
    memset(model.allowed, 1, (CLIENT_AT + NR_CLIENTS * CLIENT_RAM) / 4096);
}

static void make(struct input *input)
{
    for (unsigned i = 0; i < NR_CLIENTS && channels[i] == NULL; i++) {
        channels[i] = malloc(sizeof(struct disk_channel));
    }
    if (before == NULL) {
        before = malloc(MODEL_DISK_BYTES);
    }
    model_init(1);
    memset(&hba, 0, sizeof hba);
    memset(&service, 0, sizeof service);
    hba.memory = (struct dma_memory){ model.arena, MODEL_ARENA_ADDRESS, TABLES_AT };
    hba.register_bytes = HBA_BYTES;
    service.hba = &hba;
    service.say = say;
    service.tables = (struct dma_memory){ model.arena + TABLES_AT, MODEL_ARENA_ADDRESS + TABLES_AT,
                                          TABLE_MEMORY_BYTES };
    service.zeros = MODEL_ARENA_ADDRESS + ZEROS_AT;
    add_drive(input);
    add_clients(input);
    allow_dma();
    now = 0;
    awake = true;
}

static void check_service(void)
{
    const struct fair *fair = &service.drives[0].fair;
    uint32_t sum = 0;

    expect(model.violation == NULL);
    for (unsigned i = 0; i < fair->nr_clients; i++) {
        const struct client *client = service.drives[0].clients[i];

        expect(fair->clients[i].outstanding == client->outstanding);
        expect(client->outstanding <= fair_limit(fair));
        expect(client->outstanding <= (unsigned)__builtin_popcountll(client->tags));
        sum += client->outstanding;
    }
    expect(sum == fair->outstanding && sum <= AHCI_NR_SLOTS);
}

/* The server runs when something wakes it. */
static void step(void)
{
    model_step();
    now += STEP_US;
    if (model_has_interrupt()) {
        hba_interrupt(&hba, now);
        awake = true;
    }
    if (hba_is_busy(&hba) || service_waits_for_time(&service)) {
        hba_tick(&hba, now);
        awake = true;
    }
    if (awake) {
        bool more = service_run(&service, now);

        service_take_signals(&service);
        awake = more || !service_may_sleep(&service);
    }
    check_service();
}

/* --- the hostile clients --- */

/* Four bytes anywhere in the channel, most often where they matter. */
static void poke(struct disk_channel *channel, struct input *input)
{
    static const size_t starts[] = {
        offsetof(struct disk_channel, requests),
        offsetof(struct disk_channel, segments),
        offsetof(struct disk_channel, completions),
        offsetof(struct disk_channel, facts),
        offsetof(struct disk_channel, request_entries),
        offsetof(struct disk_channel, segment_entries),
        0,
        0,
    };
    unsigned kind = (unsigned)take(input, 1) % 8;
    size_t at = starts[kind] + 4 * (kind < 7 ? take(input, 1) : take(input, 2));
    uint32_t value = (uint32_t)take(input, 4);

    memcpy((uint8_t *)channel + at % (sizeof *channel - 3), &value, 4);
}

/* More, or fewer, than there are: each ring's own index. */
static void move_index(struct disk_channel *channel, struct input *input)
{
    struct ring_words *const words[] = { &channel->requests.producer, &channel->segments.producer,
                                         &channel->completions.consumer };
    struct ring_words *moved = words[take(input, 1) % 3];

    moved->index += (uint32_t)take(input, 1);
    moved->wake_at = moved->index;
}

static void take_completions(struct disk_channel *channel)
{
    channel->completions.consumer.index = channel->completions.producer.index;
}

static void put_segment(struct disk_channel *channel, uint64_t bytes, struct input *input)
{
    uint64_t place = take(input, 1);
    struct ring_words *words = &channel->segments.producer;

    channel->segment_entries[words->index++ % DISK_SEGMENT_RING] = (struct disk_segment){
        .address = (place & 1 ? HIGH : 0) + (place >> 1) * 512 + (place == 255), .bytes = bytes
    };
}

/* A request that may be good; its segments are as long as its sectors. */
static void ask(struct disk_channel *channel, struct input *input)
{
    uint32_t sector_bytes = model.ports[0].drive.sector_bytes;
    struct disk_request request = {
        .tag = (uint32_t)take(input, 1) % 66,
        .kind = (uint32_t)take(input, 1) % 7,
        .flags = take(input, 1) % 8 == 0,
        .sector = take(input, 1) % 60,
        .count = take(input, 1) % 56,
    };
    bool is_long = request.kind == DISK_DISCARD || request.kind == DISK_WRITE_ZEROES;
    struct ring_words *words = &channel->requests.producer;

    request.count *= is_long ? parts[0].count / 48 : 1;
    if (request.kind == DISK_READ || request.kind == DISK_WRITE) {
        request.nr_segments = 1 + (uint32_t)take(input, 1) % 3;
        for (uint32_t i = 0; i < request.nr_segments; i++) {
            put_segment(channel, request.count * sector_bytes / request.nr_segments, input);
        }
    }
    channel->request_entries[words->index++ % DISK_MAX_REQUESTS] = request;
    awake = true;
}

/* --- the honest client --- */

static void open_rings(void)
{
    struct disk_channel *channel = channels[THIRD];

    ring_init(&requests, RING_PRODUCER, &channel->requests, channel->request_entries,
              sizeof(struct disk_request), DISK_MAX_REQUESTS);
    ring_init(&segments, RING_PRODUCER, &channel->segments, channel->segment_entries,
              sizeof(struct disk_segment), DISK_SEGMENT_RING);
    ring_init(&completions, RING_CONSUMER, &channel->completions, channel->completion_entries,
              sizeof(struct disk_completion), DISK_MAX_REQUESTS);
    outstanding = 0;
}

static void hear_completions(void)
{
    struct disk_completion completion;

    while (ring_get(&completions, &completion, 1) == 1) {
        expect(completion.tag < DISK_MAX_REQUESTS && (outstanding >> completion.tag & 1) != 0);
        expect(completion.status == DISK_OK);
        outstanding &= ~(1ull << completion.tag);
    }
    expect(!ring_is_broken(&completions));
}

static void ask_honestly(struct input *input)
{
    uint32_t sector_bytes = model.ports[0].drive.sector_bytes;
    struct disk_request request = {
        .tag = (uint32_t)take(input, 1) % DISK_MAX_REQUESTS,
        .kind = DISK_READ + (uint32_t)take(input, 1) % 3,
        .sector = take(input, 2) % 92,
        .count = 1 + take(input, 1) % 8,
    };
    struct disk_segment segment = { take(input, 1) * 2, request.count * sector_bytes };
    bool data = request.kind != DISK_FLUSH, signal;

    hear_completions();
    if ((outstanding >> request.tag & 1) != 0) {
        return;
    }
    request.nr_segments = data;
    if (!data) {
        request.sector = request.count = 0;
    }
    expect(ring_put(&segments, &segment, data) == data && ring_put(&requests, &request, 1) == 1);
    outstanding |= 1ull << request.tag;
    signal = ring_must_signal(&requests);
    awake |= signal;
}

/* --- the drive --- */

/* Each of these the driver gets over, and only the first is anybody's error. */
static void go_wrong(struct input *input)
{
    struct model_drive *drive = &model.ports[0].drive;
    unsigned kind = (unsigned)take(input, 1) % 5;

    switch (kind) {
    case 0:
        drive->bad_sector = parts[0].first + take(input, 1) % parts[0].count;
        drive->bad_error = ATA_ERROR_UNC;
        break;
    case 1:
        drive->hang = drive->resets < 2;
        break;
    case 2:
        drive->garble = drive->resets < 2;
        break;
    case 3:
        drive->garbage_log = 1;
        break;
    default:
        model.reverse = !model.reverse;
        break;
    }
}

/* --- resets --- */

static bool is_quiet(void)
{
    return outstanding == 0 && !awake && !hba_is_busy(&hba) && !service_waits_for_time(&service);
}

static void run_until_quiet(void)
{
    for (unsigned i = 0; i < PATIENCE && !is_quiet(); i++) {
        step();
        hear_completions();
    }
    expect(is_quiet());
}

static void reset(unsigned client)
{
    service_reset(&service, client);
    awake = true;
}

/* The first client's disk answers a request that keeps to the rules. */
static void check_renewed(void)
{
    struct disk_channel *channel = channels[FIRST];

    reset(FIRST);
    run_until_quiet();
    expect(channel->facts.state == DISK_READY && channel->facts.nr_sectors == parts[0].count);
    channel->segment_entries[0] = (struct disk_segment){ 0, channel->facts.sector_bytes };
    channel->segments.producer.index = 1;
    channel->request_entries[0] =
        (struct disk_request){ .tag = 1, .kind = DISK_READ, .nr_segments = 1, .count = 1 };
    channel->requests.producer.index = 1;
    awake = true;
    run_until_quiet();
    expect(channel->completions.producer.index == 1 && channel->completion_entries[0].tag == 1);
    expect(channel->completion_entries[0].status == DISK_OK ||
           channel->completion_entries[0].status == DISK_ERROR);
}

/* --- what must hold at the end --- */

/* The fuzzer traces comparisons, which would take most of its time here: so there is only one. */
static void expect_only(const uint8_t *at, size_t bytes, uint8_t a, uint8_t b)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < bytes; i++) {
        wrong |= (unsigned)(at[i] ^ a) * (unsigned)(at[i] ^ b);
    }
    expect(wrong == 0);
}

static void check_disk(void)
{
    const struct model_drive *drive = &model.ports[0].drive;
    uint32_t bytes = drive->sector_bytes;
    uint64_t one = parts[0].first * bytes, one_end = one + parts[0].count * bytes;
    uint64_t two = parts[1].first * bytes, two_end = two + parts[1].count * bytes;

    expect(memcmp(drive->cache, before, one) == 0);
    expect_only(drive->cache + one, one_end - one, OWN, 0);
    expect(memcmp(drive->cache + one_end, before + one_end, two - one_end) == 0);
    expect_only(drive->cache + two, two_end - two, HONEST, OTHER);
    expect(memcmp(drive->cache + two_end, before + two_end, MODEL_DISK_BYTES - two_end) == 0);
}

static void finish(void)
{
    run_until_quiet();
    check_renewed();
    for (unsigned i = 0; i < NR_CLIENTS; i++) {
        expect(service.clients[i].outstanding == 0 && service.clients[i].state != CLIENT_ENDING &&
               !service.clients[i].resetting);
    }
    check_disk();
    expect_only(ram(FIRST), CLIENT_RAM, OWN, 0);
    expect_only(ram(SECOND), CLIENT_RAM, OWN, 0);
    expect_only(ram(THIRD), CLIENT_RAM, HONEST, OTHER);
}

static void act(struct input *input)
{
    unsigned what = (unsigned)take(input, 1);
    struct disk_channel *hostile = channels[what & 8 ? SECOND : FIRST];

    switch (what % 8) {
    case 0:
        poke(hostile, input);
        break;
    case 1:
    case 2:
        ask(hostile, input);
        break;
    case 3:
        ask_honestly(input);
        break;
    case 4:
        move_index(hostile, input);
        break;
    case 5:
        take_completions(hostile);
        break;
    case 6:
        go_wrong(input);
        break;
    default:
        reset(what & 8 ? SECOND : FIRST);
        break;
    }
    awake |= (what & 16) != 0; /* a signal costs nothing */
    for (unsigned i = 0; i < (what >> 5) % 3; i++) {
        step();
    }
}

static void start(void)
{
    service_start(&service, NULL);
    hba_start(&hba, now);
    for (unsigned i = 0; i < PATIENCE && !service.decided; i++) {
        step();
    }
    expect(service.clients[FIRST].state == CLIENT_READY);
    expect(service.clients[THIRD].state == CLIENT_READY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };

    while (size > 0 && data[0] == '#' && take(&input, 1) != '\n' && input.left > 0) {
    }
    make(&input);
    open_rings();
    start();
    while (input.left > 0) {
        act(&input);
    }
    finish();
    model_free();
    return 0;
}
