# SPDX-License-Identifier: BSD-2-Clause
set(KERNEL_CORE_SOURCES
    core/core.c
    core/lock.c
    core/panic.c
    core/preempt.c
    core/print.c
    core/regions.c
    core/remote.c)
# The initial task's making.
list(APPEND KERNEL_CORE_SOURCES core/boot_task.c core/elf.c)
