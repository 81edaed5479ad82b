/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM as a whole: its power-on state, its clock, its end. */
#include "user/vmm/vm_start.h"

#include "lib/string.h"
#include "user/vmm/acpi.h"

/* For a machine that does not know the date: 2026-01-01. */
#define BUILT_IN_BOOT_TIME 1767225600ull

uint64_t vm_seconds(const struct vm *vm)
{
    return (host_tsc() - vm->start_tsc) / ((uint64_t)vm->tsc_khz * 1000);
}

/* --- the configuration --- */

static bool terminated(const char *text, size_t bytes)
{
    return memchr(text, '\0', bytes) != NULL;
}

const char *vm_check_config(const struct vmm_config *config)
{
    if (config->magic != VMM_CONFIG_MAGIC || config->version != VMM_CONFIG_VERSION) {
        return "the configuration is of another version";
    }
    if (!terminated(config->name, sizeof(config->name)) ||
        !terminated(config->command_line, sizeof(config->command_line))) {
        return "the configuration has an endless text";
    }
    if (config->nr_vcpus < 1 || config->nr_vcpus > VMM_MAX_VCPUS) {
        return "the configuration's number of vCPUs is impossible";
    }
    if (config->baseline > VMM_BASELINE_MOST) {
        return "the configuration's processor is not known";
    }
    if (config->nr_disks > VMM_MAX_DISKS) {
        return "the configuration's number of disks is impossible";
    }
    if (config->ram_bytes < VMM_RAM_MIN || config->ram_bytes > VMM_RAM_MAX ||
        config->ram_bytes % VMM_RAM_FRAME != 0) {
        return "the configuration's memory size is impossible";
    }
    if (config->kernel_bytes > VMM_INITRD_VADDR - VMM_KERNEL_VADDR ||
        config->initrd_bytes > VMM_RAM_VADDR - VMM_INITRD_VADDR) {
        return "kernel image or RAM disk is too large";
    }
    if (config->tsc_mhz == 0) {
        return "the frequency of the TSC is not known";
    }
    return NULL;
}

/* Where a virtio function's registers are at power-on. */
static uint32_t bar_of(unsigned slot)
{
    return (uint32_t)PCI_WINDOW_BASE + slot * VIRTIO_BAR_BYTES;
}

void vm_init(struct vm *vm, const struct vmm_config *config, void *ram, cpuid_source *cpuid)
{
    vm->config = config;
    guest_ram_init(&vm->ram, ram, config->ram_bytes);
    vm->tsc_khz = config->tsc_mhz * 1000;
    vm->nr_vcpus = config->nr_vcpus;
    ports_init(vm);
    pci_bus_init(&vm->pci);
    virtio_console_init(&vm->virtio_console, &vm->ram, &vm->console, vm->tsc_khz * 1000ull,
                        bar_of(VM_CONSOLE_SLOT));
    pci_bus_add(&vm->pci, VM_CONSOLE_SLOT, &vm->virtio_console.virtio.function);
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        const struct cpuid_parameters parameters = {
            .apic_id = i,
            .nr_vcpus = vm->nr_vcpus,
            .tsc_khz = vm->tsc_khz,
            .baseline = config->baseline,
        };

        vm->vcpus[i].vm = vm;
        vm->vcpus[i].index = i;
        cpuid_init(&vm->vcpus[i].cpuid, cpuid, &parameters);
    }
    vm->has_real_mode = vcpu_has_real_mode(&vm->vcpus[0]);
}

/* --- disks --- */

#define DISK_MAX_QUEUES 4u

_Static_assert(DISK_MAX_QUEUES <= VIRTIO_MAX_QUEUES, "as many as the device may have");
_Static_assert(sizeof(struct disk_channel) <= VMM_DISK_SPAN, "channels do not overlap");

void vm_init_disk(struct vm *vm, unsigned n, struct disk_channel *channel)
{
    disk_client_init(&vm->disks[n].client, channel);
}

enum disk_state vm_start_disk(struct vm *vm, unsigned n)
{
    unsigned nr_queues = vm->nr_vcpus < DISK_MAX_QUEUES ? vm->nr_vcpus : DISK_MAX_QUEUES;
    enum disk_state state = disk_client_start(&vm->disks[n].client);
    unsigned slot = VM_DISK_SLOT + n;

    if (state == DISK_READY) {
        virtio_blk_init(&vm->disks[n], &vm->ram, n, nr_queues, bar_of(slot));
        pci_bus_add(&vm->pci, slot, &vm->disks[n].virtio.function);
    }
    return state;
}

/* --- power-on --- */

static void devices_reset(struct vm *vm)
{
    ioapic_reset(&vm->ioapic);
    platform_reset(&vm->platform);
    mailbox_reset(&vm->mailbox);
    pci_bus_power_on(&vm->pci);
    cmos_reset(&vm->cmos, vm->boot_time);
    uart_reset(&vm->uart);
    vm->serial_line = false;
    uart_set_room(&vm->uart, console_has_room(&vm->console));
}

void vm_reset(struct vm *vm)
{
    vm->start_tsc = host_tsc();
    vm->boot_time = (vm->config->boot_time != 0 ? vm->config->boot_time : BUILT_IN_BOOT_TIME) +
                    vm->start_tsc / ((uint64_t)vm->tsc_khz * 1000);
    vm->stop = (struct vm_stop){ 0 };
    vm->stopping = false;
    devices_reset(vm);
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        vcpu_reset(&vm->vcpus[i]);
    }
}

const char *vm_load(struct vm *vm, const struct linux_images *images)
{
    const char *wrong = linux_boot_load(&vm->ram, images, !vm->has_real_mode, &vm->entry);

    if (wrong == NULL && !acpi_write_tables(&vm->ram, acpi_dsdt, acpi_dsdt_bytes, vm->nr_vcpus,
                                            !vm->has_real_mode)) {
        wrong = "the ACPI tables do not fit in the guest's memory";
    }
    return wrong;
}

/* --- the end --- */

/* Only the first reason is kept; whoever claims the place writes it. */
static void vm_stop(struct vm *vm, struct vm_stop stop)
{
    if (__atomic_exchange_n(&vm->stopping, true, __ATOMIC_ACQ_REL)) {
        return;
    }
    vm->stop = stop;
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        if (inbox_post(&vm->vcpus[i].inbox, REQUEST_STOP)) {
            vcpu_kick(&vm->vcpus[i]);
        }
    }
}

void vm_request(struct vm *vm, enum platform_request request)
{
    if (request == PLATFORM_NONE) {
        return;
    }
    vm_stop(vm,
            (struct vm_stop){
                .report = request == PLATFORM_POWEROFF ? VMM_REPORT_POWEROFF : VMM_REPORT_REBOOT,
                .cause = VMM_CAUSE_GUEST,
                .text = request == PLATFORM_POWEROFF ? "powered off" : "reset",
            });
}

enum vcpu_stop vm_crash(struct vcpu *vcpu, uint64_t cause, uint64_t detail, const char *text)
{
    vm_stop(vcpu->vm, (struct vm_stop){
                          .report = VMM_REPORT_CRASH,
                          .cause = cause,
                          .detail = detail,
                          .text = text,
                          .vcpu = vcpu->index,
                      });
    return VCPU_STOPS;
}

void vm_panic(struct vcpu *vcpu)
{
    vm_stop(vcpu->vm, (struct vm_stop){
                          .report = VMM_REPORT_PANIC,
                          .cause = VMM_CAUSE_GUEST,
                          .text = "the guest's kernel panicked",
                          .vcpu = vcpu->index,
                      });
}

enum vcpu_stop vm_stuck(struct vcpu *vcpu)
{
    vm_stop(vcpu->vm, (struct vm_stop){
                          .report = VMM_REPORT_STUCK,
                          .cause = VMM_CAUSE_WATCHDOG,
                          .detail = (uint64_t)lapic_pending(&vcpu->lapic),
                          .text = "stuck with its interrupts off",
                          .vcpu = vcpu->index,
                      });
    return VCPU_STOPS;
}

void vm_refuse(struct vcpu *vcpu, const char *text)
{
    vm_stop(vcpu->vm, (struct vm_stop){
                          .report = VMM_REPORT_REFUSED,
                          .cause = VMM_CAUSE_CPU,
                          .text = text,
                          .vcpu = vcpu->index,
                      });
}
