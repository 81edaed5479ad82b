/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Do exits on several cores get into each other's way? VMs, each on a core of its own, do nothing
 * but CPUID; how many exits one alone makes in a while is compared with what 2 and 4 make together.
 * It means something where the emulator's cores advance together, step by step, as in Bochs.
 */
#include "tests/kernel/harness.h"
#include "tests/kernel/vm.h"

#define MAX_VMS  4
#define ROUNDS   5
#define ROUND_US 100000

extern const char guest_cpuid_loop[], guest_cpuid_loop_end[];
__asm__(".section .rodata.guests, \"a\"\n"
        "guest_cpuid_loop:\n"
        "1: cpuid\n"
        "jmp 1b\n"
        "guest_cpuid_loop_end:\n"
        ".text\n");

static struct vm vms[MAX_VMS];
static struct thread *threads[MAX_VMS];

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

/* Exits in a second of so many VMs together: the last ones, for this program is on core 0. */
static seL4_Word exits_per_second(unsigned vms_at_once)
{
    seL4_Word start = us_now(), exits = 0;
    unsigned first = MAX_VMS - vms_at_once;

    for (unsigned n = first; n < MAX_VMS; n++) {
        threads[n]->result[0] = 0;
        thread_start(threads[n]);
    }
    sleep_us(ROUND_US);
    for (unsigned n = first; n < MAX_VMS; n++)
        REQUIRE_OK(seL4_TCB_Suspend(threads[n]->tcb));
    for (unsigned n = first; n < MAX_VMS; n++)
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
    seL4_Word values[ROUNDS];

    REQUIRE(boot->numNodes >= MAX_VMS);
    for (unsigned n = 0; n < MAX_VMS; n++)
        prepare(n);
    for (unsigned at_once = 1; at_once <= MAX_VMS; at_once *= 2) {
        for (unsigned i = 0; i < ROUNDS; i++)
            values[i] = exits_per_second(at_once);
        print("bench: parallel.exits.%u %lu\n", at_once, median(values));
    }
}

TEST_SUITE(parallel, { "exits", exits });

int main(seL4_Word argument)
{
    harness_begin(initial_task_begin(argument));
    harness_run(&parallel_suite);
    print("bench: done\n");
    harness_end();
}
