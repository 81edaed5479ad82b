/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's API for user programs, under its published names. */
#ifndef SEL4_SEL4_H
#define SEL4_SEL4_H

#include <sel4/bootinfo.h>
#include <sel4/config.h>
#include <sel4/faults.h>
#include <sel4/functions.h>
#include <sel4/invocation.h>
#include <sel4/macros.h>
#include <sel4/syscalls.h>
#include <sel4/types.h>

#endif
