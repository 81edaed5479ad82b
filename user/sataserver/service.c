/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/sataserver/service.h"

#include <stdarg.h>

#include "lib/format.h"
#include "user/sataserver/service_priv.h"

/* Requests of one drive in one round. */
#define ROUND 64u

static void say(const struct service *service, const char *format, va_list arguments)
{
    char line[SERVICE_LINE_BYTES];

    format_text_v(line, sizeof line, format, arguments);
    service->say(line);
}

void service_say(const struct service *service, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(service, format, arguments);
    va_end(arguments);
}

void service_note(const struct service *service, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (!service->problems_only) {
        say(service, format, arguments);
    }
    va_end(arguments);
}

/* --- start: partition tables --- */

static bool has_drive(const struct service *service, const struct port *port)
{
    for (uint32_t i = 0; i < SERVICE_MAX_DRIVES; i++) {
        if (service->drives[i].port == port) {
            return true;
        }
    }
    return false;
}

static void add_drive(struct service *service, struct port *port)
{
    for (uint32_t i = 0; i < SERVICE_MAX_DRIVES; i++) {
        struct drive *drive = &service->drives[i];
        uint64_t at = (uint64_t)i * TABLE_MEMORY_BYTES;

        if (drive->port == NULL && at + TABLE_MEMORY_BYTES <= service->tables.bytes) {
            drive->port = port;
            table_begin(&drive->reader, port, service->tables.base + at,
                        service->tables.address + at);
            return;
        }
    }
}

static void add_drives(struct service *service)
{
    for (unsigned i = 0; i < AHCI_NR_PORTS; i++) {
        struct port *port = &service->hba->ports[i];

        if (port->state == PORT_READY && !has_drive(service, port)) {
            add_drive(service, port);
        }
    }
}

/* Whether there is nothing more to wait for. */
static bool read_tables(struct service *service)
{
    bool all = true;

    for (uint32_t i = 0; i < SERVICE_MAX_DRIVES; i++) {
        struct drive *drive = &service->drives[i];

        if (drive->port != NULL && !drive->table_read) {
            drive->table_read = table_step(&drive->reader, &drive->table);
            drive->since = service->hba->now;
            all &= drive->table_read;
            if (drive->table_read) {
                assign_describe(service, drive);
            }
        }
    }
    return all;
}

static void refuse_all(struct service *service, const char *reason)
{
    for (uint32_t i = 0; i < service->nr_clients; i++) {
        if (service->clients[i].state == CLIENT_STARTING) {
            assign_refuse(&service->clients[i], "%s", reason);
        }
    }
    service->decided = true;
}

static void tell_failed_ports(struct service *service)
{
    for (unsigned i = 0; i < AHCI_NR_PORTS; i++) {
        const struct port *port = &service->hba->ports[i];

        if (port->state == PORT_FAILED && !port->known && (service->told_ports >> i & 1) == 0) {
            service->told_ports |= 1u << i;
            service_say(service, "the disk at port %u cannot be used: %s", i,
                        port->failure != NULL ? port->failure : "it failed");
        }
    }
}

static void look_for_disks(struct service *service)
{
    bool settled = hba_is_settled(service->hba);

    if (service->hba->failure != NULL) {
        refuse_all(service, service->hba->failure);
        return;
    }
    tell_failed_ports(service);
    add_drives(service);
    service->decided = read_tables(service) && settled;
    assign_disks(service, service->decided);
}

void service_start(struct service *service, const char *failure)
{
    for (uint32_t i = 0; i < service->nr_clients; i++) {
        service->clients[i].service = service;
        client_open_rings(&service->clients[i]);
    }
    if (failure != NULL) {
        refuse_all(service, failure);
    }
}

/* --- requests --- */

static uint64_t waiting(void *context, uint32_t index)
{
    const struct drive *drive = context;

    return client_waiting(drive->clients[index]);
}

static void end_clients(struct service *service, struct drive *drive)
{
    for (uint32_t i = 0; i < drive->nr_clients; i++) {
        struct client *client = drive->clients[i];

        if (client->state == CLIENT_READY) {
            service_say(service, "%s: its disk is gone: %s", client->config->name,
                        drive->port->failure != NULL ? drive->port->failure : "it failed");
            client_end(client);
        }
    }
}

/* True if there may be more. */
static bool run_drive(struct service *service, struct drive *drive)
{
    if (drive->port->state == PORT_FAILED) {
        end_clients(service, drive);
        return false;
    }
    for (uint32_t i = 0; i < drive->nr_clients; i++) {
        client_go_on(drive->clients[i]);
    }
    for (unsigned i = 0; i < ROUND; i++) {
        uint32_t index = fair_next(&drive->fair, waiting, drive);

        if (index == FAIR_NOBODY) {
            return false;
        }
        client_submit(drive->clients[index]);
    }
    return true;
}

bool service_run(struct service *service, uint64_t now)
{
    bool more = false;

    hba_set_time(service->hba, now);
    reset_finish(service); /* before disks are given: who has one is served */
    if (!service->decided) {
        look_for_disks(service);
    }
    for (uint32_t i = 0; i < SERVICE_MAX_DRIVES; i++) {
        if (service->drives[i].nr_clients != 0) {
            more |= run_drive(service, &service->drives[i]);
        }
    }
    return more;
}

/* --- signals --- */

static bool wants_signal(struct client *client)
{
    bool wants = client->changed;

    client->changed = false;
    wants |= ring_must_signal(&client->requests);
    wants |= ring_must_signal(&client->segments);
    wants |= ring_must_signal(&client->completions);
    return wants;
}

uint32_t service_take_signals(struct service *service)
{
    uint32_t signals = 0;

    for (uint32_t i = 0; i < service->nr_clients; i++) {
        signals |= (uint32_t)wants_signal(&service->clients[i]) << i;
    }
    return signals;
}

bool service_waits_for_time(const struct service *service)
{
    for (uint32_t i = 0; i < service->nr_clients; i++) {
        if (client_waits_for_time(&service->clients[i])) {
            return true;
        }
    }
    return false;
}

/*
 * What waits for a slot is served when one is given back, what waits for its limit at a tick: no
 * signal is needed for that.
 */
static bool is_held_up(const struct client *client)
{
    const struct fair *fair = &client->drive->fair;

    return client->has_first || fair->outstanding >= fair->slots ||
           fair->clients[client->index].outstanding >= fair_limit(fair);
}

bool service_may_sleep(struct service *service)
{
    bool may = true;

    for (uint32_t i = 0; i < service->nr_clients; i++) {
        struct client *client = &service->clients[i];

        if (client->state == CLIENT_READY && !is_held_up(client)) {
            may &= ring_may_sleep(&client->requests, 1) && !ring_is_broken(&client->requests);
        }
    }
    return may;
}

/* --- for people --- */

#define ULL(number) (unsigned long long)(number)

static void report_client(const struct service *service, const struct client *client)
{
    const struct client_counters *counters = &client->counters;
    uint64_t mean = counters->completed == 0 ? 0 : counters->microseconds / counters->completed;

    service_say(service,
                "%s: %llu reads (%llu KiB), %llu writes (%llu KiB), %llu flushes, %llu others, "
                "%llu refused, %llu errors; at most %u at once; %llu us each, at most %llu",
                client->config->name, ULL(counters->reads), ULL(counters->bytes_read >> 10),
                ULL(counters->writes), ULL(counters->bytes_written >> 10), ULL(counters->flushes),
                ULL(counters->others), ULL(counters->refused), ULL(counters->errors),
                counters->most_outstanding, ULL(mean), ULL(counters->longest));
}

static void report_drive(const struct service *service, const struct port *port)
{
    const struct port_counters *counters = &port->counters;

    service_say(service,
                "disk %s: %llu commands, %llu of them queued, %llu errors, %llu resets, %llu "
                "commands issued again",
                port->identity.serial, ULL(counters->commands), ULL(counters->queued),
                ULL(counters->errors), ULL(counters->resets), ULL(counters->reissued));
}

void service_report(const struct service *service)
{
    for (uint32_t i = 0; i < SERVICE_MAX_DRIVES; i++) {
        if (service->drives[i].port != NULL) {
            report_drive(service, service->drives[i].port);
        }
    }
    for (uint32_t i = 0; i < service->nr_clients; i++) {
        report_client(service, &service->clients[i]);
    }
}
