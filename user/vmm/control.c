/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control registers. Accesses to CR8, and writes of CR4, exit on all processors. CR0 is the guest's
 * own but for CD and NW, which VT-x has the kernel keep from it: there a write that changes them
 * exits, whatever else it changes.
 *
 * VT-x without unrestricted guest pages guests at all times. There a guest may have paging off all
 * the same, in protected mode: CR0.PG is what it believes, and the processor pages by the loader's
 * identity mapping (linux_boot.h) in the form that protected mode has, PAE. CR3 and EFER.LME are
 * kept for it until it turns paging on. Real mode is not possible.
 *
 * Sources: Intel SDM vol. 3A 2.5 "Control Registers", 4.1.2 "Paging-Mode Enabling", 4.4.1 "PDPTE
 * Registers"; vol. 3C 24.8 "Restrictions on VMX operation".
 */
#include "user/vmm/emulate.h"
#include "user/vmm/vm.h"

#define NR_PDPTES      4u
#define PDPTE_PRESENT  1ull
#define PDPTE_RESERVED 0x1e6ull

#define CR0_SWITCHES (CR0_PG | CR0_PE)
#define CR3_EXITS    (VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE)

bool vcpu_has_real_mode(struct vcpu *vcpu)
{
    return vcpu_write_field(vcpu, VMCS_SECONDARY_CONTROLS,
                            VMX_SECONDARY_EPT | VMX_SECONDARY_UNRESTRICTED_GUEST) &&
           (vcpu_read_field(vcpu, VMCS_SECONDARY_CONTROLS) & VMX_SECONDARY_UNRESTRICTED_GUEST) != 0;
}

bool vcpu_own_control(struct vcpu *vcpu)
{
    vcpu->cr4_shadowed = vcpu_write_field(vcpu, VMCS_CR4_MASK, ~0ull);
    return vcpu->vm->has_real_mode || vcpu_write_field(vcpu, VMCS_CR0_MASK, CR0_SWITCHES);
}

bool vcpu_set_cr0(struct vcpu *vcpu, uint64_t value)
{
    return vcpu_write_field(vcpu, VMCS_GUEST_CR0, value) &&
           (vcpu->vm->has_real_mode || vcpu_write_field(vcpu, VMCS_CR0_SHADOW, value));
}

/* What nobody notices who has paging off is off as well. */
static uint64_t cr4_in_use(const struct vcpu *vcpu, uint64_t value)
{
    return vcpu->unpaged.on ? (value | CR4_PAE) & ~(CR4_PCIDE | CR4_SMEP | CR4_SMAP) : value;
}

bool vcpu_set_cr4(struct vcpu *vcpu, uint64_t value)
{
    if (!vcpu_write_field(vcpu, VMCS_GUEST_CR4, cr4_in_use(vcpu, value)) ||
        (vcpu->cr4_shadowed && !vcpu_write_field(vcpu, VMCS_CR4_SHADOW, value))) {
        return false;
    }
    vcpu->cr4 = value;
    cpuid_set_cr4(&vcpu->cpuid, value);
    return true;
}

bool vcpu_is_paged(struct vcpu *vcpu)
{
    return !vcpu->unpaged.on && (vcpu_read_field(vcpu, VMCS_GUEST_CR0) & CR0_PG) != 0;
}

uint64_t vcpu_get_efer(struct vcpu *vcpu)
{
    bool kept = vcpu->unpaged.on && vcpu->unpaged.long_mode_enabled;

    return vcpu_read_field(vcpu, VMCS_GUEST_EFER) | (kept ? EFER_LME : 0);
}

bool vcpu_set_efer(struct vcpu *vcpu, uint64_t value)
{
    if (vcpu->unpaged.on) { /* while the processor pages, LMA and LME are the same */
        vcpu->unpaged.long_mode_enabled = (value & EFER_LME) != 0;
        value &= ~EFER_LME;
    }
    return vcpu_write_field(vcpu, VMCS_GUEST_EFER, value);
}

/* --- paging --- */

/* Writes the PDPTEs of PAE paging, which VT-x has from its own fields; false: #GP. */
static bool load_pdptes(struct vcpu *vcpu, uint64_t cr3)
{
    const struct cpuid_table *cpuid = &vcpu->cpuid;
    gpa_t table = gpa(cr3 & 0xffffffe0u);
    uint64_t entries[NR_PDPTES];
    bool good = guest_ram_read(&vcpu->vm->ram, table, entries, sizeof(entries));

    for (unsigned i = 0; good && i < NR_PDPTES; i++) {
        uint64_t reserved = PDPTE_RESERVED | ~0ull << cpuid->phys_bits;

        good = ((entries[i] & PDPTE_PRESENT) == 0 || (entries[i] & reserved) == 0) &&
               vcpu_write_field(vcpu, VMCS_GUEST_PDPTE(i), entries[i]);
    }
    return good;
}

static bool uses_pdptes(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) != 0 && (cr4 & CR4_PAE) != 0 && (efer & EFER_LMA) == 0;
}

static bool set_long_mode(struct vcpu *vcpu, bool on)
{
    struct vcpu_message *message = vcpu->message;
    uint64_t control = on ? VMX_ENTRY_CTL_GUEST_64 : 0;

    message->efer = (message->efer & ~EFER_LMA) | (on ? EFER_LMA : 0);
    return vcpu_write_field(vcpu, VMCS_GUEST_EFER, message->efer) &&
           vcpu_write_field(vcpu, VMCS_ENTRY_CONTROLS, VCPU_ENTRY_LEGACY | control);
}

/* The guest has turned paging off. */
static bool begin_unpaged(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;

    if (vcpu->vm->has_real_mode) {
        return true;
    }
    vcpu->unpaged = (struct unpaged){ .on = true, .cr3 = message->cr3 };
    message->primary |= CR3_EXITS;
    return vcpu_set_efer(vcpu, message->efer) &&
           vcpu_write_field(vcpu, VMCS_GUEST_CR3, LINUX_PAE_TABLE) &&
           vcpu_set_cr4(vcpu, vcpu->cr4) && load_pdptes(vcpu, LINUX_PAE_TABLE);
}

static bool end_unpaged(struct vcpu *vcpu)
{
    struct vcpu_message *message = vcpu->message;

    if (!vcpu->unpaged.on) {
        return true;
    }
    message->efer = vcpu_get_efer(vcpu);
    message->cr3 = vcpu->unpaged.cr3;
    message->primary &= ~(uint64_t)CR3_EXITS;
    vcpu->unpaged.on = false;
    return vcpu_set_efer(vcpu, message->efer) &&
           vcpu_write_field(vcpu, VMCS_GUEST_CR3, message->cr3) && vcpu_set_cr4(vcpu, vcpu->cr4);
}

/* CR0.PG changes: long mode begins or ends with it. */
static bool switch_paging(struct vcpu *vcpu, bool on)
{
    struct vcpu_message *message = vcpu->message;
    bool code_64 = (message->cs_rights & SEGMENT_LONG) != 0;

    if (on) {
        bool begins = (vcpu_get_efer(vcpu) & EFER_LME) != 0;

        if (begins && ((vcpu->cr4 & CR4_PAE) == 0 || code_64)) {
            return false;
        }
        return end_unpaged(vcpu) && (!begins || set_long_mode(vcpu, true));
    }
    if ((message->efer & EFER_LMA) != 0) {
        if (code_64 || (vcpu->cr4 & CR4_PCIDE) != 0 || !set_long_mode(vcpu, false)) {
            return false;
        }
    }
    return begin_unpaged(vcpu);
}

static bool write_cr0(struct vcpu *vcpu, uint64_t value)
{
    const struct vcpu_message *message = vcpu->message;
    bool was_paging = !vcpu->unpaged.on && (message->cr0 & CR0_PG) != 0;
    bool paging = (value & CR0_PG) != 0, cache_off = (value & CR0_CD) != 0;

    if (value >> 32 != 0 || (paging && (value & CR0_PE) == 0) ||
        (!cache_off && (value & CR0_NW) != 0)) {
        return false;
    }
    if (paging != was_paging && !switch_paging(vcpu, paging)) {
        return false;
    }
    if (uses_pdptes(value, vcpu->cr4, message->efer) && !load_pdptes(vcpu, message->cr3)) {
        return false;
    }
    return vcpu_set_cr0(vcpu, value);
}

static bool write_cr4(struct vcpu *vcpu, uint64_t value)
{
    const struct vcpu_message *message = vcpu->message;
    bool long_mode = (message->efer & EFER_LMA) != 0;
    bool pcid_goes_on = (value & ~vcpu->cr4 & CR4_PCIDE) != 0;

    if ((value & ~vcpu->cpuid.cr4_allowed) != 0 || (long_mode && (value & CR4_PAE) == 0) ||
        (pcid_goes_on && (!long_mode || (message->cr3 & 0xfff) != 0))) {
        return false;
    }
    if (!vcpu->unpaged.on && uses_pdptes(message->cr0, value, message->efer) &&
        !load_pdptes(vcpu, message->cr3)) {
        return false;
    }
    return vcpu_set_cr4(vcpu, value);
}

static bool write_cr8(struct vcpu *vcpu, uint64_t value)
{
    if (value > 15) {
        return false;
    }
    lapic_write_cr8(&vcpu->lapic, value);
    vcpu->attention |= vcpu->lapic.irr_any;
    return true;
}

/* Which register moves where: told by the processor, or to be read from the instruction. */
struct cr_access {
    unsigned control, reg;
    bool write;
};

static bool find_access(struct vcpu *vcpu, struct cr_access *access)
{
    uint64_t qualification = vcpu->message->qualification;
    uint64_t type = qualification >> VMX_CR_TYPE_SHIFT & VMX_CR_TYPE_MASK;
    struct insn insn;

    if (vcpu->message->length == 0) {
        if (!emulate_decode(vcpu, &insn) || insn.form != INSN_CONTROL) {
            return false;
        }
        *access = (struct cr_access){ insn.control, insn.reg, insn.op == INSN_MOV_TO_CR };
        return true;
    }
    if (type > VMX_CR_TYPE_READ) {
        return false;
    }
    *access = (struct cr_access){
        .control = (unsigned)(qualification & VMX_CR_NUMBER_MASK),
        .reg = (unsigned)(qualification >> VMX_CR_GPR_SHIFT & VMX_CR_GPR_MASK),
        .write = type == VMX_CR_TYPE_WRITE,
    };
    return true;
}

/* Outside of 64-bit mode the upper half of a register is not part of it. */
static uint64_t value_to_write(struct vcpu *vcpu, unsigned reg)
{
    const struct vcpu_message *message = vcpu->message;
    uint64_t value = vcpu_get_register(vcpu, reg);

    return x86_is_64_bit(message->efer, message->cs_rights) ? value : (uint32_t)value;
}

static uint64_t value_to_read(struct vcpu *vcpu, unsigned control)
{
    switch (control) {
    case 3:
        return vcpu->unpaged.cr3;
    case 4:
        return vcpu->cr4;
    default:
        return lapic_read_cr8(&vcpu->lapic);
    }
}

/* False: the guest gets #GP. */
static bool carry_out(struct vcpu *vcpu, const struct cr_access *access)
{
    if (!access->write) {
        vcpu_set_register(vcpu, access->reg, value_to_read(vcpu, access->control));
        return true;
    }
    switch (access->control) {
    case 0:
        return write_cr0(vcpu, value_to_write(vcpu, access->reg));
    case 3:
        vcpu->unpaged.cr3 = value_to_write(vcpu, access->reg);
        return true;
    case 4:
        return write_cr4(vcpu, value_to_write(vcpu, access->reg));
    default:
        return write_cr8(vcpu, value_to_write(vcpu, access->reg));
    }
}

/* CR0 is never read by way of the monitor, and CR3 is not its business while it is in use. */
static bool is_emulated(const struct vcpu *vcpu, const struct cr_access *access)
{
    return access->control == 4 || access->control == 8 ||
           (access->control == 0 && access->write) || (access->control == 3 && vcpu->unpaged.on);
}

static bool needs_real_mode(struct vcpu *vcpu, const struct cr_access *access)
{
    return !vcpu->vm->has_real_mode && access->control == 0 && access->write &&
           (value_to_write(vcpu, access->reg) & CR0_SWITCHES) == 0;
}

enum vcpu_stop vcpu_access_control(struct vcpu *vcpu)
{
    struct cr_access access;

    if (!find_access(vcpu, &access) || !is_emulated(vcpu, &access)) {
        return vm_crash(vcpu, VMX_EXIT_CR_ACCESS, vcpu->message->qualification,
                        "access to a control register that is not emulated");
    }
    if (needs_real_mode(vcpu, &access)) {
        return vm_crash(vcpu, VMX_EXIT_CR_ACCESS, vcpu->message->qualification,
                        "real mode, which this processor cannot run: no unrestricted guest");
    }
    if (!carry_out(vcpu, &access)) {
        vcpu_raise(vcpu, VECTOR_GP);
        return VCPU_RUNS;
    }
    return vcpu_done(vcpu);
}
