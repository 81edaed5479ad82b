/* SPDX-License-Identifier: BSD-2-Clause */
/* A console in a world of its own: its clients' ends of their channels, and what is shown. */
#ifndef TESTS_UNIT_CONSOLE_WORLD_H
#define TESTS_UNIT_CONSOLE_WORLD_H

#include <stdint.h>

#include "user/console/mux.h"

#define MHZ     1000u
#define ESCAPE  0x1du
#define QUIET   ((uint64_t)MHZ * 1000 * MUX_QUIET_MS)
#define HOLD    ((uint64_t)MHZ * 1000 * MUX_HOLD_MS)
#define CLIENTS 3u

struct world {
    struct console_config config;
    struct control_channel control;
    struct mux mux;
    struct console_channel channels[CLIENTS];
    struct ring output[CLIENTS], input[CLIENTS];
    uint64_t now;
    char shown[65536];
    uint32_t length;
};

/* The clients are `one`, `two` and `three`, as far as there are so many. To be freed. */
struct world *begin(unsigned nr_clients, unsigned nr_vms);
/* The client's ends of rings whose words are zero. */
void open_rings(struct world *world, unsigned client);

void put(struct world *world, unsigned client, const char *text);
/* All that can be shown now. */
void run(struct world *world);
/* Runs, and expects what was shown since the last time. */
void expect(struct world *world, const char *text);
/* Keys that nothing holds back. */
void type(struct world *world, const char *keys);
void expect_input(struct world *world, unsigned client, const char *text);

#endif
