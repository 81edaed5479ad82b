/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile guest and its disk, or its console: any accesses to configuration space and BAR, any
 * rings, while the server takes and completes. The fake disk server aborts when the monitor breaks
 * the channel's rules or names memory that the guest has not got; at the end all that was
 * outstanding must end. What waits for the console ends in time.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/input.h"
#include "tests/unit/vmm/fake_disk.h"
#include "tests/unit/vmm/fake_host.h"

#define SHARED 0x40000u /* the guest's memory that is used here */
#define QUEUE  0x8000u  /* of it: for each queue, its rings and what they lead to */
#define MS     1000000u /* of the fake host's TSC */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct vm *vm;
static struct fake_disk disk;
static struct virtio_device *device; /* under test: */
static unsigned slot;

static unsigned take_size(struct input *input)
{
    return 1u << take(input, 1) % 4;
}

static void access_bar(struct vcpu *vcpu, struct input *input)
{
    static const uint32_t bases[] = {
        0x0000, 0x0000, 0x0100, 0x0200, 0x1000, 0x2000, 0x3000, 0x3ff0
    };
    uint64_t window = device->function.window;
    uint64_t address = window + bases[take(input, 1) % 8] + take(input, 1);
    unsigned size = take_size(input);

    if (window == PCI_NO_WINDOW) {
        return;
    }
    if (take(input, 1) % 4 == 0) {
        bus_read(vcpu, address, size);
    } else {
        bus_write(vcpu, address, size, take(input, size));
    }
}

static void access_config(struct vcpu *vcpu, struct input *input)
{
    uint32_t function = take(input, 1) % 8 == 0 ? (uint32_t)take(input, 2) : slot << 3;
    uint32_t offset = (uint32_t)take(input, 1);
    unsigned size = take_size(input);

    if (take(input, 1) % 4 == 0) {
        bus_config_read(vcpu, function, offset, size);
    } else {
        bus_config_write(vcpu, function, offset, size, take(input, size));
    }
}

static void set(struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value)
{
    bus_write(vcpu, device->function.window + offset, size, value);
}

static void set_up_queue(struct vcpu *vcpu, struct input *input, unsigned index)
{
    set(vcpu, 0x16, 2, index);
    set(vcpu, 0x18, 2, 1u << take(input, 1) % 9);
    set(vcpu, 0x20, 8, QUEUE * index);
    set(vcpu, 0x28, 8, QUEUE * index + 0x2000);
    set(vcpu, 0x30, 8, QUEUE * index + 0x4000);
    set(vcpu, 0x1c, 2, 1);
}

/* What a driver does until its queues work, so that what follows gets somewhere. */
static void begin(struct vcpu *vcpu, struct input *input)
{
    uint64_t features = device->offered & ~(take(input, 2) << 20);

    bus_config_write(vcpu, slot << 3, 4, 2, 2);
    set(vcpu, 0x14, 1, 0);
    set(vcpu, 0x08, 4, 0);
    set(vcpu, 0x0c, 4, (uint32_t)features);
    set(vcpu, 0x08, 4, 1);
    set(vcpu, 0x0c, 4, (features | 1ull << 32) >> 32);
    set(vcpu, 0x14, 1, 8 | 3);
    set_up_queue(vcpu, input, 0);
    set_up_queue(vcpu, input, 1);
    set(vcpu, 0x14, 1, 15);
}

struct part {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags;
};

/* A chain of these descriptors at the ring's beginning. */
static void write_chain(struct input *input, unsigned queue, const struct part *parts, unsigned nr)
{
    uint8_t *memory = vm->ram.base + QUEUE * queue;
    bool packed = virtio_has(device, 1ull << 34);
    uint16_t index = (uint16_t)take(input, 1);

    for (unsigned i = 0; i < nr; i++) {
        uint8_t *at = memory + 16 * i;
        uint16_t flags = parts[i].flags | (packed ? 0x80 : 0), next = (uint16_t)(i + 1);

        memcpy(at, &parts[i].address, 8);
        memcpy(at + 8, &parts[i].bytes, 4);
        memcpy(at + (packed ? 14 : 12), &flags, 2);
        memcpy(at + (packed ? 12 : 14), &next, 2);
    }
    memset(memory + 0x2004, 0, 512);
    memcpy(memory + 0x2002, &index, 2);
}

/* A read or whatever of one sector or more, in one descriptor each. */
static void write_request(struct input *input)
{
    uint64_t header[2] = { take(input, 1) % 16, take(input, 2) };
    const struct part parts[3] = {
        { 0x6000, 16, 1 },
        { 0x10000, 512u << take(input, 1) % 4, (uint16_t)(1 | (header[0] % 8 == 0 ? 2 : 0)) },
        { 0x6100, 1, 2 },
    };

    memcpy(vm->ram.base + 0x6000, header, sizeof(header));
    write_chain(input, 0, parts, 3);
}

/* Output, or a buffer for input; now and then the wrong way round. */
static void write_buffer(struct input *input)
{
    unsigned way = (unsigned)take(input, 1), queue = way % 2;
    bool writable = (queue == 0) != (way / 2 % 16 == 0);
    const struct part parts[2] = {
        { 0x10000, 1u << take(input, 1) % 16, (uint16_t)(way / 32 % 2 | (writable ? 2 : 0)) },
        { 0x10000, 5, writable ? 2 : 0 },
    };

    write_chain(input, queue, parts, 2);
}

static void write_memory(struct input *input)
{
    static const uint32_t bases[] = { 0x0000, 0x2000,  0x4000, 0x6000,
                                      0x1000, 0x10000, QUEUE,  QUEUE + 0x2000 };
    uint32_t at = bases[take(input, 1) % 8] + (uint32_t)take(input, 1) * 2;
    uint32_t bytes = 1 + take(input, 1) % 16;

    for (uint32_t i = 0; i < bytes; i++) {
        vm->ram.base[at + i] = (uint8_t)take(input, 1);
    }
}

/* The disk server's turn. */
static void step_disk(struct input *input)
{
    if (fake_disk_take(&disk) != 0) {
        fake_disk_complete(&disk, (unsigned)take(input, 1) % disk.nr_held);
    }
}

/* The console server's turn, and time. */
static void step_console(struct vcpu *vcpu, struct input *input)
{
    uint8_t way = (uint8_t)take(input, 1);

    fake_host.console_busy = way % 2 != 0;
    fake_host.nr_sent = 0;
    fake_host.input = way % 4 == 0 ? "typed" : NULL;
    fake_console();
    vm_lock(vcpu, LOCK_SERIAL);
    serial_sync(vcpu);
    vm_unlock(vcpu, LOCK_SERIAL);
    fake_host.tsc += way * 16ull * MS;
    if (vcpu->message->deadline <= fake_host.tsc) {
        vcpu->message->reason = VMX_EXIT_PREEMPTION_TIMER;
        if (vcpu_handle_exit(vcpu) != VCPU_RUNS || vcpu->serve_at <= fake_host.tsc) {
            abort();
        }
    }
}

static void step(struct vcpu *vcpu, struct input *input)
{
    bool console = slot == VM_CONSOLE_SLOT;

    switch (take(input, 1) % 10) {
    case 0:
        begin(vcpu, input);
        break;
    case 1:
    case 2:
        if (console) {
            write_buffer(input);
        } else {
            write_request(input);
        }
        break;
    case 3:
        write_memory(input);
        break;
    case 4:
        access_config(vcpu, input);
        break;
    case 5:
        access_bar(vcpu, input);
        break;
    case 6:
        set(vcpu, 0x1000 + (console ? 4 * (uint32_t)take(input, 1) % 8 : 0), 2, 0);
        break;
    case 7:
        if (console) {
            step_console(vcpu, input);
        } else {
            step_disk(input);
        }
        break;
    case 8:
        bus_serve(vcpu, slot);
        break;
    default:
        vcpu_take_requests(vcpu);
        break;
    }
}

static void check(void)
{
    for (unsigned i = 0; i < VM_NR_LOCKS; i++) {
        if (vm->locks[i].state != 0) {
            abort();
        }
    }
    if (vm->disks[0].client.gone || device->msix.pending >> 3 != 0) {
        abort();
    }
}

static void make(void)
{
    vm = fake_vm_make_vcpus(2);
    fake_disk_make(&disk, &vm->ram, 512,
                   DISK_FACT_WRITE_CACHE | DISK_FACT_DISCARD | DISK_FACT_WRITE_ZEROES);
    vm_init_disk(vm, 0, disk.channel);
    if (vm_start_disk(vm, 0) != DISK_READY) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };

    if (vm == NULL) {
        make();
    }
    slot = take(&input, 1) % 2 == 0 ? VM_DISK_SLOT : VM_CONSOLE_SLOT;
    device = slot == VM_DISK_SLOT ? &vm->disks[0].virtio : &vm->virtio_console.virtio;
    memset(vm->ram.base, 0, SHARED);
    fake_vm_power_on(vm);
    while (input.left > 0 && !vm_is_stopping(vm)) {
        step(&vm->vcpus[take(&input, 1) % 2], &input);
        check();
    }
    fake_disk_run(&disk);
    if (!vm->disks[0].virtio.ops->quiesce(&vm->disks[0].virtio)) {
        abort();
    }
    return 0;
}
