/* SPDX-License-Identifier: BSD-2-Clause */
/* For C and the assembler alike. */
#ifndef USER_START_STACK_H
#define USER_START_STACK_H

#define START_STACK_BYTES 65536
#define START_SYS_YIELD   (-11)

#endif
