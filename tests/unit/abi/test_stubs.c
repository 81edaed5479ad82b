/* SPDX-License-Identifier: BSD-2-Clause */
/* What the generated stubs send and how they read the answer, against messages written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi/gen/stubs.h"

seL4_IPCBuffer *__sel4_ipc_buffer;
static seL4_IPCBuffer buffer;

/* The last call, and the answer to the next. */
static struct {
    seL4_CPtr dest;
    seL4_MessageInfo_t info;
    seL4_Word words[seL4_MsgMaxLength];
    seL4_Word caps[3];
} sent;

static struct {
    seL4_Word label, length;
    seL4_Word words[seL4_MsgMaxLength];
} answer;

seL4_MessageInfo_t seL4_CallWithMRs(seL4_CPtr dest, seL4_MessageInfo_t info, seL4_Word *mr0,
                                    seL4_Word *mr1, seL4_Word *mr2, seL4_Word *mr3)
{
    sent.dest = dest;
    sent.info = info;
    memcpy(sent.words, buffer.msg, sizeof(sent.words));
    sent.words[0] = *mr0;
    sent.words[1] = *mr1;
    sent.words[2] = *mr2;
    sent.words[3] = *mr3;
    memcpy(sent.caps, buffer.caps_or_badges, sizeof(sent.caps));

    memcpy(buffer.msg + 4, answer.words + 4, sizeof(answer.words) - 4 * sizeof(seL4_Word));
    *mr0 = answer.words[0];
    *mr1 = answer.words[1];
    *mr2 = answer.words[2];
    *mr3 = answer.words[3];
    return seL4_MessageInfo_new(answer.label, 0, 0, answer.length);
}

static int set_up(void **state)
{
    (void)state;
    memset(&sent, 0, sizeof(sent));
    memset(&answer, 0, sizeof(answer));
    memset(&buffer, 0xee, sizeof(buffer));
    seL4_SetIPCBuffer(&buffer);
    return 0;
}

static void assert_sent(seL4_CPtr dest, seL4_Word label, const seL4_Word *caps, unsigned nr_caps,
                        const seL4_Word *words, unsigned length)
{
    assert_int_equal(sent.dest, dest);
    assert_int_equal(seL4_MessageInfo_get_label(sent.info), label);
    assert_int_equal(seL4_MessageInfo_get_length(sent.info), length);
    assert_int_equal(seL4_MessageInfo_get_extraCaps(sent.info), nr_caps);
    assert_int_equal(seL4_MessageInfo_get_capsUnwrapped(sent.info), 0);
    for (unsigned i = 0; i < nr_caps; i++)
        assert_int_equal(sent.caps[i], caps[i]);
    for (unsigned i = 0; i < length; i++)
        assert_int_equal(sent.words[i], words[i]);
}

#define WORDS(...) (const seL4_Word[]){ __VA_ARGS__ }, sizeof((seL4_Word[]){ __VA_ARGS__ }) / 8
#define NONE       NULL, 0

static void test_words_and_caps(void **state)
{
    (void)state;
    assert_int_equal(seL4_Untyped_Retype(1, 2, 3, 4, 5, 6, 7, 8), seL4_NoError);
    assert_sent(1, 1, WORDS(4), WORDS(2, 3, 5, 6, 7, 8));

    seL4_TCB_Configure(1, 2, 3, 4, 5, 6, 7);
    assert_sent(1, 5, WORDS(2, 4, 7), WORDS(3, 5, 6));

    seL4_TCB_SetSchedParams(1, 2, 3, 4, 5, 6);
    assert_sent(1, 8, WORDS(2, 5, 6), WORDS(3, 4));

    seL4_TCB_SetSpace(1, 2, 3, 4, 5, 6);
    assert_sent(1, 11, WORDS(2, 3, 5), WORDS(4, 6));

    seL4_TCB_Suspend(9);
    assert_sent(9, 12, NONE, NONE);

    seL4_CNode_Rotate(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    assert_sent(1, 25, WORDS(5, 9), WORDS(2, 3, 4, 6, 7, 8, 10, 11));

    seL4_SchedControl_ConfigureFlags(1, 2, 3, 4, 5, 6, 7);
    assert_sent(1, 33, WORDS(2), WORDS(3, 4, 5, 6, 7));

    seL4_X86_Page_MapIO(1, 2, seL4_ReadWrite, 4);
    assert_sent(1, 51, WORDS(2), WORDS(3, 4));

    seL4_X86_ASIDControl_MakePool(1, 2, 3, 4, 5);
    assert_sent(1, 54, WORDS(2, 3), WORDS(4, 5));

    seL4_X86_IOPortControl_Issue(1, 2, 3, 4, 5, 6);
    assert_sent(1, 56, WORDS(4), WORDS(2, 3, 5, 6));

    seL4_IRQControl_GetIOAPIC(1, 2, 3, 4, 5, 6, 7, 8, 9);
    assert_sent(1, 63, WORDS(2), WORDS(3, 4, 5, 6, 7, 8, 9));

    seL4_X86_EPTPT_Map(1, 2, 3, seL4_X86_EPT_WriteBack);
    assert_sent(1, 76, WORDS(2), WORDS(3, 6));
}

static void test_narrow_types(void **state)
{
    (void)state;
    seL4_CNode_Mint(1, 2, (seL4_Uint8)0x140, 4, 5, 64, seL4_CapRights_new(1, 0, 1, 0), ~0ull);
    assert_sent(1, 22, WORDS(4), WORDS(2, 0x40, 5, 64, 10, ~0ull));

    seL4_TCB_CopyRegisters(1, 2, 0, 5, 0, 1, 0xff);
    assert_sent(1, 4, WORDS(2), WORDS(0xff0a));
}

static void test_register_structures(void **state)
{
    seL4_UserContext regs;
    seL4_VCPUContext guest;
    seL4_Word expected[22];

    (void)state;
    for (unsigned i = 0; i < seL4_UserContextWords; i++)
        ((seL4_Word *)&regs)[i] = 100 + i;
    seL4_TCB_WriteRegisters(1, 1, 2, 3, &regs);
    expected[0] = 0x201;
    expected[1] = 3;
    for (unsigned i = 0; i < seL4_UserContextWords; i++)
        expected[2 + i] = 100 + i;
    assert_sent(1, 3, NONE, expected, 22);

    for (unsigned i = 0; i < seL4_VCPUContextWords; i++)
        expected[i] = ((seL4_Word *)&guest)[i] = 7 * i;
    seL4_X86_VCPU_WriteRegisters(1, &guest);
    assert_sent(1, 71, NONE, expected, 15);

    for (unsigned i = 0; i < seL4_MsgMaxLength; i++)
        answer.words[i] = 1000 + i;
    answer.length = 19;
    regs.gs_base = 5;
    assert_int_equal(seL4_TCB_ReadRegisters(1, 1, 0, 19, &regs), seL4_NoError);
    assert_sent(1, 2, NONE, WORDS(1, 19));
    assert_int_equal(regs.rip, 1000);
    assert_int_equal(regs.rax, 1003);
    assert_int_equal(regs.rbx, 1004);
    assert_int_equal(regs.fs_base, 1018);
    assert_int_equal(regs.gs_base, 5);
}

static void test_results(void **state)
{
    (void)state;
    answer.words[0] = 0x1234567;
    answer.length = 1;

    seL4_X86_IOPort_In8_t in = seL4_X86_IOPort_In8(1, 0x3f8);

    assert_sent(1, 57, NONE, WORDS(0x3f8));
    assert_int_equal(in.error, 0);
    assert_int_equal(in.result, 0x67);
    assert_int_equal(seL4_X86_Page_GetAddress(1).paddr, 0x1234567);
    assert_int_equal(seL4_SchedContext_Consumed(1).consumed, 0x1234567);
    assert_int_equal(seL4_TCB_SetFlags(1, 2, 3).flags, 0x1234567);
    assert_sent(1, 17, NONE, WORDS(2, 3));

    seL4_X86_VCPU_WriteVMCS_t written = seL4_X86_VCPU_WriteVMCS(1, 2, 3);

    assert_sent(1, 68, NONE, WORDS(2, 3));
    assert_int_equal(written.written, 0x1234567);
}

/* An error's words land in the IPC buffer; without an error the buffer's first words stay. */
static void test_errors_are_mirrored(void **state)
{
    (void)state;
    answer.words[0] = 1;
    assert_int_equal(seL4_TCB_Resume(1), seL4_NoError);
    assert_int_equal(seL4_GetMR(0), 0xeeeeeeeeeeeeeeee);

    answer.label = seL4_RangeError;
    answer.length = 2;
    answer.words[0] = 20;
    answer.words[1] = 30;
    answer.words[2] = 40;
    answer.words[3] = 50;
    assert_int_equal(seL4_TCB_Resume(1), seL4_RangeError);
    assert_int_equal(seL4_GetMR(0), 20);
    assert_int_equal(seL4_GetMR(1), 30);
    assert_int_equal(seL4_GetMR(2), 40);
    assert_int_equal(seL4_GetMR(3), 50);
    assert_int_equal(seL4_X86_VCPU_ReadVMCS(1, 2).error, seL4_RangeError);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_words_and_caps, set_up),
        cmocka_unit_test_setup(test_narrow_types, set_up),
        cmocka_unit_test_setup(test_register_structures, set_up),
        cmocka_unit_test_setup(test_results, set_up),
        cmocka_unit_test_setup(test_errors_are_mirrored, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
