/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions of VT-x, one inline function each. VMREAD and VMWRITE mean the VMCS that is
 * current on this core. Host tests bring a VMCS of their own.
 * Sources: Intel SDM volume 3, chapter 31 "VMX instruction reference".
 */
#ifndef KERNEL_X86_VIRT_VMX_VMX_INSTRUCTIONS_H
#define KERNEL_X86_VIRT_VMX_VMX_INSTRUCTIONS_H

#include "kernel/core/panic.h"
#include "kernel/core/types.h"

/* False: the processor has no such field. */
#if __STDC_HOSTED__
bool vmread_try(u32 field, u64 *value);
bool vmwrite_try(u32 field, u64 value);
#else
static inline bool vmread_try(u32 field, u64 *value)
{
    bool succeeded;

    __asm__ volatile("vmread %2, %0" : "=r"(*value), "=@cca"(succeeded) : "r"((u64)field));
    return succeeded;
}

static inline bool vmwrite_try(u32 field, u64 value)
{
    bool succeeded;

    __asm__ volatile("vmwrite %2, %1" : "=@cca"(succeeded) : "r"((u64)field), "r"(value));
    return succeeded;
}
#endif

/* Fields that every processor has which vmx_probe accepts. */
static inline u64 vmread(u32 field)
{
    u64 value;

    kernel_assert(vmread_try(field, &value));
    return value;
}

static inline void vmwrite(u32 field, u64 value)
{
    kernel_assert(vmwrite_try(field, value));
}

/*
 * The same where it is plain that a VMCS is current, because it was just entered or is about to be:
 * nothing can fail. From memory and to memory, as the processor can.
 */
#if __STDC_HOSTED__
static inline void vmread_to(u32 field, u64 *place)
{
    *place = vmread(field);
}
#else
static inline void vmread_to(u32 field, u64 *place)
{
    __asm__ volatile("vmread %1, %0" : "=rm"(*place) : "r"((u64)field) : "cc");
}

static inline void vmwrite_from(u32 field, const u64 *place)
{
    __asm__ volatile("vmwrite %1, %0" : : "r"((u64)field), "m"(*place) : "cc");
}
#endif

static inline bool vmxon(hpa_t region)
{
    bool succeeded;

    __asm__ volatile("vmxon %1" : "=@cca"(succeeded) : "m"(region) : "memory");
    return succeeded;
}

/* Makes it this core's current VMCS. */
static inline void vmptrld(hpa_t vmcs)
{
    bool succeeded;

    __asm__ volatile("vmptrld %1" : "=@cca"(succeeded) : "m"(vmcs) : "memory");
    kernel_assert(succeeded);
}

/* The processor keeps nothing of it. */
static inline void vmclear(hpa_t vmcs)
{
    bool succeeded;

    __asm__ volatile("vmclear %1" : "=@cca"(succeeded) : "m"(vmcs) : "memory");
    kernel_assert(succeeded);
}

#define INVEPT_SINGLE 1ull
#define INVVPID_ALL   2ull

/* All translations that come from this root (an EPTP as in the VMCS). */
static inline void invept_single(u64 eptp)
{
    struct {
        u64 eptp, reserved;
    } descriptor = { eptp, 0 };
    bool succeeded;

    __asm__ volatile("invept %1, %2"
                     : "=@cca"(succeeded)
                     : "m"(descriptor), "r"(INVEPT_SINGLE)
                     : "memory");
    kernel_assert(succeeded);
}

/* All translations of all guests' own page tables. */
static inline void invvpid_all(void)
{
    struct {
        u64 vpid, address;
    } descriptor = { 0, 0 };
    bool succeeded;

    __asm__ volatile("invvpid %1, %2"
                     : "=@cca"(succeeded)
                     : "m"(descriptor), "r"(INVVPID_ALL)
                     : "memory");
    kernel_assert(succeeded);
}

#endif
