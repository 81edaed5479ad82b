/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/disk_client.h"

#include "lib/bits.h"
#include "lib/string.h"

/* What a guest's block layer can work with. */
#define MIN_SECTOR_BYTES   512u
#define MAX_SECTOR_BYTES   4096u
#define MAX_PHYSICAL_BYTES (1u << 20)
#define MIN_TRANSFER_BYTES 4096u

void disk_client_init(struct disk_client *client, struct disk_channel *channel)
{
    *client = (struct disk_client){ .channel = channel };
    ring_init(&client->requests, RING_PRODUCER, &channel->requests, channel->request_entries,
              sizeof(struct disk_request), DISK_MAX_REQUESTS);
    ring_init(&client->segments, RING_PRODUCER, &channel->segments, channel->segment_entries,
              sizeof(struct disk_segment), DISK_SEGMENT_RING);
    ring_init(&client->completions, RING_CONSUMER, &channel->completions,
              channel->completion_entries, sizeof(struct disk_completion), DISK_MAX_REQUESTS);
}

static enum disk_state load_state(const struct disk_client *client)
{
    return __atomic_load_n(&client->channel->facts.state, __ATOMIC_ACQUIRE);
}

static bool facts_are_possible(const struct disk_facts *facts)
{
    return is_power_of_two(facts->sector_bytes) && facts->sector_bytes >= MIN_SECTOR_BYTES &&
           facts->sector_bytes <= MAX_SECTOR_BYTES && is_power_of_two(facts->physical_bytes) &&
           facts->physical_bytes >= facts->sector_bytes &&
           facts->physical_bytes <= MAX_PHYSICAL_BYTES && facts->nr_sectors != 0 &&
           facts->nr_sectors <= INT64_MAX / facts->sector_bytes &&
           facts->max_sectors >= MIN_TRANSFER_BYTES / facts->sector_bytes;
}

/* It goes to a console. */
static void make_printable(char reason[DISK_REASON_BYTES])
{
    reason[DISK_REASON_BYTES - 1] = '\0';
    for (char *c = reason; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
}

enum disk_state disk_client_start(struct disk_client *client)
{
    static const char impossible[] = "the server tells impossible facts";
    struct disk_facts *facts = &client->facts;
    enum disk_state state = load_state(client);

    if (state == DISK_STARTING) {
        return state;
    }
    memcpy(facts, &client->channel->facts, sizeof(*facts));
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* the copy is what is looked at from here on */
    make_printable(facts->reason);
    if (state == DISK_REFUSED) {
        return state;
    }
    if (!facts_are_possible(facts)) {
        memcpy(facts->reason, impossible, sizeof(impossible));
        return DISK_REFUSED;
    }
    return DISK_READY; /* if it has gone already, the first request finds out */
}

bool disk_client_has_room(struct disk_client *client)
{
    if (client->outstanding == ~0ull >> (64 - DISK_MAX_REQUESTS)) {
        return false;
    }
    if (ring_available(&client->requests) != 0 &&
        ring_available(&client->segments) >= DISK_MAX_SEGMENTS) {
        return true;
    }
    /* Places come back before completions do: without anything outstanding all are there. */
    if (client->outstanding == 0) {
        client->gone = true;
    }
    return false;
}

uint32_t disk_client_put(struct disk_client *client, struct disk_request *request,
                         const struct disk_segment *segments)
{
    request->tag = bits_lowest(~client->outstanding);
    client->outstanding |= 1ull << request->tag;
    client->nr_outstanding++;
    if (ring_put(&client->segments, segments, request->nr_segments) != request->nr_segments ||
        ring_put(&client->requests, request, 1) != 1) {
        client->gone = true; /* the server has broken a ring since */
    }
    return request->tag;
}

bool disk_client_must_signal(struct disk_client *client)
{
    return ring_must_signal(&client->requests);
}

/* Takes the next one out of the ring; false if there is none, or the server broke the rules. */
static bool take_completion(struct disk_client *client, struct disk_completion *completion)
{
    if (ring_get(&client->completions, completion, 1) == 0 &&
        (ring_may_sleep(&client->completions, 1) ||
         ring_get(&client->completions, completion, 1) == 0)) {
        client->gone |= ring_is_broken(&client->completions);
        return false;
    }
    if (completion->tag >= DISK_MAX_REQUESTS || (client->outstanding >> completion->tag & 1) == 0) {
        client->gone = true;
        return false;
    }
    return true;
}

bool disk_client_get(struct disk_client *client, struct disk_completion *completion)
{
    /* The state first: what was completed before the disk went is in the ring then. */
    bool gone = load_state(client) == DISK_GONE;

    if (client->gone || !take_completion(client, completion)) {
        client->gone |= gone;
        if (!client->gone || client->outstanding == 0) {
            return false;
        }
        completion->tag = bits_lowest(client->outstanding);
        completion->status = DISK_ERROR;
    }
    client->outstanding &= ~(1ull << completion->tag);
    client->nr_outstanding--;
    return true;
}
