/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The entry point of programs a second time, for threads of this program (start.c): with names, an
 * area to clear and two stacks of its own.
 */
#define _start        again_start
#define main          again_main
#define program_end   again_end
#define run_announced again_announced
#define __bss_start   again_area
#define __bss_end     again_area_end

#define NR_STACKS   2
#define STACK_BYTES 4096
#include "user/start/entry.S"

    .bss
    .balign 8
    .globl again_area, again_area_end
again_area:
    .skip 128
again_area_end:
    .skip 8
