/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O ports of the VM: one table of devices, and the way from an access to a device's model.
 * Accesses wider than a device's registers are taken apart; absent ports read as all ones.
 */
#include "user/vmm/vm.h"

/* Configuration mechanism 1: the address is in the first four ports, the data in the others. */
#define PCI_DATA 4u

struct port_device {
    uint16_t first, last;
    enum vm_lock lock; /* held while its functions run */
    bool wide;         /* takes accesses of 2 and 4 bytes whole */
    uint32_t (*read)(struct vcpu *vcpu, unsigned offset, unsigned size);
    void (*write)(struct vcpu *vcpu, unsigned offset, unsigned size, uint32_t value);
};

static uint32_t serial_read(struct vcpu *vcpu, unsigned offset, unsigned size)
{
    uint8_t value = uart_read(&vcpu->vm->uart, offset);

    (void)size;
    if (vcpu->vm->uart.changed) {
        serial_sync(vcpu);
    }
    return value;
}

static void serial_write(struct vcpu *vcpu, unsigned offset, unsigned size, uint32_t value)
{
    uint8_t byte;

    (void)size;
    if (uart_write(&vcpu->vm->uart, offset, (uint8_t)value, &byte)) {
        console_put(&vcpu->vm->console, byte);
        console_pump(&vcpu->vm->console);
    }
    if (vcpu->vm->uart.changed) {
        serial_sync(vcpu);
    }
}

static uint32_t pic_1_read(struct vcpu *vcpu, unsigned offset, unsigned size)
{
    (void)size;
    return pic_read(&vcpu->vm->platform, 0, offset);
}

static void pic_1_write(struct vcpu *vcpu, unsigned offset, unsigned size, uint32_t value)
{
    (void)size;
    pic_write(&vcpu->vm->platform, 0, offset, (uint8_t)value);
}

static uint32_t pic_2_read(struct vcpu *vcpu, unsigned offset, unsigned size)
{
    (void)size;
    return pic_read(&vcpu->vm->platform, 1, offset);
}

static void pic_2_write(struct vcpu *vcpu, unsigned offset, unsigned size, uint32_t value)
{
    (void)size;
    pic_write(&vcpu->vm->platform, 1, offset, (uint8_t)value);
}

static uint32_t clock_read(struct vcpu *vcpu, unsigned offset, unsigned size)
{
    (void)size;
    return offset == 0 ? 0xff : cmos_read(&vcpu->vm->cmos, vm_seconds(vcpu->vm));
}

static void clock_write(struct vcpu *vcpu, unsigned offset, unsigned size, uint32_t value)
{
    (void)size;
    if (offset == 0) {
        cmos_select(&vcpu->vm->cmos, (uint8_t)value);
    } else {
        cmos_write(&vcpu->vm->cmos, (uint8_t)value, vm_seconds(vcpu->vm));
    }
}

static uint32_t panic_read(struct vcpu *vcpu, unsigned offset, unsigned size)
{
    (void)vcpu;
    (void)offset;
    (void)size;
    return PANIC_PANICKED | PANIC_CRASHED;
}

static void panic_write(struct vcpu *vcpu, unsigned offset, unsigned size, uint32_t value)
{
    (void)offset;
    (void)size;
    if ((value & PANIC_PANICKED) != 0) {
        vm_panic(vcpu);
    }
}

static uint32_t pm1_port_read(struct vcpu *vcpu, unsigned offset, unsigned size)
{
    return pm1_read(&vcpu->vm->platform, offset, size);
}

static void pm1_port_write(struct vcpu *vcpu, unsigned offset, unsigned size, uint32_t value)
{
    vm_request(vcpu->vm, pm1_write(&vcpu->vm->platform, offset, size, value));
}

static uint32_t pci_read(struct vcpu *vcpu, unsigned offset, unsigned size)
{
    struct pci_target target;

    if (offset < PCI_DATA) {
        return pci_port_read(&vcpu->vm->platform, offset, size);
    }
    if (!pci_port_target(&vcpu->vm->platform, &target)) {
        return 0xffffffff;
    }
    return (uint32_t)bus_config_read(vcpu, target.function, target.offset + offset - PCI_DATA,
                                     size);
}

static void pci_write(struct vcpu *vcpu, unsigned offset, unsigned size, uint32_t value)
{
    struct pci_target target;

    if (offset < PCI_DATA) {
        vm_request(vcpu->vm, pci_port_write(&vcpu->vm->platform, offset, size, value));
    } else if (pci_port_target(&vcpu->vm->platform, &target)) {
        bus_config_write(vcpu, target.function, target.offset + offset - PCI_DATA, size, value);
    }
}

static uint32_t board_60_read(struct vcpu *vcpu, unsigned offset, unsigned size)
{
    (void)size;
    return board_read(&vcpu->vm->platform, 0x60 + offset);
}

static void board_60_write(struct vcpu *vcpu, unsigned offset, unsigned size, uint32_t value)
{
    (void)size;
    vm_request(vcpu->vm, board_write(&vcpu->vm->platform, 0x60 + offset, (uint8_t)value));
}

static uint32_t board_92_read(struct vcpu *vcpu, unsigned offset, unsigned size)
{
    (void)size;
    return board_read(&vcpu->vm->platform, 0x92 + offset);
}

static void board_92_write(struct vcpu *vcpu, unsigned offset, unsigned size, uint32_t value)
{
    (void)size;
    vm_request(vcpu->vm, board_write(&vcpu->vm->platform, 0x92 + offset, (uint8_t)value));
}

static const struct port_device devices[] = {
    { 0 }, /* index 0: nothing there */
    { 0x020, 0x021, LOCK_PLATFORM, false, pic_1_read, pic_1_write },
    { 0x060, 0x064, LOCK_PLATFORM, false, board_60_read, board_60_write },
    { 0x070, 0x071, LOCK_CMOS, false, clock_read, clock_write },
    { 0x092, 0x092, LOCK_PLATFORM, false, board_92_read, board_92_write },
    { 0x0a0, 0x0a1, LOCK_PLATFORM, false, pic_2_read, pic_2_write },
    { SERIAL_PORT, SERIAL_PORT + UART_PORTS - 1, LOCK_SERIAL, false, serial_read, serial_write },
    { PANIC_PORT, PANIC_PORT, LOCK_PLATFORM, false, panic_read, panic_write },
    { PM1_EVENT_PORT, PM1_EVENT_PORT + PM1_PORTS - 1, LOCK_PLATFORM, true, pm1_port_read,
      pm1_port_write },
    { 0xcf8, 0xcff, LOCK_PLATFORM, true, pci_read, pci_write },
};

#define NR_DEVICES (sizeof(devices) / sizeof(devices[0]))

void ports_init(struct vm *vm)
{
    for (unsigned i = 1; i < NR_DEVICES; i++) {
        for (unsigned port = devices[i].first; port <= devices[i].last; port++) {
            vm->port_device[port] = (uint8_t)i;
        }
    }
}

static const struct port_device *device_at(const struct vm *vm, unsigned port)
{
    return &devices[port < VM_NR_PORTS ? vm->port_device[port] : 0];
}

/* An access wider than the device's registers: byte by byte, each to whoever is there. */
static bool is_split(const struct port_device *device, unsigned port, unsigned size)
{
    return device != &devices[0] && !(device->wide && port + size - 1 <= device->last);
}

static uint32_t device_read(struct vcpu *vcpu, const struct port_device *device, unsigned port,
                            unsigned size)
{
    uint32_t value;

    if (device->read == NULL) {
        return 0xffffffff;
    }
    vm_lock(vcpu, device->lock);
    value = device->read(vcpu, port - device->first, size);
    vm_unlock(vcpu, device->lock);
    return value;
}

static __attribute__((noinline)) void write_locked(struct vcpu *vcpu,
                                                   const struct port_device *device,
                                                   unsigned offset, unsigned size, uint32_t value)
{
    vm_lock(vcpu, device->lock);
    device->write(vcpu, offset, size, value);
    vm_unlock(vcpu, device->lock);
}

/* A vCPU that is alone needs no lock, and then there is nothing to come back for. */
static void device_write(struct vcpu *vcpu, const struct port_device *device, unsigned port,
                         unsigned size, uint32_t value)
{
    if (device->write == NULL) {
        return;
    }
    if (vcpu->vm->nr_vcpus > 1) {
        write_locked(vcpu, device, port - device->first, size, value);
        return;
    }
    device->write(vcpu, port - device->first, size, value);
}

/* Several bytes: to a device that takes them whole, or one by one. */
static RARE uint32_t read_wide(struct vcpu *vcpu, unsigned port, unsigned size)
{
    const struct port_device *device = device_at(vcpu->vm, port);
    uint32_t value = 0;

    if (!is_split(device, port, size)) {
        return device_read(vcpu, device, port, size);
    }
    for (unsigned i = 0; i < size; i++) {
        device = device_at(vcpu->vm, port + i);
        value |= (device_read(vcpu, device, port + i, 1) & 0xff) << (8 * i);
    }
    return value;
}

uint32_t port_read(struct vcpu *vcpu, uint16_t port, unsigned size)
{
    return size == 1 ? device_read(vcpu, device_at(vcpu->vm, port), port, 1)
                     : read_wide(vcpu, port, size);
}

static RARE void write_wide(struct vcpu *vcpu, unsigned port, unsigned size, uint32_t value)
{
    const struct port_device *device = device_at(vcpu->vm, port);

    if (!is_split(device, port, size)) {
        device_write(vcpu, device, port, size, value);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        device = device_at(vcpu->vm, port + i);
        device_write(vcpu, device, port + i, 1, value >> (8 * i) & 0xff);
    }
}

void port_write(struct vcpu *vcpu, uint16_t port, unsigned size, uint32_t value)
{
    if (size != 1) {
        write_wide(vcpu, port, size, value);
        return;
    }
    device_write(vcpu, device_at(vcpu->vm, port), port, 1, value & 0xff);
}
