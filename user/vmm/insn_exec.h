/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a decoded instruction does with its operands: values in, values out. The caller fetches the
 * memory operand and the register, and stores what comes back; repeat counts and string pointers
 * are the caller's business too.
 *
 * Sources: Intel SDM vol. 2, the pages of the instructions; vol. 1 3.4.3.1 "Status flags".
 */
#ifndef USER_VMM_INSN_EXEC_H
#define USER_VMM_INSN_EXEC_H

#include "user/vmm/insn.h"

struct insn_result {
    bool memory_written, reg_written, flags_written;
    uint64_t memory; /* new value of the memory operand */
    uint64_t reg;    /* new value of the whole 64-bit register */
    uint64_t rflags;
};

/* Whether the memory operand is read before it is (perhaps) written. */
bool insn_reads_memory(const struct insn *insn);

/*
 * memory: the memory operand as read (ignored if it is not read); reg: the whole 64-bit register
 * insn->reg (rax for STOS); rflags as before the instruction. Not for MOVS, INS, OUTS and MOV CR.
 */
void insn_execute(const struct insn *insn, uint64_t memory, uint64_t reg, uint64_t rflags,
                  struct insn_result *result);

/* A register after value has been written to its low bytes, as the processor merges or clears. */
uint64_t insn_merge_register(uint64_t old, uint64_t value, uint8_t bytes, bool high);

#endif
