/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine's first 4 GiB on the host: an address range that is empty until written to, and panics
 * that end what was tried.
 */
#ifndef TESTS_UNIT_BOOT_MACHINE_H
#define TESTS_UNIT_BOOT_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/core/memory.h"

/* All zero again. */
void machine_reset(void);
void *machine_at(u64 address);
void machine_put(u64 address, const void *bytes, size_t count);

extern jmp_buf machine_panic;
extern char machine_message[256];

/* Runs the statement; true if it panicked, with machine_message. */
#define PANICS(statement) (setjmp(machine_panic) ? true : ((statement), false))

/* Numbers that are the same in every run. */
u64 machine_random(void);

#endif
