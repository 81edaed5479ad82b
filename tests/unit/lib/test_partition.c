/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Partition tables made by the tools that people make them with (sgdisk, sfdisk, fdisk, parted),
 * read whole, then damaged in each way that has a message of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/crc32.h"
#include "lib/partition.h"

#define DISK_BYTES (32u << 20)

struct image {
    uint8_t *bytes;
    uint32_t sector_bytes;
    uint64_t bad_sector; /* cannot be read */
    unsigned reads;
    struct partition_table table;
};

static struct image image;

static bool read_image(void *context, uint64_t sector, void *buffer)
{
    struct image *from = context;

    from->reads++;
    if (sector == from->bad_sector) {
        return false;
    }
    memcpy(buffer, from->bytes + sector * from->sector_bytes, from->sector_bytes);
    return true;
}

static bool read_table(void)
{
    uint8_t buffer[PARTITION_SECTOR_BYTES_MAX];
    struct partition_disk disk = {
        .context = &image,
        .read = read_image,
        .nr_sectors = DISK_BYTES / image.sector_bytes,
        .sector_bytes = image.sector_bytes,
        .buffer = buffer,
    };
    bool usable;

    image.reads = 0;
    usable = partition_table_read(&image.table, &disk);
    assert_true(image.reads <= PARTITION_READS_MAX);
    return usable;
}

/* Runs a shell command on an empty disk; "$D" in it is the image. */
static void run_tools(uint8_t *bytes, uint32_t sector_bytes, const char *command)
{
    char name[] = "/tmp/partition-test-XXXXXX", line[2000];
    int file = mkstemp(name);

    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, DISK_BYTES), 0);
    snprintf(line, sizeof line,
             "D=%s; export D PARTED_SECTOR_SIZE=%u PATH=\"$PATH:/sbin:/usr/sbin\"; { %s; } "
             ">$D.log 2>&1 || { cat $D.log; exit 1; }; rm $D.log",
             name, sector_bytes, command);
    assert_int_equal(system(line), 0);
    assert_int_equal(pread(file, bytes, DISK_BYTES, 0), DISK_BYTES);
    close(file);
    unlink(name);
}

#define NR_KEPT 3u

/* What the tools made is kept, because they wait for the medium each time. */
static struct kept {
    const char *command;
    uint8_t *bytes;
} kept[NR_KEPT];

static void make_image(uint32_t sector_bytes, const char *command)
{
    unsigned i = 0;

    if (image.bytes == NULL) {
        image.bytes = malloc(DISK_BYTES);
    }
    image.sector_bytes = sector_bytes;
    image.bad_sector = UINT64_MAX;
    while (i < NR_KEPT && kept[i].command != NULL && strcmp(kept[i].command, command) != 0) {
        i++;
    }
    if (i < NR_KEPT && kept[i].command != NULL) {
        memcpy(image.bytes, kept[i].bytes, DISK_BYTES);
        return;
    }
    run_tools(image.bytes, sector_bytes, command);
    if (i < NR_KEPT) {
        kept[i] = (struct kept){ command, malloc(DISK_BYTES) };
        memcpy(kept[i].bytes, image.bytes, DISK_BYTES);
    }
}

#define UUID_A "11111111-2222-4333-8444-55555555aaaa"
#define UUID_B "11111111-2222-4333-8444-55555555bbbb"

static void make_gpt(void)
{
    make_image(512, "sgdisk -U 0a0b0c0d-1111-4222-8333-444444444444 "
                    "-n 1:2048:+8M -u 1:" UUID_A " -c 1:alpha "
                    "-n 3:0:+16M -u 3:" UUID_B " -c '3:Zürich 😀' $D");
}

static void make_gpt_4k(void)
{
    make_image(4096, "parted -s $D mklabel gpt mkpart alpha 1MiB 9MiB mkpart beta 9MiB 25MiB");
}

static void make_mbr(void)
{
    make_image(512, "printf '%s\\n' 'label: dos' 'label-id: 0x1234abcd' 'start=2048,size=8M' "
                    "'size=8M' 'type=5' 'size=4M' 'size=6M' | sfdisk $D");
}

static void assert_message(uint32_t n, const char *part)
{
    char line[PARTITION_LINE_BYTES];

    if (!partition_table_message(&image.table, n, line)) {
        fail_msg("message %u is missing: %s", n, part);
    }
    if (strstr(line, part) == NULL) {
        fail_msg("message %u is '%s', expected '%s'", n, line, part);
    }
}

static void assert_no_message(uint32_t n)
{
    char line[PARTITION_LINE_BYTES];

    if (partition_table_message(&image.table, n, line)) {
        fail_msg("a message too many: %s", line);
    }
}

static void assert_extent(uint32_t number, uint64_t first, uint64_t count)
{
    struct extent extent;

    assert_int_equal(partition_find_number(&image.table, number, &extent), PARTITION_OK);
    assert_int_equal(extent.first, first);
    assert_int_equal(extent.count, count);
}

/* --- tables that are in order --- */

static void test_crc(void **state)
{
    (void)state;
    assert_int_equal(crc32(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(crc32(crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
    assert_int_equal(crc32(0, "", 0), 0);
}

static void test_gpt(void **state)
{
    struct extent extent;

    (void)state;
    make_gpt();
    assert_true(read_table());
    assert_no_message(0);
    assert_int_equal(image.table.scheme, PARTITION_SCHEME_GPT);
    assert_false(image.table.from_backup);
    assert_int_equal(image.table.nr_entries, 2);
    assert_string_equal(image.table.disk_uuid, "0a0b0c0d-1111-4222-8333-444444444444");
    assert_extent(1, 2048, 16384);
    assert_extent(3, 18432, 32768);
    assert_int_equal(partition_find_uuid(&image.table, UUID_A, &extent), PARTITION_OK);
    assert_int_equal(extent.first, 2048);
    assert_int_equal(
        partition_find_uuid(&image.table, "11111111-2222-4333-8444-55555555BBBB", &extent),
        PARTITION_OK);
    assert_int_equal(extent.first, 18432);
    assert_int_equal(partition_find_label(&image.table, "Zürich 😀", &extent), PARTITION_OK);
    assert_int_equal(extent.first, 18432);
}

static void test_look_up_fails(void **state)
{
    struct extent extent;

    (void)state;
    make_gpt();
    assert_true(read_table());
    assert_int_equal(partition_find_number(&image.table, 2, &extent), PARTITION_NOT_FOUND);
    assert_int_equal(partition_find_number(&image.table, 0, &extent), PARTITION_NOT_FOUND);
    assert_int_equal(partition_find_label(&image.table, "Alpha", &extent), PARTITION_NOT_FOUND);
    assert_int_equal(partition_find_label(&image.table, "", &extent), PARTITION_NOT_FOUND);
    assert_int_equal(partition_find_uuid(&image.table, "", &extent), PARTITION_NOT_FOUND);
    assert_int_equal(
        partition_find_uuid(&image.table, "11111111-2222-4333-8444-55555555aaa", &extent),
        PARTITION_NOT_FOUND);
    assert_int_equal(partition_find_uuid(&image.table, UUID_A "0", &extent), PARTITION_NOT_FOUND);
    make_image(512, "sgdisk -n 1:0:+8M -c 1:same -n 2:0:+8M -c 2:same $D");
    assert_true(read_table());
    assert_int_equal(partition_find_label(&image.table, "same", &extent), PARTITION_AMBIGUOUS);
}

static void test_gpt_4k(void **state)
{
    struct extent extent;

    (void)state;
    make_gpt_4k();
    assert_true(read_table());
    assert_no_message(0);
    assert_int_equal(image.table.nr_entries, 2);
    assert_extent(1, 256, 2048);
    assert_int_equal(partition_find_label(&image.table, "beta", &extent), PARTITION_OK);
    assert_int_equal(extent.first, 2304);
    assert_int_equal(extent.count, 4096);
}

static void test_gpt_by_each_tool(void **state)
{
    (void)state;
    make_image(512, "parted -s $D mklabel gpt mkpart alpha 1MiB 9MiB");
    assert_true(read_table());
    assert_no_message(0);
    assert_extent(1, 2048, 16384);
    make_image(512, "printf 'label: gpt\\nstart=2048,size=8M\\n' | sfdisk $D");
    assert_true(read_table());
    assert_no_message(0);
    assert_extent(1, 2048, 16384);
}

static void test_many_entries(void **state)
{
    (void)state;
    make_image(512, "sgdisk -S 256 $D; for i in $(seq 1 128); do echo \"-n $((2*i)):0:+64K\"; "
                    "done | xargs sgdisk -a 1 $D");
    assert_true(read_table());
    assert_no_message(0);
    assert_int_equal(image.table.nr_entries, PARTITION_MAX);
    assert_extent(256, image.table.entries[127].extent.first, 128);
    make_image(512, "sgdisk -S 256 $D; for i in $(seq 1 129); do echo \"-n $i:0:+64K\"; "
                    "done | xargs sgdisk -a 1 $D");
    assert_false(read_table());
    assert_message(0, "more partitions than are supported");
}

static void test_mbr(void **state)
{
    struct extent extent;

    (void)state;
    make_mbr();
    assert_true(read_table());
    assert_no_message(0);
    assert_int_equal(image.table.scheme, PARTITION_SCHEME_MBR);
    assert_extent(1, 2048, 16384);
    assert_extent(2, 18432, 16384);
    assert_int_equal(partition_find_number(&image.table, 3, &extent), PARTITION_IS_EXTENDED);
    assert_extent(5, 36864, 8192);
    assert_extent(6, 47104, 12288);
    assert_int_equal(partition_find_number(&image.table, 7, &extent), PARTITION_NOT_FOUND);
    assert_int_equal(partition_find_uuid(&image.table, "1234ABCD-06", &extent), PARTITION_OK);
    assert_int_equal(extent.first, 47104);
}

static void test_mbr_4k(void **state)
{
    (void)state;
    /* Not by parted 3.5, which now and then crashes over logical partitions in such sectors. */
    make_image(4096,
               "printf '%s\\n' o n p 1 256 2047 n e 2 2048 7679 n l 2304 3071 n l 3328 5119 w | "
               "fdisk -b 4096 $D");
    assert_true(read_table());
    assert_no_message(0);
    assert_extent(1, 256, 1792);
    assert_extent(5, 2304, 768);
    assert_extent(6, 3328, 1792);
}

/* --- damage to a GPT --- */

static uint8_t *sector_at(uint64_t sector)
{
    return image.bytes + sector * image.sector_bytes;
}

static uint64_t last_sector(void)
{
    return DISK_BYTES / image.sector_bytes - 1;
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, 4);
}

static void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, 8);
}

/* Makes the checksums of a header and its entries right again. */
static void seal(uint64_t sector)
{
    uint8_t *header = sector_at(sector);
    uint64_t array;
    uint32_t count, bytes;

    memcpy(&array, header + 72, 8);
    memcpy(&count, header + 80, 4);
    memcpy(&bytes, header + 84, 4);
    if (array < last_sector() &&
        (uint64_t)count * bytes <= (last_sector() - array) * image.sector_bytes) {
        put32(header + 88, crc32(0, sector_at(array), (size_t)count * bytes));
    }
    put32(header + 16, 0);
    memcpy(&bytes, header + 12, 4);
    put32(header + 16, crc32(0, header, bytes < 512 ? bytes : 92));
}

static void expect_backup(const char *message)
{
    assert_true(read_table());
    assert_true(image.table.from_backup);
    assert_message(0, message);
    assert_message(0, "the backup is used");
    assert_no_message(1);
    assert_extent(1, 2048, 16384);
    assert_extent(3, 18432, 32768);
}

static void expect_primary(const char *message)
{
    assert_true(read_table());
    assert_false(image.table.from_backup);
    assert_message(0, message);
    assert_message(0, "the primary is used");
    assert_no_message(1);
    assert_extent(1, 2048, 16384);
}

/* One field of the header at a time, in the primary, the backup and both. */
static void test_gpt_damage(void **state)
{
    static const struct {
        unsigned offset, bytes;
        uint64_t value;
        bool sealed; /* the checksum is right all the same */
        const char *message;
    } damages[] = {
        { 0, 8, 0, false, "\"EFI PART\"" },
        { 8, 4, 0x20000, true, "revision" },
        { 12, 4, 91, false, "size is impossible" },
        { 12, 4, 513, false, "size is impossible" },
        { 16, 4, 0, false, "header's checksum" },
        { 56, 1, 0x77, false, "header's checksum" },
        { 24, 8, 77, true, "another sector" },
        { 32, 8, 1ull << 40, true, "pointer to the other copy" },
        { 32, 8, UINT64_MAX, true, "pointer to the other copy" },
        { 32, 8, 65535 - 1, true, "pointer to the other copy" },
        { 40, 8, 1, true, "usable" },
        { 40, 8, 33, true, "usable" },
        { 40, 8, UINT64_MAX, true, "usable" },
        { 48, 8, UINT64_MAX, true, "usable" },
        { 48, 8, 33, true, "usable" },
        { 72, 8, 0, true, "entries lie" },
        { 72, 8, 40, true, "entries lie" },
        { 72, 8, UINT64_MAX, true, "entries lie" },
        { 80, 4, 0, true, "number of entries" },
        { 80, 4, UINT32_MAX, true, "number of entries" },
        { 80, 4, 8193, true, "number of entries" },
        { 84, 4, 64, true, "size of an entry" },
        { 84, 4, 192, true, "size of an entry" },
        { 84, 4, 1024, true, "size of an entry" },
        { 84, 4, 0, true, "size of an entry" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const char *message = damages[i].message;

        make_gpt();
        memcpy(sector_at(1) + damages[i].offset, &damages[i].value, damages[i].bytes);
        if (damages[i].sealed) {
            seal(1);
        }
        expect_backup(message);
        memcpy(sector_at(last_sector()) + damages[i].offset, &damages[i].value, damages[i].bytes);
        if (damages[i].sealed) {
            seal(last_sector());
        }
        assert_false(read_table());
        assert_message(0, message);
        assert_message(1, "backup partition table, sector 65535: ");
        assert_no_message(2);
        assert_int_equal(image.table.nr_entries, 0);
    }
}

static void test_gpt_backup_damage(void **state)
{
    (void)state;
    make_gpt();
    sector_at(last_sector())[0] = 'e';
    expect_primary("\"EFI PART\"");
    make_gpt();
    sector_at(last_sector())[60] ^= 1;
    seal(last_sector());
    expect_primary("differs");
    make_gpt();
    sector_at(last_sector() - 32)[60] ^= 1;
    expect_primary("checksum of the GPT entries");
    make_gpt();
    image.bad_sector = last_sector();
    expect_primary("cannot be read");
}

static void test_gpt_array_damage(void **state)
{
    (void)state;
    make_gpt();
    sector_at(2)[32] ^= 1; /* the first entry moves by a sector */
    expect_backup("checksum of the GPT entries");
    make_gpt();
    image.bad_sector = 2;
    expect_backup("cannot be read");
    make_gpt();
    image.bad_sector = 1;
    expect_backup("cannot be read");
    sector_at(last_sector() - 32)[0] ^= 1;
    assert_false(read_table());
    assert_message(1, "checksum of the GPT entries");
}

/* Changes both copies of entry number 1 or 2 of make_gpt_4k, which lie in one sector each. */
static void change_entries(unsigned index, uint64_t first, uint64_t last)
{
    static const uint64_t headers[2] = { 1, 8191 };

    for (unsigned copy = 0; copy < 2; copy++) {
        uint64_t array;

        memcpy(&array, sector_at(headers[copy]) + 72, 8);
        put64(sector_at(array) + index * 128 + 32, first);
        put64(sector_at(array) + index * 128 + 40, last);
        seal(headers[copy]);
    }
}

static void expect_bad_entry(unsigned index, uint64_t first, uint64_t last, const char *message)
{
    struct extent extent;

    make_gpt_4k();
    change_entries(index, first, last);
    assert_true(read_table());
    assert_message(0, message);
    assert_int_not_equal(partition_find_number(&image.table, index + 1, &extent), PARTITION_OK);
}

/* Right checksums, wrong contents: only those partitions are lost. */
static void test_gpt_entries(void **state)
{
    (void)state;
    expect_bad_entry(0, 300, 299, "partition 1 cannot be used: it ends before it begins");
    assert_no_message(1);
    assert_extent(2, 2304, 4096);
    expect_bad_entry(0, 5, 600, "partition 1 cannot be used: it reaches outside");
    assert_extent(2, 2304, 4096);
    expect_bad_entry(1, 2304, 8191, "partition 2 cannot be used: it reaches outside");
    assert_extent(1, 256, 2048);
    expect_bad_entry(1, 0, UINT64_MAX, "partition 2 cannot be used: it reaches outside");
    expect_bad_entry(1, 2303, 3000, "partition 1 cannot be used: it overlaps partition 2");
    assert_message(1, "partition 2 cannot be used: it overlaps partition 1");
    assert_no_message(2);
    expect_bad_entry(1, 257, 257, "overlaps");
}

/* A name of surrogates that do not pair, and one of the longest. */
static void test_gpt_labels(void **state)
{
    struct extent extent;
    uint8_t *name;

    (void)state;
    make_gpt();
    name = sector_at(2) + 56;
    memset(name, 0, 72);
    memcpy(name, "\x00\xd8x\0\x00\xdcy\0", 8);
    seal(1);
    assert_true(read_table());
    assert_int_equal(partition_find_label(&image.table, "\xef\xbf\xbdx\xef\xbf\xbdy", &extent),
                     PARTITION_OK);
    memset(name, 0xff, 72);
    seal(1);
    assert_true(read_table());
    assert_int_equal(strlen(image.table.entries[0].label), PARTITION_LABEL_BYTES - 1);
    memcpy(name + 70, "\x3d\xd8", 2); /* the first half of a pair, and no room for the second */
    seal(1);
    assert_true(read_table());
    assert_string_equal(image.table.entries[0].label + 105, "\xef\xbf\xbd");
}

/* A disk that was made larger: its backup is where the primary says. */
static void test_gpt_grown(void **state)
{
    (void)state;
    make_image(512, "truncate -s 16M $D; sgdisk -n 1:2048:+8M $D; truncate -s 32M $D");
    assert_true(read_table());
    assert_no_message(0);
    assert_extent(1, 2048, 16384);
    sector_at(2)[0] ^= 1;
    assert_true(read_table());
    assert_true(image.table.from_backup);
}

/* --- sector 0 --- */

static void test_sector_zero(void **state)
{
    (void)state;
    make_gpt();
    sector_at(0)[510] = 0;
    assert_false(read_table());
    assert_message(0, "partition table, sector 0: there is no partition table");
    make_gpt();
    sector_at(0)[446] = 0x33;
    assert_false(read_table());
    assert_message(0, "boot sector");
    make_gpt();
    image.bad_sector = 0;
    assert_false(read_table());
    assert_message(0, "cannot be read");
    make_gpt();
    image.sector_bytes = 520;
    assert_false(read_table());
    assert_message(0, "not supported");
    image.sector_bytes = 8192;
    assert_false(read_table());
}

/* --- damage to an MBR --- */

static void test_mbr_partitions(void **state)
{
    struct extent extent;

    (void)state;
    make_mbr();
    put32(sector_at(0) + 446 + 12, 16385); /* one sector into the second */
    assert_true(read_table());
    assert_message(0, "partition 1 cannot be used: it overlaps partition 2");
    assert_extent(5, 36864, 8192);
    make_mbr();
    put32(sector_at(0) + 446 + 12, UINT32_MAX);
    assert_true(read_table());
    assert_message(0, "partition 1 cannot be used: it reaches outside");
    assert_extent(2, 18432, 16384);
    make_mbr();
    put32(sector_at(0) + 446 + 8, 0);
    assert_true(read_table());
    assert_message(0, "partition 1 cannot be used: a part of the partition table lies inside it");
    make_mbr();
    put32(sector_at(0) + 462 + 12, 16384 + 1); /* the container's first sector, too */
    assert_true(read_table());
    assert_message(0, "partition 2 cannot be used: a part of the partition table lies inside it");
    make_mbr();
    put32(sector_at(0) + 478 + 12, UINT32_MAX); /* the container itself */
    assert_true(read_table());
    assert_int_equal(partition_find_number(&image.table, 5, &extent), PARTITION_NOT_FOUND);
    make_mbr();
    memcpy(sector_at(0) + 494, sector_at(0) + 478, 16);
    put32(sector_at(0) + 494 + 8, 60000);
    put32(sector_at(0) + 494 + 12, 1000);
    assert_true(read_table());
    assert_message(0, "second extended");
    sector_at(0)[494 + 4] = 0x83; /* between the logical ones, where a link may come to lie */
    assert_true(read_table());
    assert_message(0, "partition 4 cannot be used: a part of the partition table lies inside it");
}

#define FIRST_LINK 34816u

static void test_mbr_chain(void **state)
{
    struct extent extent;

    (void)state;
    make_mbr();
    sector_at(FIRST_LINK)[511] = 0;
    assert_true(read_table());
    assert_message(0, "sector 34816: the chain of logical partitions is broken");
    assert_extent(2, 18432, 16384);
    assert_int_equal(partition_find_number(&image.table, 5, &extent), PARTITION_NOT_FOUND);
    make_mbr();
    put32(sector_at(FIRST_LINK) + 462 + 8, 0); /* back to the first */
    assert_true(read_table());
    assert_message(0, "circle");
    assert_extent(5, 36864, 8192);
    make_mbr();
    put32(sector_at(FIRST_LINK) + 462 + 8, UINT32_MAX);
    assert_true(read_table());
    assert_message(0, "leaves the extended partition");
    assert_extent(5, 36864, 8192);
    make_mbr();
    image.bad_sector = FIRST_LINK;
    assert_true(read_table());
    assert_message(0, "cannot be read");
}

/* A logical partition over the links could rewrite where its neighbours are. */
static void test_mbr_logical(void **state)
{
    struct extent extent;

    (void)state;
    make_mbr();
    put32(sector_at(FIRST_LINK) + 446 + 12, 8193); /* over the next link */
    assert_true(read_table());
    assert_message(0, "partition 5 cannot be used: a part of the partition table lies inside it");
    assert_extent(6, 47104, 12288);
    make_mbr();
    put32(sector_at(FIRST_LINK) + 446 + 8, 0); /* over its own */
    put32(sector_at(FIRST_LINK) + 446 + 12, 4);
    assert_true(read_table());
    assert_message(0, "partition 5 cannot be used: a part of the partition table lies inside it");
    make_mbr();
    put32(sector_at(FIRST_LINK) + 446 + 12, UINT32_MAX);
    assert_true(read_table());
    assert_message(0, "partition 5 cannot be used: it reaches outside");
    make_mbr();
    put32(sector_at(FIRST_LINK) + 446 + 8, UINT32_MAX);
    assert_true(read_table());
    assert_int_equal(partition_find_number(&image.table, 5, &extent), PARTITION_OUTSIDE);
}

/* 128 links that hold no partition, and one more. */
static void test_mbr_long_chain(void **state)
{
    (void)state;
    make_mbr();
    for (uint32_t i = 0; i < 200; i++) {
        uint8_t *link = sector_at(FIRST_LINK + i);

        memset(link, 0, 512);
        link[462 + 4] = 5;
        put32(link + 462 + 8, i + 1);
        put32(link + 462 + 12, 1);
        link[510] = 0x55;
        link[511] = 0xaa;
    }
    assert_true(read_table());
    assert_message(0, "sector 34944: there are more partitions than are supported");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_gpt),
        cmocka_unit_test(test_gpt_4k),
        cmocka_unit_test(test_mbr),
        cmocka_unit_test(test_look_up_fails),
        cmocka_unit_test(test_gpt_by_each_tool),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_mbr_4k),
        cmocka_unit_test(test_gpt_damage),
        cmocka_unit_test(test_gpt_backup_damage),
        cmocka_unit_test(test_gpt_array_damage),
        cmocka_unit_test(test_gpt_entries),
        cmocka_unit_test(test_gpt_labels),
        cmocka_unit_test(test_gpt_grown),
        cmocka_unit_test(test_sector_zero),
        cmocka_unit_test(test_mbr_partitions),
        cmocka_unit_test(test_mbr_chain),
        cmocka_unit_test(test_mbr_logical),
        cmocka_unit_test(test_mbr_long_chain),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(image.bytes);
    for (unsigned i = 0; i < NR_KEPT; i++) {
        free(kept[i].bytes);
    }
    return failed;
}
