/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every diagnostic: each description in the folder given is read and checked, and what is said
 * about it compared with the file of the same name that ends in .expected. Descriptions without
 * such a file must be good. UPDATE=1 in the environment writes the .expected files instead.
 *
 * The files that descriptions name are made here, in an empty folder: see make_files().
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/bulkhead/check.h"
#include "tools/bulkhead/file.h"

#define MAX_CASES 200u

struct fixture {
    const char *folder;
    const char *name; /* with .yaml */
};

static void write_file(const char *path, const void *bytes, size_t length, off_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fflush(file), 0);
    assert_int_equal(ftruncate(fileno(file), size), 0);
    assert_int_equal(fclose(file), 0);
}

/* Beside the descriptions: initrd.img. In artifacts/: kernels good and bad, and a huge RAM disk. */
static void make_files(void)
{
    static const uint8_t magic[] = { 'H', 'd', 'r', 'S' };
    static uint8_t kernel[4096];
    static char folder[] = "/tmp/bulkhead-test-XXXXXX";

    memcpy(kernel + 0x202, magic, sizeof(magic));
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkdir("artifacts", 0700), 0);
    assert_int_equal(mkdir("artifacts/folder", 0700), 0);
    write_file("initrd.img", "disk", 4, 4);
    write_file("artifacts/vmlinuz", kernel, sizeof(kernel), sizeof(kernel));
    write_file("artifacts/text.txt", "hello", 5, 5);
    write_file("artifacts/large", kernel, sizeof(kernel), (off_t)200 << 20);
    write_file("artifacts/huge", kernel, sizeof(kernel), (off_t)600 << 20);
    write_file("artifacts/huge.img", "", 0, (off_t)4 << 30);
}

static void remove_files(void)
{
    static const char *const names[] = { "initrd.img",         "artifacts/vmlinuz",
                                         "artifacts/text.txt", "artifacts/large",
                                         "artifacts/huge",     "artifacts/huge.img",
                                         "artifacts/folder",   "artifacts" };
    char *folder = getcwd(NULL, 0);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        remove(names[i]);
    }
    rmdir(folder);
    free(folder);
}

static char *read_all(struct arena *arena, const char *path, size_t *length)
{
    struct file file;

    if (!file_map(path, &file)) {
        return NULL;
    }
    *length = file.length;
    return arena_copy(arena, (const char *)file.bytes, file.length);
}

/* What the tool says, one string. */
static char *judge(struct arena *arena, const char *name, const char *text, size_t length)
{
    static const char *const folders[] = { "artifacts" };
    const struct file_search search = { name, folders, 1, true };
    struct report report;
    struct model model;
    struct tree *tree;
    char *said = NULL;
    size_t size;
    FILE *to = open_memstream(&said, &size);

    report_init(&report, arena, name);
    tree = tree_parse(&report, text, length);
    if (tree != NULL) {
        model_read(&report, tree, &model);
        file_find_all(&report, &search, &model);
        check_model(&report, &model);
    }
    report_print(&report, to);
    fclose(to);
    /* An error is never silent, and silence is never an error. */
    assert_int_equal(report.errors + report.warnings == 0, size == 0);
    return said;
}

static void test_case(void **state)
{
    const struct fixture *fixture = *state;
    struct arena arena = { 0 };
    size_t length = 0, expected_length = 0;
    char *path = arena_format(&arena, "%s/%s", fixture->folder, fixture->name);
    char *expected_path = arena_format(&arena, "%.*s.expected", (int)strlen(path) - 5, path);
    char *text = read_all(&arena, path, &length);
    char *expected = read_all(&arena, expected_path, &expected_length);
    char *said;

    assert_non_null(text);
    said = judge(&arena, fixture->name, text, length);
    if (getenv("UPDATE") != NULL && *said != '\0') {
        write_file(expected_path, said, strlen(said), (off_t)strlen(said));
    } else {
        assert_string_equal(said, expected != NULL ? expected : "");
    }
    free(said);
    arena_release(&arena);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

int main(int count, char **arguments)
{
    static struct fixture fixtures[MAX_CASES];
    static struct CMUnitTest tests[MAX_CASES];
    size_t nr_tests = 0;
    struct dirent *entry;
    DIR *folder = count == 2 ? opendir(arguments[1]) : NULL;
    char *path;
    int result;

    if (folder == NULL) {
        fputs("usage: test_description FOLDER\n", stderr);
        return 2;
    }
    path = realpath(arguments[1], NULL);
    while ((entry = readdir(folder)) != NULL && nr_tests < MAX_CASES) {
        size_t length = strlen(entry->d_name);

        if (length > 5 && strcmp(entry->d_name + length - 5, ".yaml") == 0) {
            fixtures[nr_tests] = (struct fixture){ path, strdup(entry->d_name) };
            tests[nr_tests] = (struct CMUnitTest){ fixtures[nr_tests].name, test_case, NULL, NULL,
                                                   &fixtures[nr_tests] };
            nr_tests++;
        }
    }
    closedir(folder);
    qsort(tests, nr_tests, sizeof(tests[0]), by_name);
    make_files();
    result = _cmocka_run_group_tests("description", tests, nr_tests, NULL, NULL);
    remove_files();
    for (size_t i = 0; i < nr_tests; i++) {
        free((char *)fixtures[i].name);
    }
    free(path);
    return result;
}
