/* SPDX-License-Identifier: BSD-2-Clause */
/* For programs that include it by its published name. */
#include "abi/errors.h"
