/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/graph.h"

#include <string.h>

#include "tools/bulkhead/names.h"

/* Nodes are called by a letter and a row: c component, g guest, o object, m image, i, p, d. */
#define COLOUR_VM      "#dce9f7"
#define COLOUR_SERVER  "#e2f0d9"
#define COLOUR_INIT    "#ececec"
#define COLOUR_DEVICE  "#fce4d0"
#define COLOUR_MEMORY  "#fffbe0"
#define COLOUR_CHANNEL "#1f5fbf"
#define COLOUR_DANGER  "#c00000"
#define COLOUR_REPORT  "#808080"

struct graph {
    const struct plan *plan;
    struct arena *arena;
    FILE *to;
};

/* Labels of partitions may hold any character. */
static void print_escaped(FILE *to, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            fputc('\\', to);
        }
        fputc(*text, to);
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

static void begin_node(FILE *to, char kind, uint32_t row, const char *shape, const char *colour)
{
    fprintf(to, "    %c%u [shape=%s, fillcolor=\"%s\", label=\"", kind, row, shape, colour);
}

/* --- What components consist of ----------------------------------------------------------------
 */

static bool is_vm(const struct plan *plan, uint32_t owner)
{
    return owner != PLAN_OWNER_INIT && plan->components[owner - 1].kind == PLAN_COMPONENT_VM;
}

static bool is_channel(const struct plan *plan, uint32_t slot)
{
    for (uint32_t i = 0; i < plan->nr_channels; i++) {
        if (slot >= plan->channels[i].frames &&
            slot - plan->channels[i].frames < plan->channels[i].count) {
            return true;
        }
    }
    return false;
}

/* Frames that are drawn by themselves: images, and what is large. */
static bool has_node(const struct plan_slot *slot)
{
    return slot->source == PLAN_SOURCE_IMAGE ||
           (slot->source == PLAN_SOURCE_OBJECT && slot->type == seL4_X86_LargePageObject);
}

static uint64_t private_bytes(const struct plan *plan, uint32_t owner)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < plan->nr_objects; i++) {
        const struct plan_object *object = &plan->objects[i];

        if (object->owner == owner && object->type == seL4_X86_4K &&
            !is_channel(plan, object->slot)) {
            bytes += (uint64_t)object->count * PLAN_PAGE_BYTES;
        }
    }
    return bytes;
}

static void print_times(const struct graph *graph, uint32_t owner)
{
    for (uint32_t i = 0; i < graph->plan->nr_threads; i++) {
        const struct plan_thread *thread = &graph->plan->threads[i];
        const struct plan_context *context = names_find_context(graph->plan, thread);

        if (thread->owner != owner) {
            continue;
        }
        fprintf(graph->to, "\\n%s%s: core %u, ",
                thread->vcpu != PLAN_NO_SLOT ? "virtual CPU " : "thread",
                thread->vcpu != PLAN_NO_SLOT
                    ? arena_format(graph->arena, "%llu", (unsigned long long)thread->rdi)
                    : "",
                context->core);
        if (context->budget_us == context->period_us) {
            fprintf(graph->to, "takes turns, priority %u", thread->priority);
        } else {
            fprintf(graph->to, "at most %.3g %%, priority %u",
                    100.0 * (double)context->budget_us / (double)context->period_us,
                    thread->priority);
        }
    }
}

static void print_component(const struct graph *graph, uint32_t owner)
{
    bool vm = is_vm(graph->plan, owner);

    begin_node(graph->to, 'c', owner, "component", "white");
    fputs(vm ? "monitor" : "program", graph->to);
    if (owner != PLAN_OWNER_INIT) {
        fputs("\\nprivate memory: ", graph->to);
        print_amount(graph->to, private_bytes(graph->plan, owner));
    }
    if (!vm) {
        print_times(graph, owner);
    }
    fputs("\"];\n", graph->to);
    if (vm) {
        begin_node(graph->to, 'g', owner, "box", "white");
        fputs("guest", graph->to);
        print_times(graph, owner);
        fputs("\"];\n", graph->to);
        fprintf(graph->to, "    c%u -> g%u [label=\"runs\"];\n", owner, owner);
    }
}

static const char *part_of_name(const struct plan *plan, uint32_t name)
{
    const char *dot = strchr(plan_name(plan, name), '.');

    return dot != NULL ? dot + 1 : plan_name(plan, name);
}

static void print_memory(const struct graph *graph, uint32_t owner)
{
    const struct plan *plan = graph->plan;

    for (uint32_t i = 0; i < plan->nr_objects; i++) {
        const struct plan_object *object = &plan->objects[i];

        if (object->owner == owner && object->type == seL4_X86_LargePageObject) {
            begin_node(graph->to, 'o', i, "box3d", COLOUR_MEMORY);
            fprintf(graph->to, "%s\\n", part_of_name(plan, object->name));
            print_amount(graph->to, (uint64_t)object->count << object->size_bits);
            fputs("\"];\n", graph->to);
        }
    }
    for (uint32_t i = 0; i < plan->nr_images; i++) {
        if (plan->images[i].owner == owner) {
            begin_node(graph->to, 'm', i, "note", COLOUR_MEMORY);
            fprintf(graph->to, "%s\\n", part_of_name(plan, plan->images[i].name));
            print_amount(graph->to, (uint64_t)plan->images[i].count * PLAN_PAGE_BYTES);
            fputs("\"];\n", graph->to);
        }
    }
}

static void print_interrupts(const struct graph *graph, uint32_t owner)
{
    const struct plan *plan = graph->plan;

    for (uint32_t i = 0; i < plan->nr_irqs; i++) {
        const struct plan_irq *irq = &plan->irqs[i];

        if (irq->owner != owner) {
            continue;
        }
        if (irq->kind == PLAN_IRQ_MESSAGE) {
            fprintf(graph->to, "    d%u -> c%u [label=\"interrupts\"];\n", irq->device, owner);
            continue;
        }
        begin_node(graph->to, 'i', i, "cds", COLOUR_DEVICE);
        fprintf(graph->to, "%s\\nI/O APIC pin %u\"];\n", plan_name(plan, irq->name), irq->pin);
        fprintf(graph->to, "    i%u -> c%u [label=\"interrupts\"];\n", i, owner);
    }
}

static void print_devices(const struct graph *graph, uint32_t owner)
{
    const struct plan *plan = graph->plan;

    for (uint32_t i = 0; i < plan->nr_devices; i++) {
        if (plan->devices[i].owner == owner) {
            begin_node(graph->to, 'd', i, "cds", COLOUR_DEVICE);
            fprintf(graph->to, "%s\\nPCI class %06x, number %u\"];\n",
                    plan_name(plan, plan->devices[i].name), plan->devices[i].class_code,
                    plan->devices[i].number);
            fprintf(graph->to, "    c%u -> d%u [label=\"read write\\nregisters\"];\n", owner, i);
        }
    }
    for (uint32_t i = 0; i < plan->nr_ports; i++) {
        if (plan->ports[i].owner == owner) {
            begin_node(graph->to, 'p', i, "cds", COLOUR_DEVICE);
            fprintf(graph->to, "%s\\nI/O ports 0x%x-0x%x\"];\n",
                    plan_name(plan, plan->ports[i].name), plan->ports[i].first,
                    plan->ports[i].last);
            fprintf(graph->to, "    c%u -> p%u [label=\"read write\"];\n", owner, i);
        }
    }
    print_interrupts(graph, owner);
}

static void print_owner(const struct graph *graph, uint32_t owner)
{
    bool vm = is_vm(graph->plan, owner);

    fprintf(graph->to,
            "  subgraph cluster_%u {\n    label=<<b>%s</b><br/>%s>; style=\"filled,rounded\"; "
            "color=\"%s\";\n",
            owner, plan_owner_name(graph->plan, owner), names_of_kind(graph->plan, owner),
            vm                         ? COLOUR_VM
            : owner == PLAN_OWNER_INIT ? COLOUR_INIT
                                       : COLOUR_SERVER);
    print_component(graph, owner);
    print_memory(graph, owner);
    print_devices(graph, owner);
    fputs("  }\n", graph->to);
}

/* --- Who reaches what --------------------------------------------------------------------------
 */

static void print_mappings(const struct graph *graph)
{
    const struct plan *plan = graph->plan;

    for (uint32_t i = 0; i < plan->nr_mappings; i++) {
        const struct plan_mapping *mapping = &plan->mappings[i];
        struct plan_slot space, frame;

        if (plan_slots_find(plan, mapping->space, 1, &space) &&
            plan_slots_find(plan, mapping->frame, mapping->count, &frame) && has_node(&frame)) {
            fprintf(graph->to, "  %c%u -> %c%u [label=\"%s\"];\n",
                    space.type == seL4_X86_EPTPML4Object ? 'g' : 'c', space.owner,
                    frame.source == PLAN_SOURCE_IMAGE ? 'm' : 'o', frame.row,
                    names_of_mapping(mapping, &space, &frame));
        }
    }
}

static void print_channels(const struct graph *graph)
{
    const struct plan *plan = graph->plan;

    /* From client to server, so that servers stand to the right. */
    for (uint32_t i = 0; i < plan->nr_channels; i++) {
        const struct plan_channel *channel = &plan->channels[i];

        fprintf(graph->to,
                "  c%u -> c%u [dir=both, color=\"" COLOUR_CHANNEL "\", fontcolor=\"" COLOUR_CHANNEL
                "\", penwidth=2, label=\"channel\\n",
                channel->ends[1].owner, channel->ends[0].owner);
        print_amount(graph->to, (uint64_t)channel->count * PLAN_PAGE_BYTES);
        fputs("\"];\n", graph->to);
    }
}

/* Whether a channel lets the one signal the other. */
static bool has_channel(const struct plan *plan, uint32_t from, uint32_t to)
{
    for (uint32_t i = 0; i < plan->nr_channels; i++) {
        uint32_t a = plan->channels[i].ends[0].owner, b = plan->channels[i].ends[1].owner;

        if ((a == from && b == to) || (a == to && b == from)) {
            return true;
        }
    }
    return false;
}

/* Whether this row gives a component a right to another's thing that no channel explains. */
static bool is_other_right(const struct plan *plan, uint32_t row, struct plan_slot *cnode,
                           struct plan_slot *source)
{
    const struct plan_cap *cap = &plan->caps[row];

    return cap->cnode != PLAN_NO_SLOT && plan_slots_find(plan, cap->cnode, 1, cnode) &&
           plan_slots_find(plan, cap->source, cap->count, source) &&
           cnode->owner != source->owner &&
           (source->type != seL4_NotificationObject ||
            !has_channel(plan, cnode->owner, source->owner));
}

/* Whether an earlier row says the same: a VM has several threads. */
static bool is_said(const struct plan *plan, uint32_t row, const struct plan_slot *cnode,
                    const struct plan_slot *source)
{
    struct plan_slot earlier_cnode, earlier_source;

    for (uint32_t i = 0; i < row; i++) {
        if (is_other_right(plan, i, &earlier_cnode, &earlier_source) &&
            earlier_cnode.owner == cnode->owner && earlier_source.owner == source->owner &&
            earlier_source.type == source->type) {
            return true;
        }
    }
    return false;
}

/* What a component may do to another beside channels: messages to the supervisor, and its power. */
static void print_other_rights(const struct graph *graph)
{
    const struct plan *plan = graph->plan;
    struct plan_slot cnode, source;

    for (uint32_t i = 0; i < plan->nr_caps; i++) {
        if (is_other_right(plan, i, &cnode, &source) && !is_said(plan, i, &cnode, &source)) {
            fprintf(graph->to,
                    "  c%u -> c%u [style=dashed, color=\"" COLOUR_REPORT
                    "\", fontcolor=\"" COLOUR_REPORT "\", label=\"%s\"];\n",
                    cnode.owner, source.owner,
                    source.type == seL4_TCBObject ? "stops, starts"
                                                  : names_of_rights(&source, plan->caps[i].rights));
        }
    }
}

static void print_disks(const struct graph *graph)
{
    const struct sata_config *config = names_find_disks(graph->plan);
    const struct plan *plan = graph->plan;

    for (uint32_t i = 0; config != NULL && i < config->nr_clients; i++) {
        const struct sata_client_config *disk = &config->clients[i];
        bool read_only = (disk->flags & SATA_CLIENT_READ_ONLY) != 0;

        begin_node(graph->to, 's', i, "cylinder", COLOUR_MEMORY);
        print_escaped(graph->to, names_of_place(graph->arena, disk));
        fputs("\"];\n", graph->to);
        for (uint32_t device = 0; device < plan->nr_devices; device++) {
            fprintf(graph->to, "  d%u -> s%u [label=\"%s\\nfor %s\"];\n", device, i,
                    read_only ? "read" : "read write", disk->name);
        }
    }
}

static void print_dma(const struct graph *graph)
{
    for (uint32_t i = 0; i < graph->plan->nr_devices; i++) {
        fprintf(graph->to,
                "  all [shape=box3d, fillcolor=\"" COLOUR_MEMORY
                "\", label=\"all memory\\nof the machine\"];\n  d%u -> all [style=bold, "
                "color=\"" COLOUR_DANGER "\", fontcolor=\"" COLOUR_DANGER
                "\", label=\"DMA: read write,\\nno IOMMU confines it\"];\n",
                i);
    }
}

static void print_legend(const struct graph *graph)
{
    fprintf(graph->to,
            "  labelloc=t; label=<<b>%s</b>: who can reach what<br/>An arrow leads from who can do "
            "something to what it is done with. What no path of arrows leads to cannot be "
            "reached.<br/><font color=\"" COLOUR_CHANNEL
            "\">blue</font>: memory that both ends read and write, and signals both ways; "
            "<font color=\"" COLOUR_REPORT
            "\">dashed</font>: messages to the supervisor, by which it learns how a component "
            "ended, and its right to stop and start VMs<br/>Left out: rights of components over "
            "their own threads, and init's over all "
            "until everything is handed out. <i>bulkhead report</i> lists "
            "everything.<br/>&nbsp;>;\n",
            plan_name(graph->plan, graph->plan->header->name));
}

void graph_print(const struct plan *plan, struct arena *arena, FILE *to)
{
    const struct graph graph = { plan, arena, to };

    fprintf(to, "digraph \"%s\" {\n  rankdir=LR; fontname=\"sans-serif\"; nodesep=0.25;\n",
            plan_name(plan, plan->header->name));
    fputs("  node [fontname=\"sans-serif\", fontsize=10, style=filled];\n"
          "  edge [fontname=\"sans-serif\", fontsize=9];\n",
          to);
    print_legend(&graph);
    for (uint32_t owner = 0; owner <= plan->nr_components; owner++) {
        print_owner(&graph, owner);
    }
    print_mappings(&graph);
    print_channels(&graph);
    print_other_rights(&graph);
    print_disks(&graph);
    print_dma(&graph);
    fputs("}\n", to);
}
