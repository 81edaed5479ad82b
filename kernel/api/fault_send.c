/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/api/fault_send.h"

#include "abi/errors.h"
#include "abi/faults.h"
#include "kernel/api/ipc.h"
#include "kernel/core/print.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/sched_context.h"
#include "kernel/sched/sched.h"

/* --- sending --------------------------------------------------------------------------------- */

static void print_unhandled(const struct tcb *thread)
{
#if defined(BULKHEAD_DEBUG) && !defined(BULKHEAD_HOST)
    const struct fault *fault = &thread->fault;

    print("thread \"%s\" stops: fault %u without handler at 0x%llx (0x%llx 0x%llx)\n", thread->name,
          (unsigned)fault->type, (unsigned long long)tcb_fault_ip(thread),
          (unsigned long long)fault->word[0], (unsigned long long)fault->word[1]);
#else
    (void)thread;
#endif
}

static void call_handler(struct tcb *thread, struct cap handler, bool can_donate)
{
    unsigned rights = cap_rights(handler);

    endpoint_send(cap_object(handler), thread,
                  (struct send_options){
                      .badge = cap_badge(handler),
                      .blocking = true,
                      .is_call = true,
                      .can_grant = rights & RIGHT_GRANT,
                      .can_grant_reply = rights & RIGHT_GRANT_REPLY,
                      .can_donate = can_donate,
                  });
}

void fault_send(struct tcb *thread)
{
    struct cap handler = thread->slots[TCB_FAULT_HANDLER].cap;

    if (handler.type == CAP_ENDPOINT) {
        call_handler(thread, handler, true);
        return;
    }
    print_unhandled(thread);
    thread->fault.type = seL4_Fault_NullFault;
    thread_set_state(thread, THREAD_INACTIVE);
}

bool timeout_fault_send(struct tcb *thread)
{
    if (!tcb_has_timeout_handler(thread))
        return false;
    thread->fault.type = seL4_Fault_Timeout;
    thread->fault.word[0] = thread->sched_context->badge;
    call_handler(thread, thread->slots[TCB_TIMEOUT_HANDLER].cap, false);
    return true;
}

/* --- the message ----------------------------------------------------------------------------- */

struct message {
    struct tcb *receiver;
    u64 *buffer;
    unsigned length;
};

static void put(struct message *message, u64 value)
{
    unsigned length = ipc_set_word(message->receiver, message->buffer, message->length, value);

    message->length = length;
}

static void put_capability_fault(struct message *message, const struct tcb *thread)
{
    const struct lookup_failure *lookup = &thread->fault.lookup;

    put(message, tcb_fault_ip(thread));
    put(message, thread->fault.word[0]);
    put(message, thread->fault.word[1]);
    put(message, lookup->type);
    if (lookup->type == seL4_InvalidRoot)
        return;
    put(message, lookup->bits_left);
    if (lookup->type == seL4_GuardMismatch)
        put(message, lookup->guard_found);
    if (lookup->type != seL4_MissingCapability)
        put(message, lookup->bits_found);
}

/* The registers of an unknown system call, and of the answer to it, in the API's order. */
#define UNKNOWN_SYSCALL_REGISTERS 15
static u64 *unknown_syscall_register(struct user_context *c, unsigned i)
{
    u64 *const registers[UNKNOWN_SYSCALL_REGISTERS] = {
        &c->rax, &c->rbx, &c->rcx, &c->rdx, &c->rsi, &c->rdi, &c->rbp, &c->r8,
        &c->r9,  &c->r10, &c->r11, &c->r12, &c->r13, &c->r14, &c->r15,
    };

    return registers[i];
}

static void put_unknown_syscall(struct message *message, struct tcb *thread)
{
    for (unsigned i = 0; i < UNKNOWN_SYSCALL_REGISTERS; i++)
        put(message, *unknown_syscall_register(&thread->context, i));
    put(message, tcb_fault_ip(thread));
    put(message, thread->context.rsp);
    put(message, thread->context.rflags);
    put(message, thread->fault.word[0]);
}

static void put_user_exception(struct message *message, const struct tcb *thread)
{
    put(message, tcb_fault_ip(thread));
    put(message, thread->context.rsp);
    put(message, thread->context.rflags);
    put(message, thread->fault.word[0]);
    put(message, thread->fault.word[1]);
}

static void put_timeout(struct message *message, const struct tcb *thread)
{
    put(message, thread->fault.word[0]);
    if (thread->sched_context)
        put(message, sched_context_take_consumed(thread->sched_context));
}

static void put_vm_fault(struct message *message, const struct tcb *thread)
{
    put(message, tcb_fault_ip(thread));
    put(message, thread->fault.word[0]);
    put(message, thread->fault.word[1]);
    put(message, thread->fault.word[2]);
}

unsigned fault_message(struct tcb *thread, struct tcb *receiver, u64 *receive_buffer)
{
    struct message message = { .receiver = receiver, .buffer = receive_buffer };

    switch (thread->fault.type) {
    case seL4_Fault_CapFault:
        put_capability_fault(&message, thread);
        break;
    case seL4_Fault_UnknownSyscall:
        put_unknown_syscall(&message, thread);
        break;
    case seL4_Fault_UserException:
        put_user_exception(&message, thread);
        break;
    case seL4_Fault_Timeout:
        put_timeout(&message, thread);
        break;
    case seL4_Fault_VMFault:
        put_vm_fault(&message, thread);
        break;
    default:
        break;
    }
    return message.length;
}

/* --- the answer ------------------------------------------------------------------------------ */

/* The words of the answer, each read once; those beyond its length keep what they would replace. */
struct answer {
    struct tcb *replier;
    const u64 *buffer;
    unsigned length;
};

static struct answer answer_of(struct tcb *replier, u64 length)
{
    struct answer answer = { replier, tcb_buffer_for_send(replier), (unsigned)length };

    if (!answer.buffer && answer.length > seL4_FastMessageRegisters)
        answer.length = seL4_FastMessageRegisters;
    return answer;
}

static bool take(const struct answer *answer, unsigned i, u64 *value)
{
    if (i >= answer->length)
        return false;
    *value = ipc_word(answer->replier, answer->buffer, i);
    return true;
}

/* Instruction pointer, stack pointer and flags, which several answers begin with or contain. */
static void take_frame(const struct answer *answer, unsigned first, struct tcb *thread)
{
    u64 value;

    if (take(answer, first, &value))
        tcb_set_ip(thread, context_sanitise_address(value));
    take(answer, first + 1, &thread->context.rsp);
    if (take(answer, first + 2, &value))
        thread->context.rflags = context_sanitise_rflags(value);
}

static void take_unknown_syscall(const struct answer *answer, struct tcb *thread)
{
    for (unsigned i = 0; i < UNKNOWN_SYSCALL_REGISTERS; i++)
        take(answer, i, unknown_syscall_register(&thread->context, i));
    take_frame(answer, seL4_UnknownSyscall_FaultIP, thread);
}

static void take_timeout(const struct answer *answer, struct tcb *thread)
{
    struct user_context *c = &thread->context;
    u64 value, *const registers[] = { &c->rax, &c->rbx, &c->rcx, &c->rdx, &c->rsi,
                                      &c->rdi, &c->rbp, &c->r8,  &c->r9,  &c->r10,
                                      &c->r11, &c->r12, &c->r13, &c->r14, &c->r15 };

    take_frame(answer, seL4_TimeoutReply_FaultIP, thread);
    for (unsigned i = 0; i < ARRAY_LENGTH(registers); i++)
        take(answer, seL4_TimeoutReply_RAX + i, registers[i]);
    if (take(answer, seL4_TimeoutReply_TLS_BASE, &value))
        c->fs_base = context_sanitise_address(value);
}

bool fault_reply(struct tcb *thread, struct tcb *replier, u64 label, u64 length)
{
    struct answer answer = answer_of(replier, length);

    switch (thread->fault.type) {
    case seL4_Fault_UnknownSyscall:
        take_unknown_syscall(&answer, thread);
        return label == 0;
    case seL4_Fault_UserException:
        take_frame(&answer, 0, thread);
        return label == 0;
    case seL4_Fault_Timeout:
        take_timeout(&answer, thread);
        return label == 0;
    default:
        return true;
    }
}
