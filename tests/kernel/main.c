/* SPDX-License-Identifier: BSD-2-Clause */
/* The initial task that tests the kernel: what harness.h describes, suite after suite. */
#include "tests/kernel/harness.h"

/* What others use comes first. */
static const struct test_suite *const suites[] = {
    &bootinfo_suite,   &debug_suite,        &untyped_suite,      &cnode_suite,   &dispatch_suite,
    &tcb_suite,        &endpoint_suite,     &notification_suite, &reply_suite,   &fault_suite,
    &frame_suite,      &paging_suite,       &asid_suite,         &io_port_suite, &irq_suite,
    &sched_suite,      &preemption_suite,   &ept_suite,          &vcpu_suite,    &guest_suite,
    &extension_suite,  &virtual_apic_suite, &isolation_suite,    &hostile_suite, &smp_suite,
    &smp_stress_suite, &restart_suite,      &start_suite,
};

int main(seL4_Word argument)
{
    harness_begin(initial_task_begin(argument));
    for (unsigned i = 0; i < ARRAY_LENGTH(suites); i++)
        harness_run(suites[i]);
    harness_end();
}
