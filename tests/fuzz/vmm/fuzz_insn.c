/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder on any bytes: it must not read past them, must not contradict Zydis about length and
 * validity, and what it decodes must be executable.
 */
#include <stdlib.h>

#include <Zydis/Zydis.h>

#include "user/vmm/insn_exec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare_with_zydis(const uint8_t *bytes, size_t nr, enum insn_mode mode,
                               const struct insn *insn)
{
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecoder decoder;

    ZydisDecoderInit(&decoder,
                     mode == INSN_MODE_64   ? ZYDIS_MACHINE_MODE_LONG_64
                     : mode == INSN_MODE_32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                            : ZYDIS_MACHINE_MODE_LEGACY_16,
                     mode == INSN_MODE_64   ? ZYDIS_STACK_WIDTH_64
                     : mode == INSN_MODE_32 ? ZYDIS_STACK_WIDTH_32
                                            : ZYDIS_STACK_WIDTH_16);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, nr, &instruction, operands)) ||
        instruction.length != insn->length) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct insn insn;
    struct insn_result result;
    enum insn_mode mode;

    if (size == 0) {
        return 0;
    }
    mode = data[0] % 3;
    if (insn_decode(data + 1, size - 1, mode, &insn) != INSN_DECODED) {
        return 0;
    }
    if (insn.length > size - 1 || insn.length > INSN_MAX_BYTES) {
        abort();
    }
    compare_with_zydis(data + 1, size - 1, mode, &insn);
    if (insn.form != INSN_STRING && insn.form != INSN_CONTROL) {
        insn_execute(&insn, 0x8000000080008080, ~0ull, 0x202, &result);
    }
    return 0;
}
