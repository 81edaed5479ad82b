/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/list against an array, over random operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/list.h"

#define ELEMENTS 16

struct element {
    int number;
    struct list_link link;
    bool in_list;
};

static void assert_list(struct list_link *list, const int *expected, int count)
{
    int i = 0;

    list_for_each (link, list) {
        assert_true(i < count);
        assert_int_equal(list_element(link, struct element, link)->number, expected[i]);
        assert_ptr_equal(link->next->prev, link);
        i++;
    }
    assert_int_equal(i, count);
    assert_int_equal(list_is_empty(list), count == 0);
}

static void model_remove(int *model, int *count, int number)
{
    int i = 0;

    while (model[i] != number)
        i++;
    memmove(model + i, model + i + 1, (size_t)(*count - i - 1) * sizeof(*model));
    (*count)--;
}

static void test_random_operations(void **state)
{
    struct element elements[ELEMENTS];
    struct list_link list;
    int model[ELEMENTS];
    int count = 0;

    (void)state;
    list_init(&list);
    for (int i = 0; i < ELEMENTS; i++) {
        elements[i] = (struct element){ .number = i };
        list_init(&elements[i].link);
    }
    for (int round = 0; round < 5000; round++) {
        struct element *element = &elements[rand() % ELEMENTS];

        if (element->in_list) {
            model_remove(model, &count, element->number);
            list_remove(&element->link);
        } else if (rand() % 2) {
            memmove(model + 1, model, (size_t)count * sizeof(*model));
            model[0] = element->number;
            count++;
            list_push_front(&list, &element->link);
        } else {
            model[count++] = element->number;
            list_push_back(&list, &element->link);
        }
        element->in_list = !element->in_list;
        assert_list(&list, model, count);
    }
}

static void test_pop_and_safe_walk(void **state)
{
    struct element elements[3] = { { .number = 0 }, { .number = 1 }, { .number = 2 } };
    struct list_link list;

    (void)state;
    list_init(&list);
    assert_null(list_pop_front(&list));
    for (int i = 0; i < 3; i++)
        list_push_back(&list, &elements[i].link);
    assert_ptr_equal(list_pop_front(&list), &elements[0].link);
    list_remove(&elements[0].link); /* a second time: nothing happens */
    assert_list(&list, (int[]){ 1, 2 }, 2);
    list_for_each_safe (link, &list)
        list_remove(link);
    assert_true(list_is_empty(&list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_pop_and_safe_walk),
    };

    srand(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
