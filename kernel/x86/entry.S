/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the kernel and out of it (the contract is in entry.h and kernel/api/syscall.h).
 *
 * Every register of a user thread is saved exactly once, straight into its TCB, and every handler
 * starts on an empty kernel stack, so nothing has to be unwound. Interrupts are off in the kernel
 * except at `interrupt_window`, where nothing on the stack matters.
 *
 * GS base is the core's while the kernel runs, and the user's waits in KERNEL_GS_BASE. Traps that
 * may come between an entry and its SWAPGS (NMI, machine check, double fault) have stacks of their
 * own and do not return.
 *
 * Sources: Intel SDM volume 2, SYSCALL and SYSRET; volume 3, section 6.14 (64-bit exception
 * handling); AMD APM volume 2, sections 6.1.1 and 8.9.
 */
#include "kernel/gen/asm_offsets.h"

#define MSR_GS_BASE 0xc0000101
#define VECTOR_GENERAL_PROTECTION 13
#define VECTORS_WITH_ERROR 0x60227d00

        .text

/* --- registers of the current thread --------------------------------------------------------- */

/*
 * From the registers to the TCB at %rsp or another base; all but rax, rcx, r11 and those of IRET.
 */
.macro SAVE_REGISTERS base
        mov %rbx, TCB_RBX(\base)
        mov %rdx, TCB_RDX(\base)
        mov %rsi, TCB_RSI(\base)
        mov %rdi, TCB_RDI(\base)
        mov %rbp, TCB_RBP(\base)
        mov %r8, TCB_R8(\base)
        mov %r9, TCB_R9(\base)
        mov %r10, TCB_R10(\base)
        mov %r12, TCB_R12(\base)
        mov %r13, TCB_R13(\base)
        mov %r14, TCB_R14(\base)
        mov %r15, TCB_R15(\base)
.endm

.macro LOAD_REGISTERS base
        mov TCB_RAX(\base), %rax
        mov TCB_RBX(\base), %rbx
        mov TCB_RDX(\base), %rdx
        mov TCB_RSI(\base), %rsi
        mov TCB_RBP(\base), %rbp
        mov TCB_R8(\base), %r8
        mov TCB_R9(\base), %r9
        mov TCB_R10(\base), %r10
        mov TCB_R12(\base), %r12
        mov TCB_R13(\base), %r13
        mov TCB_R14(\base), %r14
        mov TCB_R15(\base), %r15
.endm

/* For SYSRET to the thread at %rdi, all registers but those that it exchanges itself; or a jump, if
 * the thread has to leave by IRET, with its rip in %rcx. */
.macro LOAD_FOR_SYSRET by_iret
        mov TCB_RIP(%rdi), %rcx
        cmp %rcx, TCB_BY_SYSCALL(%rdi)
        jbe \by_iret
        mov TCB_RFLAGS(%rdi), %r11
        LOAD_REGISTERS %rdi
        mov TCB_RSP(%rdi), %rsp
        mov TCB_RDI(%rdi), %rdi
.endm

/* --- system calls ---------------------------------------------------------------------------- */

/* rcx = the user's rip, r11 = its rflags; rcx and r11 in the TCB keep what they had. */
        .balign 64
        .globl syscall_entry
        .type syscall_entry, @function
syscall_entry:
        swapgs
        mov %rsp, %gs:CORE_USER_RSP
        mov %gs:CORE_CURRENT, %rsp
        SAVE_REGISTERS %rsp
        mov %rax, TCB_RAX(%rsp)
        mov %rcx, TCB_RIP(%rsp)
        mov %r11, TCB_RFLAGS(%rsp)
        mov %gs:CORE_USER_RSP, %rcx
        mov %rcx, TCB_RSP(%rsp)
        movl $SYSRET_END_HIGH, TCB_BY_SYSCALL+4(%rsp) /* the lower half is always 0 */
        mov %gs:CORE_KERNEL_STACK, %rsp
        xor %ebp, %ebp

        /* lock_on_entry(); the number stays in rdx. */
        mov $1, %eax
        lock xadd %eax, %gs:CORE_NEXT_TICKET
        cmp %eax, %gs:CORE_NOW_SERVING
        jne .Lwait_for_lock
.Lhas_lock:
        movl $CORE_HOLDS_THIS_CORE, %gs:CORE_HELD_LOCKS
        mov %gs:CORE_CURRENT, %rdi
        mov %gs:0, %rsi
        call handle_syscall
        jmp leave_now

.Lwait_for_lock:
        mov %rdx, %rbx
        mov %gs:0, %rdi
        add $CORE_LOCK, %rdi
        mov %eax, %esi
        call ticket_wait
        mov %rbx, %rdx
        jmp .Lhas_lock
        .size syscall_entry, . - syscall_entry

/* SYSCALL of 32-bit code, which no thread can run: there is no segment for it. */
        .globl syscall_entry_32
        .type syscall_entry_32, @function
syscall_entry_32:
        ud2
        .size syscall_entry_32, . - syscall_entry_32

/* --- traps ----------------------------------------------------------------------------------- */

/* 256 stubs of 16 bytes: make the stack look the same for all vectors, with an error code. */
        .balign 64
        .globl trap_stubs
        .type trap_stubs, @function
trap_stubs:
        vector = 0
        .rept 256
        .balign 16
        /* The processor itself pushes an error code for 8, 10-14, 17, 21, 29 and 30. */
        .if vector > 31
        push $0
        .elseif !((VECTORS_WITH_ERROR >> vector) & 1)
        push $0
        .endif
        push $vector
        .if (vector == 2) || (vector == 8) || (vector == 18)
        jmp emergency_entry
        .else
        jmp trap_entry
        .endif
        vector = vector + 1
        .endr
        .balign 16
        .size trap_stubs, . - trap_stubs

/* Stack: vector, error code, rip, cs, rflags, rsp, ss. */
        .type trap_entry, @function
trap_entry:
        testb $3, 24(%rsp)
        jz kernel_trap
        swapgs
        push %rax
        mov %gs:CORE_CURRENT, %rax
        SAVE_REGISTERS %rax
        mov %rcx, TCB_RCX(%rax)
        mov %r11, TCB_R11(%rax)
        pop TCB_RAX(%rax)
        pop %rdi
        pop TCB_ERROR_CODE(%rax)
        pop TCB_RIP(%rax)
        add $8, %rsp
        pop TCB_RFLAGS(%rax)
        pop TCB_RSP(%rax)
        movq $0, TCB_BY_SYSCALL(%rax)
        mov %gs:CORE_KERNEL_STACK, %rsp
        xor %ebp, %ebp
        cld
        call trap_from_user
        jmp leave_now
        .size trap_entry, . - trap_entry

        .type kernel_trap, @function
kernel_trap:
        /* An interrupt in the window: what was on the stack is of no use any more. */
        cmpq $interrupt_window_start, 16(%rsp)
        jb 1f
        cmpq $interrupt_window_end, 16(%rsp)
        ja 1f
        cmpq $32, (%rsp)
        jb trap_is_fatal
        mov (%rsp), %rdi
        mov %gs:CORE_KERNEL_STACK, %rsp
        xor %ebp, %ebp
        cld
        call trap_interrupt
        jmp leave_now

        /* The return to user mode refused: the thread's fault, not the kernel's. Its registers are
         * still in its TCB, and GS base is its own again. */
1:      cmpq $user_iret, 16(%rsp)
        jne trap_is_fatal
        cmpq $VECTOR_GENERAL_PROTECTION, (%rsp)
        jne trap_is_fatal
        swapgs
        mov %gs:CORE_CURRENT, %rax
        mov 8(%rsp), %rcx
        mov %rcx, TCB_ERROR_CODE(%rax)
        movq $0, TCB_BY_SYSCALL(%rax)
        mov %gs:CORE_KERNEL_STACK, %rsp
        xor %ebp, %ebp
        mov $VECTOR_GENERAL_PROTECTION, %edi
        call trap_from_user
        jmp leave_now
        .size kernel_trap, . - kernel_trap

/* NMI, double fault, machine check: from anywhere, on a stack of its own. */
        .type emergency_entry, @function
emergency_entry:
        push %rax
        push %rcx
        push %rdx
        mov $MSR_GS_BASE, %ecx
        rdmsr
        shl $32, %rdx
        or %rdx, %rax
        sub $cores, %rax
        cmp $CORES_BYTES, %rax
        jb 1f
        swapgs
1:      pop %rdx
        pop %rcx
        pop %rax
        .size emergency_entry, . - emergency_entry

        .type trap_is_fatal, @function
trap_is_fatal:
        push %rax
        push %rbx
        push %rcx
        push %rdx
        push %rsi
        push %rdi
        push %rbp
        push %r8
        push %r9
        push %r10
        push %r11
        push %r12
        push %r13
        push %r14
        push %r15
        cld
        mov %rsp, %rdi
        and $-16, %rsp
        call trap_panic
        .size trap_is_fatal, . - trap_is_fatal

/* --- leaving --------------------------------------------------------------------------------- */

        .balign 64
        .globl kernel_leave
        .type kernel_leave, @function
kernel_leave:
        mov %gs:CORE_KERNEL_STACK, %rsp
        xor %ebp, %ebp
leave_now:
        mov %gs:CORE_CURRENT, %rdi
        cmpl $TCB_STATE_RUNNING, TCB_STATE(%rdi)
        jne leave_elsewhere
        cmpl $CORE_HOLDS_THIS_CORE, %gs:CORE_HELD_LOCKS
        jne unlock_others
        .globl kernel_resume
kernel_resume:
        /* unlock(), the usual case in place. */
        movl $CORE_HOLDS_NONE, %gs:CORE_HELD_LOCKS
        incl %gs:CORE_NOW_SERVING
leave_to_user:
        LOAD_FOR_SYSRET leave_by_iret
        swapgs
        sysretq

leave_by_iret:
        push $SELECTOR_USER_DS
        push TCB_RSP(%rdi)
        push TCB_RFLAGS(%rdi)
        push $SELECTOR_USER_CS
        push %rcx
        LOAD_REGISTERS %rdi
        mov TCB_RCX(%rdi), %rcx
        mov TCB_R11(%rdi), %r11
        mov TCB_RDI(%rdi), %rdi
        swapgs
        .globl user_iret
user_iret:
        iretq

        /*
         * The same without a second SWAPGS: rsi = the core, rdx = whose bases are loaded. From here
         * on GS base is a user's; only NMI and the like, which look for themselves, can come.
         */
        .globl kernel_exchange_and_resume
kernel_exchange_and_resume:
        rdfsbase %rax
        mov %rax, TCB_FS_BASE(%rdx)
        mov TCB_FS_BASE(%rdi), %rax
        wrfsbase %rax
        swapgs
        rdgsbase %rax
        mov %rax, TCB_GS_BASE(%rdx)
        mov TCB_GS_BASE(%rdi), %rax
        wrgsbase %rax
        movl $CORE_HOLDS_NONE, CORE_HELD_LOCKS(%rsi)
        incl CORE_NOW_SERVING(%rsi)
        LOAD_FOR_SYSRET .Lexchanged_by_iret
        sysretq
.Lexchanged_by_iret:
        swapgs
        jmp leave_by_iret

unlock_others:
        call unlock
        mov %gs:CORE_CURRENT, %rdi
        jmp leave_to_user

leave_elsewhere:
        call unlock
        mov %gs:CORE_CURRENT, %rdi
        mov TCB_STATE(%rdi), %eax
        cmp $TCB_STATE_RUNNING_VM, %eax
        je run_guest
        cmp $TCB_STATE_IDLE, %eax
        je idle
        call leave_panic

run_guest:
        call vcpu_run
        mov %gs:CORE_CURRENT, %rdi
        cmpl $TCB_STATE_RUNNING_VM, TCB_STATE(%rdi)
        jne leave_now
        .globl kernel_leave_by_interrupt
kernel_leave_by_interrupt:
        /* An interrupt ended it: let it come. If it was none, go on with the guest. */
        mov %gs:CORE_KERNEL_STACK, %rsp
        xor %ebp, %ebp
        call unlock
        sti
interrupt_window_start:
        nop
        cli
        jmp leave_now

/* STI takes effect after the next instruction, so that no interrupt falls between it and HLT. */
idle:
        sti
        hlt
interrupt_window_end:
        cli
        jmp leave_now
        .size kernel_leave, . - kernel_leave

        .section .note.GNU-stack, "", @progbits
