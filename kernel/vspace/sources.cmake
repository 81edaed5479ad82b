# SPDX-License-Identifier: BSD-2-Clause
set(KERNEL_VSPACE_SOURCES
    vspace/asid.c
    vspace/nested.c
    vspace/vspace.c)
