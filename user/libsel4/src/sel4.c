/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's state, and the few functions that are not worth being inline. */
#include <sel4/sel4.h>

seL4_IPCBuffer *__sel4_ipc_buffer;

static seL4_BootInfo *boot_info;

void seL4_InitBootInfo(seL4_BootInfo *info)
{
    boot_info = info;
}

seL4_BootInfo *seL4_GetBootInfo(void)
{
    return boot_info;
}
