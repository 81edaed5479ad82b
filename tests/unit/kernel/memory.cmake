# SPDX-License-Identifier: BSD-2-Clause
# Address spaces, ASIDs, interrupts and ports (memory_world.h).

set(memory_sources
    memory_world.c
    fakes.c
    kernel/api/inv_io_port.c
    kernel/api/inv_irq.c
    kernel/api/inv_memory.c
    kernel/object/cap.c
    kernel/object/derivation.c
    kernel/object/io_port.c
    kernel/object/irq.c
    kernel/object/object.c
    kernel/vspace/asid.c
    kernel/vspace/pt.c
    kernel/vspace/vspace.c)

bulkhead_host_test(kernel_walker SOURCES test_walker.c ${memory_sources})
bulkhead_host_test(kernel_memory_api SOURCES test_memory_api.c ${memory_sources})
bulkhead_host_test(kernel_tlb SOURCES test_tlb.c processors.c ${memory_sources}
    kernel/x86/virt/virt_debug.c kernel/x86/virt/virt_fields.c
    kernel/x86/virt/svm/svm_controls.c kernel/x86/virt/svm/svm_exits.c
    kernel/x86/virt/svm/svm_fields.c kernel/x86/virt/svm/svm_nmi.c)
bulkhead_host_test(kernel_svm_translation SOURCES test_svm_translation.c
    kernel/x86/virt/virt_fields.c kernel/x86/virt/svm/svm_controls.c kernel/x86/virt/svm/svm_exits.c
    kernel/x86/virt/svm/svm_fields.c kernel/x86/virt/svm/svm_nmi.c)
bulkhead_host_test(kernel_vmx_translation SOURCES test_vmx_translation.c
    kernel/x86/virt/virt_fields.c kernel/x86/virt/vmx/vmx_apic.c
    kernel/x86/virt/vmx/vmx_capabilities.c
    kernel/x86/virt/vmx/vmx_controls.c kernel/x86/virt/vmx/vmx_exits.c
    kernel/x86/virt/vmx/vmx_fields.c)
bulkhead_host_test(kernel_devices SOURCES test_devices.c ${memory_sources})
