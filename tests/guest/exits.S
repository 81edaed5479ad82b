/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt handler of tests/guest/exits.c: ends the interrupt and says that it has been here. */
#include "tests/guest/handler.h"

        .text
        .code64
        HANDLER exits_on_interrupt, exits_interrupts

        .section .note.GNU-stack, "", @progbits
