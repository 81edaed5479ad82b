/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/init/plan.h"

static const struct {
    const char *name;
    uint32_t row_bytes;
} tables[PLAN_NR_TABLES] = {
    [PLAN_TABLE_COMPONENTS] = { "component", sizeof(struct plan_component) },
    [PLAN_TABLE_OBJECTS] = { "object", sizeof(struct plan_object) },
    [PLAN_TABLE_IMAGES] = { "image", sizeof(struct plan_image) },
    [PLAN_TABLE_IRQS] = { "IRQ", sizeof(struct plan_irq) },
    [PLAN_TABLE_PORTS] = { "port", sizeof(struct plan_port) },
    [PLAN_TABLE_DEVICES] = { "device", sizeof(struct plan_device) },
    [PLAN_TABLE_PAGING] = { "paging", sizeof(struct plan_paging) },
    [PLAN_TABLE_FILLS] = { "fill", sizeof(struct plan_fill) },
    [PLAN_TABLE_CAPS] = { "capability", sizeof(struct plan_cap) },
    [PLAN_TABLE_MAPPINGS] = { "mapping", sizeof(struct plan_mapping) },
    [PLAN_TABLE_BINDINGS] = { "binding", sizeof(struct plan_binding) },
    [PLAN_TABLE_CONTEXTS] = { "context", sizeof(struct plan_context) },
    [PLAN_TABLE_THREADS] = { "thread", sizeof(struct plan_thread) },
    [PLAN_TABLE_CHANNELS] = { "channel", sizeof(struct plan_channel) },
};

const char *plan_table_name(enum plan_table_id id)
{
    return tables[id].name;
}

static bool refuse(struct plan_problem *problem, const char *where, const char *what)
{
    *problem = (struct plan_problem){ where, PLAN_NO_ROW, what };
    return false;
}

static bool header_is_sane(const struct plan_header *header, uint64_t available,
                           struct plan_problem *problem)
{
    if (header->magic != PLAN_MAGIC) {
        return refuse(problem, "header", "there is no boot plan behind the program");
    }
    if (header->version != PLAN_VERSION) {
        return refuse(problem, "header", "made by a tool of another version");
    }
    if (header->image_bytes > available || header->image_bytes % PLAN_PAGE_BYTES != 0) {
        return refuse(problem, "header", "the image is longer than what was loaded");
    }
    if (header->plan_bytes > header->image_bytes || header->plan_bytes < sizeof(*header)) {
        return refuse(problem, "header", "the plan is longer than its image");
    }
    return true;
}

static bool strings_are_sane(const struct plan_header *header, struct plan_problem *problem)
{
    const char *bytes = (const char *)header;
    uint64_t offset = header->strings_offset;

    if (header->strings_bytes == 0 || offset > header->plan_bytes ||
        header->strings_bytes > header->plan_bytes - offset) {
        return refuse(problem, "header", "the strings lie outside the plan");
    }
    if (bytes[offset + header->strings_bytes - 1] != '\0') {
        return refuse(problem, "header", "the strings do not end");
    }
    return true;
}

static bool tables_are_sane(const struct plan_header *header, struct plan_problem *problem)
{
    for (unsigned id = 0; id < PLAN_NR_TABLES; id++) {
        uint64_t offset = header->tables[id].offset;
        uint64_t bytes = (uint64_t)header->tables[id].count * tables[id].row_bytes;

        if (offset % 8 != 0 || offset < sizeof(*header) || offset > header->plan_bytes ||
            bytes > header->plan_bytes - offset) {
            return refuse(problem, tables[id].name, "the table lies outside the plan");
        }
    }
    return true;
}

static const void *rows(const struct plan_header *header, enum plan_table_id id, uint32_t *count)
{
    *count = header->tables[id].count;
    return (const uint8_t *)header + header->tables[id].offset;
}

static void plan_find_tables(struct plan *plan, const struct plan_header *header)
{
    plan->components = rows(header, PLAN_TABLE_COMPONENTS, &plan->nr_components);
    plan->objects = rows(header, PLAN_TABLE_OBJECTS, &plan->nr_objects);
    plan->images = rows(header, PLAN_TABLE_IMAGES, &plan->nr_images);
    plan->irqs = rows(header, PLAN_TABLE_IRQS, &plan->nr_irqs);
    plan->ports = rows(header, PLAN_TABLE_PORTS, &plan->nr_ports);
    plan->devices = rows(header, PLAN_TABLE_DEVICES, &plan->nr_devices);
    plan->paging = rows(header, PLAN_TABLE_PAGING, &plan->nr_paging);
    plan->fills = rows(header, PLAN_TABLE_FILLS, &plan->nr_fills);
    plan->caps = rows(header, PLAN_TABLE_CAPS, &plan->nr_caps);
    plan->mappings = rows(header, PLAN_TABLE_MAPPINGS, &plan->nr_mappings);
    plan->bindings = rows(header, PLAN_TABLE_BINDINGS, &plan->nr_bindings);
    plan->contexts = rows(header, PLAN_TABLE_CONTEXTS, &plan->nr_contexts);
    plan->threads = rows(header, PLAN_TABLE_THREADS, &plan->nr_threads);
    plan->channels = rows(header, PLAN_TABLE_CHANNELS, &plan->nr_channels);
}

bool plan_open(struct plan *plan, const void *bytes, uint64_t available,
               struct plan_problem *problem)
{
    const struct plan_header *header = bytes;

    if (available < sizeof(*header)) {
        return refuse(problem, "header", "there is no boot plan behind the program");
    }
    if (!header_is_sane(header, available, problem) || !tables_are_sane(header, problem) ||
        !strings_are_sane(header, problem)) {
        return false;
    }
    plan->bytes = bytes;
    plan->header = header;
    plan_find_tables(plan, header);
    return true;
}

const char *plan_name(const struct plan *plan, uint32_t name)
{
    if (name >= plan->header->strings_bytes) {
        return "?";
    }
    return (const char *)plan->bytes + plan->header->strings_offset + name;
}

const char *plan_owner_name(const struct plan *plan, uint32_t owner)
{
    if (owner == PLAN_OWNER_INIT) {
        return "init";
    }
    return owner <= plan->nr_components ? plan_name(plan, plan->components[owner - 1].name) : "?";
}

/* Whether [first, first + count) lies in [base, base + size). */
static bool range_within(uint32_t first, uint32_t count, uint32_t base, uint32_t size)
{
    return first >= base && first - base < size && count <= size - (first - base);
}

static bool find_object(const struct plan *plan, uint32_t first, uint32_t count,
                        struct plan_slot *found)
{
    uint32_t low = 0, high = plan->nr_objects;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct plan_object *object = &plan->objects[middle];

        if (first < object->slot) {
            high = middle;
        } else if (first - object->slot >= object->count) {
            low = middle + 1;
        } else {
            found->source = PLAN_SOURCE_OBJECT;
            found->row = middle;
            found->first = first - object->slot;
            found->type = object->type;
            found->size_bits = object->size_bits;
            found->owner = object->owner;
            return range_within(first, count, object->slot, object->count);
        }
    }
    return false;
}

static bool find_image(const struct plan *plan, uint32_t first, uint32_t count,
                       struct plan_slot *found)
{
    for (uint32_t i = 0; i < plan->nr_images; i++) {
        const struct plan_image *image = &plan->images[i];

        if (range_within(first, count, image->slot, image->count)) {
            found->source = PLAN_SOURCE_IMAGE;
            found->row = i;
            found->first = first - image->slot;
            found->type = seL4_X86_4K;
            found->size_bits = seL4_PageBits;
            found->owner = image->owner;
            found->rights = seL4_CanRead.words[0];
            return true;
        }
    }
    return false;
}

static bool find_device(const struct plan *plan, uint32_t first, uint32_t count,
                        struct plan_slot *found)
{
    for (uint32_t i = 0; i < plan->nr_devices; i++) {
        const struct plan_device *device = &plan->devices[i];

        if (range_within(first, count, device->slot, device->count)) {
            found->source = PLAN_SOURCE_DEVICE;
            found->row = i;
            found->first = first - device->slot;
            found->type = seL4_X86_4K;
            found->size_bits = seL4_PageBits;
            found->owner = device->owner;
            return true;
        }
    }
    return false;
}

static bool find_single(const struct plan *plan, uint32_t slot, struct plan_slot *found)
{
    for (uint32_t i = 0; i < plan->nr_irqs; i++) {
        if (plan->irqs[i].slot == slot) {
            found->source = PLAN_SOURCE_IRQ;
            found->row = i;
            found->owner = plan->irqs[i].owner;
            return true;
        }
    }
    for (uint32_t i = 0; i < plan->nr_ports; i++) {
        if (plan->ports[i].slot == slot) {
            found->source = PLAN_SOURCE_PORT;
            found->row = i;
            found->owner = plan->ports[i].owner;
            return true;
        }
    }
    return false;
}

/* The row of CAPS that fills these slots of the initial CNode. */
static const struct plan_cap *find_copy(const struct plan *plan, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < plan->nr_caps; i++) {
        const struct plan_cap *cap = &plan->caps[i];

        if (cap->cnode == PLAN_NO_SLOT && range_within(first, count, cap->index, cap->count)) {
            return cap;
        }
    }
    return NULL;
}

bool plan_slots_find(const struct plan *plan, uint32_t first, uint32_t count,
                     struct plan_slot *found)
{
    uint64_t rights = seL4_AllRights.words[0];
    const struct plan_cap *copy;

    if (first == PLAN_NO_SLOT || count == 0) {
        return false;
    }
    *found = (struct plan_slot){ .rights = rights };
    while ((copy = find_copy(plan, first, count)) != NULL) {
        if (copy->source >= copy->index) {
            return false;
        }
        first = copy->source + (first - copy->index);
        rights &= copy->rights;
        /* A badge is given once; the first one met on the way back is the last one given. */
        found->badge = found->badge != 0 ? found->badge : copy->badge;
        found->is_copy = true;
    }
    if (!find_object(plan, first, count, found) && !find_image(plan, first, count, found) &&
        !find_device(plan, first, count, found) &&
        !(count == 1 && find_single(plan, first, found))) {
        return false;
    }
    found->rights &= rights;
    return true;
}

const char *plan_slot_name(const struct plan *plan, uint32_t slot)
{
    struct plan_slot found;

    if (slot == PLAN_SLOT_INIT_VSPACE) {
        return "init.vspace";
    }
    if (!plan_slots_find(plan, slot, 1, &found)) {
        return "?";
    }
    switch (found.source) {
    case PLAN_SOURCE_OBJECT:
        return plan_name(plan, plan->objects[found.row].name);
    case PLAN_SOURCE_IMAGE:
        return plan_name(plan, plan->images[found.row].name);
    case PLAN_SOURCE_IRQ:
        return plan_name(plan, plan->irqs[found.row].name);
    case PLAN_SOURCE_PORT:
        return plan_name(plan, plan->ports[found.row].name);
    case PLAN_SOURCE_DEVICE:
        return plan_name(plan, plan->devices[found.row].name);
    }
    return "?";
}

unsigned plan_paging_span_bits(uint8_t type)
{
    switch (type) {
    case seL4_X86_PDPTObject:
    case seL4_X86_EPTPDPTObject:
        return 39;
    case seL4_X86_PageDirectoryObject:
    case seL4_X86_EPTPDObject:
        return 30;
    case seL4_X86_PageTableObject:
    case seL4_X86_EPTPTObject:
        return 21;
    default:
        return 0;
    }
}

unsigned plan_frame_bits(uint8_t type)
{
    switch (type) {
    case seL4_X86_4K:
        return seL4_PageBits;
    case seL4_X86_LargePageObject:
        return seL4_LargePageBits;
    case seL4_X64_HugePageObject:
        return seL4_HugePageBits;
    default:
        return 0;
    }
}
