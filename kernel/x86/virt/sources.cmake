# SPDX-License-Identifier: BSD-2-Clause
set(KERNEL_X86_VIRT_SOURCES
    x86/virt/virt.c
    x86/virt/virt_debug.c
    x86/virt/virt_fields.c
    x86/virt/svm/svm.c
    x86/virt/svm/svm_controls.c
    x86/virt/svm/svm_enter.S
    x86/virt/svm/svm_exits.c
    x86/virt/svm/svm_fields.c
    x86/virt/svm/svm_nmi.c
    x86/virt/vmx/vmx.c
    x86/virt/vmx/vmx_apic.c
    x86/virt/vmx/vmx_capabilities.c
    x86/virt/vmx/vmx_controls.c
    x86/virt/vmx/vmx_enter.S
    x86/virt/vmx/vmx_exits.c
    x86/virt/vmx/vmx_fields.c)
