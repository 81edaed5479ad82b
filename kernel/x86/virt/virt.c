/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/virt/virt.h"

#include "kernel/core/core.h"
#include "kernel/core/print.h"
#include "kernel/object/vcpu.h"
#include "kernel/vspace/vspace.h"
#include "kernel/x86/cpu.h"

const struct virt_backend *virt;
bool virt_has_virtual_apic;
u64 virt_guest_xcr0 = 1;

#define CPUID_XSAVE        13u
#define XCR0_FOR_GUESTS    0xe7ull /* x87, SSE, AVX, AVX-512 */
#define XSAVE_LEGACY_BYTES 576u

/* The most state components that guests may have: those that XSAVE's standard format can put into
 * the VCPU's area. Each component's place is fixed by the CPU (CPUID 13, subleaf = component). */
static u64 guest_xcr0(void)
{
    if (!cpu.xsave)
        return 3;

    struct cpuid supported = cpuid(CPUID_XSAVE, 0);
    u64 mask = (supported.eax | (u64)supported.edx << 32) & XCR0_FOR_GUESTS;

    for (unsigned i = 2; i < 64; i++) {
        if (!(mask & BIT(i)))
            continue;
        struct cpuid component = cpuid(CPUID_XSAVE, i);

        if (component.ebx + component.eax > VCPU_FPU_AREA_BYTES)
            mask &= ~BIT(i);
    }
    return mask;
}

void virt_init(void)
{
    if (svm_backend.probe())
        virt = &svm_backend;
    else if (vmx_backend.probe())
        virt = &vmx_backend;
    if (!virt) {
        print("no hardware virtualisation: VCPU objects are not available\n");
        return;
    }
    nested_format = virt->nested_format;
    virt_guest_xcr0 = guest_xcr0();
    print("virtualisation: %s\n", virt->name);
}

void virt_init_core(void)
{
    if (!virt)
        return;
    if (cpu.rdtscp)
        wrmsr(MSR_TSC_AUX, 0);
    virt->init_core();
}
