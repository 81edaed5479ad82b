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

/* In the order of the API's user context; the instruction pointer, word 0, is not one of them. */
static u64 *context_word(struct user_context *c, unsigned i)
{
    u64 *const words[seL4_UserContextWords] = {
        NULL,    &c->rsp, &c->rflags, &c->rax, &c->rbx,     &c->rcx,     &c->rdx,
        &c->rsi, &c->rdi, &c->rbp,    &c->r8,  &c->r9,      &c->r10,     &c->r11,
        &c->r12, &c->r13, &c->r14,    &c->r15, &c->fs_base, &c->gs_base,
    };

    return words[i];
}

#define CONTEXT_RIP     0
#define CONTEXT_RFLAGS  2
#define CONTEXT_FS_BASE 18
#define CONTEXT_GS_BASE 19

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
    u64 *buffer;

    if (count < 1 || count > seL4_UserContextWords)
        return error_range(request, 1, seL4_UserContextWords);
    if (tcb == request->caller)
        return error_code(request, seL4_IllegalOperation);

    if (flags & seL4_ReadRegisters_Suspend)
        tcb_suspend(tcb);
    if (!request->is_call)
        return STATUS_OK;
    buffer = tcb_buffer_for_receive(request->caller);
    for (unsigned i = 0; i < count; i++) {
        u64 value = read_context_word(tcb, i);

        if (i < seL4_FastMessageRegisters)
            reply_word(request, value);
        else
            request->reply_length = ipc_set_word(request->caller, buffer, i, value);
    }
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

/* A capability to be put into one of the thread's slots: what, and what it is derived from. */
struct installation {
    bool wanted;
    struct cap cap;
    struct slot *source;
};

static enum status derive(struct request *request, struct slot *source, struct cap cap,
                          struct cap *derived)
{
    u64 error = seL4_IllegalOperation;

    if (cap_derive(source, cap, derived, &error) != STATUS_OK)
        return error_code(request, error);
    return STATUS_OK;
}

static enum status check_buffer(struct request *request, u64 address, struct slot *source,
                                struct installation *buffer)
{
    enum status status;

    *buffer = (struct installation){ .wanted = true };
    if (address == 0)
        return STATUS_OK;
    status = derive(request, source, source->cap, &buffer->cap);
    if (status != STATUS_OK)
        return status;
    if (buffer->cap.type != CAP_FRAME || frame_is_device(buffer->cap))
        return error_code(request, seL4_IllegalOperation);
    if (address & MASK(seL4_IPCBufferSizeBits))
        return error_code(request, seL4_AlignmentError);
    buffer->source = source;
    return STATUS_OK;
}

/* Replacing it would delete a CNode or a thread: that could take long, and the caller must do it
 * first. */
static bool deletion_is_long(const struct slot *slot)
{
    switch (slot->cap.type) {
    case CAP_CNODE:
    case CAP_TCB:
    case CAP_ZOMBIE:
        return slot_is_final(slot);
    default:
        return false;
    }
}

static enum status check_root(struct request *request, struct slot *source, u64 data,
                              struct installation *root)
{
    struct cap cap = source->cap;

    *root = (struct installation){ .wanted = true, .source = source };
    if (data != 0)
        cap = cap_update_data(cap, data, false);
    return derive(request, source, cap, &root->cap);
}

struct space {
    struct installation cspace, vspace;
};

static enum status check_space(struct request *request, struct slot *cspace, u64 cspace_data,
                               struct slot *vspace, u64 vspace_data, struct space *space)
{
    struct tcb *tcb = invoked(request);
    enum status status;

    if (deletion_is_long(&tcb->slots[TCB_CSPACE]) || deletion_is_long(&tcb->slots[TCB_VSPACE]))
        return error_code(request, seL4_IllegalOperation);
    status = check_root(request, cspace, cspace_data, &space->cspace);
    if (status != STATUS_OK)
        return status;
    if (space->cspace.cap.type != CAP_CNODE)
        return error_code(request, seL4_IllegalOperation);
    status = check_root(request, vspace, vspace_data, &space->vspace);
    if (status != STATUS_OK)
        return status;
    if (space->vspace.cap.type != CAP_PML4 || !table_is_mapped(space->vspace.cap))
        return error_code(request, seL4_IllegalOperation);
    return STATUS_OK;
}

static enum status check_handler(struct request *request, unsigned number,
                                 struct installation *handler)
{
    struct slot *source = request->extra[number - 1];
    unsigned rights = cap_rights(source->cap);

    *handler = (struct installation){ .wanted = true, .source = source, .cap = source->cap };
    if (source->cap.type == CAP_NULL)
        return STATUS_OK;
    if (source->cap.type != CAP_ENDPOINT || !(rights & RIGHT_WRITE) ||
        !(rights & (RIGHT_GRANT | RIGHT_GRANT_REPLY)))
        return error_capability(request, number);
    return derive(request, source, source->cap, &handler->cap);
}

/*
 * Deleting the old capability never takes long (deletion_is_long, or by its type), and never
 * empties the source: what it might delete with it is no CNode.
 */
static enum status install(struct tcb *tcb, enum tcb_slot index, struct installation what)
{
    struct slot *slot = &tcb->slots[index];
    enum status status;

    if (!what.wanted)
        return STATUS_OK;
    known_advance();
    status = slot_delete(slot);
    if (status == STATUS_OK && what.cap.type != CAP_NULL)
        slot_insert(what.cap, what.source, slot);
    return status;
}

static enum status install_buffer(struct tcb *tcb, u64 address, struct installation buffer)
{
    tcb->ipc_buffer = address;
    return install(tcb, TCB_IPC_BUFFER, buffer);
}

/* A thread that runs goes on in its new space. */
static enum status install_space(struct tcb *tcb, struct space space)
{
    enum status status = install(tcb, TCB_CSPACE, space.cspace);

    if (status == STATUS_OK)
        status = install(tcb, TCB_VSPACE, space.vspace);
    if (tcb == this_core()->current)
        reschedule_required();
    return status;
}

enum status invoke_tcb_configure(struct request *request)
{
    struct tcb *tcb = invoked(request);
    u64 cspace_data = request_word(request, 0), vspace_data = request_word(request, 1);
    u64 address = request_word(request, 2);
    struct installation buffer;
    struct space space;
    enum status status = check_buffer(request, address, request->extra[2], &buffer);

    if (status == STATUS_OK)
        status = check_space(request, request->extra[0], cspace_data, request->extra[1],
                             vspace_data, &space);
    if (status != STATUS_OK)
        return status;
    status = install_space(tcb, space);
    if (status == STATUS_OK)
        status = install_buffer(tcb, address, buffer);
    return status;
}

enum status invoke_tcb_set_ipc_buffer(struct request *request)
{
    u64 address = request_word(request, 0);
    struct installation buffer;
    enum status status = check_buffer(request, address, request->extra[0], &buffer);

    return status == STATUS_OK ? install_buffer(invoked(request), address, buffer) : status;
}

enum status invoke_tcb_set_space(struct request *request)
{
    struct tcb *tcb = invoked(request);
    struct installation handler;
    struct space space;
    enum status status = check_space(request, request->extra[1], request_word(request, 0),
                                     request->extra[2], request_word(request, 1), &space);

    if (status == STATUS_OK)
        status = check_handler(request, 1, &handler);
    if (status != STATUS_OK)
        return status;
    status = install(tcb, TCB_FAULT_HANDLER, handler);
    return status == STATUS_OK ? install_space(tcb, space) : status;
}

enum status invoke_tcb_set_timeout_endpoint(struct request *request)
{
    struct installation handler;
    enum status status = check_handler(request, 1, &handler);

    return status == STATUS_OK ? install(invoked(request), TCB_TIMEOUT_HANDLER, handler) : status;
}

/* --- scheduling ------------------------------------------------------------------------------ */

static enum status check_authority(struct request *request)
{
    return request->extra[0]->cap.type == CAP_TCB ? STATUS_OK : error_capability(request, 1);
}

static enum status check_priority(struct request *request, u64 priority)
{
    u8 max = cap_tcb(request->extra[0]->cap)->max_priority;

    return priority <= max ? STATUS_OK : error_range(request, seL4_MinPrio, max);
}

enum status invoke_tcb_set_priority(struct request *request)
{
    u64 priority = request_word(request, 0);
    enum status status = check_authority(request);

    if (status == STATUS_OK)
        status = check_priority(request, priority);
    if (status == STATUS_OK)
        thread_set_priority(invoked(request), (u8)priority);
    return status;
}

enum status invoke_tcb_set_mcpriority(struct request *request)
{
    u64 priority = request_word(request, 0);
    enum status status = check_authority(request);

    if (status == STATUS_OK)
        status = check_priority(request, priority);
    if (status == STATUS_OK)
        invoked(request)->max_priority = (u8)priority;
    return status;
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
        if (tcb->sched_context || (*sc)->tcb ||
            (thread_is_blocked(tcb) && !sched_context_is_released(*sc)))
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
    u64 max_priority = request_word(request, 0), priority = request_word(request, 1);
    struct sched_context *sc = NULL;
    struct installation handler;
    enum status status = check_authority(request);

    if (status == STATUS_OK)
        status = check_priority(request, max_priority);
    if (status == STATUS_OK)
        status = check_priority(request, priority);
    if (status == STATUS_OK)
        status = check_sched_context(request, &sc);
    if (status == STATUS_OK)
        status = check_handler(request, 3, &handler);
    if (status == STATUS_OK)
        status = install(tcb, TCB_FAULT_HANDLER, handler);
    if (status != STATUS_OK)
        return status;
    tcb->max_priority = (u8)max_priority;
    thread_set_priority(tcb, (u8)priority);
    set_sched_context(tcb, sc);
    return STATUS_OK;
}

/* --- running --------------------------------------------------------------------------------- */

enum status invoke_tcb_suspend(struct request *request)
{
    struct tcb *tcb = invoked(request);

    /* The caller itself: the call has done its work, and must not be repeated on Resume. */
    if (tcb == request->caller) {
        if (request->is_call) {
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
