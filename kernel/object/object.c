/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/object/object.h"

#include "abi/errors.h"
#include "abi/types.h"
#include "kernel/object/derivation.h"
#include "kernel/object/io_port.h"
#include "kernel/object/ipc_objects.h"
#include "kernel/object/irq.h"
#include "kernel/object/sched_context.h"
#include "kernel/object/tcb.h"
#include "kernel/object/vcpu.h"
#include "kernel/vspace/map.h"

/* --- creation -------------------------------------------------------------------------------- */

/* The capability of a new object but for its address. Paging structures begin zeroed, unmapped. */
static const struct object_type {
    u8 cap_type; /* enum cap_type */
    u8 aux;
    u8 device_bit;   /* of aux; 0: device memory cannot become one */
    bool user_sized; /* the caller chooses the size, which goes into aux */
} object_types[seL4_ObjectTypeCount] = {
    [seL4_UntypedObject] = { .cap_type = CAP_UNTYPED,
                             .device_bit = UNTYPED_DEVICE,
                             .user_sized = true },
    [seL4_TCBObject] = { .cap_type = CAP_TCB },
    [seL4_EndpointObject] = { .cap_type = CAP_ENDPOINT, .aux = RIGHTS_ALL },
    [seL4_NotificationObject] = { .cap_type = CAP_NOTIFICATION, .aux = RIGHT_WRITE | RIGHT_READ },
    [seL4_CapTableObject] = { .cap_type = CAP_CNODE, .user_sized = true },
    [seL4_SchedContextObject] = { .cap_type = CAP_SCHED_CONTEXT, .user_sized = true },
    [seL4_ReplyObject] = { .cap_type = CAP_REPLY, .aux = RIGHTS_ALL },
    [seL4_X86_PDPTObject] = { .cap_type = CAP_PDPT },
    [seL4_X64_PML4Object] = { .cap_type = CAP_PML4 },
    [seL4_X64_HugePageObject] = { .cap_type = CAP_FRAME,
                                  .aux = FRAME_1G | FRAME_RIGHTS_ALL,
                                  .device_bit = FRAME_DEVICE },
    [seL4_X86_4K] = { .cap_type = CAP_FRAME,
                      .aux = FRAME_4K | FRAME_RIGHTS_ALL,
                      .device_bit = FRAME_DEVICE },
    [seL4_X86_LargePageObject] = { .cap_type = CAP_FRAME,
                                   .aux = FRAME_2M | FRAME_RIGHTS_ALL,
                                   .device_bit = FRAME_DEVICE },
    [seL4_X86_PageTableObject] = { .cap_type = CAP_PAGE_TABLE },
    [seL4_X86_PageDirectoryObject] = { .cap_type = CAP_PAGE_DIRECTORY },
    [seL4_X86_IOPageTableObject] = { .cap_type = CAP_IO_PAGE_TABLE },
    [seL4_X86_VCPUObject] = { .cap_type = CAP_VCPU },
    [seL4_X86_EPTPML4Object] = { .cap_type = CAP_EPT_PML4 },
    [seL4_X86_EPTPDPTObject] = { .cap_type = CAP_EPT_PDPT },
    [seL4_X86_EPTPDObject] = { .cap_type = CAP_EPT_PD },
    [seL4_X86_EPTPTObject] = { .cap_type = CAP_EPT_PT },
};

static struct cap new_cap(u64 api_type, hpa_t base, u64 user_size, bool is_device)
{
    const struct object_type *type = &object_types[api_type];
    unsigned aux = type->aux | (type->user_sized ? (unsigned)user_size : 0);

    return cap_make(type->cap_type, base, aux | (is_device ? type->device_bit : 0), 0);
}

unsigned object_size_bits(u64 api_type, u64 user_size)
{
    return cap_size_bits(new_cap(api_type, hpa(0), user_size, false));
}

bool object_may_be_device(u64 api_type)
{
    return object_types[api_type].device_bit != 0;
}

struct cap object_create(u64 api_type, hpa_t base, u64 user_size, bool is_device)
{
    switch (api_type) {
    case seL4_TCBObject:
        tcb_create(hpa_to_ptr(base));
        break;
    case seL4_X86_VCPUObject:
        vcpu_create(hpa_to_ptr(base));
        break;
    case seL4_X64_PML4Object:
        pml4_create(hpa_to_ptr(base));
        break;
    default:
        break;
    }
    return new_cap(api_type, base, user_size, is_device);
}

/* --- derivation ------------------------------------------------------------------------------ */

u64 cap_derive(const struct slot *slot, struct cap *cap)
{
    switch (cap->type) {
    case CAP_NULL:
    case CAP_ZOMBIE:
    case CAP_IRQ_CONTROL:
    case CAP_IO_PORT_CONTROL:
        return seL4_IllegalOperation;
    case CAP_UNTYPED:
        return slot_has_children(slot) ? seL4_RevokeFirst : seL4_NoError;
    case CAP_FRAME: /* a copy starts unmapped: it may be mapped elsewhere */
        *cap = cap_aux_set(*cap, 5, 2, FRAME_UNMAPPED);
        cap->data = 0;
        return seL4_NoError;
    case CAP_IO_PORT: /* a copy feeds no VCPU (vcpu.h I2) */
        cap->data = (u32)cap->data;
        return seL4_NoError;
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
        return table_is_mapped(*cap) ? seL4_NoError : seL4_IllegalOperation;
    default:
        return seL4_NoError;
    }
}

/* --- the end --------------------------------------------------------------------------------- */

static struct cap zombie(struct cap cap, enum zombie_kind kind, u64 nr_slots)
{
    return cap_make(CAP_ZOMBIE, cap_hpa(cap), cap_size_bits(cap) | (unsigned)kind << 6, nr_slots);
}

/*
 * The last capability goes. Threads that wait are sent away as a zombie's: those who try again then
 * find nothing to wait at.
 */
static struct cap end_object(struct cap cap)
{
    switch (cap.type) {
    case CAP_ENDPOINT:
        if (!endpoint_finalise(cap_object(cap)))
            return zombie(cap, ZOMBIE_ENDPOINT, 0);
        break;
    case CAP_NOTIFICATION:
        if (!notification_finalise(cap_object(cap)))
            return zombie(cap, ZOMBIE_NOTIFICATION, 0);
        break;
    case CAP_CNODE:
        return zombie(cap, ZOMBIE_SLOTS, BIT(cnode_radix(cap)));
    case CAP_TCB:
        tcb_finalise(cap_tcb(cap));
        return zombie(cap, ZOMBIE_SLOTS, TCB_SLOT_COUNT);
    case CAP_REPLY:
        reply_finalise(cap_object(cap));
        break;
    case CAP_SCHED_CONTEXT:
        sched_context_finalise(cap_object(cap));
        break;
    case CAP_VCPU:
        vcpu_finalise(cap_vcpu(cap));
        break;
    case CAP_PAGE_TABLE:
    case CAP_PAGE_DIRECTORY:
    case CAP_PDPT:
    case CAP_EPT_PT:
    case CAP_EPT_PD:
    case CAP_EPT_PDPT:
        table_unmap(cap);
        break;
    case CAP_PML4:
    case CAP_EPT_PML4:
        vspace_finalise(cap);
        break;
    case CAP_ASID_POOL:
        asid_pool_finalise(cap);
        break;
    case CAP_IRQ_HANDLER:
        irq_finalise(irq_handler_irq(cap));
        break;
    case CAP_IO_PORT:
        io_port_set_issued(io_port_first(cap), io_port_last(cap), false);
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

struct cap object_finalise(struct cap cap, bool is_final)
{
    if (cap.type == CAP_ZOMBIE)
        return cap;
    if (cap.type == CAP_FRAME)
        frame_unmap(cap);
    if (cap.type == CAP_IO_PORT && io_port_vcpu(cap))
        vcpu_unmap_io_ports(cap);
    return is_final ? end_object(cap) : cap_null();
}
