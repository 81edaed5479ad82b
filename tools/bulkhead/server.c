/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/server.h"

#include "user/libserver/server.h"

static const char *part_name(const struct server *server, const char *part)
{
    return arena_format(server->builder->arena, "%s.%s", server->name, part);
}

uint32_t server_object(const struct server *server, const char *part, uint8_t type,
                       uint8_t size_bits, uint64_t count)
{
    return builder_object(server->builder, server->owner, part_name(server, part), type, size_bits,
                          count);
}

void server_begin(struct server *server, struct builder *builder, const char *name)
{
    *server =
        (struct server){ .builder = builder, .name = name, .channels_end = SERVER_CHANNEL_VADDR };
    server->owner = builder_component(builder, name, PLAN_COMPONENT_SERVER);
    server->cnode = server_object(server, "cnode", seL4_CapTableObject, SERVER_CNODE_RADIX, 1);
    server->vspace = server_object(server, "vspace", seL4_X64_PML4Object, 0, 1);
    server->config_frame = server_object(server, "config", seL4_X86_4K, 0, 1);
    server->buffer_frame = server_object(server, "ipc-buffer", seL4_X86_4K, 0, 1);
    server->tcb = server_object(server, "tcb", seL4_TCBObject, 0, 1);
    server->context =
        server_object(server, "sched-context", seL4_SchedContextObject, CONTEXT_BITS, 1);
    server->notification = server_object(server, "notification", seL4_NotificationObject, 0, 1);
    builder_cap(builder, server->cnode, SERVER_SLOT_TCB, server->tcb, RIGHTS_ALL, 0);
    builder_cap(builder, server->cnode, SERVER_SLOT_NOTIFICATION, server->notification, RIGHT_READ,
                0);
}

void server_add_client(struct server *server, const struct server_client *client, uint64_t pages)
{
    struct builder *builder = server->builder;
    unsigned number = server->nr_clients++;
    uint64_t address = SERVER_CHANNEL_VADDR + number * SERVER_CHANNEL_SPAN;
    const char *name = arena_format(builder->arena, "channel-%s", client->name);
    uint32_t frames = server_object(server, name, seL4_X86_4K, 0, pages);
    /* A frame's capability maps it once. */
    uint32_t copies = builder_copy(builder, frames, RIGHTS_ALL, 0);

    builder_channel(builder,
                    (struct plan_channel){
                        .name = builder_string(builder, part_name(server, name)),
                        .frames = frames,
                        .count = (uint32_t)pages,
                        .ends = {
                            { server->owner, server->notification, SERVER_BADGE_CLIENT(number) },
                            { client->owner, client->notification, client->badge },
                        },
                    });
    builder_map(builder, server->vspace, frames, address, RIGHT_READ | RIGHT_WRITE,
                page_attributes(false));
    builder_map(builder, client->vspace, copies, client->address, RIGHT_READ | RIGHT_WRITE,
                page_attributes(false));
    builder_cap(builder, server->cnode, SERVER_SLOT_CLIENT + number, client->notification,
                RIGHT_WRITE, client->badge);
    builder_cap(builder, client->cnode, client->slot, server->notification, RIGHT_WRITE,
                SERVER_BADGE_CLIENT(number));
    server->channels_end = address + pages * PLAN_PAGE_BYTES;
}

static void server_make_space(const struct server *server, const struct program *program)
{
    struct builder *builder = server->builder;
    const struct builder_range ranges[] = {
        { program->segments[0].address, program_end(program), seL4_PageBits },
        { SERVER_CONFIG_VADDR, SERVER_IPC_BUFFER_VADDR + PLAN_PAGE_BYTES, seL4_PageBits },
        { SERVER_CHANNEL_VADDR, server->channels_end, seL4_PageBits },
    };

    load_program(builder, server->owner, server->vspace, server->name, program);
    builder_map(builder, server->vspace, server->config_frame, SERVER_CONFIG_VADDR, RIGHT_READ,
                page_attributes(false));
    builder_map(builder, server->vspace, server->buffer_frame, SERVER_IPC_BUFFER_VADDR,
                RIGHT_READ | RIGHT_WRITE, page_attributes(false));
    builder_paging(builder, server->owner, part_name(server, "vspace.paging"), server->vspace,
                   false, ranges, sizeof(ranges) / sizeof(ranges[0]));
}

void server_finish(struct server *server, uint32_t supervisor, const struct program *program,
                   const struct server_time *time)
{
    struct builder *builder = server->builder;

    server_make_space(server, program);
    builder_context(builder, (struct plan_context){
                                 .slot = server->context,
                                 .core = time->core,
                                 .budget_us = time->budget_us,
                                 .period_us = time->period_us,
                                 .extra_refills = EXTRA_REFILLS,
                                 .badge = server->owner,
                             });
    builder_thread(builder, (struct plan_thread){
                                .name = builder_string(builder, server->name),
                                .owner = server->owner,
                                .tcb = server->tcb,
                                .cnode = server->cnode,
                                .cnode_bits = SERVER_CNODE_RADIX,
                                .vspace = server->vspace,
                                .buffer_frame = server->buffer_frame,
                                .buffer_address = SERVER_IPC_BUFFER_VADDR,
                                .fault_endpoint = builder_copy(builder, supervisor,
                                                               RIGHT_WRITE | RIGHT_GRANT_REPLY,
                                                               server->owner | PLAN_BADGE_FAULT),
                                .context = server->context,
                                .rip = program->entry,
                                .priority = time->priority,
                                .max_priority = time->priority,
                            });
}

static const char *segment_kind(const struct program_segment *segment)
{
    if (segment->write) {
        return "data";
    }
    return segment->execute ? "text" : "rodata";
}

void load_program(struct builder *builder, uint32_t owner, uint32_t vspace, const char *prefix,
                  const struct program *program)
{
    for (size_t i = 0; i < program->nr_segments; i++) {
        const struct program_segment *segment = &program->segments[i];
        uint64_t pages = (segment->memory_bytes + PLAN_PAGE_BYTES - 1) / PLAN_PAGE_BYTES;
        const char *name = arena_format(builder->arena, "%s.%s", prefix, segment_kind(segment));
        uint32_t frames = builder_object(builder, owner, name, seL4_X86_4K, 0, pages);

        builder_fill(builder, frames, segment->bytes, segment->file_bytes);
        builder_map(builder, vspace, frames, segment->address,
                    segment->write ? RIGHT_READ | RIGHT_WRITE : RIGHT_READ,
                    page_attributes(segment->execute));
    }
}
