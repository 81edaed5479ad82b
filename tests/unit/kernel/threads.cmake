# SPDX-License-Identifier: BSD-2-Clause
# Threads, scheduling and IPC (thread_world.h).

set(thread_sources
    thread_world.c
    dispatch_partial.c
    fakes.c
    kernel/api/debug_syscall.c
    kernel/api/fastpath.c
    kernel/api/fault_send.c
    kernel/api/inv_domain.c
    kernel/api/inv_sched_context.c
    kernel/api/inv_sched_control.c
    kernel/api/inv_tcb.c
    kernel/api/inv_vcpu.c
    kernel/api/invocation.c
    kernel/api/ipc.c
    kernel/api/syscall.c
    kernel/core/preempt.c
    kernel/object/cap.c
    kernel/object/cnode.c
    kernel/object/derivation.c
    kernel/object/endpoint.c
    kernel/object/io_port.c
    kernel/object/irq.c
    kernel/object/known.c
    kernel/object/notification.c
    kernel/object/object.c
    kernel/object/reply.c
    kernel/object/sched_context.c
    kernel/object/tcb.c
    kernel/object/thread_queue.c
    kernel/object/untyped.c
    kernel/object/vcpu.c
    kernel/sched/budget.c
    kernel/sched/queues.c
    kernel/sched/refill.c
    kernel/sched/release.c
    kernel/sched/remote.c
    kernel/sched/sched.c
    kernel/vspace/asid.c
    kernel/vspace/pt.c
    kernel/vspace/vspace.c)

bulkhead_host_test(kernel_refill SOURCES test_refill.c kernel/sched/refill.c)
bulkhead_host_test(kernel_threads SOURCES test_threads.c ${thread_sources})
bulkhead_host_test(kernel_sched SOURCES test_sched.c ${thread_sources})
bulkhead_host_test(kernel_cores SOURCES test_cores.c ${thread_sources})
bulkhead_host_test(kernel_fastpath SOURCES test_fastpath.c ${thread_sources})
bulkhead_host_test(kernel_release SOURCES test_release.c ${thread_sources})
