/* SPDX-License-Identifier: BSD-2-Clause */
/* The debug system calls, and that system calls leave registers alone. */
#include "tests/kernel/harness.h"
#include "tests/kernel/registers.h"

static void cap_identify(void)
{
    static const struct {
        seL4_Word type, size_bits, tag;
    } objects[] = {
        { seL4_UntypedObject, 4, TAG_UNTYPED },
        { seL4_TCBObject, 0, TAG_TCB },
        { seL4_EndpointObject, 0, TAG_ENDPOINT },
        { seL4_NotificationObject, 0, TAG_NOTIFICATION },
        { seL4_CapTableObject, 1, TAG_CNODE },
        { seL4_SchedContextObject, 7, TAG_SCHED_CONTEXT },
        { seL4_ReplyObject, 0, TAG_REPLY },
        { seL4_X86_PDPTObject, 0, TAG_PDPT },
        { seL4_X64_PML4Object, 0, TAG_PML4 },
        { seL4_X86_4K, 0, TAG_FRAME },
        { seL4_X86_LargePageObject, 0, TAG_FRAME },
        { seL4_X86_PageTableObject, 0, TAG_PAGE_TABLE },
        { seL4_X86_PageDirectoryObject, 0, TAG_PAGE_DIRECTORY },
    };

    for (unsigned i = 0; i < ARRAY_LENGTH(objects); i++)
        CHECK_EQ(cap_tag(object_new(objects[i].type, objects[i].size_bits)), objects[i].tag);
    CHECK_EQ(cap_tag(seL4_CapNull), 0);
    CHECK_EQ(cap_tag(boot->empty.end - 1), 0);
    /* Beyond the CNode: the guard does not match. */
    CHECK_EQ(cap_tag(1ul << 20), 0);
}

static void names_and_dumps(void)
{
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0);

    seL4_DebugNameThread(tcb, "somebody");
    CHECK_EQ(seL4_DebugGetThreadAffinity(tcb), 0);
    seL4_DebugDumpScheduler();
    CHECK_EQ(cap_tag(tcb), TAG_TCB);
}

/* Only rcx and r11 are clobbered; the answer is in rdi. */
static void registers_preserved(void)
{
    struct registers r = {
        .rax = 11,
        .rbx = 12,
        .rbp = 13,
        .r12 = 14,
        .r13 = 15,
        .r14 = 16,
        .rdi = seL4_CapInitThreadTCB,
    };

    r.rdx = (seL4_Word)seL4_SysDebugCapIdentify;
    registers_syscall(&r);
    CHECK_EQ(r.rdi, TAG_TCB);
    CHECK_EQ(r.rax, 11);
    CHECK_EQ(r.rbx, 12);
    CHECK_EQ(r.rbp, 13);
    CHECK_EQ(r.r12, 14);
    CHECK_EQ(r.r13, 15);
    CHECK_EQ(r.r14, 16);
    CHECK_EQ(r.rdx, seL4_SysDebugCapIdentify);

    /* The same for a Call of an object, which goes another way through the kernel. */
    r.rdi = seL4_CapInitThreadTCB;
    r.rdx = (seL4_Word)seL4_SysCall;
    r.rsi = INFO(TCBSetFlags, 2).words[0];
    r.r10 = r.r8 = 0;
    registers_syscall(&r);
    CHECK_EQ(r.rsi, INFO(0, 1).words[0]);
    CHECK_EQ(r.rdi, 0);
    CHECK_EQ(r.r10, 0);
    CHECK_EQ(r.rax, 11);
    CHECK_EQ(r.rbx, 12);
    CHECK_EQ(r.rbp, 13);
    CHECK_EQ(r.r12, 14);
    CHECK_EQ(r.r13, 15);
    CHECK_EQ(r.r14, 16);
    CHECK_EQ(r.rdx, seL4_SysCall);
}

/* The flags that user code may set go through a system call; those it may not are fixed. */
static void flags_preserved(void)
{
    seL4_Word flags;

    __asm__ volatile("std\n\t"
                     "stc\n\t"
                     "syscall\n\t"
                     "pushf\n\t"
                     "cld\n\t"
                     "pop %0\n\t"
                     : "=r"(flags)
                     : "d"(-15l), "D"(1l)
                     : "rcx", "r11", "rsi", "r8", "r9", "r10", "r15", "memory", "cc");
    CHECK_EQ(flags & 0x401, 0x401);
    CHECK_EQ(flags & 0x200, 0x200);
}

TEST_SUITE(debug, { "cap identify", cap_identify }, { "names and dumps", names_and_dumps },
           { "registers preserved", registers_preserved }, { "flags preserved", flags_preserved });
