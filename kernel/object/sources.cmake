# SPDX-License-Identifier: BSD-2-Clause
# Devices' interrupts and ports.
list(APPEND KERNEL_OBJECT_SOURCES object/io_port.c object/irq.c)
# Capabilities.
list(APPEND KERNEL_OBJECT_SOURCES
    object/cap.c
    object/cnode.c
    object/derivation.c
    object/object.c
    object/untyped.c)
# Virtual machines.
list(APPEND KERNEL_OBJECT_SOURCES object/vcpu.c)
# Threads and where they meet.
list(APPEND KERNEL_OBJECT_SOURCES
    object/endpoint.c
    object/known.c
    object/notification.c
    object/reply.c
    object/sched_context.c
    object/tcb.c
    object/thread_queue.c)
