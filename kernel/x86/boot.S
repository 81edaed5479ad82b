/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the boot loader into 64-bit C.
 *
 * In: 32-bit protected mode without paging, eax = the loader's magic number, ebx = physical address
 * of its information, any stack, any descriptor tables (Multiboot 0.6.96 section 3.2; Multiboot 2.0
 * section 3.3). This code and its data run where they are loaded and are free memory after boot.
 *
 * Its tables map the first 4 GiB of physical memory three times, all of it writable: where they
 * are, in the physical window, and (the first GiB) at the kernel's link address. kernel_tables.c
 * makes the final tables from C. The data segments stay what they were until descriptors.c loads
 * its own: 64-bit code is not subject to them.
 *
 * The other processors come through the same tables, from ap_start on: 16-bit real mode, cs * 16 =
 * the page that a copy of it lies in, interrupts off (SDM volume 3, "MP Initialization Protocol").
 */
#include "kernel/gen/asm_offsets.h"

#define MULTIBOOT1_MAGIC 0x1badb002
#define MULTIBOOT1_FLAGS 3 /* modules on page boundaries; tell memory sizes */
#define MULTIBOOT2_MAGIC 0xe85250d6

#define CR0_PE_WP_PG 0x80010001
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define PRESENT_WRITABLE 3
#define LARGE 0x80
#define CPUID_LONG_MODE_BIT 29

#define CODE_SELECTOR 8
#define CODE_32_SELECTOR 16
#define CR0_PE 1

        .section .boot.header, "a"
        .balign 4
        .long MULTIBOOT1_MAGIC, MULTIBOOT1_FLAGS, -(MULTIBOOT1_MAGIC + MULTIBOOT1_FLAGS)

        .balign 8
multiboot2_header:
        .long MULTIBOOT2_MAGIC, 0, multiboot2_header_end - multiboot2_header
        .long -(MULTIBOOT2_MAGIC + (multiboot2_header_end - multiboot2_header))
        .short 0, 0
        .long 8
multiboot2_header_end:

.macro ENTER_LONG_MODE
        mov $CR4_PAE, %eax
        mov %eax, %cr4
        mov $boot_pml4, %eax
        mov %eax, %cr3
        mov $MSR_EFER, %ecx
        mov $EFER_LME, %eax
        xor %edx, %edx
        wrmsr
        mov $CR0_PE_WP_PG, %eax /* caches, which are off after INIT, on */
        mov %eax, %cr0
.endm

        .code32
        .section .boot.text, "ax"
        .globl boot_entry
boot_entry:
        cli
        cld
        mov %eax, %ebp
        mov %ebx, %esi

        mov $0x80000000, %eax
        cpuid
        cmp $0x80000001, %eax
        jb no_long_mode
        mov $0x80000001, %eax
        cpuid
        bt $CPUID_LONG_MODE_BIT, %edx
        jnc no_long_mode

        ENTER_LONG_MODE
        lgdt boot_gdt_pointer
        ljmp $CODE_SELECTOR, $boot_64

        /* The one failure before C and its messages: a line on the first serial port. */
no_long_mode:
        mov $0x3fb, %dx         /* divisor 1 (115200 baud), 8 data bits, no parity, 1 stop bit */
        mov $0x80, %al
        out %al, %dx
        mov $0x3f8, %dx
        mov $1, %al
        out %al, %dx
        inc %dx
        xor %al, %al
        out %al, %dx
        mov $0x3fb, %dx
        mov $3, %al
        out %al, %dx
        mov $no_long_mode_text, %esi
3:      lodsb
        test %al, %al
        jz 5f
        mov %al, %bl
        mov $0x3fd, %dx
4:      in %dx, %al             /* all ones where there is no port */
        test $0x20, %al
        jz 4b
        mov %bl, %al
        mov $0x3f8, %dx
        out %al, %dx
        jmp 3b
5:      cli
        hlt
        jmp 5b
no_long_mode_text:
        .asciz "Bulkhead cannot run on this processor: it lacks 64-bit mode (LM)\r\n"

        .code64
boot_64:
        mov $(kernel_stacks + KERNEL_STACK_BYTES), %rsp
        /* The stack protector's value; its lowest byte ends strings. */
        rdtsc
        shl $32, %rdx
        or %rdx, %rax
        xor %al, %al
        mov %rax, __stack_chk_guard
        mov %ebp, %edi
        mov %esi, %esi
        xor %ebp, %ebp
        mov $kernel_main, %rax
        call *%rax
        ud2

        .code16
        .globl ap_start
ap_start:
        cli
        mov %cs, %ax
        mov %ax, %ds
        lgdtl boot_gdt_pointer_copy - ap_start
        mov %cr0, %eax
        or $CR0_PE, %al
        mov %eax, %cr0
        ljmpl $CODE_32_SELECTOR, $ap_32
boot_gdt_pointer_copy:
        .short boot_gdt_pointer - boot_gdt - 1
        .long boot_gdt
        .globl ap_start_end
ap_start_end:

        .code32
ap_32:
        ENTER_LONG_MODE
        ljmp $CODE_SELECTOR, $ap_64

        .code64
ap_64:
        mov ap_stack, %rsp
        xor %ebp, %ebp
        mov $ap_main, %rax
        call *%rax
        ud2

        .balign 8
boot_gdt:
        .quad 0
        .quad 0x00af9b000000ffff
        .quad 0x00cf9b000000ffff
boot_gdt_pointer:
        .short boot_gdt_pointer - boot_gdt - 1
        .long boot_gdt

        .section .boot.data, "aw"
        .balign 4096
boot_pml4:
        .quad boot_pdpt + PRESENT_WRITABLE
        .skip 510 * 8
        .quad boot_pdpt + PRESENT_WRITABLE
boot_pdpt:
        .quad boot_directories + 0x0000 + PRESENT_WRITABLE
        .quad boot_directories + 0x1000 + PRESENT_WRITABLE
        .quad boot_directories + 0x2000 + PRESENT_WRITABLE
        .quad boot_directories + 0x3000 + PRESENT_WRITABLE
        .skip 506 * 8
        .quad boot_directories + PRESENT_WRITABLE
        .quad 0
boot_directories:
        page = 0
        .rept 4 * 512
        .quad page + (PRESENT_WRITABLE | LARGE)
        page = page + 0x200000
        .endr

        .section .note.GNU-stack, "", @progbits
