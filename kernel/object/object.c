/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/object.h"

#include "abi/errors.h"
#include "abi/types.h"
#include "kernel/core/panic.h"
#include "kernel/object/cnode.h"
#include "kernel/object/derivation.h"
#include "kernel/object/io_port.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/irq.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/object/untyped.h"
#include "kernel/object/vcpu.h"
#include "kernel/vspace/vspace.h"

/* --- creation -------------------------------------------------------------------------------- */

static const struct object_type {
    u8 size_bits; /* where the caller chooses the size: what his number is added to */
    bool user_sized;
    bool may_be_device;
    u8 table_cap; /* enum cap_type of the paging structures, which all begin alike: zeroed, unmapped
                   */
} object_types[seL4_ObjectTypeCount] = {
    [seL4_UntypedObject] = { .user_sized = true, .may_be_device = true },
    [seL4_TCBObject] = { .size_bits = seL4_TCBBits },
    [seL4_EndpointObject] = { .size_bits = seL4_EndpointBits },
    [seL4_NotificationObject] = { .size_bits = seL4_NotificationBits },
    [seL4_CapTableObject] = { .size_bits = seL4_SlotBits, .user_sized = true },
    [seL4_SchedContextObject] = { .user_sized = true },
    [seL4_ReplyObject] = { .size_bits = seL4_ReplyBits },
    [seL4_X86_PDPTObject] = { .size_bits = seL4_PDPTBits, .table_cap = CAP_PDPT },
    [seL4_X64_PML4Object] = { .size_bits = seL4_PML4Bits, .table_cap = CAP_PML4 },
    [seL4_X64_HugePageObject] = { .size_bits = seL4_HugePageBits, .may_be_device = true },
    [seL4_X86_4K] = { .size_bits = seL4_PageBits, .may_be_device = true },
    [seL4_X86_LargePageObject] = { .size_bits = seL4_LargePageBits, .may_be_device = true },
    [seL4_X86_PageTableObject] = { .size_bits = seL4_PageTableBits, .table_cap = CAP_PAGE_TABLE },
    [seL4_X86_PageDirectoryObject] = { .size_bits = seL4_PageDirBits,
                                       .table_cap = CAP_PAGE_DIRECTORY },
    [seL4_X86_IOPageTableObject] = { .size_bits = seL4_IOPageTableBits,
                                     .table_cap = CAP_IO_PAGE_TABLE },
    [seL4_X86_VCPUObject] = { .size_bits = seL4_X86_VCPUBits },
    [seL4_X86_EPTPML4Object] = { .size_bits = seL4_X86_EPTPML4Bits, .table_cap = CAP_EPT_PML4 },
    [seL4_X86_EPTPDPTObject] = { .size_bits = seL4_X86_EPTPDPTBits, .table_cap = CAP_EPT_PDPT },
    [seL4_X86_EPTPDObject] = { .size_bits = seL4_X86_EPTPDBits, .table_cap = CAP_EPT_PD },
    [seL4_X86_EPTPTObject] = { .size_bits = seL4_X86_EPTPTBits, .table_cap = CAP_EPT_PT },
};

unsigned object_size_bits(u64 api_type, u64 user_size)
{
    const struct object_type *type = &object_types[api_type];

    return type->size_bits + (type->user_sized ? (unsigned)user_size : 0);
}

bool object_may_be_device(u64 api_type)
{
    return object_types[api_type].may_be_device;
}

static struct cap frame_create(hpa_t base, enum frame_size size, bool is_device)
{
    return cap_make(CAP_FRAME, base,
                    (unsigned)size | (unsigned)is_device << 2 | (RIGHT_WRITE | RIGHT_READ) << 3, 0);
}

static struct cap sched_context_create(hpa_t base, u64 size_bits)
{
    struct sched_context *sc = hpa_to_ptr(base);

    sc->size_bits = (u8)size_bits;
    return cap_make(CAP_SCHED_CONTEXT, base, (unsigned)size_bits, 0);
}

struct cap object_create(u64 api_type, hpa_t base, u64 user_size, bool is_device)
{
    switch (api_type) {
    case seL4_UntypedObject:
        return untyped_cap(base, (unsigned)user_size, is_device, 0);
    case seL4_TCBObject:
        tcb_create(hpa_to_ptr(base));
        return cap_make(CAP_TCB, base, 0, 0);
    case seL4_EndpointObject:
        return cap_make(CAP_ENDPOINT, base, RIGHTS_ALL, 0);
    case seL4_NotificationObject:
        return cap_make(CAP_NOTIFICATION, base, RIGHT_WRITE | RIGHT_READ, 0);
    case seL4_CapTableObject:
        return cap_make(CAP_CNODE, base, (unsigned)user_size, 0);
    case seL4_SchedContextObject:
        return sched_context_create(base, user_size);
    case seL4_ReplyObject:
        return cap_make(CAP_REPLY, base, RIGHTS_ALL, 0);
    case seL4_X86_4K:
        return frame_create(base, FRAME_4K, is_device);
    case seL4_X86_LargePageObject:
        return frame_create(base, FRAME_2M, is_device);
    case seL4_X64_HugePageObject:
        return frame_create(base, FRAME_1G, is_device);
    case seL4_X86_VCPUObject:
        vcpu_create(hpa_to_ptr(base));
        return cap_make(CAP_VCPU, base, 0, 0);
    case seL4_X64_PML4Object:
        pml4_create(hpa_to_ptr(base));
        break;
    default:
        break;
    }
    kernel_assert(object_types[api_type].table_cap != CAP_NULL);
    return cap_make(object_types[api_type].table_cap, base, 0, 0);
}

/* --- derivation ------------------------------------------------------------------------------ */

/* A copy starts unmapped: it may be mapped elsewhere. */
static struct cap frame_unmapped(struct cap cap)
{
    cap = cap_aux_set(cap, 5, 2, FRAME_UNMAPPED);
    cap.data = 0;
    return cap;
}

/* A copy feeds no VCPU (vcpu.h I2). */
static struct cap io_port_unused(struct cap cap)
{
    cap.data = (u32)cap.data;
    return cap;
}

enum status cap_derive(struct slot *slot, struct cap cap, struct cap *derived, u64 *error)
{
    *derived = cap;
    switch (cap.type) {
    case CAP_ZOMBIE:
    case CAP_IRQ_CONTROL:
    case CAP_IO_PORT_CONTROL:
        *derived = cap_null();
        return STATUS_OK;
    case CAP_UNTYPED:
        if (!slot_has_children(slot))
            return STATUS_OK;
        *error = seL4_RevokeFirst;
        return STATUS_ERROR;
    case CAP_FRAME:
        *derived = frame_unmapped(cap);
        return STATUS_OK;
    case CAP_IO_PORT:
        *derived = io_port_unused(cap);
        return STATUS_OK;
    /* Tables: bit 0 says "mapped", or "assigned" for the roots. */
    case CAP_PAGE_TABLE:
    case CAP_PAGE_DIRECTORY:
    case CAP_PDPT:
    case CAP_PML4:
    case CAP_IO_PAGE_TABLE:
    case CAP_EPT_PT:
    case CAP_EPT_PD:
    case CAP_EPT_PDPT:
    case CAP_EPT_PML4:
        if (table_is_mapped(cap))
            return STATUS_OK;
        *error = seL4_IllegalOperation;
        return STATUS_ERROR;
    default:
        return STATUS_OK;
    }
}

/* --- the end --------------------------------------------------------------------------------- */

static struct cap zombie(struct cap cap, unsigned kind, u64 nr_slots)
{
    return cap_make(CAP_ZOMBIE, cap_hpa(cap), kind, nr_slots);
}

/* Threads that wait are sent away as a zombie's: those who try again then find nothing to wait at.
 */
static struct cap endpoint_end(struct cap cap)
{
    struct endpoint *endpoint = cap_object(cap);

    if (endpoint_state(endpoint) != ENDPOINT_IDLE)
        return zombie(cap, ZOMBIE_ENDPOINT, 0);
    endpoint_finalise(endpoint);
    return cap_null();
}

static struct cap notification_end(struct cap cap)
{
    struct notification *notification = cap_object(cap);

    if (notification->state == NOTIFICATION_WAITING)
        return zombie(cap, ZOMBIE_NOTIFICATION, 0);
    notification_finalise(notification);
    return cap_null();
}

static struct cap tcb_end(struct cap cap)
{
    tcb_finalise(cap_tcb(cap));
    return zombie(cap, ZOMBIE_TCB, TCB_SLOT_COUNT);
}

static void io_port_end(struct cap cap, bool is_final)
{
    if (io_port_vcpu(cap))
        vcpu_unmap_io_ports(cap);
    if (is_final)
        io_port_release(io_port_first(cap), io_port_last(cap));
}

/* Objects of which single capabilities mean something, too. */
static struct cap finalise_each(struct cap cap, bool is_final)
{
    switch (cap.type) {
    case CAP_ZOMBIE:
        return cap;
    case CAP_FRAME:
        frame_finalise(cap);
        break;
    case CAP_PAGE_TABLE:
    case CAP_PAGE_DIRECTORY:
    case CAP_PDPT:
    case CAP_EPT_PT:
    case CAP_EPT_PD:
    case CAP_EPT_PDPT:
        table_finalise(cap, is_final);
        break;
    case CAP_PML4:
    case CAP_EPT_PML4:
        vspace_finalise(cap, is_final);
        break;
    case CAP_ASID_POOL:
        asid_pool_finalise(cap, is_final);
        break;
    case CAP_IRQ_HANDLER:
        irq_finalise(irq_handler_irq(cap), is_final);
        break;
    case CAP_IO_PORT:
        io_port_end(cap, is_final);
        break;
    default:
        break;
    }
    return cap_null();
}

enum status object_prepare_end(struct cap cap)
{
    if (cap.type != CAP_IRQ_HANDLER)
        return STATUS_OK;
    return irq_clear_notification(irq_handler_irq(cap));
}

static enum status drain_endpoint(struct endpoint *endpoint)
{
    enum status status = endpoint_drain(endpoint);

    if (status == STATUS_OK)
        endpoint_finalise(endpoint);
    return status;
}

static enum status drain_notification(struct notification *notification)
{
    enum status status = notification_drain(notification);

    if (status == STATUS_OK)
        notification_finalise(notification);
    return status;
}

enum status object_drain(struct cap cap)
{
    switch (zombie_kind(cap)) {
    case ZOMBIE_ENDPOINT:
        return drain_endpoint(cap_object(cap));
    case ZOMBIE_NOTIFICATION:
        return drain_notification(cap_object(cap));
    default:
        return STATUS_OK;
    }
}

struct cap object_finalise(struct cap cap, bool is_final)
{
    if (!is_final)
        return finalise_each(cap, false);
    switch (cap.type) {
    case CAP_ENDPOINT:
        return endpoint_end(cap);
    case CAP_NOTIFICATION:
        return notification_end(cap);
    case CAP_REPLY:
        reply_finalise(cap_object(cap));
        return cap_null();
    case CAP_SCHED_CONTEXT:
        sched_context_finalise(cap_object(cap));
        return cap_null();
    case CAP_VCPU:
        vcpu_finalise(cap_vcpu(cap));
        return cap_null();
    case CAP_CNODE:
        return zombie(cap, cnode_radix(cap), BIT(cnode_radix(cap)));
    case CAP_TCB:
        return tcb_end(cap);
    default:
        return finalise_each(cap, true);
    }
}
