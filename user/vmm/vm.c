/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM as a whole: its power-on state, its clock, its end. */
#include "user/vmm/vm_start.h"

#include "lib/string.h"
#include "user/vmm/acpi.h"

/* When the description names no time: 2026-01-01. The guest's clock does not go before it. */
#define BUILT_IN_BOOT_TIME 1767225600ull

/* Access rights of the flat segments of the 64-bit entry point (VMX format). */
#define RIGHTS_CODE_64  0xa09bu
#define RIGHTS_DATA     0xc093u
#define RIGHTS_TSS_BUSY 0x008bu
#define RFLAGS_RESET    RFLAGS_ONE
#define DR7_RESET       0x400u
#define DR6_RESET       0xffff0ff0u

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

void vm_init(struct vm *vm, const struct vmm_config *config, void *ram, cpuid_source *cpuid)
{
    vm->config = config;
    guest_ram_init(&vm->ram, ram, config->ram_bytes);
    vm->tsc_khz = config->tsc_mhz * 1000;
    vm->boot_time = config->boot_time != 0 ? config->boot_time : BUILT_IN_BOOT_TIME;
    vm->nr_vcpus = config->nr_vcpus;
    ports_init(vm);
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        const struct cpuid_parameters parameters = {
            .apic_id = i,
            .nr_vcpus = vm->nr_vcpus,
            .tsc_khz = vm->tsc_khz,
        };

        vm->vcpus[i].vm = vm;
        vm->vcpus[i].index = i;
        cpuid_init(&vm->vcpus[i].cpuid, cpuid, &parameters);
    }
}

/* --- power-on --- */

static bool write_segment(struct vcpu *vcpu, enum vmcs_segment segment, uint64_t selector,
                          uint64_t limit, uint64_t rights)
{
    return vcpu_write_field(vcpu, VMCS_GUEST_SELECTOR(segment), selector) &&
           vcpu_write_field(vcpu, VMCS_GUEST_LIMIT(segment), limit) &&
           vcpu_write_field(vcpu, VMCS_GUEST_ACCESS_RIGHTS(segment), rights) &&
           vcpu_write_field(vcpu, VMCS_GUEST_BASE(segment), 0);
}

static bool write_segments(struct vcpu *vcpu)
{
    bool good = write_segment(vcpu, VMCS_SEGMENT_CS, LINUX_CS, 0xffffffff, RIGHTS_CODE_64);

    for (unsigned segment = 0; segment < VMCS_SEGMENT_LDTR; segment++) {
        if (segment != VMCS_SEGMENT_CS) {
            good &= write_segment(vcpu, segment, LINUX_DS, 0xffffffff, RIGHTS_DATA);
        }
    }
    return good && write_segment(vcpu, VMCS_SEGMENT_LDTR, 0, 0, VMX_AR_UNUSABLE) &&
           write_segment(vcpu, VMCS_SEGMENT_TR, 0, 0xffff, RIGHTS_TSS_BUSY) &&
           vcpu_write_field(vcpu, VMCS_GUEST_GDTR_BASE, LINUX_GDT) &&
           vcpu_write_field(vcpu, VMCS_GUEST_GDTR_LIMIT, LINUX_GDT_BYTES - 1) &&
           vcpu_write_field(vcpu, VMCS_GUEST_IDTR_BASE, 0) &&
           vcpu_write_field(vcpu, VMCS_GUEST_IDTR_LIMIT, 0);
}

/* 64-bit mode with identity page tables, as the boot protocol asks; everything else as at reset. */
static bool write_registers(struct vcpu *vcpu, const struct linux_entry *entry)
{
    const struct {
        uint64_t field, value;
    } fields[] = {
        { VMCS_ENTRY_CONTROLS,
          VMX_ENTRY_CTL_GUEST_64 | VMX_ENTRY_CTL_LOAD_PAT | VMX_ENTRY_CTL_LOAD_EFER },
        { VMCS_SECONDARY_CONTROLS, VMX_SECONDARY_EPT | VMX_SECONDARY_RDTSCP |
                                       VMX_SECONDARY_UNRESTRICTED_GUEST | VMX_SECONDARY_INVPCID },
        { VMCS_EXCEPTION_BITMAP, 0 },
        { VMCS_GUEST_EFER, EFER_LME | EFER_LMA },
        { VMCS_GUEST_CR0, CR0_PG | CR0_NE | CR0_ET | CR0_PE },
        { VMCS_GUEST_CR3, entry->cr3 },
        { VMCS_GUEST_CR4, CR4_PAE },
        { VMCS_GUEST_RFLAGS, RFLAGS_RESET },
        { VMCS_GUEST_RSP, 0 },
        { VMCS_GUEST_DR7, DR7_RESET },
        { VMCS_GUEST_PAT, vcpu->msrs.pat },
        { VMCS_GUEST_SYSENTER_CS, 0 },
        { VMCS_GUEST_SYSENTER_ESP, 0 },
        { VMCS_GUEST_SYSENTER_EIP, 0 },
        { VMCS_GUEST_INTERRUPTIBILITY, 0 },
        { VMCS_TSC_OFFSET, vcpu->tsc_offset },
        { VCPU_FIELD_CR2, 0 },
        { VCPU_FIELD_DR0, 0 },
        { VCPU_FIELD_DR1, 0 },
        { VCPU_FIELD_DR2, 0 },
        { VCPU_FIELD_DR3, 0 },
        { VCPU_FIELD_DR6, DR6_RESET },
    };
    static const uint32_t msrs[] = {
        VCPU_MSR_STAR, VCPU_MSR_LSTAR, VCPU_MSR_CSTAR, VCPU_MSR_SFMASK, VCPU_MSR_KERNEL_GS_BASE,
    };
    bool good = write_segments(vcpu);

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        good &= vcpu_write_field(vcpu, fields[i].field, fields[i].value);
    }
    for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        good &= vcpu_write_msr(vcpu, msrs[i], 0);
    }
    /* Not every processor has these, and zero is what those that have them begin with. */
    vcpu_write_field(vcpu, VMCS_GUEST_DEBUGCTL, 0);
    vcpu_write_field(vcpu, VMCS_GUEST_PENDING_DEBUG, 0);
    if (vcpu->cpuid.xcr0_allowed != 0) {
        good &= vcpu_write_field(vcpu, VCPU_FIELD_XCR0, XCR0_X87);
    }
    vcpu->cr4 = CR4_PAE;
    cpuid_set_cr4(&vcpu->cpuid, vcpu->cr4);
    return good;
}

static void message_reset(struct vcpu *vcpu, const struct linux_entry *entry)
{
    struct vcpu_message *message = vcpu->message;

    memset(message, 0, sizeof(*message));
    message->rip = entry->rip;
    message->gpr[MESSAGE_RSI] = entry->rsi;
    message->rflags = RFLAGS_RESET;
    message->primary = VMX_PRIMARY_HLT | VMX_PRIMARY_TSC_OFFSETTING | VMX_PRIMARY_MWAIT |
                       VMX_PRIMARY_MONITOR | VMX_PRIMARY_RDPMC | VMX_PRIMARY_CR8_LOAD |
                       VMX_PRIMARY_CR8_STORE | VMX_PRIMARY_UNCONDITIONAL_IO;
    message->deadline = VCPU_DEADLINE_OFF;
}

static bool vcpu_reset(struct vcpu *vcpu, const struct linux_entry *entry)
{
    vcpu->attention = false;
    vcpu->sleeping = false;
    vcpu->events = (struct vcpu_events){ 0 };
    vcpu->tsc_offset = -vcpu->vm->start_tsc;
    for (unsigned i = 0; i < VCPU_NR_DECODES; i++) {
        vcpu->decodes[i].code = NULL;
    }
    lapic_reset(&vcpu->lapic, vcpu->index);
    msrs_reset(vcpu);
    message_reset(vcpu, entry);
    return write_registers(vcpu, entry);
}

static void devices_reset(struct vm *vm)
{
    ioapic_reset(&vm->ioapic);
    platform_reset(&vm->platform);
    cmos_reset(&vm->cmos, vm->boot_time);
    uart_reset(&vm->uart);
    uart_set_room(&vm->uart, console_has_room(&vm->console));
}

bool vm_power_on(struct vm *vm, const struct linux_entry *entry)
{
    bool good = true;

    vm->start_tsc = host_tsc();
    vm->stop = (struct vm_stop){ 0 };
    devices_reset(vm);
    for (unsigned i = 0; i < vm->nr_vcpus; i++) {
        good &= vcpu_reset(&vm->vcpus[i], entry);
    }
    return good;
}

const char *vm_load(struct vm *vm, const struct linux_images *images, struct linux_entry *entry)
{
    const char *wrong = linux_boot_load(&vm->ram, images, entry);

    if (wrong == NULL && !acpi_write_tables(&vm->ram, acpi_dsdt, acpi_dsdt_bytes, vm->nr_vcpus)) {
        wrong = "the ACPI tables do not fit in the guest's memory";
    }
    return wrong;
}

/* --- the end --- */

void vm_request(struct vm *vm, enum platform_request request)
{
    if (request == PLATFORM_NONE) {
        return;
    }
    vm->stop = (struct vm_stop){
        .report = request == PLATFORM_POWEROFF ? VMM_REPORT_POWEROFF : VMM_REPORT_REBOOT,
        .cause = VMM_CAUSE_GUEST,
        .text = request == PLATFORM_POWEROFF ? "powered off" : "reset",
    };
}

enum vcpu_stop vm_crash(struct vm *vm, uint64_t cause, uint64_t detail, const char *text)
{
    vm->stop = (struct vm_stop){
        .report = VMM_REPORT_CRASH, .cause = cause, .detail = detail, .text = text
    };
    return VCPU_STOPS;
}
