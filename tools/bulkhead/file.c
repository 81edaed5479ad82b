/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool map_descriptor(int descriptor, struct file *file)
{
    struct stat status;
    void *bytes;

    if (fstat(descriptor, &status) != 0) {
        return false;
    }
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return false;
    }
    *file = (struct file){ (const uint8_t *)"", (uint64_t)status.st_size };
    if (status.st_size == 0) {
        return true;
    }
    bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    file->bytes = bytes;
    return bytes != MAP_FAILED;
}

bool file_map(const char *path, struct file *file)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    bool mapped;
    int error;

    if (descriptor < 0) {
        return false;
    }
    mapped = map_descriptor(descriptor, file);
    error = errno;
    close(descriptor);
    errno = error;
    return mapped;
}

static const char *in_folder(struct arena *arena, const char *folder, size_t length,
                             const char *name)
{
    if (length == 0) {
        return name;
    }
    return arena_format(arena, "%.*s%s%s", (int)length, folder,
                        folder[length - 1] == '/' ? "" : "/", name);
}

static const char *beside(struct arena *arena, const char *description, const char *name)
{
    const char *slash = strrchr(description, '/');

    return in_folder(arena, description, slash == NULL ? 0 : (size_t)(slash - description) + 1,
                     name);
}

static bool try_path(struct model_file *model, const char *path)
{
    struct file file;

    if (!file_map(path, &file)) {
        return false;
    }
    model->path = path;
    model->bytes = file.bytes;
    model->length = file.length;
    return true;
}

static void report_missing(struct report *report, const struct file_search *search,
                           const struct model_file *file, int error)
{
    struct buffer places = { .arena = report->arena };
    const char *first = beside(report->arena, search->description, file->name.text);
    void (*complain)(struct report *, struct position, const char *, ...) =
        search->missing_is_error ? report_error : report_warning;

    if (error != ENOENT && error != ENOTDIR) {
        complain(report, file->name.at, "'%s' cannot be read: %s; expected a file", file->name.text,
                 strerror(error));
        return;
    }
    buffer_append(&places, first, strlen(first));
    for (size_t i = 0; *file->name.text != '/' && i < search->nr_folders; i++) {
        const char *path = in_folder(report->arena, search->folders[i], strlen(search->folders[i]),
                                     file->name.text);

        buffer_append(&places, ", ", 2);
        buffer_append(&places, path, strlen(path));
    }
    buffer_append(&places, "", 1);
    complain(report, file->name.at, "there is no file '%s'; looked for %s", file->name.text,
             (const char *)places.bytes);
}

static void file_find(struct report *report, const struct file_search *search,
                      struct model_file *file)
{
    const char *name = file->name.text;
    int error;

    if (name == NULL) {
        return;
    }
    if (*name == '/') {
        if (!try_path(file, name)) {
            report_missing(report, search, file, errno);
        }
        return;
    }
    if (try_path(file, beside(report->arena, search->description, name))) {
        return;
    }
    error = errno;
    for (size_t i = 0; error == ENOENT && i < search->nr_folders; i++) {
        const char *folder = search->folders[i];

        if (try_path(file, in_folder(report->arena, folder, strlen(folder), name))) {
            return;
        }
        error = errno;
    }
    report_missing(report, search, file, error);
}

void file_find_all(struct report *report, const struct file_search *search, struct model *model)
{
    for (size_t i = 0; i < model->nr_vms; i++) {
        file_find(report, search, &model->vms[i].kernel);
        file_find(report, search, &model->vms[i].initrd);
    }
}
