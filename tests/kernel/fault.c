/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults of every type: their messages and what an answer may change. */
#include "tests/kernel/calls.h"
#include "tests/kernel/registers.h"

static seL4_CPtr faults, reply;

static void begin(void)
{
    faults = object_new(seL4_EndpointObject, 0);
    reply = object_new(seL4_ReplyObject, 0);
}

static struct message receive(void)
{
    return sys(seL4_SysNBRecv, faults, INFO(0x77, 0), 0, 0, 0, 0, reply, 0);
}

static void answer(seL4_Word label, seL4_Word length, seL4_Word w0, seL4_Word w1, seL4_Word w2)
{
    sys(seL4_SysSend, reply, INFO(label, length), w0, w1, w2, 0, 0, 0);
}

static struct thread *start(unsigned n, thread_function function, seL4_Word argument)
{
    /* The fault endpoint's badge comes with the message. */
    struct thread *t = thread_create(n, function, argument, HELPER_PRIORITY, 5000, 5000,
                                     cap_mint(faults, seL4_AllRights, 0x1000 + n));

    thread_start(t);
    return t;
}

/* --- capability faults ----------------------------------------------------------------------- */

static void check_cap_fault(struct message m, seL4_Word address, bool receiving, seL4_Word length)
{
    CHECK_EQ(LABEL(m), seL4_Fault_CapFault);
    CHECK_EQ(LENGTH(m), length);
    CHECK_EQ(m.word[seL4_CapFault_Addr], address);
    CHECK_EQ(m.word[seL4_CapFault_InRecvPhase], receiving);
}

/* An empty slot is found, so that is no fault: a Call is told, a Send does nothing. */
static void empty_slot(void)
{
    begin();
    seL4_CPtr empty = slot_new();
    struct message m = sys(seL4_SysCall, empty, INFO(1, 1), 5, 0, 0, 0, 0, 0);

    CHECK_EQ(LABEL(m), seL4_InvalidCapability);
    CHECK_EQ(m.word[0], 0);
    m = sys(seL4_SysSend, empty, INFO(1, 1), 5, 0, 0, 0, 0, 0);
    CHECK_EQ(m.word[0], 5);
}

static void cap_fault_on_send(void)
{
    static const seL4_Int64 numbers[] = { seL4_SysSend, seL4_SysCall };
    static struct call call[2];

    begin();
    for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++) {
        call[i] = (struct call){ .number = numbers[i], .rdi = 1ul << 40 };
        start(i, thread_call, (seL4_Word)&call[i]);
        struct message m = receive();

        CHECK_EQ(m.badge, 0x1000 + i);
        check_cap_fault(m, 1ul << 40, false, 7);
        CHECK_EQ(m.word[seL4_CapFault_LookupFailureType], seL4_GuardMismatch);
        /* The answer's words do not count; the call is repeated, whatever the label. */
        answer(i, 3, 1, 2, 3);
        CHECK(!call[i].returned);
        check_cap_fault(receive(), 1ul << 40, false, 7);
    }
    struct call nb = { .number = seL4_SysNBSend, .rdi = 1ul << 40 };

    start(2, thread_call, (seL4_Word)&nb);
    CHECK(nb.returned);
}

static struct thread *start_in(unsigned n, seL4_CPtr root, struct call *call)
{
    struct thread *t =
        thread_create(n, thread_call, (seL4_Word)call, HELPER_PRIORITY, 5000, 5000, faults);

    REQUIRE_OK(seL4_TCB_SetSpace(t->tcb, faults, root, 0, seL4_CapInitThreadVSpace, 0));
    return t;
}

static void cap_fault_failures(void)
{
    begin();
    struct call call = { .number = seL4_SysSend, .rdi = 1ul << 40 };
    const seL4_Word *buffer = seL4_GetIPCBuffer()->msg;

    start(0, thread_call, (seL4_Word)&call);
    struct message m = receive();

    check_cap_fault(m, 1ul << 40, false, 7);
    CHECK_EQ(m.word[3], seL4_GuardMismatch);
    CHECK_EQ(buffer[seL4_CapFault_BitsLeft], 64);
    CHECK_EQ(buffer[seL4_CapFault_GuardMismatch_GuardFound], 0);
    CHECK_EQ(buffer[seL4_CapFault_GuardMismatch_BitsFound], 47);

    /*
     * A CNode of five bits that holds itself in slot 1: twelve levels, then four bits are too
     * few. /
     */
    seL4_CPtr small = object_new(seL4_CapTableObject, 5);

    REQUIRE_OK(seL4_CNode_Copy(small, 1, 5, ROOT, small, DEPTH, seL4_AllRights));
    call.rdi = 0;
    for (unsigned level = 0; level < 12; level++)
        call.rdi |= 1ul << (64 - 5 * (level + 1));
    thread_start(start_in(1, small, &call));
    m = receive();
    check_cap_fault(m, call.rdi, false, 6);
    CHECK_EQ(m.word[3], seL4_DepthMismatch);
    CHECK_EQ(buffer[seL4_CapFault_BitsLeft], 4);
    CHECK_EQ(buffer[seL4_CapFault_DepthMismatch_BitsFound], 5);

    /* The root goes away. */
    seL4_CPtr other = object_new(seL4_CapTableObject, 5);
    struct thread *t = start_in(2, other, &call);

    CHECK_OK(cap_revoke(other));
    thread_start(t);
    m = receive();
    check_cap_fault(m, call.rdi, false, 4);
    CHECK_EQ(m.word[3], seL4_InvalidRoot);
}

static void cap_fault_on_receive(void)
{
    static const seL4_Int64 numbers[] = { seL4_SysRecv, seL4_SysWait, seL4_SysNBRecv,
                                          seL4_SysNBWait, seL4_SysReplyRecv };

    begin();
    for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++) {
        static struct call call[5];

        call[i] = (struct call){ .number = numbers[i],
                                 .rdi = slot_new(),
                                 .r12 = object_new(seL4_ReplyObject, 0) };
        start(i, thread_call, (seL4_Word)&call[i]);
        struct message m = receive();

        check_cap_fault(m, call[i].rdi, true, 5);
        CHECK_EQ(m.word[3], seL4_MissingCapability);
    }
    /* Something that cannot be received on; no read right. */
    struct call call = { .number = seL4_SysWait, .rdi = ROOT };

    start(5, thread_call, (seL4_Word)&call);
    check_cap_fault(receive(), ROOT, true, 5);
    CHECK_EQ(seL4_GetMR(4), 0);
    struct call unreadable = { .number = seL4_SysWait,
                               .rdi = cap_copy(object_new(seL4_EndpointObject, 0), seL4_NoRead) };

    start(6, thread_call, (seL4_Word)&unreadable);
    check_cap_fault(receive(), unreadable.rdi, true, 5);
}

/* The reply capability is looked at only when an endpoint is received on. */
static void cap_fault_on_reply(void)
{
    begin();
    struct call call = { .number = seL4_SysRecv, .rdi = object_new(seL4_EndpointObject, 0) };

    call.r12 = ROOT;
    start(0, thread_call, (seL4_Word)&call);
    struct message m = receive();

    check_cap_fault(m, ROOT, true, 5);
    CHECK_EQ(m.word[3], seL4_MissingCapability);
    CHECK_EQ(seL4_GetMR(4), 0);
    call.r12 = slot_new();
    start(1, thread_call, (seL4_Word)&call);
    m = receive();
    check_cap_fault(m, call.r12, true, 5);
    CHECK_EQ(seL4_GetMR(4), 0);
}

/* An extra capability that does not resolve: a fault of the sender, too; NBSend ignores it. */
static void cap_fault_on_extra(void)
{
    begin();
    struct call call = { .number = seL4_SysCall,
                         .rdi = ROOT,
                         .info = seL4_MessageInfo_new(CNodeCopy, 0, 1, 5) };
    struct thread *t =
        thread_create(0, thread_call, (seL4_Word)&call, HELPER_PRIORITY, 5000, 5000, faults);

    t->ipc->caps_or_badges[0] = 1ul << 40;
    thread_start(t);
    check_cap_fault(receive(), 1ul << 40, false, 7);
    CHECK(!call.returned);

    struct call nb = { .number = seL4_SysNBSend,
                       .rdi = ROOT,
                       .info = seL4_MessageInfo_new(CNodeCopy, 0, 1, 5) };

    t = thread_create(1, thread_call, (seL4_Word)&nb, HELPER_PRIORITY, 5000, 5000, faults);
    t->ipc->caps_or_badges[0] = 1ul << 40;
    thread_start(t);
    CHECK(nb.returned);
}

/* --- unknown system calls -------------------------------------------------------------------- */

static struct registers probe;

static void probe_main(struct thread *self, seL4_Word argument)
{
    (void)argument;
    registers_syscall(&probe);
    self->done = 1;
}

static void unknown_syscall(void)
{
    begin();
    const seL4_Word *w = seL4_GetIPCBuffer()->msg;

    probe = (struct registers){ 1, 2, 3, 1000, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    struct thread *t = start(0, probe_main, 0);
    struct message m = receive();

    CHECK_EQ(LABEL(m), seL4_Fault_UnknownSyscall);
    CHECK_EQ(LENGTH(m), seL4_UnknownSyscall_Length);
    CHECK_EQ(m.word[0], 1);
    CHECK_EQ(m.word[1], 2);
    CHECK_EQ(m.word[3], 1000);
    CHECK_EQ(w[seL4_UnknownSyscall_RSI], 5);
    CHECK_EQ(w[seL4_UnknownSyscall_RDI], 6);
    CHECK_EQ(w[seL4_UnknownSyscall_RBP], 7);
    CHECK_EQ(w[seL4_UnknownSyscall_R8], 8);
    CHECK_EQ(w[seL4_UnknownSyscall_R9], 9);
    CHECK_EQ(w[seL4_UnknownSyscall_R10], 10);
    CHECK_EQ(w[seL4_UnknownSyscall_R12], 12);
    CHECK_EQ(w[seL4_UnknownSyscall_R15], 15);
    CHECK_EQ(w[seL4_UnknownSyscall_FaultIP], registers_syscall_ip);
    CHECK_EQ(w[seL4_UnknownSyscall_FLAGS] & 0x202, 0x202);
    CHECK_EQ(w[seL4_UnknownSyscall_Syscall], 1000);

    /* Every register as the answer says (but rcx and r11, which a system call clobbers); one on. */
    for (int i = 4; i < 15; i++)
        seL4_SetMR(i, 100 + (seL4_Word)i);
    seL4_SetMR(seL4_UnknownSyscall_FaultIP, (seL4_Word)registers_syscall_ip + 2);
    seL4_SetMR(seL4_UnknownSyscall_SP, w[seL4_UnknownSyscall_SP]);
    seL4_SetMR(seL4_UnknownSyscall_FLAGS, 0x202);
    sys(seL4_SysSend, reply, INFO(0, 18), 100, 101, 102, 103, 0, 0);
    CHECK(t->done);
    CHECK_EQ(probe.rax, 100);
    CHECK_EQ(probe.rbx, 101);
    CHECK_EQ(probe.rdx, 103);
    CHECK_EQ(probe.rsi, 104);
    CHECK_EQ(probe.rdi, 105);
    CHECK_EQ(probe.rbp, 106);
    CHECK_EQ(probe.r8, 107);
    CHECK_EQ(probe.r15, 114);
}

/* Without words the call is repeated: it faults again. Another label leaves it there. */
static void unknown_syscall_answers(void)
{
    begin();
    probe = (struct registers){ .rdx = 1000 };
    struct thread *t = start(0, probe_main, 0);

    CHECK_EQ(LABEL(receive()), seL4_Fault_UnknownSyscall);
    answer(0, 0, 0, 0, 0);
    CHECK_EQ(LABEL(receive()), seL4_Fault_UnknownSyscall);
    answer(1, 0, 0, 0, 0);
    CHECK_EQ(LABEL(receive()), 0x77);
    CHECK(!t->done);
    /* It is merely inactive. */
    CHECK_OK(seL4_TCB_Resume(t->tcb));
    CHECK_EQ(LABEL(receive()), seL4_Fault_UnknownSyscall);
}

/* All numbers but those that exist; 64 bits count. VMEnter without a VCPU is one of them. */
static void unknown_numbers(void)
{
    static const seL4_Int64 numbers[] = {
        0,         1,        -18, -20, -29, -31, -32, -33, -1000, 0xffffffff, -1l - (1l << 32),
        INT64_MAX, INT64_MIN
    };

    begin();
    for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++) {
        probe = (struct registers){ .rdx = (seL4_Word)numbers[i] };
        struct thread *t = start(i % MAX_THREADS, probe_main, 0);
        struct message m = receive();

        CHECK_EQ(LABEL(m), seL4_Fault_UnknownSyscall);
        CHECK_EQ(seL4_GetMR(seL4_UnknownSyscall_Syscall), numbers[i]);
        CHECK_OK(seL4_TCB_Suspend(t->tcb));
    }
}

static void software_interrupt(struct thread *self, seL4_Word argument)
{
    if (argument)
        __asm__ volatile("int $254" : : "a"(0x12345678));
    else
        __asm__ volatile("int $160" : : "a"(7));
    self->done = 1;
}

static void interrupt_gates(void)
{
    begin();
    struct thread *t = start(0, software_interrupt, 0);
    struct message m = receive();

    CHECK_EQ(LABEL(m), seL4_Fault_UnknownSyscall);
    CHECK_EQ(seL4_GetMR(seL4_UnknownSyscall_Syscall), (seL4_Int64)(int32_t)(160u << 24 | 7));
    CHECK_EQ(*(const unsigned char *)seL4_GetMR(seL4_UnknownSyscall_FaultIP), 0xcd);
    for (int i = 0; i < 4; i++)
        seL4_SetMR(i, m.word[i]);
    seL4_SetMR(seL4_UnknownSyscall_FaultIP, seL4_GetMR(seL4_UnknownSyscall_FaultIP) + 2);
    sys(seL4_SysSend, reply, INFO(0, 18), m.word[0], m.word[1], m.word[2], m.word[3], 0, 0);
    CHECK(t->done);

    start(1, software_interrupt, 1);
    m = receive();
    CHECK_EQ(LABEL(m), seL4_Fault_UnknownSyscall);
    CHECK_EQ(seL4_GetMR(seL4_UnknownSyscall_Syscall), (seL4_Int64)(int32_t)(254u << 24 | 0x345678));
}

/* --- exceptions ------------------------------------------------------------------------------ */

enum exception { DIVIDE, BREAKPOINT, UNDEFINED, PROTECTION, INT_255, INT_33, PORT };

static void raise(struct thread *self, seL4_Word argument)
{
    switch ((enum exception)argument) {
    case DIVIDE:
        __asm__ volatile("xor %%ecx, %%ecx; div %%ecx" : : : "rax", "rcx", "rdx");
        break;
    case BREAKPOINT:
        __asm__ volatile("int3");
        break;
    case UNDEFINED:
        __asm__ volatile("ud2");
        break;
    case PROTECTION:
        __asm__ volatile("cli");
        break;
    case INT_255:
        __asm__ volatile("int $255");
        break;
    case INT_33:
        __asm__ volatile("int $33");
        break;
    case PORT:
        __asm__ volatile("inb $0x80, %%al" : : : "rax");
        break;
    }
    self->done = 1;
}

static void user_exceptions(void)
{
    static const struct {
        enum exception what;
        seL4_Word vector, error;
    } expected[] = {
        { DIVIDE, 0, 0 },      { BREAKPOINT, 3, 0 }, { UNDEFINED, 6, 0 },
        { PROTECTION, 13, 0 }, { PORT, 13, 0 },      { INT_33, 13, 33 << 3 | 2 },
    };

    begin();
    for (unsigned i = 0; i < ARRAY_LENGTH(expected); i++) {
        struct thread *t = start(i % MAX_THREADS, raise, expected[i].what);
        struct message m = receive();

        if (!CHECK_EQ(LABEL(m), seL4_Fault_UserException)) {
            print("     vector %lu\n", expected[i].vector);
            continue;
        }
        CHECK_EQ(LENGTH(m), seL4_UserException_Length);
        CHECK_EQ(m.word[seL4_UserException_Number], expected[i].vector);
        /* QEMU's error code names the gate by its place in bytes, 16 each. */
        if (expected[i].what != INT_33 || seL4_GetMR(seL4_UserException_Code) != (33 << 4 | 2))
            CHECK_EQ(seL4_GetMR(seL4_UserException_Code), expected[i].error);
        CHECK(!t->done);
        CHECK_OK(seL4_TCB_Suspend(t->tcb));
    }
    /* The spurious vector does nothing. */
    struct thread *t = start(0, raise, INT_255);

    CHECK(t->done);
}

/* The answer may move ip, stack and flags. */
static void exception_answers(void)
{
    begin();
    struct thread *t = start(0, raise, UNDEFINED);
    struct message m = receive();

    CHECK_EQ(*(const uint16_t *)m.word[0], 0x0b0f);
    answer(0, 1, m.word[0] + 2, 0, 0);
    CHECK(t->done);

    /* Label 1: it stays inactive. Nothing given: it faults again at the same place. */
    t = start(1, raise, UNDEFINED);
    m = receive();
    answer(0, 0, 0, 0, 0);
    CHECK_EQ(receive().word[0], m.word[0]);
    answer(1, 1, m.word[0] + 2, 0, 0);
    CHECK(!t->done);
    CHECK_EQ(LABEL(receive()), 0x77);
    CHECK_OK(seL4_TCB_Resume(t->tcb));
    CHECK(t->done);

    /* Addresses that are none are not let in. */
    t = start(2, raise, UNDEFINED);
    m = receive();
    answer(0, 3, 0x8000000000000000, m.word[1], ~0ul);
    m = receive();
    CHECK_EQ(LABEL(m), seL4_Fault_VMFault);
    CHECK_EQ(m.word[seL4_VMFault_IP], 0);
}

/* --- VM faults ------------------------------------------------------------------------------- */

static void touch(struct thread *self, seL4_Word argument)
{
    if (self->result[1] == 2) {
        ((void (*)(void))argument)();
    } else if (self->result[1] == 1) {
        *(volatile seL4_Word *)argument = 5;
    } else {
        self->result[0] = *(volatile seL4_Word *)argument;
    }
    self->done = 1;
}

static struct thread *start_touch(unsigned n, seL4_Word address, seL4_Word kind)
{
    struct thread *t = thread_create(n, touch, address, HELPER_PRIORITY, 5000, 5000,
                                     cap_mint(faults, seL4_AllRights, 9));

    t->result[1] = kind;
    thread_start(t);
    return t;
}

static void vm_fault(void)
{
    begin();
    struct thread *t = start_touch(0, TEST_VADDR + 8, 0);
    struct message m = receive();

    CHECK_EQ(LABEL(m), seL4_Fault_VMFault);
    CHECK_EQ(LENGTH(m), 4);
    CHECK_EQ(m.badge, 9);
    CHECK_EQ(m.word[seL4_VMFault_Addr], TEST_VADDR + 8);
    CHECK_EQ(m.word[seL4_VMFault_PrefetchFault], 0);
    CHECK_EQ(m.word[seL4_VMFault_FSR], 4); /* user, read, not present */

    seL4_CPtr frame = object_new(seL4_X86_4K, 0);

    REQUIRE_OK(frame_map(frame, seL4_CapInitThreadVSpace, TEST_VADDR, seL4_CanRead, 0));
    /* Whatever the label says, the access is repeated. */
    answer(1, 1, 0, 0, 0);
    CHECK(t->done);

    t = start_touch(1, TEST_VADDR + 16, 1);
    m = receive();
    CHECK_EQ(m.word[seL4_VMFault_FSR], 7); /* user, write, present */
    REQUIRE_OK(frame_map(frame, seL4_CapInitThreadVSpace, TEST_VADDR, seL4_ReadWrite, 0));
    answer(0, 0, 0, 0, 0);
    CHECK(t->done);
    CHECK_EQ(*(volatile seL4_Word *)(TEST_VADDR + 16), 5);

    start_touch(2, TEST_VADDR + 0x10000, 2);
    m = receive();
    CHECK_EQ(m.word[seL4_VMFault_IP], TEST_VADDR + 0x10000);
    CHECK_EQ(m.word[seL4_VMFault_Addr], TEST_VADDR + 0x10000);
    CHECK_EQ(m.word[seL4_VMFault_PrefetchFault], 1);
    CHECK_EQ(m.word[seL4_VMFault_FSR] & ~0x10ul, 4);
}

/* The kernel's addresses. */
static void kernel_addresses(void)
{
    static const seL4_Word addresses[] = { 0xffffffff80100000, 0xffffff8000000000,
                                           0xffffffffffffff00 };

    begin();
    for (unsigned i = 0; i < ARRAY_LENGTH(addresses); i++) {
        for (unsigned kind = 0; kind < 2; kind++) {
            start_touch(2 * i + kind, addresses[i], kind);
            struct message m = receive();

            CHECK_EQ(LABEL(m), seL4_Fault_VMFault);
            CHECK_EQ(m.word[seL4_VMFault_Addr], addresses[i]);
            CHECK_EQ(m.word[seL4_VMFault_FSR] & 4, 4);
        }
    }
    /* The fault's ip is where user code was. */
    start_touch(6, TEST_VADDR, 0);
    CHECK_EQ(receive().word[seL4_VMFault_IP] - (seL4_Word)touch < 200, true);
}

/* --- handlers -------------------------------------------------------------------------------- */

/* Nobody handles it: the thread is inactive, and that is all. */
static void no_handler(void)
{
    begin();
    struct thread *t = thread_create(0, raise, UNDEFINED, HELPER_PRIORITY, 5000, 5000, 0);
    seL4_UserContext regs;

    thread_start(t);
    CHECK(!t->done);
    CHECK_OK(seL4_TCB_ReadRegisters(t->tcb, 0, 0, 20, &regs));
    CHECK_EQ(*(const uint16_t *)regs.rip, 0x0b0f);
    regs.rip += 2;
    CHECK_OK(seL4_TCB_WriteRegisters(t->tcb, 1, 0, 20, &regs));
    CHECK(t->done);
}

/*
 * The capability is installed in the thread: deleting ours changes nothing; the endpoint's end
 * does.
 */
static void handler_is_installed(void)
{
    begin();
    seL4_CPtr handler = cap_mint(faults, seL4_AllRights, 4);
    struct thread *t = thread_create(0, raise, UNDEFINED, HELPER_PRIORITY, 5000, 5000, handler);

    CHECK_OK(cap_delete(handler));
    thread_start(t);
    struct message m = receive();

    CHECK_EQ(m.badge, 4);
    answer(0, 1, m.word[0] + 2, 0, 0);
    CHECK(t->done);

    t = thread_create(1, raise, UNDEFINED, HELPER_PRIORITY, 5000, 5000, faults);
    CHECK_OK(cap_revoke(faults));
    thread_start(t);
    CHECK_EQ(LABEL(receive()), 0x77);
    CHECK(!t->done);
}

/* A passive handler runs on the faulting thread's time. */
static void passive_handler_main(struct thread *self, seL4_Word argument)
{
    struct message m = sys(seL4_SysRecv, faults, INFO(0, 0), 0, 0, 0, 0, argument, 0);

    for (;;) {
        self->result[0]++;
        m = sys(seL4_SysReplyRecv, faults, INFO(0, 1), m.word[0] + 2, 0, 0, 0, argument, 0);
    }
}

static void passive_handler(void)
{
    begin();
    struct thread *handler = thread_run(0, passive_handler_main, reply, HELPER_PRIORITY);

    REQUIRE_OK(seL4_SchedContext_Unbind(handler->sc));
    struct thread *t = thread_create(1, raise, UNDEFINED, HELPER_PRIORITY, 5000, 5000, faults);

    thread_start(t);
    CHECK(t->done);
    CHECK_EQ(handler->result[0], 1);
}

/* seL4_getFault takes a message apart. */
static void library_view(void)
{
    begin();
    start(0, raise, UNDEFINED);

    seL4_Word badge;
    seL4_MessageInfo_t tag = seL4_NBRecv(faults, &badge, reply);
    seL4_Fault_t fault = seL4_getFault(tag);

    CHECK(seL4_isUserException_tag(tag));
    CHECK_EQ(seL4_Fault_get_seL4_FaultType(fault), seL4_Fault_UserException);
    CHECK_EQ(seL4_Fault_UserException_get_Number(fault), 6);
    CHECK_EQ(badge, 0x1000);
}

TEST_SUITE(fault, { "empty slot", empty_slot }, { "capability, send", cap_fault_on_send },
           { "capability, failures", cap_fault_failures },
           { "capability, receive", cap_fault_on_receive },
           { "capability, reply", cap_fault_on_reply }, { "capability, extra", cap_fault_on_extra },
           { "unknown syscall", unknown_syscall },
           { "unknown syscall answers", unknown_syscall_answers },
           { "unknown numbers", unknown_numbers }, { "interrupt gates", interrupt_gates },
           { "user exceptions", user_exceptions }, { "exception answers", exception_answers },
           { "vm fault", vm_fault }, { "kernel addresses", kernel_addresses },
           { "no handler", no_handler }, { "handler is installed", handler_is_installed },
           { "passive handler", passive_handler }, { "library view", library_view });
