/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What IPC costs, as an initial task sees it: round trips to a passive server in the same and in
 * another address space, signals, and a system call that does nothing. Under the emulator's -icount
 * a tick is an instruction; each figure is the least of several rounds, less what reading the clock
 * costs.
 */
#include <sel4/sel4.h>

#include "user/start/start.h"

#define ROUNDS    64
#define PAGE      4096ul
#define PRIORITY  255
#define BUDGET_US 5000

extern char __image_start[], __image_end[];

static seL4_BootInfo *info;
static seL4_CPtr next_slot;
static seL4_CPtr memory; /* an untyped that everything here is made of */

static char server_stack[2][PAGE] __attribute__((aligned(16)));

static inline seL4_Word ticks(void)
{
    seL4_Uint32 low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (seL4_Word)high << 32 | low;
}

static void check(seL4_Word error, const char *what)
{
    if (error)
        panic("%s: error %lu\n", what, error);
}

static seL4_CPtr make(seL4_Word type, seL4_Word size_bits)
{
    seL4_CPtr slot = next_slot++;

    check((seL4_Word)seL4_Untyped_Retype(memory, type, size_bits, seL4_CapInitThreadCNode, 0, 0,
                                         slot, 1),
          "Untyped_Retype");
    return slot;
}

static void find_memory(void)
{
    seL4_Word best = 0;

    for (seL4_Word i = 0; i < info->untyped.end - info->untyped.start; i++) {
        const seL4_UntypedDesc *untyped = &info->untypedList[i];

        if (!untyped->isDevice && untyped->sizeBits > best) {
            best = untyped->sizeBits;
            memory = info->untyped.start + i;
        }
    }
    next_slot = info->empty.start;
}

/* --- a server -------------------------------------------------------------------------------- */

struct server {
    seL4_CPtr endpoint, reply, vspace;
    char *stack;
};

static void serve(seL4_CPtr endpoint, seL4_CPtr reply)
{
    seL4_Word badge;
    seL4_MessageInfo_t tag = seL4_Recv(endpoint, &badge, reply);

    for (;;)
        tag = seL4_ReplyRecv(endpoint, tag, &badge, reply);
}

/* Another address space with the same program in it. */
static void map_copy(seL4_CPtr frame, seL4_CPtr vspace, seL4_Word address)
{
    seL4_CPtr copy = next_slot++;

    check((seL4_Word)seL4_CNode_Copy(seL4_CapInitThreadCNode, copy, seL4_WordBits,
                                     seL4_CapInitThreadCNode, frame, seL4_WordBits, seL4_AllRights),
          "copy of a frame");
    check((seL4_Word)seL4_X86_Page_Map(copy, vspace, address, seL4_AllRights,
                                       seL4_X86_Default_VMAttributes),
          "map");
}

static seL4_CPtr copy_address_space(void)
{
    seL4_CPtr pml4 = make(seL4_X64_PML4Object, 0);
    seL4_Word start = (seL4_Word)__image_start;

    check((seL4_Word)seL4_X86_ASIDPool_Assign(seL4_CapInitThreadASIDPool, pml4), "assign");
    check((seL4_Word)seL4_X86_PDPT_Map(make(seL4_X86_PDPTObject, 0), pml4, start, 0), "PDPT");
    check((seL4_Word)seL4_X86_PageDirectory_Map(make(seL4_X86_PageDirectoryObject, 0), pml4, start,
                                                0),
          "page directory");
    check((seL4_Word)seL4_X86_PageTable_Map(make(seL4_X86_PageTableObject, 0), pml4, start, 0),
          "page table");
    for (seL4_Word i = 0; i < info->userImageFrames.end - info->userImageFrames.start; i++)
        map_copy(info->userImageFrames.start + i, pml4, start + i * PAGE);
    /* The stubs mirror message registers to the library's one buffer; here nothing reads it. */
    map_copy(seL4_CapInitThreadIPCBuffer, pml4, (seL4_Word)info->ipcBuffer);
    return pml4;
}

/* Starts the server on a context of its own until it waits, then takes that away: passive. */
static void start_server(const struct server *server)
{
    seL4_CPtr tcb = make(seL4_TCBObject, 0);
    seL4_CPtr context = make(seL4_SchedContextObject, seL4_MinSchedContextBits);
    seL4_UserContext registers = { 0 };

    check((seL4_Word)seL4_SchedControl_ConfigureFlags(info->schedcontrol.start, context, BUDGET_US,
                                                      BUDGET_US, 0, 0, 0),
          "SchedControl_ConfigureFlags");
    check((seL4_Word)seL4_TCB_Configure(tcb, seL4_CapInitThreadCNode, 0, server->vspace, 0, 0,
                                        seL4_CapNull),
          "TCB_Configure");
    check((seL4_Word)seL4_TCB_SetSchedParams(tcb, seL4_CapInitThreadTCB, PRIORITY, PRIORITY,
                                             context, 0),
          "TCB_SetSchedParams");
    registers.rip = (seL4_Word)serve;
    registers.rsp = (seL4_Word)(server->stack + PAGE - 8);
    registers.rdi = server->endpoint;
    registers.rsi = server->reply;
    check((seL4_Word)seL4_TCB_WriteRegisters(tcb, 1, 0, sizeof(registers) / sizeof(seL4_Word),
                                             &registers),
          "TCB_WriteRegisters");
    seL4_Yield();
    check((seL4_Word)seL4_SchedContext_Unbind(context), "SchedContext_Unbind");
}

/* --- figures --------------------------------------------------------------------------------- */

static seL4_CPtr object; /* what the operation being measured works on */

static void do_nothing(void)
{
    __asm__ volatile("");
}

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

static void do_invocation(void)
{
    seL4_X86_Page_GetAddress(seL4_CapInitThreadIPCBuffer);
}

static seL4_Word least(void (*operation)(void))
{
    seL4_Word best = ~0ul;

    for (unsigned i = 0; i < ROUNDS; i++) {
        seL4_Word start = ticks();

        operation();

        seL4_Word taken = ticks() - start;

        if (taken < best)
            best = taken;
    }
    return best;
}

static void report(const char *name, void (*operation)(void))
{
    print("bench: %s %lu\n", name, least(operation) - least(do_nothing));
}

int main(seL4_Word argument)
{
    info = initial_task_begin(argument);
    find_memory();

    struct server near = { .endpoint = make(seL4_EndpointObject, 0),
                           .reply = make(seL4_ReplyObject, 0),
                           .vspace = seL4_CapInitThreadVSpace,
                           .stack = server_stack[0] };
    struct server far = { .endpoint = make(seL4_EndpointObject, 0),
                          .reply = make(seL4_ReplyObject, 0),
                          .vspace = copy_address_space(),
                          .stack = server_stack[1] };

    start_server(&near);
    start_server(&far);

    object = near.endpoint;
    report("ipc.call_reply.same_space", do_call);
    object = far.endpoint;
    report("ipc.call_reply.other_space", do_call);
    object = make(seL4_NotificationObject, 0);
    report("ipc.signal_and_poll", do_signal_and_poll);
    report("ipc.invocation", do_invocation);
    print("bench: done\n");
    return 0;
}
