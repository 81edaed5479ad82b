/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose disk is what: from the configuration and the partition tables to extents and facts. */
#include <stdarg.h>

#include "lib/format.h"
#include "lib/string.h"
#include "user/sataserver/service_priv.h"

#define LIMITS_BYTES 96u

void assign_refuse(struct client *client, const char *format, ...)
{
    struct disk_facts *facts = &client->facts;
    va_list arguments;

    va_start(arguments, format);
    format_text_v(facts->reason, sizeof facts->reason, format, arguments);
    va_end(arguments);
    client->state = CLIENT_ENDED;
    client_tell(client, DISK_REFUSED);
    service_say(client->service, "%s has no disk: %s", client->config->name, facts->reason);
}

/* --- what is there --- */

static unsigned long long mebibytes(const struct drive *drive, uint64_t sectors)
{
    return (unsigned long long)(sectors / ((1u << 20) / drive->port->identity.sector_bytes));
}

static const char *scheme_name(const struct partition_table *table)
{
    switch (table->scheme) {
    case PARTITION_SCHEME_GPT:
        return "GPT";
    case PARTITION_SCHEME_MBR:
        return "MBR";
    case PARTITION_SCHEME_NONE:
        break;
    }
    return "no partition table";
}

void assign_describe(const struct service *service, const struct drive *drive)
{
    const struct ata_identity *identity = &drive->port->identity;
    char line[PARTITION_LINE_BYTES];

    service_note(service, "disk %s at port %u: %llu MiB in sectors of %u bytes, %s, %u partition%s",
                 identity->serial, drive->port->index, mebibytes(drive, identity->nr_sectors),
                 identity->sector_bytes, scheme_name(&drive->table), drive->table.nr_entries,
                 drive->table.nr_entries == 1 ? "" : "s");
    for (uint32_t n = 0; partition_table_message(&drive->table, n, line); n++) {
        service_say(service, "disk %s: %s", identity->serial, line);
    }
}

/* --- finding --- */

/* A place on a drive; number 0: all of it. */
struct place {
    struct drive *drive;
    const struct partition *partition; /* or null */
    struct extent extent;
};

/* The entry that has this extent, which came from the table. */
static const struct partition *entry_of(const struct drive *drive, struct extent extent)
{
    for (uint32_t i = 0; i < drive->table.nr_entries; i++) {
        const struct partition *entry = &drive->table.entries[i];

        if (entry->problem == PARTITION_OK && entry->extent.first == extent.first) {
            return entry;
        }
    }
    return NULL;
}

static enum partition_problem find_on(struct drive *drive, const struct sata_client_config *config,
                                      struct extent *extent)
{
    if (config->select == SATA_SELECT_UUID) {
        return partition_find_uuid(&drive->table, config->text, extent);
    }
    if (config->select == SATA_SELECT_LABEL) {
        return partition_find_label(&drive->table, config->text, extent);
    }
    if (strcmp(drive->port->identity.serial, config->text) != 0) {
        return PARTITION_NOT_FOUND;
    }
    if (config->number != 0) {
        return partition_find_number(&drive->table, config->number, extent);
    }
    *extent = (struct extent){ 0, drive->port->identity.nr_sectors };
    return PARTITION_OK;
}

static enum partition_problem find(struct service *service, const struct sata_client_config *config,
                                   struct place *place)
{
    enum partition_problem result = PARTITION_NOT_FOUND;

    for (uint32_t i = 0; i < SERVICE_MAX_DRIVES; i++) {
        struct drive *drive = &service->drives[i];
        struct extent extent;
        enum partition_problem found =
            drive->table_read ? find_on(drive, config, &extent) : PARTITION_NOT_FOUND;

        if (found == PARTITION_NOT_FOUND) {
            continue;
        }
        if (result != PARTITION_NOT_FOUND) {
            return PARTITION_AMBIGUOUS;
        }
        result = found;
        place->drive = drive;
        if (found == PARTITION_OK) {
            *place = (struct place){ drive, entry_of(drive, extent), extent };
        }
    }
    if (config->select == SATA_SELECT_SERIAL && config->number == 0) {
        place->partition = NULL;
    }
    return result;
}

/* --- giving --- */

/* The client that this one would get into conflict with, or null: S1. */
static const struct client *rival(const struct service *service, const struct client *client,
                                  const struct place *place)
{
    for (uint32_t i = 0; i < service->nr_clients; i++) {
        const struct client *other = &service->clients[i];

        if (other->drive == place->drive && extent_overlaps(other->extent, place->extent) &&
            !(other->read_only && client->read_only)) {
            return other;
        }
    }
    return NULL;
}

/* The partition's UUID without its dashes, as much as fits; of a whole disk the drive's own. */
static void make_serial(char serial[DISK_SERIAL_BYTES], const struct place *place)
{
    const char *from =
        place->partition != NULL ? place->partition->uuid : place->drive->port->identity.serial;
    uint32_t length = 0;

    memset(serial, 0, DISK_SERIAL_BYTES);
    for (; *from != '\0' && length < DISK_SERIAL_BYTES; from++) {
        if (*from != '-') {
            serial[length++] = *from;
        }
    }
}

static uint32_t flags_of(const struct client *client, const struct ata_identity *identity)
{
    uint32_t flags = identity->write_cache ? DISK_FACT_WRITE_CACHE : 0;

    if (client->read_only) {
        return flags | DISK_FACT_READ_ONLY;
    }
    return flags | DISK_FACT_WRITE_ZEROES | (identity->trim ? DISK_FACT_DISCARD : 0);
}

static void write_facts(struct client *client, const struct place *place)
{
    const struct ata_identity *identity = &place->drive->port->identity;
    struct disk_facts *facts = &client->facts;

    facts->flags = flags_of(client, identity);
    facts->nr_sectors = place->extent.count;
    facts->sector_bytes = identity->sector_bytes;
    facts->physical_bytes = identity->physical_bytes;
    facts->max_sectors = SERVICE_REQUEST_BYTES / identity->sector_bytes;
    make_serial(facts->serial, place);
}

static void describe_limits(const struct sata_client_config *config, char text[LIMITS_BYTES])
{
    char bandwidth[LIMITS_BYTES / 2] = "", requests[LIMITS_BYTES / 2] = "";

    if (config->bandwidth != 0) {
        format_text(bandwidth, sizeof bandwidth, ", at most %llu KiB/s",
                    (unsigned long long)config->bandwidth >> 10);
    }
    if (config->iops != 0) {
        format_text(requests, sizeof requests, ", at most %llu requests/s",
                    (unsigned long long)config->iops);
    }
    format_text(text, LIMITS_BYTES, "%s%s", bandwidth, requests);
}

static void describe_client(const struct client *client, const struct place *place)
{
    const char *serial = place->drive->port->identity.serial;
    char part[32] = "", limits[LIMITS_BYTES];

    if (place->partition != NULL) {
        format_text(part, sizeof part, "partition %u of ", place->partition->number);
    }
    describe_limits(client->config, limits);
    service_note(client->service, "%s has %sdisk %s: %llu MiB, %s%s", client->config->name, part,
                 serial, mebibytes(place->drive, place->extent.count),
                 client->read_only ? "read-only" : "read-write", limits);
}

static void give(struct client *client, const struct place *place)
{
    struct drive *drive = place->drive;

    client->drive = drive;
    client->extent = place->extent;
    client->index = drive->nr_clients;
    limit_init(&client->limit, client->config->bandwidth, client->config->iops);
    drive->clients[drive->nr_clients++] = client;
    write_facts(client, place);
    client->state = CLIENT_READY;
    client_tell(client, DISK_READY);
    describe_client(client, place);
}

static void refuse_missing(struct client *client, enum partition_problem problem)
{
    const struct sata_client_config *config = client->config;
    const char *kind = config->select == SATA_SELECT_UUID    ? "partition with UUID"
                       : config->select == SATA_SELECT_LABEL ? "partition labelled"
                                                             : "disk with serial number";
    char number[32] = "";

    if (config->select == SATA_SELECT_SERIAL && config->number != 0) {
        format_text(number, sizeof number, ", partition %u", config->number);
    }
    assign_refuse(client, "%s %s%s: %s", kind, config->text, number,
                  partition_problem_text(problem));
}

/* Whether another drive that is still to come may have a say. */
static bool may_wait(const struct service *service, const struct place *place)
{
    return place->drive == NULL || service->hba->now - place->drive->since < SERVICE_PATIENCE_US;
}

static void decide(struct service *service, struct client *client, bool last)
{
    const struct client *other;
    struct place place = { 0 };
    enum partition_problem problem;

    if (client->impossible != NULL) {
        assign_refuse(client, "%s", client->impossible);
        return;
    }
    client->read_only = (client->config->flags & SATA_CLIENT_READ_ONLY) != 0;
    problem = find(service, client->config, &place);
    if (!last && may_wait(service, &place)) {
        return;
    }
    if (problem != PARTITION_OK) {
        refuse_missing(client, problem);
        return;
    }
    other = rival(service, client, &place);
    if (other != NULL) {
        assign_refuse(client, "'%s' has some of the same sectors, and only readers can share",
                      other->config->name);
        return;
    }
    give(client, &place);
}

/* Those who get a place on a drive get it in one round: which tables are read decides, and time. */
static void share_drive(struct drive *drive)
{
    drive->shared = true;
    fair_init(&drive->fair, drive->nr_clients, drive->port->nr_slots);
    for (unsigned i = 0; i < AHCI_NR_SLOTS; i++) {
        drive->requests[i].next = drive->free;
        drive->free = &drive->requests[i];
    }
}

void assign_disks(struct service *service, bool last)
{
    for (uint32_t i = 0; i < service->nr_clients; i++) {
        if (service->clients[i].state == CLIENT_STARTING) {
            decide(service, &service->clients[i], last);
        }
    }
    for (uint32_t i = 0; i < SERVICE_MAX_DRIVES; i++) {
        if (service->drives[i].nr_clients != 0 && !service->drives[i].shared) {
            share_drive(&service->drives[i]);
        }
    }
}
