/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel tells processors about translations, for the host: kernel/x86/tlb.c and the AMD-V
 * backend as they are, with the few instructions that they reach here given to the test.
 */
#include "tests/unit/kernel/processors.h"

#include "kernel/object/vcpu.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"

#define invalidate_page  processor_invalidate_page
#define write_cr3        processor_write_cr3
#define tlb_flush_page   cores_flush_page
#define tlb_flush_space  cores_flush_space
#define tlb_flush_nested cores_flush_nested
#include "kernel/x86/tlb.c"

#define write_cr2(value) ((void)(value))
#include "kernel/x86/virt/svm/svm.c"

void processors_reset(unsigned asids)
{
    memset(svm_cores, 0, sizeof svm_cores);
    for (unsigned i = 0; i < nr_cores; i++) {
        svm_cores[i].asid_generation = 1;
        svm_cores[i].next_asid = 1;
        cores[i].virt = &svm_cores[i];
    }
    nr_asids = asids;
}

/* The world switch. */
void svm_enter(const u64 *registers, u64 vmcb_hpa, u64 host_vmcb_hpa, u64 *gpr)
{
    struct vmcb *vmcb = hpa_to_ptr(hpa(vmcb_hpa));

    (void)registers;
    (void)gpr;
    unlock_this_core();
    (void)host_vmcb_hpa;
    processor_run_guest(vmcb->control.asid, hpa(vmcb->control.nested_cr3),
                        vmcb->control.tlb_control == TLB_CONTROL_FLUSH_ALL);
    vmcb->control.exit_code = SVM_EXIT_INTR;
}

/* --- what the test never comes to ------------------------------------------------------------ */

struct cpu cpu;
u64 virt_guest_xcr0;

void core_interrupt(unsigned core)
{
    (void)core;
}

void apic_look_again(void)
{
}

void vcpu_set_deadline(struct vcpu *vcpu, ticks_t deadline)
{
    vcpu->deadline = deadline;
}
