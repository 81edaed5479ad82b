/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes a small test guest look like a Linux kernel to a boot loader: the setup header of the
 * x86 boot protocol (Linux documentation, "The Linux/x86 Boot Protocol", version 2.15), and the
 * 64-bit entry point 512 bytes into the loaded part. The header is not of the program that is loaded:
 * make-bzimage puts it in front of it.
 */
        .set SETUP_SECTORS, 1

        .section .setup, ""
setup:
        .org 0x1f1
        .byte SETUP_SECTORS             /* setup_sects: 512-byte sectors after the first */
        .word 0                         /* root_flags */
        .long PAYLOAD_PARAGRAPHS        /* syssize */
        .word 0, 0, 0                   /* ram_size, vid_mode, root_dev */
        .word 0xaa55                    /* boot_flag */
        .byte 0xeb, setup_end - 0x202   /* jump over the header: gives its length */
        .ascii "HdrS"
        .word 0x020f                    /* version */
        .long 0                         /* realmode_swtch */
        .word 0, 0                      /* start_sys_seg, kernel_version */
        .byte 0                         /* type_of_loader */
        .byte 1                         /* loadflags: LOADED_HIGH */
        .word 0                         /* setup_move_size */
        .long GUEST_BASE                /* code32_start */
        .long 0, 0                      /* ramdisk_image, ramdisk_size */
        .long 0                         /* bootsect_kludge */
        .word 0                         /* heap_end_ptr */
        .byte 0, 0                      /* ext_loader_ver, ext_loader_type */
        .long 0                         /* cmd_line_ptr */
        .long 0x7fffffff                /* initrd_addr_max */
        .long 0x200000                  /* kernel_alignment */
        .byte 0                         /* relocatable_kernel */
        .byte 21                        /* min_alignment: 2^21 */
        .word 1                         /* xloadflags: XLF_KERNEL_64 */
        .long 2047                      /* cmdline_size */
        .long 0                         /* hardware_subarch */
        .quad 0                         /* hardware_subarch_data */
        .long 0, 0                      /* payload_offset, payload_length */
        .quad 0                         /* setup_data */
        .quad GUEST_BASE                /* pref_address */
        .long 0x400000                  /* init_size */
        .long 0                         /* handover_offset */
        .long 0                         /* kernel_info_offset */
setup_end:
        .org (1 + SETUP_SECTORS) * 512

        .section .head, "ax"
        .code32
        hlt                             /* the 32-bit entry point: not used */
        .org 0x200
        .code64
        .globl guest_entry
guest_entry:
        lea stack_top(%rip), %rsp
        xor %ebp, %ebp
        mov %rsi, %rdi                  /* the boot parameters ("zero page") */
        call guest_start
1:      hlt
        jmp 1b

        .section .bss, "aw", @nobits
        .balign 16
        .skip 16384
stack_top:
        .section .note.GNU-stack, "", @progbits
