/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each system call and invocation costs that our monitors and servers use while guests run,
 * on one core and without a switch of threads: docs/performance.md says who uses which. VMEnter,
 * Call and what switches are measured elsewhere (tests/guest/exits.c, ipc.c).
 */
#include <bulkhead/vcpu.h>

#include "abi/vmcs.h"
#include "tests/bench/bench.h"

#define PORT        0x80 /* of power-on self-tests: nothing hears it */
#define IRQ_PIN     4
#define IRQ_VECTOR  0
#define CNODE_DEPTH seL4_WordBits
#define MSR_LSTAR   0xc0000082

static char stack[BENCH_PAGE] __attribute__((aligned(16)));
static struct bench_thread other; /* never runs: its priority is below ours */
static seL4_CPtr notification, endpoint, reply, irq, port, vcpu;
static seL4_UserContext registers;

static void run(seL4_Word first, seL4_Word second)
{
    (void)first;
    (void)second;
    for (;;)
        ;
}

/* --- operations ------------------------------------------------------------------------------ */

static void do_yield(void)
{
    seL4_Yield();
}

static void do_signal(void)
{
    seL4_Signal(notification);
}

static void do_poll(void)
{
    seL4_Word badge;

    seL4_Poll(notification, &badge);
}

static void do_nb_receive(void)
{
    seL4_Word badge;

    seL4_NBRecv(endpoint, &badge, reply);
}

static void do_suspend(void)
{
    seL4_TCB_Suspend(other.tcb);
}

static void do_resume(void)
{
    seL4_TCB_Resume(other.tcb);
}

static void do_write_registers(void)
{
    seL4_TCB_WriteRegisters(other.tcb, 0, 0, sizeof(registers) / sizeof(seL4_Word), &registers);
}

static void do_irq_ack(void)
{
    seL4_IRQHandler_Ack(irq);
}

static void do_port_in(void)
{
    seL4_X86_IOPort_In8(port, PORT);
}

static void do_port_out(void)
{
    seL4_X86_IOPort_Out8(port, PORT, 0);
}

static void do_read_field(void)
{
    seL4_X86_VCPU_ReadVMCS(vcpu, VMCS_GUEST_CR0);
}

static void do_write_field(void)
{
    seL4_X86_VCPU_WriteVMCS(vcpu, VMCS_GUEST_CR3, 0);
}

static void do_read_msr(void)
{
    seL4_X86_VCPU_ReadMSR(vcpu, MSR_LSTAR);
}

static void do_write_msr(void)
{
    seL4_X86_VCPU_WriteMSR(vcpu, MSR_LSTAR, 0);
}

/* --- */

static void make_objects(void)
{
    other = (struct bench_thread){ .vspace = seL4_CapInitThreadVSpace,
                                   .stack = stack,
                                   .entry = run,
                                   .priority = BENCH_PRIORITY - 1 };
    bench_thread_make(&other);
    registers.rip = (seL4_Word)run;
    notification = bench_new(seL4_NotificationObject, 0);
    endpoint = bench_new(seL4_EndpointObject, 0);
    reply = bench_new(seL4_ReplyObject, 0);
    vcpu = bench_new(seL4_X86_VCPUObject, 0);
    irq = bench_slot();
    bench_check((seL4_Word)seL4_IRQControl_GetIOAPIC(seL4_CapIRQControl, seL4_CapInitThreadCNode,
                                                     irq, CNODE_DEPTH, 0, IRQ_PIN, 0, 0,
                                                     IRQ_VECTOR),
                "IRQControl_GetIOAPIC");
    port = bench_slot();
    bench_check((seL4_Word)seL4_X86_IOPortControl_Issue(seL4_CapIOPortControl, PORT, PORT,
                                                        seL4_CapInitThreadCNode, port, CNODE_DEPTH),
                "IOPortControl_Issue");
}

int main(seL4_Word argument)
{
    bench_begin(argument);
    make_objects();
    bench_report("call.yield", do_yield, 0);
    bench_report("call.signal", do_signal, do_poll);
    bench_report("call.poll", do_poll, 0);
    bench_report("call.nb_receive", do_nb_receive, 0);
    bench_report("call.tcb_resume", do_resume, do_suspend);
    bench_report("call.tcb_suspend", do_suspend, do_resume);
    do_suspend();
    bench_report("call.tcb_write_registers", do_write_registers, 0);
    bench_report("call.irq_ack", do_irq_ack, 0);
    bench_report("call.port_in", do_port_in, 0);
    bench_report("call.port_out", do_port_out, 0);
    bench_report("call.vcpu_read_field", do_read_field, 0);
    bench_report("call.vcpu_write_field", do_write_field, 0);
    bench_report("call.vcpu_read_msr", do_read_msr, 0);
    bench_report("call.vcpu_write_msr", do_write_msr, 0);
    bench_end();
}
