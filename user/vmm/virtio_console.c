/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/virtio_console.h"

#include "user/vmm/vcpu.h"

/* 5.3.2 "Virtqueues" of port 0 */
enum console_queue { RECEIVEQ, TRANSMITQ, NR_QUEUES };

_Static_assert(NR_QUEUES <= VIRTIO_MAX_QUEUES, "the transport has them");

/* 5.3.4 "Device configuration layout": what no feature that is offered gives a meaning to. */
#define CONFIG_BYTES 12u

/* Bytes that are moved at once. */
#define INPUT_BYTES 256u

static struct virtio_console *console_of(struct virtio_device *device)
{
    return (struct virtio_console *)device;
}

bool virtio_console_takes_input(const struct virtio_console *console)
{
    return console->used && virtio_works(&console->virtio) &&
           console->virtio.queues[RECEIVEQ].ring.enabled;
}

static void put(struct virtio_device *device, enum console_queue queue, uint64_t written)
{
    const struct virtqueue_ticket ticket = { device->chain.id, device->chain.places };

    virtqueue_put(&device->queues[queue].ring, ticket, (uint32_t)written);
}

/* --- output --- */

static bool is_due(const struct virtio_console *console)
{
    uint64_t serve_at = console->virtio.function.serve_at;

    return serve_at != PCI_NEVER && host_tsc() >= serve_at;
}

/* As much of the chain's rest as there is room for. */
static uint64_t send(struct virtio_console *console, uint64_t rest)
{
    struct virtqueue_chain *chain = &console->virtio.chain;
    unsigned nr =
        virtqueue_slice(chain->segments, chain->nr_readable, console->sent, rest, chain->segments);
    uint64_t done = 0;

    for (unsigned i = 0; i < nr; i++) {
        const struct virtqueue_segment *segment = &chain->segments[i];
        const void *bytes =
            guest_ram_at(console->virtio.ram, gpa(segment->address), segment->bytes);
        uint32_t count = console_write(console->console, bytes, (uint32_t)segment->bytes);

        done += count;
        if (count < segment->bytes) {
            break;
        }
    }
    return done;
}

/* I1 and I2 after some more has been sent; false: the server has been too slow. */
static bool keep_waiting(struct virtio_console *console, uint64_t done)
{
    uint64_t *until = &console->virtio.function.serve_at;
    uint64_t now = host_tsc();

    if (*until == PCI_NEVER) {
        *until = now + console->ticks_per_second;
    }
    *until += done * (console->ticks_per_second / VIRTIO_CONSOLE_SLOWEST);
    console->sent += done;
    return now < *until;
}

static void nothing_waits(struct virtio_console *console)
{
    console->sent = 0;
    console->virtio.function.serve_at = PCI_NEVER;
}

static bool transmit(struct virtio_console *console)
{
    struct virtio_device *device = &console->virtio;
    uint64_t bytes = device->chain.readable_bytes;
    uint64_t rest = bytes > console->sent ? bytes - console->sent : 0; /* it may have changed */
    uint64_t done = 0;

    if (device->chain.writable_bytes != 0) {
        return false;
    }
    console->used = true;
    console->stalled = console->stalled && !console_has_drained(console->console);
    if (!console->stalled) {
        done = send(console, rest);
        if (done < rest && keep_waiting(console, done)) {
            virtqueue_untake(&device->queues[TRANSMITQ].ring, &device->chain);
            return true;
        }
        console->stalled = done < rest;
    }
    console_lose(console->console, rest - done);
    nothing_waits(console);
    put(device, TRANSMITQ, 0);
    return true;
}

/* --- input --- */

static bool receive(struct virtio_console *console)
{
    struct virtio_device *device = &console->virtio;
    struct virtqueue_chain *chain = &device->chain;
    uint8_t bytes[INPUT_BYTES];
    uint32_t count = INPUT_BYTES;

    if (chain->readable_bytes != 0) {
        return false;
    }
    if (chain->writable_bytes < count) {
        count = (uint32_t)chain->writable_bytes;
    }
    count = console_read(console->console, bytes, count);
    put(device, RECEIVEQ,
        virtqueue_copy_out(&device->queues[RECEIVEQ].ring, chain->segments, chain->nr_segments,
                           bytes, count));
    return true;
}

/* --- the device --- */

static bool is_ready(struct virtio_device *device, unsigned queue)
{
    struct virtio_console *console = console_of(device);

    if (queue == RECEIVEQ) {
        return virtio_console_takes_input(console) && console_has_input(console->console);
    }
    return console->stalled || console_has_room(console->console) || is_due(console);
}

static bool handle(struct virtio_device *device, unsigned queue)
{
    return queue == RECEIVEQ ? receive(console_of(device)) : transmit(console_of(device));
}

static void pass_on(struct virtio_device *device)
{
    console_pump(console_of(device)->console);
}

static void serve(struct virtio_device *device, struct interrupt_messages *out)
{
    virtio_serve_queues(device, device->waiting, out);
    if (!virtio_works(device)) { /* what waited will never go on */
        nothing_waits(console_of(device));
    }
}

static bool has_work(struct virtio_device *device)
{
    (void)device;
    return false;
}

static bool quiesce(struct virtio_device *device)
{
    (void)device;
    return true;
}

static void reset(struct virtio_device *device)
{
    struct virtio_console *console = console_of(device);

    nothing_waits(console);
    console->used = false;
    console->stalled = false;
    device->waiting = 1u << RECEIVEQ; /* buffers may be there before there is anything for them */
}

static uint64_t config_read(struct virtio_device *device, uint32_t offset, unsigned size)
{
    (void)device;
    (void)offset;
    (void)size;
    return 0;
}

static void config_write(struct virtio_device *device, uint32_t offset, unsigned size,
                         uint64_t value)
{
    (void)device;
    (void)offset;
    (void)size;
    (void)value;
}

static const struct virtio_ops console_ops = {
    .device_id = 3,
    .class_code = 0x078000, /* communication controller of another kind */
    .config_bytes = CONFIG_BYTES,
    .config_read = config_read,
    .config_write = config_write,
    .is_ready = is_ready,
    .handle = handle,
    .pass_on = pass_on,
    .serve = serve,
    .has_work = has_work,
    .quiesce = quiesce,
    .reset = reset,
};

void virtio_console_init(struct virtio_console *console, const struct guest_ram *ram,
                         struct console *channel, uint64_t ticks_per_second, uint32_t bar)
{
    console->console = channel;
    console->ticks_per_second = ticks_per_second;
    virtio_device_init(&console->virtio, &console_ops, ram, 0, NR_QUEUES, bar);
}
