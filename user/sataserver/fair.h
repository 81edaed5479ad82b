/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose request goes to the drive next: deficit round robin over the clients, and a share of the
 * drive's slots for each. Pure.
 *
 * Fairness    Each round gives every client that waits FAIR_QUANTUM bytes of credit; a request
 *             costs its bytes, and those without data FAIR_MIN_COST. Between two clients that both
 *             wait all the time, what was served differs by at most one quantum and the largest
 *             request. A client that does not wait loses its credit: nobody saves up.
 * Slots       A client gets at most fair_limit() slots: however much it asks for, it leaves one
 *             for each other client. What several together leave no slot for, waits for the first
 *             that is given back, and then for its credit like everybody.
 * Invariants  F1  outstanding is the sum over the clients, and at most slots
 *             F2  a client's outstanding is at most fair_limit()
 * Locking     none: one thread
 * Sources     Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit Round-Robin", 1996
 */
#ifndef USER_SATASERVER_FAIR_H
#define USER_SATASERVER_FAIR_H

#include <stdbool.h>
#include <stdint.h>

#define FAIR_MAX_CLIENTS 32u
#define FAIR_NOBODY      FAIR_MAX_CLIENTS
#define FAIR_QUANTUM     (128u << 10)
#define FAIR_MIN_COST    4096u

struct fair_client {
    uint64_t credit; /* bytes */
    uint32_t outstanding;
};

struct fair {
    uint32_t nr_clients;
    uint32_t slots; /* of the drive */
    uint32_t outstanding;
    uint32_t turn; /* whose turn it is */
    bool charged;  /* it has had its quantum */
    struct fair_client clients[FAIR_MAX_CLIENTS];
};

/* nr_clients 1 .. FAIR_MAX_CLIENTS; slots at least 1. */
void fair_init(struct fair *fair, uint32_t nr_clients, uint32_t slots);

/* Slots that one client may have at a time. */
uint32_t fair_limit(const struct fair *fair);

/*
 * The client whose first request is to be submitted now, or FAIR_NOBODY. It has been charged, and
 * has the slot. waiting(context, client): bytes of the client's first request (at least
 * FAIR_MIN_COST is charged), or FAIR_IDLE.
 */
#define FAIR_IDLE UINT64_MAX
uint32_t fair_next(struct fair *fair, uint64_t (*waiting)(void *context, uint32_t client),
                   void *context);

/* A request of this client has ended. */
void fair_done(struct fair *fair, uint32_t client);

#endif
