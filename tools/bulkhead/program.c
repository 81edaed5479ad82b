/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bulkhead/program.h"

#include <elf.h>
#include <string.h>

#include "abi/plan.h"
#include "abi/types.h"

static uint64_t page_up(uint64_t address)
{
    return (address + PLAN_PAGE_BYTES - 1) / PLAN_PAGE_BYTES * PLAN_PAGE_BYTES;
}

static const char *check_header(const Elf64_Ehdr *header, uint64_t length)
{
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB) {
        return "not a 64-bit ELF file";
    }
    if (header->e_machine != EM_X86_64 || header->e_type != ET_EXEC) {
        return "not a static program for x86-64";
    }
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phoff > length ||
        (uint64_t)header->e_phnum * sizeof(Elf64_Phdr) > length - header->e_phoff) {
        return "its program headers lie outside the file";
    }
    return NULL;
}

static const char *check_segment(const Elf64_Phdr *segment, uint64_t lowest, uint64_t length)
{
    if (segment->p_offset > length || segment->p_filesz > length - segment->p_offset) {
        return "a segment lies outside the file";
    }
    if (segment->p_vaddr % PLAN_PAGE_BYTES != 0 || segment->p_vaddr < lowest) {
        return "its segments share pages or are out of order";
    }
    if (segment->p_filesz > segment->p_memsz || segment->p_vaddr >= seL4_UserTop ||
        segment->p_memsz > seL4_UserTop - segment->p_vaddr) {
        return "a segment is larger than the address space";
    }
    return (segment->p_flags & (PF_W | PF_X)) == (PF_W | PF_X)
               ? "a segment is writable and executable"
               : NULL;
}

static const char *add_segment(struct program *program, const struct file *file,
                               const Elf64_Phdr *segment)
{
    const char *wrong = check_segment(segment, program_end(program), file->length);

    if (wrong != NULL) {
        return wrong;
    }
    if (program->nr_segments == PROGRAM_MAX_SEGMENTS) {
        return "it has too many segments";
    }
    program->segments[program->nr_segments++] = (struct program_segment){
        .address = segment->p_vaddr,
        .memory_bytes = segment->p_memsz,
        .bytes = file->bytes + segment->p_offset,
        .file_bytes = segment->p_filesz,
        .write = (segment->p_flags & PF_W) != 0,
        .execute = (segment->p_flags & PF_X) != 0,
    };
    return NULL;
}

static bool entry_is_code(const struct program *program)
{
    for (size_t i = 0; i < program->nr_segments; i++) {
        const struct program_segment *segment = &program->segments[i];

        if (segment->execute && program->entry >= segment->address &&
            program->entry - segment->address < segment->memory_bytes) {
            return true;
        }
    }
    return false;
}

const char *program_read(const struct file *file, struct program *program)
{
    const char *wrong;
    Elf64_Ehdr header;

    *program = (struct program){ 0 };
    if (file->length < sizeof(header)) {
        return "not a 64-bit ELF file";
    }
    memcpy(&header, file->bytes, sizeof(header));
    wrong = check_header(&header, file->length);
    if (wrong != NULL) {
        return wrong;
    }
    program->entry = header.e_entry;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;

        memcpy(&segment, file->bytes + header.e_phoff + i * sizeof(segment), sizeof(segment));
        if (segment.p_type == PT_LOAD && segment.p_memsz != 0) {
            wrong = add_segment(program, file, &segment);
        }
        if (wrong != NULL) {
            return wrong;
        }
    }
    return entry_is_code(program) ? NULL : "its entry point is not in its code";
}

uint64_t program_end(const struct program *program)
{
    const struct program_segment *last;

    if (program->nr_segments == 0) {
        return 0;
    }
    last = &program->segments[program->nr_segments - 1];
    return page_up(last->address + last->memory_bytes);
}
