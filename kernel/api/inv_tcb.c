/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods of TCBs (ABI sections 5 and 5.1). dispatch.c has checked lengths, but for WriteRegisters.
 */
#include "abi/types.h"
#include "kernel/api/ipc.h"
#include "kernel/api/request.h"
#include "kernel/core/core.h"
#include "kernel/object/derivation.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/object.h"
#include "kernel/object/sched_context.h"
#include "kernel/sched/refill.h"
#include "kernel/sched/sched.h"
#include "kernel/x86/fpu.h"

static struct tcb *invoked(const struct request *request)
{
    return cap_tcb(request->cap);
}

/* --- registers ------------------------------------------------------------------------------- */

#define CONTEXT_RIP     0
#define CONTEXT_RSP     1
#define CONTEXT_RFLAGS  2
#define CONTEXT_RAX     3
#define CONTEXT_FS_BASE 18
#define CONTEXT_GS_BASE 19

/* In the order of the API's user context; the instruction pointer is not one of them. */
static u64 *context_word(struct user_context *c, unsigned i)
{
    switch (i) {
    case CONTEXT_RSP:
        return &c->rsp;
    case CONTEXT_RFLAGS:
        return &c->rflags;
    case CONTEXT_FS_BASE:
        return &c->fs_base;
    case CONTEXT_GS_BASE:
        return &c->gs_base;
    default:
        return &c->general[i - CONTEXT_RAX];
    }
}

static u64 read_context_word(struct tcb *tcb, unsigned i)
{
    return i == CONTEXT_RIP ? tcb_fault_ip(tcb) : *context_word(&tcb->context, i);
}

static void write_context_word(struct tcb *tcb, unsigned i, u64 value)
{
    switch (i) {
    case CONTEXT_RIP:
        tcb_leave_guest(tcb);
        tcb_set_ip(tcb, context_sanitise_address(value));
        return;
    case CONTEXT_RFLAGS:
        value = context_sanitise_rflags(value);
        break;
    case CONTEXT_FS_BASE:
    case CONTEXT_GS_BASE:
        value = context_sanitise_address(value);
        break;
    default:
        break;
    }
    *context_word(&tcb->context, i) = value;
}

enum status invoke_tcb_read_registers(struct request *request)
{
    struct tcb *tcb = invoked(request);
    u64 flags = request_word(request, 0), count = request_word(request, 1);
    struct message message = { .receiver = request->caller };

    if (count < 1 || count > seL4_UserContextWords)
        return error_range(request, 1, seL4_UserContextWords);
    if (tcb == request->caller)
        return error_code(request, seL4_IllegalOperation);

    if (flags & seL4_ReadRegisters_Suspend)
        tcb_suspend(tcb);
    if (!request->kind.is_call)
        return STATUS_OK;
    message.buffer = tcb_buffer_for_receive(request->caller);
    for (unsigned i = 0; i < count; i++)
        message_put(&message, read_context_word(tcb, i));
    request->reply_length = message.length;
    return STATUS_OK;
}

enum status invoke_tcb_write_registers(struct request *request)
{
    struct tcb *tcb = invoked(request);
    u64 flags = request_word(request, 0), count = request_word(request, 1);

    if (request->length - 2 < count)
        return error_code(request, seL4_TruncatedMessage);
    if (tcb == request->caller)
        return error_code(request, seL4_IllegalOperation);

    /* Whatever it was doing ends here, at its instruction. */
    tcb_leave_guest(tcb);
    tcb_set_ip(tcb, tcb_fault_ip(tcb));
    for (unsigned i = 0; i < count && i < seL4_UserContextWords; i++)
        write_context_word(tcb, i, request_word(request, 2 + i));
    if (flags & seL4_WriteRegisters_Resume)
        tcb_restart(tcb);
    return STATUS_OK;
}

static void copy_words(struct tcb *to, struct tcb *from, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        write_context_word(to, i, read_context_word(from, i));
}

enum status invoke_tcb_copy_registers(struct request *request)
{
    struct tcb *to = invoked(request), *from;
    u64 flags = request_word(request, 0);

    if (request->extra[0]->cap.type != CAP_TCB)
        return error_capability(request, 1);
    from = cap_tcb(request->extra[0]->cap);
    sched_stop_remote(from);

    if (flags & seL4_CopyRegisters_SuspendSource)
        tcb_suspend(from);
    if (flags & seL4_CopyRegisters_ResumeTarget)
        tcb_restart(to);
    if (flags & seL4_CopyRegisters_TransferFrame)
        copy_words(to, from, 0, seL4_UserContextFrameWords);
    if (flags & seL4_CopyRegisters_TransferInteger) {
        tcb_settle_registers(from);
        tcb_settle_registers(to);
        copy_words(to, from, seL4_UserContextFrameWords, seL4_UserContextWords);
    }
    return STATUS_OK;
}

enum status invoke_tcb_set_tls_base(struct request *request)
{
    struct tcb *tcb = invoked(request);

    tcb_settle_registers(tcb);
    tcb->context.fs_base = context_sanitise_address(request_word(request, 0));
    return STATUS_OK;
}

enum status invoke_tcb_set_flags(struct request *request)
{
    struct tcb *tcb = invoked(request);
    u64 flags = tcb->fpu_disabled ? seL4_TCBFlag_fpuDisabled : 0;

    flags = (flags & ~request_word(request, 0)) | (request_word(request, 1) & seL4_TCBFlag_MASK);
    if (flags & seL4_TCBFlag_fpuDisabled)
        fpu_release_thread(tcb);
    tcb->fpu_disabled = flags & seL4_TCBFlag_fpuDisabled;
    reply_word(request, flags);
    return STATUS_OK;
}

/* --- capabilities of the thread -------------------------------------------------------------- */

/*
 * What is to be put into a thread's slots, by enum tcb_slot: a capability, or null, and what it is
 * derived from; that is NULL for a slot that stays as it is.
 */
struct changes {
    struct {
        struct cap cap;
        struct slot *source;
    } slot[TCB_SLOT_COUNT];
    u64 buffer; /* the address that comes with TCB_IPC_BUFFER */
};

/* cap: what is in the source, perhaps with other data. */
static enum status derive(struct request *request, struct slot *source, struct cap cap,
                          enum tcb_slot index, struct changes *changes)
{
    u64 error = cap_derive(source, &cap);

    changes->slot[index].cap = cap;
    changes->slot[index].source = source;
    return error == seL4_NoError ? STATUS_OK : error_code(request, error);
}

/* Address 0 takes the buffer away. */
static enum status check_buffer(struct request *request, unsigned address_word, unsigned extra,
                                struct changes *changes)
{
    struct slot *source = request->extra[extra];
    u64 address = request_word(request, address_word);

    changes->buffer = address;
    changes->slot[TCB_IPC_BUFFER].source = source;
    if (address == 0)
        return STATUS_OK;
    if (derive(request, source, source->cap, TCB_IPC_BUFFER, changes) != STATUS_OK)
        return STATUS_ERROR;
    if (source->cap.type != CAP_FRAME || frame_is_device(source->cap))
        return error_code(request, seL4_IllegalOperation);
    if (address & MASK(seL4_IPCBufferSizeBits))
        return error_code(request, seL4_AlignmentError);
    return STATUS_OK;
}

/* Replacing it would delete a CNode or a thread: that could take long, and the caller must do it
 * first. */
static bool deletion_is_long(const struct slot *slot)
{
    return cap_is_one_of(slot->cap, BIT(CAP_CNODE) | BIT(CAP_TCB) | BIT(CAP_ZOMBIE)) &&
           slot_is_final(slot);
}

/* A PML4 that has no ASID cannot be derived from. */
static enum status check_root(struct request *request, struct slot *source, u64 data,
                              enum cap_type type, enum tcb_slot index, struct changes *changes)
{
    struct cap cap = data ? cap_update_data(source->cap, data, false) : source->cap;

    if (derive(request, source, cap, index, changes) != STATUS_OK)
        return STATUS_ERROR;
    return cap.type == type ? STATUS_OK : error_code(request, seL4_IllegalOperation);
}

/* The roots are extra capabilities first and first + 1, their data message words 0 and 1. */
static enum status check_space(struct request *request, unsigned first, struct changes *changes)
{
    struct tcb *tcb = invoked(request);

    if (deletion_is_long(&tcb->slots[TCB_CSPACE]) || deletion_is_long(&tcb->slots[TCB_VSPACE]))
        return error_code(request, seL4_IllegalOperation);
    if (check_root(request, request->extra[first], request_word(request, 0), CAP_CNODE, TCB_CSPACE,
                   changes) != STATUS_OK)
        return STATUS_ERROR;
    return check_root(request, request->extra[first + 1], request_word(request, 1), CAP_PML4,
                      TCB_VSPACE, changes);
}

static enum status check_handler(struct request *request, unsigned number, enum tcb_slot index,
                                 struct changes *changes)
{
    struct slot *source = request->extra[number - 1];
    unsigned rights = cap_rights(source->cap);

    changes->slot[index].cap = source->cap;
    changes->slot[index].source = source;
    if (source->cap.type == CAP_NULL)
        return STATUS_OK;
    if (source->cap.type != CAP_ENDPOINT || !(rights & RIGHT_WRITE) ||
        !(rights & (RIGHT_GRANT | RIGHT_GRANT_REPLY)))
        return error_capability(request, number);
    return STATUS_OK;
}

/*
 * Handlers first, the last slots: that old one's end may be preempted, and the call, which then is
 * repeated, finds its capabilities still where they were. Deleting another never takes long
 * (deletion_is_long, or by its type). None empties its source: what it might delete with it is no
 * CNode. A thread that runs goes on in its new space.
 */
static enum status apply(struct tcb *tcb, const struct changes *changes)
{
    enum status status = STATUS_OK;

    known_advance();
    for (unsigned i = TCB_SLOT_COUNT; i-- > 0 && status == STATUS_OK;) {
        if (!changes->slot[i].source)
            continue;
        status = slot_delete(&tcb->slots[i]);
        if (i == TCB_IPC_BUFFER)
            tcb->ipc_buffer = changes->buffer;
        if (status == STATUS_OK && changes->slot[i].cap.type != CAP_NULL)
            slot_insert(changes->slot[i].cap, changes->slot[i].source, &tcb->slots[i]);
    }
    if (tcb == this_core()->current)
        reschedule_required();
    return status;
}

enum status invoke_tcb_configure(struct request *request)
{
    struct changes changes = { 0 };

    if (check_buffer(request, 2, 2, &changes) != STATUS_OK ||
        check_space(request, 0, &changes) != STATUS_OK)
        return STATUS_ERROR;
    return apply(invoked(request), &changes);
}

enum status invoke_tcb_set_ipc_buffer(struct request *request)
{
    struct changes changes = { 0 };

    if (check_buffer(request, 0, 0, &changes) != STATUS_OK)
        return STATUS_ERROR;
    return apply(invoked(request), &changes);
}

enum status invoke_tcb_set_space(struct request *request)
{
    struct changes changes = { 0 };

    if (check_space(request, 1, &changes) != STATUS_OK ||
        check_handler(request, 1, TCB_FAULT_HANDLER, &changes) != STATUS_OK)
        return STATUS_ERROR;
    return apply(invoked(request), &changes);
}

enum status invoke_tcb_set_timeout_endpoint(struct request *request)
{
    struct changes changes = { 0 };

    if (check_handler(request, 1, TCB_TIMEOUT_HANDLER, &changes) != STATUS_OK)
        return STATUS_ERROR;
    return apply(invoked(request), &changes);
}

/* --- scheduling ------------------------------------------------------------------------------ */

/* Extra capability 1 is a thread that may give the priority in this message word. */
static enum status check_priority(struct request *request, unsigned word)
{
    struct cap authority = request->extra[0]->cap;

    if (authority.type != CAP_TCB)
        return error_capability(request, 1);
    if (request_word(request, word) > cap_tcb(authority)->max_priority)
        return error_range(request, seL4_MinPrio, cap_tcb(authority)->max_priority);
    return STATUS_OK;
}

enum status invoke_tcb_set_priority(struct request *request)
{
    if (check_priority(request, 0) != STATUS_OK)
        return STATUS_ERROR;
    thread_set_priority(invoked(request), (u8)request_word(request, 0));
    return STATUS_OK;
}

enum status invoke_tcb_set_mcpriority(struct request *request)
{
    if (check_priority(request, 0) != STATUS_OK)
        return STATUS_ERROR;
    invoked(request)->max_priority = (u8)request_word(request, 0);
    return STATUS_OK;
}

/* The context that extra capability 2 gives the thread; *sc is NULL if it takes it away. */
static enum status check_sched_context(struct request *request, struct sched_context **sc)
{
    struct tcb *tcb = invoked(request);
    struct cap cap = request->extra[1]->cap;

    *sc = NULL;
    switch (cap.type) {
    case CAP_NULL:
        return tcb == request->caller ? error_code(request, seL4_IllegalOperation) : STATUS_OK;
    case CAP_SCHED_CONTEXT:
        *sc = cap_object(cap);
        if (tcb->sched_context == *sc)
            return STATUS_OK;
        if ((*sc)->tcb || !sched_context_may_bind(*sc, tcb))
            return error_code(request, seL4_IllegalOperation);
        return STATUS_OK;
    default:
        return error_capability(request, 2);
    }
}

static void set_sched_context(struct tcb *tcb, struct sched_context *sc)
{
    if (sc && sc != tcb->sched_context)
        sched_context_bind_tcb(sc, tcb);
    else if (!sc && tcb->sched_context)
        sched_context_unbind_tcb(tcb->sched_context);
}

enum status invoke_tcb_set_sched_params(struct request *request)
{
    struct tcb *tcb = invoked(request);
    struct sched_context *sc;
    struct changes changes = { 0 };
    enum status status;

    if (check_priority(request, 0) != STATUS_OK || check_priority(request, 1) != STATUS_OK ||
        check_sched_context(request, &sc) != STATUS_OK ||
        check_handler(request, 3, TCB_FAULT_HANDLER, &changes) != STATUS_OK)
        return STATUS_ERROR;
    status = apply(tcb, &changes);
    if (status != STATUS_OK)
        return status;
    tcb->max_priority = (u8)request_word(request, 0);
    thread_set_priority(tcb, (u8)request_word(request, 1));
    set_sched_context(tcb, sc);
    return STATUS_OK;
}

/* --- running --------------------------------------------------------------------------------- */

enum status invoke_tcb_suspend(struct request *request)
{
    struct tcb *tcb = invoked(request);

    /* The caller itself: the call has done its work, and must not be repeated on Resume. */
    if (tcb == request->caller) {
        if (request->kind.is_call) {
            tcb->context.rsi = ipc_info(seL4_NoError, 0, 0, 0);
            tcb->context.rdi = 0;
        }
        tcb->state = THREAD_RUNNING;
    }
    tcb_suspend(tcb);
    return STATUS_OK;
}

enum status invoke_tcb_resume(struct request *request)
{
    tcb_restart(invoked(request));
    return STATUS_OK;
}

enum status invoke_tcb_bind_notification(struct request *request)
{
    struct tcb *tcb = invoked(request);
    struct cap cap = request->extra[0]->cap;
    struct notification *notification;

    if (cap.type != CAP_NOTIFICATION || tcb->notification || !(cap_rights(cap) & RIGHT_READ))
        return error_code(request, seL4_IllegalOperation);
    notification = cap_object(cap);
    if (notification->bound || notification->state == NOTIFICATION_WAITING)
        return error_code(request, seL4_IllegalOperation);
    notification_bind(notification, tcb);
    return STATUS_OK;
}

enum status invoke_tcb_unbind_notification(struct request *request)
{
    struct tcb *tcb = invoked(request);

    if (!tcb->notification)
        return error_code(request, seL4_IllegalOperation);
    notification_unbind(tcb->notification);
    return STATUS_OK;
}
