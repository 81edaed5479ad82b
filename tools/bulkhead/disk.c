/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- Names -------------------------------------------------------------------------------------
 */

/* A disk, and whose it is. */
struct owned_disk {
    const struct model_disk *disk;
    const struct model_vm *vm;
};

static struct buffer all_disks(struct arena *arena, const struct model *model)
{
    struct buffer disks = { .arena = arena };

    for (size_t i = 0; i < model->nr_vms; i++) {
        for (size_t j = 0; j < model->vms[i].nr_disks; j++) {
            struct owned_disk owned = { &model->vms[i].disks[j], &model->vms[i] };

            buffer_append(&disks, &owned, sizeof(owned));
        }
    }
    return disks;
}

static bool may_share(const struct model_disk *a, const struct model_disk *b)
{
    return a->access.value == MODEL_READ_ONLY && b->access.value == MODEL_READ_ONLY;
}

/* A disk without a number is all of it. */
static bool names_meet(const struct model_disk *a, const struct model_disk *b)
{
    if (a->partuuid.text != NULL && b->partuuid.text != NULL) {
        return strcasecmp(a->partuuid.text, b->partuuid.text) == 0;
    }
    if (a->partlabel.text != NULL && b->partlabel.text != NULL) {
        return strcmp(a->partlabel.text, b->partlabel.text) == 0;
    }
    return a->serial.text != NULL && b->serial.text != NULL &&
           strcmp(a->serial.text, b->serial.text) == 0 &&
           (!a->number.given || !b->number.given || a->number.value == b->number.value);
}

static void report_conflict(struct report *report, struct position at,
                            const struct owned_disk *other)
{
    report_error(report, at,
                 "the disk of '%s' in line %u has some of the same sectors; expected others, or "
                 "'access: read-only' for both",
                 other->vm->name.text != NULL ? other->vm->name.text : "?", other->disk->at.line);
}

void disk_check_names(struct report *report, const struct model *model)
{
    struct buffer all = all_disks(report->arena, model);
    const struct owned_disk *disks = (const struct owned_disk *)all.bytes;

    for (size_t i = 1; i < all.length / sizeof(*disks); i++) {
        for (size_t j = 0; j < i; j++) {
            if (names_meet(disks[i].disk, disks[j].disk) &&
                !may_share(disks[i].disk, disks[j].disk)) {
                report_conflict(report, disks[i].disk->at, &disks[j]);
                break;
            }
        }
    }
}

/* --- Images ------------------------------------------------------------------------------------
 */

struct image_file_reader {
    int descriptor;
    uint32_t sector_bytes;
};

static bool read_sector(void *context, uint64_t sector, void *buffer)
{
    const struct image_file_reader *reader = context;

    return pread(reader->descriptor, buffer, reader->sector_bytes,
                 (off_t)(sector * reader->sector_bytes)) == (ssize_t)reader->sector_bytes;
}

static bool read_table(struct disk_image *image, int descriptor, uint64_t bytes,
                       uint32_t sector_bytes)
{
    uint8_t sector[PARTITION_SECTOR_BYTES_MAX];
    struct image_file_reader reader = { descriptor, sector_bytes };
    const struct partition_disk disk = { &reader, read_sector, bytes / sector_bytes, sector_bytes,
                                         sector };

    image->nr_sectors = disk.nr_sectors;
    return partition_table_read(&image->table, &disk);
}

/* Bytes of a file or block device; 0 with errno for anything else. */
static uint64_t size_of(int descriptor)
{
    struct stat status;
    off_t bytes = -1;

    if (fstat(descriptor, &status) != 0) {
        return 0;
    }
    errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) {
        bytes = lseek(descriptor, 0, SEEK_END);
    }
    return bytes > 0 ? (uint64_t)bytes : 0;
}

static bool read_image(struct disk_image *image, int descriptor)
{
    uint64_t bytes = size_of(descriptor);

    if (bytes != 0 && !read_table(image, descriptor, bytes, 512) &&
        !read_table(image, descriptor, bytes, PARTITION_SECTOR_BYTES_MAX)) {
        /* The messages shall be about the usual size. */
        read_table(image, descriptor, bytes, 512);
    }
    return bytes != 0;
}

bool disk_image_read(struct arena *arena, const char *argument, struct disk_image *image)
{
    const char *equals = strchr(argument, '='), *slash = strchr(argument, '/');
    bool has_serial = equals != NULL && (slash == NULL || equals < slash);
    int descriptor, error;
    bool good;

    *image = (struct disk_image){ .path = argument };
    if (has_serial) {
        image->serial = arena_format(arena, "%.*s", (int)(equals - argument), argument);
        image->path = equals + 1;
    }
    descriptor = open(image->path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    good = read_image(image, descriptor);
    error = errno;
    close(descriptor);
    errno = error;
    return good;
}

/* Where a disk of the description is. */
struct place {
    const struct disk_image *image; /* null: nowhere */
    struct extent extent;
};

struct search {
    struct report *report;
    const struct disk_image *images;
    size_t nr_images;
};

static enum partition_problem find_on(const struct disk_image *image, const struct model_disk *disk,
                                      struct extent *extent)
{
    if (disk->partuuid.text != NULL) {
        return partition_find_uuid(&image->table, disk->partuuid.text, extent);
    }
    if (disk->partlabel.text != NULL) {
        return partition_find_label(&image->table, disk->partlabel.text, extent);
    }
    if (image->serial == NULL || strcmp(image->serial, disk->serial.text) != 0) {
        return PARTITION_NOT_FOUND;
    }
    if (disk->number.given) {
        return partition_find_number(&image->table, (uint32_t)disk->number.value, extent);
    }
    *extent = (struct extent){ 0, image->nr_sectors };
    return PARTITION_OK;
}

static enum partition_problem find(const struct search *search, const struct model_disk *disk,
                                   struct place *place)
{
    enum partition_problem result = PARTITION_NOT_FOUND;

    for (size_t i = 0; i < search->nr_images; i++) {
        struct extent extent = { 0 };
        enum partition_problem found = find_on(&search->images[i], disk, &extent);

        if (found != PARTITION_NOT_FOUND && result != PARTITION_NOT_FOUND) {
            return PARTITION_AMBIGUOUS;
        }
        if (found != PARTITION_NOT_FOUND) {
            *place = (struct place){ &search->images[i], extent };
            result = found;
        }
    }
    return result;
}

/* The name of a partition, as this disk of the description names what it means. */
static const char *name_like(struct arena *arena, const struct model_disk *disk,
                             const struct partition *partition)
{
    if (disk->partuuid.text != NULL) {
        return partition->uuid;
    }
    if (disk->partlabel.text != NULL) {
        return partition->label;
    }
    return arena_format(arena, "%u", partition->number);
}

/* What could have been named, in words. */
static const char *choices(const struct search *search, const struct model_disk *disk)
{
    struct buffer text = { .arena = search->report->arena };

    for (size_t i = 0; i < search->nr_images; i++) {
        const struct disk_image *image = &search->images[i];
        bool other_disk = disk->serial.text != NULL &&
                          (image->serial == NULL || strcmp(image->serial, disk->serial.text) != 0);

        for (uint32_t n = 0; !other_disk && n < image->table.nr_entries; n++) {
            const char *name = name_like(text.arena, disk, &image->table.entries[n]);

            if (*name != '\0' && image->table.entries[n].problem == PARTITION_OK) {
                buffer_append(&text, ", ", text.length == 0 ? 0 : 2);
                buffer_append(&text, name, strlen(name));
            }
        }
    }
    if (text.length == 0) {
        return "none";
    }
    buffer_append(&text, "", 1);
    return (const char *)text.bytes;
}

static bool is_serial_known(const struct search *search, const char *serial)
{
    for (size_t i = 0; i < search->nr_images; i++) {
        if (search->images[i].serial != NULL && strcmp(search->images[i].serial, serial) == 0) {
            return true;
        }
    }
    return false;
}

static void report_not_found(const struct search *search, const struct model_disk *disk,
                             enum partition_problem problem)
{
    struct report *report = search->report;
    const char *text = partition_problem_text(problem), *names = choices(search, disk);

    if (disk->partuuid.text != NULL) {
        report_error(report, disk->partuuid.at, "partition with UUID '%s': %s; the disks have: %s",
                     disk->partuuid.text, text, names);
    } else if (disk->partlabel.text != NULL) {
        report_error(report, disk->partlabel.at, "partition labelled '%s': %s; the disks have: %s",
                     disk->partlabel.text, text, names);
    } else if (!is_serial_known(search, disk->serial.text)) {
        report_warning(report, disk->serial.at,
                       "no disk '%s' was given to compare with; expected --disk %s=IMAGE",
                       disk->serial.text, disk->serial.text);
    } else if (disk->number.given) {
        report_error(report, disk->number.at, "partition %llu of disk '%s': %s; the disk has: %s",
                     (unsigned long long)disk->number.value, disk->serial.text, text, names);
    } else {
        report_error(report, disk->serial.at,
                     "several disks have the serial number '%s'; expected one", disk->serial.text);
    }
}

static bool has_one_name(const struct model_disk *disk)
{
    return (disk->partuuid.text != NULL) + (disk->partlabel.text != NULL) +
               (disk->serial.text != NULL) ==
           1;
}

static void check_place(const struct search *search, const struct owned_disk *disks,
                        struct place *places, size_t index)
{
    const struct model_disk *disk = disks[index].disk;
    enum partition_problem problem;

    /* What does not name one is an error already. */
    if (!has_one_name(disk)) {
        return;
    }
    problem = find(search, disk, &places[index]);
    if (problem != PARTITION_OK) {
        report_not_found(search, disk, problem);
        places[index].image = NULL;
        return;
    }
    for (size_t i = 0; i < index; i++) {
        if (places[i].image == places[index].image &&
            extent_overlaps(places[i].extent, places[index].extent) &&
            !may_share(disks[i].disk, disk) && !names_meet(disks[i].disk, disk)) {
            report_conflict(search->report, disk->at, &disks[i]);
            return;
        }
    }
}

static void report_table(struct report *report, const struct disk_image *image)
{
    char line[PARTITION_LINE_BYTES];

    for (uint32_t n = 0; partition_table_message(&image->table, n, line); n++) {
        report_warning(report, (struct position){ 0 }, "%s: %s", image->path, line);
    }
}

void disk_check_images(struct report *report, const struct model *model,
                       const struct disk_image *images, size_t nr_images)
{
    const struct search search = { report, images, nr_images };
    struct buffer all = all_disks(report->arena, model);
    const struct owned_disk *disks = (const struct owned_disk *)all.bytes;
    size_t nr_disks = all.length / sizeof(*disks);
    struct place *places = arena_take(report->arena, nr_disks * sizeof(*places));

    for (size_t i = 0; i < nr_images; i++) {
        report_table(report, &images[i]);
    }
    for (size_t i = 0; i < nr_disks; i++) {
        check_place(&search, disks, places, i);
    }
}
