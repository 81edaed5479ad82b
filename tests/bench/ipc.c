/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What IPC costs on one core: round trips to a passive server in the same and in another address
 * space, signals and messages with and without a switch of threads, and a system call that does
 * nothing.
 */
#include "tests/bench/bench.h"

extern char __image_start[];

static char stacks[4][BENCH_PAGE] __attribute__((aligned(16)));

/* --- another address space ------------------------------------------------------------------- */

/* Another address space with the same program in it. */
static void map_copy(seL4_CPtr frame, seL4_CPtr vspace, seL4_Word address)
{
    seL4_CPtr copy = bench_slot();

    bench_check((seL4_Word)seL4_CNode_Copy(seL4_CapInitThreadCNode, copy, seL4_WordBits,
                                           seL4_CapInitThreadCNode, frame, seL4_WordBits,
                                           seL4_AllRights),
                "copy of a frame");
    bench_check((seL4_Word)seL4_X86_Page_Map(copy, vspace, address, seL4_AllRights,
                                             seL4_X86_Default_VMAttributes),
                "map");
}

static seL4_CPtr copy_address_space(void)
{
    seL4_CPtr pml4 = bench_new(seL4_X64_PML4Object, 0);
    seL4_Word start = (seL4_Word)__image_start;

    bench_check((seL4_Word)seL4_X86_ASIDPool_Assign(seL4_CapInitThreadASIDPool, pml4), "assign");
    bench_check((seL4_Word)seL4_X86_PDPT_Map(bench_new(seL4_X86_PDPTObject, 0), pml4, start, 0),
                "PDPT");
    bench_check((seL4_Word)seL4_X86_PageDirectory_Map(bench_new(seL4_X86_PageDirectoryObject, 0),
                                                      pml4, start, 0),
                "page directory");
    bench_check(
        (seL4_Word)seL4_X86_PageTable_Map(bench_new(seL4_X86_PageTableObject, 0), pml4, start, 0),
        "page table");
    for (seL4_Word i = 0; i < bench_info->userImageFrames.end - bench_info->userImageFrames.start;
         i++)
        map_copy(bench_info->userImageFrames.start + i, pml4, start + i * BENCH_PAGE);
    /* The stubs mirror message registers to the library's one buffer; here nothing reads it. */
    map_copy(seL4_CapInitThreadIPCBuffer, pml4, (seL4_Word)bench_info->ipcBuffer);
    return pml4;
}

/* --- threads --------------------------------------------------------------------------------- */

static void receive_for_ever(seL4_Word endpoint, seL4_Word reply)
{
    seL4_Word badge;

    for (;;)
        seL4_Recv(endpoint, &badge, reply);
}

/* It runs until it waits, because its priority is higher than ours. */
static void start(unsigned n, bench_entry entry, seL4_CPtr object, seL4_CPtr vspace, int passive)
{
    struct bench_thread thread = { .vspace = vspace,
                                   .stack = stacks[n],
                                   .entry = entry,
                                   .argument = { object, bench_new(seL4_ReplyObject, 0) },
                                   .priority = BENCH_PRIORITY + 1,
                                   .core = BENCH_FIRST_CORE };

    bench_thread_make(&thread);
    bench_thread_start(&thread);
    if (passive)
        bench_check((seL4_Word)seL4_SchedContext_Unbind(thread.context), "SchedContext_Unbind");
}

/* --- operations ------------------------------------------------------------------------------ */

static seL4_CPtr object; /* what they work on */

static void do_call(void)
{
    seL4_Call(object, seL4_MessageInfo_new(0, 0, 0, 2));
}

static void do_signal_and_poll(void)
{
    seL4_Word badge;

    seL4_Signal(object);
    seL4_NBWait(object, &badge);
}

static void do_signal(void)
{
    seL4_Signal(object);
}

static void do_send(void)
{
    seL4_Send(object, seL4_MessageInfo_new(0, 0, 0, 2));
}

static void do_invocation(void)
{
    seL4_X86_Page_GetAddress(seL4_CapInitThreadIPCBuffer);
}

static void report(const char *name, void (*operation)(void), seL4_CPtr on)
{
    object = on;
    bench_report(name, operation, 0);
}

int main(seL4_Word argument)
{
    seL4_CPtr near, far, notification, waited_for, endpoint;

    bench_begin(argument);
    near = bench_new(seL4_EndpointObject, 0);
    far = bench_new(seL4_EndpointObject, 0);
    notification = bench_new(seL4_NotificationObject, 0);
    waited_for = bench_new(seL4_NotificationObject, 0);
    endpoint = bench_new(seL4_EndpointObject, 0);
    start(0, bench_serve, near, seL4_CapInitThreadVSpace, 1);
    start(1, bench_serve, far, copy_address_space(), 1);
    start(2, bench_wait_for_ever, waited_for, seL4_CapInitThreadVSpace, 0);
    start(3, receive_for_ever, endpoint, seL4_CapInitThreadVSpace, 0);

    report("ipc.call_reply.same_space", do_call, near);
    report("ipc.call_reply.other_space", do_call, far);
    report("ipc.signal_and_poll", do_signal_and_poll, notification);
    report("ipc.signal_switch", do_signal, waited_for);
    report("ipc.send_switch", do_send, endpoint);
    report("ipc.invocation", do_invocation, 0);
    bench_end();
}
