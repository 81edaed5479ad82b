/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts, I/O ports, and the functions of the PCI bus that the plan names. A function that is
 * not there, or cannot be used, does not keep the rest from starting: its owner is told
 * (abi/plan.h).
 */
#include <cpuid.h>

#include "user/init/boot.h"
#include "user/init/clock.h"
#include "user/init/device_memory.h"
#include "user/init/failure.h"
#include "user/init/pci.h"
#include "user/start/start.h"

/* Intel SDM volume 3, "Message Address Register Format": physical, to one processor, an edge. */
#define MESSAGE_ADDRESS     0xfee00000ull
#define MESSAGE_DESTINATION 12u
#define FIRST_DEVICE_VECTOR 0x30u /* what the kernel adds to the vectors of IRQControl */
#define CPUID_APIC_ID_SHIFT 24u

static struct device_memory device_memory;
/* Slots behind those of the plan. */
static seL4_CPtr config_port, clock_port, free_slot;

static seL4_CPtr take_slot(const struct boot *boot)
{
    if (free_slot >= boot->bootinfo->empty.end) {
        stop("there is no room for the capabilities to devices");
    }
    return free_slot++;
}

/* --- configuration space --- */

uint32_t pci_read(struct pci_function function, uint32_t offset)
{
    seL4_X86_IOPort_In32_t result;

    require(seL4_X86_IOPort_Out32(config_port, PCI_CONFIG_ADDRESS,
                                  pci_config_address(function, offset)),
            "address", "PCI configuration space", 0);
    result = seL4_X86_IOPort_In32(config_port, PCI_CONFIG_DATA);
    require((seL4_Error)result.error, "read", "PCI configuration space", 0);
    return result.result;
}

void pci_write(struct pci_function function, uint32_t offset, uint32_t value)
{
    require(seL4_X86_IOPort_Out32(config_port, PCI_CONFIG_ADDRESS,
                                  pci_config_address(function, offset)),
            "address", "PCI configuration space", 0);
    require(seL4_X86_IOPort_Out32(config_port, PCI_CONFIG_DATA, value), "write",
            "PCI configuration space", 0);
}

static void open_config_space(const struct boot *boot)
{
    config_port = take_slot(boot);
    require(seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, PCI_CONFIG_ADDRESS,
                                         PCI_CONFIG_DATA + 3, seL4_CapInitThreadCNode, config_port,
                                         seL4_WordBits),
            "get the ports of", "PCI configuration space", 0);
}

/* --- frames --- */

/* Halves the untyped around the page until it is that page. Null if there is none. */
static struct device_untyped *cut_out(const struct boot *boot, uint64_t address)
{
    struct device_untyped *row = device_memory_find(&device_memory, address);

    while (row != NULL && row->size_bits > seL4_PageBits) {
        seL4_CPtr low = take_slot(boot), high = take_slot(boot);

        require(seL4_Untyped_Retype(row->slot, seL4_UntypedObject, row->size_bits - 1u,
                                    seL4_CapInitThreadCNode, 0, 0, low, 2),
                "divide", "device memory", address);
        if (!device_memory_halve(&device_memory, row, low, high)) {
            stop("device memory is in too many pieces");
        }
        row = device_memory_find(&device_memory, address);
    }
    return row;
}

/* Returns how many frames there are from the address on, up to the device's count. */
static uint32_t make_frames(const struct boot *boot, const struct plan_device *device,
                            uint64_t address, uint64_t bytes)
{
    uint64_t pages = (bytes + PLAN_PAGE_BYTES - 1) / PLAN_PAGE_BYTES;
    uint32_t count = pages < device->count ? (uint32_t)pages : device->count;

    for (uint32_t page = 0; page < count; page++) {
        struct device_untyped *row = cut_out(boot, address + (uint64_t)page * PLAN_PAGE_BYTES);

        if (row == NULL) {
            return page;
        }
        require(seL4_Untyped_Retype(row->slot, seL4_X86_4K, 0, seL4_CapInitThreadCNode, 0, 0,
                                    boot_cap(boot, device->slot + page), 1),
                "create", plan_name(&boot->plan, device->name), page);
        device_memory_remove(&device_memory, row);
    }
    return count;
}

/* --- a device --- */

static struct boot_device find_device(const struct boot *boot, const struct plan_device *device)
{
    struct boot_device found = { .state = PLAN_DEVICE_MISSING };
    uint64_t address, bytes;

    if (!pci_find(device->class_code, device->number, &found.function)) {
        return found;
    }
    if (!pci_can_send(found.function)) {
        found.state = PLAN_DEVICE_NO_MESSAGES;
        return found;
    }
    found.state = PLAN_DEVICE_NO_REGISTERS;
    if (pci_memory(found.function, device->bar, &address, &bytes) &&
        pci_is_alone(found.function, device->bar, address, bytes)) {
        found.frames = make_frames(boot, device, address, bytes);
    }
    if (found.frames != 0) {
        found.state = PLAN_DEVICE_FOUND;
        pci_switch_on(found.function);
    }
    return found;
}

static void say_what_is_missing(const char *name, uint32_t state)
{
    static const char *const problems[] = {
        [PLAN_DEVICE_MISSING] = "this machine has none",
        [PLAN_DEVICE_NO_REGISTERS] = "its registers have no memory of their own",
        [PLAN_DEVICE_NO_MESSAGES] = "it has no message-signalled interrupts",
    };

    if (state != PLAN_DEVICE_FOUND) {
        print("[bulkhead] device '%s' cannot be used: %s\n", name, problems[state]);
    }
}

static void find_devices(struct boot *boot)
{
    if (boot->plan.nr_devices == 0) {
        return;
    }
    device_memory_init(&device_memory, boot->bootinfo);
    open_config_space(boot);
    for (uint32_t i = 0; i < boot->plan.nr_devices; i++) {
        const struct plan_device *device = &boot->plan.devices[i];

        boot->devices[i] = find_device(boot, device);
        say_what_is_missing(plan_name(&boot->plan, device->name), boot->devices[i].state);
    }
}

/* --- the clock --- */

uint8_t clock_register(uint8_t index)
{
    seL4_X86_IOPort_In8_t result;

    require(seL4_X86_IOPort_Out8(clock_port, CLOCK_PORT_INDEX, index), "address", "the clock", 0);
    result = seL4_X86_IOPort_In8(clock_port, CLOCK_PORT_DATA);
    require((seL4_Error)result.error, "read", "the clock", 0);
    return result.result;
}

/* The ports are free again afterwards: the plan may give them to a component. */
static void read_clock(struct boot *boot)
{
    uint64_t seconds;

    clock_port = take_slot(boot);
    require(seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, CLOCK_PORT_INDEX, CLOCK_PORT_DATA,
                                         seL4_CapInitThreadCNode, clock_port, seL4_WordBits),
            "get the ports of", "the clock", 0);
    seconds = clock_read();
    require(seL4_CNode_Delete(seL4_CapInitThreadCNode, clock_port, seL4_WordBits),
            "give back the ports of", "the clock", 0);
    if (seconds != 0) {
        boot->boot_time = seconds - time_stamp() / (boot->tsc_mhz * 1000000ull);
    } else {
        print("[bulkhead] this machine does not know the date\n");
    }
}

/* --- interrupts and ports --- */

/* Messages go to the core that init runs on, the first one. */
static uint64_t message_address(void)
{
    uint32_t eax, ebx, ecx, edx;

    __cpuid(1, eax, ebx, ecx, edx);
    return MESSAGE_ADDRESS | (uint64_t)(ebx >> CPUID_APIC_ID_SHIFT) << MESSAGE_DESTINATION;
}

static void get_message(const struct boot *boot, const struct plan_irq *irq)
{
    const struct boot_device *device = &boot->devices[irq->device];
    struct pci_function at = device->function;

    if (device->state != PLAN_DEVICE_FOUND) {
        return;
    }
    require(seL4_IRQControl_GetMSI(seL4_CapIRQControl, seL4_CapInitThreadCNode,
                                   boot_cap(boot, irq->slot), seL4_WordBits, at.bus, at.device,
                                   at.function, 0, irq->vector),
            "get the interrupt", plan_name(&boot->plan, irq->name), 0);
    pci_set_message(at, message_address(), (uint16_t)(irq->vector + FIRST_DEVICE_VECTOR));
}

static void get_pin(const struct boot *boot, const struct plan_irq *irq)
{
    require(seL4_IRQControl_GetIOAPIC(seL4_CapIRQControl, seL4_CapInitThreadCNode,
                                      boot_cap(boot, irq->slot), seL4_WordBits, irq->ioapic,
                                      irq->pin, irq->level, irq->polarity, irq->vector),
            "get the interrupt", plan_name(&boot->plan, irq->name), 0);
}

void create_devices(struct boot *boot)
{
    free_slot = boot_cap(boot, boot->plan.header->nr_slots);
    read_clock(boot);
    find_devices(boot);
    for (uint32_t i = 0; i < boot->plan.nr_irqs; i++) {
        const struct plan_irq *irq = &boot->plan.irqs[i];

        if (irq->kind == PLAN_IRQ_MESSAGE) {
            get_message(boot, irq);
        } else {
            get_pin(boot, irq);
        }
    }
    for (uint32_t i = 0; i < boot->plan.nr_ports; i++) {
        const struct plan_port *port = &boot->plan.ports[i];

        require(seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, port->first, port->last,
                                             seL4_CapInitThreadCNode, boot_cap(boot, port->slot),
                                             seL4_WordBits),
                "get the ports", plan_name(&boot->plan, port->name), 0);
    }
}
