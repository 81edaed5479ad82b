/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU's states to begin with: at power-on (the first enters Linux, the others wait for a
 * start-up message), after INIT, and where a start-up message sends it. Sources: Intel SDM vol.
 * 3A 9.1.1 "Processor state after reset" (table 9-1), 8.4.3 "MP initialization protocol", 10.4.7
 * "Local APIC state"; AMD APM vol. 2 14.1.
 */
#include "lib/string.h"
#include "user/vmm/vm.h"

/* Access rights of the flat segments of the 64-bit entry point (VMX format). */
#define RIGHTS_CODE_64  0xa09bu
#define RIGHTS_DATA     0xc093u
#define RIGHTS_TSS_BUSY 0x008bu
/* And of real mode after INIT. */
#define RIGHTS_REAL_CODE 0x009bu
#define RIGHTS_REAL_DATA 0x0093u
#define RIGHTS_REAL_LDT  0x0082u

#define RFLAGS_RESET RFLAGS_ONE
#define DR7_RESET    0x400u
#define DR6_RESET    0xffff0ff0u
#define IDTR_REAL    0xffffu
/* Caching off, as INIT leaves it after power-on; NE, which VT-x wants. */
#define CR0_INIT      (CR0_CD | CR0_NW | CR0_NE | CR0_ET)
#define CS_INIT       0xf000u
#define CS_BASE_INIT  0xffff0000u
#define RIP_INIT      0xfff0u
#define CPUID_VERSION 1u

struct field_value {
    uint64_t field, value;
};

static bool write_fields(struct vcpu *vcpu, const struct field_value *fields, size_t count)
{
    bool good = true;

    for (size_t i = 0; i < count; i++) {
        good &= vcpu_write_field(vcpu, fields[i].field, fields[i].value);
    }
    return good;
}

#define WRITE_FIELDS(vcpu, fields) write_fields(vcpu, fields, sizeof(fields) / sizeof((fields)[0]))

struct segment {
    uint64_t selector, base, limit, rights;
};

static bool write_segment(struct vcpu *vcpu, enum vmcs_segment segment, struct segment value)
{
    return vcpu_write_field(vcpu, VMCS_GUEST_SELECTOR(segment), value.selector) &&
           vcpu_write_field(vcpu, VMCS_GUEST_LIMIT(segment), value.limit) &&
           vcpu_write_field(vcpu, VMCS_GUEST_ACCESS_RIGHTS(segment), value.rights) &&
           vcpu_write_field(vcpu, VMCS_GUEST_BASE(segment), value.base);
}

/* CS, then the data segments all alike, LDTR and TR. */
static bool write_segments(struct vcpu *vcpu, struct segment code, struct segment data,
                           struct segment local, struct segment task)
{
    bool good = true;

    for (unsigned segment = 0; segment < VMCS_SEGMENT_LDTR; segment++) {
        good &= write_segment(vcpu, segment, segment == VMCS_SEGMENT_CS ? code : data);
    }
    return good && write_segment(vcpu, VMCS_SEGMENT_LDTR, local) &&
           write_segment(vcpu, VMCS_SEGMENT_TR, task);
}

/* --- what power-on sets and INIT leaves --- */

static bool write_machine(struct vcpu *vcpu)
{
    const struct field_value fields[] = {
        { VMCS_SECONDARY_CONTROLS, VMX_SECONDARY_EPT | VMX_SECONDARY_RDTSCP |
                                       VMX_SECONDARY_UNRESTRICTED_GUEST | VMX_SECONDARY_INVPCID },
        { VMCS_EXCEPTION_BITMAP, 0 },
        { VMCS_GUEST_PAT, vcpu->msrs.pat },
        { VMCS_GUEST_SYSENTER_CS, 0 },
        { VMCS_GUEST_SYSENTER_ESP, 0 },
        { VMCS_GUEST_SYSENTER_EIP, 0 },
        { VMCS_TSC_OFFSET, vcpu->tsc_offset },
    };
    static const uint32_t msrs[] = {
        VCPU_MSR_STAR, VCPU_MSR_LSTAR, VCPU_MSR_CSTAR, VCPU_MSR_SFMASK, VCPU_MSR_KERNEL_GS_BASE,
    };
    bool good = WRITE_FIELDS(vcpu, fields);

    for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        good &= vcpu_write_msr(vcpu, msrs[i], 0);
    }
    vcpu_write_msr(vcpu, VCPU_MSR_TSC_AUX, 0); /* refused where the processor has none */
    if (vcpu->cpuid.xcr0_allowed != 0) {
        good &= vcpu_write_field(vcpu, VCPU_FIELD_XCR0, XCR0_X87);
    }
    return good;
}

/* --- what both set --- */

static bool write_common(struct vcpu *vcpu)
{
    static const struct field_value fields[] = {
        { VMCS_GUEST_RFLAGS, RFLAGS_RESET },
        { VMCS_GUEST_RSP, 0 },
        { VMCS_GUEST_DR7, DR7_RESET },
        { VMCS_GUEST_INTERRUPTIBILITY, 0 },
        { VMCS_GUEST_DEBUGCTL, 0 },
        { VMCS_GUEST_PENDING_DEBUG, 0 },
        { VCPU_FIELD_CR2, 0 },
        { VCPU_FIELD_DR0, 0 },
        { VCPU_FIELD_DR1, 0 },
        { VCPU_FIELD_DR2, 0 },
        { VCPU_FIELD_DR3, 0 },
        { VCPU_FIELD_DR6, DR6_RESET },
    };

    return WRITE_FIELDS(vcpu, fields);
}

/* On a core that another vCPU of the VM has turns on, PAUSE exits: see exit_pause. */
static uint64_t pause_control(const struct vcpu *vcpu)
{
    return (vcpu->vm->config->yielding >> vcpu->index & 1) != 0 ? VMX_PRIMARY_PAUSE : 0;
}

static void message_reset(struct vcpu *vcpu, uint64_t rip)
{
    struct vcpu_message *message = vcpu->message;

    memset(message, 0, sizeof(*message));
    message->rip = rip;
    message->rflags = RFLAGS_RESET;
    message->primary = VMX_PRIMARY_HLT | VMX_PRIMARY_TSC_OFFSETTING | VMX_PRIMARY_MWAIT |
                       VMX_PRIMARY_MONITOR | VMX_PRIMARY_RDPMC | VMX_PRIMARY_CR8_LOAD |
                       VMX_PRIMARY_CR8_STORE | VMX_PRIMARY_UNCONDITIONAL_IO | pause_control(vcpu);
    message->deadline = vcpu->serve_at;
}

/* --- 64-bit mode with identity page tables, as Linux's boot protocol and the mailbox ask --- */

static bool enter_linux(struct vcpu *vcpu, const struct linux_entry *entry)
{
    const struct field_value fields[] = {
        { VMCS_ENTRY_CONTROLS, VCPU_ENTRY_LEGACY | VMX_ENTRY_CTL_GUEST_64 },
        { VMCS_GUEST_EFER, EFER_LME | EFER_LMA },
        { VMCS_GUEST_CR3, entry->cr3 },
        { VMCS_GUEST_GDTR_BASE, LINUX_GDT },
        { VMCS_GUEST_GDTR_LIMIT, LINUX_GDT_BYTES - 1 },
        { VMCS_GUEST_IDTR_BASE, 0 },
        { VMCS_GUEST_IDTR_LIMIT, 0 },
    };
    const struct segment code = { LINUX_CS, 0, 0xffffffff, RIGHTS_CODE_64 };
    const struct segment data = { LINUX_DS, 0, 0xffffffff, RIGHTS_DATA };
    const struct segment local = { 0, 0, 0, VMX_AR_UNUSABLE };
    const struct segment task = { 0, 0, 0xffff, RIGHTS_TSS_BUSY };

    message_reset(vcpu, entry->rip);
    vcpu->message->gpr[MESSAGE_RSI] = entry->rsi;
    return vcpu_set_cr0(vcpu, CR0_PG | CR0_NE | CR0_ET | CR0_PE) && vcpu_set_cr4(vcpu, CR4_PAE) &&
           WRITE_FIELDS(vcpu, fields) && write_segments(vcpu, code, data, local, task) &&
           write_common(vcpu);
}

/* --- real mode at the reset vector, as INIT leaves a processor --- */

static bool enter_init(struct vcpu *vcpu)
{
    static const struct field_value fields[] = {
        { VMCS_ENTRY_CONTROLS, VCPU_ENTRY_LEGACY },
        { VMCS_GUEST_EFER, 0 },
        { VMCS_GUEST_CR3, 0 },
        { VMCS_GUEST_GDTR_BASE, 0 },
        { VMCS_GUEST_GDTR_LIMIT, IDTR_REAL },
        { VMCS_GUEST_IDTR_BASE, 0 },
        { VMCS_GUEST_IDTR_LIMIT, IDTR_REAL },
    };
    const struct segment code = { CS_INIT, CS_BASE_INIT, 0xffff, RIGHTS_REAL_CODE };
    const struct segment data = { 0, 0, 0xffff, RIGHTS_REAL_DATA };
    const struct segment local = { 0, 0, 0xffff, RIGHTS_REAL_LDT };
    const struct segment task = { 0, 0, 0xffff, RIGHTS_TSS_BUSY };

    message_reset(vcpu, RIP_INIT);
    vcpu->message->gpr[MESSAGE_RDX] = cpuid_query(&vcpu->cpuid, CPUID_VERSION, 0)->eax;
    return vcpu_set_cr0(vcpu, CR0_INIT) && vcpu_set_cr4(vcpu, 0) && WRITE_FIELDS(vcpu, fields) &&
           write_segments(vcpu, code, data, local, task) && write_common(vcpu);
}

static void forget_events(struct vcpu *vcpu)
{
    vcpu->attention = false;
    vcpu->sleeping = false;
    vcpu->unhalted = false;
    vcpu->unpaged.on = false;
    vcpu->entry_length = VMENTER_EXTENDED_LENGTH;
    vcpu->events = (struct vcpu_events){ 0 };
    paravirt_reset(vcpu);
    for (unsigned i = 0; i < VCPU_NR_DECODES; i++) {
        vcpu->decodes[i].code = NULL;
    }
}

void vcpu_reset(struct vcpu *vcpu)
{
    forget_events(vcpu);
    vcpu->inbox = (struct inbox){ 0 };
    vcpu->stays_off = false;
    vcpu->tsc_offset = -vcpu->vm->start_tsc;
    vcpu->serve_at = VCPU_DEADLINE_OFF;
    vcpu->watch = (struct watch){ .look_at = VCPU_DEADLINE_OFF };
    lapic_reset(&vcpu->lapic, vcpu->index);
    msrs_reset(vcpu);
}

bool vcpu_power_on(struct vcpu *vcpu, const struct linux_entry *entry)
{
    vcpu->waits = vcpu->index != 0;
    vcpu_reset_apic(vcpu);
    return vcpu_own_control(vcpu) && write_machine(vcpu) &&
           (vcpu->waits ? enter_init(vcpu) : enter_linux(vcpu, entry));
}

void vcpu_init(struct vcpu *vcpu)
{
    forget_events(vcpu);
    lapic_init(&vcpu->lapic);
    vcpu_reset_apic(vcpu);
    vcpu->waits = true;
    if (!enter_init(vcpu)) {
        vm_refuse(vcpu, "the kernel refuses a processor's state after INIT");
    }
}

void vcpu_start_up(struct vcpu *vcpu, uint8_t vector)
{
    vcpu->waits = false;
    vcpu->message->rip = 0;
    vcpu_write_field(vcpu, VMCS_GUEST_SELECTOR(VMCS_SEGMENT_CS), (uint64_t)vector << 8);
    vcpu_write_field(vcpu, VMCS_GUEST_BASE(VMCS_SEGMENT_CS), (uint64_t)vector << 12);
}

void vcpu_wake(struct vcpu *vcpu)
{
    const struct linux_entry entry = {
        .rip = __atomic_load_n(&vcpu->wake_address, __ATOMIC_RELAXED),
        .cr3 = LINUX_PAGE_TABLES,
    };

    vcpu->waits = false;
    if (!enter_linux(vcpu, &entry)) {
        vm_refuse(vcpu, "the kernel refuses a processor's state after its wake-up");
    }
}
