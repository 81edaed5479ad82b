/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/init/plan_check.h"

#define MAX_COMPONENTS  1024u
#define MAX_CNODE_BITS  17u
#define MAX_PRIORITY    254u /* below init's */
#define MAX_VM_PRIORITY 253u /* below servers' and the supervisor's */
#define MIN_BUDGET_US   20u
#define MAX_PERIOD_US   (3600ull * 1000000) /* an hour: far from where kernels' arithmetic ends */
#define NESTED_TOP      (1ull << 48)
/* What the supervisor's messages are badged with: no notification that it hears may look so. */
#define SUPERVISED_BADGES (2 * PLAN_BADGE_FAULT - 1)

/* One rule over one row; null when it is kept, else what is wrong. */
typedef const char *(*row_rule)(const struct plan *plan, uint32_t row);

static bool name_is_sane(const struct plan *plan, uint32_t name)
{
    return name < plan->header->strings_bytes;
}

static bool owner_is_sane(const struct plan *plan, uint32_t owner)
{
    return owner == PLAN_OWNER_INIT || owner <= plan->nr_components;
}

static bool is_object(const struct plan_slot *slot, uint8_t type)
{
    return slot->source == PLAN_SOURCE_OBJECT && slot->type == type;
}

static bool is_frame(const struct plan_slot *slot)
{
    return slot->source == PLAN_SOURCE_IMAGE || slot->source == PLAN_SOURCE_DEVICE ||
           (slot->source == PLAN_SOURCE_OBJECT && plan_frame_bits(slot->type) != 0);
}

static bool is_component(const struct plan *plan, uint32_t owner)
{
    return owner != PLAN_OWNER_INIT && owner <= plan->nr_components;
}

static const char *check_component(const struct plan *plan, uint32_t row)
{
    const struct plan_component *component = &plan->components[row];

    if (!name_is_sane(plan, component->name)) {
        return "its name lies outside the strings";
    }
    if (component->kind < PLAN_COMPONENT_VM || component->kind > PLAN_COMPONENT_SUPERVISOR) {
        return "unknown kind";
    }
    return (component->kind == PLAN_COMPONENT_SUPERVISOR) == (row + 1 == plan->header->supervisor)
               ? NULL
               : "it is not clear who the supervisor is"; /* P12 */
}

/* Whether objects of this type may have this size. */
static bool object_size_is_sane(uint8_t type, uint8_t size_bits)
{
    switch (type) {
    case seL4_TCBObject:
        return size_bits == seL4_TCBBits;
    case seL4_EndpointObject:
        return size_bits == seL4_EndpointBits;
    case seL4_NotificationObject:
        return size_bits == seL4_NotificationBits;
    case seL4_ReplyObject:
        return size_bits == seL4_ReplyBits;
    case seL4_CapTableObject:
        return size_bits > seL4_SlotBits && size_bits <= MAX_CNODE_BITS + seL4_SlotBits;
    case seL4_SchedContextObject:
        return size_bits >= seL4_MinSchedContextBits && size_bits <= seL4_PageBits;
    case seL4_X86_VCPUObject:
        return size_bits == seL4_X86_VCPUBits;
    case seL4_X86_LargePageObject:
        return size_bits == seL4_LargePageBits;
    case seL4_X64_HugePageObject:
        return size_bits == seL4_HugePageBits;
    case seL4_X86_4K:
    case seL4_X86_PDPTObject:
    case seL4_X64_PML4Object:
    case seL4_X86_PageTableObject:
    case seL4_X86_PageDirectoryObject:
    case seL4_X86_EPTPML4Object:
    case seL4_X86_EPTPDPTObject:
    case seL4_X86_EPTPDObject:
    case seL4_X86_EPTPTObject:
        return size_bits == seL4_PageBits;
    default:
        return false; /* P2 */
    }
}

static const char *check_object(const struct plan *plan, uint32_t row)
{
    const struct plan_object *object = &plan->objects[row];

    if (!name_is_sane(plan, object->name) || !owner_is_sane(plan, object->owner)) {
        return "its name or owner does not exist";
    }
    if (!object_size_is_sane(object->type, object->size_bits)) {
        return "objects of this type and size are not made";
    }
    if (row > 0 && object->size_bits > object[-1].size_bits) {
        return "it is larger than the one before it";
    }
    return NULL;
}

static const char *check_image(const struct plan *plan, uint32_t row)
{
    const struct plan_image *image = &plan->images[row];
    uint64_t bytes = (uint64_t)image->count * PLAN_PAGE_BYTES;

    if (!name_is_sane(plan, image->name) || !owner_is_sane(plan, image->owner)) {
        return "its name or owner does not exist";
    }
    if (image->offset % PLAN_PAGE_BYTES != 0 || image->offset < plan->header->plan_bytes ||
        image->offset > plan->header->image_bytes ||
        bytes > plan->header->image_bytes - image->offset) {
        return "its pages lie outside the image";
    }
    return NULL;
}

static const char *check_message(const struct plan *plan, uint32_t row)
{
    const struct plan_irq *irq = &plan->irqs[row];

    if (irq->device >= plan->nr_devices || plan->devices[irq->device].owner != irq->owner) {
        return "its device is not there, or somebody else's";
    }
    for (uint32_t i = 0; i < row; i++) {
        if (plan->irqs[i].kind == PLAN_IRQ_MESSAGE && plan->irqs[i].device == irq->device) {
            return "its device has an interrupt already";
        }
    }
    return NULL;
}

static const char *check_irq(const struct plan *plan, uint32_t row)
{
    const struct plan_irq *irq = &plan->irqs[row];

    if (!name_is_sane(plan, irq->name) || !owner_is_sane(plan, irq->owner)) {
        return "its name or owner does not exist";
    }
    if (irq->vector > VECTOR_MAX || irq->level > 1 || irq->polarity > 1) {
        return "no such vector, level or polarity";
    }
    if (irq->kind == PLAN_IRQ_MESSAGE) {
        return check_message(plan, row);
    }
    return irq->kind == PLAN_IRQ_PIN ? NULL : "unknown kind";
}

static const char *check_port(const struct plan *plan, uint32_t row)
{
    const struct plan_port *port = &plan->ports[row];

    if (!name_is_sane(plan, port->name) || !owner_is_sane(plan, port->owner)) {
        return "its name or owner does not exist";
    }
    return port->first <= port->last ? NULL : "its last port is before its first";
}

static bool is_vm(const struct plan *plan, uint32_t owner)
{
    return is_component(plan, owner) && plan->components[owner - 1].kind == PLAN_COMPONENT_VM;
}

static bool is_server(const struct plan *plan, uint32_t owner)
{
    return is_component(plan, owner) && plan->components[owner - 1].kind == PLAN_COMPONENT_SERVER;
}

#define CLASS_CODE_MAX 0xffffffu
#define BAR_MAX        5u
#define BAR_PAGES_MAX  4096u

static const char *check_device(const struct plan *plan, uint32_t row)
{
    const struct plan_device *device = &plan->devices[row];

    if (!name_is_sane(plan, device->name) || !is_component(plan, device->owner)) {
        return "its name does not exist, or its owner is no component";
    }
    if (device->class_code > CLASS_CODE_MAX || device->bar > BAR_MAX ||
        device->count > BAR_PAGES_MAX) {
        return "no such class, BAR or number of frames";
    }
    for (uint32_t i = 0; i < row; i++) {
        if (plan->devices[i].class_code == device->class_code &&
            plan->devices[i].number == device->number) {
            return "the device is given twice";
        }
    }
    return NULL;
}

/* --- P1 ----------------------------------------------------------------------------------------
 */

struct slot_walk {
    uint64_t next;
    struct plan_problem *problem;
};

static bool walk(struct slot_walk *walk, enum plan_table_id table, uint32_t row, uint32_t slot,
                 uint32_t count)
{
    if (slot != walk->next || count == 0) {
        *walk->problem = (struct plan_problem){ plan_table_name(table), row,
                                                "its slots do not follow those before it" };
        return false;
    }
    walk->next += count;
    return true;
}

static bool walk_copies(const struct plan *plan, struct slot_walk *at)
{
    bool others_began = false;

    for (uint32_t i = 0; i < plan->nr_caps; i++) {
        const struct plan_cap *cap = &plan->caps[i];

        if (cap->cnode != PLAN_NO_SLOT) {
            others_began = true;
            continue;
        }
        if (others_began || cap->source >= cap->index) {
            *at->problem = (struct plan_problem){ plan_table_name(PLAN_TABLE_CAPS), i,
                                                  "it comes too late, or is copied too early" };
            return false;
        }
        if (!walk(at, PLAN_TABLE_CAPS, i, cap->index, cap->count)) {
            return false;
        }
    }
    return true;
}

static bool check_slots(const struct plan *plan, struct plan_problem *problem)
{
    struct slot_walk at = { 1, problem };

    for (uint32_t i = 0; i < plan->nr_objects; i++) {
        if (!walk(&at, PLAN_TABLE_OBJECTS, i, plan->objects[i].slot, plan->objects[i].count)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < plan->nr_images; i++) {
        if (!walk(&at, PLAN_TABLE_IMAGES, i, plan->images[i].slot, plan->images[i].count)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < plan->nr_irqs; i++) {
        if (!walk(&at, PLAN_TABLE_IRQS, i, plan->irqs[i].slot, 1)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < plan->nr_ports; i++) {
        if (!walk(&at, PLAN_TABLE_PORTS, i, plan->ports[i].slot, 1)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < plan->nr_devices; i++) {
        if (!walk(&at, PLAN_TABLE_DEVICES, i, plan->devices[i].slot, plan->devices[i].count)) {
            return false;
        }
    }
    if (!walk_copies(plan, &at)) {
        return false;
    }
    if (at.next != plan->header->nr_slots) {
        *problem = (struct plan_problem){ "header", PLAN_NO_ROW, "wrong number of slots" };
        return false;
    }
    return true;
}

/* --- Channels: P8 -------------------------------------------------------------------------------
 */

/* The channel that these frames are part of, or null. Asks for channels that were checked. */
static const struct plan_channel *channel_of_frames(const struct plan *plan,
                                                    const struct plan_slot *frames)
{
    if (frames->source != PLAN_SOURCE_OBJECT) {
        return NULL;
    }
    for (uint32_t i = 0; i < plan->nr_channels; i++) {
        if (plan->channels[i].frames == plan->objects[frames->row].slot) {
            return &plan->channels[i];
        }
    }
    return NULL;
}

static bool is_end(const struct plan_channel *channel, uint32_t owner)
{
    return channel->ends[0].owner == owner || channel->ends[1].owner == owner;
}

/* Whether `holder` may have one capability with these rights to what is in `slot`, as an end. */
static bool is_channel_signal(const struct plan *plan, const struct plan_slot *slot,
                              uint64_t rights, uint32_t count, uint32_t holder)
{
    if (!is_object(slot, seL4_NotificationObject) || rights != seL4_CanWrite.words[0] ||
        count != 1) {
        return false;
    }
    for (uint32_t i = 0; i < plan->nr_channels; i++) {
        for (unsigned end = 0; end < 2; end++) {
            const struct plan_channel_end *mine = &plan->channels[i].ends[end];

            if (plan->channels[i].ends[1 - end].owner == holder && mine->owner == slot->owner &&
                mine->notification == plan->objects[slot->row].slot + slot->first &&
                mine->badge == slot->badge) {
                return true;
            }
        }
    }
    return false;
}

static const char *check_channel_end(const struct plan *plan, const struct plan_channel_end *end)
{
    struct plan_slot slot;

    if (!is_component(plan, end->owner)) {
        return "an end is no component";
    }
    if (!plan_slots_find(plan, end->notification, 1, &slot) || slot.is_copy ||
        !is_object(&slot, seL4_NotificationObject) || slot.owner != end->owner) {
        return "an end has no notification of its own";
    }
    if (end->owner == plan->header->supervisor && (end->badge & SUPERVISED_BADGES) != 0) {
        return "its signals would be taken for messages to the supervisor";
    }
    return end->badge != 0 ? NULL : "an end would be signalled without a badge";
}

/* Badges of signals add up, bit by bit, until they are received. */
static bool signals_collide(const struct plan_channel *a, const struct plan_channel *b)
{
    for (unsigned i = 0; i < 4; i++) {
        const struct plan_channel_end *one = &a->ends[i / 2], *other = &b->ends[i % 2];

        if (one->notification == other->notification && (one->badge & other->badge) != 0) {
            return true;
        }
    }
    return false;
}

static const char *check_channel(const struct plan *plan, uint32_t row)
{
    const struct plan_channel *channel = &plan->channels[row];
    const char *wrong = check_channel_end(plan, &channel->ends[0]);
    struct plan_slot frames;

    wrong = wrong != NULL ? wrong : check_channel_end(plan, &channel->ends[1]);
    if (wrong != NULL) {
        return wrong;
    }
    if (!name_is_sane(plan, channel->name)) {
        return "its name lies outside the strings";
    }
    if (channel->ends[0].owner == channel->ends[1].owner ||
        (!is_server(plan, channel->ends[0].owner) && !is_server(plan, channel->ends[1].owner))) {
        return "its ends are one component, or none is a server";
    }
    if (!plan_slots_find(plan, channel->frames, channel->count, &frames) || frames.is_copy ||
        !is_object(&frames, seL4_X86_4K) || frames.first != 0 ||
        plan->objects[frames.row].count != channel->count) {
        return "its frames are not one row of 4 KiB frames";
    }
    if (!is_end(channel, frames.owner)) {
        return "its frames belong to neither end";
    }
    for (uint32_t i = 0; i < row; i++) {
        if (plan->channels[i].frames == channel->frames) {
            return "its frames are another channel's, too";
        }
        if (signals_collide(&plan->channels[i], channel)) {
            return "its signals would be taken for another channel's";
        }
    }
    return NULL;
}

/* --- Address spaces ----------------------------------------------------------------------------
 */

struct space {
    uint32_t owner;
    bool nested;
    uint64_t top;
};

static bool find_space(const struct plan *plan, uint32_t slot, struct space *space)
{
    struct plan_slot found;

    if (slot == PLAN_SLOT_INIT_VSPACE) {
        *space = (struct space){ PLAN_OWNER_INIT, false, seL4_UserTop };
        return true;
    }
    if (!plan_slots_find(plan, slot, 1, &found) || found.is_copy) {
        return false;
    }
    if (is_object(&found, seL4_X64_PML4Object)) {
        *space = (struct space){ found.owner, false, seL4_UserTop };
        return true;
    }
    *space = (struct space){ found.owner, true, NESTED_TOP };
    return is_object(&found, seL4_X86_EPTPML4Object);
}

/* Whether count things of 2^bits bytes from address on are aligned and end below the top. */
static bool addresses_are_sane(uint64_t address, uint64_t count, unsigned bits, uint64_t top)
{
    return (address & ((1ull << bits) - 1)) == 0 && address < top &&
           count <= (top - address) >> bits;
}

static bool is_nested_paging(uint8_t type)
{
    return type == seL4_X86_EPTPDPTObject || type == seL4_X86_EPTPDObject ||
           type == seL4_X86_EPTPTObject;
}

static const char *check_paging(const struct plan *plan, uint32_t row)
{
    const struct plan_paging *paging = &plan->paging[row];
    struct plan_slot tables;
    struct space space;
    unsigned bits;

    if (!find_space(plan, paging->space, &space)) {
        return "its space is no address space";
    }
    if (!plan_slots_find(plan, paging->slot, paging->count, &tables) || tables.is_copy ||
        tables.source != PLAN_SOURCE_OBJECT || plan_paging_span_bits(tables.type) == 0) {
        return "its slots hold no paging structures";
    }
    if (tables.owner != space.owner || is_nested_paging(tables.type) != space.nested) {
        return "these paging structures do not belong into that space";
    }
    bits = plan_paging_span_bits(tables.type);
    /* The uppermost structure may span more than the space has. */
    if (!addresses_are_sane(paging->address, paging->count, bits, 1ull << 48)) {
        return "its address is not aligned or too high";
    }
    return NULL;
}

static const char *check_pages(const struct plan_mapping *mapping, const struct plan_slot *frames,
                               const struct space *space)
{
    bool write = (mapping->rights & seL4_CanWrite.words[0]) != 0;

    if (frames->source == PLAN_SOURCE_IMAGE && write) {
        return "an image page would be writable";
    }
    if (!space->nested && write && (mapping->attributes & PLAN_ATTRIBUTE_EXECUTE_NEVER) == 0) {
        return "a page would be writable and executable";
    }
    if (!addresses_are_sane(mapping->address, mapping->count, plan_frame_bits(frames->type),
                            space->top)) {
        return "its address is not aligned or too high";
    }
    return NULL;
}

/* Where the mapping ends. */
static uint64_t mapping_end(const struct plan *plan, const struct plan_mapping *mapping)
{
    struct plan_slot frames;

    if (!plan_slots_find(plan, mapping->frame, 1, &frames)) {
        return UINT64_MAX;
    }
    return mapping->address + ((uint64_t)mapping->count << plan_frame_bits(frames.type));
}

static const char *check_mapping(const struct plan *plan, uint32_t row)
{
    const struct plan_mapping *mapping = &plan->mappings[row];
    const struct plan_channel *channel;
    struct plan_slot frames;
    struct space space;

    if (mapping->space == PLAN_SLOT_INIT_VSPACE || !find_space(plan, mapping->space, &space)) {
        return "its space is no address space of a component";
    }
    if (!plan_slots_find(plan, mapping->frame, mapping->count, &frames) || !is_frame(&frames)) {
        return "its slots hold no frames";
    }
    channel = channel_of_frames(plan, &frames);
    if (channel != NULL ? !is_end(channel, space.owner) : frames.owner != space.owner) {
        return "the frames belong to somebody else";
    }
    if (channel != NULL &&
        (space.nested || (mapping->attributes & PLAN_ATTRIBUTE_EXECUTE_NEVER) == 0)) {
        return "a channel's frames would be executable, or a guest's memory";
    }
    if (frames.source == PLAN_SOURCE_DEVICE &&
        (space.nested || (mapping->attributes & PLAN_ATTRIBUTE_EXECUTE_NEVER) == 0)) {
        return "a device's registers would be executable, or a guest's memory";
    }
    if (row > 0 && (mapping->space < mapping[-1].space ||
                    (mapping->space == mapping[-1].space &&
                     mapping->address < mapping_end(plan, &mapping[-1])))) {
        return "it overlaps the one before it, or is out of order";
    }
    return check_pages(mapping, &frames, &space);
}

static bool have_channel(const struct plan *plan, uint32_t one, uint32_t other)
{
    for (uint32_t i = 0; i < plan->nr_channels; i++) {
        if (is_end(&plan->channels[i], one) && is_end(&plan->channels[i], other)) {
            return true;
        }
    }
    return false;
}

static bool has_device(const struct plan *plan, uint32_t owner)
{
    for (uint32_t i = 0; i < plan->nr_devices; i++) {
        if (plan->devices[i].owner == owner) {
            return true;
        }
    }
    return false;
}

static bool may_know_memory(const struct plan *plan, uint32_t who, uint32_t owner)
{
    return who == owner || (is_vm(plan, owner) && !is_vm(plan, who) && has_device(plan, who) &&
                            have_channel(plan, who, owner));
}

static bool finds_addressed(const struct plan *plan, const struct plan_fill *fill,
                            struct plan_slot *frames)
{
    return plan_slots_find(plan, fill->source < UINT32_MAX ? (uint32_t)fill->source : 0,
                           (uint32_t)(fill->length / sizeof(uint64_t)), frames) &&
           frames->source == PLAN_SOURCE_OBJECT && !frames->is_copy && is_frame(frames);
}

/* P10. into: the frame that the addresses are written to, where this fill begins. */
static const char *check_addresses(const struct plan *plan, uint32_t row,
                                   const struct plan_slot *into)
{
    const struct plan_fill *fill = &plan->fills[row];
    struct plan_slot frames, earlier_into, earlier;

    if (fill->offset % sizeof(uint64_t) != 0 || fill->length % sizeof(uint64_t) != 0 ||
        fill->length / sizeof(uint64_t) > UINT32_MAX || !finds_addressed(plan, fill, &frames)) {
        return "its source is not frames";
    }
    if (!may_know_memory(plan, into->owner, frames.owner)) {
        return "it tells where the memory of a stranger is";
    }
    for (uint32_t i = 0; i < row; i++) {
        const struct plan_fill *other = &plan->fills[i];

        if (other->kind == PLAN_FILL_ADDRESSES &&
            plan_slots_find(plan, other->frame, 1, &earlier_into) &&
            earlier_into.row == into->row && finds_addressed(plan, other, &earlier) &&
            earlier.owner != frames.owner) {
            return "it mixes the memory of two components";
        }
    }
    return NULL;
}

static const char *check_fill_source(const struct plan *plan, uint32_t row,
                                     const struct plan_slot *frame)
{
    const struct plan_fill *fill = &plan->fills[row];
    uint64_t image_bytes = plan->header->image_bytes;

    switch (fill->kind) {
    case PLAN_FILL_BYTES:
        return fill->source > image_bytes || fill->length > image_bytes - fill->source
                   ? "its bytes lie outside the image"
                   : NULL;
    case PLAN_FILL_ADDRESSES:
        return check_addresses(plan, row, frame);
    case PLAN_FILL_DEVICE:
        return fill->source >= plan->nr_devices || plan->devices[fill->source].owner != frame->owner
                   ? "its device is not there, or somebody else's"
                   : NULL;
    default:
        return NULL;
    }
}

/* Bytes that it writes; 0 if there is no such kind. */
static uint64_t fill_length(const struct plan_fill *fill)
{
    switch (fill->kind) {
    case PLAN_FILL_BYTES:
    case PLAN_FILL_ADDRESSES:
        return fill->length;
    case PLAN_FILL_TSC_MHZ:
        return sizeof(uint32_t);
    case PLAN_FILL_BOOT_TIME:
        return sizeof(uint64_t);
    case PLAN_FILL_DEVICE:
        return 2 * sizeof(uint32_t);
    default:
        return 0;
    }
}

static const char *check_fill(const struct plan *plan, uint32_t row)
{
    const struct plan_fill *fill = &plan->fills[row];
    uint64_t length = fill_length(fill), room;
    struct plan_slot frame;

    if (length == 0) {
        return "unknown kind, or empty";
    }
    if (!plan_slots_find(plan, fill->frame, 1, &frame) || frame.is_copy ||
        !is_object(&frame, seL4_X86_4K)) {
        return "its slot holds no 4 KiB frame";
    }
    room = (uint64_t)(plan->objects[frame.row].count - frame.first) * PLAN_PAGE_BYTES;
    if (fill->offset > room || length > room - fill->offset) {
        return "it does not fit into the frames";
    }
    if ((fill->kind == PLAN_FILL_TSC_MHZ || fill->kind == PLAN_FILL_BOOT_TIME) &&
        fill->offset % PLAN_PAGE_BYTES > PLAN_PAGE_BYTES - length) {
        return "its word crosses a page";
    }
    return check_fill_source(plan, row, &frame);
}

/* --- Capabilities: P4, P6, P12 ------------------------------------------------------------------
 */

static bool takes_badge(const struct plan_slot *slot)
{
    return is_object(slot, seL4_EndpointObject) || is_object(slot, seL4_NotificationObject);
}

/* A component's message to the supervisor carries its own number and can only be sent. */
static bool is_report_endpoint(const struct plan *plan, const struct plan_slot *slot,
                               uint64_t rights, uint32_t owner)
{
    return is_object(slot, seL4_EndpointObject) && slot->owner == plan->header->supervisor &&
           slot->badge == owner && rights == seL4_CanWrite.words[0];
}

static bool is_supervised_thread(const struct plan *plan, const struct plan_slot *slot,
                                 uint32_t owner)
{
    return owner == plan->header->supervisor && is_object(slot, seL4_TCBObject) &&
           is_vm(plan, slot->owner);
}

static const char *check_cap_in_cnode(const struct plan *plan, const struct plan_cap *cap,
                                      const struct plan_slot *source)
{
    struct plan_slot cnode;
    uint64_t room;

    if (!plan_slots_find(plan, cap->cnode, 1, &cnode) || cnode.is_copy ||
        !is_object(&cnode, seL4_CapTableObject)) {
        return "its CNode is none";
    }
    room = 1ull << (cnode.size_bits - seL4_SlotBits);
    if (cap->index == 0 || cap->index >= room || cap->count > room - cap->index) {
        return "the CNode has no such slot";
    }
    if (cnode.owner == PLAN_OWNER_INIT) {
        return "init would keep something";
    }
    if (source->owner != cnode.owner && !is_supervised_thread(plan, source, cnode.owner) &&
        !is_report_endpoint(plan, source, source->rights & cap->rights, cnode.owner) &&
        !is_channel_signal(plan, source, source->rights & cap->rights, cap->count, cnode.owner)) {
        return "the component would hold what is not its own";
    }
    return NULL;
}

static const char *check_cap(const struct plan *plan, uint32_t row)
{
    const struct plan_cap *cap = &plan->caps[row];
    struct plan_slot source;

    if (!plan_slots_find(plan, cap->source, cap->count, &source)) {
        return "its source holds nothing, or different things";
    }
    if ((cap->rights & ~seL4_AllRights.words[0]) != 0) {
        return "no such rights";
    }
    if (cap->badge != 0 && (!takes_badge(&source) || source.badge != 0)) {
        return "what it copies cannot be badged";
    }
    if (cap->cnode == PLAN_NO_SLOT) {
        return NULL;
    }
    source.badge |= cap->badge;
    return check_cap_in_cnode(plan, cap, &source);
}

static const char *check_binding(const struct plan *plan, uint32_t row)
{
    const struct plan_binding *binding = &plan->bindings[row];
    struct plan_slot irq, notification;

    if (!plan_slots_find(plan, binding->irq, 1, &irq) || irq.source != PLAN_SOURCE_IRQ) {
        return "its slot holds no IRQ handler";
    }
    if (!plan_slots_find(plan, binding->notification, 1, &notification) ||
        !is_object(&notification, seL4_NotificationObject)) {
        return "its slot holds no notification";
    }
    if (irq.owner == plan->header->supervisor) {
        return "the supervisor would have an interrupt";
    }
    return irq.owner == notification.owner ? NULL : "the interrupt belongs to somebody else";
}

static bool times_are_sane(uint64_t budget_us, uint64_t period_us)
{
    return budget_us >= MIN_BUDGET_US && budget_us <= period_us && period_us <= MAX_PERIOD_US;
}

static const char *check_context(const struct plan *plan, uint32_t row)
{
    const struct plan_context *context = &plan->contexts[row];
    struct plan_slot slot;

    if (!plan_slots_find(plan, context->slot, 1, &slot) ||
        !is_object(&slot, seL4_SchedContextObject)) {
        return "its slot holds no scheduling context";
    }
    if (!times_are_sane(context->budget_us, context->period_us)) {
        return "no such budget and period";
    }
    return context->extra_refills <= seL4_MaxExtraRefills(slot.size_bits)
               ? NULL
               : "the scheduling context has no room for so many refills";
}

/* --- Threads -----------------------------------------------------------------------------------
 */

static bool owns(const struct plan *plan, uint32_t owner, uint32_t slot, uint8_t type)
{
    struct plan_slot found;

    return plan_slots_find(plan, slot, 1, &found) && is_object(&found, type) &&
           found.owner == owner;
}

static bool owns_or_none(const struct plan *plan, uint32_t owner, uint32_t slot, uint8_t type)
{
    return slot == PLAN_NO_SLOT || owns(plan, owner, slot, type);
}

static bool thread_owns_its_parts(const struct plan *plan, const struct plan_thread *thread)
{
    uint32_t owner = thread->owner;

    return owns(plan, owner, thread->tcb, seL4_TCBObject) &&
           owns(plan, owner, thread->cnode, seL4_CapTableObject) &&
           owns(plan, owner, thread->vspace, seL4_X64_PML4Object) &&
           owns(plan, owner, thread->buffer_frame, seL4_X86_4K) &&
           owns(plan, owner, thread->context, seL4_SchedContextObject) &&
           owns_or_none(plan, owner, thread->notification, seL4_NotificationObject) &&
           owns_or_none(plan, owner, thread->vcpu, seL4_X86_VCPUObject) &&
           owns_or_none(plan, owner, thread->ept, seL4_X86_EPTPML4Object);
}

/* P8: nobody else writes what the kernel reads for this thread. */
static bool buffer_is_private(const struct plan *plan, const struct plan_thread *thread)
{
    struct plan_slot found;

    return plan_slots_find(plan, thread->buffer_frame, 1, &found) &&
           channel_of_frames(plan, &found) == NULL;
}

static bool fault_endpoint_is_sane(const struct plan *plan, const struct plan_thread *thread)
{
    struct plan_slot found;

    return plan_slots_find(plan, thread->fault_endpoint, 1, &found) &&
           is_object(&found, seL4_EndpointObject) && found.owner == plan->header->supervisor &&
           found.badge == (thread->owner | PLAN_BADGE_FAULT) &&
           found.rights == seL4_CapRights_new(1, 0, 0, 1).words[0];
}

/* P12: a thread that the supervisor could not stop would go on while its VM is started anew. */
static bool is_supervised(const struct plan *plan, uint32_t tcb)
{
    for (uint32_t i = 0; i < plan->nr_caps; i++) {
        const struct plan_cap *cap = &plan->caps[i];
        struct plan_slot cnode;

        if (cap->cnode != PLAN_NO_SLOT && tcb >= cap->source && tcb - cap->source < cap->count &&
            plan_slots_find(plan, cap->cnode, 1, &cnode) &&
            cnode.owner == plan->header->supervisor) {
            return true;
        }
    }
    return false;
}

static const char *check_thread(const struct plan *plan, uint32_t row)
{
    const struct plan_thread *thread = &plan->threads[row];
    struct plan_slot cnode;

    if (!name_is_sane(plan, thread->name) || thread->owner == PLAN_OWNER_INIT ||
        thread->owner > plan->nr_components) {
        return "its name or owner does not exist";
    }
    if (!thread_owns_its_parts(plan, thread)) {
        return "one of its objects is missing, of another kind or of another owner";
    }
    if (!buffer_is_private(plan, thread)) {
        return "its IPC buffer is a channel's";
    }
    if (!is_vm(plan, thread->owner) &&
        (thread->vcpu != PLAN_NO_SLOT || thread->ept != PLAN_NO_SLOT)) {
        return "a server would run a guest";
    }
    if (is_vm(plan, thread->owner) && !is_supervised(plan, thread->tcb)) {
        return "the supervisor could not stop it";
    }
    if (!fault_endpoint_is_sane(plan, thread)) {
        return "its faults would not reach the supervisor under its name";
    }
    if (!plan_slots_find(plan, thread->cnode, 1, &cnode) ||
        thread->cnode_bits != (uint32_t)cnode.size_bits - seL4_SlotBits) {
        return "its CNode has another size";
    }
    if (thread->priority > (is_vm(plan, thread->owner) ? MAX_VM_PRIORITY : MAX_PRIORITY) ||
        thread->max_priority > thread->priority) {
        return "its priority is too high";
    }
    if (thread->rip >= seL4_UserTop || thread->buffer_address >= seL4_UserTop ||
        thread->buffer_address % (1u << seL4_IPCBufferSizeBits) != 0) {
        return "its entry point or IPC buffer is not a good address";
    }
    return NULL;
}

/* --- The header ---------------------------------------------------------------------------------
 */

static const char *check_last_cnode(const struct plan *plan)
{
    const struct plan_header *header = plan->header;
    struct plan_slot cnode;

    return !plan_slots_find(plan, header->last_cnode, 1, &cnode) ||
                   !is_object(&cnode, seL4_CapTableObject) || cnode.owner != PLAN_OWNER_INIT ||
                   header->last_cnode_bits != (uint32_t)cnode.size_bits - seL4_SlotBits
               ? "init's last CNode is none"
               : NULL;
}

static const char *check_header(const struct plan *plan)
{
    const struct plan_header *header = plan->header;

    if (!name_is_sane(plan, header->name)) {
        return "the system's name lies outside the strings";
    }
    if (header->supervisor == PLAN_OWNER_INIT || header->supervisor > plan->nr_components) {
        return "there is no supervisor";
    }
    if (header->scratch_address % PLAN_PAGE_BYTES != 0 || header->scratch_address >= seL4_UserTop) {
        return "the scratch page is not a good address";
    }
    if (plan->nr_components > MAX_COMPONENTS || plan->nr_devices > PLAN_MAX_DEVICES) {
        return "too many components or devices";
    }
    return NULL;
}

/* --- All of it ---------------------------------------------------------------------------------
 */

static bool check_rows(const struct plan *plan, enum plan_table_id table, row_rule rule,
                       struct plan_problem *problem)
{
    uint32_t count = plan->header->tables[table].count;

    for (uint32_t row = 0; row < count; row++) {
        const char *what = rule(plan, row);

        if (what != NULL) {
            *problem = (struct plan_problem){ plan_table_name(table), row, what };
            return false;
        }
    }
    return true;
}

static bool check_once(const char *what, struct plan_problem *problem)
{
    if (what != NULL) {
        *problem = (struct plan_problem){ "header", PLAN_NO_ROW, what };
    }
    return what == NULL;
}

bool plan_check(const struct plan *plan, struct plan_problem *problem)
{
    /* The slots first: all that comes after looks up what a slot holds. */
    return check_once(check_header(plan), problem) && check_slots(plan, problem) &&
           check_rows(plan, PLAN_TABLE_COMPONENTS, check_component, problem) &&
           check_rows(plan, PLAN_TABLE_OBJECTS, check_object, problem) &&
           check_rows(plan, PLAN_TABLE_IMAGES, check_image, problem) &&
           check_rows(plan, PLAN_TABLE_DEVICES, check_device, problem) &&
           check_rows(plan, PLAN_TABLE_IRQS, check_irq, problem) &&
           check_rows(plan, PLAN_TABLE_PORTS, check_port, problem) &&
           check_rows(plan, PLAN_TABLE_CHANNELS, check_channel, problem) &&
           check_rows(plan, PLAN_TABLE_PAGING, check_paging, problem) &&
           check_rows(plan, PLAN_TABLE_FILLS, check_fill, problem) &&
           check_rows(plan, PLAN_TABLE_CAPS, check_cap, problem) &&
           check_rows(plan, PLAN_TABLE_MAPPINGS, check_mapping, problem) &&
           check_rows(plan, PLAN_TABLE_BINDINGS, check_binding, problem) &&
           check_rows(plan, PLAN_TABLE_CONTEXTS, check_context, problem) &&
           check_rows(plan, PLAN_TABLE_THREADS, check_thread, problem) &&
           check_once(check_last_cnode(plan), problem);
}
