/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoder for the few instructions a monitor has to understand itself: those with a memory operand
 * that compilers and operating systems use on device registers, string I/O, and moves to and from
 * control registers. Bytes in, operation out; it neither reads guest memory nor changes anything.
 *
 * Three answers: DECODED, UNSUPPORTED (a real or possible instruction outside the set below, or
 * more bytes needed than there are), INVALID (no processor executes it: #UD or too long). Random
 * bytes decoded here agree with an independent decoder: tests/unit/vmm/test_insn.c.
 *
 *      MOV    88-8b a0-a3 c6/0 c7/0       ADD OR ADC SBB AND SUB XOR CMP   00-3b 80 81 83
 *      MOVZX  0f b6/b7                    TEST  84 85 f6/0 f7/0
 *      MOVSX  0f be/bf, 63                XCHG  86 87
 *      STOS   aa ab                       MOVS  a4 a5
 *      INS    6c 6d    OUTS 6e 6f         MOV CR 0f 20, 0f 22
 *
 * Units    sizes in bytes; registers by their number in the encoding (0 = rax ... 15 = r15)
 * Sources  Intel SDM vol. 2 ch. 2 "Instruction format", appendix A "Opcode map"
 */
#ifndef USER_VMM_INSN_H
#define USER_VMM_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX_BYTES 15u

enum insn_answer {
    INSN_DECODED,
    INSN_UNSUPPORTED,
    INSN_INVALID,
};

enum insn_mode {
    INSN_MODE_16,
    INSN_MODE_32,
    INSN_MODE_64,
};

/* The first eight are in the order of their encoding (bits 5-3 of the opcode, reg of group 1). */
enum insn_op {
    INSN_ADD,
    INSN_OR,
    INSN_ADC,
    INSN_SBB,
    INSN_AND,
    INSN_SUB,
    INSN_XOR,
    INSN_CMP,
    INSN_MOV,
    INSN_MOVZX,
    INSN_MOVSX,
    INSN_TEST,
    INSN_XCHG,
    INSN_STOS,
    INSN_MOVS,
    INSN_INS,
    INSN_OUTS,
    INSN_MOV_TO_CR,
    INSN_MOV_FROM_CR,
};

/* Where the operands are. */
enum insn_form {
    INSN_MEM_REG, /* memory is the destination, a register the source */
    INSN_REG_MEM, /* the other way round */
    INSN_MEM_IMM,
    INSN_STRING,  /* implied registers */
    INSN_CONTROL, /* reg = general register, control = number of the control register */
};

enum insn_segment {
    INSN_ES,
    INSN_CS,
    INSN_SS,
    INSN_DS,
    INSN_FS,
    INSN_GS,
};

#define INSN_NO_REGISTER  0xff
#define INSN_RIP_RELATIVE 0xfe

struct insn {
    uint8_t op;           /* enum insn_op */
    uint8_t form;         /* enum insn_form */
    uint8_t length;       /* of the whole instruction */
    uint8_t memory_bytes; /* of the memory operand */
    uint8_t reg_bytes;    /* of the register operand */
    uint8_t address_bytes;
    uint8_t reg;
    bool reg_high; /* reg 0-3 means ah ch dh bh */
    uint8_t control;
    bool repeat;
    bool lock;
    uint8_t segment; /* enum insn_segment of the memory operand; of the source for MOVS and OUTS */
    uint8_t base;    /* register, INSN_NO_REGISTER or INSN_RIP_RELATIVE */
    uint8_t index;   /* register or INSN_NO_REGISTER */
    uint8_t scale;   /* 1, 2, 4, 8 */
    int64_t displacement;
    int64_t immediate; /* sign-extended */
};

/* Decodes the instruction at the start of nr_bytes bytes. insn is complete only when DECODED. */
enum insn_answer insn_decode(const uint8_t *bytes, size_t nr_bytes, enum insn_mode mode,
                             struct insn *insn);

#endif
