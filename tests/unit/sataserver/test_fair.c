/* SPDX-License-Identifier: BSD-2-Clause */
/* Deficit round robin: shares of bytes, slots that are left to others, nobody starves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "user/sataserver/fair.h"

#define LARGEST (4u << 20)

struct world {
    struct fair fair;
    uint64_t first[FAIR_MAX_CLIENTS]; /* bytes of the first request, or FAIR_IDLE */
    uint64_t served[FAIR_MAX_CLIENTS];
};

static struct world world;

static uint64_t waiting(void *context, uint32_t client)
{
    assert_ptr_equal(context, &world);
    return world.first[client];
}

static uint32_t next(void)
{
    uint32_t client = fair_next(&world.fair, waiting, &world), sum = 0;

    for (uint32_t i = 0; i < world.fair.nr_clients; i++) {
        sum += world.fair.clients[i].outstanding;
        assert_true(world.fair.clients[i].outstanding <= fair_limit(&world.fair));
    }
    assert_int_equal(sum, world.fair.outstanding);
    assert_true(sum <= world.fair.slots);
    if (client != FAIR_NOBODY) {
        assert_int_not_equal(world.first[client], FAIR_IDLE);
        world.served[client] += world.first[client];
    }
    return client;
}

static void make(uint32_t nr_clients, uint32_t slots)
{
    memset(&world, 0, sizeof world);
    memset(world.first, 0xff, sizeof world.first);
    fair_init(&world.fair, nr_clients, slots);
}

/* However large or small their requests, clients that always wait get the same number of bytes. */
static void test_shares(void **state)
{
    (void)state;
    make(4, 1);
    world.first[0] = 4096;
    world.first[1] = LARGEST;
    world.first[3] = 131072;
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t client = next();

        assert_int_not_equal(client, FAIR_NOBODY);
        fair_done(&world.fair, client);
    }
    assert_int_equal(world.served[2], 0);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 0; j < 4; j++) {
            if (i != 2 && j != 2) {
                assert_true(world.served[i] <= world.served[j] + FAIR_QUANTUM + LARGEST);
            }
        }
    }
}

/* A flood does not take the slots that the others need. */
static void test_slots(void **state)
{
    (void)state;
    make(3, 32);
    world.first[1] = 4096;
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(next(), 1);
    }
    assert_int_equal(next(), FAIR_NOBODY);
    world.first[2] = 0;
    assert_int_equal(next(), 2);
    assert_int_equal(next(), 2);
    assert_int_equal(next(), FAIR_NOBODY); /* all 32 are in use */
    world.first[0] = LARGEST;
    fair_done(&world.fair, 1);
    assert_int_not_equal(next(), FAIR_NOBODY);
}

static void test_more_clients_than_slots(void **state)
{
    (void)state;
    make(FAIR_MAX_CLIENTS, 1);
    for (unsigned i = 0; i < FAIR_MAX_CLIENTS; i++) {
        world.first[i] = FAIR_QUANTUM;
    }
    for (unsigned i = 0; i < 3 * FAIR_MAX_CLIENTS; i++) {
        uint32_t client = next();

        assert_int_equal(client, i % FAIR_MAX_CLIENTS);
        assert_int_equal(next(), FAIR_NOBODY);
        fair_done(&world.fair, client);
    }
}

/* What was saved for a large request that then did not come, gives no claim. */
static void test_no_saving(void **state)
{
    (void)state;
    make(2, 1);
    world.first[0] = FAIR_QUANTUM;
    world.first[1] = LARGEST;
    for (unsigned i = 0; i < LARGEST / FAIR_QUANTUM - 2; i++) {
        assert_int_equal(next(), 0);
        fair_done(&world.fair, 0);
    }
    world.first[1] = FAIR_IDLE;
    assert_int_equal(next(), 0);
    fair_done(&world.fair, 0);
    world.first[1] = FAIR_QUANTUM;
    memset(world.served, 0, sizeof world.served);
    for (unsigned i = 0; i < 20; i++) {
        fair_done(&world.fair, next());
    }
    assert_int_equal(world.served[0], world.served[1]);
}

/* Random demand: nobody who waits is passed over for longer than the others' largest requests. */
static void test_random(void **state)
{
    uint64_t others[FAIR_MAX_CLIENTS] = { 0 };

    (void)state;
    srand(1);
    make(5, 4);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t who = (uint32_t)rand() % 5, client;

        if (world.first[who] == FAIR_IDLE || rand() % 50 == 0) {
            world.first[who] = rand() % 4 == 0 ? FAIR_IDLE : (uint64_t)rand() % LARGEST;
        }
        client = next();
        for (uint32_t j = 0; client != FAIR_NOBODY && j < 5; j++) {
            bool waits = world.first[j] != FAIR_IDLE && j != client &&
                         world.fair.clients[j].outstanding == 0;

            others[j] = waits ? others[j] + world.first[client] : 0;
            assert_true(others[j] < 10ull * LARGEST);
        }
        if (client != FAIR_NOBODY) {
            world.first[client] = rand() % 4 == 0 ? FAIR_IDLE : (uint64_t)rand() % LARGEST;
        }
        for (uint32_t j = 0; j < 5; j++) {
            if (world.fair.clients[j].outstanding != 0 && rand() % 3 == 0) {
                fair_done(&world.fair, j);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_more_clients_than_slots),
        cmocka_unit_test(test_no_saving),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
