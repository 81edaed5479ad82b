/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/virtio_pci.h"

#include "lib/bits.h"
#include "lib/string.h"

#define VIRTIO_VENDOR       0x1af4u
#define VIRTIO_DEVICE_FIRST 0x1040u
#define VIRTIO_REVISION     1u

/* Parts of the BAR. */
#define PART_COMMON  0x0000u
#define PART_ISR     0x0100u
#define PART_DEVICE  0x0200u
#define PART_NOTIFY  0x1000u
#define PART_TABLE   0x2000u
#define PART_PENDING 0x3000u

#define COMMON_BYTES      64u
#define ISR_BYTES         4u
#define NOTIFY_MULTIPLIER 4u

#define ISR_QUEUE  1u
#define ISR_CONFIG 2u

/* 4.1.4.3 "Common configuration structure layout" */
enum common_register {
    COMMON_FEATURE_SELECT = 0x00,
    COMMON_FEATURE = 0x04,
    COMMON_DRIVER_FEATURE_SELECT = 0x08,
    COMMON_DRIVER_FEATURE = 0x0c,
    COMMON_CONFIG_VECTOR = 0x10,
    COMMON_NR_QUEUES = 0x12,
    COMMON_STATUS = 0x14,
    COMMON_GENERATION = 0x15,
    COMMON_QUEUE_SELECT = 0x16,
    COMMON_QUEUE_SIZE = 0x18,
    COMMON_QUEUE_VECTOR = 0x1a,
    COMMON_QUEUE_ENABLE = 0x1c,
    COMMON_QUEUE_NOTIFY = 0x1e,
    COMMON_QUEUE_DESCRIPTOR = 0x20,
    COMMON_QUEUE_DRIVER = 0x28,
    COMMON_QUEUE_DEVICE = 0x30,
    COMMON_END = 0x38,
};

/* 4.1.4 "Virtio Structure PCI Capabilities" */
enum structure_type {
    STRUCTURE_COMMON = 1,
    STRUCTURE_NOTIFY = 2,
    STRUCTURE_ISR = 3,
    STRUCTURE_DEVICE = 4,
    STRUCTURE_ACCESS = 5,
};

struct structure_capability {
    uint8_t id, next, bytes, type, bar, number, padding[2];
    uint32_t offset, length;
    uint32_t extra; /* notify: multiplier; access: data */
};

_Static_assert(sizeof(struct structure_capability) == 20, "4.1.4");

#define STRUCTURE_BYTES offsetof(struct structure_capability, extra)

struct msix_capability {
    uint8_t id, next;
    uint16_t control;
    uint32_t table, pending;
};

_Static_assert(sizeof(struct msix_capability) == 12, "PCI 6.8.2");

static struct virtio_device *device_of(struct pci_function *function)
{
    return (struct virtio_device *)function;
}

/* --- interrupts --- */

/* After buffers have been put back. */
static void signal_queue(struct virtio_device *device, unsigned queue,
                         struct interrupt_messages *out)
{
    if (virtqueue_wants_interrupt(&device->queues[queue].ring)) {
        device->isr |= ISR_QUEUE;
        msix_raise(&device->msix, device->queues[queue].vector, out);
    }
}

/* The driver broke the rules. */
static void needs_reset(struct virtio_device *device, struct interrupt_messages *out)
{
    if ((device->status & VIRTIO_STATUS_NEEDS_RESET) != 0) {
        return;
    }
    device->status |= VIRTIO_STATUS_NEEDS_RESET;
    if ((device->status & VIRTIO_STATUS_DRIVER_OK) != 0) {
        device->isr |= ISR_CONFIG;
        msix_raise(&device->msix, device->config_vector, out);
    }
}

/* --- chains --- */

/* False: the driver broke the rules. */
static bool take_chains(struct virtio_device *device, unsigned queue, unsigned *batch)
{
    struct virtqueue *ring = &device->queues[queue].ring;

    virtqueue_quiet(ring);
    do {
        for (;;) {
            enum virtqueue_result result;

            if (*batch == 0 || !device->ops->is_ready(device, queue)) {
                device->waiting |= 1u << queue;
                return true;
            }
            result = virtqueue_take(ring, &device->chain);
            if (result == VIRTQUEUE_EMPTY) {
                break;
            }
            if (result == VIRTQUEUE_BROKEN || !device->ops->handle(device, queue)) {
                return false;
            }
            --*batch;
        }
        if (device->ops->is_busy != NULL && device->ops->is_busy(device)) {
            device->unheard |= 1u << queue;
            return true;
        }
    } while (virtqueue_listen(ring));
    return true;
}

void virtio_serve_queues(struct virtio_device *device, uint32_t set, struct interrupt_messages *out)
{
    unsigned batch = VIRTIO_BATCH;

    device->waiting &= ~set;
    device->unheard &= ~set;
    for (; set != 0 && virtio_works(device); set &= set - 1) {
        if (!take_chains(device, bits_lowest(set), &batch)) {
            needs_reset(device, out);
        }
    }
    device->ops->pass_on(device);
    for (unsigned i = 0; i < device->nr_queues && virtio_works(device); i++) {
        signal_queue(device, i, out);
    }
}

/* Whether a queue that waits need not wait any more. */
static bool can_go_on(struct virtio_device *device)
{
    for (uint32_t set = device->waiting; set != 0 && virtio_works(device); set &= set - 1) {
        if (device->ops->is_ready(device, bits_lowest(set))) {
            return true;
        }
    }
    return false;
}

/* --- reset --- */

static void set_initial_state(struct virtio_device *device)
{
    device->accepted = 0;
    device->feature_select = 0;
    device->driver_feature_select = 0;
    device->queue_select = 0;
    device->config_vector = VIRTIO_NO_VECTOR;
    device->status = 0;
    device->isr = 0;
    device->resetting = false;
    device->waiting = 0;
    device->unheard = 0;
    for (unsigned i = 0; i < device->nr_queues; i++) {
        virtqueue_reset(&device->queues[i].ring, VIRTQUEUE_MAX_SIZE);
        device->queues[i].vector = VIRTIO_NO_VECTOR;
    }
}

void virtio_continue_reset(struct virtio_device *device)
{
    if (device->resetting && device->ops->quiesce(device)) {
        set_initial_state(device);
        device->ops->reset(device);
    }
}

static void power_on(struct pci_function *function)
{
    struct virtio_device *device = device_of(function);

    pci_function_power_on(function);
    msix_reset(&device->msix, device->nr_queues + 1);
    set_initial_state(device);
    device->ops->reset(device);
}

static void serve(struct pci_function *function, struct interrupt_messages *out)
{
    device_of(function)->ops->serve(device_of(function), out);
}

static bool has_work(struct pci_function *function)
{
    struct virtio_device *device = device_of(function);

    return device->ops->has_work(device) || can_go_on(device);
}

/* --- features and status --- */

static bool features_fit(const struct virtio_device *device)
{
    return (device->accepted & ~device->offered) == 0 && virtio_has(device, VIRTIO_F_VERSION_1);
}

static void write_features(struct virtio_device *device, uint32_t value)
{
    unsigned shift = device->driver_feature_select * 32;

    if (device->driver_feature_select < 2 && (device->status & VIRTIO_STATUS_FEATURES_OK) == 0) {
        device->accepted = bits_set(device->accepted, shift, 32, value);
    }
}

static uint32_t read_features(uint64_t features, uint32_t select)
{
    return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static void write_status(struct virtio_device *device, uint8_t value)
{
    uint8_t added = value & (uint8_t)~device->status & (uint8_t)~VIRTIO_STATUS_NEEDS_RESET;

    if (value == 0) {
        device->resetting = true;
        virtio_continue_reset(device);
        return;
    }
    if ((added & VIRTIO_STATUS_FEATURES_OK) != 0 && !features_fit(device)) {
        added &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
    }
    if (((device->status | added) & VIRTIO_STATUS_FEATURES_OK) == 0) {
        added &= (uint8_t)~VIRTIO_STATUS_DRIVER_OK;
    }
    device->status |= added;
}

/* --- queues --- */

static struct virtio_queue *selected_queue(struct virtio_device *device)
{
    return device->queue_select < device->nr_queues ? &device->queues[device->queue_select] : NULL;
}

static uint16_t existing_vector(const struct virtio_device *device, uint64_t vector)
{
    return vector < device->msix.nr ? (uint16_t)vector : VIRTIO_NO_VECTOR;
}

static void write_queue_size(const struct virtio_device *device, struct virtqueue *ring,
                             uint64_t value)
{
    if (value != 0 && value <= VIRTQUEUE_MAX_SIZE &&
        (virtio_has(device, VIRTIO_F_RING_PACKED) || is_power_of_two(value))) {
        ring->size = (uint16_t)value;
    }
}

static void enable_queue(struct virtio_device *device, struct virtqueue *ring,
                         struct interrupt_messages *out)
{
    const struct virtqueue_format format = {
        .packed = virtio_has(device, VIRTIO_F_RING_PACKED),
        .indirect = virtio_has(device, VIRTIO_F_INDIRECT_DESC),
        .event_index = virtio_has(device, VIRTIO_F_EVENT_IDX),
    };

    if ((device->status & VIRTIO_STATUS_FEATURES_OK) == 0) {
        return;
    }
    /* A size chosen before the ring's format was, must fit it. */
    if ((!format.packed && !is_power_of_two(ring->size)) ||
        !virtqueue_enable(ring, device->ram, format)) {
        needs_reset(device, out);
    }
}

static void set_half(uint64_t *address, bool upper, uint64_t value)
{
    *address = bits_set(*address, upper ? 32 : 0, 32, value);
}

/* What may be written while the queue is not enabled. */
static void write_queue(struct virtio_device *device, uint32_t offset, uint64_t value,
                        struct interrupt_messages *out)
{
    struct virtqueue *ring = &selected_queue(device)->ring;
    bool upper = (offset & 4) != 0;

    switch (offset) {
    case COMMON_QUEUE_SIZE:
        write_queue_size(device, ring, value);
        break;
    case COMMON_QUEUE_ENABLE:
        if (value == 1) {
            enable_queue(device, ring, out);
        }
        break;
    case COMMON_QUEUE_DESCRIPTOR:
    case COMMON_QUEUE_DESCRIPTOR + 4:
        set_half(&ring->descriptor_area, upper, value);
        break;
    case COMMON_QUEUE_DRIVER:
    case COMMON_QUEUE_DRIVER + 4:
        set_half(&ring->driver_area, upper, value);
        break;
    case COMMON_QUEUE_DEVICE:
    case COMMON_QUEUE_DEVICE + 4:
        set_half(&ring->device_area, upper, value);
        break;
    default:
        break;
    }
}

/* --- the common configuration --- */

/* Width of the register at this offset; 0: none begins there. Addresses have two halves. */
static unsigned common_width(uint32_t offset)
{
    switch (offset) {
    case COMMON_STATUS:
    case COMMON_GENERATION:
        return 1;
    case COMMON_CONFIG_VECTOR:
    case COMMON_NR_QUEUES:
    case COMMON_QUEUE_SELECT:
    case COMMON_QUEUE_SIZE:
    case COMMON_QUEUE_VECTOR:
    case COMMON_QUEUE_ENABLE:
    case COMMON_QUEUE_NOTIFY:
        return 2;
    default:
        return offset % 4 == 0 && offset < COMMON_END ? 4 : 0;
    }
}

static uint64_t read_queue(struct virtio_device *device, uint32_t offset)
{
    const struct virtio_queue *queue = selected_queue(device);
    unsigned shift = (offset & 4) != 0 ? 32 : 0;

    if (queue == NULL) {
        return offset == COMMON_QUEUE_VECTOR ? VIRTIO_NO_VECTOR : 0;
    }
    switch (offset) {
    case COMMON_QUEUE_SIZE:
        return queue->ring.size;
    case COMMON_QUEUE_VECTOR:
        return queue->vector;
    case COMMON_QUEUE_ENABLE:
        return queue->ring.enabled;
    case COMMON_QUEUE_NOTIFY:
        return device->queue_select;
    case COMMON_QUEUE_DESCRIPTOR:
    case COMMON_QUEUE_DESCRIPTOR + 4:
        return queue->ring.descriptor_area >> shift;
    case COMMON_QUEUE_DRIVER:
    case COMMON_QUEUE_DRIVER + 4:
        return queue->ring.driver_area >> shift;
    default:
        return queue->ring.device_area >> shift;
    }
}

static uint64_t read_common_register(struct virtio_device *device, uint32_t offset)
{
    switch (offset) {
    case COMMON_FEATURE_SELECT:
        return device->feature_select;
    case COMMON_FEATURE:
        return read_features(device->offered, device->feature_select);
    case COMMON_DRIVER_FEATURE_SELECT:
        return device->driver_feature_select;
    case COMMON_DRIVER_FEATURE:
        return read_features(device->accepted, device->driver_feature_select);
    case COMMON_CONFIG_VECTOR:
        return device->config_vector;
    case COMMON_NR_QUEUES:
        return device->nr_queues;
    case COMMON_STATUS:
        virtio_continue_reset(device); /* a driver that polls is not to wait for the interrupt */
        return device->status;
    case COMMON_GENERATION:
        return 0; /* the device configuration is changed by nobody but the driver */
    case COMMON_QUEUE_SELECT:
        return device->queue_select;
    default:
        return read_queue(device, offset);
    }
}

static uint64_t read_common(struct virtio_device *device, uint32_t offset, unsigned size)
{
    uint64_t value = 0;

    for (unsigned done = 0; done < size;) {
        unsigned width = common_width(offset + done);

        if (width == 0 || width > size - done) {
            break;
        }
        value |= bits_get(read_common_register(device, offset + done), 0, 8 * width) << (8 * done);
        done += width;
    }
    return value;
}

static void write_common_register(struct virtio_device *device, uint32_t offset, uint64_t value,
                                  struct interrupt_messages *out)
{
    struct virtio_queue *queue = selected_queue(device);

    switch (offset) {
    case COMMON_FEATURE_SELECT:
        device->feature_select = (uint32_t)value;
        break;
    case COMMON_DRIVER_FEATURE_SELECT:
        device->driver_feature_select = (uint32_t)value;
        break;
    case COMMON_DRIVER_FEATURE:
        write_features(device, (uint32_t)value);
        break;
    case COMMON_CONFIG_VECTOR:
        device->config_vector = existing_vector(device, value);
        break;
    case COMMON_STATUS:
        write_status(device, (uint8_t)value);
        break;
    case COMMON_QUEUE_SELECT:
        device->queue_select = (uint16_t)value;
        break;
    case COMMON_QUEUE_VECTOR:
        if (queue != NULL) {
            queue->vector = existing_vector(device, value);
        }
        break;
    default:
        if (queue != NULL && !queue->ring.enabled) {
            write_queue(device, offset, value, out);
        }
        break;
    }
}

/* Registers are written one at a time, an address perhaps at once. */
static void write_common(struct virtio_device *device, uint32_t offset, unsigned size,
                         uint64_t value, struct interrupt_messages *out)
{
    if (size == 8 && offset % 8 == 0 && offset >= COMMON_QUEUE_DESCRIPTOR && offset < COMMON_END) {
        write_common_register(device, offset, (uint32_t)value, out);
        write_common_register(device, offset + 4, value >> 32, out);
    } else if (size == common_width(offset)) {
        write_common_register(device, offset, value, out);
    }
}

/* --- the BAR --- */

static bool is_in(uint32_t offset, unsigned size, uint32_t base, uint32_t bytes)
{
    return offset - base < bytes && size <= bytes - (offset - base);
}

static uint64_t bar_read(struct pci_function *function, uint32_t offset, unsigned size)
{
    struct virtio_device *device = device_of(function);
    uint64_t value = 0;

    if (is_in(offset, size, PART_COMMON, COMMON_BYTES)) {
        return read_common(device, offset - PART_COMMON, size);
    }
    if (is_in(offset, size, PART_ISR, ISR_BYTES)) {
        if (offset == PART_ISR) {
            value = device->isr;
            device->isr = 0;
        }
        return value;
    }
    if (is_in(offset, size, PART_DEVICE, device->ops->config_bytes)) {
        return device->ops->config_read(device, offset - PART_DEVICE, size);
    }
    if (offset >= PART_PENDING) {
        return msix_read_pending(&device->msix, offset - PART_PENDING, size);
    }
    if (offset >= PART_TABLE) {
        return msix_read_table(&device->msix, offset - PART_TABLE, size);
    }
    return 0;
}

static void notify(struct virtio_device *device, uint32_t offset, struct interrupt_messages *out)
{
    if (virtio_works(device) && offset / NOTIFY_MULTIPLIER < device->nr_queues) {
        virtio_serve_queues(device, 1u << offset / NOTIFY_MULTIPLIER, out);
    }
}

static void bar_write(struct pci_function *function, uint32_t offset, unsigned size, uint64_t value,
                      struct interrupt_messages *out)
{
    struct virtio_device *device = device_of(function);

    if (is_in(offset, size, PART_NOTIFY, PART_TABLE - PART_NOTIFY)) {
        notify(device, offset - PART_NOTIFY, out);
    } else if (is_in(offset, size, PART_COMMON, COMMON_BYTES)) {
        write_common(device, offset - PART_COMMON, size, value, out);
    } else if (is_in(offset, size, PART_DEVICE, device->ops->config_bytes)) {
        device->ops->config_write(device, offset - PART_DEVICE, size, value);
    } else if (is_in(offset, size, PART_TABLE, PART_PENDING - PART_TABLE)) {
        msix_write_table(&device->msix, offset - PART_TABLE, size, value, out);
    }
}

/* --- configuration space --- */

/* What the guest has written into the capability for accesses without the BAR (4.1.4.9). */
static bool access_target(const struct virtio_device *device, struct structure_capability *access)
{
    memcpy(access, device->function.config + device->access_capability, sizeof(*access));
    return access->bar == 0 &&
           (access->length == 1 || access->length == 2 || access->length == 4) &&
           access->offset % access->length == 0 && access->offset < VIRTIO_BAR_BYTES;
}

static uint32_t access_data(const struct virtio_device *device)
{
    return device->access_capability + (uint32_t)STRUCTURE_BYTES;
}

static void config_read(struct pci_function *function, uint32_t offset, unsigned size)
{
    struct virtio_device *device = device_of(function);
    struct structure_capability access;
    uint32_t value;

    (void)size;
    if (offset == access_data(device) && access_target(device, &access)) {
        value = (uint32_t)bar_read(function, access.offset, access.length);
        memcpy(function->config + offset, &value, sizeof(value));
    }
}

static bool touches(uint32_t offset, unsigned size, uint32_t at, uint32_t bytes)
{
    return offset < at + bytes && at < offset + size;
}

static void config_written(struct pci_function *function, uint32_t offset, unsigned size,
                           struct interrupt_messages *out)
{
    struct virtio_device *device = device_of(function);
    uint32_t control =
        device->msix_capability + (uint32_t)offsetof(struct msix_capability, control);
    struct structure_capability access;

    if (touches(offset, size, control, 2)) {
        msix_control(&device->msix, pci_config_word(function, control), out);
    }
    if (offset == access_data(device) && access_target(device, &access)) {
        bar_write(function, access.offset, access.length,
                  bits_get(access.extra, 0, 8 * access.length), out);
    }
}

static const struct pci_ops pci_ops = {
    .power_on = power_on,
    .serve = serve,
    .has_work = has_work,
    .read = bar_read,
    .write = bar_write,
    .config_read = config_read,
    .config_written = config_written,
};

static uint8_t add_structure(struct virtio_device *device, enum structure_type type,
                             uint32_t offset, uint32_t length)
{
    static const struct structure_capability writable = {
        .bar = 0xff,
        .offset = 0xffffffff,
        .length = 0xffffffff,
        .extra = 0xffffffff,
    };
    bool longer = type == STRUCTURE_NOTIFY || type == STRUCTURE_ACCESS;
    struct structure_capability capability = {
        .id = PCI_CAPABILITY_VENDOR,
        .bytes = longer ? sizeof(capability) : STRUCTURE_BYTES,
        .type = (uint8_t)type,
        .offset = offset,
        .length = length,
        .extra = type == STRUCTURE_NOTIFY ? NOTIFY_MULTIPLIER : 0,
    };

    return pci_function_add_capability(&device->function, (uint8_t *)&capability,
                                       type == STRUCTURE_ACCESS ? (const uint8_t *)&writable : NULL,
                                       capability.bytes);
}

static void add_msix(struct virtio_device *device)
{
    static const struct msix_capability writable = {
        .control = MSIX_CONTROL_ENABLE | MSIX_CONTROL_MASK,
    };
    struct msix_capability capability = {
        .id = PCI_CAPABILITY_MSIX,
        .control = (uint16_t)device->nr_queues, /* the number of vectors less one */
        .table = PART_TABLE,
        .pending = PART_PENDING,
    };

    device->msix_capability = pci_function_add_capability(
        &device->function, (uint8_t *)&capability, (const uint8_t *)&writable, sizeof(capability));
}

_Static_assert(VIRTIO_MAX_QUEUES + 1 <= MSIX_MAX_VECTORS, "one for each queue, one for changes");

void virtio_device_init(struct virtio_device *device, const struct virtio_ops *ops,
                        const struct guest_ram *ram, uint64_t offered, unsigned nr_queues,
                        uint32_t bar)
{
    const struct pci_identity identity = {
        .vendor = VIRTIO_VENDOR,
        .device = (uint16_t)(VIRTIO_DEVICE_FIRST + ops->device_id),
        .subsystem_vendor = VIRTIO_VENDOR,
        .subsystem = (uint16_t)(VIRTIO_DEVICE_FIRST + ops->device_id),
        .class_code = ops->class_code,
        .revision = VIRTIO_REVISION,
    };

    *device = (struct virtio_device){
        .ops = ops,
        .ram = ram,
        .offered = offered | VIRTIO_F_VERSION_1 | VIRTIO_F_RING_PACKED | VIRTIO_F_INDIRECT_DESC |
                   VIRTIO_F_EVENT_IDX,
        .nr_queues = nr_queues,
    };
    pci_function_init(&device->function, &pci_ops, &identity);
    pci_function_set_bar(&device->function, bar, VIRTIO_BAR_BYTES);
    add_msix(device);
    device->access_capability = add_structure(device, STRUCTURE_ACCESS, 0, 0);
    add_structure(device, STRUCTURE_NOTIFY, PART_NOTIFY, nr_queues * NOTIFY_MULTIPLIER);
    add_structure(device, STRUCTURE_DEVICE, PART_DEVICE, ops->config_bytes);
    add_structure(device, STRUCTURE_ISR, PART_ISR, ISR_BYTES);
    add_structure(device, STRUCTURE_COMMON, PART_COMMON, COMMON_BYTES);
    power_on(&device->function);
}
