/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/api/debug_syscall.h"

#ifdef BULKHEAD_DEBUG

#include "abi/syscalls.h"
#include "kernel/api/ipc.h"
#include "kernel/core/core.h"
#include "kernel/core/panic.h"
#include "kernel/core/print.h"
#include "kernel/object/cnode.h"
#include "kernel/object/sched_context.h"
#include "kernel/sched/queues.h"

static struct cap capability(struct tcb *thread, u64 cptr)
{
    struct slot_lookup lookup = cspace_lookup(thread, cptr);

    return lookup.slot ? lookup.slot->cap : cap_null();
}

static void dump_scheduler(const struct core *core)
{
    const struct tcb *current = core->current;

    print("core %u: running \"%s\" priority %u\n", core->id, current->name, current->priority);
    for (unsigned priority = CONFIG_PRIORITIES; priority-- > 0;)
        for (const struct tcb *tcb = core->ready[priority].head; tcb; tcb = tcb->sched_next)
            print("  ready \"%s\" priority %u\n", tcb->name, priority);
    for (unsigned node = 1; node <= core->release_count; node++) {
        const struct tcb *tcb = release_at(core, node);

        print("  waits for its budget: \"%s\" priority %u\n", tcb->name, tcb->priority);
    }
}

/* The name is in the IPC buffer, from message word 0 on: the caller's mistakes stop the machine. */
static void name_thread(struct tcb *caller, struct cap target)
{
    const u64 *buffer = tcb_buffer_for_send(caller);
    const char *from;
    char *to;
    size_t i = 0;

    if (target.type != CAP_TCB || !buffer)
        panic("DebugNameThread: no TCB, or no IPC buffer");
    from = (const char *)(buffer + 1);
    to = cap_tcb(target)->name;
    do {
        if (i == sizeof(((struct tcb *)0)->name))
            panic("DebugNameThread: the name does not end");
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    } while (to[i++]);
}

static u64 thread_core(struct cap target)
{
    if (target.type != CAP_TCB)
        panic("DebugGetThreadAffinity: no TCB");
    return cap_tcb(target)->core;
}

bool debug_syscall(s64 number)
{
    struct tcb *caller = this_core()->current;
    u64 *rdi = &caller->context.rdi;

    switch (number) {
    case seL4_SysDebugPutChar:
        print_char((char)*rdi);
        return true;
    case seL4_SysDebugDumpScheduler:
    case seL4_SysDebugSnapshot:
        dump_scheduler(this_core());
        return true;
    case seL4_SysDebugHalt:
        panic("DebugHalt by thread \"%s\"", caller->name);
    case seL4_SysDebugCapIdentify:
        *rdi = capability(caller, *rdi).type;
        return true;
    case seL4_SysDebugNameThread:
        name_thread(caller, capability(caller, *rdi));
        return true;
    case seL4_SysDebugGetThreadAffinity:
        *rdi = thread_core(capability(caller, *rdi));
        return true;
    default:
        return false;
    }
}

#else

bool debug_syscall(s64 number)
{
    (void)number;
    return false;
}

#endif
