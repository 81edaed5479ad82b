/* SPDX-License-Identifier: BSD-2-Clause */
/* user/libserver/reset: which clients' resets are wanted, and what is told to be done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "user/libserver/reset.h"

static struct control_channel channel;

static struct resets begin(void)
{
    memset(&channel, 0, sizeof channel);
    return (struct resets){ .channel = &channel, .nr_clients = 3 };
}

static void test_one_after_the_other(void **state)
{
    struct resets resets = begin();

    (void)state;
    assert_int_equal(resets_take(&resets), 0);
    channel.reset_wanted[2]++;
    channel.reset_wanted[0]++;
    channel.reset_wanted[3]++; /* no client */
    assert_int_equal(resets_take(&resets), 5);
    assert_int_equal(resets_take(&resets), 0);
    assert_int_equal(channel.reset_done[0], 0);
    resets_end(&resets, 4);
    assert_int_equal(channel.reset_done[2], 1);
    assert_int_equal(channel.reset_done[0], 0);
    resets_end(&resets, 1);
    assert_int_equal(channel.reset_done[0], 1);
    assert_int_equal(channel.reset_done[3], 0);
}

/* Once more meanwhile, and numbers that wrap. */
static void test_again(void **state)
{
    struct resets resets = begin();

    (void)state;
    channel.reset_wanted[1] = UINT32_MAX;
    assert_int_equal(resets_take(&resets), 2);
    channel.reset_wanted[1]++;
    resets_end(&resets, 2); /* that of the first time: the second is still wanted */
    assert_int_equal(channel.reset_done[1], UINT32_MAX);
    assert_int_equal(resets_take(&resets), 2);
    channel.reset_wanted[1]++;
    assert_int_equal(resets_take(&resets), 2);
    resets_end(&resets, 2); /* seen twice, done once */
    assert_int_equal(channel.reset_done[1], 1);
    assert_int_equal(resets_take(&resets), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
