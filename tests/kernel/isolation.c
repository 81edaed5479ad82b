/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two VMs and a user thread on one core, each with its own values in every register that they could
 * share, checking them again and again while they take the processor from each other at odd
 * moments.
 */
#include "tests/kernel/calls.h"
#include "tests/kernel/vm.h"

extern const char guest_isolation[], guest_isolation_end[], guest_spin[], guest_spin_end[];

#define NR_VMS 2
#define ROUNDS 30000

static struct vm vms[NR_VMS];
static volatile bool running;

static void vm_main(struct thread *self, seL4_Word n)
{
    struct vm *vm = &vms[n];
    seL4_Word rip = VM_CODE;

    for (;;) {
        struct sel4_registers r = { 0, 0, rip, vm->primary, 0, 0 };

        sel4_syscall(seL4_SysVMEnter, &r, 0, 0);
        if (r.rsi == SEL4_VMENTER_RESULT_NOTIF) {
            rip = r.mr0;
            continue;
        }
        self->result[0] = r.mr3;
        self->result[1] = self->ipc->msg[VMENTER_MR_QUALIFICATION] >> VMX_IO_PORT_SHIFT;
        self->result[2] = self->ipc->msg[VMENTER_MR_RAX];
        self->result[3] = r.mr0;
        /* WRMSR of those that the kernel does not pass through would come here. */
        break;
    }
    self->done = 1;
}

/* A user thread with values of its own. */
static void user_main(struct thread *self, seL4_Word seed)
{
    while (running) {
        seL4_Word xmm = 0, fs = 0;

        __asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm15" : : "r"(seed));
        busy_wait(50);
        __asm__ volatile("movq %%xmm0, %0" : "=r"(xmm));
        self->result[1] += xmm != seed;
        __asm__ volatile("movq %%xmm15, %0" : "=r"(xmm));
        self->result[1] += xmm != seed;
        __asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
        self->result[1] += fs != 0xf5f5;
        self->result[0]++;
        /* System calls must find their way, whatever LSTAR a guest has. */
        seL4_Yield();
    }
    self->done = 1;
}

static struct thread *vm_thread(unsigned n, seL4_Word budget, seL4_Word period)
{
    struct vm *vm = &vms[n];
    struct thread *t;
    seL4_VCPUContext regs = { .rdi = 0x100000 * (n + 1), .rsi = ROUNDS };

    vm_create(vm, n);
    vm_set_mode(vm, VM_LONG);
    vm_load(vm, guest_isolation, guest_isolation_end);
    REQUIRE_OK(seL4_X86_VCPU_WriteRegisters(vm->vcpu, &regs));
    t = thread_create(n, vm_main, n, TEST_PRIORITY - 5, budget, period, 0);
    vm_bind(vm, t->tcb);
    return t;
}

static void everything(void)
{
    static const seL4_Word tls = 0xf5f5;
    struct thread *t[NR_VMS];
    struct thread *user;

    /* Odd periods, so that they meet at all phases. */
    t[0] = vm_thread(0, 331, 331);
    t[1] = vm_thread(1, 277, 277);
    running = true;
    user = thread_create(2, user_main, 0x5555aaaa5555, TEST_PRIORITY - 4, 61, 193, 0);
    REQUIRE_OK(seL4_TCB_SetTLSBase(user->tcb, (seL4_Word)&tls));
    for (unsigned n = 0; n < NR_VMS; n++)
        thread_start(t[n]);
    thread_start(user);
    for (unsigned n = 0; n < NR_VMS; n++) {
        CHECK(thread_wait(t[n], PATIENCE_US));
        CHECK_EQ(t[n]->result[0], VMX_EXIT_IO);
        CHECK_EQ(t[n]->result[1], 0x80);
        if (t[n]->result[1] != 0x80)
            print("     VM %u: check %lu of guests.S, exit %lu at 0x%lx\n", n, t[n]->result[2],
                  t[n]->result[0], t[n]->result[3]);
    }
    running = false;
    CHECK(thread_wait(user, PATIENCE_US));
    CHECK_EQ(user->result[1], 0);
    print("     %lu rounds of the user thread\n", user->result[0]);
    CHECK(user->result[0] > 0);
}

/* The monitor's own registers survive a guest. */
static void monitor(void)
{
    struct vm *vm = &vms[0];
    struct vmenter_message m;
    seL4_VCPUContext regs = { .rdi = 0x100000, .rsi = 10 };
    seL4_Word xmm;
    uint32_t mxcsr = 0x7f80, mxcsr_after;

    vm_create(vm, 0);
    vm_bind(vm, seL4_CapInitThreadTCB);
    vm_set_mode(vm, VM_LONG);
    vm_load(vm, guest_isolation, guest_isolation_end);
    REQUIRE_OK(seL4_X86_VCPU_WriteRegisters(vm->vcpu, &regs));
    __asm__ volatile("movq %0, %%xmm7; ldmxcsr %1" : : "r"(0x1234567890ul), "m"(mxcsr));
    seL4_Word reason = vm_run(vm, &m, VM_CODE);

    __asm__ volatile("movq %%xmm7, %0; stmxcsr %1" : "=r"(xmm), "=m"(mxcsr_after));
    CHECK_EQ(reason, VMX_EXIT_IO);
    CHECK_EQ(exit_word(VMENTER_MR_QUALIFICATION) >> VMX_IO_PORT_SHIFT, 0x80);
    CHECK_EQ(xmm, 0x1234567890);
    CHECK_EQ(mxcsr_after, mxcsr);
    mxcsr = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    /* What the guest wrote can be read where the API shows it. */
    CHECK_EQ(vm_read(vm, VMCS_GUEST_FS_BASE), 0x100100);
    CHECK_EQ(vm_read(vm, VMCS_GUEST_GS_BASE), 0x100200);
    CHECK_EQ(vm_read(vm, VMCS_GUEST_SYSENTER_ESP), 0x100800);
    if (extensions & BULKHEAD_EXT_VCPU_STATE) {
        CHECK_EQ(seL4_X86_VCPU_ReadMSR(vm->vcpu, VCPU_MSR_KERNEL_GS_BASE).value, 0x100300);
        CHECK_EQ(vm_read(vm, VCPU_FIELD_CR2), 0x100e00);
        CHECK_EQ(vm_read(vm, VCPU_FIELD_DR3), 0x100d00);
    }
}

/* --- shares of a core ------------------------------------------------------------------------ */

#define SHARE_US    3000
#define PERIOD_US   10000
#define MEASURED_US 1000000

static void spin_main(struct thread *self, seL4_Word n)
{
    struct sel4_registers r = { 0, 0, VM_CODE, vms[n].primary, 0, 0 };

    (void)self;
    sel4_syscall(seL4_SysVMEnter, &r, 0, 0);
}

/* A guest with 30 % of a core gets that beside one that takes all it can get. */
static void shares(void)
{
    seL4_Word budget[NR_VMS] = { SHARE_US, PERIOD_US }, count[NR_VMS];
    struct thread *t[NR_VMS];
    seL4_Word share;

    for (unsigned n = 0; n < NR_VMS; n++) {
        vm_create(&vms[n], n);
        vm_set_mode(&vms[n], VM_LONG);
        vm_load(&vms[n], guest_spin, guest_spin_end);
        t[n] = thread_create(n, spin_main, n, TEST_PRIORITY - 5 - n, budget[n], PERIOD_US, 0);
        vm_bind(&vms[n], t[n]->tcb);
        thread_start(t[n]);
    }
    sleep_us(5 * PERIOD_US);
    for (unsigned n = 0; n < NR_VMS; n++)
        count[n] = *vm_word(&vms[n], VM_DATA);
    sleep_us(MEASURED_US);
    for (unsigned n = 0; n < NR_VMS; n++) {
        REQUIRE_OK(seL4_TCB_Suspend(t[n]->tcb));
        count[n] = *vm_word(&vms[n], VM_DATA) - count[n];
    }
    REQUIRE(count[0] + count[1] > 0);
    share = count[0] * 1000 / (count[0] + count[1]);
    print("     share of the guest with 300 of 1000: %lu\n", share);
    CHECK(count[1] > 0);
    CHECK_TIME(share >= 280 && share <= 320);
}

TEST_SUITE(isolation, { "two VMs and a thread", everything }, { "monitor", monitor },
           { "shares", shares });
