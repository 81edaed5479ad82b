/* SPDX-License-Identifier: BSD-2-Clause */
/* For programs that include it by its published name: places in the messages of VMEnter. */
#include "abi/vcpu.h"
