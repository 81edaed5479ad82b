/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What runs in the tests' virtual machines. Each piece is copied to VM_CODE (tests/kernel/vm.h) and
 * must not depend on where it is. Labels give the places that exits are checked against.
 */

/* --- one program for all modes: one exit of each simple kind ------------------------------------ */

.macro MODE_GUEST name
    .globl guest_\name, guest_\name\()_out, guest_\name\()_cpuid, guest_\name\()_hlt
    .globl guest_\name\()_rdmsr, guest_\name\()_violation, guest_\name\()_after_violation
    .globl guest_\name\()_in, guest_\name\()_call, guest_\name\()_fault, guest_\name\()_end
guest_\name:
    mov $0x42, %al
guest_\name\()_out:
    out %al, $0x80
    mov $0x1234, %eax
guest_\name\()_cpuid:
    cpuid
    mov %ebx, %gs:0
guest_\name\()_hlt:
    hlt
    mov $0x8b, %ecx
guest_\name\()_rdmsr:
    rdmsr
    mov %edx, %gs:4
guest_\name\()_violation:
    mov %eax, %fs:0
guest_\name\()_after_violation:
    mov $0x1f4, %dx
guest_\name\()_in:
    in (%dx), %eax
    mov %eax, %gs:8
guest_\name\()_call:
    .byte 0x0f, 0x01, 0xd9          /* VMMCALL; the monitor makes it VMCALL on VT-x */
guest_\name\()_fault:
    ud2
guest_\name\()_end:
.endm

    .section .rodata.guests, "a"
    .code64
    MODE_GUEST long
    .code32
    MODE_GUEST protected
    .code16
    MODE_GUEST real
    .code64

.macro GUEST name
    .globl \name, \name\()_end
\name:
.endm
.macro GUEST_END name
\name\()_end:
.endm

/* --- 64-bit pieces -------------------------------------------------------------------------------- */

/* Every general register plus one, then out. */
GUEST guest_registers
    add $1, %rax
    add $1, %rbx
    add $1, %rcx
    add $1, %rdx
    add $1, %rsi
    add $1, %rdi
    add $1, %rbp
    add $1, %r8
    add $1, %r9
    add $1, %r10
    add $1, %r11
    add $1, %r12
    add $1, %r13
    add $1, %r14
    add $1, %r15
    out %al, $0x80
GUEST_END guest_registers

/* A byte of the memory at rsi to port dx. */
GUEST guest_string_out
    outsb
GUEST_END guest_string_out

/* Counts at gs:0 for ever. */
GUEST guest_spin
1:  incq %gs:0
    jmp 1b
GUEST_END guest_spin

/* Counts in rax, from 0, and tells gs:0; out as soon as gs:8 says so. */
GUEST guest_steady
    xor %eax, %eax
1:  inc %rax
    mov %rax, %gs:0
    cmpq $0, %gs:8
    je 1b
    out %al, $0x80
GUEST_END guest_steady

/* Counts in rax and at gs:0, which are the same at each out; takes its time in between. */
GUEST guest_lockstep
    inc %rax
    incq %gs:0
    mov $200, %ecx
1:  dec %ecx
    jnz 1b
    out %al, $0x80
    jmp guest_lockstep
GUEST_END guest_lockstep

/* Opens interrupts, waits in HLT; the handler of vector 0x20 counts at gs:8. */
    .globl guest_interrupts_handler, guest_interrupts_window
GUEST guest_interrupts
    sti
    nop
guest_interrupts_window:
    hlt
    incq %gs:0
    out %al, $0x80
    jmp guest_interrupts
guest_interrupts_handler:
    incq %gs:8
    iretq
GUEST_END guest_interrupts

/* A fault with error code (vector 13), a software interrupt, an NMI: each counts in its own word. */
    .globl guest_events_gp, guest_events_nmi, guest_events_soft
GUEST guest_events
1:  out %al, $0x80
    jmp 1b
guest_events_gp:
    popq %gs:16
    incq %gs:8
    iretq
guest_events_nmi:
    incq %gs:24
    iretq
guest_events_soft:
    incq %gs:32
    mov (%rsp), %rax
    mov %rax, %gs:40
    iretq
GUEST_END guest_events

/* Exits in the shadow of STI, and of a load of SS from rax. */
    .globl guest_shadow_out, guest_shadow_ss, guest_shadow_ss_out
GUEST guest_shadow
    sti
guest_shadow_out:
    out %al, $0x80
    nop
    out %al, $0x81
guest_shadow_ss:
    mov %eax, %ss
guest_shadow_ss_out:
    out %al, $0x82
GUEST_END guest_shadow

/* Handlers tell by a port that they run: NMI by 0x81, others by 0x82 to 0x84; a page fault's is to
 * have a stack of its own. */
    .globl guest_nmi_handler, guest_nmi_iret, guest_nmi_gp, guest_nmi_pf, guest_nmi_db
    .globl guest_nmi_interrupt
GUEST guest_nmi
    nop
    out %al, $0x80
guest_nmi_handler:
    incq %gs:0
    out %al, $0x81
guest_nmi_iret:
    iretq
guest_nmi_gp:
    out %al, $0x82
guest_nmi_pf:
    out %al, $0x83
guest_nmi_db:
    out %al, $0x84
guest_nmi_interrupt:
    incq %gs:8
    iretq
GUEST_END guest_nmi

/* MOV to CR8, CR4 and from CR0; CLTS; XSETBV; RDTSC: what it does is the test's to say by rip. */
    .globl guest_privileged_cr4, guest_privileged_xsetbv, guest_privileged_cr8
GUEST guest_privileged
guest_privileged_cr4:
    mov %rax, %cr4
    out %al, $0x80
guest_privileged_cr8:
    mov %rax, %cr8
    out %al, $0x80
guest_privileged_xsetbv:
    xor %ecx, %ecx
    xsetbv
    out %al, $0x80
GUEST_END guest_privileged

/*
 * Isolation: fills every register that could be shared with values made from the seed in rdi, then
 * checks them again and again. rsi: number of rounds. Out 0x80: finished; out 0x81: a mismatch, rax
 * says what.
 */
.macro CHECK_MSR number, msr, add
    mov $\msr, %ecx
    rdmsr
    shl $32, %rdx
    or %rdx, %rax
    lea \add(%rdi), %rdx
    cmp %rax, %rdx
    mov $\number, %ebx
    jne 9f
.endm
.macro SET_MSR msr, add
    mov $\msr, %ecx
    lea \add(%rdi), %rax
    mov %rax, %rdx
    shr $32, %rdx
    wrmsr
.endm
.macro CHECK_REGISTER number, register, add
    lea \add(%rdi), %rax
    cmp %rax, \register
    mov $\number, %ebx
    jne 9f
.endm
.macro CHECK_DEBUG number, register, add
    mov %\register, %rdx
    lea \add(%rdi), %rax
    cmp %rax, %rdx
    mov $\number, %ebx
    jne 9f
.endm
.macro CHECK_XMM number, register, add
    movq %\register, %rdx
    lea \add(%rdi), %rax
    cmp %rax, %rdx
    mov $\number, %ebx
    jne 9f
.endm

GUEST guest_isolation
    SET_MSR 0xc0000100, 0x100       /* FS base */
    SET_MSR 0xc0000101, 0x200       /* GS base */
    SET_MSR 0xc0000102, 0x300       /* KERNEL_GS base */
    SET_MSR 0xc0000081, 0x400       /* STAR */
    SET_MSR 0xc0000082, 0x500       /* LSTAR */
    SET_MSR 0xc0000083, 0x600       /* CSTAR */
    SET_MSR 0x175, 0x800            /* SYSENTER ESP */
    SET_MSR 0x176, 0x900            /* SYSENTER EIP */
    lea 0xa00(%rdi), %rax
    mov %rax, %dr0
    lea 0xb00(%rdi), %rax
    mov %rax, %dr1
    lea 0xc00(%rdi), %rax
    mov %rax, %dr2
    lea 0xd00(%rdi), %rax
    mov %rax, %dr3
    lea 0xe00(%rdi), %rax
    mov %rax, %cr2
    lea 0x1000(%rdi), %rax
    movq %rax, %xmm0
    lea 0x1100(%rdi), %rax
    movq %rax, %xmm7
    lea 0x1200(%rdi), %rax
    movq %rax, %xmm15
    lea 1(%rdi), %r8
    lea 2(%rdi), %r9
    lea 3(%rdi), %r10
    lea 4(%rdi), %r11
    lea 5(%rdi), %r12
    lea 6(%rdi), %r13
    lea 7(%rdi), %r14
    lea 8(%rdi), %r15
    lea 9(%rdi), %rbp
1:
    CHECK_MSR 1, 0xc0000100, 0x100
    CHECK_MSR 2, 0xc0000101, 0x200
    CHECK_MSR 3, 0xc0000102, 0x300
    CHECK_MSR 4, 0xc0000081, 0x400
    CHECK_MSR 5, 0xc0000082, 0x500
    CHECK_MSR 6, 0xc0000083, 0x600
    CHECK_MSR 8, 0x175, 0x800
    CHECK_MSR 9, 0x176, 0x900
    CHECK_DEBUG 10, dr0, 0xa00
    CHECK_DEBUG 11, dr1, 0xb00
    CHECK_DEBUG 12, dr2, 0xc00
    CHECK_DEBUG 13, dr3, 0xd00
    CHECK_DEBUG 14, cr2, 0xe00
    CHECK_XMM 16, xmm0, 0x1000
    CHECK_XMM 17, xmm7, 0x1100
    CHECK_XMM 18, xmm15, 0x1200
    CHECK_REGISTER 20, %r8, 1
    CHECK_REGISTER 21, %r9, 2
    CHECK_REGISTER 22, %r10, 3
    CHECK_REGISTER 23, %r11, 4
    CHECK_REGISTER 24, %r12, 5
    CHECK_REGISTER 25, %r13, 6
    CHECK_REGISTER 26, %r14, 7
    CHECK_REGISTER 27, %r15, 8
    CHECK_REGISTER 28, %rbp, 9
    dec %rsi
    jnz 1b
    mov %rdi, %rax
    out %al, $0x80
9:  mov %rbx, %rax
    out %al, $0x81
GUEST_END guest_isolation

    .section .note.GNU-stack, "", @progbits
