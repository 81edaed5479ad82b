/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts a boot plan together. The passes before it say which objects, capabilities and mappings
 * there are, in any order; builder_finish() decides the slots, sorts what has to be sorted, lays
 * out the image and writes the tables of abi/plan.h.
 *
 * Handles    builder_object() and its relatives return a handle, which stands for the capabilities
 *            until they have slots. In the row structures that are handed over, every field that
 *            abi/plan.h calls a slot holds a handle; handles are never 0.
 * Image      the plan and the bytes for fills are collected in memory; files are only referred to,
 *            page by page, and written by emit.c
 */
#ifndef TOOLS_BULKHEAD_BUILDER_H
#define TOOLS_BULKHEAD_BUILDER_H

#include <stdbool.h>

#include "abi/plan.h"
#include "abi/types.h"
#include "tools/bulkhead/arena.h"

/* A file in the image. */
struct image_file {
    const uint8_t *bytes;
    uint64_t length;
    uint64_t offset; /* from the plan's start; a multiple of the page size */
};

struct builder {
    struct arena *arena;
    struct buffer things; /* by handle - 1 */
    struct buffer strings;
    struct buffer data;  /* bytes for fills */
    struct buffer files; /* struct image_file */
    struct buffer tables[PLAN_NR_TABLES];
    struct plan_header
        header; /* what finish does not decide: names, supervisor, scratch, last CNode */
};

void builder_init(struct builder *builder, struct arena *arena);

uint32_t builder_string(struct builder *builder, const char *text);
uint32_t builder_component(struct builder *builder, const char *name,
                           enum plan_component_kind kind);

/* size_bits: log2 of a CNode's slots or a scheduling context's bytes; else 0. */
uint32_t builder_object(struct builder *builder, uint32_t owner, const char *name, uint8_t type,
                        uint8_t size_bits, uint64_t count);
/* The file's bytes as read-only frames. An empty file has no frame: handle 0. */
uint32_t builder_image(struct builder *builder, uint32_t owner, const char *name,
                       const uint8_t *bytes, uint64_t length);
uint32_t builder_irq(struct builder *builder, struct plan_irq irq, const char *name);
uint32_t builder_port(struct builder *builder, uint32_t owner, const char *name, uint16_t first,
                      uint16_t last);
/* The frames over a BAR. An irq of kind PLAN_IRQ_MESSAGE names its device by this handle. */
uint32_t builder_device(struct builder *builder, struct plan_device device, const char *name);
/* As many copies as the source has capabilities. */
uint32_t builder_copy(struct builder *builder, uint32_t source, uint64_t rights, uint64_t badge);
/* How many capabilities a handle stands for. */
uint32_t builder_count(const struct builder *builder, uint32_t handle);

/* The capability in slot index of a CNode object. */
void builder_cap(struct builder *builder, uint32_t cnode, uint32_t index, uint32_t source,
                 uint64_t rights, uint64_t badge);
/* All frames of the handle; 0 bytes if the handle is 0. */
void builder_map(struct builder *builder, uint32_t space, uint32_t frames, uint64_t address,
                 uint16_t rights, uint16_t attributes);
/* These bytes at the beginning of the frames. */
void builder_fill(struct builder *builder, uint32_t frames, const void *bytes, uint64_t length);
void builder_fill_tsc_mhz(struct builder *builder, uint32_t frame, uint64_t offset);
void builder_fill_boot_time(struct builder *builder, uint32_t frame, uint64_t offset);
/* The physical addresses of all frames of a handle; what became of a device. */
void builder_fill_addresses(struct builder *builder, uint32_t into, uint64_t offset,
                            uint32_t frames);
void builder_fill_device(struct builder *builder, uint32_t frame, uint64_t offset, uint32_t device);
void builder_bind(struct builder *builder, uint32_t irq, uint32_t notification);
void builder_context(struct builder *builder, struct plan_context context);
void builder_thread(struct builder *builder, struct plan_thread thread);
void builder_channel(struct builder *builder, struct plan_channel channel);

/* Half-open range of addresses that is mapped with pages of 2^page_bits bytes. */
struct builder_range {
    uint64_t start;
    uint64_t end;
    unsigned page_bits;
};
/* All paging structures that the ranges (ascending) need, as objects of the owner. */
void builder_paging(struct builder *builder, uint32_t owner, const char *name, uint32_t space,
                    bool nested, const struct builder_range *ranges, size_t nr_ranges);

/* Header, tables, strings and bytes for fills, at offset 0 of the image; see struct image_file. */
struct buffer builder_finish(struct builder *builder);

#endif
