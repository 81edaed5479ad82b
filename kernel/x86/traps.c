/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions and interrupts, once the entry stubs have saved what was running: hands each to the
 * part of the kernel that knows what it means.
 * Sources: Intel SDM volume 3, section 6.15 (exceptions); ABI section 2.2 (INT n).
 */
#include "kernel/x86/traps.h"

#include "kernel/api/syscall.h"
#include "kernel/core/core.h"
#include "kernel/core/lock.h"
#include "kernel/core/panic.h"
#include "kernel/object/irq.h"
#include "kernel/object/tcb.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/fpu.h"

#define VECTOR_NM       7
#define VECTOR_PF       14
#define FIRST_INTERRUPT 32
#define INT_N_LENGTH    2

static void device_not_available(struct tcb *thread)
{
    lock_this_core();

    /* If another core has stopped it meanwhile, the handler below finds nothing to do. */
    bool may_use = this_core()->current == thread && fpu_switch_to_thread(thread);

    unlock();
    if (!may_use)
        handle_user_exception(VECTOR_NM, 0);
}

static void exception_from_user(unsigned vector, struct tcb *thread)
{
    switch (vector) {
    case VECTOR_PF:
        handle_page_fault(read_cr2(), thread->context.error_code);
        break;
    case VECTOR_NM:
        device_not_available(thread);
        break;
    default:
        handle_user_exception(vector, thread->context.error_code);
    }
}

/* `int n`: the number is made of n and eax; the thread stands at the instruction. */
static void unknown_syscall(unsigned vector, struct tcb *thread)
{
    u32 number = (u32)vector << 24 | ((u32)thread->context.rax & 0xffffff);

    thread->context.rip -= INT_N_LENGTH;
    handle_unknown_syscall((s64)(int32_t)number);
}

void trap_interrupt(u64 vector)
{
    if (vector == VECTOR_TIMER) {
        apic_end_of_interrupt();
        handle_timer();
    } else if (vector >= VECTOR_DEVICES && vector < VECTOR_DEVICES + IRQ_COUNT) {
        /* Its pin is masked in there: a level-triggered one would come back at once otherwise. */
        handle_interrupt((unsigned)vector - VECTOR_DEVICES);
        apic_end_of_interrupt();
    } else if (vector == VECTOR_CORE) {
        apic_end_of_interrupt();
        handle_other_core();
    }
    /*
     * Else spurious: of the local APIC, or of a disabled 8259; neither waits for an
     * acknowledgement.
     */
}

void trap_from_user(u64 vector)
{
    struct tcb *thread = this_core()->current;

    forbid_user_access();
    if (vector < FIRST_INTERRUPT)
        exception_from_user((unsigned)vector, thread);
    else if (vector >= VECTOR_UNKNOWN_SYSCALL && vector != VECTOR_SPURIOUS)
        unknown_syscall((unsigned)vector, thread);
    else
        trap_interrupt(vector);
}
