# SPDX-License-Identifier: BSD-2-Clause
#
# Compiler and linker flags, one interface target for each kind of code:
#
#   bulkhead_kernel_flags   freestanding, privileged, linked at the top of the address space
#   bulkhead_user_flags     freestanding, unprivileged
#   bulkhead_host_flags     ordinary programs and tests on the build machine
#
# No CMAKE_BUILD_TYPE: the debug and release kernels differ in what they check and offer, not in how
# they are optimised, so that what is tested is what runs.

set(BULKHEAD_WARNINGS
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion
    -Wno-sign-conversion -Werror)

# Paths in messages are relative to the source tree, wherever that lies.
set(BULKHEAD_COMMON_OPTIONS
    -g "-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=" "-fmacro-prefix-map=${CMAKE_BINARY_DIR}/=build/")
set(BULKHEAD_INCLUDES "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")

set(BULKHEAD_KERNEL_OPTIONS
    -ffreestanding -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic)
set(BULKHEAD_KERNEL_C_OPTIONS
    -std=gnu17 -O2 -fno-common -fno-strict-aliasing -fwrapv -fno-delete-null-pointer-checks
    -fno-omit-frame-pointer -fno-asynchronous-unwind-tables
    -fstack-protector-strong -mstack-protector-guard=global ${BULKHEAD_WARNINGS})

set(BULKHEAD_USER_OPTIONS -ffreestanding -fno-pic -mgeneral-regs-only)
set(BULKHEAD_USER_C_OPTIONS
    -std=gnu17 -O2 -fno-common -fno-strict-aliasing
    -fno-omit-frame-pointer -fno-asynchronous-unwind-tables
    -fstack-protector-strong -mstack-protector-guard=global ${BULKHEAD_WARNINGS})

set(BULKHEAD_HOST_OPTIONS -std=gnu17 -O2 -fno-strict-aliasing -fno-common ${BULKHEAD_WARNINGS})
set(BULKHEAD_SANITIZERS
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)

set(BULKHEAD_DEFINITIONS)
if(NOT BULKHEAD_RELEASE)
    list(APPEND BULKHEAD_DEFINITIONS BULKHEAD_DEBUG=1)
endif()

add_library(bulkhead_common_flags INTERFACE)
target_include_directories(bulkhead_common_flags INTERFACE ${BULKHEAD_INCLUDES})
target_compile_definitions(bulkhead_common_flags INTERFACE ${BULKHEAD_DEFINITIONS})
target_compile_options(bulkhead_common_flags INTERFACE ${BULKHEAD_COMMON_OPTIONS})

add_library(bulkhead_kernel_flags INTERFACE)
target_link_libraries(bulkhead_kernel_flags INTERFACE bulkhead_common_flags)
target_compile_options(bulkhead_kernel_flags INTERFACE
    ${BULKHEAD_KERNEL_OPTIONS} "$<$<COMPILE_LANGUAGE:C>:${BULKHEAD_KERNEL_C_OPTIONS}>")

add_library(bulkhead_user_flags INTERFACE)
target_link_libraries(bulkhead_user_flags INTERFACE bulkhead_common_flags)
target_include_directories(bulkhead_user_flags INTERFACE
    "${CMAKE_SOURCE_DIR}/user/libsel4/include")
target_compile_options(bulkhead_user_flags INTERFACE
    ${BULKHEAD_USER_OPTIONS} "$<$<COMPILE_LANGUAGE:C>:${BULKHEAD_USER_C_OPTIONS}>")

add_library(bulkhead_host_flags INTERFACE)
target_link_libraries(bulkhead_host_flags INTERFACE bulkhead_common_flags)
target_compile_definitions(bulkhead_host_flags INTERFACE BULKHEAD_HOST=1)
target_compile_options(bulkhead_host_flags INTERFACE
    "$<$<COMPILE_LANGUAGE:C>:${BULKHEAD_HOST_OPTIONS}>")

add_library(bulkhead_sanitizers INTERFACE)
target_compile_options(bulkhead_sanitizers INTERFACE ${BULKHEAD_SANITIZERS})
target_link_options(bulkhead_sanitizers INTERFACE ${BULKHEAD_SANITIZERS})

add_library(bulkhead_thread_sanitizer INTERFACE)
target_compile_options(bulkhead_thread_sanitizer INTERFACE -fsanitize=thread)
target_link_options(bulkhead_thread_sanitizer INTERFACE -fsanitize=thread -pthread)
