/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/server.h"

#include <string.h>

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

void server_begin(struct server *server, struct builder *builder, const char *name,
                  enum plan_component_kind kind, unsigned cnode_radix)
{
    *server = (struct server){ .builder = builder,
                               .name = name,
                               .cnode_radix = cnode_radix,
                               .channels_end = SERVER_CHANNEL_VADDR };
    server->owner = builder_component(builder, name, kind);
    server->cnode = server_object(server, "cnode", seL4_CapTableObject, (uint8_t)cnode_radix, 1);
    server->vspace = server_object(server, "vspace", seL4_X64_PML4Object, 0, 1);
    server->config_frame = server_object(server, "config", seL4_X86_4K, 0, 1);
    server->buffer_frame = server_object(server, "ipc-buffer", seL4_X86_4K, 0, 1);
    server->tcb = server_object(server, "tcb", seL4_TCBObject, 0, 1);
    server->context =
        server_object(server, "sched-context", seL4_SchedContextObject, CONTEXT_BITS, 1);
    server->notification = server_object(server, "notification", seL4_NotificationObject, 0, 1);
    builder_cap(builder, server->cnode, SERVER_SLOT_NOTIFICATION, server->notification, RIGHT_READ,
                0);
}

void server_connect(const struct server *server, const struct server_client *client,
                    const struct server_end *end, uint64_t pages)
{
    struct builder *builder = server->builder;
    uint32_t frames = server_object(server, end->name, seL4_X86_4K, 0, pages);
    /* A frame's capability maps it once. */
    uint32_t copies = builder_copy(builder, frames, RIGHTS_ALL, 0);

    builder_channel(builder, (struct plan_channel){
                                 .name = builder_string(builder, part_name(server, end->name)),
                                 .frames = frames,
                                 .count = (uint32_t)pages,
                                 .ends = { { server->owner, server->notification, end->badge },
                                           { client->owner, client->notification, client->badge } },
                             });
    builder_map(builder, server->vspace, frames, end->address, RIGHT_READ | RIGHT_WRITE,
                page_attributes(false));
    builder_map(builder, client->vspace, copies, client->address, RIGHT_READ | RIGHT_WRITE,
                page_attributes(false));
    builder_cap(builder, server->cnode, end->slot, client->notification, RIGHT_WRITE,
                client->badge);
    builder_cap(builder, client->cnode, client->slot, server->notification, RIGHT_WRITE,
                end->badge);
}

void server_add_client(struct server *server, const struct server_client *client, uint64_t pages)
{
    unsigned number = server->nr_clients++;
    const struct server_end end = {
        .name = arena_format(server->builder->arena, "channel-%s", client->name),
        .address = SERVER_CHANNEL_VADDR + number * SERVER_CHANNEL_SPAN,
        .slot = SERVER_SLOT_CLIENT + number,
        .badge = SERVER_BADGE_CLIENT(number),
    };

    server_connect(server, client, &end, pages);
    server->channels_end = end.address + pages * PLAN_PAGE_BYTES;
}

struct server_client server_as_client(const struct server *server, uint64_t address, uint32_t slot,
                                      uint64_t badge)
{
    return (struct server_client){
        .name = server->name,
        .owner = server->owner,
        .vspace = server->vspace,
        .cnode = server->cnode,
        .notification = server->notification,
        .address = address,
        .slot = slot,
        .badge = badge,
    };
}

void server_add_range(struct server *server, uint64_t start, uint64_t end, unsigned page_bits)
{
    server->ranges[server->nr_ranges++] = (struct builder_range){ start, end, page_bits };
}

static uint64_t buffer_address(unsigned number)
{
    return SERVER_IPC_BUFFER_VADDR + (uint64_t)number * PLAN_PAGE_BYTES;
}

static void server_make_space(const struct server *server, const struct program *program)
{
    struct builder *builder = server->builder;
    struct builder_range ranges[SERVER_MAX_RANGES + 3] = {
        { program->segments[0].address, program_end(program), seL4_PageBits },
        { SERVER_CONFIG_VADDR, SERVER_CONTROL_VADDR + PLAN_PAGE_BYTES, seL4_PageBits },
    };

    memcpy(&ranges[2], server->ranges, server->nr_ranges * sizeof(ranges[0]));
    ranges[2 + server->nr_ranges] =
        (struct builder_range){ SERVER_CHANNEL_VADDR, server->channels_end, seL4_PageBits };
    load_program(builder, server->owner, server->vspace, server->name, program);
    builder_map(builder, server->vspace, server->config_frame, SERVER_CONFIG_VADDR, RIGHT_READ,
                page_attributes(false));
    builder_paging(builder, server->owner, part_name(server, "vspace.paging"), server->vspace,
                   false, ranges, server->nr_ranges + 3);
}

/* What a thread is made of. */
struct server_thread {
    const char *name;
    unsigned number;
    uint32_t tcb;
    uint32_t context;
    uint32_t buffer_frame;
    uint32_t notification; /* bound to it; may be none */
};

static void make_thread(const struct server *server, uint32_t supervisor,
                        const struct program *program, const struct server_thread *thread,
                        const struct server_time *time)
{
    struct builder *builder = server->builder;

    builder_map(builder, server->vspace, thread->buffer_frame, buffer_address(thread->number),
                RIGHT_READ | RIGHT_WRITE, page_attributes(false));
    builder_context(builder, (struct plan_context){
                                 .slot = thread->context,
                                 .core = time->core,
                                 .budget_us = time->budget_us,
                                 .period_us = time->period_us,
                                 .extra_refills = EXTRA_REFILLS,
                                 .badge = server->owner,
                             });
    builder_thread(builder, (struct plan_thread){
                                .name = builder_string(builder, thread->name),
                                .owner = server->owner,
                                .tcb = thread->tcb,
                                .cnode = server->cnode,
                                .cnode_bits = server->cnode_radix,
                                .vspace = server->vspace,
                                .buffer_frame = thread->buffer_frame,
                                .buffer_address = buffer_address(thread->number),
                                .fault_endpoint = builder_copy(builder, supervisor,
                                                               RIGHT_WRITE | RIGHT_GRANT_REPLY,
                                                               server->owner | PLAN_BADGE_FAULT),
                                .context = thread->context,
                                .notification = thread->notification,
                                .rip = program->entry,
                                .rdi = thread->number,
                                .priority = time->priority,
                                .max_priority = time->priority,
                            });
}

static const char *numbered(const struct server *server, const char *part, unsigned number)
{
    return arena_format(server->builder->arena, "%s-%u", part, number);
}

void server_add_thread(struct server *server, uint32_t supervisor, const struct program *program,
                       unsigned number, const struct server_time *time)
{
    const struct server_thread thread = {
        .name = numbered(server, server->name, number),
        .number = number,
        .tcb = server_object(server, numbered(server, "tcb", number), seL4_TCBObject, 0, 1),
        .context = server_object(server, numbered(server, "sched-context", number),
                                 seL4_SchedContextObject, CONTEXT_BITS, 1),
        .buffer_frame =
            server_object(server, numbered(server, "ipc-buffer", number), seL4_X86_4K, 0, 1),
    };

    make_thread(server, supervisor, program, &thread, time);
}

void server_finish(struct server *server, uint32_t supervisor, const struct program *program,
                   const struct server_time *time)
{
    const struct server_thread thread = {
        .name = server->name,
        .tcb = server->tcb,
        .context = server->context,
        .buffer_frame = server->buffer_frame,
        .notification = server->is_bound ? server->notification : PLAN_NO_SLOT,
    };

    server_make_space(server, program);
    make_thread(server, supervisor, program, &thread, time);
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
