/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual APIC: TPR, PPR, ISR and IRR of a guest in x2APIC mode, which the processor keeps in a
 * page and delivers interrupts from. A VCPU has no page to spare, and a core runs one guest at a
 * time: each core has one page, and a VCPU's registers go into it when the guest is entered there,
 * and out when another VCPU's go in or the VCPU leaves the core. No monitor ever writes to it.
 *
 * Invariants
 *  I1  A core's page has the registers of its owner, or of none; then they are nowhere else.
 *  I2  The VMCS's interrupt status is what follows from IRR and ISR (the highest vector of each).
 *      The processor keeps it so; a change by us sets VMX_APIC, and the next entry writes it.
 *  I3  Only a VCPU with virtual_apic has the MSR bitmap that opens registers and the controls that
 *      lead an access to the page: a guest never reaches the machine's own APIC.
 * Locking   as virt.h
 * Sources   Intel SDM volume 3, chapter 30 "APIC virtualization and virtual interrupts", 25.4.2
 *           (guest interrupt status), 25.6.8 (controls for APIC virtualization)
 */
#include "abi/vcpu.h"
#include "abi/vmcs.h"
#include "kernel/core/core.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/virt/vmx/vmx_instructions.h"
#include "kernel/x86/virt/vmx/vmx_priv.h"
#include "lib/string.h"

/* Registers by their x2APIC number: the MSR less 800h, the offset in the page in units of 16. */
enum apic_register {
    APIC_TPR = 0x08,
    APIC_PPR = 0x0a,
    APIC_EOI = 0x0b,
    APIC_ISR = 0x10,
    APIC_IRR = 0x20,
    APIC_SELF_IPI = 0x3f,
};

#define MSR_X2APIC      0x800u
#define WORDS_OF_SET    8u
#define PRIORITY(value) ((value)&0xf0u)

struct apic_page {
    struct {
        u32 value;
        u32 unused[3];
    } registers[PAGE_SIZE / 16];
};
_Static_assert(sizeof(struct apic_page) == PAGE_SIZE, "as the processor wants it");

static struct apic_page pages[CONFIG_MAX_CORES] __attribute__((aligned(4096)));

static struct apic_page *page(void)
{
    return &pages[this_core()->id];
}

hpa_t vmx_apic_page(void)
{
    return kernel_to_hpa(page());
}

/* --- registers, wherever they are ------------------------------------------------------------- */

struct apic {
    u32 *first; /* VMX_APIC_FIRST */
    unsigned step;
};

static inline struct apic apic_of(struct vcpu *vcpu)
{
    if (vmx_core()->apic_owner == vcpu)
        return (struct apic){ &page()->registers[VMX_APIC_FIRST].value, 4 };
    return (struct apic){ vmx_state(vcpu)->apic, 1 };
}

static inline u32 *apic_register(struct apic apic, unsigned number)
{
    return apic.first + (number - VMX_APIC_FIRST) * apic.step;
}

/* The highest vector of ISR or IRR, or 0. */
static inline u32 highest(struct apic apic, enum apic_register set)
{
    for (unsigned i = WORDS_OF_SET; i-- > 0;) {
        u32 word = *apic_register(apic, set + i);

        if (word)
            return i * 32 + 31 - (u32)__builtin_clz(word);
    }
    return 0;
}

void vmx_apic_post(struct vcpu *vcpu, const u64 set[4])
{
    struct apic apic = apic_of(vcpu);

    for (unsigned i = 0; i < WORDS_OF_SET / 2; i++) {
        *apic_register(apic, APIC_IRR + 2 * i) |= (u32)set[i];
        *apic_register(apic, APIC_IRR + 2 * i + 1) |= (u32)(set[i] >> 32);
    }
    vmx_state(vcpu)->attention |= VMX_APIC;
}

bool vmx_apic_wakes(struct vcpu *vcpu)
{
    struct apic apic = apic_of(vcpu);
    u32 requested = PRIORITY(highest(apic, APIC_IRR));

    return (vmx_state(vcpu)->rflags & RFLAGS_IF) &&
           requested > PRIORITY(*apic_register(apic, APIC_TPR)) &&
           requested > PRIORITY(highest(apic, APIC_ISR));
}

/* --- the page --------------------------------------------------------------------------------- */

static void store(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < VMX_APIC_REGISTERS; i++)
        vmx_state(vcpu)->apic[i] = page()->registers[VMX_APIC_FIRST + i].value;
}

static void load(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < VMX_APIC_REGISTERS; i++)
        page()->registers[VMX_APIC_FIRST + i].value = vmx_state(vcpu)->apic[i];
}

void vmx_apic_leave(struct vcpu *vcpu)
{
    if (vmx_core()->apic_owner != vcpu)
        return;
    store(vcpu);
    vmx_core()->apic_owner = NULL;
}

static __attribute__((noinline)) void take_page(struct vcpu *vcpu)
{
    if (vmx_core()->apic_owner)
        store(vmx_core()->apic_owner);
    load(vcpu);
    vmx_core()->apic_owner = vcpu;
}

void vmx_apic_prepare(struct vcpu *vcpu)
{
    struct apic apic;

    if (vmx_core()->apic_owner != vcpu)
        take_page(vcpu);
    apic = apic_of(vcpu);
    vmwrite(VMCS_GUEST_INTERRUPT_STATUS, highest(apic, APIC_ISR) << 8 | highest(apic, APIC_IRR));
}

/* --- what the guest reaches ------------------------------------------------------------------- */

/* TMR, between ISR and IRR, is the monitor's. */
void vmx_apic_open_msrs(u8 *bitmap)
{
    vmx_msr_allow(bitmap, MSR_X2APIC + APIC_TPR, true, true);
    vmx_msr_allow(bitmap, MSR_X2APIC + APIC_PPR, true, false);
    vmx_msr_allow(bitmap, MSR_X2APIC + APIC_EOI, false, true);
    vmx_msr_allow(bitmap, MSR_X2APIC + APIC_SELF_IPI, false, true);
    for (unsigned i = 0; i < WORDS_OF_SET; i++) {
        vmx_msr_allow(bitmap, MSR_X2APIC + APIC_ISR + i, true, false);
        vmx_msr_allow(bitmap, MSR_X2APIC + APIC_IRR + i, true, false);
    }
}

/* --- fields ----------------------------------------------------------------------------------- */

static void empty(struct vcpu *vcpu)
{
    struct apic apic = apic_of(vcpu);

    for (unsigned i = 0; i < VMX_APIC_REGISTERS; i++)
        *apic_register(apic, VMX_APIC_FIRST + i) = 0;
}

static void turn(struct vcpu *vcpu, bool on)
{
    vcpu->virtual_apic = on;
    empty(vcpu);
    for (u32 i = 0; i < 4; i++)
        vmwrite(VMCS_EOI_EXIT_BITMAP(i), 0);
    vmx_state(vcpu)->attention |= VMX_CONTROLS | VMX_APIC;
}

/* The register with the lower half of a field, the next one having the upper half (TPR's is one
 * that nothing uses); 0: it is none. */
static unsigned register_of(u64 field)
{
    if (field & 1)
        return 0;
    switch (field) {
    case VCPU_FIELD_APIC_TPR:
        return APIC_TPR;
    case VCPU_FIELD_APIC_ISR0 ... VCPU_FIELD_APIC_ISR3:
        return APIC_ISR + (unsigned)(field - VCPU_FIELD_APIC_ISR0);
    case VCPU_FIELD_APIC_IRR0 ... VCPU_FIELD_APIC_IRR3:
        return APIC_IRR + (unsigned)(field - VCPU_FIELD_APIC_IRR0);
    default:
        return 0;
    }
}

static bool is_eoi_exit_bitmap(u64 field)
{
    return field >= VMCS_EOI_EXIT_BITMAP0 && field <= VMCS_EOI_EXIT_BITMAP3 && !(field & 1);
}

bool vmx_apic_read_field(struct vcpu *vcpu, u64 field, u64 *value)
{
    struct apic apic = apic_of(vcpu);
    unsigned number = register_of(field);

    if (!virt_has_virtual_apic)
        return false;
    if (field == VCPU_FIELD_VIRTUAL_APIC)
        *value = vcpu->virtual_apic;
    else if (number)
        *value = *apic_register(apic, number) | (u64)*apic_register(apic, number + 1) << 32;
    else if (is_eoi_exit_bitmap(field))
        *value = vmread((u32)field);
    else
        return false;
    return true;
}

bool vmx_apic_write_field(struct vcpu *vcpu, u64 field, u64 value, u64 *written)
{
    struct apic apic = apic_of(vcpu);
    unsigned number = register_of(field);

    if (!virt_has_virtual_apic)
        return false;
    if (field == VCPU_FIELD_VIRTUAL_APIC) {
        value &= 1;
        turn(vcpu, value);
    } else if (number) {
        value &= number == APIC_TPR ? 0xff : ~0ull;
        *apic_register(apic, number) = (u32)value;
        *apic_register(apic, number + 1) = (u32)(value >> 32);
        vmx_state(vcpu)->attention |= VMX_APIC;
    } else if (is_eoi_exit_bitmap(field)) {
        vmwrite((u32)field, value);
    } else {
        return false;
    }
    *written = value;
    return true;
}
