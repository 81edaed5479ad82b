/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/console/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[CLIENTS] = { "one", "two", "three" };

void open_rings(struct world *world, unsigned client)
{
    struct console_channel *channel = &world->channels[client];

    ring_init(&world->output[client], RING_PRODUCER, &channel->output, channel->output_bytes, 1,
              CONSOLE_OUTPUT_BYTES);
    ring_init(&world->input[client], RING_CONSUMER, &channel->input, channel->input_bytes, 1,
              CONSOLE_INPUT_BYTES);
}

struct world *begin(unsigned nr_clients, unsigned nr_vms)
{
    struct world *world = calloc(1, sizeof(*world));

    world->config =
        (struct console_config){ .tsc_mhz = MHZ, .nr_vms = (uint8_t)nr_vms, .escape = ESCAPE };
    mux_init(&world->mux, &world->config, &world->control);
    for (unsigned i = 0; i < nr_clients; i++) {
        mux_add(&world->mux, names[i], &world->channels[i]);
        open_rings(world, i);
    }
    world->now = QUIET;
    return world;
}

void put(struct world *world, unsigned client, const char *text)
{
    assert_int_equal(ring_put(&world->output[client], text, (uint32_t)strlen(text)), strlen(text));
}

void run(struct world *world)
{
    uint32_t count;

    while (mux_pump(&world->mux, world->now) || mux_has_output(&world->mux)) {
        while ((count = mux_take_output(&world->mux, (uint8_t *)world->shown + world->length,
                                        16)) != 0) {
            world->length += count;
            assert_true(world->length < sizeof(world->shown) - 16);
        }
        mux_sent(&world->mux);
    }
}

void expect(struct world *world, const char *text)
{
    run(world);
    world->shown[world->length] = '\0';
    assert_string_equal(world->shown, text);
    world->length = 0;
}

void type(struct world *world, const char *keys)
{
    for (; *keys != '\0'; keys++) {
        assert_true(mux_wants_input(&world->mux, world->now));
        mux_input(&world->mux, (uint8_t)*keys);
    }
}

void expect_input(struct world *world, unsigned client, const char *text)
{
    char got[256] = "";

    ring_get(&world->input[client], got, sizeof(got) - 1);
    assert_string_equal(got, text);
}
