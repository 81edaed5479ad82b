/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/insn.h"

/* How an opcode's operands are encoded. */
enum encoding {
    ENC_NONE = 0, /* not in our set */
    ENC_RM_REG,   /* ModRM: r/m, reg */
    ENC_REG_RM,   /* ModRM: reg, r/m */
    ENC_RM_IMM8,  /* ModRM, immediate of one byte, sign-extended */
    ENC_RM_IMM,   /* ModRM, immediate as wide as the operand, at most four bytes */
    ENC_ACC_OFFS, /* accumulator from the address in the instruction */
    ENC_OFFS_ACC, /* accumulator to it */
    ENC_STRING,
    ENC_CONTROL, /* ModRM: reg is a control register, r/m a general one */
};

#define ROW_BYTE    0x01u /* the memory operand is one byte wide */
#define ROW_WORD    0x02u /* ... two bytes; ROW_BYTE and ROW_WORD both clear: operand size */
#define ROW_DWORD   0x04u /* ... four bytes */
#define ROW_GROUP1  0x08u /* reg of ModRM is the operation, as enum insn_op begins */
#define ROW_GROUP_0 0x10u /* reg of ModRM must be 0 */
#define ROW_LOCK    0x20u /* LOCK is allowed */
#define ROW_ONLY_64 0x40u /* something else outside 64-bit mode */
#define ROW_IO      0x80u /* operand at most four bytes */

struct row {
    uint8_t op;
    uint8_t encoding;
    uint8_t flags;
};

#define ALU(base, operation, lock)                                                                 \
    [(base)] = { operation, ENC_RM_REG, ROW_BYTE | (lock) },                                       \
    [(base) + 1] = { operation, ENC_RM_REG, (lock) },                                              \
    [(base) + 2] = { operation, ENC_REG_RM, ROW_BYTE },                                            \
    [(base) + 3] = { operation, ENC_REG_RM, 0 }

static const struct row rows_one_byte[256] = {
    ALU(0x00, INSN_ADD, ROW_LOCK),
    ALU(0x08, INSN_OR, ROW_LOCK),
    ALU(0x10, INSN_ADC, ROW_LOCK),
    ALU(0x18, INSN_SBB, ROW_LOCK),
    ALU(0x20, INSN_AND, ROW_LOCK),
    ALU(0x28, INSN_SUB, ROW_LOCK),
    ALU(0x30, INSN_XOR, ROW_LOCK),
    ALU(0x38, INSN_CMP, 0),
    [0x63] = { INSN_MOVSX, ENC_REG_RM, ROW_DWORD | ROW_ONLY_64 },
    [0x6c] = { INSN_INS, ENC_STRING, ROW_BYTE | ROW_IO },
    [0x6d] = { INSN_INS, ENC_STRING, ROW_IO },
    [0x6e] = { INSN_OUTS, ENC_STRING, ROW_BYTE | ROW_IO },
    [0x6f] = { INSN_OUTS, ENC_STRING, ROW_IO },
    [0x80] = { INSN_ADD, ENC_RM_IMM8, ROW_BYTE | ROW_GROUP1 | ROW_LOCK },
    [0x81] = { INSN_ADD, ENC_RM_IMM, ROW_GROUP1 | ROW_LOCK },
    [0x83] = { INSN_ADD, ENC_RM_IMM8, ROW_GROUP1 | ROW_LOCK },
    [0x84] = { INSN_TEST, ENC_RM_REG, ROW_BYTE },
    [0x85] = { INSN_TEST, ENC_RM_REG, 0 },
    [0x86] = { INSN_XCHG, ENC_RM_REG, ROW_BYTE | ROW_LOCK },
    [0x87] = { INSN_XCHG, ENC_RM_REG, ROW_LOCK },
    [0x88] = { INSN_MOV, ENC_RM_REG, ROW_BYTE },
    [0x89] = { INSN_MOV, ENC_RM_REG, 0 },
    [0x8a] = { INSN_MOV, ENC_REG_RM, ROW_BYTE },
    [0x8b] = { INSN_MOV, ENC_REG_RM, 0 },
    [0xa0] = { INSN_MOV, ENC_ACC_OFFS, ROW_BYTE },
    [0xa1] = { INSN_MOV, ENC_ACC_OFFS, 0 },
    [0xa2] = { INSN_MOV, ENC_OFFS_ACC, ROW_BYTE },
    [0xa3] = { INSN_MOV, ENC_OFFS_ACC, 0 },
    [0xa4] = { INSN_MOVS, ENC_STRING, ROW_BYTE },
    [0xa5] = { INSN_MOVS, ENC_STRING, 0 },
    [0xaa] = { INSN_STOS, ENC_STRING, ROW_BYTE },
    [0xab] = { INSN_STOS, ENC_STRING, 0 },
    [0xc6] = { INSN_MOV, ENC_RM_IMM8, ROW_BYTE | ROW_GROUP_0 },
    [0xc7] = { INSN_MOV, ENC_RM_IMM, ROW_GROUP_0 },
    [0xf6] = { INSN_TEST, ENC_RM_IMM8, ROW_BYTE | ROW_GROUP_0 },
    [0xf7] = { INSN_TEST, ENC_RM_IMM, ROW_GROUP_0 },
};

static const struct row rows_0f[256] = {
    [0x20] = { INSN_MOV_FROM_CR, ENC_CONTROL, 0 }, [0x22] = { INSN_MOV_TO_CR, ENC_CONTROL, 0 },
    [0xb6] = { INSN_MOVZX, ENC_REG_RM, ROW_BYTE }, [0xb7] = { INSN_MOVZX, ENC_REG_RM, ROW_WORD },
    [0xbe] = { INSN_MOVSX, ENC_REG_RM, ROW_BYTE }, [0xbf] = { INSN_MOVSX, ENC_REG_RM, ROW_WORD },
};

/* REX bits. */
#define REX_W 0x08u
#define REX_R 0x04u
#define REX_X 0x02u
#define REX_B 0x01u

struct decoder {
    const uint8_t *bytes;
    size_t nr_bytes; /* available, at most INSN_MAX_BYTES */
    size_t at;
    bool ran_out;
    enum insn_mode mode;
    uint8_t rex;
    bool operand_prefix, address_prefix, lock, repeat, segment_prefix;
    uint8_t segment;
    uint8_t operand_bytes;
};

static uint8_t take(struct decoder *decoder)
{
    if (decoder->at >= decoder->nr_bytes) {
        decoder->ran_out = true;
        return 0;
    }
    return decoder->bytes[decoder->at++];
}

/* A little-endian number of nr bytes, zero-extended. */
static uint64_t take_number(struct decoder *decoder, unsigned nr)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < nr; i++) {
        value |= (uint64_t)take(decoder) << (8 * i);
    }
    return value;
}

static int64_t take_signed(struct decoder *decoder, unsigned nr)
{
    unsigned unused = 64 - 8 * nr;

    return (int64_t)(take_number(decoder, nr) << unused) >> unused;
}

/* Takes one byte into the prefixes if it is one. A REX prefix counts only right before the opcode.
 */
static bool take_prefix(struct decoder *decoder, uint8_t byte)
{
    uint8_t rex = 0;

    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        /* In 64-bit mode these four are accepted and mean nothing. */
        if (decoder->mode != INSN_MODE_64) {
            decoder->segment = (byte >> 3) & 3;
            decoder->segment_prefix = true;
        }
        break;
    case 0x64:
    case 0x65:
        decoder->segment = byte == 0x64 ? INSN_FS : INSN_GS;
        decoder->segment_prefix = true;
        break;
    case 0x66:
        decoder->operand_prefix = true;
        break;
    case 0x67:
        decoder->address_prefix = true;
        break;
    case 0xf0:
        decoder->lock = true;
        break;
    case 0xf2:
    case 0xf3:
        decoder->repeat = true;
        break;
    default:
        if (decoder->mode != INSN_MODE_64 || (byte & 0xf0) != 0x40) {
            return false;
        }
        rex = byte;
        break;
    }
    decoder->rex = rex;
    return true;
}

static void set_sizes(struct decoder *decoder, struct insn *insn)
{
    switch (decoder->mode) {
    case INSN_MODE_64:
        insn->address_bytes = decoder->address_prefix ? 4 : 8;
        decoder->operand_bytes = (decoder->rex & REX_W) != 0 ? 8 : decoder->operand_prefix ? 2 : 4;
        break;
    case INSN_MODE_32:
        insn->address_bytes = decoder->address_prefix ? 2 : 4;
        decoder->operand_bytes = decoder->operand_prefix ? 2 : 4;
        break;
    default:
        insn->address_bytes = decoder->address_prefix ? 4 : 2;
        decoder->operand_bytes = decoder->operand_prefix ? 4 : 2;
        break;
    }
}

static void default_segment(const struct decoder *decoder, struct insn *insn, uint8_t segment)
{
    insn->segment = decoder->segment_prefix ? decoder->segment : segment;
}

/* The eight address forms of 16-bit addressing: base and index register. */
static const uint8_t forms_16[8][2] = {
    { 3, 6 },
    { 3, 7 },
    { 5, 6 },
    { 5, 7 },
    { 6, INSN_NO_REGISTER },
    { 7, INSN_NO_REGISTER },
    { 5, INSN_NO_REGISTER },
    { 3, INSN_NO_REGISTER },
};

static void take_address_16(struct decoder *decoder, struct insn *insn, uint8_t mod, uint8_t rm)
{
    insn->base = forms_16[rm][0];
    insn->index = forms_16[rm][1];
    if (mod == 0 && rm == 6) {
        insn->base = INSN_NO_REGISTER;
        insn->displacement = take_signed(decoder, 2);
    } else if (mod != 0) {
        insn->displacement = take_signed(decoder, mod == 1 ? 1 : 2);
    }
    default_segment(decoder, insn, insn->base == 5 ? INSN_SS : INSN_DS);
}

static void take_sib(struct decoder *decoder, struct insn *insn, uint8_t mod)
{
    uint8_t sib = take(decoder);
    uint8_t index = (uint8_t)((sib >> 3 & 7) | ((decoder->rex & REX_X) != 0 ? 8 : 0));

    insn->scale = (uint8_t)(1u << (sib >> 6));
    insn->index = index == 4 ? INSN_NO_REGISTER : index;
    if ((sib & 7) == 5 && mod == 0) {
        insn->base = INSN_NO_REGISTER;
    } else {
        insn->base = (uint8_t)((sib & 7) | ((decoder->rex & REX_B) != 0 ? 8 : 0));
    }
}

static void take_address(struct decoder *decoder, struct insn *insn, uint8_t mod, uint8_t rm)
{
    if (rm == 4) {
        take_sib(decoder, insn, mod);
    } else if (rm == 5 && mod == 0) {
        insn->base = decoder->mode == INSN_MODE_64 ? INSN_RIP_RELATIVE : INSN_NO_REGISTER;
    } else {
        insn->base = (uint8_t)(rm | ((decoder->rex & REX_B) != 0 ? 8 : 0));
    }
    if (mod == 1) {
        insn->displacement = take_signed(decoder, 1);
    } else if (mod == 2 || insn->base == INSN_NO_REGISTER || insn->base == INSN_RIP_RELATIVE) {
        insn->displacement = take_signed(decoder, 4);
    }
    default_segment(decoder, insn, insn->base == 4 || insn->base == 5 ? INSN_SS : INSN_DS);
}

static enum insn_answer take_control(struct decoder *decoder, struct insn *insn)
{
    uint8_t modrm = take(decoder);

    insn->form = INSN_CONTROL;
    insn->control = (uint8_t)((modrm >> 3 & 7) | ((decoder->rex & REX_R) != 0 ? 8 : 0));
    insn->reg = (uint8_t)((modrm & 7) | ((decoder->rex & REX_B) != 0 ? 8 : 0));
    insn->reg_bytes = decoder->mode == INSN_MODE_64 ? 8 : 4;
    if (insn->control == 1 || (insn->control > 4 && insn->control != 8)) {
        return INSN_INVALID;
    }
    /* LOCK MOV CR0 is another name for CR8 on some processors, and undefined on the others. */
    return decoder->lock ? INSN_UNSUPPORTED : INSN_DECODED;
}

static enum insn_answer take_modrm(struct decoder *decoder, struct insn *insn,
                                   const struct row *row)
{
    uint8_t modrm = take(decoder);
    uint8_t mod = modrm >> 6;
    uint8_t reg = modrm >> 3 & 7;

    if ((row->flags & ROW_GROUP1) != 0) {
        insn->op = reg;
    }
    if ((row->flags & ROW_GROUP_0) != 0 && reg != 0) {
        return INSN_UNSUPPORTED;
    }
    if (mod == 3) {
        return INSN_UNSUPPORTED; /* no memory operand: never ours to emulate */
    }
    insn->reg = (uint8_t)(reg | ((decoder->rex & REX_R) != 0 ? 8 : 0));
    if (insn->address_bytes == 2) {
        take_address_16(decoder, insn, mod, modrm & 7);
    } else {
        take_address(decoder, insn, mod, modrm & 7);
    }
    return INSN_DECODED;
}

/* AH, CH, DH, BH are meant by the numbers 4-7 of a byte register when there is no REX prefix. */
static void name_byte_register(const struct decoder *decoder, struct insn *insn)
{
    if (insn->reg_bytes == 1 && decoder->rex == 0 && insn->reg >= 4) {
        insn->reg -= 4;
        insn->reg_high = true;
    }
}

static enum insn_answer take_operands(struct decoder *decoder, struct insn *insn,
                                      const struct row *row)
{
    enum insn_answer answer = INSN_DECODED;

    switch (row->encoding) {
    case ENC_RM_REG:
    case ENC_REG_RM:
        answer = take_modrm(decoder, insn, row);
        insn->form = row->encoding == ENC_RM_REG ? INSN_MEM_REG : INSN_REG_MEM;
        name_byte_register(decoder, insn);
        break;
    case ENC_RM_IMM8:
        answer = take_modrm(decoder, insn, row);
        insn->form = INSN_MEM_IMM;
        insn->immediate = take_signed(decoder, 1);
        break;
    case ENC_RM_IMM:
        answer = take_modrm(decoder, insn, row);
        insn->form = INSN_MEM_IMM;
        insn->immediate = take_signed(decoder, insn->memory_bytes == 2 ? 2 : 4);
        break;
    case ENC_ACC_OFFS:
    case ENC_OFFS_ACC:
        insn->form = row->encoding == ENC_ACC_OFFS ? INSN_REG_MEM : INSN_MEM_REG;
        insn->displacement = (int64_t)take_number(decoder, insn->address_bytes);
        default_segment(decoder, insn, INSN_DS);
        break;
    case ENC_STRING:
        insn->form = INSN_STRING;
        insn->repeat = decoder->repeat;
        default_segment(decoder, insn, INSN_DS);
        break;
    case ENC_CONTROL:
        answer = take_control(decoder, insn);
        break;
    default:
        answer = INSN_UNSUPPORTED;
        break;
    }
    return answer;
}

static uint8_t memory_bytes(const struct decoder *decoder, const struct row *row)
{
    if ((row->flags & ROW_BYTE) != 0) {
        return 1;
    }
    if ((row->flags & ROW_WORD) != 0) {
        return 2;
    }
    if ((row->flags & ROW_DWORD) != 0) {
        return 4;
    }
    if ((row->flags & ROW_IO) != 0 && decoder->operand_bytes == 8) {
        return 4;
    }
    return decoder->operand_bytes;
}

/* LOCK needs a memory destination that is read and written. */
static bool lock_allowed(const struct insn *insn, const struct row *row)
{
    return (row->flags & ROW_LOCK) != 0 && insn->op != INSN_CMP;
}

enum insn_answer insn_decode(const uint8_t *bytes, size_t nr_bytes, enum insn_mode mode,
                             struct insn *insn)
{
    struct decoder decoder = { .bytes = bytes, .mode = mode };
    const struct row *row;
    enum insn_answer answer;
    uint8_t opcode;

    decoder.nr_bytes = nr_bytes < INSN_MAX_BYTES ? nr_bytes : INSN_MAX_BYTES;
    *insn = (struct insn){ .base = INSN_NO_REGISTER, .index = INSN_NO_REGISTER, .scale = 1 };
    do {
        opcode = take(&decoder);
    } while (!decoder.ran_out && take_prefix(&decoder, opcode));
    row = &rows_one_byte[opcode];
    if (opcode == 0x0f) {
        row = &rows_0f[take(&decoder)];
    }
    if (!decoder.ran_out) {
        if (row->encoding == ENC_NONE ||
            ((row->flags & ROW_ONLY_64) != 0 && mode != INSN_MODE_64)) {
            return INSN_UNSUPPORTED;
        }
        set_sizes(&decoder, insn);
        insn->op = row->op;
        insn->memory_bytes = memory_bytes(&decoder, row);
        insn->reg_bytes = insn->op == INSN_MOVZX || insn->op == INSN_MOVSX ? decoder.operand_bytes
                                                                           : insn->memory_bytes;
        answer = take_operands(&decoder, insn, row);
    } else {
        answer = INSN_UNSUPPORTED;
    }
    if (decoder.ran_out) {
        return nr_bytes >= INSN_MAX_BYTES ? INSN_INVALID : INSN_UNSUPPORTED;
    }
    if (answer != INSN_DECODED) {
        return answer;
    }
    if (insn->op == INSN_MOVSX && (row->flags & ROW_DWORD) != 0 && decoder.operand_bytes == 2) {
        return INSN_UNSUPPORTED; /* vendors differ in how much it reads */
    }
    insn->lock = decoder.lock;
    if (decoder.lock && !lock_allowed(insn, row)) {
        return INSN_INVALID;
    }
    insn->length = (uint8_t)decoder.at;
    return INSN_DECODED;
}
