/* SPDX-License-Identifier: BSD-2-Clause */
/* The device registers in guest physical memory: who is where, and the way to the models. */
#include "user/vmm/acpi.h"
#include "user/vmm/vm.h"

struct mmio_device {
    uint64_t base, bytes;
    uint64_t (*read)(struct vcpu *vcpu, uint32_t offset, unsigned size);
    void (*write)(struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value);
};

static uint64_t size_mask(unsigned size)
{
    return size >= 8 ? ~0ull : (1ull << (8 * size)) - 1;
}

/* Registers are 32 bits wide, one in every 16 bytes. */
static uint64_t lapic_mmio_read(struct vcpu *vcpu, uint32_t offset, unsigned size)
{
    unsigned within = offset % 16;
    uint64_t value;

    if (within >= 4 ||
        (vcpu->lapic.base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) != APIC_BASE_ENABLE) {
        return size_mask(size);
    }
    lapic_read(&vcpu->lapic, offset / 16, false, vcpu_guest_tsc(vcpu), &value);
    return (uint32_t)value >> (8 * within) & size_mask(size);
}

static void lapic_mmio_write(struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value)
{
    /* SDM 10.4.1: only aligned 32-bit accesses; anything else is undefined, here: ignored. */
    if (offset % 16 != 0 || size != 4 ||
        (vcpu->lapic.base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) != APIC_BASE_ENABLE) {
        return;
    }
    vm_lapic_outcome(vcpu,
                     lapic_write(&vcpu->lapic, offset / 16, false, vcpu_guest_tsc(vcpu), value));
}

static uint64_t ioapic_mmio_read(struct vcpu *vcpu, uint32_t offset, unsigned size)
{
    uint64_t value;

    vm_lock(vcpu, LOCK_IOAPIC);
    value = ioapic_read(&vcpu->vm->ioapic, offset);
    vm_unlock(vcpu, LOCK_IOAPIC);
    return value & size_mask(size);
}

static void ioapic_mmio_write(struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value)
{
    struct interrupt_messages messages;

    (void)size;
    messages.nr = 0;
    vm_lock(vcpu, LOCK_IOAPIC);
    ioapic_write(&vcpu->vm->ioapic, offset, (uint32_t)value, &messages);
    vm_deliver_all(vcpu, &messages);
    vm_unlock(vcpu, LOCK_IOAPIC);
}

static uint64_t ecam_read(struct vcpu *vcpu, uint32_t offset, unsigned size)
{
    return bus_config_read(vcpu, offset >> 12, offset & 0xfff, size);
}

static void ecam_write(struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value)
{
    bus_config_write(vcpu, offset >> 12, offset & 0xfff, size, value);
}

static uint64_t window_read(struct vcpu *vcpu, uint32_t offset, unsigned size)
{
    return bus_read(vcpu, PCI_WINDOW_BASE + offset, size);
}

static void window_write(struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value)
{
    bus_write(vcpu, PCI_WINDOW_BASE + offset, size, value);
}

static uint64_t mailbox_mmio_read(struct vcpu *vcpu, uint32_t offset, unsigned size)
{
    uint64_t value;

    vm_lock(vcpu, LOCK_PLATFORM);
    value = mailbox_read(&vcpu->vm->mailbox, offset, size);
    vm_unlock(vcpu, LOCK_PLATFORM);
    return value;
}

static void mailbox_mmio_write(struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value)
{
    struct mailbox_wake wake;
    bool commanded;

    vm_lock(vcpu, LOCK_PLATFORM);
    commanded = mailbox_write(&vcpu->vm->mailbox, offset, size, value, &wake);
    vm_unlock(vcpu, LOCK_PLATFORM);
    if (commanded) {
        vm_wake(vcpu, &wake);
    }
}

static const struct mmio_device lapic_device = {
    LAPIC_BASE,
    LAPIC_BYTES,
    lapic_mmio_read,
    lapic_mmio_write,
};
static const struct mmio_device ioapic_device = {
    IOAPIC_BASE,
    IOAPIC_BYTES,
    ioapic_mmio_read,
    ioapic_mmio_write,
};
static const struct mmio_device mailbox_device = {
    MAILBOX_BASE,
    MAILBOX_BYTES,
    mailbox_mmio_read,
    mailbox_mmio_write,
};
static const struct mmio_device ecam_device = {
    ECAM_BASE,
    ECAM_BYTES,
    ecam_read,
    ecam_write,
};
static const struct mmio_device window_device = {
    PCI_WINDOW_BASE,
    PCI_WINDOW_BYTES,
    window_read,
    window_write,
};

const struct mmio_device *mmio_find(const struct vcpu *vcpu, gpa_t address)
{
    unsigned slot;

    /* The local APIC first: it may lie anywhere, and over anything. */
    if ((address.raw ^ vcpu->lapic.base) < LAPIC_BYTES) {
        return &lapic_device;
    }
    if (address.raw - IOAPIC_BASE < IOAPIC_BYTES) {
        return &ioapic_device;
    }
    if (address.raw - MAILBOX_BASE < MAILBOX_BYTES && !vcpu->vm->has_real_mode) {
        return &mailbox_device;
    }
    if (address.raw - ECAM_BASE < ECAM_BYTES) {
        return &ecam_device;
    }
    if (address.raw - PCI_WINDOW_BASE < PCI_WINDOW_BYTES &&
        pci_bus_find_window(&vcpu->vm->pci, address.raw, &slot)) {
        return &window_device;
    }
    return NULL;
}

static uint32_t offset_in(const struct mmio_device *device, gpa_t address)
{
    return (uint32_t)(address.raw & (device->bytes - 1));
}

uint64_t mmio_read(struct vcpu *vcpu, const struct mmio_device *device, gpa_t address,
                   unsigned size)
{
    return device->read(vcpu, offset_in(device, address), size);
}

void mmio_write(struct vcpu *vcpu, const struct mmio_device *device, gpa_t address, unsigned size,
                uint64_t value)
{
    device->write(vcpu, offset_in(device, address), size, value);
}
