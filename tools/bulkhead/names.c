/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/names.h"

const char *names_of_kind(const struct plan *plan, uint32_t owner)
{
    if (owner == PLAN_OWNER_INIT) {
        return "initial task, which ends";
    }
    switch (plan->components[owner - 1].kind) {
    case PLAN_COMPONENT_VM:
        return "virtual machine";
    case PLAN_COMPONENT_SUPERVISOR:
        return "supervisor";
    default:
        return "server";
    }
}

const char *names_of_space(const struct plan *plan, const struct plan_slot *space)
{
    if (space->owner == PLAN_OWNER_INIT) {
        return "init";
    }
    if (space->type == seL4_X86_EPTPML4Object) {
        return "guest";
    }
    return plan->components[space->owner - 1].kind == PLAN_COMPONENT_VM ? "monitor" : "server";
}

const char *names_of_type(uint8_t type)
{
    switch (type) {
    case seL4_TCBObject:
        return "thread";
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
        return "virtual CPU";
    case seL4_X86_4K:
        return "4 KiB frame";
    case seL4_X86_LargePageObject:
        return "2 MiB frame";
    case seL4_X64_HugePageObject:
        return "1 GiB frame";
    case seL4_X64_PML4Object:
        return "address space";
    case seL4_X86_EPTPML4Object:
        return "guest's address space";
    default:
        return plan_paging_span_bits(type) != 0 ? "paging structure" : "object";
    }
}

const char *names_of_slot(const struct plan_slot *slot)
{
    switch (slot->source) {
    case PLAN_SOURCE_OBJECT:
        return names_of_type(slot->type);
    case PLAN_SOURCE_IMAGE:
        return "page of the boot image";
    case PLAN_SOURCE_IRQ:
        return "interrupt";
    case PLAN_SOURCE_PORT:
        return "I/O ports";
    case PLAN_SOURCE_DEVICE:
        return "device registers";
    }
    return "?";
}

const char *names_of_rights(const struct plan_slot *source, uint64_t rights)
{
    static const char *const endpoint[] = { "none", "send", "receive", "send receive" };
    static const char *const notification[] = { "none", "signal", "wait", "signal wait" };
    static const char *const memory[] = { "none", "write", "read", "read write" };

    rights &= source->rights & 3;
    if (source->source == PLAN_SOURCE_IMAGE || source->source == PLAN_SOURCE_DEVICE) {
        return memory[rights];
    }
    if (source->source != PLAN_SOURCE_OBJECT) {
        return "control";
    }
    switch (source->type) {
    case seL4_EndpointObject:
        return endpoint[rights];
    case seL4_NotificationObject:
        return notification[rights];
    default:
        return plan_frame_bits(source->type) != 0 ? memory[rights] : "control";
    }
}

const struct sata_config *names_find_disks(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->nr_fills; i++) {
        const struct plan_fill *fill = &plan->fills[i];
        const struct sata_config *config = (const void *)(plan->bytes + fill->source);

        if (fill->kind == PLAN_FILL_BYTES && fill->length == sizeof(*config) &&
            config->magic == SATA_CONFIG_MAGIC) {
            return config;
        }
    }
    return NULL;
}

const char *names_of_place(struct arena *arena, const struct sata_client_config *disk)
{
    if (disk->select == SATA_SELECT_UUID) {
        return arena_format(arena, "the partition with UUID %s", disk->text);
    }
    if (disk->select == SATA_SELECT_LABEL) {
        return arena_format(arena, "the partition labelled '%s'", disk->text);
    }
    if (disk->number == 0) {
        return arena_format(arena, "all of the disk with serial number %s", disk->text);
    }
    return arena_format(arena, "partition %u of the disk with serial number %s", disk->number,
                        disk->text);
}

const char *names_of_mapping(const struct plan_mapping *mapping, const struct plan_slot *space,
                             const struct plan_slot *frame)
{
    static const char *const words[] = { "nothing",      "write",
                                         "read",         "read write",
                                         "execute",      "write execute",
                                         "read execute", "read write execute" };
    bool nested = space->type == seL4_X86_EPTPML4Object;
    bool execute = nested || (mapping->attributes & PLAN_ATTRIBUTE_EXECUTE_NEVER) == 0;

    return words[(mapping->rights & frame->rights & 3u) | (execute ? 4u : 0)];
}

const struct plan_context *names_find_context(const struct plan *plan,
                                              const struct plan_thread *thread)
{
    static const struct plan_context none;

    for (uint32_t i = 0; i < plan->nr_contexts; i++) {
        if (plan->contexts[i].slot == thread->context) {
            return &plan->contexts[i];
        }
    }
    return &none;
}
