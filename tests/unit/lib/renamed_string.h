/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/string.h under names that do not collide with the C library's: lib_memcpy, ... */
#ifndef TESTS_UNIT_LIB_RENAMED_STRING_H
#define TESTS_UNIT_LIB_RENAMED_STRING_H

#define memcpy  lib_memcpy
#define memmove lib_memmove
#define memset  lib_memset
#define memcmp  lib_memcmp
#define memchr  lib_memchr
#define strlen  lib_strlen
#define strnlen lib_strnlen
#define strcmp  lib_strcmp
#define strncmp lib_strncmp
#define strchr  lib_strchr
#define strstr  lib_strstr
#include "lib/string.h"
#ifndef RENAMED_STRING_KEEP
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strstr
#endif

#endif
