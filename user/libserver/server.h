/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every server is given: the addresses and capability slots that the host tool, init and the
 * servers agree on. A server is a component with one program and one thread, which serves others
 * (its clients) through channels; each kind of server describes its channels and its configuration
 * in a header beside this one.
 *
 * Address space (virtual addresses)
 *
 *      0x0000400000   program
 *      0x0010000000   configuration, one frame, read only
 *      0x0010001000   IPC buffers, one for each thread
 *      0x0010008000   channel to the supervisor (control.h)
 *      0x0020000000   channels: that of client n at + n * SERVER_CHANNEL_SPAN
 */
#ifndef USER_LIBSERVER_SERVER_H
#define USER_LIBSERVER_SERVER_H

#define SERVER_CONFIG_VADDR     0x0010000000ull
#define SERVER_IPC_BUFFER_VADDR 0x0010001000ull
#define SERVER_CONTROL_VADDR    0x0010008000ull
#define SERVER_CHANNEL_VADDR    0x0020000000ull
#define SERVER_CHANNEL_SPAN     0x0000100000ull

#define SERVER_NAME_BYTES  32u /* of a client, NUL terminated */
#define SERVER_MAX_CLIENTS 18u /* 16 VMs, the disk server and the supervisor */

/* The CNode: radix 8, guard 0 of 56 bits, so that a cptr is the slot's number. */
#define SERVER_CNODE_RADIX 8u
enum server_slot {
    SERVER_SLOT_NULL = 0,
    SERVER_SLOT_NOTIFICATION = 2, /* to wait for; clients and interrupts signal it */
    SERVER_SLOT_SUPERVISOR = 3,   /* signals the supervisor */
    SERVER_SLOT_DEVICE = 16,      /* from here on: what the kind of server needs */
    SERVER_SLOT_CLIENT = 64,      /* + n: signals client n */
};

/* What a server says by itself, without being asked. */
enum server_log {
    SERVER_LOG_NOTICES = 0, /* also what goes well */
    SERVER_LOG_PROBLEMS = 1,
};

/* Badge bits of the notification. */
#define SERVER_BADGE_INTERRUPT 1ull
#define SERVER_BADGE_CLIENT(n) (2ull << (n))
#define SERVER_BADGE_CONTROL   (1ull << 40) /* the supervisor's */

#endif
