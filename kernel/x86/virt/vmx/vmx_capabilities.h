/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VT-x processor says it can do, what we need of that, and what we use where it is there.
 * Pure: the registers are read by vmx.c.
 * Sources: Intel SDM volume 3, appendix A "VMX capability reporting facility".
 */
#ifndef KERNEL_X86_VIRT_VMX_VMX_CAPABILITIES_H
#define KERNEL_X86_VIRT_VMX_VMX_CAPABILITIES_H

#include "kernel/core/types.h"

/* A control word: bits that must be one, and bits that may be (A.2). */
struct vmx_control_limits {
    u32 must, may;
};

struct vmx_capabilities {
    u64 basic;
    struct vmx_control_limits pin, primary, secondary, exit, entry;
    u64 misc;
    u64 cr0_fixed0, cr0_fixed1; /* must be one, may be one */
    u64 cr4_fixed0, cr4_fixed1;
    u64 ept_vpid;
};

/* IA32_VMX_BASIC (A.1) */
#define VMX_BASIC_REVISION(basic) ((u32)((basic)&MASK(31)))
#define VMX_BASIC_TRUE_CONTROLS   BIT(55)

/* IA32_VMX_MISC (A.6): one tick of the preemption timer is 2^this of the TSC. */
#define VMX_MISC_TIMER_SHIFT(misc) ((misc)&0x1f)

/* IA32_VMX_EPT_VPID_CAP (A.10) */
#define VMX_EPT_WALK_4     BIT(6)
#define VMX_EPT_WRITE_BACK BIT(14)
#define VMX_EPT_2M         BIT(16)
#define VMX_EPT_1G         BIT(17)
#define VMX_INVEPT         BIT(20)
#define VMX_INVEPT_SINGLE  BIT(25)
#define VMX_INVVPID        BIT(32)
#define VMX_INVVPID_ALL    BIT(42)

/* The next thing that the processor lacks of what we need, or of what we would use, from *position
 * on (0 at first); NULL: no more. */
const char *vmx_next_lacking(const struct vmx_capabilities *capabilities, bool is_needed,
                             unsigned *position);

bool vmx_has_vpid(const struct vmx_capabilities *capabilities);
/* All that a virtual APIC takes. */
bool vmx_has_virtual_apic(const struct vmx_capabilities *capabilities);

static inline struct vmx_control_limits vmx_control_limits(u64 msr)
{
    return (struct vmx_control_limits){ (u32)msr, (u32)(msr >> 32) };
}

#endif
