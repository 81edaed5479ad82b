/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console server's configuration and the channel that each client has to it: a ring of bytes
 * each way, and a count of how often people wanted to see the client's counters. What a client has
 * put out counts as consumed once the serial port has it. Only VMs get what is typed.
 *
 *      page 0   both rings' words, the input's bytes
 *      page 1-2 the output's bytes
 */
#ifndef USER_LIBSERVER_CONSOLE_H
#define USER_LIBSERVER_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/ring.h"
#include "user/libserver/server.h"

#define CONSOLE_INPUT_BYTES  2048u
#define CONSOLE_OUTPUT_BYTES 8192u

struct console_channel {
    struct ring_shared output; /* the client produces */
    struct ring_shared input;  /* the server produces */
    uint32_t show;             /* the server counts up: the client is to show its counters */
    uint8_t reserved[4096 - 2 * sizeof(struct ring_shared) - 4 - CONSOLE_INPUT_BYTES];
    uint8_t input_bytes[CONSOLE_INPUT_BYTES];
    uint8_t output_bytes[CONSOLE_OUTPUT_BYTES];
};

#define CONSOLE_CHANNEL_PAGES (sizeof(struct console_channel) / 4096)

#define CONSOLE_CONFIG_MAGIC   0x6766632e736e6f63ull /* "cons.cfg" in memory */
#define CONSOLE_CONFIG_VERSION 3u

enum console_slot {
    CONSOLE_SLOT_PORT = SERVER_SLOT_DEVICE,    /* the UART's eight I/O ports */
    CONSOLE_SLOT_IRQ = SERVER_SLOT_DEVICE + 1, /* its interrupt: edge, active high */
};

struct console_config {
    uint64_t magic;
    uint32_t version;
    uint32_t nr_clients; /* 1 .. SERVER_MAX_CLIENTS */
    uint32_t tsc_mhz;    /* filled in by init from bootinfo */
    uint32_t first;      /* the VM that has the keyboard first */
    uint16_t port;       /* the first of the I/O ports */
    uint8_t escape;      /* the key before commands: a control character */
    uint8_t nr_vms;      /* the first 1 .. nr_clients of the clients are VMs, the others servers */
    uint8_t colour;      /* labels have their client's */
    uint8_t reserved[3];
    char names[SERVER_MAX_CLIENTS][SERVER_NAME_BYTES];
};

_Static_assert(sizeof(struct console_channel) == 3 * 4096, "three pages");
_Static_assert(offsetof(struct console_channel, output_bytes) == 4096, "layout");
_Static_assert(sizeof(struct console_config) == 32 + SERVER_MAX_CLIENTS * SERVER_NAME_BYTES,
               "console_config has no padding");
_Static_assert(sizeof(struct console_config) <= 4096, "console_config fits one frame");

#endif
