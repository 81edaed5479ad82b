/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * measure-disk CPU DEVICE [KIND COUNT]: what a disk takes for a request, asked on one processor
 * past the page cache. Everything on the disk is lost. The figures are called
 *
 * - disk.read.128k.8: sequential reads of 128 KiB, eight requests outstanding at any time
 * - disk.write.4k.32: random writes of 4 KiB, thirty-two outstanding
 *
 * and so on, for each kind and each depth. Unit: ticks of the TSC, from the first request of half
 * a second to the last answer, for one of them. With KIND (128k, 1m, 4k) only requests of that kind
 * are made, COUNT for each figure, and before that the program waits for a line on standard input:
 * for who watches the machine meanwhile.
 */
#define _GNU_SOURCE

#include "tests/bench/peers/figures.h"

#include <err.h>
#include <fcntl.h>
#include <libaio.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

/* About half a second. */
#define DURATION_TICKS 1000000000
#define DEEPEST        32
#define LARGEST        (1 << 20)

/* One way to use the disk. */
struct kind {
    const char *name;
    unsigned bytes;
    bool random;
};

static const struct kind kinds[] = {
    { "128k", 128 << 10, false },
    { "1m", LARGEST, false },
    { "4k", 4 << 10, true },
};
static const unsigned depths[] = { 1, 8, DEEPEST };

static struct disk {
    int fd;
    uint64_t bytes;
} disk;

/* How many requests make a figure; 0: as many as the time allows. */
static uint64_t count_wanted;

static io_context_t context;
static char *buffers[DEEPEST];
static struct iocb requests[DEEPEST];

static void disk_open(const char *path)
{
    disk.fd = open(path, O_RDWR | O_DIRECT);
    if (disk.fd < 0 || ioctl(disk.fd, BLKGETSIZE64, &disk.bytes))
        err(1, "%s", path);
    if (disk.bytes < LARGEST)
        errx(1, "%s: too small", path);
}

static void make_requests(void)
{
    int error = io_setup(DEEPEST, &context);

    if (error)
        errx(1, "io_setup: %s", strerror(-error));
    for (unsigned i = 0; i < DEEPEST; i++) {
        buffers[i] = aligned_alloc(4096, LARGEST);
        if (!buffers[i])
            err(1, "buffer");
        memset(buffers[i], (int)i + 1, LARGEST);
    }
}

/* Where request number n of a kind goes. */
static uint64_t place(const struct kind *kind, uint64_t n)
{
    uint64_t places = disk.bytes / kind->bytes;

    return (kind->random ? (uint64_t)random() : n) % places * kind->bytes;
}

static void submit(const struct kind *kind, bool write, unsigned slot, uint64_t n)
{
    struct iocb *request = &requests[slot];
    long long at = (long long)place(kind, n);
    int submitted;

    if (write)
        io_prep_pwrite(request, disk.fd, buffers[slot], kind->bytes, at);
    else
        io_prep_pread(request, disk.fd, buffers[slot], kind->bytes, at);
    submitted = io_submit(context, 1, &request);
    if (submitted != 1)
        errx(1, "io_submit: %s", strerror(-submitted));
}

static bool go_on(uint64_t start, uint64_t sent)
{
    return count_wanted ? sent < count_wanted : __rdtsc() - start < DURATION_TICKS;
}

/*
 * Ticks for one request, with so many outstanding all the time. Its call and print_ticks' are
 * what disk.py looks for.
 */
static __attribute__((noinline)) uint64_t ticks_for_request(const struct kind *kind, bool write,
                                                            unsigned depth)
{
    struct io_event events[DEEPEST];
    uint64_t start = __rdtsc(), sent = 0, done = 0;
    int count;

    for (; sent < depth; sent++)
        submit(kind, write, (unsigned)sent, sent);
    while (done < sent) {
        count = io_getevents(context, 1, DEEPEST, events, NULL);
        if (count < 0)
            errx(1, "io_getevents: %s", strerror(-count));
        for (int i = 0; i < count; i++) {
            if (events[i].res != kind->bytes)
                errx(1, "%s %s: %ld", write ? "write" : "read", kind->name, (long)events[i].res);
            done++;
            if (go_on(start, sent))
                submit(kind, write, (unsigned)(events[i].obj - requests), sent++);
        }
    }
    return (__rdtsc() - start) / done;
}

static void measure(const struct kind *kind, bool write, unsigned depth)
{
    char name[32];

    snprintf(name, sizeof(name), "disk.%s.%s.%u", write ? "write" : "read", kind->name, depth);
    if (count_wanted) {
        printf("bench: ready for %s\n", name);
        if (getchar() == EOF)
            errx(1, "nobody watches");
    }
    print_ticks(name, ticks_for_request(kind, write, depth));
}

static void measure_kind(const struct kind *kind)
{
    for (unsigned write = 0; write < 2; write++)
        for (unsigned d = 0; d < sizeof(depths) / sizeof(depths[0]); d++)
            measure(kind, write, depths[d]);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 5)
        errx(1, "usage: measure-disk CPU DEVICE [KIND COUNT]");
    setlinebuf(stdout);
    (void)use_processor(argv[1]);
    disk_open(argv[2]);
    make_requests();
    if (argc == 5) {
        count_wanted = strtoull(argv[4], NULL, 10);
        if (count_wanted < DEEPEST)
            errx(1, "COUNT: at least %d", DEEPEST);
    }
    for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        if (argc != 5 || strcmp(argv[3], kinds[k].name) == 0)
            measure_kind(&kinds[k]);
    return 0;
}
