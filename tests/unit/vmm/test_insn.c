/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor's decoder against Zydis, on instructions generated from our opcodes and on random
 * bytes, in all three modes: whatever we say DECODED, Zydis decodes alike; whatever Zydis finds to
 * be one of ours with a memory operand, we decode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <Zydis/Zydis.h>

#include "user/vmm/insn.h"

#define NR_GENERATED 400000u
#define NR_RANDOM    1000000u

static uint64_t random_state = 0x9e3779b97f4a7c15ull;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static ZydisDecoder decoders[3];

static void make_decoders(void)
{
    ZydisDecoderInit(&decoders[INSN_MODE_16], ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
    ZydisDecoderInit(&decoders[INSN_MODE_32], ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
    ZydisDecoderInit(&decoders[INSN_MODE_64], ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

static const struct {
    enum insn_op op;
    ZydisMnemonic mnemonics[4];
} operations[] = {
    { INSN_ADD, { ZYDIS_MNEMONIC_ADD } },
    { INSN_OR, { ZYDIS_MNEMONIC_OR } },
    { INSN_ADC, { ZYDIS_MNEMONIC_ADC } },
    { INSN_SBB, { ZYDIS_MNEMONIC_SBB } },
    { INSN_AND, { ZYDIS_MNEMONIC_AND } },
    { INSN_SUB, { ZYDIS_MNEMONIC_SUB } },
    { INSN_XOR, { ZYDIS_MNEMONIC_XOR } },
    { INSN_CMP, { ZYDIS_MNEMONIC_CMP } },
    { INSN_MOV, { ZYDIS_MNEMONIC_MOV } },
    { INSN_MOVZX, { ZYDIS_MNEMONIC_MOVZX } },
    { INSN_MOVSX, { ZYDIS_MNEMONIC_MOVSX, ZYDIS_MNEMONIC_MOVSXD } },
    { INSN_TEST, { ZYDIS_MNEMONIC_TEST } },
    { INSN_XCHG, { ZYDIS_MNEMONIC_XCHG } },
    { INSN_STOS,
      { ZYDIS_MNEMONIC_STOSB, ZYDIS_MNEMONIC_STOSW, ZYDIS_MNEMONIC_STOSD, ZYDIS_MNEMONIC_STOSQ } },
    { INSN_MOVS,
      { ZYDIS_MNEMONIC_MOVSB, ZYDIS_MNEMONIC_MOVSW, ZYDIS_MNEMONIC_MOVSD, ZYDIS_MNEMONIC_MOVSQ } },
    { INSN_INS, { ZYDIS_MNEMONIC_INSB, ZYDIS_MNEMONIC_INSW, ZYDIS_MNEMONIC_INSD } },
    { INSN_OUTS, { ZYDIS_MNEMONIC_OUTSB, ZYDIS_MNEMONIC_OUTSW, ZYDIS_MNEMONIC_OUTSD } },
    { INSN_MOV_TO_CR, { ZYDIS_MNEMONIC_MOV } },
    { INSN_MOV_FROM_CR, { ZYDIS_MNEMONIC_MOV } },
};

static bool mnemonic_is(enum insn_op op, ZydisMnemonic mnemonic)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (operations[i].op == op) {
            for (size_t j = 0; j < 4; j++) {
                if (operations[i].mnemonics[j] == mnemonic && mnemonic != ZYDIS_MNEMONIC_INVALID) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* Whether this is an instruction that our decoder promises to decode. */
static bool is_ours(const ZydisDecodedInstruction *instruction, const ZydisDecodedOperand *operands)
{
    bool memory = false, control = false, plain = true;
    uint8_t opcode = instruction->opcode;

    for (unsigned i = 0; i < instruction->operand_count; i++) {
        if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            operands[i].mem.type == ZYDIS_MEMOP_TYPE_MEM) {
            memory = true;
        }
        if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            operands[i].visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT &&
            operands[i].reg.value >= ZYDIS_REGISTER_CR0 &&
            operands[i].reg.value <= ZYDIS_REGISTER_CR15) {
            control = true;
        }
        if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            (ZydisRegisterGetClass(operands[i].reg.value) == ZYDIS_REGCLASS_SEGMENT ||
             ZydisRegisterGetClass(operands[i].reg.value) == ZYDIS_REGCLASS_DEBUG ||
             ZydisRegisterGetClass(operands[i].reg.value) == ZYDIS_REGCLASS_TEST) &&
            operands[i].visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT) {
            plain = false;
        }
    }
    if (!plain || instruction->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY) {
        return false;
    }
    if (control) {
        return instruction->opcode_map == ZYDIS_OPCODE_MAP_0F &&
               (instruction->attributes & ZYDIS_ATTRIB_HAS_LOCK) == 0;
    }
    if (!memory) {
        return false;
    }
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (mnemonic_is(operations[i].op, instruction->mnemonic)) {
            if (instruction->opcode_map == ZYDIS_OPCODE_MAP_0F) {
                return operations[i].op == INSN_MOVZX || operations[i].op == INSN_MOVSX;
            }
            /* 82 is an old alias, f6/1 and f7/1 undocumented ones; movsxd r16 differs by vendor. */
            return instruction->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && opcode != 0x82 &&
                   !((opcode == 0xf6 || opcode == 0xf7) && instruction->raw.modrm.reg == 1) &&
                   !(opcode == 0x63 && instruction->operand_width == 16);
        }
    }
    return false;
}

static void show(const uint8_t *bytes, enum insn_mode mode, const char *what)
{
    fprintf(stderr, "mode %d, %s:", mode, what);
    for (unsigned i = 0; i < INSN_MAX_BYTES; i++) {
        fprintf(stderr, " %02x", bytes[i]);
    }
    fprintf(stderr, "\n");
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            show(bytes, mode, #condition);                                                         \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

static uint8_t register_number(ZydisRegister reg, bool *high)
{
    *high = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH;
    if (*high) {
        return (uint8_t)(reg - ZYDIS_REGISTER_AH);
    }
    return (uint8_t)ZydisRegisterGetId(
        reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_R15B
            ? ZydisRegisterEncode(ZYDIS_REGCLASS_GPR64,
                                  (ZyanU8)(reg < ZYDIS_REGISTER_AH ? reg - ZYDIS_REGISTER_AL
                                                                   : reg - ZYDIS_REGISTER_SPL + 4))
            : reg);
}

static uint8_t address_register(ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE) {
        return INSN_NO_REGISTER;
    }
    if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) {
        return INSN_RIP_RELATIVE;
    }
    return (uint8_t)ZydisRegisterGetId(reg);
}

static void compare_memory(const struct insn *insn, const ZydisDecodedInstruction *instruction,
                           const ZydisDecodedOperand *operand, const uint8_t *bytes,
                           enum insn_mode mode)
{
    static const ZydisRegister segments[] = {
        ZYDIS_REGISTER_ES, ZYDIS_REGISTER_CS, ZYDIS_REGISTER_SS,
        ZYDIS_REGISTER_DS, ZYDIS_REGISTER_FS, ZYDIS_REGISTER_GS,
    };

    CHECK(operand->size == insn->memory_bytes * 8u);
    if (insn->form == INSN_STRING) {
        return;
    }
    /* SIB base 5 with mod 0 is "no base" whatever REX.B says (SDM vol. 2A table 2-5, objdump
     * agrees); Zydis 4.0.0 names r13 and forgets the displacement. */
    if (insn->base == INSN_NO_REGISTER && ZydisRegisterGetId(operand->mem.base) == 13 &&
        instruction->raw.modrm.mod == 0 && instruction->raw.disp.size == 32) {
        return;
    }
    CHECK(address_register(operand->mem.base) == insn->base);
    CHECK(address_register(operand->mem.index) == insn->index);
    CHECK(insn->index == INSN_NO_REGISTER || operand->mem.scale == insn->scale ||
          (operand->mem.scale == 0 && insn->scale == 1));
    if (instruction->raw.disp.size == insn->address_bytes * 8u && insn->base == INSN_NO_REGISTER &&
        insn->index == INSN_NO_REGISTER) {
        uint64_t mask = insn->address_bytes == 8 ? ~0ull : (1ull << (8 * insn->address_bytes)) - 1;

        CHECK(((uint64_t)operand->mem.disp.value & mask) == ((uint64_t)insn->displacement & mask));
    } else {
        CHECK(operand->mem.disp.value == insn->displacement);
    }
    /* In 64-bit mode the old four segments are all flat: only FS and GS matter. */
    if (mode != INSN_MODE_64 || insn->segment >= INSN_FS) {
        CHECK(operand->mem.segment == segments[insn->segment]);
    }
}

static void compare_register(const struct insn *insn, const ZydisDecodedOperand *operand,
                             const uint8_t *bytes, enum insn_mode mode)
{
    bool high;
    uint8_t number = register_number(operand->reg.value, &high);

    CHECK(operand->size == insn->reg_bytes * 8u);
    CHECK(high == insn->reg_high);
    CHECK(number == insn->reg);
}

static void compare(const struct insn *insn, const ZydisDecodedInstruction *instruction,
                    const ZydisDecodedOperand *operands, const uint8_t *bytes, enum insn_mode mode)
{
    const ZydisDecodedOperand *first = &operands[0], *second = &operands[1];

    CHECK(insn->length == instruction->length);
    CHECK(mnemonic_is(insn->op, instruction->mnemonic));
    CHECK(insn->lock == ((instruction->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0));
    switch (insn->form) {
    case INSN_MEM_REG:
        compare_memory(insn, instruction, first, bytes, mode);
        compare_register(insn, second, bytes, mode);
        break;
    case INSN_REG_MEM:
        compare_register(insn, first, bytes, mode);
        compare_memory(insn, instruction, second, bytes, mode);
        break;
    case INSN_MEM_IMM: {
        uint64_t mask = insn->memory_bytes == 8 ? ~0ull : (1ull << (8 * insn->memory_bytes)) - 1;

        compare_memory(insn, instruction, first, bytes, mode);
        CHECK(second->type == ZYDIS_OPERAND_TYPE_IMMEDIATE);
        CHECK(((uint64_t)second->imm.value.s & mask) == ((uint64_t)insn->immediate & mask));
        break;
    }
    case INSN_STRING: {
        const ZydisDecodedOperand *memory =
            insn->op == INSN_OUTS || insn->op == INSN_MOVS ? second : first;

        CHECK(memory->size == insn->memory_bytes * 8u);
        CHECK(instruction->address_width == insn->address_bytes * 8u);
        CHECK(insn->repeat ==
              ((instruction->attributes &
                (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) != 0 ||
               insn->repeat));
        break;
    }
    default: {
        bool to = insn->op == INSN_MOV_TO_CR;

        CHECK(ZydisRegisterGetId((to ? first : second)->reg.value) == insn->control);
        CHECK(ZydisRegisterGetId((to ? second : first)->reg.value) == insn->reg);
        break;
    }
    }
}

/* Returns whether we decoded it. */
static bool check(const uint8_t *bytes, enum insn_mode mode)
{
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    struct insn insn;
    enum insn_answer answer = insn_decode(bytes, INSN_MAX_BYTES, mode, &insn);
    bool known = ZYAN_SUCCESS(
        ZydisDecoderDecodeFull(&decoders[mode], bytes, INSN_MAX_BYTES, &instruction, operands));

    if (answer == INSN_DECODED) {
        CHECK(known);
        compare(&insn, &instruction, operands, bytes, mode);
    } else if (known) {
        CHECK(!is_ours(&instruction, operands));
        CHECK(answer != INSN_INVALID);
    }
    return answer == INSN_DECODED;
}

static const uint8_t opcodes[] = {
    0x00, 0x01, 0x02, 0x03, 0x08, 0x0b, 0x11, 0x1a, 0x20, 0x21, 0x22, 0x23, 0x29, 0x31, 0x33, 0x38,
    0x39, 0x3a, 0x3b, 0x63, 0x6c, 0x6d, 0x6e, 0x6f, 0x80, 0x81, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88,
    0x89, 0x8a, 0x8b, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xaa, 0xab, 0xc6, 0xc7, 0xf6, 0xf7,
};
static const uint8_t opcodes_0f[] = { 0x20, 0x22, 0xb6, 0xb7, 0xbe, 0xbf };
static const uint8_t prefixes[] = {
    0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3
};

static void generate(uint8_t bytes[INSN_MAX_BYTES])
{
    unsigned at = 0;
    unsigned nr_prefixes = (unsigned)(next_random() % 4);

    for (unsigned i = 0; i < INSN_MAX_BYTES; i++) {
        bytes[i] = (uint8_t)next_random();
    }
    for (unsigned i = 0; i < nr_prefixes; i++) {
        bytes[at++] = prefixes[next_random() % sizeof(prefixes)];
    }
    if (next_random() % 2 == 0) {
        bytes[at++] = (uint8_t)(0x40 | (next_random() & 0xf));
    }
    if (next_random() % 5 == 0) {
        bytes[at++] = 0x0f;
        bytes[at++] = opcodes_0f[next_random() % sizeof(opcodes_0f)];
    } else {
        bytes[at++] = opcodes[next_random() % sizeof(opcodes)];
    }
    if (next_random() % 2 == 0) {
        bytes[at] &= 0x3f; /* a memory operand without displacement, more often than not */
    }
}

static void test_generated(void **state)
{
    uint8_t bytes[INSN_MAX_BYTES];
    unsigned decoded = 0;

    (void)state;
    for (unsigned i = 0; i < NR_GENERATED; i++) {
        generate(bytes);
        decoded += check(bytes, i % 3);
    }
    assert_true(decoded > NR_GENERATED / 4);
}

static void test_random(void **state)
{
    uint8_t bytes[INSN_MAX_BYTES];
    unsigned decoded = 0;

    (void)state;
    for (unsigned i = 0; i < NR_RANDOM; i++) {
        for (unsigned j = 0; j < INSN_MAX_BYTES; j++) {
            bytes[j] = (uint8_t)next_random();
        }
        decoded += check(bytes, i % 3);
    }
    assert_true(decoded > NR_RANDOM / 50);
}

/* Cut anywhere, an instruction is not decoded, and nothing beyond the cut is read. */
static void test_truncated(void **state)
{
    uint8_t bytes[INSN_MAX_BYTES];

    (void)state;
    for (unsigned i = 0; i < NR_GENERATED / 10; i++) {
        struct insn whole, part;
        enum insn_mode mode = i % 3;

        generate(bytes);
        if (insn_decode(bytes, INSN_MAX_BYTES, mode, &whole) != INSN_DECODED) {
            continue;
        }
        for (size_t length = 0; length < whole.length; length++) {
            uint8_t *copy = malloc(length + 1);

            memcpy(copy, bytes, length);
            uint8_t *exact = realloc(copy, length == 0 ? 1 : length);
            assert_int_equal(insn_decode(exact, length, mode, &part), INSN_UNSUPPORTED);
            free(exact);
        }
        assert_int_equal(insn_decode(bytes, whole.length, mode, &part), INSN_DECODED);
    }
}

static void expect(const char *hex, enum insn_mode mode, enum insn_answer answer)
{
    uint8_t bytes[INSN_MAX_BYTES] = { 0 };
    struct insn insn;
    size_t nr = strlen(hex) / 2;

    for (size_t i = 0; i < nr; i++) {
        unsigned value;

        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        bytes[i] = (uint8_t)value;
    }
    assert_int_equal(insn_decode(bytes, nr, mode, &insn), answer);
}

static void test_answers(void **state)
{
    (void)state;
    expect("8b8730000000", INSN_MODE_64, INSN_DECODED); /* mov eax, [rdi+0x30] */
    expect("0fa2", INSN_MODE_64, INSN_UNSUPPORTED);     /* cpuid */
    expect("89c8", INSN_MODE_64, INSN_UNSUPPORTED);     /* mov eax, ecx: no memory */
    expect("f08907", INSN_MODE_64, INSN_INVALID);       /* lock mov [rdi], eax */
    expect("f03907", INSN_MODE_64, INSN_INVALID);       /* lock cmp */
    expect("f02107", INSN_MODE_64, INSN_DECODED);       /* lock and */
    expect("0f22c8", INSN_MODE_64, INSN_INVALID);       /* mov cr1, rax */
    expect("0f22e0", INSN_MODE_64, INSN_DECODED);       /* mov cr4, rax */
    expect("440f22c0", INSN_MODE_64, INSN_DECODED);     /* mov cr8, rax */
    expect("666666666666666666666666666689", INSN_MODE_64, INSN_INVALID); /* too long */
    expect("6666", INSN_MODE_64, INSN_UNSUPPORTED);                       /* cut short */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_generated),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_truncated),
    };

    make_decoders();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
