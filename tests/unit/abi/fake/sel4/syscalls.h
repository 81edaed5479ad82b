/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in for the user library's system calls: the test sees what a stub sends. */
#ifndef TESTS_UNIT_ABI_FAKE_SYSCALLS_H
#define TESTS_UNIT_ABI_FAKE_SYSCALLS_H

#include "abi/types.h"

#include <sel4/functions.h>

seL4_MessageInfo_t seL4_CallWithMRs(seL4_CPtr dest, seL4_MessageInfo_t info, seL4_Word *mr0,
                                    seL4_Word *mr1, seL4_Word *mr2, seL4_Word *mr3);

#endif
