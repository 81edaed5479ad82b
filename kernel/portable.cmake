# SPDX-License-Identifier: BSD-2-Clause
#
# portable_kernel: all of the kernel that is not bound to the machine, for host tests and fuzzers.
set(portable_kernel)
foreach(folder object sched api vspace)
    string(TOUPPER ${folder} upper)
    set(KERNEL_${upper}_SOURCES)
    include("${CMAKE_SOURCE_DIR}/kernel/${folder}/sources.cmake")
    list(APPEND portable_kernel ${KERNEL_${upper}_SOURCES})
endforeach()
list(TRANSFORM portable_kernel PREPEND kernel/)
list(APPEND portable_kernel kernel/core/boot_task.c kernel/core/elf.c kernel/core/preempt.c
    kernel/core/regions.c)
