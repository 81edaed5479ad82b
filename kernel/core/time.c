/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/time.h"

u32 tsc_mhz = 1;
