/* SPDX-License-Identifier: BSD-2-Clause */
/* One client's requests: from its ring to the drive, and back. */
#include "lib/format.h"
#include "lib/string.h"
#include "user/sataserver/service_priv.h"

#define ZERO_PIECE_BYTES   (256u << 10)
#define TRIM_PIECE_SECTORS (64u * 65535) /* what one command takes: ACS-3 7.10.3.2 */

_Static_assert(DISK_MAX_REQUESTS <= 64, "one bit for each tag");

/* --- states --- */

void client_open_rings(struct client *client)
{
    struct disk_channel *channel = client->channel;

    ring_init(&client->requests, RING_CONSUMER, &channel->requests, channel->request_entries,
              sizeof channel->request_entries[0], DISK_MAX_REQUESTS);
    ring_init(&client->segments, RING_CONSUMER, &channel->segments, channel->segment_entries,
              sizeof channel->segment_entries[0], DISK_SEGMENT_RING);
    ring_init(&client->completions, RING_PRODUCER, &channel->completions,
              channel->completion_entries, sizeof channel->completion_entries[0],
              DISK_MAX_REQUESTS);
}

void client_tell(struct client *client, enum disk_state state)
{
    const size_t behind_state = offsetof(struct disk_facts, flags);

    memcpy((uint8_t *)&client->channel->facts + behind_state,
           (const uint8_t *)&client->facts + behind_state, sizeof client->facts - behind_state);
    __atomic_store_n(&client->channel->facts.state, (uint32_t)state, __ATOMIC_RELEASE);
    client->changed = true;
}

static void request_end(struct request *request, enum disk_status status);

static void end_if_idle(struct client *client)
{
    if (client->state == CLIENT_ENDING && client->outstanding == 0) {
        client->state = CLIENT_ENDED;
        client_tell(client, DISK_GONE);
    }
}

/* A long request of which no piece is at the drive has nobody else who ends it. */
static void end_paused(struct client *client)
{
    struct request *request = client->paused;

    if (request != NULL) {
        client->paused = NULL;
        request_end(request, DISK_ERROR);
    }
}

void client_end(struct client *client)
{
    if (client->state == CLIENT_READY) {
        client->state = CLIENT_ENDING;
        client->has_first = false;
        end_paused(client);
        end_if_idle(client);
    }
}

static void break_rule(struct client *client, const char *rule)
{
    if (client->state == CLIENT_READY) {
        service_say(client->service, "%s: its monitor breaks the rules (%s); not served any more",
                    client->config->name, rule);
    }
    client_end(client);
}

/* --- the first request --- */

static bool moves_data(uint32_t kind)
{
    return kind == DISK_READ || kind == DISK_WRITE;
}

static bool is_long(uint32_t kind)
{
    return kind == DISK_DISCARD || kind == DISK_WRITE_ZEROES;
}

static bool take_first(struct client *client)
{
    struct disk_request *first = &client->first;

    if (ring_get(&client->requests, first, 1) == 0) {
        if (ring_is_broken(&client->requests)) {
            break_rule(client, "ring of requests");
        }
        return false;
    }
    if (first->tag >= DISK_MAX_REQUESTS || (client->tags >> first->tag & 1) != 0) {
        break_rule(client, "tag");
        return false;
    }
    if (moves_data(first->kind) ? first->nr_segments == 0 || first->nr_segments > DISK_MAX_SEGMENTS
                                : first->nr_segments != 0) {
        break_rule(client, "number of segments");
        return false;
    }
    client->tags |= 1ull << first->tag;
    client->has_first = true;
    return true;
}

static struct port *client_port(const struct client *client)
{
    return client->drive->port;
}

static uint32_t sector_bytes(const struct client *client)
{
    return client_port(client)->identity.sector_bytes;
}

static uint64_t most_sectors(const struct client *client)
{
    return SERVICE_REQUEST_BYTES / sector_bytes(client);
}

/* --- limits --- */

static bool is_limited(const struct client *client)
{
    return !limit_allows(&client->limit, client->service->hba->now);
}

static void charge(struct client *client, uint32_t requests, uint64_t bytes)
{
    limit_charge(&client->limit, client->service->hba->now, requests, (uint32_t)bytes);
}

bool client_waits_for_time(const struct client *client)
{
    return client->state == CLIENT_READY && (client->has_first || client->paused != NULL) &&
           is_limited(client);
}

/* --- what is next --- */

uint64_t client_waiting(struct client *client)
{
    const struct disk_request *first = &client->first;

    if (client->state != CLIENT_READY || (!client->has_first && !take_first(client)) ||
        (is_long(first->kind) && client->in_pieces) || is_limited(client)) {
        return FAIR_IDLE;
    }
    if (moves_data(first->kind)) {
        return first->count <= most_sectors(client) ? first->count * sector_bytes(client)
                                                    : FAIR_MIN_COST;
    }
    return FAIR_QUANTUM; /* a flush, and each piece, has the drive to itself */
}

/* --- a request at the drive --- */

static struct request *request_make(struct client *client)
{
    struct drive *drive = client->drive;
    struct request *request = drive->free;

    drive->free = request->next;
    request->client = client;
    request->tag = client->first.tag;
    request->kind = client->first.kind;
    request->began = client->service->hba->now;
    request->flush_after = false;
    request->left = 0;
    request->list.count = 0;
    request->list.bytes = 0;
    client->has_first = false;
    client->outstanding++;
    if (client->counters.most_outstanding < client->outstanding) {
        client->counters.most_outstanding = client->outstanding;
    }
    return request;
}

static void request_release(struct request *request)
{
    struct client *client = request->client;

    request->next = client->drive->free;
    client->drive->free = request;
    client->tags &= ~(1ull << request->tag);
    client->outstanding--;
    fair_done(&client->drive->fair, client->index);
    end_if_idle(client);
}

static void count_time(struct client *client, const struct request *request)
{
    uint64_t time = client->service->hba->now - request->began;

    client->counters.completed++;
    client->counters.microseconds += time;
    if (client->counters.longest < time) {
        client->counters.longest = time;
    }
}

static void request_end(struct request *request, enum disk_status status)
{
    const struct disk_completion completion = { request->tag, (uint32_t)status };
    struct client *client = request->client;

    count_time(client, request);
    client->counters.errors += status == DISK_ERROR;
    client->counters.refused += status != DISK_ERROR && status != DISK_OK;
    if (is_long(request->kind)) {
        client->in_pieces = false;
    }
    if (ring_put(&client->completions, &completion, 1) == 0) {
        break_rule(client, "ring of completions");
    }
    request_release(request);
}

static void send(struct request *request, enum transfer_kind kind, uint64_t sector, uint64_t count);

/* What is left of a long request, as far as one piece goes. */
static void send_piece(struct request *request)
{
    bool discard = request->kind == DISK_DISCARD;
    uint64_t most = discard ? TRIM_PIECE_SECTORS : ZERO_PIECE_BYTES / sector_bytes(request->client);
    uint64_t count = request->left < most ? request->left : most, sector = request->sector;
    uint64_t bytes = count * sector_bytes(request->client);

    request->sector += count;
    request->left -= count;
    request->list.count = 0;
    for (uint64_t done = 0; !discard && done < bytes; done += SERVICE_ZERO_BYTES) {
        request->list.segments[request->list.count++] = (struct dma_segment){
            request->client->service->zeros,
            bytes - done < SERVICE_ZERO_BYTES ? bytes - done : SERVICE_ZERO_BYTES,
        };
    }
    send(request, discard ? TRANSFER_TRIM : TRANSFER_WRITE, sector, count);
}

void client_go_on(struct client *client)
{
    struct request *request = client->paused;

    if (request != NULL && !is_limited(client)) {
        client->paused = NULL;
        charge(client, 1, 0);
        send_piece(request);
    }
}

/* Whether the drive has more to do for this request. */
static bool goes_on(struct request *request)
{
    if (request->client->state != CLIENT_READY) {
        return false;
    }
    if (request->left != 0) {
        request->client->paused = request;
        client_go_on(request->client);
        return true;
    }
    if (request->flush_after) {
        request->flush_after = false;
        send(request, TRANSFER_FLUSH, 0, 0);
        return true;
    }
    return false;
}

/* --- errors of the drive, for people --- */

#define MINUTE_US 60000000u

static bool may_tell(struct error_lines *lines, uint64_t now)
{
    if (now - lines->minute >= MINUTE_US) {
        lines->minute = now;
        lines->told = 0;
    }
    if (lines->told == SERVICE_ERROR_LINES) {
        lines->untold++;
        return false;
    }
    lines->told++;
    return true;
}

static const char *attempt(enum transfer_kind kind)
{
    switch (kind) {
    case TRANSFER_READ:
        return "reading";
    case TRANSFER_WRITE:
        return "writing";
    case TRANSFER_TRIM:
        return "discarding";
    case TRANSFER_FLUSH:
        break;
    }
    return "flushing its cache";
}

/* "disk WD-1: reading sectors 2048 to 2055 failed (one/vda; error 40h)" */
static void tell_error(struct client *client, const struct transfer *transfer)
{
    const char *serial = client_port(client)->identity.serial;
    char sectors[64] = "", more[48] = "";

    if (!may_tell(&client->error_lines, client->service->hba->now)) {
        return;
    }
    if (transfer->kind != TRANSFER_FLUSH) {
        format_text(sectors, sizeof sectors, " sectors %llu to %llu",
                    (unsigned long long)transfer->sector,
                    (unsigned long long)(transfer->sector + transfer->count - 1));
    }
    if (client->error_lines.untold != 0) {
        format_text(more, sizeof more, "; %llu more before",
                    (unsigned long long)client->error_lines.untold);
        client->error_lines.untold = 0;
    }
    service_say(client->service, "disk %s: %s%s failed (%s; error %xh%s)", serial,
                attempt(transfer->kind), sectors, client->config->name, transfer->error, more);
}

static void transfer_done(struct transfer *transfer)
{
    struct request *request = (struct request *)transfer;
    bool good = transfer->result == TRANSFER_OK;
    bool more = request->left != 0 || request->flush_after;

    if (transfer->result == TRANSFER_MEDIA || transfer->result == TRANSFER_TRANSPORT) {
        tell_error(request->client, transfer);
    }
    if (good && goes_on(request)) {
        return;
    }
    request_end(request, good && !more ? DISK_OK : DISK_ERROR);
}

/* Gives it to the driver; it may have ended when this returns. */
static void send(struct request *request, enum transfer_kind kind, uint64_t sector, uint64_t count)
{
    bool fua = request->transfer.fua;

    if (kind == TRANSFER_READ || kind == TRANSFER_WRITE) {
        charge(request->client, 0, count * sector_bytes(request->client));
    }
    request->transfer = (struct transfer){
        .kind = kind,
        .fua = fua && kind == TRANSFER_WRITE,
        .sector = sector,
        .count = count,
        .segments = request->list.segments,
        .nr_segments = request->list.count,
        .done = transfer_done,
    };
    port_submit(client_port(request->client), &request->transfer);
}

/* --- checking --- */

static bool is_known(const struct disk_request *wanted)
{
    return (moves_data(wanted->kind) || wanted->kind == DISK_FLUSH || is_long(wanted->kind)) &&
           (wanted->flags & ~DISK_FLAG_FUA) == 0;
}

/* What is said about a request before its memory is looked at; the drive's sector if it is DISK_OK.
 */
static enum disk_status check(const struct client *client, const struct disk_request *wanted,
                              uint64_t *sector)
{
    if (!is_known(wanted) ||
        (wanted->kind == DISK_DISCARD && !client_port(client)->identity.trim)) {
        return DISK_UNSUPPORTED;
    }
    if (wanted->kind == DISK_FLUSH) {
        return DISK_OK;
    }
    if (client->read_only && wanted->kind != DISK_READ) {
        return DISK_READ_ONLY;
    }
    if (!extent_translate(client->extent, wanted->sector, wanted->count, sector)) {
        return DISK_RANGE;
    }
    return moves_data(wanted->kind) && wanted->count > most_sectors(client) ? DISK_UNSUPPORTED
                                                                            : DISK_OK;
}

static uint64_t bytes_of(const struct disk_segment *segments, uint32_t count)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (__builtin_add_overflow(bytes, segments[i].bytes, &bytes)) {
            return UINT64_MAX;
        }
    }
    return bytes;
}

static bool translate(const struct client *client, const struct disk_segment *segments,
                      uint32_t count, struct segment_list *list)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!window_append(&client->windows, segments[i].address, segments[i].bytes, list)) {
            return false;
        }
    }
    return true;
}

/* --- submitting --- */

static void count_request(struct client *client, uint32_t kind, uint64_t bytes)
{
    struct client_counters *counters = &client->counters;

    switch (kind) {
    case DISK_READ:
        counters->reads++;
        counters->bytes_read += bytes;
        break;
    case DISK_WRITE:
        counters->writes++;
        counters->bytes_written += bytes;
        break;
    case DISK_FLUSH:
        counters->flushes++;
        break;
    default:
        counters->others++;
        break;
    }
}

static void submit_data(struct request *request, const struct disk_request *wanted, uint64_t sector)
{
    const struct ata_identity *identity = &client_port(request->client)->identity;
    bool fua = wanted->kind == DISK_WRITE && (wanted->flags & DISK_FLAG_FUA) != 0;

    request->transfer.fua = fua && identity->fua;
    request->flush_after = fua && !identity->fua && identity->write_cache;
    send(request, wanted->kind == DISK_READ ? TRANSFER_READ : TRANSFER_WRITE, sector,
         wanted->count);
}

static void submit_other(struct request *request, const struct disk_request *wanted,
                         uint64_t sector)
{
    request->transfer.fua = false;
    if (is_long(wanted->kind)) {
        request->client->in_pieces = true;
        request->sector = sector;
        request->left = wanted->count;
        send_piece(request);
    } else if (client_port(request->client)->identity.flush) {
        send(request, TRANSFER_FLUSH, 0, 0);
    } else { /* a drive that cannot flush has no write cache: ata.c */
        request_end(request, DISK_OK);
    }
}

/* Null, or the rule that the client broke. */
static const char *serve(struct client *client, struct request *request,
                         const struct disk_request *wanted, const struct disk_segment *segments)
{
    uint64_t sector = 0;
    enum disk_status status = check(client, wanted, &sector);

    if (status == DISK_OK && moves_data(wanted->kind)) {
        if (bytes_of(segments, wanted->nr_segments) != wanted->count * sector_bytes(client)) {
            return "bytes of segments";
        }
        if (!translate(client, segments, wanted->nr_segments, &request->list)) {
            status = DISK_MEMORY;
        }
    }
    count_request(client, wanted->kind, request->list.bytes);
    if (status != DISK_OK) {
        request->kind = DISK_READ; /* it is not in pieces */
        request_end(request, status);
    } else if (moves_data(wanted->kind)) {
        submit_data(request, wanted, sector);
    } else {
        submit_other(request, wanted, sector);
    }
    return NULL;
}

void client_submit(struct client *client)
{
    static struct disk_segment segments[DISK_MAX_SEGMENTS];
    struct disk_request wanted = client->first;
    struct request *request = request_make(client);
    const char *broken = "missing segments";

    charge(client, 1, 0);
    if (ring_get(&client->segments, segments, wanted.nr_segments) == wanted.nr_segments) {
        broken = serve(client, request, &wanted, segments);
    }
    if (broken != NULL) {
        break_rule(client, broken);
        request_release(request);
    }
}
