/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI, MSI-X, the virtio transport, the block device and the console, seen as a guest sees them:
 * through the VM's buses, with fake servers behind the channels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/vmm/fake_disk.h"
#include "tests/unit/vmm/fake_host.h"
#include "tests/unit/vmm/virtio_driver.h"
#include "user/vmm/acpi.h"

#define FUNCTION         8u  /* bus 0, device 1, function 0 */
#define CONSOLE_FUNCTION 72u /* device 9 */
#define RINGS            0x1000000ull
#define REQUESTS         0x2000000ull /* headers and status bytes */
#define DATA             0x2100000ull

#define VECTOR 0x40u /* of the configuration; queues follow */

/* Offsets in the BAR. */
#define COMMON  0x0000u
#define ISR     0x0100u
#define CONFIG  0x0200u
#define NOTIFY  0x1000u
#define TABLE   0x2000u
#define PENDING 0x3000u

#define F_FLUSH        (1ull << 9)
#define F_CONFIG_WCE   (1ull << 11)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)
#define F_PACKED       (1ull << 34)
#define F_EVENT_IDX    (1ull << 29)
#define F_VERSION_1    (1ull << 32)
#define F_ALL          (~0ull)

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };

struct world {
    struct vm *vm;
    struct vcpu *vcpu;
    struct fake_disk disk;
    uint32_t function; /* the one under test */
    uint64_t bar;
    uint64_t accepted;
    struct driver_queue queue; /* the disk's first, the console's transmitq */
    struct driver_queue receiveq;
    unsigned nr_requests;
};

/* --- the guest's accesses --- */

static uint64_t config_get(struct world *world, uint32_t offset, unsigned size)
{
    return bus_config_read(world->vcpu, world->function, offset, size);
}

static void config_set(struct world *world, uint32_t offset, unsigned size, uint64_t value)
{
    bus_config_write(world->vcpu, world->function, offset, size, value);
}

static uint64_t get(struct world *world, uint32_t offset, unsigned size)
{
    return bus_read(world->vcpu, world->bar + offset, size);
}

static void set(struct world *world, uint32_t offset, unsigned size, uint64_t value)
{
    bus_write(world->vcpu, world->bar + offset, size, value);
}

static unsigned status_of(struct world *world)
{
    return (unsigned)get(world, COMMON + 0x14, 1);
}

static uint32_t capability(struct world *world, uint8_t id, uint8_t type)
{
    uint32_t at = (uint32_t)config_get(world, 0x34, 1);

    while (at != 0 && (config_get(world, at, 1) != id ||
                       (type != 0 && config_get(world, at + 3, 1) != type))) {
        at = (uint32_t)config_get(world, at + 1, 1);
    }
    return at;
}

/* Whether this vector has come since the last question. */
static bool interrupted(struct world *world, unsigned vector)
{
    uint64_t *word = &world->vcpu->lapic.irr.words[vector / 64];
    bool set_before = (*word >> (vector % 64) & 1) != 0;

    *word &= ~(1ull << (vector % 64));
    return set_before;
}

static void set_up_msix(struct world *world)
{
    config_set(world, capability(world, 0x11, 0) + 2, 2, 0x8000);
    for (unsigned i = 0; i < 2; i++) {
        set(world, TABLE + 16 * i, 4, 0xfee00000);
        set(world, TABLE + 16 * i + 4, 4, 0);
        set(world, TABLE + 16 * i + 8, 4, VECTOR + i);
        set(world, TABLE + 16 * i + 12, 4, 0);
    }
    set(world, COMMON + 0x10, 2, 0);
    set(world, COMMON + 0x16, 2, 0);
    set(world, COMMON + 0x1a, 2, 1);
}

static void set_up_queue(struct world *world, unsigned index, struct driver_queue *queue,
                         uint64_t base, uint16_t size)
{
    driver_init(queue, &world->vm->ram, base, size, (world->accepted & F_PACKED) != 0,
                (world->accepted & F_EVENT_IDX) != 0);
    set(world, COMMON + 0x16, 2, index);
    set(world, COMMON + 0x18, 2, size);
    set(world, COMMON + 0x20, 4, queue->descriptors);
    set(world, COMMON + 0x24, 4, queue->descriptors >> 32);
    set(world, COMMON + 0x28, 8, queue->driver);
    set(world, COMMON + 0x30, 8, queue->device);
    set(world, COMMON + 0x1c, 2, 1);
}

static uint64_t offered(struct world *world)
{
    uint64_t features;

    set(world, COMMON, 4, 0);
    features = get(world, COMMON + 4, 4);
    set(world, COMMON, 4, 1);
    return features | get(world, COMMON + 4, 4) << 32;
}

static void accept(struct world *world, uint64_t features)
{
    world->accepted = features;
    set(world, COMMON + 8, 4, 0);
    set(world, COMMON + 12, 4, (uint32_t)features);
    set(world, COMMON + 8, 4, 1);
    set(world, COMMON + 12, 4, features >> 32);
    set(world, COMMON + 0x14, 1, 1 | 2 | 8);
}

/* As a driver begins, with at most these features. */
static void negotiate(struct world *world, uint64_t wanted)
{
    config_set(world, 4, 2, 6);
    set(world, COMMON + 0x14, 1, 0);
    assert_int_equal(status_of(world), 0);
    set(world, COMMON + 0x14, 1, 1 | 2);
    accept(world, offered(world) & wanted);
    assert_int_equal(status_of(world), 1 | 2 | 8);
    set_up_msix(world);
}

static void set_driver_ok(struct world *world)
{
    set(world, COMMON + 0x14, 1, 1 | 2 | 4 | 8);
    assert_int_equal(status_of(world), 1 | 2 | 4 | 8);
}

/* Up to DRIVER_OK, with queue 0. */
static void begin(struct world *world, uint64_t wanted)
{
    negotiate(world, wanted);
    set_up_queue(world, 0, &world->queue, RINGS, 256);
    driver_listen(&world->queue);
    set_driver_ok(world);
}

static void add_disk(struct world *world, uint32_t sector_bytes, uint32_t flags)
{
    fake_disk_make(&world->disk, &world->vm->ram, sector_bytes, flags);
    vm_init_disk(world->vm, 0, world->disk.channel);
    assert_int_equal(vm_start_disk(world->vm, 0), DISK_READY);
    world->bar = config_get(world, 0x10, 4);
}

static void power_on(struct world *world)
{
    fake_vm_power_on(world->vm);
    vm_lapic_outcome(world->vcpu, lapic_write(&world->vcpu->lapic, LAPIC_REG_SVR, false, 0, 0x1ff));
}

static void make(struct world *world, uint32_t sector_bytes, uint32_t flags)
{
    world->vm = fake_vm_make_vcpus(2);
    world->vcpu = &world->vm->vcpus[0];
    world->function = FUNCTION;
    add_disk(world, sector_bytes, flags);
    power_on(world);
}

#define ALL_FACTS (DISK_FACT_WRITE_CACHE | DISK_FACT_DISCARD | DISK_FACT_WRITE_ZEROES)

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    make(world, 512, ALL_FACTS);
    *state = world;
    return 0;
}

static int setup_4k(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    make(world, 4096, ALL_FACTS);
    *state = world;
    return 0;
}

static int setup_read_only(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    make(world, 512, ALL_FACTS | DISK_FACT_READ_ONLY);
    *state = world;
    return 0;
}

static int setup_plain(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    make(world, 512, 0);
    *state = world;
    return 0;
}

static int setup_console(void **state)
{
    struct world *world;

    setup(state);
    world = *state;
    world->function = CONSOLE_FUNCTION;
    world->bar = config_get(world, 0x10, 4);
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    for (unsigned i = 0; i < VM_NR_LOCKS; i++) {
        assert_int_equal(world->vm->locks[i].state, 0);
    }
    fake_disk_free(&world->disk);
    fake_vm_free(world->vm);
    free(world);
    return 0;
}

/* --- the driver's requests --- */

static uint8_t *status_byte(struct world *world, unsigned number)
{
    return driver_at(&world->queue, REQUESTS + 32ull * (number % 1024) + 16, 1);
}

/* Puts a request, whose number it returns; the data in one piece. */
static unsigned put(struct world *world, uint32_t type, uint64_t sector, uint64_t data,
                    uint32_t bytes)
{
    unsigned number = world->nr_requests++;
    uint64_t at = REQUESTS + 32ull * (number % 1024);
    struct driver_buffer buffers[3] = { { at, 16, false } };
    unsigned nr = 1;

    memcpy(driver_at(&world->queue, at, 16), &(uint64_t[]){ type, sector }, 16);
    *status_byte(world, number) = 0xee;
    if (bytes != 0) {
        buffers[nr++] = (struct driver_buffer){ data, bytes, type == IN || type == GET_ID };
    }
    buffers[nr++] = (struct driver_buffer){ at + 16, 1, true };
    assert_true(driver_put(&world->queue, buffers, nr, number % 2 == 0) >= 0);
    return number;
}

static void kick(struct world *world)
{
    if (driver_must_kick(&world->queue)) {
        set(world, NOTIFY, 2, 0);
    }
}

/* The server's signal comes. */
static void notify(struct world *world)
{
    bus_serve(world->vcpu, VM_DISK_SLOT);
}

static unsigned collect(struct world *world, struct driver_used *used)
{
    unsigned nr = 0;

    while (driver_get(&world->queue, used)) {
        nr++;
    }
    driver_listen(&world->queue);
    return nr;
}

/* A request from beginning to end. Its status; what was said to be written is in *written. */
static unsigned request_written(struct world *world, uint32_t type, uint64_t sector, uint64_t data,
                                uint32_t bytes, uint32_t *written)
{
    unsigned number = put(world, type, sector, data, bytes);
    struct driver_used used;

    kick(world);
    fake_disk_run(&world->disk);
    notify(world);
    assert_true(interrupted(world, VECTOR + 1));
    assert_int_equal(collect(world, &used), 1);
    *written = used.written;
    return *status_byte(world, number);
}

static unsigned request(struct world *world, uint32_t type, uint64_t sector, uint64_t data,
                        uint32_t bytes)
{
    uint32_t written;

    return request_written(world, type, sector, data, bytes, &written);
}

static uint8_t *memory(struct world *world, uint64_t address)
{
    return world->vm->ram.base + address;
}

/* --- PCI --- */

static void test_config_space(void **state)
{
    struct world *world = *state;

    assert_int_equal(config_get(world, 0, 4), 0x10421af4);
    assert_int_equal(config_get(world, 8, 1), 1);
    assert_int_equal(config_get(world, 0x0b, 1), 1); /* mass storage */
    assert_int_equal(config_get(world, 0x3d, 1), 0); /* no INTx */
    assert_int_equal(config_get(world, 0x100, 4), 0);
    assert_int_equal(config_get(world, 0xffc, 8), 0);
    config_set(world, 0, 4, 0);
    assert_int_equal(config_get(world, 0, 4), 0x10421af4);
    /* Through both mechanisms. */
    port_write(world->vcpu, 0xcf8, 4, 0x80000800);
    assert_int_equal(port_read(world->vcpu, 0xcfc, 4), 0x10421af4);
    assert_int_equal(port_read(world->vcpu, 0xcfe, 2), 0x1042);
    port_write(world->vcpu, 0xcf8, 4, 0x8000083c);
    port_write(world->vcpu, 0xcfc, 1, 0x55);
    assert_int_equal(config_get(world, 0x3c, 1), 0x55);
    const struct mmio_device *ecam = mmio_find(world->vcpu, gpa(ECAM_BASE + 0x8000));
    assert_int_equal(mmio_read(world->vcpu, ecam, gpa(ECAM_BASE + 0x8002), 2), 0x1042);
    mmio_write(world->vcpu, ecam, gpa(ECAM_BASE + 0x803c), 1, 0x66);
    assert_int_equal(config_get(world, 0x3c, 1), 0x66);
    /* The bridge, and places where nothing is. */
    assert_int_equal(bus_config_read(world->vcpu, 0, 0, 4), 0x00081b36);
    assert_int_equal(bus_config_read(world->vcpu, 0, 0x0a, 2), 0x0600);
    assert_int_equal(bus_config_read(world->vcpu, FUNCTION + 1, 0, 4), 0xffffffff);
    assert_int_equal(bus_config_read(world->vcpu, 2 * FUNCTION, 0, 2), 0xffff);
    assert_int_equal(bus_config_read(world->vcpu, 0x100, 0, 8), ~0ull);
    bus_config_write(world->vcpu, 0, 4, 2, 0xffff);
    bus_config_write(world->vcpu, 0xffff, 4, 2, 0xffff);
    assert_int_equal(bus_config_read(world->vcpu, 0, 4, 2), 0);
}

static void test_bar(void **state)
{
    struct world *world = *state;
    uint64_t old = world->bar;

    assert_in_range(old, PCI_WINDOW_BASE, PCI_WINDOW_BASE + PCI_WINDOW_BYTES - 1);
    assert_null(mmio_find(world->vcpu, gpa(old))); /* memory decoding is off */
    config_set(world, 0x10, 4, 0xffffffff);
    assert_int_equal(config_get(world, 0x10, 4), 0xffffc000);
    assert_int_equal(config_get(world, 0x14, 4), 0);
    world->bar = 0xd1230000;
    config_set(world, 0x10, 4, world->bar);
    config_set(world, 4, 2, 0xffff);
    assert_int_equal(config_get(world, 4, 2), 0x146);
    assert_null(mmio_find(world->vcpu, gpa(old)));
    assert_non_null(mmio_find(world->vcpu, gpa(world->bar)));
    assert_non_null(mmio_find(world->vcpu, gpa(world->bar + 0x3fff)));
    assert_null(mmio_find(world->vcpu, gpa(world->bar + 0x4000)));
    assert_int_equal(get(world, COMMON + 0x12, 2), 2); /* queues: one for each vCPU */
    assert_int_equal(get(world, 0x3ffc, 8), ~0ull);    /* over the end */
    assert_int_equal(bus_read(world->vcpu, old, 2), 0xffff);
    config_set(world, 4, 2, 0);
    assert_null(mmio_find(world->vcpu, gpa(world->bar)));
    /* Outside of the window nobody listens: RAM stays RAM. */
    config_set(world, 0x10, 4, 0x100000);
    config_set(world, 4, 2, 2);
    assert_null(mmio_find(world->vcpu, gpa(0x100000)));
    fake_vm_power_on(world->vm);
    assert_int_equal(config_get(world, 0x10, 4), old);
    assert_int_equal(config_get(world, 4, 2), 0);
}

static void test_capabilities(void **state)
{
    static const uint32_t expected[][3] = { /* type, offset, length */
                                            { 1, COMMON, 64 },
                                            { 2, NOTIFY, 8 },
                                            { 3, ISR, 4 },
                                            { 4, CONFIG, 64 }
    };
    struct world *world = *state;
    uint32_t at, msix = capability(world, 0x11, 0), access = capability(world, 9, 5);

    assert_int_equal(config_get(world, 6, 2) & 0x10, 0x10);
    for (unsigned i = 0; i < 4; i++) {
        at = capability(world, 9, (uint8_t)expected[i][0]);
        assert_int_not_equal(at, 0);
        assert_int_equal(config_get(world, at + 4, 1), 0);
        assert_int_equal(config_get(world, at + 8, 4), expected[i][1]);
        assert_int_equal(config_get(world, at + 12, 4), expected[i][2]);
    }
    assert_int_equal(config_get(world, capability(world, 9, 2) + 16, 4), 4);
    assert_int_equal(config_get(world, msix + 2, 2), 2); /* three vectors */
    assert_int_equal(config_get(world, msix + 4, 4), TABLE);
    assert_int_equal(config_get(world, msix + 8, 4), PENDING);
    config_set(world, msix + 4, 4, 0);
    assert_int_equal(config_get(world, msix + 4, 4), TABLE);
    /* Registers without the BAR. */
    config_set(world, access + 8, 4, COMMON + 0x14);
    config_set(world, access + 12, 4, 1);
    config_set(world, access + 16, 4, 0x03);
    assert_int_equal(config_get(world, access + 16, 4), 0x03);
    config_set(world, 4, 2, 2);
    assert_int_equal(status_of(world), 3);
    config_set(world, access + 8, 4, VIRTIO_BAR_BYTES); /* nowhere: keeps what was written */
    config_set(world, access + 16, 4, 0x12345678);
    assert_int_equal(config_get(world, access + 16, 4), 0x12345678);
    config_set(world, access + 8, 4, COMMON + 0x14);
    config_set(world, access + 12, 4, 3);
    config_set(world, access + 16, 4, 0);
    assert_int_equal(status_of(world), 3);
}

static void test_msix(void **state)
{
    struct world *world = *state;
    uint32_t control = capability(world, 0x11, 0) + 2;

    begin(world, F_ALL);
    set(world, TABLE + 16 + 12, 4, 1); /* masked: it waits */
    put(world, GET_ID, 0, DATA, 20);
    kick(world);
    assert_false(interrupted(world, VECTOR + 1));
    assert_int_equal(get(world, PENDING, 8), 2);
    set(world, TABLE + 16 + 12, 4, 0);
    assert_true(interrupted(world, VECTOR + 1));
    assert_int_equal(get(world, PENDING, 4), 0);
    driver_listen(&world->queue);
    config_set(world, control, 2, 0xc000); /* all are */
    collect(world, &(struct driver_used){ 0 });
    put(world, GET_ID, 0, DATA, 20);
    kick(world);
    assert_false(interrupted(world, VECTOR + 1));
    config_set(world, control, 2, 0x8000);
    assert_true(interrupted(world, VECTOR + 1));
    /* To nowhere, to nobody, off. */
    set(world, TABLE + 16, 4, 0x100000);
    collect(world, &(struct driver_used){ 0 });
    put(world, GET_ID, 0, DATA, 20);
    kick(world);
    assert_false(interrupted(world, VECTOR + 1));
    set(world, TABLE + 16, 8, 0xfee55000);
    assert_int_equal(get(world, TABLE + 16, 8), 0xfee55000);
    config_set(world, control, 2, 0);
    collect(world, &(struct driver_used){ 0 });
    put(world, GET_ID, 0, DATA, 20);
    kick(world);
    assert_int_equal(get(world, PENDING, 4), 0);
    assert_int_equal(get(world, ISR, 1), 1);
    assert_int_equal(get(world, ISR, 1), 0);
    /* Writes that are not whole change nothing; what is not there reads as zero. */
    set(world, TABLE + 16, 1, 0x77);
    set(world, TABLE + 18, 4, 0x77);
    assert_int_equal(get(world, TABLE + 16, 8), 0xfee55000);
    assert_int_equal(get(world, TABLE + 16 * 3, 4), 0);
    set(world, COMMON + 0x1a, 2, 3); /* there is no such vector */
    assert_int_equal(get(world, COMMON + 0x1a, 2), 0xffff);
}

/* --- the transport --- */

static void test_negotiation(void **state)
{
    struct world *world = *state;
    uint64_t features;

    config_set(world, 4, 2, 6);
    features = offered(world);
    assert_true((features & F_VERSION_1) != 0);
    assert_true((features & F_PACKED) != 0);
    set(world, COMMON, 4, 2);
    assert_int_equal(get(world, COMMON + 4, 4), 0);
    set(world, COMMON + 0x14, 1, 1 | 2);
    accept(world, features & ~F_VERSION_1);
    assert_int_equal(status_of(world), 1 | 2); /* legacy drivers are not served */
    accept(world, features | 1ull << 50);
    assert_int_equal(status_of(world), 1 | 2);
    set(world, COMMON + 0x14, 1, 1 | 2 | 4);
    assert_int_equal(status_of(world), 1 | 2); /* no DRIVER_OK without features */
    set_up_queue(world, 0, &world->queue, RINGS, 256);
    assert_int_equal(get(world, COMMON + 0x1c, 2), 0);
    accept(world, features);
    assert_int_equal(status_of(world), 1 | 2 | 8);
    set(world, COMMON + 12, 4, 0); /* too late */
    assert_int_equal(get(world, COMMON + 12, 4), features >> 32);
    set_up_queue(world, 0, &world->queue, RINGS, 256);
    assert_int_equal(get(world, COMMON + 0x1c, 2), 1);
    set(world, COMMON + 0x18, 2, 16); /* too late */
    set(world, COMMON + 0x20, 8, 0x1234);
    assert_int_equal(get(world, COMMON + 0x18, 2), 256);
    assert_int_equal(get(world, COMMON + 0x20, 8), RINGS);
    set(world, COMMON + 0x14, 1, 64 | 4 | 1); /* needs-reset is not the driver's to say */
    assert_int_equal(status_of(world), 1 | 2 | 4 | 8);
    set(world, COMMON + 0x14, 1, 0);
    assert_int_equal(status_of(world), 0);
    assert_int_equal(get(world, COMMON + 0x20, 8), 0);
    set(world, COMMON + 0x16, 2, 2); /* there is no such queue */
    assert_int_equal(get(world, COMMON + 0x18, 2), 0);
    set(world, COMMON + 0x18, 2, 16);
    set(world, COMMON + 0x1c, 2, 1);
    assert_int_equal(get(world, COMMON + 0x1c, 2), 0);
    assert_int_equal(get(world, COMMON + 0x1a, 2), 0xffff);
    set(world, NOTIFY, 2, 0); /* before it works */
    set(world, NOTIFY + 0xff0, 2, 0);
}

static void test_queue_sizes(void **state)
{
    struct world *world = *state;

    config_set(world, 4, 2, 6);
    set(world, COMMON + 0x14, 1, 1 | 2);
    accept(world, offered(world) & ~F_PACKED);
    set(world, COMMON + 0x16, 2, 0);
    assert_int_equal(get(world, COMMON + 0x18, 2), 256);
    set(world, COMMON + 0x18, 2, 7); /* not in a split ring */
    set(world, COMMON + 0x18, 2, 512);
    set(world, COMMON + 0x18, 2, 0);
    assert_int_equal(get(world, COMMON + 0x18, 2), 256);
    set(world, COMMON + 0x18, 2, 64);
    assert_int_equal(get(world, COMMON + 0x18, 2), 64);
    set(world, COMMON + 0x14, 1, 0);
    set(world, COMMON + 0x14, 1, 1 | 2);
    accept(world, offered(world));
    set(world, COMMON + 0x18, 2, 7);
    assert_int_equal(get(world, COMMON + 0x18, 2), 7);
}

/* A queue outside of memory. */
static void test_bad_queue(void **state)
{
    struct world *world = *state;

    begin(world, F_ALL);
    set(world, COMMON + 0x16, 2, 1);
    set(world, COMMON + 0x20, 8, FAKE_RAM_BYTES);
    set(world, COMMON + 0x1c, 2, 1);
    assert_int_equal(get(world, COMMON + 0x1c, 2), 0);
    assert_int_equal(status_of(world), 64 | 1 | 2 | 4 | 8);
    assert_true(interrupted(world, VECTOR));
    begin(world, F_ALL); /* a reset helps */
    assert_int_equal(request(world, GET_ID, 0, DATA, 20), 0);
}

/* --- the block device --- */

/* All ways that a driver may choose to use the rings. */
static const uint64_t ring_features[] = { ~(F_PACKED | F_EVENT_IDX), ~F_PACKED, ~F_EVENT_IDX,
                                          F_ALL };

static void test_read_write(void **state)
{
    struct world *world = *state;

    for (unsigned i = 0; i < 4; i++) {
        uint32_t written;

        begin(world, ring_features[i]);
        memset(memory(world, DATA), 0x50 + (int)i, 8192);
        assert_int_equal(request_written(world, OUT, 100 * i + 3, DATA, 8192, &written), 0);
        assert_int_equal(written, 1);
        assert_int_equal(world->disk.bytes[(100 * i + 3) * 512 - 1], 0);
        assert_int_equal(world->disk.bytes[(100 * i + 3) * 512], 0x50 + i);
        assert_int_equal(world->disk.bytes[(100 * i + 3) * 512 + 8191], 0x50 + i);
        assert_int_equal(world->disk.bytes[(100 * i + 3) * 512 + 8192], 0);
        assert_int_equal(request_written(world, IN, 100 * i + 3, DATA + 0x10000, 8192, &written),
                         0);
        assert_int_equal(written, 8193);
        assert_memory_equal(memory(world, DATA + 0x10000), memory(world, DATA), 8192);
        assert_int_equal(request_written(world, FLUSH, 0, 0, 0, &written), 0);
        assert_int_equal(written, 1);
        assert_int_equal(world->disk.flushes, i + 1);
        assert_int_equal(request_written(world, GET_ID, 0, DATA, 20, &written), 0);
        assert_int_equal(written, 21);
        assert_memory_equal(memory(world, DATA), "0123456789abcdefghij", 20);
        assert_int_equal(request(world, 77, 0, DATA, 512), 2);
        assert_int_equal(world->disk.fua_writes, 0);
    }
}

/* Header, data and status cut into pieces as no driver does, and in one piece. */
static void test_cut_chain(void **state)
{
    static const struct driver_buffer buffers[] = {
        { REQUESTS, 5, false },    { REQUESTS + 5, 4, false },    { REQUESTS + 9, 7 + 2, false },
        { DATA + 2, 1022, false }, { DATA + 0x2000, 512, false }, { REQUESTS + 0x200, 1, true },
    };
    static const struct driver_buffer read[] = { { REQUESTS, 16, false }, { DATA, 513, true } };
    struct world *world = *state;

    begin(world, F_ALL);
    memcpy(memory(world, REQUESTS), &(uint64_t[]){ OUT, 4 }, 16);
    memset(memory(world, REQUESTS + 16), 0xab, 2);
    memset(memory(world, DATA), 0xcd, 0x3000);
    driver_put(&world->queue, buffers, 6, false);
    kick(world);
    fake_disk_run(&world->disk);
    notify(world);
    assert_int_equal(*memory(world, REQUESTS + 0x200), 0);
    assert_int_equal(world->disk.bytes[4 * 512], 0xab);
    assert_int_equal(world->disk.bytes[4 * 512 + 2], 0xcd);
    assert_int_equal(world->disk.bytes[7 * 512 - 1], 0xcd);
    assert_int_equal(world->disk.bytes[7 * 512], 0);
    memcpy(memory(world, REQUESTS), &(uint64_t[]){ IN, 4 }, 16);
    memset(memory(world, DATA), 0xee, 1024);
    driver_put(&world->queue, read, 2, true);
    kick(world);
    fake_disk_run(&world->disk);
    notify(world);
    assert_int_equal(*memory(world, DATA), 0xab);
    assert_int_equal(*memory(world, DATA + 512), 0);
    assert_int_equal(*memory(world, DATA + 513), 0xee);
}

static void test_config(void **state)
{
    struct world *world = *state;

    begin(world, F_ALL);
    assert_int_equal(get(world, CONFIG, 8), FAKE_DISK_BYTES / 512);
    assert_int_equal(get(world, CONFIG, 4), FAKE_DISK_BYTES / 512);
    assert_int_equal(get(world, CONFIG + 8, 4), 135168); /* 248 of them are less than 32 MiB */
    assert_int_equal(get(world, CONFIG + 12, 4), 248);
    assert_int_equal(get(world, CONFIG + 20, 4), 512);
    assert_int_equal(get(world, CONFIG + 24, 1), 3);
    assert_int_equal(get(world, CONFIG + 26, 2), 8);
    assert_int_equal(get(world, CONFIG + 34, 2), 2);
    assert_int_equal(get(world, CONFIG + 40, 4), 1);
    assert_int_equal(get(world, CONFIG + 64, 4), 0);
}

static void test_4k(void **state)
{
    struct world *world = *state;

    begin(world, F_ALL);
    assert_int_equal(get(world, CONFIG, 8), FAKE_DISK_BYTES / 512);
    assert_int_equal(get(world, CONFIG + 20, 4), 4096);
    assert_int_equal(get(world, CONFIG + 24, 1), 0);
    memset(memory(world, DATA), 0x33, 4096);
    assert_int_equal(request(world, OUT, 8, DATA, 4096), 0);
    assert_int_equal(world->disk.bytes[4095], 0);
    assert_int_equal(world->disk.bytes[4096], 0x33);
    assert_int_equal(request(world, OUT, 9, DATA, 4096), 1);
    assert_int_equal(request(world, OUT, 8, DATA, 512), 1);
    assert_int_equal(request(world, IN, 8, DATA, 4096 + 512), 1);
}

static void test_impossible_requests(void **state)
{
    struct world *world = *state;
    uint32_t written;

    begin(world, F_ALL);
    assert_int_equal(request_written(world, IN, FAKE_DISK_BYTES / 512, DATA, 512, &written), 1);
    assert_int_equal(written, 0); /* nothing at the beginning of the data */
    assert_int_equal(request(world, IN, FAKE_DISK_BYTES / 512 - 1, DATA, 1024), 1);
    assert_int_equal(request(world, OUT, ~0ull, DATA, 512), 1);
    assert_int_equal(request(world, OUT, 0, DATA, 511), 1);
    assert_int_equal(request(world, OUT, 0, DATA + 1, 512), 1); /* odd */
    assert_int_equal(request(world, OUT, 0, 0, 0), 1);
    assert_int_equal(request(world, IN, 0, 0, 0), 1);
    assert_int_equal(request(world, IN, 0, DATA, 512), 0);
    assert_int_equal(status_of(world) & 64, 0);
}

/* Not more at once than the disk takes, though the driver was told. */
static void test_large_request(void **state)
{
    struct world *world = *state;

    world->disk.channel->facts.max_sectors = 16;
    vm_init_disk(world->vm, 0, world->disk.channel);
    assert_int_equal(vm_start_disk(world->vm, 0), DISK_READY);
    begin(world, F_ALL);
    assert_int_equal(get(world, CONFIG + 8, 4), 4096);
    assert_int_equal(get(world, CONFIG + 12, 4), 2);
    assert_int_equal(request(world, IN, 0, DATA, 8192), 0);
    assert_int_equal(request(world, IN, 0, DATA, 8192 + 512), 1);
    assert_int_equal(request(world, OUT, 0, DATA, 8192 + 512), 1);
}

static unsigned range_request(struct world *world, uint32_t type, uint64_t sector, uint32_t count,
                              uint32_t flags, uint32_t bytes)
{
    memcpy(memory(world, DATA), &(uint64_t[]){ sector, count | (uint64_t)flags << 32, 0, 1 }, 32);
    return request(world, type, 0, DATA, bytes);
}

static void test_discard(void **state)
{
    struct world *world = *state;

    begin(world, F_ALL);
    assert_int_equal(range_request(world, DISCARD, 8, 8, 0, 16), 0);
    assert_int_equal(world->disk.discards, 1);
    memset(world->disk.bytes, 0xff, 8192);
    assert_int_equal(range_request(world, WRITE_ZEROES, 1, 2, 1, 16), 0);
    assert_int_equal(world->disk.bytes[511], 0xff);
    assert_int_equal(world->disk.bytes[512], 0);
    assert_int_equal(world->disk.bytes[1535], 0);
    assert_int_equal(world->disk.bytes[1536], 0xff);
    assert_int_equal(range_request(world, DISCARD, 8, 8, 1, 16), 2);
    assert_int_equal(range_request(world, WRITE_ZEROES, 8, 8, 2, 16), 2);
    assert_int_equal(range_request(world, DISCARD, 8, 8, 0, 32), 1); /* two ranges */
    assert_int_equal(range_request(world, DISCARD, 8, 8, 0, 8), 1);
    assert_int_equal(range_request(world, DISCARD, 8, 0, 0, 16), 1);
    assert_int_equal(range_request(world, DISCARD, 0, ~0u, 0, 16), 1);
    assert_int_equal(range_request(world, DISCARD, ~0ull, 1, 0, 16), 1);
    begin(world, ~(F_DISCARD | F_WRITE_ZEROES | F_FLUSH)); /* not agreed on */
    assert_int_equal(range_request(world, DISCARD, 8, 8, 0, 16), 2);
    assert_int_equal(range_request(world, WRITE_ZEROES, 8, 8, 0, 16), 2);
    assert_int_equal(request(world, FLUSH, 0, 0, 0), 2);
    assert_int_equal(world->disk.discards + world->disk.zeroings + world->disk.flushes, 2);
}

static void test_discard_4k(void **state)
{
    struct world *world = *state;

    begin(world, F_ALL);
    assert_int_equal(get(world, CONFIG + 44, 4), 8);
    assert_int_equal(range_request(world, DISCARD, 8, 8, 0, 16), 0);
    assert_int_equal(range_request(world, DISCARD, 4, 8, 0, 16), 1);
    assert_int_equal(range_request(world, DISCARD, 8, 4, 0, 16), 1);
}

static void test_read_only(void **state)
{
    struct world *world = *state;

    begin(world, F_ALL);
    assert_true((world->accepted & 1 << 5) != 0);
    assert_int_equal(world->accepted & (F_DISCARD | F_WRITE_ZEROES), 0);
    assert_int_equal(request(world, OUT, 0, DATA, 512), 1);
    assert_int_equal(request(world, IN, 0, DATA, 512), 0);
    assert_int_equal(range_request(world, DISCARD, 8, 8, 0, 16), 2);
}

static void test_cache_modes(void **state)
{
    struct world *world = *state;

    begin(world, F_ALL);
    assert_int_equal(get(world, CONFIG + 32, 1), 1);
    request(world, OUT, 0, DATA, 512);
    assert_int_equal(world->disk.fua_writes, 0);
    set(world, CONFIG + 32, 1, 0); /* write-through */
    assert_int_equal(get(world, CONFIG + 32, 1), 0);
    request(world, OUT, 0, DATA, 512);
    assert_int_equal(world->disk.fua_writes, 1);
    begin(world, ~F_FLUSH); /* who cannot flush must not lose anything */
    assert_int_equal(get(world, CONFIG + 32, 1), 1);
    request(world, OUT, 0, DATA, 512);
    assert_int_equal(world->disk.fua_writes, 2);
    begin(world, ~F_CONFIG_WCE); /* not agreed on */
    set(world, CONFIG + 32, 1, 0);
    request(world, OUT, 0, DATA, 512);
    assert_int_equal(world->disk.fua_writes, 2);
}

static void test_no_cache(void **state)
{
    struct world *world = *state;

    begin(world, F_ALL);
    assert_int_equal(world->accepted & (F_FLUSH | F_CONFIG_WCE), 0);
    request(world, OUT, 0, DATA, 512);
    assert_int_equal(world->disk.fua_writes, 0);
}

static void test_queues(void **state)
{
    struct driver_queue second;
    struct world *world = *state;
    struct driver_used used;

    begin(world, F_ALL);
    set(world, TABLE + 32, 4, 0xfee00000);
    set(world, TABLE + 32 + 8, 4, VECTOR + 2);
    set(world, TABLE + 32 + 12, 4, 0);
    set_up_queue(world, 1, &second, RINGS + 0x200000, 64);
    set(world, COMMON + 0x1a, 2, 2);
    put(world, IN, 0, DATA, 512);
    kick(world);
    world->queue = (struct driver_queue[]){ second, second = world->queue }[0];
    put(world, IN, 8, DATA, 512);
    driver_listen(&world->queue);
    assert_true(driver_must_kick(&world->queue));
    set(world, NOTIFY + 4, 2, 1);
    fake_disk_take(&world->disk);
    assert_int_equal(world->disk.nr_held, 2);
    fake_disk_complete(&world->disk, 1);
    notify(world);
    assert_true(interrupted(world, VECTOR + 2));
    assert_false(interrupted(world, VECTOR + 1));
    assert_int_equal(collect(world, &used), 1);
    fake_disk_run(&world->disk);
    notify(world);
    assert_false(interrupted(world, VECTOR + 2));
    assert_true(interrupted(world, VECTOR + 1));
    assert_true(driver_get(&second, &used));
}

/* More than the channel holds: the rest waits in the ring, and nobody kicks for it. */
static void test_full_channel(void **state)
{
    struct world *world = *state;

    for (unsigned way = 0; way < 4; way++) {
        struct driver_used used;
        unsigned done = 0, lap = 0;

        begin(world, ring_features[way]);
        for (unsigned i = 0; i < 80; i++) {
            put(world, IN, i, DATA, 512);
        }
        kick(world);
        assert_int_equal(fake_disk_take(&world->disk), DISK_MAX_REQUESTS);
        while (done < 80 && lap++ < 100) {
            fake_disk_complete(&world->disk, lap % world->disk.nr_held);
            notify(world);
            done += collect(world, &used);
            fake_disk_take(&world->disk);
        }
        assert_int_equal(done, 80);
        interrupted(world, VECTOR + 1);
    }
}

/* One call takes a bounded number; the rest is done when the vCPU looks into its inbox. */
static void test_bounded_work(void **state)
{
    struct world *world = *state;
    struct driver_used used;

    begin(world, F_ALL & ~F_PACKED);
    for (unsigned i = 0; i < VIRTIO_BATCH; i++) {
        const struct driver_buffer buffers[] = { { REQUESTS, 16, false }, { DATA, 21, true } };

        memcpy(memory(world, REQUESTS), &(uint64_t[]){ GET_ID, 0 }, 16);
        assert_true(driver_put(&world->queue, buffers, 2, true) >= 0);
    }
    kick(world);
    assert_int_equal(world->vcpu->inbox.requests, REQUEST_SERVE);
    assert_int_equal(collect(world, &used), VIRTIO_BATCH);
    put(world, GET_ID, 0, DATA, 20);
    assert_false(driver_must_kick(&world->queue)); /* it has not asked for one yet */
    assert_int_equal(vcpu_take_requests(world->vcpu), VCPU_RUNS);
    assert_int_equal(world->vcpu->inbox.requests, 0);
    assert_int_equal(collect(world, &used), 1);
    put(world, GET_ID, 0, DATA, 20);
    assert_true(driver_must_kick(&world->queue));
}

/* The server is signalled when it sleeps, once; the driver when it wants, once. */
static void test_signals(void **state)
{
    struct world *world = *state;
    struct driver_used used;

    begin(world, F_ALL);
    fake_host.disk_signals[0] = 0;
    for (unsigned i = 0; i < 8; i++) {
        put(world, IN, i, DATA, 512);
    }
    kick(world);
    assert_int_equal(fake_host.disk_signals[0], 1);
    put(world, IN, 9, DATA, 512);
    kick(world);
    assert_int_equal(fake_host.disk_signals[0], 1); /* it has not slept since */
    fake_disk_run(&world->disk);
    driver_quiet(&world->queue);
    notify(world);
    assert_false(interrupted(world, VECTOR + 1));
    assert_int_equal(collect(world, &used), 9);
    put(world, IN, 9, DATA, 512);
    kick(world);
    assert_int_equal(fake_host.disk_signals[0], 2);
}

/* With enough outstanding the driver need not kick: a completion has what came since looked for. */
static void test_busy(void **state)
{
    struct world *world = *state;

    for (unsigned way = 0; way < 4; way++) {
        struct driver_used used;
        unsigned done = 0;

        begin(world, ring_features[way]);
        for (unsigned i = 0; i < 16; i++) {
            put(world, IN, i, DATA, 512);
            assert_true(driver_must_kick(&world->queue));
            set(world, NOTIFY, 2, 0);
        }
        for (unsigned i = 0; i < 4; i++) {
            put(world, IN, i, DATA, 512);
            assert_false(driver_must_kick(&world->queue));
            assert_int_equal(fake_disk_take(&world->disk), 16);
            fake_disk_complete(&world->disk, 0);
            notify(world);
            done += collect(world, &used);
        }
        assert_int_equal(fake_disk_take(&world->disk), 16);
        fake_disk_run(&world->disk);
        notify(world);
        assert_int_equal(done + collect(world, &used), 20);
        assert_int_equal(request(world, IN, 0, DATA, 512), 0);
        put(world, IN, 0, DATA, 512);
        assert_true(driver_must_kick(&world->queue));
        fake_disk_run(&world->disk);
        notify(world);
        collect(world, &used);
        interrupted(world, VECTOR + 1);
    }
}

/* --- ends --- */

static void test_hostile_chain(void **state)
{
    static const struct driver_buffer bad[][2] = {
        { { REQUESTS, 15, false }, { REQUESTS + 16, 1, true } },          /* half a header */
        { { REQUESTS, 16, false }, { DATA, 512, false } },                /* no status */
        { { REQUESTS, 16, false }, { FAKE_RAM_BYTES - 256, 512, true } }, /* outside */
        { { REQUESTS, 16, true }, { DATA, 512, false } },
    };
    struct world *world = *state;

    for (unsigned i = 0; i < 4 * sizeof(bad) / sizeof(bad[0]); i++) {
        struct driver_used used;

        begin(world, ring_features[i % 4]);
        memset(memory(world, REQUESTS), 0, 32);
        put(world, IN, 0, DATA, 512); /* is outstanding when the other one comes */
        kick(world);
        driver_put(&world->queue, bad[i / 4], 2, true);
        kick(world);
        assert_int_equal(status_of(world), 64 | 1 | 2 | 4 | 8);
        assert_true(interrupted(world, VECTOR));
        assert_int_equal(get(world, ISR, 1) & 2, 2);
        assert_false(vm_is_stopping(world->vm));
        fake_disk_run(&world->disk);
        notify(world);
        assert_false(driver_get(&world->queue, &used)); /* the rings are not touched any more */
        assert_false(interrupted(world, VECTOR + 1));
        set(world, NOTIFY, 2, 0);
    }
    begin(world, F_ALL);
    assert_int_equal(request(world, IN, 0, DATA, 512), 0);
}

static void test_reset_waits(void **state)
{
    struct world *world = *state;
    struct driver_used used;

    begin(world, F_ALL);
    put(world, IN, 0, DATA, 512);
    put(world, IN, 1, DATA, 512);
    kick(world);
    fake_disk_take(&world->disk);
    set(world, COMMON + 0x14, 1, 0);
    assert_int_not_equal(status_of(world), 0);
    set(world, COMMON + 0x14, 1, 1); /* not heard yet */
    fake_disk_complete(&world->disk, 0);
    notify(world);
    assert_int_not_equal(status_of(world), 0);
    fake_disk_complete(&world->disk, 0);
    assert_int_equal(status_of(world), 0); /* even before the signal has come */
    assert_false(driver_get(&world->queue, &used));
    assert_false(interrupted(world, VECTOR + 1));
    begin(world, F_ALL);
    assert_int_equal(request(world, IN, 0, DATA, 512), 0);
}

static void test_gone(void **state)
{
    struct world *world = *state;
    struct driver_used used;
    unsigned good, outstanding;

    begin(world, F_ALL);
    good = put(world, IN, 0, DATA, 512);
    outstanding = put(world, IN, 1, DATA, 512);
    kick(world);
    fake_disk_take(&world->disk);
    fake_disk_complete(&world->disk, 0);
    fake_disk_set_state(&world->disk, DISK_GONE);
    notify(world);
    assert_true(interrupted(world, VECTOR + 1));
    assert_int_equal(collect(world, &used), 2);
    assert_int_equal(*status_byte(world, good), 0);
    assert_int_equal(*status_byte(world, outstanding), 1);
    for (unsigned i = 0; i < 100; i++) {
        put(world, OUT, 0, DATA, 512);
    }
    kick(world);
    assert_int_equal(collect(world, &used), 100);
    assert_true(interrupted(world, VECTOR + 1));
    begin(world, F_ALL); /* a reset does not bring it back, and does not hang */
    put(world, FLUSH, 0, 0, 0);
    kick(world);
    assert_int_equal(collect(world, &used), 1);
}

/* A server that does not keep to the rules has lost us as its client. */
static void test_hostile_server(void **state)
{
    static const struct disk_completion bad[] = { { 64, 0 }, { ~0u, 0 }, { 5, 0 } };
    struct world *world = *state;

    for (unsigned i = 0; i < 4; i++) {
        struct driver_used used;
        unsigned number;

        begin(world, F_ALL);
        number = put(world, IN, 0, DATA, 512);
        kick(world);
        if (i < 3) {
            ring_put(&world->disk.completions, &bad[i], 1);
        } else {
            world->disk.channel->completions.producer.index += 65;
        }
        notify(world);
        assert_int_equal(collect(world, &used), 1);
        assert_int_equal(*status_byte(world, number), 1);
        fake_disk_free(&world->disk);
        add_disk(world, 512, ALL_FACTS);
    }
    /* Places in the rings that do not come back. */
    begin(world, F_ALL);
    world->disk.channel->requests.consumer.index = 3;
    unsigned number = put(world, IN, 0, DATA, 512);
    kick(world);
    assert_int_equal(*status_byte(world, number), 1);
}

/* --- the start --- */

static void test_start(void **state)
{
    struct world *world = *state;
    struct disk_facts good = world->disk.channel->facts, *facts = &world->disk.channel->facts;
    struct vm *vm = world->vm;

    fake_disk_set_state(&world->disk, DISK_STARTING);
    vm_init_disk(vm, 1, world->disk.channel);
    assert_int_equal(vm_start_disk(vm, 1), DISK_STARTING);
    strcpy(facts->reason, "no\nsuch \x80 partition");
    fake_disk_set_state(&world->disk, DISK_REFUSED);
    assert_int_equal(vm_start_disk(vm, 1), DISK_REFUSED);
    assert_string_equal(vm->disks[1].client.facts.reason, "no?such ? partition");
    assert_int_equal(bus_config_read(world->vcpu, 2 * FUNCTION, 0, 4), 0xffffffff);
    memset(facts->reason, 'x', sizeof(facts->reason)); /* endless */
    assert_int_equal(vm_start_disk(vm, 1), DISK_REFUSED);
    assert_int_equal(strlen(vm->disks[1].client.facts.reason), DISK_REASON_BYTES - 1);
#define WRONG(change)                                                                              \
    *facts = good;                                                                                 \
    facts->change;                                                                                 \
    assert_int_equal(vm_start_disk(vm, 1), DISK_REFUSED)
    WRONG(sector_bytes = 0);
    WRONG(sector_bytes = 256);
    WRONG(sector_bytes = 520);
    WRONG(sector_bytes = 8192);
    WRONG(physical_bytes = 256);
    WRONG(physical_bytes = 3000);
    WRONG(physical_bytes = 1u << 31);
    WRONG(nr_sectors = 0);
    WRONG(nr_sectors = 1ull << 55);
    WRONG(max_sectors = 7);
    *facts = good;
    facts->max_sectors = 256;
    assert_int_equal(vm_start_disk(vm, 1), DISK_READY);
    assert_int_equal(bus_config_read(world->vcpu, 2 * FUNCTION, 0, 4), 0x10421af4);
    assert_int_equal(vm->disks[1].max_segment, 4096);
    assert_int_equal(vm->disks[1].nr_segments, 32);
}

/* --- the console --- */

#define OUTPUT 0x2200000ull /* what the driver puts out; where it takes input is at DATA */

/* Up to DRIVER_OK, with both queues. */
static void begin_console(struct world *world, uint64_t wanted)
{
    negotiate(world, wanted);
    set_up_queue(world, 0, &world->receiveq, RINGS + 0x200000, 64);
    set_up_queue(world, 1, &world->queue, RINGS, 256);
    driver_listen(&world->receiveq);
    driver_quiet(&world->queue);
    set_driver_ok(world);
    fake_host.nr_sent = 0;
}

static void kick_console(struct world *world, unsigned queue)
{
    if (driver_must_kick(queue == 0 ? &world->receiveq : &world->queue)) {
        set(world, NOTIFY + 4 * queue, 2, queue);
    }
}

/* In one buffer, whose bytes are at this place of OUTPUT. */
static void put_out(struct world *world, uint32_t at, uint32_t bytes)
{
    const struct driver_buffer buffer = { OUTPUT + at, bytes, false };

    assert_true(driver_put(&world->queue, &buffer, 1, false) >= 0);
    kick_console(world, 1);
}

static void say(struct world *world, const char *text)
{
    memcpy(memory(world, OUTPUT), text, strlen(text));
    put_out(world, 0, (uint32_t)strlen(text));
}

static void fill_output(struct world *world, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        *memory(world, OUTPUT + i) = (uint8_t)(i * 7 + i / 256);
    }
}

/* How many buffers of output have come back. */
static unsigned collect_output(struct world *world)
{
    struct driver_used used;
    unsigned nr = 0;

    while (driver_get(&world->queue, &used)) {
        assert_int_equal(used.written, 0);
        nr++;
    }
    return nr;
}

/* The server has had its turn and has signalled, as main.c hears it. */
static void console_turn(struct world *world)
{
    fake_console();
    bus_serve(world->vcpu, VM_CONSOLE_SLOT);
    vm_lock(world->vcpu, LOCK_SERIAL);
    serial_sync(world->vcpu);
    vm_unlock(world->vcpu, LOCK_SERIAL);
}

static bool sent(const char *text)
{
    return fake_host.nr_sent == strlen(text) &&
           memcmp(fake_host.sent, text, fake_host.nr_sent) == 0;
}

/* The vCPU's timer, which must have been set for this or earlier. */
static void time_passes(struct world *world, uint64_t ticks)
{
    fake_host.tsc += ticks;
    if (world->vcpu->message->deadline <= fake_host.tsc) {
        world->vcpu->message->reason = VMX_EXIT_PREEMPTION_TIMER;
        assert_int_equal(vcpu_handle_exit(world->vcpu), VCPU_RUNS);
    }
}

static uint8_t uart_get(struct world *world, uint16_t reg)
{
    return (uint8_t)port_read(world->vcpu, (uint16_t)(SERIAL_PORT + reg), 1);
}

static void test_console_identity(void **state)
{
    struct world *world = *state;

    assert_int_equal(config_get(world, 0, 4), 0x10431af4);
    assert_int_equal(config_get(world, 0x0a, 2), 0x0780);
    begin_console(world, F_ALL);
    assert_int_equal(world->accepted, F_VERSION_1 | F_PACKED | F_EVENT_IDX | 1ull << 28);
    assert_int_equal(get(world, COMMON + 0x12, 2), 2);
    set(world, CONFIG + 8, 4, 'x'); /* emergency output is not offered */
    assert_int_equal(get(world, CONFIG, 8), 0);
    assert_int_equal(get(world, CONFIG + 8, 4), 0);
    assert_true(sent(""));
}

static void test_console_output(void **state)
{
    struct world *world = *state;

    for (unsigned way = 0; way < 4; way++) {
        const struct driver_buffer buffers[] = { { OUTPUT, 1, false },
                                                 { OUTPUT + 1, 5000, false },
                                                 { OUTPUT + 5001, 3, false } };

        begin_console(world, ring_features[way]);
        fill_output(world, 5004);
        driver_put(&world->queue, buffers, 3, way % 2 == 0);
        kick_console(world, 1);
        assert_int_equal(collect_output(world), 1);
        assert_int_equal(fake_host.nr_sent, 5004);
        assert_memory_equal(fake_host.sent, memory(world, OUTPUT), 5004);
        assert_false(interrupted(world, VECTOR + 1));
        /* Between what the serial port sends. */
        fake_host.nr_sent = 0;
        port_write(world->vcpu, SERIAL_PORT, 1, 'a');
        say(world, "bc");
        port_write(world->vcpu, SERIAL_PORT, 1, 'd');
        assert_true(sent("abcd"));
    }
}

/* More than there is room for waits, in pieces if need be, and comes complete. */
static void test_console_full(void **state)
{
    struct world *world = *state;

    fill_output(world, 60000);
    for (unsigned way = 0; way < 4; way++) {
        unsigned used = 0;

        begin_console(world, ring_features[way]);
        fake_host.console_busy = true;
        for (unsigned i = 0; i < 5; i++) {
            put_out(world, 4000 * i, 4000);
        }
        put_out(world, 20000, 40000);
        used += collect_output(world);
        assert_int_equal(used, 2); /* 8192 bytes are in the ring */
        vm_lock(world->vcpu, LOCK_SERIAL);
        serial_sync(world->vcpu);
        vm_unlock(world->vcpu, LOCK_SERIAL);
        assert_int_equal(uart_get(world, 5) & 0x20, 0); /* the serial port has no room either */
        console_turn(world);
        assert_int_equal(collect_output(world), 0);
        assert_int_equal(world->vcpu->inbox.requests, 0);
        fake_host.console_busy = false;
        for (unsigned i = 0; i < 10; i++) {
            console_turn(world);
            vcpu_take_requests(world->vcpu); /* the fake server has made room at once */
            used += collect_output(world);
        }
        assert_int_equal(used, 6);
        assert_int_equal(fake_host.nr_sent, 60000);
        assert_memory_equal(fake_host.sent, memory(world, OUTPUT), 60000);
        assert_int_equal(uart_get(world, 5) & 0x20, 0x20);
        assert_true(world->vm->virtio_console.virtio.function.serve_at == PCI_NEVER);
    }
}

#define SECOND 1000000000ull /* of the fake host's TSC */

/* A server that stops holds up nobody for longer than a second, and once. */
static void test_console_stalled(void **state)
{
    struct world *world = *state;

    begin_console(world, F_ALL);
    fill_output(world, 10000);
    fake_host.console_busy = true;
    put_out(world, 0, 10000);
    assert_int_equal(collect_output(world), 0);
    assert_in_range(world->vcpu->message->deadline, fake_host.tsc + SECOND,
                    fake_host.tsc + 5 * SECOND + SECOND / 100);
    time_passes(world, SECOND / 2);
    assert_int_equal(collect_output(world), 0);
    time_passes(world, 5 * SECOND);
    assert_int_equal(collect_output(world), 1);
    assert_true(world->vcpu->message->deadline == VCPU_DEADLINE_OFF);
    put_out(world, 0, 100);
    assert_int_equal(collect_output(world), 1);
    assert_int_equal(world->vm->console.lost, 10000 - 8192 + 100);
    fake_host.console_busy = false;
    fake_console();
    say(world, "again");
    assert_int_equal(collect_output(world), 1);
    assert_int_equal(fake_host.nr_sent, 8192 + strlen("\r\n[1908 bytes of output lost]\r\nagain"));
    assert_memory_equal(fake_host.sent + 8192, "\r\n[1908 bytes of output lost]\r\nagain", 38);
}

/* One that takes a little now and then gains it no time to speak of. */
static void test_console_slow(void **state)
{
    struct world *world = *state;
    uint64_t begin_tsc;

    begin_console(world, F_ALL);
    fake_host.console_busy = true;
    put_out(world, 0, 8192);
    assert_int_equal(collect_output(world), 1);
    begin_tsc = fake_host.tsc;
    put_out(world, 0, 4096);
    for (unsigned i = 0; i < 100 && collect_output(world) == 0; i++) {
        fake_console_take(64);
        bus_serve(world->vcpu, VM_CONSOLE_SLOT);
        time_passes(world, SECOND / 10);
    }
    assert_in_range(fake_host.tsc - begin_tsc, SECOND, 2 * SECOND);
    fake_console_take(64); /* too little to begin again */
    put_out(world, 0, 16);
    assert_int_equal(collect_output(world), 1);
    assert_true(world->vm->virtio_console.stalled);
}

static void put_receive_buffer(struct world *world, unsigned number, uint32_t bytes)
{
    const struct driver_buffer buffer = { DATA + 4096 * number, bytes, true };

    assert_true(driver_put(&world->receiveq, &buffer, 1, false) >= 0);
    kick_console(world, 0);
}

static void type(struct world *world, const char *text)
{
    fake_host.input = text;
    console_turn(world);
}

static void test_console_input(void **state)
{
    struct world *world = *state;
    char long_text[400];

    memset(long_text, 'y', 399);
    long_text[399] = '\0';
    for (unsigned way = 0; way < 4; way++) {
        struct driver_used used;

        begin_console(world, ring_features[way]);
        put_receive_buffer(world, 0, 4096);
        type(world, "u"); /* nothing has been put out here */
        assert_int_equal(uart_get(world, 0), 'u');
        assert_false(interrupted(world, VECTOR + 1));
        say(world, "login: ");
        type(world, "root\n");
        assert_true(interrupted(world, VECTOR + 1));
        assert_true(driver_get(&world->receiveq, &used));
        assert_int_equal(used.written, 5);
        assert_memory_equal(memory(world, DATA), "root\n", 5);
        assert_int_equal(uart_get(world, 5) & 1, 0);
        /* Without a buffer it waits. */
        driver_listen(&world->receiveq);
        type(world, "xy");
        put_receive_buffer(world, 1, 1);
        assert_true(interrupted(world, VECTOR + 1));
        assert_true(driver_get(&world->receiveq, &used));
        assert_int_equal(*memory(world, DATA + 4096), 'x');
        driver_listen(&world->receiveq);
        put_receive_buffer(world, 1, 4096);
        assert_true(driver_get(&world->receiveq, &used));
        assert_int_equal(used.written, 1);
        assert_int_equal(*memory(world, DATA + 4096), 'y');
        for (unsigned i = 0; i < 3; i++) {
            put_receive_buffer(world, i, 4096);
        }
        type(world, long_text);
        assert_true(driver_get(&world->receiveq, &used));
        assert_int_equal(used.written, 256);
        assert_true(driver_get(&world->receiveq, &used));
        assert_int_equal(used.written, 143);
        assert_false(driver_get(&world->receiveq, &used));
        interrupted(world, VECTOR + 1);
        set(world, COMMON + 0x14, 1, 0); /* the driver goes */
        type(world, "v");
        assert_int_equal(uart_get(world, 0), 'v');
    }
}

/* What was typed before the first output finds its way when that comes. */
static void test_console_early_input(void **state)
{
    struct world *world = *state;
    struct driver_used used;

    begin_console(world, F_ALL);
    put_receive_buffer(world, 0, 4096);
    type(world, "12"); /* the serial port without its FIFO takes one */
    say(world, "#");
    assert_int_equal(world->vcpu->inbox.requests, REQUEST_SERVE);
    assert_int_equal(vcpu_take_requests(world->vcpu), VCPU_RUNS);
    assert_true(driver_get(&world->receiveq, &used));
    assert_int_equal(*memory(world, DATA), '2');
}

static void test_console_hostile(void **state)
{
    static const struct driver_buffer bad[] = {
        { OUTPUT, 16, true },                /* to transmitq */
        { FAKE_RAM_BYTES - 256, 512, false } /* outside */
    };
    static const struct driver_buffer readable = { DATA, 16, false };
    struct world *world = *state;

    for (unsigned i = 0; i < 8; i++) {
        begin_console(world, ring_features[i % 4]);
        driver_put(&world->queue, &bad[i / 4], 1, false);
        kick_console(world, 1);
        assert_int_equal(status_of(world), 64 | 1 | 2 | 4 | 8);
        assert_true(interrupted(world, VECTOR));
    }
    /* While output waits: its time passes, and that is all. */
    begin_console(world, F_ALL);
    fake_host.console_busy = true;
    put_out(world, 0, 10000);
    fake_host.input = "x";
    fake_console();
    driver_put(&world->receiveq, &readable, 1, false);
    set(world, NOTIFY, 2, 0);
    assert_int_equal(status_of(world), 64 | 1 | 2 | 4 | 8);
    time_passes(world, 10 * SECOND);
    assert_true(world->vcpu->message->deadline == VCPU_DEADLINE_OFF);
    assert_int_equal(world->vcpu->inbox.requests, 0);
    assert_int_equal(collect_output(world), 0);
    fake_host.console_busy = false;
    fake_console();
    begin_console(world, F_ALL);
    say(world, "good");
    assert_true(sent("good"));
}

/* The driver may change what waits, or take it back by a reset. */
static void test_console_changed(void **state)
{
    struct world *world = *state;

    begin_console(world, ~F_PACKED);
    fake_host.console_busy = true;
    put_out(world, 0, 10000);
    *(uint32_t *)driver_at(&world->queue, world->queue.descriptors + 8, 4) = 16;
    fake_host.console_busy = false;
    console_turn(world);
    assert_int_equal(collect_output(world), 1);
    assert_int_equal(fake_host.nr_sent, 8192);
    fake_host.console_busy = true;
    put_out(world, 0, 10000);
    begin_console(world, F_ALL);
    assert_true(world->vm->virtio_console.virtio.function.serve_at == PCI_NEVER);
    fake_host.console_busy = false;
    fake_console();
    fake_host.nr_sent = 0;
    say(world, "fresh");
    assert_true(sent("fresh"));
}

static void test_console_bounded(void **state)
{
    struct world *world = *state;
    struct driver_buffer byte = { OUTPUT, 1, false };

    begin_console(world, ~F_PACKED);
    for (unsigned i = 0; i < VIRTIO_BATCH; i++) {
        assert_true(driver_put(&world->queue, &byte, 1, false) >= 0);
    }
    kick_console(world, 1);
    assert_int_equal(collect_output(world), VIRTIO_BATCH);
    assert_int_equal(world->vcpu->inbox.requests, REQUEST_SERVE);
    assert_int_equal(vcpu_take_requests(world->vcpu), VCPU_RUNS);
    assert_int_equal(world->vcpu->inbox.requests, 0);
}

#define WITH(make, test) cmocka_unit_test_setup_teardown(test, make, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(setup, test_config_space),
        WITH(setup, test_bar),
        WITH(setup, test_capabilities),
        WITH(setup, test_msix),
        WITH(setup, test_negotiation),
        WITH(setup, test_queue_sizes),
        WITH(setup, test_bad_queue),
        WITH(setup, test_read_write),
        WITH(setup, test_cut_chain),
        WITH(setup, test_config),
        WITH(setup_4k, test_4k),
        WITH(setup, test_impossible_requests),
        WITH(setup, test_large_request),
        WITH(setup, test_discard),
        WITH(setup_4k, test_discard_4k),
        WITH(setup_read_only, test_read_only),
        WITH(setup, test_cache_modes),
        WITH(setup_plain, test_no_cache),
        WITH(setup, test_queues),
        WITH(setup, test_full_channel),
        WITH(setup, test_bounded_work),
        WITH(setup, test_signals),
        WITH(setup, test_busy),
        WITH(setup, test_hostile_chain),
        WITH(setup, test_reset_waits),
        WITH(setup, test_gone),
        WITH(setup, test_hostile_server),
        WITH(setup, test_start),
        WITH(setup_console, test_console_identity),
        WITH(setup_console, test_console_output),
        WITH(setup_console, test_console_full),
        WITH(setup_console, test_console_stalled),
        WITH(setup_console, test_console_slow),
        WITH(setup_console, test_console_input),
        WITH(setup_console, test_console_early_input),
        WITH(setup_console, test_console_hostile),
        WITH(setup_console, test_console_changed),
        WITH(setup_console, test_console_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
