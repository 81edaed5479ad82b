/* SPDX-License-Identifier: BSD-2-Clause */
/* What service.c, assign.c and client.c share. */
#ifndef USER_SATASERVER_SERVICE_PRIV_H
#define USER_SATASERVER_SERVICE_PRIV_H

#include "user/sataserver/service.h"

/* --- service.c --- */

void service_say(const struct service *service, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* What goes well. */
void service_note(const struct service *service, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- assign.c --- */

/* Its table has just been read. */
void assign_describe(const struct service *service, const struct drive *drive);
/* To those who have none yet, as far as drives are there; last: no more will come. */
void assign_disks(struct service *service, bool last);
/* Its disk is refused, for this reason. */
void assign_refuse(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- client.c --- */

/* The server's ends of rings whose words are zero. */
void client_open_rings(struct client *client);
/* Tells the client its facts, and that their state is this. */
void client_tell(struct client *client, enum disk_state state);
/* No more requests; gone when what is outstanding has ended. */
void client_end(struct client *client);
/* fair_next's question: bytes of the first request, or FAIR_IDLE. */
uint64_t client_waiting(struct client *client);
/* Its first request to the drive: it has a slot. */
void client_submit(struct client *client);
/* The next piece of its long request, if that was held up by its limit and is not any more. */
void client_go_on(struct client *client);
/* Whether its limit holds something up that could go to the drive. */
bool client_waits_for_time(const struct client *client);

/* --- reset.c --- */

/*
 * Of those whose reset is wanted and who have nothing at the drive any more. Requests end between
 * rounds, when the driver is told of interrupts and time: once in a round is enough.
 */
void reset_finish(struct service *service);

#endif
