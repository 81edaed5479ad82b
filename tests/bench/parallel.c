/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Do exits on two cores get into each other's way? Two VMs, each on a core of its own, do nothing
 * but CPUID; how many exits a core alone makes in a while is compared with what both make together.
 * Times of an emulator mean nothing, their ratio does: rounds alternate, and the median counts.
 */
#include "tests/kernel/harness.h"
#include "tests/kernel/vm.h"

#define ROUNDS   9
#define ROUND_US 300000

extern const char guest_cpuid_loop[], guest_cpuid_loop_end[];
__asm__(".section .rodata.guests, \"a\"\n"
        "guest_cpuid_loop:\n"
        "1: cpuid\n"
        "jmp 1b\n"
        "guest_cpuid_loop_end:\n"
        ".text\n");

static struct vm vms[2];
static struct thread *threads[2];

static void monitor_main(struct thread *self, seL4_Word n)
{
    seL4_Word rip = VM_CODE;

    for (;;) {
        struct sel4_registers r = { 0, 0, rip, vms[n].primary, 0, 0 };

        sel4_syscall(seL4_SysVMEnter, &r, 0, 0);
        rip = r.mr0 + 2;
        self->result[0]++;
    }
}

static void prepare(unsigned n)
{
    struct vm *vm = &vms[n];

    vm_create(vm, n);
    vm_set_mode(vm, VM_LONG);
    vm_load(vm, guest_cpuid_loop, guest_cpuid_loop_end);
    threads[n] = thread_create(n, monitor_main, n, TEST_PRIORITY - 5, 5000, 5000, 0);
    REQUIRE_OK(seL4_SchedControl_ConfigureFlags(boot->schedcontrol.start + n, threads[n]->sc, 5000,
                                                5000, 0, 0, 0));
    vm_bind(vm, threads[n]->tcb);
}

/* Exits in a second of the VMs first .. 1 together. */
static seL4_Word exits_per_second(unsigned first)
{
    seL4_Word start = us_now(), exits = 0;

    for (unsigned n = first; n < 2; n++) {
        threads[n]->result[0] = 0;
        thread_start(threads[n]);
    }
    sleep_us(ROUND_US);
    for (unsigned n = first; n < 2; n++)
        REQUIRE_OK(seL4_TCB_Suspend(threads[n]->tcb));
    for (unsigned n = first; n < 2; n++)
        exits += threads[n]->result[0];
    return exits * 1000000 / (us_now() - start);
}

static seL4_Word median(seL4_Word *values)
{
    for (unsigned i = 1; i < ROUNDS; i++)
        for (unsigned j = i; j > 0 && values[j] < values[j - 1]; j--) {
            seL4_Word lower = values[j];

            values[j] = values[j - 1];
            values[j - 1] = lower;
        }
    return values[ROUNDS / 2];
}

static void exits(void)
{
    seL4_Word one[ROUNDS], two[ROUNDS], ratio[ROUNDS];

    REQUIRE(boot->numNodes >= 2);
    prepare(0);
    prepare(1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        one[i] = exits_per_second(1);
        two[i] = exits_per_second(0);
        ratio[i] = one[i] ? two[i] * 100 / one[i] : 0;
    }
    print("bench: parallel.exits.one_core %lu\n", median(one));
    print("bench: parallel.exits.two_cores %lu\n", median(two));
    print("bench: parallel.exits.ratio_percent %lu\n", median(ratio));
}

TEST_SUITE(parallel, { "exits", exits });

int main(seL4_Word argument)
{
    harness_begin(initial_task_begin(argument));
    harness_run(&parallel_suite);
    print("bench: done\n");
    harness_end();
}
