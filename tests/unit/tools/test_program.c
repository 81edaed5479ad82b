/* SPDX-License-Identifier: BSD-2-Clause */
/* Component programs: a good one, every way to be bad, and random damage. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/bulkhead/program.h"

struct elf {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    uint8_t bytes[64];
};

static struct elf good(void)
{
    struct elf elf = {
        .header = {
            .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
            .e_type = ET_EXEC,
            .e_machine = EM_X86_64,
            .e_entry = 0x400010,
            .e_phoff = offsetof(struct elf, segments),
            .e_phentsize = sizeof(Elf64_Phdr),
            .e_phnum = 2,
        },
        .segments = {
            { PT_LOAD, PF_R | PF_X, offsetof(struct elf, bytes), 0x400000, 0, 32, 4097, 4096 },
            { PT_LOAD, PF_R | PF_W, offsetof(struct elf, bytes) + 32, 0x402000, 0, 32, 5000, 4096 },
        },
    };

    return elf;
}

static const char *read_elf(const struct elf *elf, struct program *program)
{
    struct file file = { (const uint8_t *)elf, sizeof(*elf) };

    return program_read(&file, program);
}

static void test_good(void **state)
{
    struct elf elf = good();
    struct program program;

    (void)state;
    assert_null(read_elf(&elf, &program));
    assert_int_equal(program.nr_segments, 2);
    assert_int_equal(program.entry, 0x400010);
    assert_true(program.segments[0].execute && !program.segments[0].write);
    assert_true(!program.segments[1].execute && program.segments[1].write);
    assert_ptr_equal(program.segments[1].bytes, elf.bytes + 32);
    assert_int_equal(program_end(&program), 0x404000);
}

static void test_bad(void **state)
{
    struct program program;
    struct elf elf;

    (void)state;
#define BAD(change)                                                                                \
    do {                                                                                           \
        elf = good();                                                                              \
        change;                                                                                    \
        assert_non_null(read_elf(&elf, &program));                                                 \
    } while (0)
    BAD(elf.header.e_ident[0] = 0);
    BAD(elf.header.e_ident[EI_CLASS] = ELFCLASS32);
    BAD(elf.header.e_machine = EM_386);
    BAD(elf.header.e_type = ET_DYN);
    BAD(elf.header.e_phoff = UINT64_MAX);
    BAD(elf.header.e_phnum = 60000);
    BAD(elf.header.e_phentsize = 1);
    BAD(elf.header.e_entry = 0x402000);
    BAD(elf.header.e_entry = 0);
    BAD(elf.segments[0].p_offset = UINT64_MAX);
    BAD(elf.segments[0].p_filesz = 1000);
    BAD(elf.segments[0].p_memsz = 1);
    BAD(elf.segments[0].p_flags = PF_R | PF_W | PF_X);
    BAD(elf.segments[0].p_vaddr = 0x400800);
    BAD(elf.segments[1].p_vaddr = 0x401000);
    BAD(elf.segments[1].p_vaddr = 0xffffffff80000000);
    BAD(elf.segments[1].p_memsz = UINT64_MAX);
    BAD(elf.segments[0].p_type = PT_NOTE);
#undef BAD
}

static void test_damaged(void **state)
{
    (void)state;
    srand(1);
    for (int i = 0; i < 200000; i++) {
        struct elf elf = good();
        struct program program;

        for (int changes = rand() % 4; changes >= 0; changes--) {
            ((uint8_t *)&elf)[(size_t)rand() % sizeof(elf)] = (uint8_t)rand();
        }
        if (read_elf(&elf, &program) == NULL) {
            for (size_t s = 0; s < program.nr_segments; s++) {
                const struct program_segment *segment = &program.segments[s];

                assert_true(segment->bytes >= (uint8_t *)&elf);
                assert_true(segment->bytes + segment->file_bytes <= (uint8_t *)(&elf + 1));
                assert_true(segment->file_bytes <= segment->memory_bytes);
            }
        }
    }
}

static void test_short(void **state)
{
    struct elf elf = good();
    struct program program;

    (void)state;
    for (uint64_t length = 0; length < sizeof(elf) - 1; length++) {
        uint8_t *copy = malloc(length + 1);
        struct file file = { copy, length };

        memcpy(copy, &elf, length);
        assert_non_null(program_read(&file, &program));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
