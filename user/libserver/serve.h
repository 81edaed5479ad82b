/* SPDX-License-Identifier: BSD-2-Clause */
/* What servers do with the capabilities that server.h lists. */
#ifndef USER_LIBSERVER_SERVE_H
#define USER_LIBSERVER_SERVE_H

#include <sel4/sel4.h>

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

#endif
