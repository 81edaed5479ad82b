# SPDX-License-Identifier: BSD-2-Clause
# Capability spaces (cspace_world.h), with stand-ins for the objects themselves.

set(cspace_sources
    cspace_world.c
    dispatch_partial.c
    fakes.c
    object_stubs.c
    kernel/api/inv_cnode.c
    kernel/api/inv_untyped.c
    kernel/api/request.c
    kernel/object/cap.c
    kernel/object/cnode.c
    kernel/object/derivation.c
    kernel/object/object.c
    kernel/object/untyped.c)

foreach(test cnode_resolve cnode_methods derivation retype delete)
    bulkhead_host_test(kernel_${test} SOURCES test_${test}.c ${cspace_sources})
endforeach()

include("${CMAKE_SOURCE_DIR}/kernel/portable.cmake")

bulkhead_host_test(kernel_boot_task
    SOURCES test_boot_task.c fakes.c virt_fake.c ${portable_kernel})
# It counts the basic blocks that the kernel goes through.
bulkhead_host_test(kernel_long_operations
    SOURCES test_long_operations.c fakes.c virt_fake.c ${portable_kernel}
    OPTIONS -fsanitize-coverage=trace-pc)
