/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/graph.h"

static const char *type_name(uint8_t type)
{
    switch (type) {
    case seL4_TCBObject:
        return "TCB";
    case seL4_EndpointObject:
        return "endpoint";
    case seL4_NotificationObject:
        return "notification";
    case seL4_CapTableObject:
        return "CNode";
    case seL4_SchedContextObject:
        return "scheduling context";
    case seL4_ReplyObject:
        return "reply object";
    case seL4_X86_VCPUObject:
        return "VCPU";
    case seL4_X86_4K:
        return "4 KiB frames";
    case seL4_X86_LargePageObject:
        return "2 MiB frames";
    default:
        return "object";
    }
}

static void print_amount(FILE *to, uint64_t bytes)
{
    if (bytes >= 1u << 20 && bytes % (1u << 20) == 0) {
        fprintf(to, "%llu MiB", (unsigned long long)(bytes >> 20));
    } else {
        fprintf(to, "%llu KiB", (unsigned long long)(bytes >> 10));
    }
}

static void print_rights(FILE *to, uint64_t rights)
{
    fprintf(to, "%s%s%s", (rights & 2) != 0 ? "r" : "", (rights & 1) != 0 ? "w" : "",
            (rights & 12) != 0 ? "g" : "");
}

static bool is_interesting(const struct plan_object *object)
{
    return object->type == seL4_EndpointObject || object->type == seL4_NotificationObject ||
           object->type == seL4_X86_VCPUObject || object->type == seL4_X86_LargePageObject ||
           object->type == seL4_ReplyObject || object->type == seL4_TCBObject;
}

static void print_node(FILE *to, char kind, uint32_t row, const char *shape, const char *name)
{
    fprintf(to, "    %c%u [shape=%s, label=\"%s\\n", kind, row, shape, name);
}

static void print_objects(const struct plan *plan, uint32_t owner, FILE *to)
{
    for (uint32_t i = 0; i < plan->nr_objects; i++) {
        const struct plan_object *object = &plan->objects[i];

        if (object->owner != owner || !is_interesting(object)) {
            continue;
        }
        print_node(to, 'o', i, "box", plan_name(plan, object->name));
        if (object->type == seL4_X86_LargePageObject) {
            print_amount(to, (uint64_t)object->count << object->size_bits);
        } else {
            fputs(type_name(object->type), to);
        }
        fputs("\"];\n", to);
    }
    for (uint32_t i = 0; i < plan->nr_images; i++) {
        if (plan->images[i].owner == owner) {
            print_node(to, 'm', i, "note", plan_name(plan, plan->images[i].name));
            print_amount(to, (uint64_t)plan->images[i].count * PLAN_PAGE_BYTES);
            fputs("\"];\n", to);
        }
    }
}

static void print_devices(const struct plan *plan, uint32_t owner, FILE *to)
{
    for (uint32_t i = 0; i < plan->nr_irqs; i++) {
        if (plan->irqs[i].owner == owner) {
            print_node(to, 'i', i, "cds", plan_name(plan, plan->irqs[i].name));
            if (plan->irqs[i].kind == PLAN_IRQ_PIN) {
                fprintf(to, "I/O APIC pin %u\"];\n", plan->irqs[i].pin);
            } else {
                fputs("messages\"];\n", to);
            }
        }
    }
    for (uint32_t i = 0; i < plan->nr_ports; i++) {
        if (plan->ports[i].owner == owner) {
            print_node(to, 'p', i, "cds", plan_name(plan, plan->ports[i].name));
            fprintf(to, "ports 0x%x-0x%x\"];\n", plan->ports[i].first, plan->ports[i].last);
        }
    }
    for (uint32_t i = 0; i < plan->nr_devices; i++) {
        if (plan->devices[i].owner == owner) {
            print_node(to, 'd', i, "cds", plan_name(plan, plan->devices[i].name));
            fprintf(to, "PCI class %06x number %u\"];\n", plan->devices[i].class_code,
                    plan->devices[i].number);
        }
    }
}

static void print_owner(const struct plan *plan, uint32_t owner, FILE *to)
{
    bool is_vm = owner != PLAN_OWNER_INIT && plan->components[owner - 1].kind == PLAN_COMPONENT_VM;

    fprintf(to, "  subgraph cluster_%u {\n    label=\"%s\";\n", owner,
            plan_owner_name(plan, owner));
    fprintf(to, "    c%u [shape=component, style=filled, fillcolor=lightgrey, label=\"%s\"];\n",
            owner,
            owner == PLAN_OWNER_INIT ? "init"
            : is_vm                  ? "monitor"
                                     : "server");
    if (is_vm) {
        fprintf(to, "    g%u [shape=house, label=\"guest\"];\n", owner);
    }
    print_objects(plan, owner, to);
    print_devices(plan, owner, to);
    fputs("  }\n", to);
}

static char source_letter(enum plan_source source)
{
    switch (source) {
    case PLAN_SOURCE_OBJECT:
        return 'o';
    case PLAN_SOURCE_IMAGE:
        return 'm';
    case PLAN_SOURCE_IRQ:
        return 'i';
    case PLAN_SOURCE_PORT:
        return 'p';
    case PLAN_SOURCE_DEVICE:
        return 'd';
    }
    return '?';
}

static void print_caps(const struct plan *plan, FILE *to)
{
    for (uint32_t i = 0; i < plan->nr_caps; i++) {
        const struct plan_cap *cap = &plan->caps[i];
        struct plan_slot cnode, source;

        if (cap->cnode == PLAN_NO_SLOT || !plan_slots_find(plan, cap->cnode, 1, &cnode) ||
            !plan_slots_find(plan, cap->source, cap->count, &source)) {
            continue;
        }
        fprintf(to, "  c%u -> %c%u [label=\"", cnode.owner, source_letter(source.source),
                source.row);
        print_rights(to, cap->rights & source.rights);
        if (cap->badge != 0) {
            fprintf(to, " badge %llu", (unsigned long long)cap->badge);
        }
        fputs("\"];\n", to);
    }
}

static void print_mappings(const struct plan *plan, FILE *to)
{
    for (uint32_t i = 0; i < plan->nr_mappings; i++) {
        const struct plan_mapping *mapping = &plan->mappings[i];
        struct plan_slot space, frame;

        if (!plan_slots_find(plan, mapping->space, 1, &space) ||
            !plan_slots_find(plan, mapping->frame, mapping->count, &frame) ||
            (frame.source == PLAN_SOURCE_OBJECT && frame.type != seL4_X86_LargePageObject)) {
            continue;
        }
        fprintf(to, "  %c%u -> %c%u [style=dashed, label=\"",
                space.type == seL4_X86_EPTPML4Object ? 'g' : 'c', space.owner,
                source_letter(frame.source), frame.row);
        print_rights(to, mapping->rights & frame.rights);
        fprintf(to, " at 0x%llx\"];\n", (unsigned long long)mapping->address);
    }
}

static void print_channels(const struct plan *plan, FILE *to)
{
    for (uint32_t i = 0; i < plan->nr_channels; i++) {
        const struct plan_channel *channel = &plan->channels[i];

        fprintf(to, "  c%u -> c%u [dir=both, color=blue, penwidth=2, label=\"%s\\n",
                channel->ends[0].owner, channel->ends[1].owner, plan_name(plan, channel->name));
        print_amount(to, (uint64_t)channel->count * PLAN_PAGE_BYTES);
        fputs(" rw\"];\n", to);
    }
}

void graph_print(const struct plan *plan, FILE *to)
{
    fprintf(to,
            "digraph \"%s\" {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=10];\n"
            "  edge [fontname=\"sans-serif\", fontsize=9];\n"
            "  label=\"%s: capabilities (solid), mappings (dashed), channels (blue)\";\n",
            plan_name(plan, plan->header->name), plan_name(plan, plan->header->name));
    for (uint32_t owner = 0; owner <= plan->nr_components; owner++) {
        print_owner(plan, owner, to);
    }
    print_caps(plan, to);
    print_mappings(plan, to);
    print_channels(plan, to);
    fputs("}\n", to);
}
