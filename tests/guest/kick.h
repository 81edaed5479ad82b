/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio console of a small guest (guest.h), as far as a kick needs it: its transmit queue is
 * set up and empty, so that the device model looks at the ring and finds nothing to do.
 *
 * Sources  Virtio 1.2 sections 2.7 "Split Virtqueues", 3.1 "Device Initialization", 4.1 "Virtio
 *          Over PCI Bus"; where the parts of the BAR are: user/vmm/virtio_pci.h
 */
#ifndef TESTS_GUEST_KICK_H
#define TESTS_GUEST_KICK_H

#include <stdbool.h>
#include <stdint.h>

/* Written to, it kicks the device for that queue. */
extern volatile uint16_t *kick_register;

#define KICK_QUEUE 1 /* the transmit queue of port 0 */

/* False: there is no such device, or it has refused the driver. */
bool kick_begin(void);

#endif
