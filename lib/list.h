/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Doubly linked lists whose links lie inside the elements.
 *
 * Objects    struct list_link is a member of an element, and is also the list itself. Nothing is
 *            allocated; an element is in one list for each link it has.
 * Invariants I1  link->next->prev == link and link->prev->next == link, for the list and each
 *                member.
 *            I2  A link outside any list points at itself, after list_init or list_remove.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
    struct list_link *next;
    struct list_link *prev;
};

/* The element of the type given whose member is the link. */
#define list_element(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

#define list_for_each(link, list)                                                                  \
    for (struct list_link *link = (list)->next; link != (list); link = link->next)

/* Lets the body remove the link. */
#define list_for_each_safe(link, list)                                                             \
    for (struct list_link *link = (list)->next, *link##_next = link->next; link != (list);         \
         link = link##_next, link##_next = link->next)

static inline void list_init(struct list_link *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool list_is_empty(const struct list_link *list)
{
    return list->next == list;
}

static inline void list_insert_after(struct list_link *link, struct list_link *where)
{
    link->prev = where;
    link->next = where->next;
    where->next->prev = link;
    where->next = link;
}

static inline void list_insert_before(struct list_link *link, struct list_link *where)
{
    list_insert_after(link, where->prev);
}

static inline void list_push_front(struct list_link *list, struct list_link *link)
{
    list_insert_after(link, list);
}

static inline void list_push_back(struct list_link *list, struct list_link *link)
{
    list_insert_before(link, list);
}

/* No-op for a link that is in no list. */
static inline void list_remove(struct list_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* The first element's link, removed; NULL if the list is empty. */
static inline struct list_link *list_pop_front(struct list_link *list)
{
    if (list_is_empty(list))
        return NULL;

    struct list_link *link = list->next;

    list_remove(link);
    return link;
}

#endif
