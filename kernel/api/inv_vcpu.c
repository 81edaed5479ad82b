/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Methods of VCPU objects (ABI sections 5 and 11). Too few words are IllegalOperation here, not
 * TruncatedMessage; so is everything on a machine without hardware virtualisation.
 */
#include "abi/vcpu.h"
#include "kernel/api/request.h"
#include "kernel/object/vcpu.h"
#include "kernel/x86/virt/virt.h"

static struct vcpu *invoked(const struct request *request)
{
    return cap_vcpu(request->cap);
}

/* Enough words for a VCPU that can be looked at and changed. */
static bool is_usable(const struct request *request, u64 words)
{
    if (!virt_available() || request->length < words)
        return false;
    vcpu_settle(invoked(request));
    return true;
}

static u64 *msr_of(const struct request *request, u64 words, bool is_write)
{
    if (!is_usable(request, words))
        return NULL;
    return virt->msr(invoked(request), request_word(request, 0), is_write);
}

enum status invoke_vcpu_read_msr(struct request *request)
{
    const u64 *place = msr_of(request, 1, false);

    if (!place)
        return error_code(request, seL4_IllegalOperation);
    reply_word(request, *place);
    return STATUS_OK;
}

/* The published kernel leaves the value in MR0 and says length 0 (ABI section 11.4); MR0 is a
 * register, so callers see it all the same. */
enum status invoke_vcpu_write_msr(struct request *request)
{
    u64 *place = msr_of(request, 2, true), value = request_word(request, 1);

    if (!place)
        return error_code(request, seL4_IllegalOperation);
    *place = request_word(request, 0) == VCPU_MSR_TSC_AUX ? value & MASK(32) : value;
    if (request->kind.is_call)
        request->caller->context.r10 = value;
    return STATUS_OK;
}

enum status invoke_vcpu_set_tcb(struct request *request)
{
    if (!virt_available())
        return error_code(request, seL4_IllegalOperation);
    if (request->nr_extra < 1)
        return error_code(request, seL4_TruncatedMessage);
    if (request->extra[0]->cap.type != CAP_TCB)
        return error_code(request, seL4_IllegalOperation);
    vcpu_bind(invoked(request), cap_tcb(request->extra[0]->cap));
    return STATUS_OK;
}

enum status invoke_vcpu_read_vmcs(struct request *request)
{
    u64 value;

    if (!is_usable(request, 1) ||
        !virt->read_field(invoked(request), request_word(request, 0), &value))
        return error_code(request, seL4_IllegalOperation);
    reply_word(request, value);
    return STATUS_OK;
}

enum status invoke_vcpu_write_vmcs(struct request *request)
{
    u64 written;

    if (!is_usable(request, 2) || !virt->write_field(invoked(request), request_word(request, 0),
                                                     request_word(request, 1), &written))
        return error_code(request, seL4_IllegalOperation);
    reply_word(request, written);
    return STATUS_OK;
}

enum status invoke_vcpu_write_registers(struct request *request)
{
    struct vcpu *vcpu = invoked(request);

    if (!is_usable(request, VCPU_GPR_COUNT))
        return error_code(request, seL4_IllegalOperation);
    for (unsigned i = 0; i < VCPU_GPR_COUNT; i++)
        vcpu->gpr[i] = request_word(request, i);
    return STATUS_OK;
}

/* The range low..high of a request, checked: 16 bits each, in order. */
static bool port_range(const struct request *request, u16 *low, u16 *high)
{
    u64 first = request_word(request, 0), last = request_word(request, 1);

    *low = (u16)first;
    *high = (u16)last;
    return first <= last && last <= 0xffff;
}

enum status invoke_vcpu_enable_io_port(struct request *request)
{
    struct slot *slot;
    u16 low, high;

    if (!is_usable(request, 2))
        return error_code(request, seL4_IllegalOperation);
    if (request->nr_extra < 1)
        return error_code(request, seL4_TruncatedMessage);
    slot = request->extra[0];
    if (slot->cap.type != CAP_IO_PORT)
        return error_code(request, seL4_IllegalOperation);
    if (!port_range(request, &low, &high) || low < io_port_first(slot->cap) ||
        high > io_port_last(slot->cap))
        return error_argument(request, 0);

    vcpu_unmap_io_ports(slot->cap);
    slot->cap.data =
        (slot->cap.data & MASK(32)) | (u64)vcpu_map_io_ports(invoked(request), low, high) << 32;
    return STATUS_OK;
}

enum status invoke_vcpu_disable_io_port(struct request *request)
{
    u16 low, high;

    if (!is_usable(request, 2))
        return error_code(request, seL4_IllegalOperation);
    if (!port_range(request, &low, &high))
        return error_argument(request, 0);
    vcpu_intercept_io_ports(invoked(request), low, high);
    return STATUS_OK;
}
