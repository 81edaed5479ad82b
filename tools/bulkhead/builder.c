/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/builder.h"

#include <stdlib.h>
#include <string.h>

enum thing_kind {
    THING_OBJECT,
    THING_IMAGE,
    THING_IRQ,
    THING_PORT,
    THING_DEVICE,
    THING_COPY,
    THING_NR_KINDS
};

/* What one handle stands for; the row's slot is decided at the end. */
struct thing {
    enum thing_kind kind;
    uint32_t handle;
    uint32_t slot;
    uint32_t count;
    union {
        struct plan_object object;
        struct plan_image image;
        struct plan_irq irq;
        struct plan_port port;
        struct plan_device device;
        struct plan_cap copy;
    };
};

void builder_init(struct builder *builder, struct arena *arena)
{
    *builder = (struct builder){ .arena = arena };
    builder->things.arena = arena;
    builder->strings.arena = arena;
    builder->data.arena = arena;
    builder->files.arena = arena;
    for (unsigned i = 0; i < PLAN_NR_TABLES; i++) {
        builder->tables[i].arena = arena;
    }
}

uint32_t builder_string(struct builder *builder, const char *text)
{
    size_t bytes = strlen(text) + 1;

    for (size_t at = 0; at < builder->strings.length;
         at += strlen((const char *)builder->strings.bytes + at) + 1) {
        if (strcmp((const char *)builder->strings.bytes + at, text) == 0) {
            return (uint32_t)at;
        }
    }
    return (uint32_t)buffer_append(&builder->strings, text, bytes);
}

static void add_row(struct builder *builder, enum plan_table_id table, const void *row,
                    size_t bytes)
{
    buffer_append(&builder->tables[table], row, bytes);
    builder->header.tables[table].count++;
}

uint32_t builder_component(struct builder *builder, const char *name, enum plan_component_kind kind)
{
    struct plan_component component = { builder_string(builder, name), kind };

    add_row(builder, PLAN_TABLE_COMPONENTS, &component, sizeof(component));
    return builder->header.tables[PLAN_TABLE_COMPONENTS].count;
}

static struct thing *thing_of(const struct builder *builder, uint32_t handle)
{
    return (struct thing *)builder->things.bytes + (handle - 1);
}

static uint32_t add_thing(struct builder *builder, struct thing thing)
{
    thing.handle = (uint32_t)(builder->things.length / sizeof(thing)) + 1;
    buffer_append(&builder->things, &thing, sizeof(thing));
    return thing.handle;
}

uint32_t builder_count(const struct builder *builder, uint32_t handle)
{
    return thing_of(builder, handle)->count;
}

/* log2 of the bytes of types that have one size only; 0 for the others. */
static uint8_t fixed_size_bits(uint8_t type)
{
    switch (type) {
    case seL4_TCBObject:
        return seL4_TCBBits;
    case seL4_EndpointObject:
        return seL4_EndpointBits;
    case seL4_NotificationObject:
        return seL4_NotificationBits;
    case seL4_ReplyObject:
        return seL4_ReplyBits;
    case seL4_X86_LargePageObject:
        return seL4_LargePageBits;
    case seL4_X64_HugePageObject:
        return seL4_HugePageBits;
    case seL4_X86_VCPUObject:
        return seL4_X86_VCPUBits;
    case seL4_CapTableObject:
    case seL4_SchedContextObject:
        return 0;
    default:
        return seL4_PageBits;
    }
}

uint32_t builder_object(struct builder *builder, uint32_t owner, const char *name, uint8_t type,
                        uint8_t size_bits, uint64_t count)
{
    uint8_t fixed = fixed_size_bits(type);
    struct thing thing = { .kind = THING_OBJECT, .count = (uint32_t)count };

    if (type == seL4_CapTableObject) {
        size_bits = (uint8_t)(size_bits + seL4_SlotBits);
    }
    thing.object = (struct plan_object){
        .name = builder_string(builder, name),
        .count = (uint32_t)count,
        .owner = (uint16_t)owner,
        .type = type,
        .size_bits = fixed != 0 ? fixed : size_bits,
    };
    return add_thing(builder, thing);
}

static uint64_t pages_of(uint64_t bytes)
{
    return (bytes + PLAN_PAGE_BYTES - 1) / PLAN_PAGE_BYTES;
}

uint32_t builder_image(struct builder *builder, uint32_t owner, const char *name,
                       const uint8_t *bytes, uint64_t length)
{
    struct image_file file = { bytes, length, 0 };
    struct thing thing = { .kind = THING_IMAGE, .count = (uint32_t)pages_of(length) };

    if (length == 0) {
        return 0;
    }
    thing.image = (struct plan_image){
        .name = builder_string(builder, name),
        .count = thing.count,
        .owner = owner,
        /* For now the number of the file; builder_finish() knows where it lies. */
        .offset = builder->files.length / sizeof(file),
    };
    buffer_append(&builder->files, &file, sizeof(file));
    return add_thing(builder, thing);
}

uint32_t builder_irq(struct builder *builder, struct plan_irq irq, const char *name)
{
    irq.name = builder_string(builder, name);
    return add_thing(builder, (struct thing){ .kind = THING_IRQ, .count = 1, .irq = irq });
}

uint32_t builder_port(struct builder *builder, uint32_t owner, const char *name, uint16_t first,
                      uint16_t last)
{
    struct plan_port port = {
        .name = builder_string(builder, name), .owner = owner, .first = first, .last = last
    };

    return add_thing(builder, (struct thing){ .kind = THING_PORT, .count = 1, .port = port });
}

uint32_t builder_device(struct builder *builder, struct plan_device device, const char *name)
{
    device.name = builder_string(builder, name);
    return add_thing(
        builder, (struct thing){ .kind = THING_DEVICE, .count = device.count, .device = device });
}

uint32_t builder_copy(struct builder *builder, uint32_t source, uint64_t rights, uint64_t badge)
{
    uint32_t count = builder_count(builder, source);
    struct plan_cap copy = { .source = source, .count = count, .rights = rights, .badge = badge };

    return add_thing(builder, (struct thing){ .kind = THING_COPY, .count = count, .copy = copy });
}

void builder_cap(struct builder *builder, uint32_t cnode, uint32_t index, uint32_t source,
                 uint64_t rights, uint64_t badge)
{
    struct plan_cap cap = { cnode, index, source, 1, rights, badge };

    add_row(builder, PLAN_TABLE_CAPS, &cap, sizeof(cap));
}

void builder_map(struct builder *builder, uint32_t space, uint32_t frames, uint64_t address,
                 uint16_t rights, uint16_t attributes)
{
    if (frames != 0) {
        struct plan_mapping mapping = { space,  frames,     builder_count(builder, frames),
                                        rights, attributes, address };

        add_row(builder, PLAN_TABLE_MAPPINGS, &mapping, sizeof(mapping));
    }
}

void builder_fill(struct builder *builder, uint32_t frames, const void *bytes, uint64_t length)
{
    struct plan_fill fill = { .frame = frames, .kind = PLAN_FILL_BYTES, .length = length };

    if (length != 0) {
        buffer_align(&builder->data, 8);
        fill.source = buffer_append(&builder->data, bytes, length);
        add_row(builder, PLAN_TABLE_FILLS, &fill, sizeof(fill));
    }
}

static void fill_known_at_boot(struct builder *builder, uint32_t frame, uint64_t offset,
                               uint32_t kind)
{
    struct plan_fill fill = { .frame = frame, .kind = kind, .offset = offset };

    add_row(builder, PLAN_TABLE_FILLS, &fill, sizeof(fill));
}

void builder_fill_tsc_mhz(struct builder *builder, uint32_t frame, uint64_t offset)
{
    fill_known_at_boot(builder, frame, offset, PLAN_FILL_TSC_MHZ);
}

void builder_fill_boot_time(struct builder *builder, uint32_t frame, uint64_t offset)
{
    fill_known_at_boot(builder, frame, offset, PLAN_FILL_BOOT_TIME);
}

void builder_fill_addresses(struct builder *builder, uint32_t into, uint64_t offset,
                            uint32_t frames)
{
    struct plan_fill fill = {
        .frame = into,
        .kind = PLAN_FILL_ADDRESSES,
        .offset = offset,
        .length = builder_count(builder, frames) * sizeof(uint64_t),
        .source = frames,
    };

    add_row(builder, PLAN_TABLE_FILLS, &fill, sizeof(fill));
}

void builder_fill_device(struct builder *builder, uint32_t frame, uint64_t offset, uint32_t device)
{
    struct plan_fill fill = {
        .frame = frame, .kind = PLAN_FILL_DEVICE, .offset = offset, .source = device
    };

    add_row(builder, PLAN_TABLE_FILLS, &fill, sizeof(fill));
}

void builder_bind(struct builder *builder, uint32_t irq, uint32_t notification)
{
    struct plan_binding binding = { irq, notification };

    add_row(builder, PLAN_TABLE_BINDINGS, &binding, sizeof(binding));
}

void builder_context(struct builder *builder, struct plan_context context)
{
    add_row(builder, PLAN_TABLE_CONTEXTS, &context, sizeof(context));
}

void builder_thread(struct builder *builder, struct plan_thread thread)
{
    add_row(builder, PLAN_TABLE_THREADS, &thread, sizeof(thread));
}

void builder_channel(struct builder *builder, struct plan_channel channel)
{
    add_row(builder, PLAN_TABLE_CHANNELS, &channel, sizeof(channel));
}

/* --- Paging structures -------------------------------------------------------------------------
 */

static void add_paging(struct builder *builder, uint32_t owner, const char *name, uint32_t space,
                       uint8_t type, uint64_t address, uint64_t count)
{
    struct plan_paging paging = { .space = space, .count = (uint32_t)count, .address = address };

    paging.slot = builder_object(builder, owner, name, type, 0, count);
    add_row(builder, PLAN_TABLE_PAGING, &paging, sizeof(paging));
}

void builder_paging(struct builder *builder, uint32_t owner, const char *name, uint32_t space,
                    bool nested, const struct builder_range *ranges, size_t nr_ranges)
{
    static const struct {
        uint8_t type;
        uint8_t nested_type;
        unsigned span_bits;
    } levels[] = {
        { seL4_X86_PDPTObject, seL4_X86_EPTPDPTObject, 39 },
        { seL4_X86_PageDirectoryObject, seL4_X86_EPTPDObject, 30 },
        { seL4_X86_PageTableObject, seL4_X86_EPTPTObject, 21 },
    };

    for (size_t level = 0; level < sizeof(levels) / sizeof(levels[0]); level++) {
        unsigned bits = levels[level].span_bits;
        uint64_t next = 0; /* number of the first structure that does not exist yet */

        for (size_t i = 0; i < nr_ranges; i++) {
            uint64_t first = ranges[i].start >> bits;
            uint64_t end = (ranges[i].end + (1ull << bits) - 1) >> bits;

            first = first > next ? first : next;
            if (ranges[i].page_bits < bits && first < end) {
                add_paging(builder, owner, name, space,
                           nested ? levels[level].nested_type : levels[level].type, first << bits,
                           end - first);
                next = end;
            }
        }
    }
}

/* --- Finishing ---------------------------------------------------------------------------------
 */

/* Kinds in the order of their tables, objects from large to small, else as they were made. */
static int compare_things(const void *left, const void *right)
{
    const struct thing *a = left, *b = right;

    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }
    if (a->kind == THING_OBJECT && a->object.size_bits != b->object.size_bits) {
        return a->object.size_bits > b->object.size_bits ? -1 : 1;
    }
    return a->handle < b->handle ? -1 : 1;
}

/* The row of a device: they are in the order in which they were made. */
static uint32_t device_row(const struct builder *builder, uint32_t handle)
{
    uint32_t row = 0;

    for (uint32_t i = 1; i < handle; i++) {
        row += thing_of(builder, i)->kind == THING_DEVICE;
    }
    return row;
}

/* Gives each thing its slots, in table order; returns how many slots there are with slot 0. */
static uint32_t assign_slots(struct builder *builder, struct thing *sorted, size_t count)
{
    uint32_t slot = 1;

    qsort(sorted, count, sizeof(*sorted), compare_things);
    for (size_t i = 0; i < count; i++) {
        sorted[i].slot = slot;
        thing_of(builder, sorted[i].handle)->slot = slot;
        slot += sorted[i].count;
    }
    return slot;
}

static uint32_t slot_of(const struct builder *builder, uint32_t handle)
{
    return handle == PLAN_NO_SLOT || handle == PLAN_SLOT_INIT_VSPACE
               ? handle
               : thing_of(builder, handle)->slot;
}

static void emit_thing(struct builder *builder, struct thing *thing, struct buffer *copies)
{
    switch (thing->kind) {
    case THING_OBJECT:
        thing->object.slot = thing->slot;
        add_row(builder, PLAN_TABLE_OBJECTS, &thing->object, sizeof(thing->object));
        break;
    case THING_IMAGE:
        thing->image.slot = thing->slot;
        add_row(builder, PLAN_TABLE_IMAGES, &thing->image, sizeof(thing->image));
        break;
    case THING_IRQ:
        thing->irq.slot = thing->slot;
        if (thing->irq.kind == PLAN_IRQ_MESSAGE) {
            thing->irq.device = device_row(builder, thing->irq.device);
        }
        add_row(builder, PLAN_TABLE_IRQS, &thing->irq, sizeof(thing->irq));
        break;
    case THING_PORT:
        thing->port.slot = thing->slot;
        add_row(builder, PLAN_TABLE_PORTS, &thing->port, sizeof(thing->port));
        break;
    case THING_DEVICE:
        thing->device.slot = thing->slot;
        add_row(builder, PLAN_TABLE_DEVICES, &thing->device, sizeof(thing->device));
        break;
    case THING_COPY:
        thing->copy.index = thing->slot;
        thing->copy.source = slot_of(builder, thing->copy.source);
        buffer_append(copies, &thing->copy, sizeof(thing->copy));
        break;
    default:
        break;
    }
}

#define ROWS(builder, table, type) ((type *)(builder)->tables[table].bytes)

/* Copies into the initial CNode come first in the table of capabilities. */
static void place_copies(struct builder *builder, struct buffer *copies)
{
    struct buffer *table = &builder->tables[PLAN_TABLE_CAPS];
    uint32_t others = builder->header.tables[PLAN_TABLE_CAPS].count;
    struct plan_cap *caps = ROWS(builder, PLAN_TABLE_CAPS, struct plan_cap);

    for (uint32_t i = 0; i < others; i++) {
        caps[i].cnode = slot_of(builder, caps[i].cnode);
        caps[i].source = slot_of(builder, caps[i].source);
    }
    buffer_append(copies, table->bytes, table->length);
    *table = *copies;
    builder->header.tables[PLAN_TABLE_CAPS].count =
        (uint32_t)(copies->length / sizeof(struct plan_cap));
}

static int compare_mappings(const void *left, const void *right)
{
    const struct plan_mapping *a = left, *b = right;

    if (a->space != b->space) {
        return a->space < b->space ? -1 : 1;
    }
    return a->address < b->address ? -1 : a->address > b->address;
}

static void resolve_threads(struct builder *builder)
{
    struct plan_thread *thread = ROWS(builder, PLAN_TABLE_THREADS, struct plan_thread);

    for (uint32_t i = 0; i < builder->header.tables[PLAN_TABLE_THREADS].count; i++, thread++) {
        uint32_t *fields[] = { &thread->tcb,          &thread->cnode,          &thread->vspace,
                               &thread->buffer_frame, &thread->fault_endpoint, &thread->context,
                               &thread->notification, &thread->vcpu,           &thread->ept };

        for (size_t field = 0; field < sizeof(fields) / sizeof(fields[0]); field++) {
            *fields[field] = slot_of(builder, *fields[field]);
        }
    }
}

static void resolve_spaces(struct builder *builder)
{
    struct plan_paging *paging = ROWS(builder, PLAN_TABLE_PAGING, struct plan_paging);
    struct plan_mapping *mappings = ROWS(builder, PLAN_TABLE_MAPPINGS, struct plan_mapping);
    uint32_t nr_mappings = builder->header.tables[PLAN_TABLE_MAPPINGS].count;

    for (uint32_t i = 0; i < builder->header.tables[PLAN_TABLE_PAGING].count; i++) {
        paging[i].space = slot_of(builder, paging[i].space);
        paging[i].slot = slot_of(builder, paging[i].slot);
    }
    for (uint32_t i = 0; i < nr_mappings; i++) {
        mappings[i].space = slot_of(builder, mappings[i].space);
        mappings[i].frame = slot_of(builder, mappings[i].frame);
    }
    if (nr_mappings != 0) {
        qsort(mappings, nr_mappings, sizeof(*mappings), compare_mappings);
    }
}

static void resolve_channels(struct builder *builder)
{
    struct plan_channel *channels = ROWS(builder, PLAN_TABLE_CHANNELS, struct plan_channel);

    for (uint32_t i = 0; i < builder->header.tables[PLAN_TABLE_CHANNELS].count; i++) {
        channels[i].frames = slot_of(builder, channels[i].frames);
        for (unsigned end = 0; end < 2; end++) {
            channels[i].ends[end].notification =
                slot_of(builder, channels[i].ends[end].notification);
        }
    }
}

static void resolve_fill(struct builder *builder, struct plan_fill *fill)
{
    fill->frame = slot_of(builder, fill->frame);
    if (fill->kind == PLAN_FILL_ADDRESSES) {
        fill->source = slot_of(builder, (uint32_t)fill->source);
    } else if (fill->kind == PLAN_FILL_DEVICE) {
        fill->source = device_row(builder, (uint32_t)fill->source);
    }
}

static void resolve_others(struct builder *builder)
{
    struct plan_binding *bindings = ROWS(builder, PLAN_TABLE_BINDINGS, struct plan_binding);
    struct plan_context *contexts = ROWS(builder, PLAN_TABLE_CONTEXTS, struct plan_context);
    struct plan_fill *fills = ROWS(builder, PLAN_TABLE_FILLS, struct plan_fill);

    for (uint32_t i = 0; i < builder->header.tables[PLAN_TABLE_BINDINGS].count; i++) {
        bindings[i].irq = slot_of(builder, bindings[i].irq);
        bindings[i].notification = slot_of(builder, bindings[i].notification);
    }
    for (uint32_t i = 0; i < builder->header.tables[PLAN_TABLE_CONTEXTS].count; i++) {
        contexts[i].slot = slot_of(builder, contexts[i].slot);
    }
    for (uint32_t i = 0; i < builder->header.tables[PLAN_TABLE_FILLS].count; i++) {
        resolve_fill(builder, &fills[i]);
    }
    builder->header.last_cnode = slot_of(builder, builder->header.last_cnode);
}

/* Offsets of tables and strings. Returns the size of all that. */
static uint64_t lay_out_plan(struct builder *builder)
{
    uint64_t offset = sizeof(builder->header);

    for (unsigned i = 0; i < PLAN_NR_TABLES; i++) {
        builder->header.tables[i].offset = (uint32_t)offset;
        offset += (builder->tables[i].length + 7) & ~7ull;
    }
    builder->header.strings_offset = (uint32_t)offset;
    builder->header.strings_bytes = (uint32_t)builder->strings.length;
    return (offset + builder->strings.length + 7) & ~7ull;
}

static void lay_out_image(struct builder *builder)
{
    struct image_file *files = (struct image_file *)builder->files.bytes;
    struct plan_image *images = ROWS(builder, PLAN_TABLE_IMAGES, struct plan_image);
    struct plan_fill *fills = ROWS(builder, PLAN_TABLE_FILLS, struct plan_fill);
    uint64_t pages;

    builder->header.plan_bytes = lay_out_plan(builder);
    pages = pages_of(builder->header.plan_bytes + builder->data.length);
    for (size_t i = 0; i < builder->files.length / sizeof(*files); i++) {
        files[i].offset = pages * PLAN_PAGE_BYTES;
        pages += pages_of(files[i].length);
    }
    builder->header.image_bytes = pages * PLAN_PAGE_BYTES;
    for (uint32_t i = 0; i < builder->header.tables[PLAN_TABLE_IMAGES].count; i++) {
        images[i].offset = files[images[i].offset].offset;
    }
    for (uint32_t i = 0; i < builder->header.tables[PLAN_TABLE_FILLS].count; i++) {
        if (fills[i].kind == PLAN_FILL_BYTES) {
            fills[i].source += builder->header.plan_bytes;
        }
    }
}

static struct buffer write_plan(struct builder *builder)
{
    struct buffer plan = { .arena = builder->arena };

    buffer_append(&plan, &builder->header, sizeof(builder->header));
    for (unsigned i = 0; i < PLAN_NR_TABLES; i++) {
        buffer_append(&plan, builder->tables[i].bytes, builder->tables[i].length);
        buffer_align(&plan, 8);
    }
    buffer_append(&plan, builder->strings.bytes, builder->strings.length);
    buffer_align(&plan, 8);
    buffer_append(&plan, builder->data.bytes, builder->data.length);
    buffer_align(&plan, PLAN_PAGE_BYTES);
    return plan;
}

struct buffer builder_finish(struct builder *builder)
{
    size_t count = builder->things.length / sizeof(struct thing);
    struct thing *sorted = arena_take(builder->arena, builder->things.length);
    struct buffer copies = { .arena = builder->arena };

    memcpy(sorted, builder->things.bytes, builder->things.length);
    builder->header.magic = PLAN_MAGIC;
    builder->header.version = PLAN_VERSION;
    builder->header.nr_slots = assign_slots(builder, sorted, count);
    for (size_t i = 0; i < count; i++) {
        emit_thing(builder, &sorted[i], &copies);
    }
    place_copies(builder, &copies);
    resolve_spaces(builder);
    resolve_threads(builder);
    resolve_channels(builder);
    resolve_others(builder);
    lay_out_image(builder);
    return write_plan(builder);
}
