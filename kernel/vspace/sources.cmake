# SPDX-License-Identifier: BSD-2-Clause
set(KERNEL_VSPACE_SOURCES
    vspace/asid.c
    vspace/pt.c
    vspace/vspace.c)
