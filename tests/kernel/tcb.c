/* SPDX-License-Identifier: BSD-2-Clause */
/* Thread control blocks: registers, priorities, spaces, flags, suspending and resuming. */
#include "tests/kernel/calls.h"

static void nothing(struct thread *self, seL4_Word argument)
{
    (void)argument;
    self->done = 1;
}

static void read_registers(void)
{
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0);
    seL4_UserContext in, out = { 0 };

    CHECK_RANGE(seL4_TCB_ReadRegisters(tcb, 0, 0, 0, &out), 1, 20);
    CHECK_RANGE(seL4_TCB_ReadRegisters(tcb, 0, 0, 21, &out), 1, 20);
    CHECK_ILLEGAL(seL4_TCB_ReadRegisters(seL4_CapInitThreadTCB, 0, 0, 20, &out));
    CHECK_RANGE(seL4_TCB_ReadRegisters(seL4_CapInitThreadTCB, 0, 0, 0, &out), 1, 20);
    CHECK_ILLEGAL(seL4_TCB_WriteRegisters(seL4_CapInitThreadTCB, 0, 0, 20, &out));

    for (unsigned i = 0; i < seL4_UserContextWords; i++)
        ((seL4_Word *)&in)[i] = 0x1000 + i;
    in.rflags = 0x202;
    CHECK_OK(seL4_TCB_WriteRegisters(tcb, 0, 0, 20, &in));
    CHECK_OK(seL4_TCB_ReadRegisters(tcb, 0, 0, 20, &out));
    for (unsigned i = 0; i < seL4_UserContextWords; i++)
        CHECK_EQ(((seL4_Word *)&out)[i], ((seL4_Word *)&in)[i]);
    /* Only what was asked for. */
    out.rax = out.rbx = 0;
    CHECK_OK(seL4_TCB_ReadRegisters(tcb, 0, 0, 4, &out));
    CHECK_EQ(out.rax, 0x1003);
    CHECK_EQ(out.rbx, 0);
}

static void write_registers(void)
{
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0);
    seL4_UserContext in = { .rip = 1, .rsp = 2 }, out;
    seL4_Word words[22] = { 0, 20 };

    /* Two words and as many as were announced. */
    CHECK_EQ(invoke(tcb, TCBWriteRegisters, 0, NULL, 21, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(tcb, TCBWriteRegisters, 0, NULL, 22, words), seL4_NoError);
    words[1] = 5;
    CHECK_EQ(invoke(tcb, TCBWriteRegisters, 0, NULL, 6, words), seL4_TruncatedMessage);
    CHECK_EQ(invoke(tcb, TCBWriteRegisters, 0, NULL, 7, words), seL4_NoError);
    /* More than there are: as many as there are. */
    words[1] = 21;
    CHECK_EQ(invoke(tcb, TCBWriteRegisters, 0, NULL, 23, words), seL4_NoError);
    /* The first two only. */
    CHECK_OK(seL4_TCB_WriteRegisters(tcb, 0, 0, 2, &in));
    in.rsp = 7;
    CHECK_OK(seL4_TCB_WriteRegisters(tcb, 0, 0, 1, &in));
    CHECK_OK(seL4_TCB_ReadRegisters(tcb, 0, 0, 20, &out));
    CHECK_EQ(out.rip, 1);
    CHECK_EQ(out.rsp, 2);
}

/* Nothing that the processor or the kernel could stumble over gets in. */
static void sanitised_registers(void)
{
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0);
    seL4_UserContext in = {
        .rip = 0x8000000000000000,
        .rflags = ~0ul,
        .fs_base = 0x0000800000000000,
        .gs_base = 0x1234000000000000,
    };
    seL4_UserContext out;

    CHECK_OK(seL4_TCB_WriteRegisters(tcb, 0, 0, 20, &in));
    CHECK_OK(seL4_TCB_ReadRegisters(tcb, 0, 0, 20, &out));
    CHECK_EQ(out.rip, 0);
    /* Bits 0 to 11 without 3, 5, 8 (TF); bit 1 and IF set. */
    CHECK_EQ(out.rflags, 0xed7);
    CHECK_EQ(out.fs_base, 0);
    CHECK_EQ(out.gs_base, 0);
    in = (seL4_UserContext){ .fs_base = 0x7ffffffff000, .gs_base = 0xffff800000000000 };
    CHECK_OK(seL4_TCB_WriteRegisters(tcb, 0, 0, 20, &in));
    CHECK_OK(seL4_TCB_ReadRegisters(tcb, 0, 0, 20, &out));
    CHECK_EQ(out.rflags, 0x202);
    CHECK_EQ(out.fs_base, 0x7ffffffff000);
    CHECK_EQ(out.gs_base, 0xffff800000000000);
}

static void copy_registers(void)
{
    seL4_CPtr from = object_new(seL4_TCBObject, 0), to = object_new(seL4_TCBObject, 0);
    seL4_UserContext in, out;

    for (unsigned i = 0; i < seL4_UserContextWords; i++)
        ((seL4_Word *)&in)[i] = 0x1000 + i;
    in.rflags = 0x203;
    REQUIRE_OK(seL4_TCB_WriteRegisters(from, 0, 0, 20, &in));
    CHECK_CAPABILITY(seL4_TCB_CopyRegisters(to, ROOT, 0, 0, 0, 0, 0), 1);
    CHECK_OK(seL4_TCB_CopyRegisters(to, from, 0, 0, 0, 1, 0));
    CHECK_OK(seL4_TCB_ReadRegisters(to, 0, 0, 20, &out));
    CHECK_EQ(out.rip, 0);
    CHECK_EQ(out.r15, 0);
    CHECK_EQ(out.fs_base, 0x1000 + 18);
    CHECK_EQ(out.gs_base, 0x1000 + 19);
    in.fs_base = in.gs_base = 5;
    REQUIRE_OK(seL4_TCB_WriteRegisters(from, 0, 0, 20, &in));
    CHECK_OK(seL4_TCB_CopyRegisters(to, from, 0, 0, 1, 0, 0));
    CHECK_OK(seL4_TCB_ReadRegisters(to, 0, 0, 20, &out));
    CHECK_EQ(out.rip, 0x1000);
    CHECK_EQ(out.rsp, 0x1001);
    CHECK_EQ(out.rflags, 0x203);
    CHECK_EQ(out.r15, 0x1000 + 17);
    CHECK_EQ(out.fs_base, 0x1000 + 18);
}

static void priorities(void)
{
    seL4_CPtr low = object_new(seL4_TCBObject, 0), tcb = object_new(seL4_TCBObject, 0);
    seL4_CPtr self = seL4_CapInitThreadTCB;

    CHECK_CAPABILITY(seL4_TCB_SetPriority(tcb, ROOT, 0), 1);
    CHECK_CAPABILITY(seL4_TCB_SetMCPriority(tcb, ROOT, 0), 1);
    CHECK_RANGE(seL4_TCB_SetPriority(tcb, self, 256), 0, 255);
    CHECK_RANGE(seL4_TCB_SetPriority(tcb, self, ~0ul), 0, 255);
    CHECK_RANGE(seL4_TCB_SetMCPriority(tcb, self, 256), 0, 255);
    /* A new thread has authority over nothing. */
    CHECK_RANGE(seL4_TCB_SetPriority(tcb, low, 1), 0, 0);
    CHECK_OK(seL4_TCB_SetPriority(tcb, low, 0));
    CHECK_OK(seL4_TCB_SetMCPriority(low, self, 10));
    CHECK_RANGE(seL4_TCB_SetPriority(tcb, low, 11), 0, 10);
    CHECK_RANGE(seL4_TCB_SetMCPriority(tcb, low, 11), 0, 10);
    CHECK_OK(seL4_TCB_SetPriority(tcb, low, 10));
    CHECK_OK(seL4_TCB_SetMCPriority(tcb, low, 10));
}

static void sched_params(void)
{
    seL4_CPtr self = seL4_CapInitThreadTCB;
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0), other = object_new(seL4_TCBObject, 0);
    seL4_CPtr sc = object_new(seL4_SchedContextObject, 7);
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);

    CHECK_CAPABILITY(seL4_TCB_SetSchedParams(tcb, ROOT, 0, 0, 0, 0), 1);
    CHECK_RANGE(seL4_TCB_SetSchedParams(tcb, self, 256, 0, 0, 0), 0, 255);
    CHECK_RANGE(seL4_TCB_SetSchedParams(tcb, self, 0, 256, 0, 0), 0, 255);
    CHECK_CAPABILITY(seL4_TCB_SetSchedParams(tcb, self, 0, 0, ROOT, 0), 2);
    CHECK_CAPABILITY(seL4_TCB_SetSchedParams(tcb, self, 0, 0, sc, ROOT), 3);
    CHECK_OK(seL4_TCB_SetSchedParams(tcb, self, 1, 1, sc, endpoint));
    /* The same again is no change; elsewhere it is bound already. */
    CHECK_OK(seL4_TCB_SetSchedParams(tcb, self, 1, 1, sc, endpoint));
    CHECK_ILLEGAL(seL4_TCB_SetSchedParams(other, self, 1, 1, sc, endpoint));
    CHECK_ILLEGAL(
        seL4_TCB_SetSchedParams(tcb, self, 1, 1, object_new(seL4_SchedContextObject, 7), endpoint));
    /* A null one unbinds. */
    CHECK_OK(seL4_TCB_SetSchedParams(tcb, self, 1, 1, 0, 0));
    CHECK_OK(seL4_TCB_SetSchedParams(other, self, 1, 1, sc, 0));
}

static void fault_endpoints(void)
{
    seL4_CPtr self = seL4_CapInitThreadTCB;
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0);
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);
    static const seL4_Word bad[] = { 0, 1, 2, 3, 4, 6, 8, 10, 12, 14 };
    static const seL4_Word good[] = { 5, 7, 9, 11, 13, 15 };

    for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
        seL4_CPtr cap = cap_copy(endpoint, (seL4_CapRights_t){ { bad[i] } });

        CHECK_CAPABILITY(seL4_TCB_SetSchedParams(tcb, self, 0, 0, 0, cap), 3);
        CHECK_CAPABILITY(seL4_TCB_SetTimeoutEndpoint(tcb, cap), 1);
        CHECK_CAPABILITY(seL4_TCB_SetSpace(tcb, cap, ROOT, 0, seL4_CapInitThreadVSpace, 0), 1);
    }
    for (unsigned i = 0; i < ARRAY_LENGTH(good); i++) {
        seL4_CPtr cap = cap_copy(endpoint, (seL4_CapRights_t){ { good[i] } });

        CHECK_OK(seL4_TCB_SetSchedParams(tcb, self, 0, 0, 0, cap));
        CHECK_OK(seL4_TCB_SetTimeoutEndpoint(tcb, cap));
        CHECK_OK(seL4_TCB_SetSpace(tcb, cap, ROOT, 0, seL4_CapInitThreadVSpace, 0));
    }
    CHECK_CAPABILITY(seL4_TCB_SetTimeoutEndpoint(tcb, object_new(seL4_NotificationObject, 0)), 1);
    CHECK_OK(seL4_TCB_SetTimeoutEndpoint(tcb, 0));
}

static void spaces(void)
{
    seL4_CPtr vspace = seL4_CapInitThreadVSpace;
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0);
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);
    seL4_CPtr frame = object_new(seL4_X86_4K, 0);
    seL4_CPtr cnode = object_new(seL4_CapTableObject, 8);
    seL4_CPtr no_asid = object_new(seL4_X64_PML4Object, 0);
    seL4_UntypedDesc desc;
    seL4_CPtr device = slot_new();

    CHECK_ILLEGAL(seL4_TCB_SetSpace(tcb, 0, endpoint, 0, vspace, 0));
    CHECK_ILLEGAL(seL4_TCB_SetSpace(tcb, 0, ROOT, 0, endpoint, 0));
    CHECK_ILLEGAL(seL4_TCB_SetSpace(tcb, 0, ROOT, 0, no_asid, 0));
    CHECK_ILLEGAL(seL4_TCB_SetSpace(tcb, 0, 0, 0, vspace, 0));
    CHECK_ILLEGAL(seL4_TCB_SetSpace(tcb, 0, ROOT, 0, 0, 0));
    CHECK_OK(seL4_TCB_SetSpace(tcb, 0, cnode, seL4_CNode_CapData_new(0, 56).words[0], vspace, 0));
    CHECK_ILLEGAL(
        seL4_TCB_SetSpace(tcb, 0, cnode, seL4_CNode_CapData_new(0, 57).words[0], vspace, 0));

    CHECK_ERROR(seL4_TCB_Configure(tcb, ROOT, 0, vspace, 0, 0x10000100, frame),
                seL4_AlignmentError);
    CHECK_ILLEGAL(seL4_TCB_Configure(tcb, ROOT, 0, vspace, 0, 0x10000400, endpoint));
    CHECK_ILLEGAL(seL4_TCB_Configure(tcb, endpoint, 0, vspace, 0, 0x10000400, frame));
    CHECK_ILLEGAL(seL4_TCB_Configure(tcb, ROOT, 0, no_asid, 0, 0x10000400, frame));
    CHECK_OK(seL4_TCB_Configure(tcb, ROOT, 0, vspace, 0, 0x10000400, frame));
    /* At address 0 the capability does not count. */
    CHECK_OK(seL4_TCB_Configure(tcb, ROOT, 0, vspace, 0, 0, endpoint));

    CHECK_ERROR(seL4_TCB_SetIPCBuffer(tcb, 0x10000001, frame), seL4_AlignmentError);
    CHECK_ILLEGAL(seL4_TCB_SetIPCBuffer(tcb, 0x10000000, endpoint));
    CHECK_OK(seL4_TCB_SetIPCBuffer(tcb, 0x10000000, frame));
    CHECK_OK(seL4_TCB_SetIPCBuffer(tcb, 0, endpoint));

    seL4_CPtr untyped = boot_untyped_find(true, 12, &desc);

    REQUIRE_OK(retype(untyped, seL4_X86_4K, 0, device, 1));
    CHECK_ILLEGAL(seL4_TCB_SetIPCBuffer(tcb, 0x10000000, device));
    CHECK_ILLEGAL(seL4_TCB_Configure(tcb, ROOT, 0, vspace, 0, 0x10000000, device));
}

static void suspend_and_resume(void)
{
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);
    struct thread *t = thread_create(0, nothing, 0, HELPER_PRIORITY, 5000, 5000, 0);
    struct call send = {
        .number = seL4_SysSend, .rdi = endpoint, .info = INFO(0, 1), .word = { 42 }
    };

    CHECK_EQ(t->done, 0);
    CHECK_OK(seL4_TCB_Suspend(t->tcb));
    CHECK_OK(seL4_TCB_Resume(t->tcb));
    CHECK_EQ(t->done, 1);

    /* Suspending takes it out of the queue, resuming repeats the send. */
    t = call_start(1, &send);
    CHECK(!send.returned);
    CHECK_OK(seL4_TCB_Suspend(t->tcb));
    struct message m = sys(seL4_SysNBWait, endpoint, INFO(0, 0), 7, 0, 0, 0, 0, 0);

    CHECK_EQ(m.word[0], 7);
    CHECK_OK(seL4_TCB_Resume(t->tcb));
    CHECK(!send.returned);
    m = sys(seL4_SysNBWait, endpoint, INFO(0, 0), 7, 0, 0, 0, 0, 0);
    CHECK_EQ(m.word[0], 42);
    CHECK(send.returned);
    /* Resuming one that runs or is ready changes nothing. */
    CHECK_OK(seL4_TCB_Resume(seL4_CapInitThreadTCB));
}

/* WriteRegisters resumes, and the thread starts with what was written. */
static void write_and_resume(void)
{
    struct thread *t = thread_create(0, nothing, 0, HELPER_PRIORITY, 5000, 5000, 0);
    seL4_UserContext regs;

    REQUIRE_OK(seL4_TCB_ReadRegisters(t->tcb, 0, 0, 20, &regs));
    CHECK_EQ(t->done, 0);
    CHECK_OK(seL4_TCB_WriteRegisters(t->tcb, 1, 0, 20, &regs));
    CHECK_EQ(t->done, 1);
}

static void read_tls(struct thread *self, seL4_Word argument)
{
    seL4_Word value;

    (void)argument;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
    self->result[0] = value;
    sys(seL4_SysYield, 0, INFO(0, 0), 0, 0, 0, 0, 0, 0);
    __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
    self->result[1] = value;
    self->done = 1;
}

static void tls_base(void)
{
    static const seL4_Word area = 0x1234567;
    seL4_UserContext regs;
    struct thread *t = thread_create(0, read_tls, 0, HELPER_PRIORITY, 5000, 5000, 0);

    CHECK_OK(seL4_TCB_SetTLSBase(t->tcb, (seL4_Word)&area));
    CHECK_OK(seL4_TCB_ReadRegisters(t->tcb, 0, 0, 20, &regs));
    CHECK_EQ(regs.fs_base, &area);
    thread_start(t);
    CHECK(thread_wait(t, PATIENCE_US));
    CHECK_EQ(t->result[0], area);
    CHECK_EQ(t->result[1], area);
    /* A bad address must hurt nobody. */
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0);

    CHECK_OK(seL4_TCB_SetTLSBase(tcb, 0x8000000000000000));
    CHECK_OK(seL4_TCB_ReadRegisters(tcb, 0, 0, 20, &regs));
    CHECK_EQ(regs.fs_base, 0);
}

static void use_fpu(struct thread *self, seL4_Word argument)
{
    __asm__ volatile("movq %0, %%xmm3" : : "r"(argument));
    self->result[0] = 1;
    __asm__ volatile("movq %%xmm3, %0" : "=r"(argument));
    self->result[1] = argument;
    self->done = 1;
}

static void flags(void)
{
    seL4_CPtr endpoint = object_new(seL4_EndpointObject, 0);
    struct thread *t = thread_create(0, use_fpu, 77, HELPER_PRIORITY, 5000, 5000, endpoint);
    seL4_TCB_SetFlags_t answer;

    answer = seL4_TCB_SetFlags(t->tcb, 0, ~0ul);
    CHECK_EQ(answer.error, 0);
    CHECK_EQ(answer.flags, seL4_TCBFlag_fpuDisabled);
    thread_start(t);
    CHECK_EQ(t->result[0], 0);

    seL4_CPtr reply = object_new(seL4_ReplyObject, 0);
    struct message m = sys(seL4_SysNBRecv, endpoint, INFO(0, 0), 0, 0, 0, 0, reply, 0);

    CHECK_EQ(LABEL(m), seL4_Fault_UserException);
    CHECK_EQ(m.word[seL4_UserException_Number], 7);
    answer = seL4_TCB_SetFlags(t->tcb, seL4_TCBFlag_fpuDisabled, 0);
    CHECK_EQ(answer.flags, 0);
    sys(seL4_SysSend, reply, INFO(0, 0), 0, 0, 0, 0, 0, 0);
    CHECK_EQ(t->result[0], 1);
    CHECK_EQ(t->result[1], 77);
    /* Cleared, then set. */
    answer = seL4_TCB_SetFlags(t->tcb, 1, 1);
    CHECK_EQ(answer.flags, 1);
    answer = seL4_TCB_SetFlags(t->tcb, 0, 0);
    CHECK_EQ(answer.flags, 1);
}

static void bind_notification(void)
{
    seL4_CPtr tcb = object_new(seL4_TCBObject, 0), other = object_new(seL4_TCBObject, 0);
    seL4_CPtr n = object_new(seL4_NotificationObject, 0),
              m = object_new(seL4_NotificationObject, 0);

    CHECK_ILLEGAL(seL4_TCB_UnbindNotification(tcb));
    CHECK_ILLEGAL(seL4_TCB_BindNotification(tcb, ROOT));
    CHECK_ILLEGAL(seL4_TCB_BindNotification(tcb, cap_copy(n, seL4_NoRead)));
    CHECK_OK(seL4_TCB_BindNotification(tcb, n));
    CHECK_ILLEGAL(seL4_TCB_BindNotification(tcb, n));
    CHECK_ILLEGAL(seL4_TCB_BindNotification(tcb, m));
    CHECK_ILLEGAL(seL4_TCB_BindNotification(other, n));
    CHECK_OK(seL4_TCB_UnbindNotification(tcb));
    CHECK_OK(seL4_TCB_BindNotification(other, n));
    CHECK_OK(cap_revoke(n));
    CHECK_OK(cap_delete(n));
    CHECK_ILLEGAL(seL4_TCB_UnbindNotification(other));
    /* A notification that somebody waits for cannot be bound. */
    struct call wait = { .number = seL4_SysWait, .rdi = m };

    call_start(0, &wait);
    CHECK_ILLEGAL(seL4_TCB_BindNotification(tcb, m));
    seL4_Signal(m);
    CHECK(wait.returned);
    CHECK_OK(seL4_TCB_BindNotification(tcb, m));
}

/* Each thread has its own FPU state. */
static void fpu_worker(struct thread *self, seL4_Word argument)
{
    for (unsigned round = 0; round < 50; round++) {
        seL4_Word got;
        uint32_t mxcsr = 0x1f80 | (uint32_t)(argument & 3) << 13, mxcsr_got;

        __asm__ volatile("movq %0, %%xmm0; movq %0, %%xmm15; ldmxcsr %1"
                         :
                         : "r"(argument + round), "m"(mxcsr));
        busy_wait(100);
        __asm__ volatile("movq %%xmm15, %0; stmxcsr %1" : "=r"(got), "=m"(mxcsr_got));
        if (got != argument + round || mxcsr_got != mxcsr)
            self->result[0]++;
    }
    self->done = 1;
}

static void fpu_is_private(void)
{
    struct thread *t[3];

    for (unsigned i = 0; i < 3; i++) {
        t[i] = thread_create(i, fpu_worker, 1000 * (i + 1) + i, TEST_PRIORITY - 1, 500, 500, 0);
        thread_start(t[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        CHECK(thread_wait(t[i], PATIENCE_US));
        CHECK_EQ(t[i]->result[0], 0);
    }
}

/* A thread that deletes its own TCB, and one that suspends itself. */
static void end_of_self(void)
{
    struct call suspend = { .number = seL4_SysCall, .info = INFO(TCBSuspend, 0) };
    struct thread *t =
        thread_create(0, thread_call, (seL4_Word)&suspend, HELPER_PRIORITY, 5000, 5000, 0);

    suspend.rdi = t->tcb;
    thread_start(t);
    CHECK(!suspend.returned);
    /* Resumed, it goes on after the call (docs/decisions/0004), of higher priority than we. */
    CHECK_OK(seL4_TCB_Resume(t->tcb));
    CHECK(suspend.returned);
    CHECK_EQ(LABEL(suspend.answer), seL4_NoError);

    struct call delete = { .number = seL4_SysCall, .rdi = ROOT, .info = INFO(CNodeDelete, 2) };

    t = thread_create(1, thread_call, (seL4_Word) & delete, HELPER_PRIORITY, 5000, 5000, 0);
    delete.word[0] = t->tcb;
    delete.word[1] = DEPTH;
    thread_start(t);
    CHECK(!delete.returned);
    CHECK_EQ(cap_tag(t->tcb), TAG_NULL);
}

TEST_SUITE(tcb, { "read registers", read_registers }, { "write registers", write_registers },
           { "sanitised registers", sanitised_registers }, { "copy registers", copy_registers },
           { "priorities", priorities }, { "sched params", sched_params },
           { "fault endpoints", fault_endpoints }, { "spaces", spaces },
           { "suspend and resume", suspend_and_resume }, { "write and resume", write_and_resume },
           { "tls base", tls_base }, { "flags", flags }, { "bind notification", bind_notification },
           { "fpu is private", fpu_is_private }, { "end of self", end_of_self });
