/* SPDX-License-Identifier: BSD-2-Clause */
#include "user/vmm/insn_exec.h"

#include "user/vmm/x86.h"

#define FLAGS_ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static uint64_t size_mask(uint8_t bytes)
{
    return bytes >= 8 ? ~0ull : (1ull << (8 * bytes)) - 1;
}

static uint64_t sign_extend(uint64_t value, uint8_t bytes)
{
    unsigned unused = 64 - 8u * bytes;

    return (uint64_t)((int64_t)(value << unused) >> unused);
}

bool insn_reads_memory(const struct insn *insn)
{
    switch (insn->op) {
    case INSN_MOV:
        return insn->form == INSN_REG_MEM;
    case INSN_STOS:
        return false;
    default:
        return true;
    }
}

uint64_t insn_merge_register(uint64_t old, uint64_t value, uint8_t bytes, bool high)
{
    if (high) {
        return (old & ~0xff00ull) | (value & 0xff) << 8;
    }
    switch (bytes) {
    case 1:
    case 2:
        return (old & ~size_mask(bytes)) | (value & size_mask(bytes));
    case 4:
        return (uint32_t)value;
    default:
        return value;
    }
}

/* Zero, sign and parity, which every arithmetic and logic result sets alike. */
static uint64_t result_flags(uint64_t value, uint8_t bytes)
{
    uint64_t flags = 0;

    if (value == 0) {
        flags |= RFLAGS_ZF;
    }
    if ((value >> (8 * bytes - 1) & 1) != 0) {
        flags |= RFLAGS_SF;
    }
    if (!__builtin_parity((unsigned)(value & 0xff))) {
        flags |= RFLAGS_PF;
    }
    return flags;
}

/* a + b + carry, or a - b - carry: result and flags. */
static uint64_t add_or_subtract(uint64_t a, uint64_t b, bool carry, bool subtract, uint8_t bytes,
                                uint64_t *flags)
{
    uint64_t mask = size_mask(bytes);
    uint64_t top = 1ull << (8 * bytes - 1);
    uint64_t value = (subtract ? a - b - carry : a + b + carry) & mask;
    /* The carry out of (or borrow into) each bit position, from the operands and the result. */
    uint64_t carries = subtract ? (~a & b) | ((~a | b) & value) : (a & b) | ((a | b) & ~value);

    *flags = result_flags(value, bytes);
    if ((carries & top) != 0) {
        *flags |= RFLAGS_CF;
    }
    if ((carries & 8) != 0) {
        *flags |= RFLAGS_AF;
    }
    if (((subtract ? (a ^ b) & (a ^ value) : ~(a ^ b) & (a ^ value)) & top) != 0) {
        *flags |= RFLAGS_OF;
    }
    return value;
}

static uint64_t alu(uint8_t op, uint64_t a, uint64_t b, uint8_t bytes, bool carry_in,
                    uint64_t *flags)
{
    uint64_t value;

    switch (op) {
    case INSN_ADD:
        return add_or_subtract(a, b, false, false, bytes, flags);
    case INSN_ADC:
        return add_or_subtract(a, b, carry_in, false, bytes, flags);
    case INSN_SUB:
    case INSN_CMP:
        return add_or_subtract(a, b, false, true, bytes, flags);
    case INSN_SBB:
        return add_or_subtract(a, b, carry_in, true, bytes, flags);
    case INSN_OR:
        value = a | b;
        break;
    case INSN_XOR:
        value = a ^ b;
        break;
    default: /* AND, TEST */
        value = a & b;
        break;
    }
    *flags = result_flags(value, bytes);
    return value;
}

static void execute_alu(const struct insn *insn, uint64_t memory, uint64_t other, uint64_t reg,
                        uint64_t rflags, struct insn_result *result)
{
    bool to_reg = insn->form == INSN_REG_MEM;
    uint64_t flags;
    uint64_t value = alu(insn->op, to_reg ? other : memory, to_reg ? memory : other,
                         insn->memory_bytes, (rflags & RFLAGS_CF) != 0, &flags);

    result->flags_written = true;
    result->rflags = (rflags & ~FLAGS_ARITHMETIC) | flags;
    if (insn->op == INSN_CMP || insn->op == INSN_TEST) {
        return;
    }
    if (to_reg) {
        result->reg_written = true;
        result->reg = insn_merge_register(reg, value, insn->reg_bytes, insn->reg_high);
    } else {
        result->memory_written = true;
        result->memory = value;
    }
}

void insn_execute(const struct insn *insn, uint64_t memory, uint64_t reg, uint64_t rflags,
                  struct insn_result *result)
{
    uint64_t mask = size_mask(insn->memory_bytes);
    uint64_t source = insn->form == INSN_MEM_IMM ? (uint64_t)insn->immediate
                      : insn->reg_high           ? reg >> 8
                                                 : reg;

    *result = (struct insn_result){ .rflags = rflags };
    memory &= mask;
    switch (insn->op) {
    case INSN_MOV:
    case INSN_STOS:
        if (insn->form == INSN_REG_MEM) {
            result->reg_written = true;
            result->reg = insn_merge_register(reg, memory, insn->reg_bytes, insn->reg_high);
        } else {
            result->memory_written = true;
            result->memory = source & mask;
        }
        break;
    case INSN_MOVZX:
    case INSN_MOVSX:
        if (insn->op == INSN_MOVSX) {
            memory = sign_extend(memory, insn->memory_bytes);
        }
        result->reg_written = true;
        result->reg = insn_merge_register(reg, memory, insn->reg_bytes, false);
        break;
    case INSN_XCHG:
        result->memory_written = true;
        result->memory = source & mask;
        result->reg_written = true;
        result->reg = insn_merge_register(reg, memory, insn->reg_bytes, insn->reg_high);
        break;
    default:
        execute_alu(insn, memory, source & mask, reg, rflags, result);
        break;
    }
}
