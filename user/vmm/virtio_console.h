/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio console with one port, beside the UART and on the same channel to the console server: a
 * buffer of output costs an exit or two, however long it is.
 *
 *      transmitq -> the channel's output ring, as far as there is room; the rest waits
 *      input ring -> buffers of receiveq
 *
 * Input       goes to whichever of the two the guest uses: to the UART, until the driver here has
 *             put something out; from then until its reset to its receiveq.
 * Invariants  I1  sent: how much of the next chain of transmitq is in the ring already
 *             I2  function.serve_at is PCI_NEVER unless output waits: then it is when that is lost
 * Trust       A chain that is to be read and written, or neither, is needs-reset. What is put out
 *             is copied once, from the guest's memory into the ring, and never looked at.
 * Bounds      Linux waits for its output with interrupts off. So a server that takes less than
 *             VIRTIO_CONSOLE_SLOWEST bytes a second for long holds it up no further: output is lost
 *             then, and marked, until the server has made room again.
 * Locking     LOCK_SERIAL of vm.h, which is that of its slot, held by whoever calls
 * Units       ticks of the host's TSC
 * Sources     Virtio 1.2 section 5.3 "Console Device"
 */
#ifndef USER_VMM_VIRTIO_CONSOLE_H
#define USER_VMM_VIRTIO_CONSOLE_H

#include "user/vmm/console.h"
#include "user/vmm/virtio_pci.h"

#define VIRTIO_CONSOLE_SLOWEST 2048u

struct virtio_console {
    struct virtio_device virtio; /* first: the operations' argument is converted back */
    struct console *console;     /* [c] */
    uint64_t ticks_per_second;   /* [c] */
    uint64_t sent;               /* I1 */
    bool used;                   /* the driver has put something out */
    bool stalled;                /* the server has been too slow: output is lost */
};

/* In the power-on state afterwards. */
void virtio_console_init(struct virtio_console *console, const struct guest_ram *ram,
                         struct console *channel, uint64_t ticks_per_second, uint32_t bar);
/* Whether input is for this device. */
bool virtio_console_takes_input(const struct virtio_console *console);

#endif
