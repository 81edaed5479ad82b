/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio transport over PCI, modern form only: a function whose BAR has the common, notify,
 * ISR and device configuration and the MSI-X table; feature negotiation, the device status, queues.
 * What the device does is in its operations.
 *
 *      BAR   0x0000 common configuration   0x0100 ISR   0x0200 device configuration
 *            0x1000 notify, 4 bytes for each queue   0x2000 MSI-X table   0x3000 pending bits
 *
 * Objects     struct virtio_device is part of the device's own structure, made once
 * Invariants  I1  queues are enabled only while FEATURES_OK is set, and work only with DRIVER_OK
 *             I2  after the status became 0 nothing is outstanding: until then it shows its old
 *                 value, and the device is `resetting`
 *             I3  with DEVICE_NEEDS_RESET set no queue is touched
 *             I4  `waiting` has a bit for each queue that may hold chains nobody will kick for,
 *                 `unheard` one for each whose driver has been told not to kick: it is served when
 *                 something completes
 * Locking     the slot's lock of the PCI bus, held by whoever calls
 * Work        one call takes at most VIRTIO_BATCH chains and says then that it has more work
 * Errors      what a hostile driver does wrong ends in DEVICE_NEEDS_RESET and a configuration
 *             interrupt; registers that are not there read as zero and take nothing
 * Sources     Virtio 1.2 sections 2.1 "Device Status Field", 3.1 "Device Initialization", 4.1
 *             "Virtio Over PCI Bus"
 */
#ifndef USER_VMM_VIRTIO_PCI_H
#define USER_VMM_VIRTIO_PCI_H

#include "user/vmm/msix.h"
#include "user/vmm/pci.h"
#include "user/vmm/virtqueue.h"

#define VIRTIO_MAX_QUEUES 4u
#define VIRTIO_BAR_BYTES  0x4000u
#define VIRTIO_NO_VECTOR  0xffffu
#define VIRTIO_BATCH      256u

#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)
#define VIRTIO_F_RING_PACKED   (1ull << 34)

enum virtio_status {
    VIRTIO_STATUS_ACKNOWLEDGE = 1,
    VIRTIO_STATUS_DRIVER = 2,
    VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8,
    VIRTIO_STATUS_NEEDS_RESET = 64,
    VIRTIO_STATUS_FAILED = 128,
};

struct virtio_device;

struct virtio_ops {
    uint16_t device_id; /* virtio's, not PCI's */
    uint32_t class_code;
    uint32_t config_bytes; /* of the device configuration; at most 256 */
    /* The access lies inside of the device configuration. */
    uint64_t (*config_read)(struct virtio_device *device, uint32_t offset, unsigned size);
    void (*config_write)(struct virtio_device *device, uint32_t offset, unsigned size,
                         uint64_t value);
    /* Whether there is room for another chain of this queue. The device works. */
    bool (*is_ready)(struct virtio_device *device, unsigned queue);
    /* Whether so much is outstanding that the next chains can wait until something completes, so
     * that the driver need not kick. NULL: never. */
    bool (*is_busy)(struct virtio_device *device);
    /* device->chain, which was taken from this queue. False: the driver broke the rules. */
    bool (*handle)(struct virtio_device *device, unsigned queue);
    /* After chains were handled: who is behind the device is told. */
    void (*pass_on)(struct virtio_device *device);
    /* See pci.h; has_work: beside chains that wait and can be taken. */
    void (*serve)(struct virtio_device *device, struct interrupt_messages *out);
    bool (*has_work)(struct virtio_device *device);
    /* Reset has been asked for. True: nothing is outstanding any more. Asked again until it is. */
    bool (*quiesce)(struct virtio_device *device);
    /* Into the state after a reset, and at power-on. */
    void (*reset)(struct virtio_device *device);
};

struct virtio_queue {
    struct virtqueue ring;
    uint16_t vector;
};

struct virtio_device {
    struct pci_function function; /* first: the operations' argument is converted back */
    const struct virtio_ops *ops; /* [c] */
    const struct guest_ram *ram;  /* [c] */
    uint64_t offered;             /* [c] features */
    unsigned nr_queues;           /* [c] */
    uint8_t msix_capability, access_capability; /* [c] where they are in configuration space */
    struct msix msix;
    uint64_t accepted; /* features */
    uint32_t feature_select, driver_feature_select;
    uint16_t queue_select, config_vector;
    uint8_t status, isr;
    bool resetting;
    struct virtio_queue queues[VIRTIO_MAX_QUEUES];
    uint32_t waiting, unheard;    /* I4 */
    struct virtqueue_chain chain; /* while it is handled */
};

/*
 * offered: the device's own features; the transport's and the rings' are added. bar: where the BAR
 * is at power-on. Ends in the power-on state.
 */
void virtio_device_init(struct virtio_device *device, const struct virtio_ops *ops,
                        const struct guest_ram *ram, uint64_t offered, unsigned nr_queues,
                        uint32_t bar);
/* --- for the device --- */

/* Whether queues may be touched. */
static inline bool virtio_works(const struct virtio_device *device)
{
    return (device->status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET)) ==
               VIRTIO_STATUS_DRIVER_OK &&
           !device->resetting;
}

static inline bool virtio_has(const struct virtio_device *device, uint64_t feature)
{
    return (device->accepted & feature) != 0;
}

/*
 * Takes chains of the queues of the set, as far as there is room and time for them; then the driver
 * gets its interrupts.
 */
void virtio_serve_queues(struct virtio_device *device, uint32_t set,
                         struct interrupt_messages *out);
/* What was outstanding has become less: a reset that waits for it may be complete. */
void virtio_continue_reset(struct virtio_device *device);

#endif
