/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a boot plan (abi/plan.h): its tables as arrays, its names, and what a plan slot holds.
 * Pure: no system calls, no state, so that the host tool and the unit tests use it too.
 *
 * Trust      plan_open() checks that header, tables and strings lie within the bytes given and
 *            nothing more; plan_check() (plan_check.h) checks what the rows say. Between the two,
 *            only plan_check() may read rows.
 * Memory     nothing is copied: the plan must stay where it is, and unchanged.
 * Errors     false, and struct plan_problem says where and what
 */
#ifndef USER_INIT_PLAN_H
#define USER_INIT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/plan.h"
#include "abi/types.h"

#define PLAN_NO_ROW 0xffffffffu

struct plan_problem {
    const char *where; /* a table's name or "header" */
    uint32_t row;      /* PLAN_NO_ROW if it is none in particular */
    const char *what;
};

struct plan {
    const uint8_t *bytes;
    const struct plan_header *header;
    const struct plan_component *components;
    const struct plan_object *objects;
    const struct plan_image *images;
    const struct plan_irq *irqs;
    const struct plan_port *ports;
    const struct plan_device *devices;
    const struct plan_paging *paging;
    const struct plan_fill *fills;
    const struct plan_cap *caps;
    const struct plan_mapping *mappings;
    const struct plan_binding *bindings;
    const struct plan_context *contexts;
    const struct plan_thread *threads;
    const struct plan_channel *channels;
    uint32_t nr_components, nr_objects, nr_images, nr_irqs, nr_ports, nr_devices, nr_paging,
        nr_fills, nr_caps, nr_mappings, nr_bindings, nr_contexts, nr_threads, nr_channels;
};

/* What kind of capability a slot holds, and where it came from. */
enum plan_source {
    PLAN_SOURCE_OBJECT,
    PLAN_SOURCE_IMAGE,
    PLAN_SOURCE_IRQ,
    PLAN_SOURCE_PORT,
    PLAN_SOURCE_DEVICE,
};

struct plan_slot {
    enum plan_source source;
    uint32_t row;   /* in the table of that source */
    uint32_t first; /* the capability is number `first` of that row */
    uint8_t
        type; /* object type; seL4_X86_4K for images and devices; of no meaning for IRQs, ports */
    uint8_t size_bits;
    uint32_t owner;
    uint64_t rights; /* what the copies on the way have left */
    uint64_t badge;
    bool is_copy;
};

/* The name of a table, for messages. */
const char *plan_table_name(enum plan_table_id id);

/* available: bytes that can be read at `bytes`, which must be aligned to 8. */
bool plan_open(struct plan *plan, const void *bytes, uint64_t available,
               struct plan_problem *problem);

/* Always a text: a name outside the strings reads "?". */
const char *plan_name(const struct plan *plan, uint32_t name);
/* The name of what a slot holds. */
const char *plan_slot_name(const struct plan *plan, uint32_t slot);
/* "init", or the component's name */
const char *plan_owner_name(const struct plan *plan, uint32_t owner);

/*
 * What the slots first .. first + count - 1 hold, if that is defined and all of it comes from one
 * row of one table, in order. Asks that the slots of the tables follow each other (rule of
 * plan_check).
 */
bool plan_slots_find(const struct plan *plan, uint32_t first, uint32_t count,
                     struct plan_slot *found);

/* log2 of the bytes that a paging structure of this object type spans; 0 if it is none. */
unsigned plan_paging_span_bits(uint8_t type);
/* The same for frames. */
unsigned plan_frame_bits(uint8_t type);

#endif
