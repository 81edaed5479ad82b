/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/emit.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ELF header and program headers are on the file's first page. */
struct head {
    Elf64_Ehdr header;
    Elf64_Phdr segments[PROGRAM_MAX_SEGMENTS + 1];
};
_Static_assert(sizeof(struct head) <= PLAN_PAGE_BYTES, "fits the first page");

static uint64_t page_up(uint64_t bytes)
{
    return (bytes + PLAN_PAGE_BYTES - 1) / PLAN_PAGE_BYTES * PLAN_PAGE_BYTES;
}

static Elf64_Phdr init_segment(const struct program_segment *segment, uint64_t offset)
{
    return (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = (Elf64_Word)(PF_R | (segment->write ? PF_W : 0) | (segment->execute ? PF_X : 0)),
        .p_offset = offset,
        .p_vaddr = segment->address,
        .p_paddr = segment->address,
        .p_filesz = segment->file_bytes,
        .p_memsz = segment->memory_bytes,
        .p_align = PLAN_PAGE_BYTES,
    };
}

static struct head make_head(const struct program *init, uint64_t image_bytes)
{
    struct head head = {
        .header = {
            .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
            .e_type = ET_EXEC,
            .e_machine = EM_X86_64,
            .e_version = EV_CURRENT,
            .e_entry = init->entry,
            .e_phoff = offsetof(struct head, segments),
            .e_ehsize = sizeof(Elf64_Ehdr),
            .e_phentsize = sizeof(Elf64_Phdr),
            .e_phnum = (Elf64_Half)(init->nr_segments + 1),
        },
    };
    uint64_t offset = PLAN_PAGE_BYTES;

    for (size_t i = 0; i < init->nr_segments; i++) {
        head.segments[i] = init_segment(&init->segments[i], offset);
        offset += page_up(init->segments[i].file_bytes);
    }
    head.segments[init->nr_segments] = (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = PF_R,
        .p_offset = offset,
        .p_vaddr = program_end(init),
        .p_paddr = program_end(init),
        .p_filesz = image_bytes,
        .p_memsz = image_bytes,
        .p_align = PLAN_PAGE_BYTES,
    };
    return head;
}

/* Bytes and zeros up to the next page. */
static bool write_pages(FILE *file, const void *bytes, uint64_t length)
{
    static const uint8_t zeros[PLAN_PAGE_BYTES];
    uint64_t padding = page_up(length) - length;

    return (length == 0 || fwrite(bytes, length, 1, file) == 1) &&
           (padding == 0 || fwrite(zeros, padding, 1, file) == 1);
}

static bool write_image(FILE *file, const struct program *init, const struct compiled *compiled)
{
    const struct plan_header *plan = (const struct plan_header *)compiled->plan.bytes;
    const struct image_file *files = (const struct image_file *)compiled->files.bytes;
    struct head head = make_head(init, plan->image_bytes);
    bool good = write_pages(file, &head, sizeof(head));

    for (size_t i = 0; good && i < init->nr_segments; i++) {
        good = write_pages(file, init->segments[i].bytes, init->segments[i].file_bytes);
    }
    good = good && write_pages(file, compiled->plan.bytes, compiled->plan.length);
    for (size_t i = 0; good && i < compiled->files.length / sizeof(*files); i++) {
        good = write_pages(file, files[i].bytes, files[i].length);
    }
    return good;
}

bool emit_image(struct arena *arena, const char *path, const struct program *init,
                const struct compiled *compiled)
{
    char *temporary = arena_format(arena, "%s.new", path);
    FILE *file = fopen(temporary, "wb");
    bool good;
    int error;

    if (file == NULL) {
        return false;
    }
    good = write_image(file, init, compiled);
    good = fclose(file) == 0 && good;
    good = good && rename(temporary, path) == 0;
    error = errno;
    if (!good) {
        remove(temporary);
    }
    errno = error;
    return good;
}
