/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/elf.h"

#include "kernel/core/memory.h"
#include "lib/bits.h"
#include "lib/string.h"

struct elf_header {
    u8 ident[16];
    u16 type, machine;
    u32 version;
    u64 entry, phoff, shoff;
    u32 flags;
    u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "ELF64 file header");

struct elf_segment {
    u32 type, flags;
    u64 offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_segment) == 56, "ELF64 program header");

#define ELF_IDENT           "\177ELF\2\1\1" /* 64 bits, little endian, version 1 */
#define ELF_TYPE_EXECUTABLE 2
#define ELF_MACHINE_X86_64  62
#define ELF_SEGMENT_LOAD    1

/* The loader may have put the file anywhere: copied out, because of alignment. */
static struct elf_segment segment_read(const struct elf_image *image, unsigned i)
{
    struct elf_segment segment;

    memcpy(&segment, image->file + image->headers + i * sizeof segment, sizeof segment);
    return segment;
}

static const char *header_check(const struct elf_header *header, u64 size)
{
    if (memcmp(header->ident, ELF_IDENT, sizeof ELF_IDENT - 1) != 0)
        return "not an ELF64 file";
    if (header->type != ELF_TYPE_EXECUTABLE || header->machine != ELF_MACHINE_X86_64)
        return "not an x86-64 executable";
    if (header->phentsize != sizeof(struct elf_segment) ||
        !range_fits(header->phoff, header->phnum * sizeof(struct elf_segment), size))
        return "program headers are damaged";
    return NULL;
}

static const char *segment_check(const struct elf_segment *segment, u64 size)
{
    if (segment->filesz > segment->memsz || !range_fits(segment->offset, segment->filesz, size))
        return "a segment is damaged or cut off";
    if (!range_fits(segment->vaddr, segment->memsz, USER_TOP))
        return "a segment is not at user addresses";
    return NULL;
}

static void image_extend(struct elf_image *image, const struct elf_segment *segment)
{
    if (segment->vaddr < image->start)
        image->start = segment->vaddr;
    if (segment->vaddr + segment->memsz > image->end)
        image->end = segment->vaddr + segment->memsz;
}

static bool is_loaded(const struct elf_segment *segment)
{
    return segment->type == ELF_SEGMENT_LOAD && segment->memsz > 0;
}

const char *elf_check(const u8 *file, u64 size, struct elf_image *image)
{
    struct elf_header header;
    const char *problem;

    if (size < sizeof header)
        return "too short for an ELF file";
    memcpy(&header, file, sizeof header);
    problem = header_check(&header, size);
    if (problem)
        return problem;
    *image = (struct elf_image){
        .file = file,
        .start = USER_TOP,
        .entry = header.entry,
        .headers = header.phoff,
        .nr_headers = header.phnum,
    };
    for (unsigned i = 0; i < image->nr_headers; i++) {
        struct elf_segment segment = segment_read(image, i);

        if (!is_loaded(&segment))
            continue;
        problem = segment_check(&segment, size);
        if (problem)
            return problem;
        image_extend(image, &segment);
    }
    if (image->end == 0)
        return "nothing to load";
    if (!is_aligned_bits(image->start, PAGE_BITS))
        return "does not start at a page boundary";
    if (image->entry < image->start || image->entry >= image->end)
        return "entry point outside the image";
    return NULL;
}

void elf_load(const struct elf_image *image, u8 *memory)
{
    for (unsigned i = 0; i < image->nr_headers; i++) {
        struct elf_segment segment = segment_read(image, i);

        if (is_loaded(&segment))
            memcpy(memory + (segment.vaddr - image->start), image->file + segment.offset,
                   segment.filesz);
    }
}
