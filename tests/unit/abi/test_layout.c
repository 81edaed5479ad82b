/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words and numbers of the ABI. Sizes and offsets of structures are asserted where they are
 * declared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/bootinfo.h"
#include "abi/errors.h"
#include "abi/faults.h"
#include "abi/gen/labels.h"
#include "abi/syscalls.h"
#include "abi/types.h"
#include "abi/vcpu.h"
#include "abi/vmcs.h"

static void test_message_info(void **state)
{
    seL4_MessageInfo_t info = seL4_MessageInfo_new(0xabc, 5, 2, 120);

    (void)state;
    assert_int_equal(info.words[0], 0xabc000 | 5 << 9 | 2 << 7 | 120);
    assert_int_equal(seL4_MessageInfo_get_label(info), 0xabc);
    assert_int_equal(seL4_MessageInfo_get_capsUnwrapped(info), 5);
    assert_int_equal(seL4_MessageInfo_get_extraCaps(info), 2);
    assert_int_equal(seL4_MessageInfo_get_length(info), 120);

    info = (seL4_MessageInfo_t){ { ~0ull } };
    assert_int_equal(seL4_MessageInfo_set_length(info, 0).words[0], ~0x7full);
    assert_int_equal(seL4_MessageInfo_set_extraCaps(info, 0).words[0], ~0x180ull);
    assert_int_equal(seL4_MessageInfo_set_capsUnwrapped(info, 0).words[0], ~0xe00ull);
    assert_int_equal(seL4_MessageInfo_set_label(info, 0).words[0], 0xfff);
    /* What does not fit its field does not leak into the next. */
    assert_int_equal(seL4_MessageInfo_new(0, 8, 4, 128).words[0], 0);
}

static void test_rights_and_data(void **state)
{
    (void)state;
    assert_int_equal(seL4_CanWrite.words[0], 1);
    assert_int_equal(seL4_CanRead.words[0], 2);
    assert_int_equal(seL4_CanGrant.words[0], 4);
    assert_int_equal(seL4_CanGrantReply.words[0], 8);
    assert_int_equal(seL4_AllRights.words[0], 15);
    assert_int_equal(seL4_NoWrite.words[0], 14);
    assert_int_equal(seL4_NoRead.words[0], 13);
    assert_int_equal(seL4_CNode_CapData_new(0x123, 47).words[0], 0x123 << 6 | 47);
    assert_int_equal(seL4_X86_IOSpace_CapData(0x1234, 0x56, 0x1f, 7), 0x12345600 | 0xff);
    assert_int_equal(seL4_MaxExtraRefills(7), 0);
    assert_int_equal(seL4_MaxExtraRefills(8), 8);
}

/* The first and the last of each run of numbers, and some from its middle. */
static void test_numbers(void **state)
{
    (void)state;
    assert_int_equal(seL4_SysCall, -1);
    assert_int_equal(seL4_SysYield, -11);
    assert_int_equal(seL4_SysDebugGetThreadAffinity, -19);
    assert_int_equal(seL4_SysVMEnter, -32);
    assert_int_equal(seL4_NumErrors, 11);
    assert_int_equal(seL4_RangeError, 4);
    assert_int_equal(seL4_GuardMismatch, 4);
    assert_int_equal(seL4_Fault_VMFault, 6);
    assert_int_equal(seL4_CapFault_GuardMismatch_BitsFound, 6);
    assert_int_equal(seL4_NumInitialCaps, 16);
    assert_int_equal(seL4_CapInitThreadSC, 14);
    assert_int_equal(UntypedRetype, 1);
    assert_int_equal(TCBSetFlags, 17);
    assert_int_equal(CNodeRotate, 25);
    assert_int_equal(SchedContextYieldTo, 38);
    assert_int_equal(X86PageMapEPT, 53);
    assert_int_equal(X86IOPortOut32, 62);
    assert_int_equal(X86VCPUWriteRegisters, 71);
    assert_int_equal(X86EPTPTUnmap, 77);
    assert_int_equal(nInvocationLabels, 78);
}

static void test_virtualisation(void **state)
{
    (void)state;
    assert_int_equal(VMCS_GUEST_SELECTOR(VMCS_SEGMENT_TR), VMCS_GUEST_TR_SELECTOR);
    assert_int_equal(VMCS_GUEST_LIMIT(VMCS_SEGMENT_TR), VMCS_GUEST_TR_LIMIT);
    assert_int_equal(VMCS_GUEST_ACCESS_RIGHTS(VMCS_SEGMENT_TR), VMCS_GUEST_TR_ACCESS_RIGHTS);
    assert_int_equal(VMCS_GUEST_BASE(VMCS_SEGMENT_TR), VMCS_GUEST_TR_BASE);
    assert_int_equal(VMCS_GUEST_SYSENTER_EIP, 0x6826);
    assert_int_equal(VMCS_GUEST_PDPTE3, 0x2810);
    assert_int_equal(VMCS_PREEMPTION_TIMER, 0x482e);
    assert_int_equal(VMENTER_MR_R15 + 1, VMENTER_EXIT_LENGTH);
    assert_int_equal(VMENTER_MR_DEADLINE + 1, VMENTER_EXTENDED_LENGTH);
    assert_int_equal(VMX_EXIT_PREEMPTION_TIMER, 52);
    assert_int_equal(VMX_EXIT_XRSTORS, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_info),
        cmocka_unit_test(test_rights_and_data),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_virtualisation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
