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
    endpoint_send(
        handler, thread,
        (struct send_kind){ .is_call = true, .is_blocking = true, .can_donate = can_donate });
}

void fault_send(struct tcb *thread, struct fault fault)
{
    struct cap handler = thread->slots[TCB_FAULT_HANDLER].cap;

    thread->fault = fault;
    if (handler.type == CAP_ENDPOINT) {
        call_handler(thread, handler, true);
        return;
    }
    print_unhandled(thread);
    thread->fault.type = seL4_Fault_NullFault;
    thread_set_state(thread, THREAD_INACTIVE);
}

void fault_send_capability(struct tcb *thread, u64 cptr, bool in_receive,
                           struct lookup_failure failure)
{
    fault_send(thread, (struct fault){ .type = seL4_Fault_CapFault,
                                       .word = { cptr, in_receive },
                                       .lookup = failure });
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

static void put_words(struct message *message, const u64 *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        message_put(message, words[i]);
}

static void put_frame(struct message *message, const struct tcb *thread)
{
    message_put(message, tcb_fault_ip(thread));
    message_put(message, thread->context.rsp);
    message_put(message, thread->context.rflags);
}

unsigned fault_message(struct tcb *thread, struct tcb *receiver, u64 *receive_buffer)
{
    struct message message = { receiver, receive_buffer, 0 };
    const struct fault *fault = &thread->fault;

    switch (fault->type) {
    case seL4_Fault_CapFault:
        message_put(&message, tcb_fault_ip(thread));
        put_words(&message, fault->word, 2);
        message_put_lookup_failure(&message, &fault->lookup);
        break;
    case seL4_Fault_UnknownSyscall:
        put_words(&message, thread->context.general, CONTEXT_GENERAL);
        put_frame(&message, thread);
        put_words(&message, fault->word, 1);
        break;
    case seL4_Fault_UserException:
        put_frame(&message, thread);
        put_words(&message, fault->word, 2);
        break;
    case seL4_Fault_Timeout:
        put_words(&message, fault->word, 1);
        if (thread->sched_context)
            message_put(&message, sched_context_take_consumed(thread->sched_context));
        break;
    case seL4_Fault_VMFault:
        message_put(&message, tcb_fault_ip(thread));
        put_words(&message, fault->word, 3);
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

static void take_general(const struct answer *answer, unsigned first, struct tcb *thread)
{
    for (unsigned i = 0; i < CONTEXT_GENERAL; i++)
        take(answer, first + i, &thread->context.general[i]);
}

bool fault_reply(struct tcb *thread, struct tcb *replier, u64 label, u64 length)
{
    struct answer answer = answer_of(replier, length);
    u64 tls_base;

    switch (thread->fault.type) {
    case seL4_Fault_UnknownSyscall:
        take_general(&answer, 0, thread);
        take_frame(&answer, seL4_UnknownSyscall_FaultIP, thread);
        return label == 0;
    case seL4_Fault_UserException:
        take_frame(&answer, 0, thread);
        return label == 0;
    case seL4_Fault_Timeout:
        take_frame(&answer, seL4_TimeoutReply_FaultIP, thread);
        take_general(&answer, seL4_TimeoutReply_RAX, thread);
        if (take(&answer, seL4_TimeoutReply_TLS_BASE, &tls_base))
            thread->context.fs_base = context_sanitise_address(tls_base);
        return label == 0;
    default:
        return true;
    }
}
