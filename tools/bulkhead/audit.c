/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/audit.h"

#include "tools/bulkhead/names.h"

struct audit {
    const struct plan *plan;
    struct arena *arena;
    struct listing listing;
};

static const char *number(const struct audit *audit, uint64_t value)
{
    return arena_format(audit->arena, "%llu", (unsigned long long)value);
}

static const char *hexadecimal(const struct audit *audit, uint64_t value)
{
    return arena_format(audit->arena, "0x%llx", (unsigned long long)value);
}

static const char *owner_name(const struct audit *audit, uint32_t owner)
{
    return plan_owner_name(audit->plan, owner);
}

#define ROW(audit, ...) listing_row(&(audit)->listing, (const char *const[]){ __VA_ARGS__ })
#define COLUMNS(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

/* --- Components --------------------------------------------------------------------------------
 */

/* What it owns, in bytes; of frames only, or of everything else. */
static uint64_t owned_bytes(const struct plan *plan, uint32_t owner, bool frames)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < plan->nr_objects; i++) {
        const struct plan_object *object = &plan->objects[i];

        if (object->owner == owner && (plan_frame_bits(object->type) != 0) == frames) {
            bytes += (uint64_t)object->count << object->size_bits;
        }
    }
    for (uint32_t i = 0; frames && i < plan->nr_images; i++) {
        bytes +=
            plan->images[i].owner == owner ? (uint64_t)plan->images[i].count * PLAN_PAGE_BYTES : 0;
    }
    return bytes;
}

static void list_components(struct audit *audit)
{
    listing_table(&audit->listing, "components",
                  "Components, each in an address space of its own, and the memory that is theirs",
                  COLUMNS("component", "kind", "#memory_kib", "#kernel_objects_kib"));
    for (uint32_t owner = 0; owner <= audit->plan->nr_components; owner++) {
        ROW(audit, owner_name(audit, owner), names_of_kind(audit->plan, owner),
            number(audit, owned_bytes(audit->plan, owner, true) >> 10),
            number(audit, (owned_bytes(audit->plan, owner, false) + 1023) >> 10));
    }
    listing_table_end(&audit->listing);
}

static void list_threads(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    listing_table(&audit->listing, "threads",
                  "Threads: when and where they run, and who is told of their faults",
                  COLUMNS("component", "thread", "#core", "#priority", "#budget_us", "#period_us",
                          "virtual_cpu", "faults_go_to"));
    for (uint32_t i = 0; i < plan->nr_threads; i++) {
        const struct plan_thread *thread = &plan->threads[i];
        const struct plan_context *context = names_find_context(plan, thread);

        ROW(audit, owner_name(audit, thread->owner), plan_name(plan, thread->name),
            number(audit, context->core), number(audit, thread->priority),
            number(audit, context->budget_us), number(audit, context->period_us),
            thread->vcpu != PLAN_NO_SLOT ? plan_slot_name(plan, thread->vcpu) : "",
            plan_slot_name(plan, thread->fault_endpoint));
    }
    listing_table_end(&audit->listing);
}

/* --- Memory ------------------------------------------------------------------------------------
 */

static void list_memory(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    listing_table(&audit->listing, "memory",
                  "Who can read, write and execute which memory. Nobody can reach any other, but "
                  "init what it\n"
                  "consists of: its own program and the boot image",
                  COLUMNS("component", "as", "rights", "memory", "owner", "#kib", "address"));
    for (uint32_t i = 0; i < plan->nr_mappings; i++) {
        const struct plan_mapping *mapping = &plan->mappings[i];
        struct plan_slot space, frame;

        if (plan_slots_find(plan, mapping->space, 1, &space) &&
            plan_slots_find(plan, mapping->frame, mapping->count, &frame)) {
            ROW(audit, owner_name(audit, space.owner), names_of_space(plan, &space),
                names_of_mapping(mapping, &space, &frame), plan_slot_name(plan, mapping->frame),
                owner_name(audit, frame.owner),
                number(audit, ((uint64_t)mapping->count << plan_frame_bits(frame.type)) >> 10),
                hexadecimal(audit, mapping->address));
        }
    }
    listing_table_end(&audit->listing);
}

static void list_channels(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    listing_table(&audit->listing, "channels",
                  "Memory that two components share, each to read and write; there is no other",
                  COLUMNS("channel", "one_end", "other_end", "#kib"));
    for (uint32_t i = 0; i < plan->nr_channels; i++) {
        const struct plan_channel *channel = &plan->channels[i];

        ROW(audit, plan_name(plan, channel->name), owner_name(audit, channel->ends[0].owner),
            owner_name(audit, channel->ends[1].owner),
            number(audit, (uint64_t)channel->count * PLAN_PAGE_BYTES >> 10));
    }
    listing_table_end(&audit->listing);
}

/* --- Signals and messages ----------------------------------------------------------------------
 */

static void list_signal(struct audit *audit, const char *from, const char *how,
                        const struct plan_slot *target, uint32_t slot, uint64_t badge)
{
    ROW(audit, from, how, owner_name(audit, target->owner), plan_slot_name(audit->plan, slot),
        hexadecimal(audit, badge));
}

static void list_signal_caps(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    for (uint32_t i = 0; i < plan->nr_caps; i++) {
        const struct plan_cap *cap = &plan->caps[i];
        struct plan_slot cnode, source;

        if (cap->cnode != PLAN_NO_SLOT && plan_slots_find(plan, cap->cnode, 1, &cnode) &&
            plan_slots_find(plan, cap->source, cap->count, &source) &&
            source.source == PLAN_SOURCE_OBJECT && (cap->rights & source.rights & 1) != 0 &&
            (source.type == seL4_NotificationObject || source.type == seL4_EndpointObject)) {
            list_signal(audit, owner_name(audit, cnode.owner),
                        source.type == seL4_NotificationObject ? "signal" : "message", &source,
                        cap->source, cap->badge != 0 ? cap->badge : source.badge);
        }
    }
}

static void list_faults(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    for (uint32_t i = 0; i < plan->nr_threads; i++) {
        const struct plan_thread *thread = &plan->threads[i];
        struct plan_slot endpoint;

        if (plan_slots_find(plan, thread->fault_endpoint, 1, &endpoint)) {
            list_signal(audit, plan_name(plan, thread->name), "fault", &endpoint,
                        thread->fault_endpoint, endpoint.badge);
        }
    }
}

static void list_interrupt_signals(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    for (uint32_t i = 0; i < plan->nr_bindings; i++) {
        struct plan_slot notification;

        if (plan_slots_find(plan, plan->bindings[i].notification, 1, &notification)) {
            list_signal(audit, plan_slot_name(plan, plan->bindings[i].irq), "interrupt",
                        &notification, plan->bindings[i].notification, notification.badge);
        }
    }
}

static void list_signals(struct audit *audit)
{
    listing_table(&audit->listing, "signals",
                  "Who can signal, send messages or interrupt, and what the receiver sees (badge)",
                  COLUMNS("from", "how", "to", "object", "badge"));
    list_signal_caps(audit);
    list_faults(audit);
    list_interrupt_signals(audit);
    listing_table_end(&audit->listing);
}

/* --- Devices -----------------------------------------------------------------------------------
 */

static void list_interrupts(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    listing_table(&audit->listing, "interrupts", "Interrupts, and who handles them",
                  COLUMNS("interrupt", "owner", "source", "#vector"));
    for (uint32_t i = 0; i < plan->nr_irqs; i++) {
        const struct plan_irq *irq = &plan->irqs[i];
        const char *source =
            irq->kind == PLAN_IRQ_PIN
                ? arena_format(audit->arena, "pin %u of I/O APIC %u", irq->pin, irq->ioapic)
                : arena_format(audit->arena, "messages of %s",
                               plan_name(plan, plan->devices[irq->device].name));

        ROW(audit, plan_name(plan, irq->name), owner_name(audit, irq->owner), source,
            number(audit, irq->vector));
    }
    listing_table_end(&audit->listing);
}

static void list_ports(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    listing_table(&audit->listing, "ports", "I/O ports, and who can read and write them",
                  COLUMNS("ports", "owner", "first", "last"));
    for (uint32_t i = 0; i < plan->nr_ports; i++) {
        const struct plan_port *port = &plan->ports[i];

        ROW(audit, plan_name(plan, port->name), owner_name(audit, port->owner),
            hexadecimal(audit, port->first), hexadecimal(audit, port->last));
    }
    listing_table_end(&audit->listing);
}

static void list_devices(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    listing_table(&audit->listing, "devices",
                  "PCI devices. They are bus masters, and no IOMMU confines them: through its "
                  "device\nthe owner can read and write all memory of the machine",
                  COLUMNS("device", "owner", "class", "#number", "#registers_kib", "dma"));
    for (uint32_t i = 0; i < plan->nr_devices; i++) {
        const struct plan_device *device = &plan->devices[i];

        ROW(audit, plan_name(plan, device->name), owner_name(audit, device->owner),
            hexadecimal(audit, device->class_code), number(audit, device->number),
            number(audit, (uint64_t)device->count * PLAN_PAGE_BYTES >> 10), "all memory");
    }
    listing_table_end(&audit->listing);
}

static void list_addresses(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    listing_table(&audit->listing, "physical_addresses",
                  "Whose memory's physical addresses a component is told, for its device",
                  COLUMNS("component", "memory", "owner", "#kib"));
    for (uint32_t i = 0; i < plan->nr_fills; i++) {
        const struct plan_fill *fill = &plan->fills[i];
        uint32_t count = (uint32_t)(fill->length / sizeof(uint64_t)),
                 source = (uint32_t)fill->source;
        struct plan_slot frame, told;

        if (fill->kind == PLAN_FILL_ADDRESSES && plan_slots_find(plan, fill->frame, 1, &frame) &&
            plan_slots_find(plan, source, count, &told)) {
            ROW(audit, owner_name(audit, frame.owner), plan_slot_name(plan, source),
                owner_name(audit, told.owner),
                number(audit, ((uint64_t)count << plan_frame_bits(told.type)) >> 10));
        }
    }
    listing_table_end(&audit->listing);
}

/* --- Disks -------------------------------------------------------------------------------------
 */

static void list_disks(struct audit *audit)
{
    const struct sata_config *config = names_find_disks(audit->plan);

    listing_table(&audit->listing, "disks", "Who can read and write what is on disks",
                  COLUMNS("disk", "rights", "sectors"));
    for (uint32_t i = 0; config != NULL && i < config->nr_clients; i++) {
        const struct sata_client_config *disk = &config->clients[i];
        bool read_only = (disk->flags & SATA_CLIENT_READ_ONLY) != 0;

        ROW(audit, disk->name, read_only ? "read" : "read write",
            names_of_place(audit->arena, disk));
    }
    listing_table_end(&audit->listing);
}

/* --- Capabilities ------------------------------------------------------------------------------
 */

static void list_capabilities_of(struct audit *audit, uint32_t owner)
{
    const struct plan *plan = audit->plan;

    for (uint32_t i = 0; i < plan->nr_caps; i++) {
        const struct plan_cap *cap = &plan->caps[i];
        struct plan_slot cnode, source;

        if (cap->cnode == PLAN_NO_SLOT || !plan_slots_find(plan, cap->cnode, 1, &cnode) ||
            cnode.owner != owner || !plan_slots_find(plan, cap->source, cap->count, &source)) {
            continue;
        }
        for (uint32_t n = 0; n < cap->count; n++) {
            ROW(audit, owner_name(audit, cnode.owner), number(audit, cap->index + n),
                names_of_slot(&source), plan_slot_name(plan, cap->source + n),
                owner_name(audit, source.owner), names_of_rights(&source, cap->rights),
                hexadecimal(audit, cap->badge != 0 ? cap->badge : source.badge));
        }
    }
}

static void list_capabilities(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    listing_table(&audit->listing, "capabilities",
                  "All capabilities that anybody can use. The others, all untyped memory among "
                  "them, lie in the\ninitial CNode, which init gives up and then nobody can reach",
                  COLUMNS("component", "#slot", "type", "object", "owner", "rights", "badge"));
    for (uint32_t owner = 0; owner <= plan->nr_components; owner++) {
        list_capabilities_of(audit, owner);
    }
    listing_table_end(&audit->listing);
}

static void list_objects(struct audit *audit)
{
    const struct plan *plan = audit->plan;

    listing_table(&audit->listing, "objects", "All objects that are created",
                  COLUMNS("object", "type", "owner", "#count", "#bytes_each"));
    for (uint32_t i = 0; i < plan->nr_objects; i++) {
        const struct plan_object *object = &plan->objects[i];

        ROW(audit, plan_name(plan, object->name), names_of_type(object->type),
            owner_name(audit, object->owner), number(audit, object->count),
            number(audit, 1ull << object->size_bits));
    }
    for (uint32_t i = 0; i < plan->nr_images; i++) {
        const struct plan_image *image = &plan->images[i];

        ROW(audit, plan_name(plan, image->name), "pages of the boot image",
            owner_name(audit, image->owner), number(audit, image->count),
            number(audit, PLAN_PAGE_BYTES));
    }
    listing_table_end(&audit->listing);
}

void audit_print(const struct plan *plan, struct arena *arena, FILE *to, bool json)
{
    struct audit audit = { .plan = plan, .arena = arena };

    listing_begin(&audit.listing, arena, to, json);
    listing_text(&audit.listing, "system", plan_name(plan, plan->header->name));
    list_components(&audit);
    list_threads(&audit);
    list_memory(&audit);
    list_channels(&audit);
    list_signals(&audit);
    list_interrupts(&audit);
    list_ports(&audit);
    list_devices(&audit);
    list_addresses(&audit);
    list_disks(&audit);
    list_capabilities(&audit);
    list_objects(&audit);
    listing_end(&audit.listing);
}
