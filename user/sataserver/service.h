/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients' disks: which part of which drive is whose, and the way of a request from a client's ring
 * to the drive and back. Pure: all that it speaks to is the driver (hba.h) and the rings.
 *
 * Start       A client gets its disk once the partition table of its drive is read and all other
 *             drives have got as far as they can, because a name may be there twice; but it does
 *             not wait for them for longer than SERVICE_PATIENCE_US: a drive that comes late, or
 *             never, costs only those whose disk is on it. When there is nothing more to come, who
 *             has none gets a reason. A client that is refused costs the others nothing: they are
 *             decided one after the other, in the order of the configuration.
 * A request   is copied out of the ring once and checked; its sectors go through
 *             extent_translate(), its memory through window_append(); then the drive gets it. There
 *             is one at a time outside of the ring that has no slot yet: the client's first. Long
 *             ones, zeroing and discarding, go to the drive in pieces, one after the other; a
 *             client has at most one of them at the drive.
 * Trust       A client that breaks the rules of disk.h is not listened to any more; its disk is
 *             gone once its outstanding requests have ended.
 * Reset       A client's channel is made as it was at first, and a rule that it broke is forgotten,
 *             once its outstanding requests have ended. It keeps its place on its drive, and its
 *             account with its limit.
 * Invariants  S1  two clients whose extents overlap both only read, whatever their states
 *             S2  a client whose state is not READY has no request at the drive, or is ending
 *             S3  each request that was taken from a ring is completed exactly once, unless its
 *                 client ends before it has gone to the drive
 * Locking     none: one thread
 */
#ifndef USER_SATASERVER_SERVICE_H
#define USER_SATASERVER_SERVICE_H

#include "lib/extent.h"
#include "user/libserver/disk.h"
#include "user/libserver/sata.h"
#include "user/sataserver/fair.h"
#include "user/sataserver/hba.h"
#include "user/sataserver/limit.h"
#include "user/sataserver/table.h"
#include "user/sataserver/window.h"

#define SERVICE_MAX_DRIVES    8u
#define SERVICE_MAX_CLIENTS   SATA_MAX_CLIENTS
#define SERVICE_REQUEST_BYTES (4u << 20) /* of one read or write */
#define SERVICE_ZERO_BYTES    (32u << 10)
#define SERVICE_LINE_BYTES    256u
#define SERVICE_PATIENCE_US   3000000u

/*
 * The longest request always fits: with windows of at least 2 MiB, a client's segment lies in one
 * more region than it crosses borders, and no request crosses more than two beyond one each.
 */
_Static_assert(TRANSFER_MAX_SEGMENTS >= 2 * DISK_MAX_SEGMENTS + 3, "pieces of segments");

struct service;
struct drive;

enum client_state {
    CLIENT_STARTING,
    CLIENT_READY,
    CLIENT_ENDING, /* not listened to; requests are outstanding */
    CLIENT_ENDED,  /* refused (it has no drive), or gone */
};

struct client_counters {
    uint64_t reads, writes, flushes, others;
    uint64_t bytes_read, bytes_written;
    uint64_t refused, errors;
    uint32_t most_outstanding;
    uint64_t
        completed; /* that had gone to the drive, and how long they were there, in microseconds */
    uint64_t microseconds, longest;
};

/* Errors of the drive are told one by one, SERVICE_ERROR_LINES a minute: a bad disk has many. */
#define SERVICE_ERROR_LINES 8u
struct error_lines {
    uint64_t minute; /* when it began */
    uint32_t told;   /* in this minute */
    uint64_t untold; /* since the last line */
};

struct client {
    /* Set before service_start(). */
    const struct sata_client_config *config;
    struct disk_channel *channel;
    struct windows windows;
    const char *impossible; /* why it cannot be served, whatever drives there are; or null */
    /* The service's: */
    struct service *service;
    enum client_state state;
    bool resetting;          /* a reset is wanted, and not done */
    struct disk_facts facts; /* what the channel says; without the state */
    struct ring requests, segments, completions;
    struct drive *drive;
    uint32_t index; /* among the drive's clients */
    struct extent extent;
    bool read_only;
    struct disk_request first; /* taken, has no slot yet */
    bool has_first;
    uint64_t tags; /* of requests that were taken and are not completed */
    uint32_t outstanding;
    bool in_pieces; /* a long request is at the drive */
    struct limit limit;
    struct request *paused; /* the long one, if its next piece waits for the limit */
    bool changed;           /* it is to be told of its state */
    struct client_counters counters;
    struct error_lines error_lines;
};

/* At the drive. */
struct request {
    struct transfer transfer; /* first: the driver gives it back */
    struct client *client;
    struct request *next; /* free */
    uint32_t tag, kind;
    bool flush_after; /* FUA of a drive that has none */
    uint64_t began;
    uint64_t sector, left; /* of the drive: what a long one still has before it */
    struct segment_list list;
};

struct drive {
    struct port *port; /* null: this row is free */
    struct table_reader reader;
    bool table_read;
    uint64_t since; /* when it was read */
    bool shared;    /* its clients are known */
    struct partition_table table;
    struct fair fair;
    struct client *clients[SERVICE_MAX_CLIENTS];
    uint32_t nr_clients;
    struct request requests[AHCI_NR_SLOTS];
    struct request *free;
};

struct service {
    /* Set by the caller; the rest is zero. */
    struct hba *hba;
    struct client clients[SERVICE_MAX_CLIENTS];
    uint32_t nr_clients;
    struct dma_memory tables;      /* TABLE_MEMORY_BYTES for each drive; fewer drives without */
    uint64_t zeros;                /* bus address of SERVICE_ZERO_BYTES that are and stay zero */
    void (*say)(const char *line); /* for people */
    bool problems_only;            /* what goes well is not said */
    /* The service's: */
    struct drive drives[SERVICE_MAX_DRIVES];
    uint32_t told_ports;  /* bits: that they failed has been said */
    bool decided;         /* each client has its disk or a reason: there is no drive to come */
    uint32_t resets_done; /* bits: clients */
};

/* Rings and facts. The controller has been started, or failure says why there is none. */
void service_start(struct service *service, const char *failure);
/*
 * Whatever can be done now. True: there may be more at once (a client that asks without end does
 * not keep the caller from looking at interrupts).
 */
bool service_run(struct service *service, uint64_t now);
/*
 * Begins a client's reset: nothing is taken from its channel until that is done. May be asked again
 * meanwhile. The client does nothing with its channel from now on, or only itself has the damage.
 */
void service_reset(struct service *service, uint32_t index);
/* The clients whose reset is done, as bits; asked after each round. */
uint32_t service_take_resets(struct service *service);
/* What has happened so far, for people: a line for each client and drive. */
void service_report(const struct service *service);
/* The clients that wait for a signal, as bits; asked after each round. */
uint32_t service_take_signals(struct service *service);
/* Whether time alone lets something go on that a limit holds up: the caller sees to ticks. */
bool service_waits_for_time(const struct service *service);
/* Asks all clients for signals. False: one of them has put something in meanwhile. */
bool service_may_sleep(struct service *service);

#endif
