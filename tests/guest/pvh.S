/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way into a small guest for monitors that start an ELF file as PVH does: in 32-bit mode, paging
 * off. From here it goes to where Linux's boot protocol begins, in 64-bit mode on an identity mapping
 * of the first GiB.
 * Source: Xen's documentation, misc/pvh (the note, and the state at the entry).
 */
#include "tests/guest/long_mode.h"

#define NOTE_PHYS32_ENTRY 18

#define DATA_SELECTOR 0x18

#define PIC_MASK   0x21
#define PIC_2_MASK 0xa1

#define PRESENT_WRITABLE 3
#define LARGE            0x80
#define LARGE_PAGE_BITS  21
#define ENTRIES          512

        .section .note.Xen, "a", @note
        .balign 4
        .long 4, 4, NOTE_PHYS32_ENTRY   /* bytes of the name and of the value */
        .asciz "Xen"
        .long pvh_entry

        .text
        .code32
pvh_entry:
        mov $0xff, %al                  /* firmware may have used them */
        out %al, $PIC_MASK
        out %al, $PIC_2_MASK
        lgdt gdt_pointer
        mov $DATA_SELECTOR, %eax        /* IRETQ loads it again */
        mov %eax, %ss
        movl $(pdpt + PRESENT_WRITABLE), pml4
        movl $(page_directory + PRESENT_WRITABLE), pdpt
        xor %ecx, %ecx
1:      mov %ecx, %eax
        shl $LARGE_PAGE_BITS, %eax
        or $(PRESENT_WRITABLE | LARGE), %eax
        mov %eax, page_directory(, %ecx, 8)
        inc %ecx
        cmp $ENTRIES, %ecx
        jne 1b
        ENTER_LONG_MODE $pml4
        ljmp $CODE_SELECTOR, $guest_entry

        .section .rodata
        .balign 8
gdt:
        .quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
        .word . - gdt - 1
        .long gdt

        .bss
        .balign 4096
pml4:
        .skip 4096
pdpt:
        .skip 4096
page_directory:
        .skip 4096

        .section .note.GNU-stack, "", @progbits
