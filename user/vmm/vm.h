/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One virtual machine: memory, the devices that all its vCPUs share, and the vCPUs.
 *
 * Objects     one, static in main.c; made by vm_init(), put into its power-on state by vm_reset()
 *             and, each vCPU by its own thread, vcpu_power_on()
 * Invariants  I1  stop is written by whoever sets stopping, and read when all threads have stopped
 * Locking     the marks at the fields: [c] constant while the guest runs; a lock of enum vm_lock;
 *             [a] atomic. Locks are taken in the order of the enumeration. Guest RAM belongs to the
 *             guest: see guest_ram.h. Timers, IPIs and ends of edge-triggered interrupts take none.
 */
#ifndef USER_VMM_VM_H
#define USER_VMM_VM_H

#include "user/vmm/cmos.h"
#include "user/vmm/config.h"
#include "user/vmm/console.h"
#include "user/vmm/guest_ram.h"
#include "user/vmm/ioapic.h"
#include "user/vmm/linux_boot.h"
#include "user/vmm/lock.h"
#include "user/vmm/mailbox.h"
#include "user/vmm/pci.h"
#include "user/vmm/platform.h"
#include "user/vmm/uart.h"
#include "user/vmm/vcpu.h"
#include "user/vmm/virtio_blk.h"
#include "user/vmm/virtio_console.h"

#define SERIAL_PORT 0x3f8u
#define SERIAL_PIN  4u

#define VM_DISK_SLOT    1u
#define VM_CONSOLE_SLOT (VM_DISK_SLOT + VMM_MAX_DISKS)

_Static_assert(VM_CONSOLE_SLOT < PCI_SLOTS, "there are slots for all");

/* Ports below this are looked up in a byte table; above it is nothing. */
#define VM_NR_PORTS 0x1000u

/* Why the VM does not go on. */
struct vm_stop {
    uint32_t report; /* enum vmm_report, 0 = it runs */
    uint64_t cause;  /* enum vmm_stop_cause or exit reason */
    uint64_t detail;
    const char *text;
    unsigned vcpu; /* whose registers tell why */
};

enum vm_lock {
    LOCK_PLATFORM,
    LOCK_CMOS,
    LOCK_PCI,                                 /* + slot: of the function there */
    LOCK_SERIAL = LOCK_PCI + VM_CONSOLE_SLOT, /* also the serial port's: they have one channel */
    LOCK_PCI_LAST = LOCK_PCI + PCI_SLOTS - 1,
    LOCK_IOAPIC, /* inside the others: devices move its lines */
    VM_NR_LOCKS,
};

struct vm {
    const struct vmm_config *config; /* [c] */
    struct guest_ram ram;            /* [c] */
    struct lock locks[VM_NR_LOCKS];
    struct ioapic ioapic;                 /* LOCK_IOAPIC */
    struct platform platform;             /* LOCK_PLATFORM */
    struct mailbox mailbox;               /* LOCK_PLATFORM */
    struct cmos cmos;                     /* LOCK_CMOS */
    struct uart uart;                     /* LOCK_SERIAL */
    struct console console;               /* LOCK_SERIAL */
    struct virtio_console virtio_console; /* LOCK_SERIAL; in slot VM_CONSOLE_SLOT */
    bool serial_line;   /* LOCK_SERIAL: the level of the serial port's interrupt line */
    struct pci_bus pci; /* LOCK_PCI: its functions */
    struct virtio_blk disks[VMM_MAX_DISKS]; /* LOCK_PCI; disk n is in slot VM_DISK_SLOT + n */
    bool stopping;                          /* [a] the VM does not go on */
    struct vm_stop stop;                    /* I1 */
    struct linux_entry entry;               /* [c] */
    unsigned next_lowest;                   /* [a] who gets the next message of lowest priority */
    uint32_t tsc_khz;                       /* [c] */
    uint64_t boot_time;                     /* [c] seconds since 1970 at guest time zero */
    uint64_t start_tsc;                     /* [c] host TSC at which guest time is zero */
    unsigned nr_vcpus;                      /* [c] */
    bool has_real_mode;                     /* [c] the processor runs guests without paging */
    struct vcpu vcpus[VMM_MAX_VCPUS];
    uint8_t port_device[VM_NR_PORTS]; /* [c] index into the table in ports.c; 0 = nothing there */
};

static inline void vm_lock(struct vcpu *vcpu, enum vm_lock lock)
{
    lock_take(&vcpu->vm->locks[lock], vcpu->index);
}

static inline void vm_unlock(struct vcpu *vcpu, enum vm_lock lock)
{
    lock_release(&vcpu->vm->locks[lock], vcpu->index);
}

static inline bool vm_is_stopping(const struct vm *vm)
{
    return __atomic_load_n(&vm->stopping, __ATOMIC_RELAXED);
}

/* Seconds since the VM was started. */
uint64_t vm_seconds(const struct vm *vm);

/* --- interrupts.c --- */

/* from: the vCPU whose thread calls */

/* Delivers what an I/O APIC, an MSI or an IPI sends. */
void vm_deliver(struct vcpu *from, const struct interrupt_message *message);
void vm_deliver_all(struct vcpu *from, const struct interrupt_messages *messages);
void vm_set_line(struct vcpu *from, unsigned pin, bool asserted);
/* Fixed or NMI, to the APIC IDs lowest + i for each bit i of the set; how many there are. */
unsigned vm_send_ipi_to_set(struct vcpu *from, const uint64_t set[2], uint32_t lowest,
                            uint64_t icr);
/* Wakes a vCPU from HLT, or keeps it from its next one. False: there is none with this ID. */
bool vm_unhalt(struct vcpu *from, uint32_t apic_id);
/* By the mailbox: if it waits, it starts at this address. */
void vm_wake(struct vcpu *from, const struct mailbox_wake *wake);
/* The end of a level-triggered interrupt. */
void vm_end_of_interrupt(struct vcpu *from, uint8_t vector);
/* What a local APIC wanted done after a register was written. False: #GP. */
bool vm_lapic_outcome(struct vcpu *vcpu, struct lapic_outcome outcome);

/* --- ports.c, mmio.c --- */

void ports_init(struct vm *vm);
/* size 1, 2 or 4 */
uint32_t port_read(struct vcpu *vcpu, uint16_t port, unsigned size);
void port_write(struct vcpu *vcpu, uint16_t port, unsigned size, uint32_t value);

/* The device registers at this address, or null. */
struct mmio_device;
const struct mmio_device *mmio_find(const struct vcpu *vcpu, gpa_t address);
uint64_t mmio_read(struct vcpu *vcpu, const struct mmio_device *device, gpa_t address,
                   unsigned size);
void mmio_write(struct vcpu *vcpu, const struct mmio_device *device, gpa_t address, unsigned size,
                uint64_t value);

/* --- bus.c: the functions on the PCI bus; they take the slots' locks --- */

/* function: bus, device, function in 16 bits */
uint64_t bus_config_read(struct vcpu *vcpu, uint32_t function, uint32_t offset, unsigned size);
void bus_config_write(struct vcpu *vcpu, uint32_t function, uint32_t offset, unsigned size,
                      uint64_t value);
/* In the window for BARs. */
uint64_t bus_read(struct vcpu *vcpu, uint64_t address, unsigned size);
void bus_write(struct vcpu *vcpu, uint64_t address, unsigned size, uint64_t value);
/* Something has come from outside for the function in this slot, if there is one. */
void bus_serve(struct vcpu *vcpu, unsigned slot);
/* For those that have left something for later. */
void bus_serve_rest(struct vcpu *vcpu);

/* --- serial.c: between the guest's port and the real one --- */

/* With LOCK_SERIAL. */
void serial_sync(struct vcpu *vcpu);

/* --- stopping --- */

/* The first reason counts; all vCPUs stop. Texts are constants. */
void vm_request(struct vm *vm, enum platform_request request);
/* The guest cannot go on. */
enum vcpu_stop vm_crash(struct vcpu *vcpu, uint64_t cause, uint64_t detail, const char *text);
/* It says so itself. */
void vm_panic(struct vcpu *vcpu);
/* The watchdog says so. */
enum vcpu_stop vm_stuck(struct vcpu *vcpu);
/* The kernel does not take a state that it should. */
void vm_refuse(struct vcpu *vcpu, const char *text);

#endif
