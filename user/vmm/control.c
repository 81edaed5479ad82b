/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control registers. Accesses to CR8, and writes of CR4, exit on all processors. CR0 is the guest's
 * own but for CD and NW, which VT-x has the kernel keep from it: there a write that changes them
 * exits, whatever else it changes. Sources: Intel SDM vol. 3A 2.5 "Control Registers", 4.1.2
 * "Paging-Mode Enabling", 4.4.1 "PDPTE Registers".
 */
#include "user/vmm/emulate.h"
#include "user/vmm/vm.h"

#define NR_PDPTES      4u
#define PDPTE_PRESENT  1ull
#define PDPTE_RESERVED 0x1e6ull

/* Writes the PDPTEs of PAE paging, which VT-x has from its own fields; false: #GP. */
static bool load_pdptes(struct vcpu *vcpu)
{
    const struct cpuid_table *cpuid = &vcpu->cpuid;
    gpa_t table = gpa(vcpu->message->cr3 & 0xffffffe0u);
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

/* CR0.PG changes: long mode begins or ends with it. */
static bool switch_paging(struct vcpu *vcpu, bool on)
{
    const struct vcpu_message *message = vcpu->message;
    bool code_64 = (message->cs_rights & SEGMENT_LONG) != 0;

    if (on) {
        if ((message->efer & EFER_LME) == 0) {
            return true;
        }
        return (message->cr4 & CR4_PAE) != 0 && !code_64 && set_long_mode(vcpu, true);
    }
    if ((message->efer & EFER_LMA) == 0) {
        return true;
    }
    return !code_64 && (message->cr4 & CR4_PCIDE) == 0 && set_long_mode(vcpu, false);
}

static bool write_cr0(struct vcpu *vcpu, uint64_t value)
{
    const struct vcpu_message *message = vcpu->message;
    bool paging = (value & CR0_PG) != 0, cache_off = (value & CR0_CD) != 0;

    if (value >> 32 != 0 || (paging && (value & CR0_PE) == 0) ||
        (!cache_off && (value & CR0_NW) != 0)) {
        return false;
    }
    if (paging != ((message->cr0 & CR0_PG) != 0) && !switch_paging(vcpu, paging)) {
        return false;
    }
    if (uses_pdptes(value, message->cr4, message->efer) && !load_pdptes(vcpu)) {
        return false;
    }
    return vcpu_write_field(vcpu, VMCS_GUEST_CR0, value);
}

bool vcpu_set_cr4(struct vcpu *vcpu, uint64_t value)
{
    if (!vcpu_write_field(vcpu, VMCS_GUEST_CR4, value) ||
        (vcpu->cr4_shadowed && !vcpu_write_field(vcpu, VMCS_CR4_SHADOW, value))) {
        return false;
    }
    vcpu->cr4 = value;
    cpuid_set_cr4(&vcpu->cpuid, value);
    return true;
}

void vcpu_own_cr4(struct vcpu *vcpu)
{
    vcpu->cr4_shadowed = vcpu_write_field(vcpu, VMCS_CR4_MASK, ~0ull);
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
    if (uses_pdptes(message->cr0, value, message->efer) && !load_pdptes(vcpu)) {
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

/* False: the guest gets #GP. */
static bool carry_out(struct vcpu *vcpu, const struct cr_access *access)
{
    if (!access->write) {
        vcpu_set_register(vcpu, access->reg,
                          access->control == 4 ? vcpu->cr4 : lapic_read_cr8(&vcpu->lapic));
        return true;
    }
    switch (access->control) {
    case 0:
        return write_cr0(vcpu, value_to_write(vcpu, access->reg));
    case 4:
        return write_cr4(vcpu, value_to_write(vcpu, access->reg));
    default:
        return write_cr8(vcpu, value_to_write(vcpu, access->reg));
    }
}

/* CR0 is never read by way of the monitor. */
static bool is_emulated(const struct cr_access *access)
{
    return access->control == 4 || access->control == 8 || (access->control == 0 && access->write);
}

enum vcpu_stop vcpu_access_control(struct vcpu *vcpu)
{
    struct cr_access access;

    if (!find_access(vcpu, &access) || !is_emulated(&access)) {
        return vm_crash(vcpu, VMX_EXIT_CR_ACCESS, vcpu->message->qualification,
                        "access to a control register that is not emulated");
    }
    if (!carry_out(vcpu, &access)) {
        vcpu_raise(vcpu, VECTOR_GP);
        return VCPU_RUNS;
    }
    return vcpu_done(vcpu);
}
