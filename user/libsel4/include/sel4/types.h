/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SEL4_TYPES_H
#define SEL4_TYPES_H

#include "abi/errors.h"
#include "abi/faults.h"
#include "abi/types.h"

#endif
