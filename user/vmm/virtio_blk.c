/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/virtio_blk.h"

#include "lib/bits.h"
#include "lib/string.h"

#define SECTOR_BYTES 512u

/* Discards are quick; zeroing may have to be written by the server. In sectors of 512 bytes. */
#define MAX_DISCARD_SECTORS (1u << 22)
#define MAX_ZEROES_SECTORS  (1u << 16)

/* Half of what a SATA drive takes at once: enough for it to choose from until one completes. */
#define BUSY_REQUESTS 16u

/* 5.2.3 "Feature bits" */
#define FEATURE_SIZE_MAX     (1ull << 1)
#define FEATURE_SEG_MAX      (1ull << 2)
#define FEATURE_RO           (1ull << 5)
#define FEATURE_BLK_SIZE     (1ull << 6)
#define FEATURE_FLUSH        (1ull << 9)
#define FEATURE_TOPOLOGY     (1ull << 10)
#define FEATURE_CONFIG_WCE   (1ull << 11)
#define FEATURE_MQ           (1ull << 12)
#define FEATURE_DISCARD      (1ull << 13)
#define FEATURE_WRITE_ZEROES (1ull << 14)

/* 5.2.6 "Device Operation" */
enum request_type {
    TYPE_IN = 0,
    TYPE_OUT = 1,
    TYPE_FLUSH = 4,
    TYPE_GET_ID = 8,
    TYPE_DISCARD = 11,
    TYPE_WRITE_ZEROES = 13,
};

enum request_status {
    STATUS_OK = 0,
    STATUS_IOERR = 1,
    STATUS_UNSUPPORTED = 2,
    STATUS_PUT = 0x100, /* not a status: the server will answer */
};

#define RANGE_UNMAP 1u

struct request_header {
    uint32_t type, reserved;
    uint64_t sector;
};

struct request_range {
    uint64_t sector;
    uint32_t nr_sectors, flags;
};

/* 5.2.4 "Device configuration layout" */
struct blk_config {
    uint64_t capacity;
    uint32_t size_max, seg_max;
    uint16_t cylinders;
    uint8_t heads, track_sectors;
    uint32_t blk_size;
    uint8_t physical_exponent, alignment_offset;
    uint16_t min_io_blocks;
    uint32_t opt_io_blocks;
    uint8_t writeback, reserved;
    uint16_t nr_queues;
    uint32_t max_discard_sectors, max_discard_ranges, discard_alignment;
    uint32_t max_zeroes_sectors, max_zeroes_ranges;
    uint8_t zeroes_may_unmap, reserved_2[7]; /* the last four: of later fields */
};

_Static_assert(sizeof(struct request_header) == 16, "5.2.6");
_Static_assert(sizeof(struct request_range) == 16, "5.2.6");
_Static_assert(offsetof(struct blk_config, writeback) == 32, "5.2.4");
_Static_assert(sizeof(struct blk_config) == 64, "5.2.4");

static struct virtio_blk *blk_of(struct virtio_device *device)
{
    return (struct virtio_blk *)device;
}

/* --- requests --- */

/* A request while it is looked at: what of the chain is data, and where it ends. */
struct look {
    struct request_header header;
    const struct virtqueue_segment *data; /* in the chain */
    unsigned nr_data;
    uint64_t data_bytes;
    struct virtio_blk_pending pending;
};

static uint32_t sector_ratio(const struct virtio_blk *blk)
{
    return blk->client.facts.sector_bytes / SECTOR_BYTES;
}

static bool writes_through(const struct virtio_blk *blk)
{
    return (blk->client.facts.flags & DISK_FACT_WRITE_CACHE) != 0 &&
           (!virtio_has(&blk->virtio, FEATURE_FLUSH) || !blk->write_back);
}

static enum request_status put_request(struct virtio_blk *blk, struct look *look,
                                       struct disk_request *request)
{
    uint32_t tag = disk_client_put(&blk->client, request, blk->segments);

    blk->pending[tag] = look->pending;
    return STATUS_PUT;
}

/* The data as the server's segments; false: not what it takes. */
static bool make_segments(struct virtio_blk *blk, const struct look *look)
{
    if (look->nr_data > DISK_MAX_SEGMENTS) {
        return false;
    }
    for (unsigned i = 0; i < look->nr_data; i++) {
        const struct virtqueue_segment *segment = &look->data[i];

        if (((segment->address | segment->bytes) & 1) != 0) {
            return false;
        }
        blk->segments[i] = (struct disk_segment){ segment->address, segment->bytes };
    }
    return true;
}

static enum request_status transfer(struct virtio_blk *blk, struct look *look, enum disk_kind kind)
{
    const struct disk_facts *facts = &blk->client.facts;
    struct disk_request request = {
        .kind = kind,
        .flags = kind == DISK_WRITE && writes_through(blk) ? DISK_FLAG_FUA : 0,
        .nr_segments = look->nr_data,
        .sector = look->header.sector / sector_ratio(blk),
        .count = look->data_bytes / facts->sector_bytes,
    };

    if (look->header.sector % sector_ratio(blk) != 0 ||
        look->data_bytes % facts->sector_bytes != 0 || request.count == 0 ||
        request.count > facts->max_sectors || !make_segments(blk, look) ||
        (kind == DISK_WRITE && (facts->flags & DISK_FACT_READ_ONLY) != 0)) {
        return STATUS_IOERR;
    }
    return put_request(blk, look, &request);
}

static enum request_status flush(struct virtio_blk *blk, struct look *look)
{
    struct disk_request request = { .kind = DISK_FLUSH };

    return virtio_has(&blk->virtio, FEATURE_FLUSH) ? put_request(blk, look, &request)
                                                   : STATUS_UNSUPPORTED;
}

static enum request_status get_id(struct virtio_blk *blk, struct look *look)
{
    look->pending.written =
        (uint32_t)virtqueue_copy_out(&blk->virtio.queues[look->pending.queue].ring, look->data,
                                     look->nr_data, blk->client.facts.serial, DISK_SERIAL_BYTES);
    return STATUS_OK;
}

/* Discard or zeroing of one range: more than one at once is not offered. */
static enum request_status change_range(struct virtio_blk *blk, struct look *look,
                                        enum disk_kind kind)
{
    bool discards = kind == DISK_DISCARD;
    uint32_t ratio = sector_ratio(blk), max = discards ? MAX_DISCARD_SECTORS : MAX_ZEROES_SECTORS;
    struct disk_request request = { .kind = kind };
    struct request_range range;

    if (!virtio_has(&blk->virtio, discards ? FEATURE_DISCARD : FEATURE_WRITE_ZEROES)) {
        return STATUS_UNSUPPORTED;
    }
    if (look->data_bytes != sizeof(range)) {
        return STATUS_IOERR;
    }
    virtqueue_copy_in(&blk->virtio.queues[look->pending.queue].ring, look->data, look->nr_data,
                      &range, sizeof(range));
    if ((range.flags & ~(discards ? 0 : RANGE_UNMAP)) != 0) {
        return STATUS_UNSUPPORTED;
    }
    if (range.sector % ratio != 0 || range.nr_sectors % ratio != 0 || range.nr_sectors == 0 ||
        range.nr_sectors > max) {
        return STATUS_IOERR;
    }
    request.sector = range.sector / ratio;
    request.count = range.nr_sectors / ratio;
    return put_request(blk, look, &request);
}

/* What the request is, or how it ends at once. There is room for it in the channel. */
static enum request_status start_request(struct virtio_blk *blk, struct look *look)
{
    if (blk->client.gone) {
        return STATUS_IOERR;
    }
    switch (look->header.type) {
    case TYPE_IN:
        return transfer(blk, look, DISK_READ);
    case TYPE_OUT:
        return transfer(blk, look, DISK_WRITE);
    case TYPE_FLUSH:
        return flush(blk, look);
    case TYPE_GET_ID:
        return get_id(blk, look);
    case TYPE_DISCARD:
        return change_range(blk, look, DISK_DISCARD);
    case TYPE_WRITE_ZEROES:
        return change_range(blk, look, DISK_WRITE_ZEROES);
    default:
        return STATUS_UNSUPPORTED;
    }
}

/*
 * Takes a chain apart, however it is cut into segments: header, data, status byte. False: header or
 * status is missing. The chain's segments are used up.
 */
static bool look_at(struct virtio_blk *blk, unsigned queue, struct look *look)
{
    struct virtqueue_chain *chain = &blk->virtio.chain;
    struct virtqueue_segment *writable = chain->segments + chain->nr_readable;
    unsigned nr_writable = chain->nr_segments - chain->nr_readable;
    struct virtqueue_segment status;
    bool reads; /* the driver's data is what the device writes */

    if (chain->readable_bytes < sizeof(look->header) || chain->writable_bytes == 0) {
        return false;
    }
    virtqueue_copy_in(&blk->virtio.queues[queue].ring, chain->segments, chain->nr_readable,
                      &look->header, sizeof(look->header));
    virtqueue_slice(writable, nr_writable, chain->writable_bytes - 1, 1, &status);
    reads = look->header.type == TYPE_IN || look->header.type == TYPE_GET_ID;
    if (reads) {
        look->data = writable;
        look->data_bytes = chain->writable_bytes - 1;
        look->nr_data = virtqueue_slice(writable, nr_writable, 0, look->data_bytes, writable);
    } else {
        look->data = chain->segments;
        look->data_bytes = chain->readable_bytes - sizeof(look->header);
        look->nr_data = virtqueue_slice(chain->segments, chain->nr_readable, sizeof(look->header),
                                        look->data_bytes, chain->segments);
    }
    look->pending = (struct virtio_blk_pending){
        .ticket = { chain->id, chain->places },
        .queue = (uint8_t)queue,
        .written = look->header.type == TYPE_IN ? (uint32_t)look->data_bytes : 0,
        .status_address = status.address,
    };
    return true;
}

/* Bytes are counted from the first writable one on: after a failed read nothing is promised. */
static void finish(struct virtio_blk *blk, const struct virtio_blk_pending *pending, uint8_t status,
                   bool reads)
{
    struct virtqueue *ring = &blk->virtio.queues[pending->queue].ring;
    uint32_t written = status == STATUS_OK ? pending->written + 1 : !reads;

    guest_ram_write(ring->ram, gpa(pending->status_address), &status, 1);
    virtqueue_put(ring, pending->ticket, written);
}

static bool handle(struct virtio_device *device, unsigned queue)
{
    struct virtio_blk *blk = blk_of(device);
    enum request_status status;
    struct look look;

    if (!look_at(blk, queue, &look)) {
        return false;
    }
    status = start_request(blk, &look);
    if (status != STATUS_PUT) {
        finish(blk, &look.pending, (uint8_t)status,
               look.header.type == TYPE_IN || look.header.type == TYPE_GET_ID);
    }
    return true;
}

/* --- the server --- */

static bool is_ready(struct virtio_device *device, unsigned queue)
{
    struct disk_client *client = &blk_of(device)->client;

    (void)queue;
    return disk_client_has_room(client) || client->gone;
}

static bool is_busy(struct virtio_device *device)
{
    return blk_of(device)->client.nr_outstanding >= BUSY_REQUESTS;
}

static void pass_on(struct virtio_device *device)
{
    struct virtio_blk *blk = blk_of(device);

    if (disk_client_must_signal(&blk->client)) {
        disk_signal(blk->index);
    }
}

/* What completes while the device does not work is not told to anybody. */
static void take_completions(struct virtio_blk *blk)
{
    struct disk_completion completion;

    while (disk_client_get(&blk->client, &completion)) {
        const struct virtio_blk_pending *pending = &blk->pending[completion.tag];

        if (virtio_works(&blk->virtio)) {
            finish(blk, pending, completion.status == DISK_OK ? STATUS_OK : STATUS_IOERR,
                   pending->written != 0);
        }
    }
}

static void serve(struct virtio_device *device, struct interrupt_messages *out)
{
    take_completions(blk_of(device));
    virtio_continue_reset(device);
    virtio_serve_queues(device, device->waiting | device->unheard, out);
}

static bool has_work(struct virtio_device *device)
{
    const struct disk_client *client = &blk_of(device)->client;

    return client->gone && client->outstanding != 0;
}

/* --- the device --- */

static void fill_config(const struct virtio_blk *blk, struct blk_config *config)
{
    const struct disk_facts *facts = &blk->client.facts;

    *config = (struct blk_config){
        .capacity = facts->nr_sectors * sector_ratio(blk),
        .size_max = blk->max_segment,
        .seg_max = blk->nr_segments,
        .blk_size = facts->sector_bytes,
        .physical_exponent = (uint8_t)bits_highest(facts->physical_bytes / facts->sector_bytes),
        .min_io_blocks = (uint16_t)(facts->physical_bytes / facts->sector_bytes),
        .writeback = blk->write_back,
        .nr_queues = (uint16_t)blk->virtio.nr_queues,
        .max_discard_sectors = MAX_DISCARD_SECTORS,
        .max_discard_ranges = 1,
        .discard_alignment = sector_ratio(blk),
        .max_zeroes_sectors = MAX_ZEROES_SECTORS,
        .max_zeroes_ranges = 1,
    };
}

static uint64_t config_read(struct virtio_device *device, uint32_t offset, unsigned size)
{
    struct blk_config config;
    uint64_t value = 0;

    fill_config(blk_of(device), &config);
    memcpy(&value, (const uint8_t *)&config + offset, size);
    return value;
}

static void config_write(struct virtio_device *device, uint32_t offset, unsigned size,
                         uint64_t value)
{
    if (offset == offsetof(struct blk_config, writeback) && size == 1 &&
        virtio_has(device, FEATURE_CONFIG_WCE)) {
        blk_of(device)->write_back = (value & 1) != 0;
    }
}

static bool quiesce(struct virtio_device *device)
{
    take_completions(blk_of(device));
    return blk_of(device)->client.outstanding == 0;
}

static void reset(struct virtio_device *device)
{
    blk_of(device)->write_back = true;
}

static const struct virtio_ops blk_ops = {
    .device_id = 2,
    .class_code = 0x018000, /* mass storage of another kind */
    .config_bytes = sizeof(struct blk_config),
    .config_read = config_read,
    .config_write = config_write,
    .is_ready = is_ready,
    .is_busy = is_busy,
    .handle = handle,
    .pass_on = pass_on,
    .serve = serve,
    .has_work = has_work,
    .quiesce = quiesce,
    .reset = reset,
};

static uint64_t offered_features(const struct disk_facts *facts, unsigned nr_queues)
{
    uint64_t features = FEATURE_SIZE_MAX | FEATURE_SEG_MAX | FEATURE_BLK_SIZE | FEATURE_TOPOLOGY;

    if ((facts->flags & DISK_FACT_WRITE_CACHE) != 0) {
        features |= FEATURE_FLUSH | FEATURE_CONFIG_WCE;
    }
    if ((facts->flags & DISK_FACT_READ_ONLY) != 0) {
        features |= FEATURE_RO;
    } else {
        features |= (facts->flags & DISK_FACT_DISCARD) != 0 ? FEATURE_DISCARD : 0;
        features |= (facts->flags & DISK_FACT_WRITE_ZEROES) != 0 ? FEATURE_WRITE_ZEROES : 0;
    }
    return nr_queues > 1 ? features | FEATURE_MQ : features;
}

/* Limits such that a driver that keeps them never exceeds what the disk takes at once. */
static void set_limits(struct virtio_blk *blk)
{
    uint64_t bytes = (uint64_t)blk->client.facts.max_sectors * blk->client.facts.sector_bytes;
    uint64_t segment = round_down_bits(bytes / DISK_MAX_SEGMENTS, 12);

    segment = segment < 4096 ? 4096 : segment;
    blk->max_segment = segment < 1u << 31 ? (uint32_t)segment : 1u << 31;
    blk->nr_segments =
        (uint32_t)(bytes / segment < DISK_MAX_SEGMENTS ? bytes / segment : DISK_MAX_SEGMENTS);
}

void virtio_blk_init(struct virtio_blk *blk, const struct guest_ram *ram, unsigned index,
                     unsigned nr_queues, uint32_t bar)
{
    blk->index = index;
    set_limits(blk);
    virtio_device_init(&blk->virtio, &blk_ops, ram, offered_features(&blk->client.facts, nr_queues),
                       nr_queues, bar);
}
