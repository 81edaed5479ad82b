/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Part of the fourth pass (compile.h): server components and their channels. A server has what
 * user/libserver/server.h lists; what its kind needs beyond that (devices, configuration) is added
 * between server_begin() and server_finish() by whoever knows the kind.
 */
#ifndef TOOLS_BULKHEAD_SERVER_H
#define TOOLS_BULKHEAD_SERVER_H

#include "tools/bulkhead/builder.h"
#include "tools/bulkhead/program.h"

#define RIGHT_WRITE       1u
#define RIGHT_READ        2u
#define RIGHT_GRANT_REPLY 8u
#define RIGHTS_ALL        15u

/* A scheduling context of 256 bytes has 8 refills more than the two that each has. */
#define CONTEXT_BITS  8u
#define EXTRA_REFILLS 8u

#define SERVER_MAX_RANGES 24u

struct server {
    struct builder *builder;
    const char *name;
    uint32_t owner;
    uint32_t cnode;
    unsigned cnode_radix;
    uint32_t vspace;
    uint32_t tcb;
    uint32_t context;
    uint32_t notification;
    uint32_t config_frame;
    uint32_t buffer_frame;
    bool is_bound;         /* its first thread has the notification bound to it */
    uint64_t channels_end; /* first address behind the channels */
    unsigned nr_clients;
    struct builder_range ranges[SERVER_MAX_RANGES]; /* what its kind maps below the channels */
    unsigned nr_ranges;
};

/* A component as the other end of a channel. */
struct server_client {
    const char *name;
    uint32_t owner;
    uint32_t vspace;
    uint32_t cnode;
    uint32_t notification;
    uint64_t address; /* of the channel in its address space, which has the paging structures */
    uint32_t slot;    /* for the right to signal the server */
    uint64_t badge;   /* with which the server signals the client */
};

/* A server's own end of a channel. */
struct server_end {
    const char *name;
    uint64_t address;
    uint32_t slot;  /* for the right to signal the client */
    uint64_t badge; /* with which the client signals the server */
};

/* When and where a server runs. */
struct server_time {
    uint32_t core;
    uint32_t priority;
    uint64_t budget_us;
    uint64_t period_us;
};

void server_begin(struct server *server, struct builder *builder, const char *name,
                  enum plan_component_kind kind, unsigned cnode_radix);
/* An object of the server's. */
uint32_t server_object(const struct server *server, const char *part, uint8_t type,
                       uint8_t size_bits, uint64_t count);
/* `pages` shared frames and a signal each way. */
void server_connect(const struct server *server, const struct server_client *client,
                    const struct server_end *end, uint64_t pages);
/* The same where clients' channels are; the client becomes number nr_clients. */
void server_add_client(struct server *server, const struct server_client *client, uint64_t pages);
/* Its end of a channel to another server. */
struct server_client server_as_client(const struct server *server, uint64_t address, uint32_t slot,
                                      uint64_t badge);
/*
 * Paging structures will be there for these addresses, which lie behind those of the call before
 * and between the IPC buffer and the channels.
 */
void server_add_range(struct server *server, uint64_t start, uint64_t end, unsigned page_bits);
/* A further thread, number 1, 2, ...: its buffer follows that of the thread before it. */
void server_add_thread(struct server *server, uint32_t supervisor, const struct program *program,
                       unsigned number, const struct server_time *time);
/* supervisor: its endpoint */
void server_finish(struct server *server, uint32_t supervisor, const struct program *program,
                   const struct server_time *time);

/* The program's segments, in frames of the owner's, called `prefix`.data and the like. */
void load_program(struct builder *builder, uint32_t owner, uint32_t vspace, const char *prefix,
                  const struct program *program);

static inline uint16_t page_attributes(bool execute)
{
    return execute ? 0 : PLAN_ATTRIBUTE_EXECUTE_NEVER;
}

#endif
