/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SATA server's configuration, and the addresses and capability slots that the host tool and
 * the server agree on beyond those of server.h. The channel to a client is disk.h's.
 *
 * Threads     two: number 0 serves, number 1 is its clock (user/sataserver/main.c). Each starts at
 *             the program's entry with its number in rdi.
 *
 * Address space (virtual addresses)
 *
 *      0x0010100000   channel to the console server
 *      0x0010200000   the controller's registers
 *      0x0010400000   memory for the controller: SATA_DMA_FRAMES frames of 2 MiB
 *      0x0018000000   physical addresses, as uint64_t, one page or more for each memory: those of
 *                     memory n at + n * SATA_ADDRESSES_SPAN, read only
 *
 * Memories    What a client may name: the frames of a VM's RAM. The server has none of it mapped,
 *             it only knows where it is. Several clients (disks of one VM) share a memory.
 */
#ifndef USER_LIBSERVER_SATA_H
#define USER_LIBSERVER_SATA_H

#include <stdint.h>

#include "user/libserver/server.h"

#define SATA_CONSOLE_VADDR   0x0010100000ull
#define SATA_REGISTERS_VADDR 0x0010200000ull
#define SATA_REGISTER_PAGES  2u
#define SATA_DMA_VADDR       0x0010400000ull
#define SATA_DMA_FRAMES      6u
#define SATA_FRAME_BYTES     0x200000ull
#define SATA_ADDRESSES_VADDR 0x0018000000ull
#define SATA_ADDRESSES_SPAN  0x0000400000ull

enum sata_slot {
    SATA_SLOT_IRQ = SERVER_SLOT_DEVICE,         /* the controller's MSI */
    SATA_SLOT_CONSOLE = SERVER_SLOT_DEVICE + 1, /* signals the console server */
    SATA_SLOT_CLOCK =
        SERVER_SLOT_DEVICE + 2, /* a notification: the clock waits, the server signals */
    SATA_SLOT_SELF = SERVER_SLOT_DEVICE + 3, /* signals the server, with SATA_BADGE_CLOCK */
};

/* Badge bits beside those of server.h. */
#define SATA_BADGE_CONSOLE (1ull << 32)
#define SATA_BADGE_CLOCK   (1ull << 33)

enum sata_select {
    SATA_SELECT_UUID = 1,  /* the partition with this UUID */
    SATA_SELECT_LABEL = 2, /* the partition with this label */
    SATA_SELECT_SERIAL =
        3, /* of the drive with this serial number, partition `number`; 0: all of it */
};

#define SATA_MAX_CLIENTS 16u
#define SATA_TEXT_BYTES  112u

#define SATA_CLIENT_READ_ONLY 1u

struct sata_client_config {
    char name[SERVER_NAME_BYTES];
    uint32_t select;
    uint32_t number;
    uint32_t flags;
    uint32_t memory;
    uint64_t bandwidth; /* bytes per second; 0: no limit */
    uint64_t iops;      /* requests per second; 0: no limit */
    char text[SATA_TEXT_BYTES];
};

/* In this order in the list of addresses. */
#define SATA_MEMORY_RANGES 2u
struct sata_memory_config {
    struct {
        uint64_t client; /* the client's address of the first frame */
        uint64_t nr_frames;
    } ranges[SATA_MEMORY_RANGES];
};

#define SATA_CONFIG_MAGIC   0x6766632e61746173ull /* "sata.cfg" in memory */
#define SATA_CONFIG_VERSION 3u

struct sata_config {
    uint64_t magic;
    uint32_t version;
    uint32_t nr_clients; /* 1 .. SATA_MAX_CLIENTS */
    uint32_t nr_memories;
    uint32_t tsc_mhz;        /* filled in by init, as what follows */
    uint32_t device_state;   /* enum plan_device_state */
    uint32_t register_pages; /* that are mapped */
    uint32_t log;            /* enum server_log */
    uint32_t reserved;
    uint64_t dma_addresses[SATA_DMA_FRAMES];
    struct sata_memory_config memories[SATA_MAX_CLIENTS];
    struct sata_client_config clients[SATA_MAX_CLIENTS];
};

_Static_assert(SATA_MAX_CLIENTS <= SERVER_MAX_CLIENTS, "they are clients like others");
_Static_assert(sizeof(struct sata_client_config) == 176, "layout");
_Static_assert(sizeof(struct sata_memory_config) == 32, "layout");
_Static_assert(sizeof(struct sata_config) ==
                   40 + SATA_DMA_FRAMES * 8 + SATA_MAX_CLIENTS * (32 + 176),
               "sata_config has no padding");
_Static_assert(sizeof(struct sata_config) <= 4096, "sata_config fits one frame");

#endif
