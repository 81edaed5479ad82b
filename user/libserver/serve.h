/* SPDX-License-Identifier: BSD-2-Clause */
/* What servers do with the capabilities that server.h lists. */
#ifndef USER_LIBSERVER_SERVE_H
#define USER_LIBSERVER_SERVE_H

#include <sel4/sel4.h>

#include "lib/ring.h"
#include "lib/string.h"
#include "user/libserver/server.h"

/* clients: bit n is client n */
static inline void server_signal_clients(seL4_Uint32 clients)
{
    for (unsigned i = 0; clients >> i != 0; i++) {
        if ((clients >> i & 1) != 0) {
            seL4_Signal(SERVER_SLOT_CLIENT + i);
        }
    }
}

/*
 * A line to the console server, whose channel has this ring of bytes and is signalled by this
 * capability. One that finds no room is dropped: nobody waits for people.
 */
static inline void server_say(struct ring *console, seL4_CPtr signal, const char *line)
{
    uint32_t length = (uint32_t)strlen(line);

    if (ring_available(console) >= length + 2) {
        ring_put(console, line, length);
        ring_put(console, "\r\n", 2);
        if (ring_must_signal(console)) {
            seL4_Signal(signal);
        }
    }
}

#endif
