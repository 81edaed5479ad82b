/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the guest's accesses to the functions on the PCI bus, and from what comes to these from
 * outside: each with the lock of its slot, and with the messages delivered that result.
 */
#include "lib/bits.h"
#include "user/vmm/vm.h"

static struct pci_function *lock_slot(struct vcpu *vcpu, unsigned slot)
{
    vm_lock(vcpu, (enum vm_lock)(LOCK_PCI + slot));
    return vcpu->vm->pci.slots[slot];
}

static void unlock_slot(struct vcpu *vcpu, unsigned slot)
{
    vm_unlock(vcpu, (enum vm_lock)(LOCK_PCI + slot));
}

/* After what a function was asked to do; unlocks its slot. What it has left is not forgotten. */
static void finish(struct vcpu *vcpu, unsigned slot, const struct interrupt_messages *messages)
{
    struct pci_function *function = vcpu->vm->pci.slots[slot];
    bool more = function->ops != NULL && function->ops->has_work(function);
    uint64_t serve_at = function->serve_at;

    vm_deliver_all(vcpu, messages);
    unlock_slot(vcpu, slot);
    if (more) {
        (void)inbox_post(&vcpu->inbox, REQUEST_SERVE); /* we are outside: no signal is needed */
    }
    if (serve_at < vcpu->serve_at) {
        vcpu->serve_at = serve_at;
        vcpu_sync_deadline(vcpu);
    }
}

uint64_t bus_config_read(struct vcpu *vcpu, uint32_t function, uint32_t offset, unsigned size)
{
    uint64_t value;
    unsigned slot;

    if (!pci_bus_find(&vcpu->vm->pci, function, &slot)) {
        return bits_mask(8 * size);
    }
    value = pci_config_read(lock_slot(vcpu, slot), offset, size);
    unlock_slot(vcpu, slot);
    return value;
}

void bus_config_write(struct vcpu *vcpu, uint32_t function, uint32_t offset, unsigned size,
                      uint64_t value)
{
    struct interrupt_messages messages;
    unsigned slot;

    if (!pci_bus_find(&vcpu->vm->pci, function, &slot)) {
        return;
    }
    messages.nr = 0;
    pci_config_write(lock_slot(vcpu, slot), offset, size, value, &messages);
    finish(vcpu, slot, &messages);
}

uint64_t bus_read(struct vcpu *vcpu, uint64_t address, unsigned size)
{
    uint64_t value;
    unsigned slot;

    if (!pci_bus_find_window(&vcpu->vm->pci, address, &slot)) {
        return bits_mask(8 * size);
    }
    value = pci_bar_read(lock_slot(vcpu, slot), address, size);
    unlock_slot(vcpu, slot);
    return value;
}

void bus_write(struct vcpu *vcpu, uint64_t address, unsigned size, uint64_t value)
{
    struct interrupt_messages messages;
    unsigned slot;

    if (!pci_bus_find_window(&vcpu->vm->pci, address, &slot)) {
        return;
    }
    messages.nr = 0;
    pci_bar_write(lock_slot(vcpu, slot), address, size, value, &messages);
    finish(vcpu, slot, &messages);
}

void bus_serve(struct vcpu *vcpu, unsigned slot)
{
    struct interrupt_messages messages;
    struct pci_function *function;

    if (vcpu->vm->pci.slots[slot] == NULL) {
        return;
    }
    messages.nr = 0;
    function = lock_slot(vcpu, slot);
    function->ops->serve(function, &messages);
    finish(vcpu, slot, &messages);
}

static bool is_left(struct vcpu *vcpu, unsigned slot)
{
    struct pci_function *function = lock_slot(vcpu, slot);
    bool left = function->serve_at != PCI_NEVER || function->ops->has_work(function);

    unlock_slot(vcpu, slot);
    return left;
}

/* A function without operations does not begin anything. */
static bool is_active(const struct vcpu *vcpu, unsigned slot)
{
    const struct pci_function *function = vcpu->vm->pci.slots[slot];

    return function != NULL && function->ops != NULL;
}

void bus_serve_rest(struct vcpu *vcpu)
{
    for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
        if (is_active(vcpu, slot) && is_left(vcpu, slot)) {
            bus_serve(vcpu, slot);
        }
    }
}
