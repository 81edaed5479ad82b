# SPDX-License-Identifier: BSD-2-Clause
# Memory and devices.
list(APPEND KERNEL_API_SOURCES
    api/inv_io_port.c
    api/inv_irq.c
    api/inv_memory.c)
# Capabilities.
list(APPEND KERNEL_API_SOURCES api/dispatch.c api/inv_cnode.c api/inv_untyped.c api/request.c)
# Virtual machines.
list(APPEND KERNEL_API_SOURCES api/inv_vcpu.c)
# System calls and threads.
list(APPEND KERNEL_API_SOURCES
    api/debug_syscall.c
    api/fastpath.c
    api/fault_send.c
    api/inv_domain.c
    api/inv_sched_context.c
    api/inv_sched_control.c
    api/inv_tcb.c
    api/invocation.c
    api/ipc.c
    api/syscall.c)
