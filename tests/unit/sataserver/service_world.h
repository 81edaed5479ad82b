/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service in a world of its own: a model of a controller, and the clients' sides of their
 * channels. The service is run only when the program would be woken, so a lost wake-up hangs a
 * test here, too.
 */
#ifndef TESTS_UNIT_SATASERVER_SERVICE_WORLD_H
#define TESTS_UNIT_SATASERVER_SERVICE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/unit/sataserver/ahci_model.h"
#include "tests/unit/sataserver/table_model.h"
#include "user/sataserver/service.h"

#define STEP_US   100u
#define LONG_TIME 400000u /* steps: 40 seconds */
#define MIB       (1u << 20)

/* The arena: the driver's, the tables', zeros, then 2 MiB for each client. */
#define TABLES_AT  (5u * MIB)
#define ZEROS_AT   (7u * MIB)
#define CLIENT_AT  (8u * MIB)
#define CLIENT_RAM (2u * MIB)
#define NR_CLIENTS 4u
#define NR_PARTS   3u
#define HIGH       (1ull << 32) /* a client's second half is there in its own addresses */

/* A client's side of its channel. */
struct peer {
    struct ring requests, segments, completions;
    uint32_t wakes;
};

extern struct hba hba;
extern struct service service;
extern struct sata_client_config configs[NR_CLIENTS];
extern struct disk_channel channels[NR_CLIENTS];
extern struct peer peers[NR_CLIENTS];
extern uint64_t now;
extern bool awake;
extern char said[8192];
extern const struct model_part parts[NR_PARTS];

/* --- the world --- */

/* An empty one; then drives and clients are added, and it is started. */
void begin(uint32_t ports);
void add_client(const char *name, uint32_t select, const char *text, uint32_t number,
                uint32_t flags);
void allow_dma(void);
void start(void);
/* One drive with `parts`; and the clients `one` and `two`, who have the partitions of that name. */
void begin_usual(void);
void start_usual(void);
int teardown(void **state);

void step(void);
void steps(unsigned count);
/* Counts them in `wakes`. */
void take_signals(void);
void run_until_decided(void);
enum disk_state state_of(unsigned client);

/* --- clients --- */

/* The client's ends of rings whose words are zero. */
void open_rings(unsigned client);
void wake_server(unsigned client);
void put_raw(unsigned client, const struct disk_request *request,
             const struct disk_segment *segments, uint32_t count);
/* Of one segment, or none. */
void put(unsigned client, uint32_t tag, uint32_t kind, uint64_t sector, uint64_t count,
         uint64_t address);
/* The next completion; -1 if there is none within a long time. */
int wait_for(unsigned client, uint32_t *tag);
int ask(unsigned client, uint32_t kind, uint64_t sector, uint64_t count, uint64_t address);
uint8_t *ram(unsigned client, uint64_t address);
bool all_are(const uint8_t *at, uint8_t value, size_t bytes);

#endif
